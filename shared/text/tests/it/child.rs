//! The process around a reader: started again from the test's own binary, watched, and killed when it exceeds a wall.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use docent_text::{ReadOptions, read};

use crate::{bombs, heavy};

/// Seconds of processor time, not of the clock: other tests share the machine.
const SECONDS: f64 = 2.0;
/// How much slower a build without optimisation may be.
const UNOPTIMISED: f64 = if cfg!(debug_assertions) { 6.0 } else { 1.0 };
/// A reader that waits for nothing at all would be seen by no processor time.
const STANDSTILL: Duration = Duration::from_secs(120);
const PEAK_MIB: u64 = 256;
/// Some parsers recurse, and threads of a server have no more.
const STACK: usize = 2 * 1024 * 1024;

const NAME: &str = "DOCENT_TEST_JOB";
const FILES: &str = "DOCENT_TEST_FILES";

/// One row of a table: what is read, under which name, and the codes that may come of it, joined by spaces.
pub struct Job {
    pub name: String,
    pub file: String,
    pub codes: &'static str,
    pub source: Source,
    pub seconds: f64,
    pub peak_mib: u64,
}

pub trait Seekable: Read + Seek {}
impl<S: Read + Seek> Seekable for S {}

type Make<T> = Box<dyn Fn() -> T + Send + Sync>;

pub enum Source {
    /// Written to files by the watching process: their making does not count.
    Bytes(Make<Vec<Vec<u8>>>),
    /// Made while it is read, because no memory would hold it.
    Stream(Make<Box<dyn Seekable>>),
    Paths(Vec<PathBuf>),
}

impl Job {
    pub fn one(
        name: &str,
        file: &str,
        codes: &'static str,
        make: impl Fn() -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        Self::many(name, file, codes, move || vec![make()])
    }

    pub fn many(
        name: &str,
        file: &str,
        codes: &'static str,
        make: impl Fn() -> Vec<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, file, codes, Source::Bytes(Box::new(make)))
    }

    pub fn stream<S: Seekable + 'static>(
        name: &str,
        file: &str,
        codes: &'static str,
        make: impl Fn() -> S + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, file, codes, Source::Stream(Box::new(move || Box::new(make()))))
    }

    pub fn paths(name: &str, codes: &'static str, paths: Vec<PathBuf>) -> Self {
        Self::new(name, "*", codes, Source::Paths(paths))
    }

    /// Other walls than those of hostile files.
    pub fn within(self, seconds: f64, peak_mib: u64) -> Self {
        Self { seconds, peak_mib, ..self }
    }

    fn new(name: &str, file: &str, codes: &'static str, source: Source) -> Self {
        let (name, file) = (name.to_owned(), file.to_owned());
        Self { name, file, codes, source, seconds: SECONDS, peak_mib: PEAK_MIB }
    }
}

/// What a process left behind.
struct Outcome {
    codes: String,
    seconds: f64,
    peak_kib: u64,
}

/// Runs every job in a process of its own, as many at a time as there are processors, and asserts its row.
/// `DOCENT_BOMBS=all` prints the rows as well; any other value chooses those whose name, or file's name, it is a part of.
pub fn run_all(title: &str, jobs: &[Job]) {
    let wanted = std::env::var_os("DOCENT_BOMBS").map(|part| part.into_string().unwrap());
    let part = wanted.as_deref().filter(|part| *part != "all").unwrap_or_default();
    let jobs: Vec<&Job> = jobs.iter().filter(|job| job.name.contains(part) || job.file.contains(part)).collect();
    if cfg!(not(target_os = "linux")) {
        let line = format!("not run: {title} (it measures processes through /proc)\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
        return;
    }
    if wanted.is_some() {
        let head = format!("\n| {title} | code | CPU ms | peak MiB |\n|---|---|---|---|\n");
        let _ = std::io::stderr().write_all(head.as_bytes());
    }
    let next = Mutex::new(jobs.iter().enumerate());
    let outcomes = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let Some((index, job)) = next.lock().unwrap().next() else { return };
                    let outcome = run(job);
                    if wanted.is_some() {
                        let _ = std::io::stderr().write_all(row(job, &outcome).as_bytes());
                    }
                    outcomes.lock().unwrap().insert(index, outcome);
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap();
    let wrong: Vec<String> =
        jobs.iter().zip(outcomes.values()).filter_map(|(job, outcome)| complaint(job, outcome)).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), jobs.len(), wrong.join("\n"));
}

fn complaint(job: &Job, outcome: &Outcome) -> Option<String> {
    let Outcome { codes, seconds, peak_kib } = outcome;
    let right = codes == job.codes && *seconds <= job.seconds * UNOPTIMISED && *peak_kib <= job.peak_mib * 1024;
    (!right).then(|| format!("{}: {codes}, not {}; {seconds:.2} s, {} MiB", job.name, job.codes, peak_kib / 1024))
}

fn row(job: &Job, outcome: &Outcome) -> String {
    let Outcome { codes, seconds, peak_kib } = outcome;
    format!("| {} | {codes} | {:.0} | {} |\n", job.name, seconds * 1000.0, peak_kib / 1024)
}

