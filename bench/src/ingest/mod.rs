//! Ingestion in megabytes per second: each pure step in a process of its own, then the whole way through the system.

mod copy;
mod laps;
mod whole;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use docent_text::{Budget, ChunkOptions};
use serde_json::{Value, json};

use crate::system::Scratch;
use crate::table::{self, Table};
use crate::{Outcome, build, fixture, pdf, process};

pub fn run() -> Outcome<()> {
    let scratch = Scratch::new()?;
    let files =
        [("prose.txt", fixture::text(fixture::BYTES).into_bytes()), ("prose.pdf", fixture::pdf(fixture::BYTES))];
    for (name, bytes) in &files {
        std::fs::write(scratch.0.join(name), bytes)?;
    }
    steps(&scratch.0, &files)?;
    whole::run(&scratch.0, files)
}

/// What `ingest-step` does in its own process: it prints its times and its peak of memory as one line of JSON.
pub fn step(file: &Path) -> Outcome<()> {
    let bytes = std::fs::read(file)?;
    let before = process::peak(std::process::id());
    let mut lap = laps();
    let extract = docent_text::extract(&bytes, &pdf::name(file), None, &Budget::default())?;
    let parse = lap();
    let chunks = docent_text::chunk(&extract, &ChunkOptions::default());
    let chunk = lap();
    let slices = chunks.iter().filter_map(|chunk| extract.text.get(chunk.start..chunk.end));
    let terms: usize = slices.map(|text| docent_text::term_counts(text).counts.len()).sum();
    let count = lap();
    let slices = chunks.iter().filter_map(|chunk| extract.text.get(chunk.start..chunk.end));
    let vectors = slices.map(docent_text::hash::embed).filter(|vector| !vector.is_empty()).count();
    let embed = lap();
    let peak = process::peak(std::process::id());
    table::line(
        &json!({
            "parse": parse, "chunk": chunk, "terms": count, "embed": embed, "postings": terms, "chunks": vectors,
            "text": extract.text.len(), "pages": extract.pages.len(), "before": before, "peak": peak,
        })
        .to_string(),
    );
    Ok(())
}

/// Seconds since the last call.
fn laps() -> impl FnMut() -> f64 {
    let mut begin = Instant::now();
    move || {
        let lap = begin.elapsed().as_secs_f64();
        begin = Instant::now();
        lap
    }
}

fn steps(folder: &Path, files: &[(&str, Vec<u8>)]) -> Outcome<()> {
    /// The fastest of these counts: what disturbs a run only adds.
    const RUNS: usize = 3;
    let title = format!("Pure steps, MB of the file per second, best of {RUNS}, {}, one thread", build::profile_name());
    let head = [
        "file",
        "MB",
        "pages",
        "chunks",
        "postings",
        "parse",
        "chunk",
        "terms",
        "hash embed",
        "all",
        "peak RSS MiB",
        "before parsing",
    ];
    let mut table = Table::new(title, &head);
    for (name, bytes) in files {
        let mut runs = Vec::new();
        for _ in 0..RUNS {
            let output = Command::new(std::env::current_exe()?).arg("ingest-step").arg(folder.join(name)).output()?;
            runs.push(
                serde_json::from_slice::<Value>(&output.stdout)
                    .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?,
            );
        }
        let best = |step: &str| runs.iter().filter_map(|run| run[step].as_f64()).fold(f64::INFINITY, f64::min);
        let laps = ["parse", "chunk", "terms", "embed"].map(best);
        let rate = |seconds: f64| table::rate(bytes.len(), Duration::from_secs_f64(seconds));
        let last = |name: &str| runs.last().and_then(|run| run[name].as_u64()).unwrap_or_default();
        let mut cells = vec![(*name).to_owned(), format!("{:.2}", bytes.len() as f64 / 1e6)];
        cells.extend(["pages", "chunks", "postings"].map(|name| last(name).to_string()));
        cells.extend(laps.map(rate));
        cells.push(rate(laps.iter().sum()));
        cells.extend(["peak", "before"].map(|name| table::mebibytes(last(name))));
        table.row(cells);
    }
    table.print();
    Ok(())
}
