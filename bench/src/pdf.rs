//! Pages per second of PDF text: docent-text beside pypdf, on the same files in the same run.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use docent_text::Budget;

use crate::rival::{self, Reader};
use crate::table::{self, Table};
use crate::{Outcome, build, samples};

#[derive(Args)]
pub struct Options {
    /// Rounds; both readers take turns and the median of each file counts
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The folder that holds pypdf_samples [default: ../shared/data beside the project]
    #[arg(long)]
    data: Option<PathBuf>,
}

/// One reader's outcome on one file.
#[derive(Clone)]
struct Read {
    pages: usize,
    characters: usize,
    time: Duration,
    failure: Option<String>,
}

pub fn run(options: &Options) -> Outcome<()> {
    let python = rival::python()?;
    let files = files(&samples(options.data.as_deref())?.join("pypdf_samples"))?;
    let (mut ours, mut theirs) = (vec![Vec::new(); files.len()], vec![Vec::new(); files.len()]);
    for round in 1..=options.rounds {
        table::note(&format!("round {round} of {}", options.rounds));
        for (times, file) in ours.iter_mut().zip(&files) {
            times.push(docent(file)?);
        }
        for (times, read) in theirs.iter_mut().zip(rival::read(Reader::Pypdf, &python, &files, false)?) {
            let time = Duration::from_secs_f64(read.seconds);
            times.push(Read { pages: read.pages, characters: read.characters, time, failure: read.failure });
        }
    }
    let rows = ours.into_iter().zip(theirs).map(|(ours, theirs)| (median(ours), median(theirs)));
    print(&files, &rows.collect::<Vec<_>>(), options.rounds);
    Ok(())
}

/// All PDFs below a folder, in order.
pub fn files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(folder).map_err(|error| format!("not run: {} ({error})", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension() == Some(OsStr::new("pdf")) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn docent(file: &Path) -> Outcome<Read> {
    // The rival's time holds the reading of the file too.
    let begin = Instant::now();
    let bytes = std::fs::read(file)?;
    let extract = docent_text::extract(&bytes, &name(file), None, &Budget::default());
    let time = begin.elapsed();
    Ok(match extract {
        Ok(extract) => {
            Read { pages: extract.pages.len(), characters: extract.text.chars().count(), time, failure: None }
        }
        Err(error) => Read { pages: 0, characters: 0, time, failure: Some(error.code().to_owned()) },
    })
}

fn median(mut reads: Vec<Read>) -> Option<Read> {
    reads.sort_by_key(|read| read.time);
    let middle = reads.len() / 2;
    reads.into_iter().nth(middle)
}

fn print(files: &[PathBuf], rows: &[(Option<Read>, Option<Read>)], rounds: usize) {
    let title = format!("PDF text, median of {rounds} interleaved rounds, {}, one thread each", build::profile_name());
    let head = [
        "file",
        "pages",
        "docent ms",
        "pypdf ms",
        "docent pages/s",
        "pypdf pages/s",
        "ratio",
        "docent chars",
        "pypdf chars",
    ];
    let mut table = Table::new(title, &head);
    let (mut pages, mut docent, mut pypdf) = (0, Duration::ZERO, Duration::ZERO);
    for (file, (ours, theirs)) in files.iter().zip(rows) {
        let (Some(ours), Some(theirs)) = (ours, theirs) else { continue };
        if ours.failure.is_none() && theirs.failure.is_none() {
            pages += theirs.pages;
            docent += ours.time;
            pypdf += theirs.time;
        }
        table.row(row(name(file), theirs.pages.max(ours.pages), ours, theirs));
    }
    let total = |time| Read { pages, characters: 0, time, failure: None };
    let mut sum = row("files that both read".to_owned(), pages, &total(docent), &total(pypdf));
    sum.truncate(7);
    table.row(sum);
    table.print();
}

fn row(name: String, pages: usize, ours: &Read, theirs: &Read) -> Vec<String> {
    let time =
        |read: &Read| read.failure.clone().unwrap_or_else(|| table::milliseconds(read.time)).chars().take(24).collect();
    let speed = |read: &Read| match read.failure {
        None => format!("{:.0}", pages as f64 / read.time.as_secs_f64()),
        Some(_) => String::new(),
    };
    let ratio = match (&ours.failure, &theirs.failure) {
        (None, None) => format!("{:.1}", theirs.time.as_secs_f64() / ours.time.as_secs_f64()),
        _ => String::new(),
    };
    let characters = |read: &Read| read.characters.to_string();
    vec![
        name,
        pages.to_string(),
        time(ours),
        time(theirs),
        speed(ours),
        speed(theirs),
        ratio,
        characters(ours),
        characters(theirs),
    ]
}

pub fn name(file: &Path) -> String {
    file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