fn run(job: &Job) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    match &job.source {
        Source::Bytes(make) => {
            for (index, bytes) in make().iter().enumerate() {
                std::fs::write(folder.path().join(format!("{index:06}")), bytes).unwrap();
            }
        }
        Source::Paths(paths) => {
            let list: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            std::fs::write(folder.path().join("paths"), list.join("\n")).unwrap();
        }
        Source::Stream(_) => {}
    }
    // Not by its path, where another build may have put another binary by now.
    let child = Command::new("/proc/self/exe")
        .args(["--exact", "child::reader_of_another_process", "--nocapture"])
        .env(NAME, format!("{}\n{}", job.name, job.file))
        .env(FILES, folder.path())
        .stdin(Stdio::null())
        .stdout(File::create(folder.path().join("out")).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    watch(job, child, &folder.path().join("out"))
}

fn watch(job: &Job, mut child: Child, output: &Path) -> Outcome {
    let mut moved = Instant::now();
    let mut seen = Outcome { codes: String::new(), seconds: 0.0, peak_kib: 0 };
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        let process = format!("/proc/{}", child.id());
        let before = seen.seconds;
        seen.seconds = seconds(&process).unwrap_or(before);
        if seen.seconds > before {
            moved = Instant::now();
        }
        seen.peak_kib = peak_kib(&process).unwrap_or(seen.peak_kib);
        let slow = seen.seconds > job.seconds * UNOPTIMISED * 1.5 || moved.elapsed() > STANDSTILL;
        if slow || seen.peak_kib > job.peak_mib * 4 * 1024 {
            child.kill().unwrap();
            child.wait().unwrap();
            seen.codes = if slow { "hang".to_owned() } else { "memory".to_owned() };
            return seen;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let said = std::fs::read_to_string(output).unwrap();
    let Some(line) = said.lines().find_map(|line| line.split_once("outcome: ").map(|(_, rest)| rest)) else {
        return Outcome { codes: format!("died ({status})"), ..seen };
    };
    let mut fields = line.split('|');
    let mut field = || fields.next().unwrap();
    Outcome { codes: field().to_owned(), seconds: field().parse().unwrap(), peak_kib: field().parse().unwrap() }
}

/// User and system time, from the 14th and 15th field; the second field is a name and may hold spaces.
fn seconds(process: &str) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("{process}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(ticks as f64 / 100.0)
}

fn peak_kib(process: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim_end_matches("kB").trim().parse().ok()
}

/// Not a test of its own: the process that reads its files, checks every piece, and says what came of it.
#[test]
fn reader_of_another_process() {
    let (Some(job), Some(folder)) = (std::env::var_os(NAME), std::env::var_os(FILES)) else { return };
    let job = job.into_string().unwrap();
    let (name, file) = job.split_once('\n').unwrap();
    let jobs: Vec<Job> = bombs::bombs().into_iter().chain(heavy::jobs()).collect();
    let stream = jobs.iter().find(|job| job.name == name).and_then(|job| match &job.source {
        Source::Stream(make) => Some(make),
        _ => None,
    });
    let codes = std::thread::scope(|scope| {
        let reader = std::thread::Builder::new().stack_size(STACK);
        let body = || match stream {
            Some(make) => BTreeSet::from([code(make(), file)]),
            None => files(Path::new(&folder)).iter().map(|path| code_of_file(path, file)).collect(),
        };
        reader.spawn_scoped(scope, body).unwrap().join().unwrap()
    });
    let codes = codes.into_iter().collect::<Vec<_>>().join(" ");
    let (seconds, peak) = (seconds("/proc/self").unwrap(), peak_kib("/proc/self").unwrap());
    // On a line of its own: the test runner leaves its own unfinished.
    println!("\noutcome: {codes}|{seconds}|{peak}");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    if let Ok(list) = std::fs::read_to_string(folder.join("paths")) {
        return list.lines().map(PathBuf::from).collect();
    }
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| !path.ends_with("out"));
    found.sort();
    found
}

/// Under the job's file name, or under the file's own where that is `*`.
fn code_of_file(path: &Path, name: &str) -> &'static str {
    let own = path.file_name().unwrap().to_string_lossy();
    code(File::open(path).unwrap(), if name == "*" { &own } else { name })
}

fn code(source: impl Seekable, name: &str) -> &'static str {
    let mut end = 0;
    let mut ordinal = 0;
    let summary = read(source, name, None, &ReadOptions::default(), &mut |piece| {
        assert_eq!(piece.ordinal, ordinal);
        assert!(!piece.text.trim().is_empty() && !piece.text.contains('\0'));
        assert!(piece.start >= end && piece.end - piece.start == piece.text.len() as u64);
        ordinal += 1;
        end = piece.end;
        Ok(())
    });
    match summary {
        Ok(summary) => {
            assert!(summary.chunks == ordinal && summary.text_bytes >= end && ordinal > 0);
            "ok"
        }
        Err(error) => {
            assert!(!error.to_string().is_empty() && !error.hint().is_empty());
            error.code()
        }
    }
}
