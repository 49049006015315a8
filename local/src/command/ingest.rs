//! `docent ingest PATH…`: files and folders into a running system, several at a time, with a bar and an account at the end.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueEnum};
use futures_util::{StreamExt, stream};

use super::{Failure, Remote};
use crate::client::{Client, Ended, Named, Outcome, Wish};
use crate::terminal::{self, Work};

/// Files that are under way at a time: enough to hide each one's waiting, few enough for a laptop's line.
pub const AT_ONCE: usize = 4;

#[derive(Args)]
pub struct Options {
    /// Files, or folders that are walked
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// What a file does whose name is there already; unchanged files are never sent twice, except by `keep`
    #[arg(long, value_enum, default_value = "version")]
    on_duplicate: OnDuplicate,
    /// Collection to put them into, by name or id [default: the tenant's first]
    #[arg(long, value_name = "NAME")]
    collection: Option<String>,
    /// Send every file in parts, as files from 100 MB on are
    #[arg(long)]
    parts: bool,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnDuplicate {
    /// Another document of that name
    Keep,
    /// Leave the one that is there
    Skip,
    /// The next version; older bytes go
    Replace,
    /// The next version; the last few can be restored
    Version,
}

impl OnDuplicate {
    fn as_str(self) -> &'static str {
        match self {
            OnDuplicate::Keep => "keep",
            OnDuplicate::Skip => "skip",
            OnDuplicate::Replace => "replace",
            OnDuplicate::Version => "version",
        }
    }
}

pub async fn run(options: Options) -> Result<(), Failure> {
    let client = Client::remote(&options.remote)?.ok_or_else(|| {
        Failure::new(
            "There is no running system named.",
            "Start `docent up`, then give --url and --token as it prints them.",
        )
    })?;
    let files = files(&options.paths)?;
    if options.on_duplicate != OnDuplicate::Keep {
        apart(&files)?;
    }
    let collection = match &options.collection {
        Some(wanted) => Some(client.collection(wanted).await?),
        None => None,
    };
    send(&client, &files, &Wish { on_duplicate: options.on_duplicate.as_str(), collection, parts: options.parts }).await
}

/// Ingests files into a system of one's own, whatever is there.
pub async fn ingest(client: &Client, files: &[Named]) -> Result<(), Failure> {
    send(client, files, &Wish { on_duplicate: "keep", collection: None, parts: false }).await
}

/// Failed files are named at the end and make the command fail; what is ready stays, and a second run goes on from there.
async fn send(client: &Client, files: &[Named], wish: &Wish) -> Result<(), Failure> {
    let (work, began) = (Work::start(files.len() as u64), Instant::now());
    let each = files.iter().map(|file| one(client, &work, file, wish));
    let mut ended = stream::iter(each).buffer_unordered(AT_ONCE);
    let mut sums = Sums::default();
    while let Some((file, outcome)) = ended.next().await {
        sums.count(&work, file, outcome);
    }
    work.clear();
    terminal::note(&sums.line(began.elapsed().as_secs_f32()));
    match sums.failed.len() {
        0 => Ok(()),
        count => Err(Failure::new(
            format!("{count} of {} failed:\n  {}", files.len(), sums.failed.join("\n  ")),
            "Correct them and run the same command again: what is ready is not sent twice.",
        )),
    }
}

async fn one<'a>(client: &Client, work: &Work, file: &'a Named, wish: &Wish) -> (&'a Path, Result<Ended, Failure>) {
    let line = work.file(&file.path.display().to_string());
    let outcome = client.ingest(file, wish, &|state| line.state(state)).await;
    line.ended();
    (&file.path, outcome)
}

#[derive(Default)]
struct Sums {
    ready: usize,
    unchanged: usize,
    skipped: usize,
    bytes: u64,
    failed: Vec<String>,
}

impl Sums {
    fn count(&mut self, work: &Work, file: &Path, outcome: Result<Ended, Failure>) {
        let name = file.display();
        let ended = match outcome {
            Ok(ended) => ended,
            Err(failure) => return self.failed.push(format!("{name}: {} {}", failure.message, failure.next)),
        };
        self.bytes += ended.sent;
        let pages = ended.pages.map(|pages| format!(", {pages} pages")).unwrap_or_default();
        match ended.outcome {
            Outcome::Ready => {
                self.ready += 1;
                work.line(&format!("ready   {} ({} chunks{pages})", ended.filename, ended.chunks));
            }
            Outcome::Unchanged => self.unchanged += 1,
            Outcome::Skipped => self.skipped += 1,
            Outcome::Failed(why) => self.failed.push(format!("{name}: {why}")),
        }
    }

    fn line(&self, seconds: f32) -> String {
        let mut parts = vec![format!("{} ready", self.ready)];
        for (count, word) in [(self.unchanged, "unchanged"), (self.skipped, "skipped"), (self.failed.len(), "failed")] {
            if count > 0 {
                parts.push(format!("{count} {word}"));
            }
        }
        let sent = self.bytes as f64 / 1_000_000.0;
        format!("{}; {sent:.1} MB sent in {seconds:.1} s", parts.join(", "))
    }
}

/// The files among `paths` and below its folders, hidden ones left out, in order. A file is called as it lies below the
/// folder that was named, so that `a/notes.md` and `b/notes.md` are two documents, wherever the folder stands.
pub fn files(paths: &[PathBuf]) -> Result<Vec<Named>, Failure> {
    let mut found = Vec::new();
    let mut open: Vec<Named> =
        paths.iter().rev().map(|path| Named { path: path.clone(), name: String::new() }).collect();
    while let Some(Named { path, name }) = open.pop() {
        let cannot = |error: std::io::Error| {
            Failure::new(format!("{}: {error}.", path.display()), "Check the path and its permissions.")
        };
        if !std::fs::metadata(&path).map_err(cannot)?.is_dir() {
            let name = if name.is_empty() { last(&path) } else { name };
            found.push(Named { path, name });
            continue;
        }
        let entries = std::fs::read_dir(&path).map_err(cannot)?;
        let mut entries: Vec<PathBuf> =
            entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| !hidden(path)).collect();
        entries.sort();
        let below = |path: &PathBuf| if name.is_empty() { last(path) } else { format!("{name}/{}", last(path)) };
        open.extend(entries.into_iter().rev().map(|path| Named { name: below(&path), path }));
    }
    match found.is_empty() {
        true => Err(Failure::new("There is no file to ingest.", "Name a file, or a folder that holds some.")),
        false => Ok(found),
    }
}

/// Refuses two files of one name: they would be taken for versions of one document.
fn apart(files: &[Named]) -> Result<(), Failure> {
    let mut names = HashMap::new();
    for Named { path, name } in files {
        if let Some(other) = names.insert(name, path) {
            return Err(Failure::new(
                format!("{} and {} would both be the document {name}.", Path::display(other), path.display()),
                "Name the folder that holds both, or give --on-duplicate keep.",
            ));
        }
    }
    Ok(())
}

fn last(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}
