//! The whole way of a file into the same server: through the system, and through the usual Python pipeline.

use std::path::{Path, PathBuf};
use std::time::Duration;

use docent_local::postgres;
use docent_local::system::EmbedderChoice;
use serde::Deserialize;
use serde_json::json;

use super::copy::{self, Stored};
use super::laps::{Laps, Log};
use crate::system::over;
use crate::table::{self, Table};
use crate::{Outcome, build, process, rival};

/// Pinned, so that the same rival runs everywhere.
const PACKAGES: [&str; 5] = [
    "langchain-postgres==0.0.19",
    "langchain-text-splitters==1.1.3",
    "pypdf==7.1.0",
    "cryptography",
    "psycopg[binary]==3.3.9",
];
const SCRIPT: &str = include_str!("rival.py");
const DIMENSIONS: usize = 384;

#[derive(Deserialize)]
struct Ingested {
    chunks: u64,
    peak: u64,
    seconds: Steps,
}

#[derive(Deserialize)]
struct Steps {
    parse: f64,
    chunk: f64,
    embed: f64,
    store: f64,
}

impl Steps {
    fn all(&self) -> f64 {
        self.parse + self.chunk + self.embed + self.store
    }
}

pub fn run(folder: &Path, files: [(&str, Vec<u8>); 2]) -> Outcome<()> {
    let python = rival::installed("bench-langchain", &PACKAGES)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let options = postgres::Options::new(folder.join("postgres"), postgres::reachable(&build::folder()?.join("cache")));
    let server = runtime.block_on(postgres::start(options, &|step| table::note(&format!("· {step}"))))?;
    let outcome = both(&server.url(), &python, folder, files)
        .and_then(|stored| copy::run(&server.binary("psql"), &server.url(), folder, &stored));
    runtime.block_on(server.stop())?;
    outcome
}

const HEAD: [&str; 10] = [
    "pipeline and file",
    "chunks",
    "parse s",
    "chunk s (ours: gather)",
    "embed s",
    "store s",
    "all s",
    "MB/s",
    "ours is",
    "peak MiB",
];

/// One file's way through the system.
struct Ours {
    path: PathBuf,
    size: usize,
    all: Duration,
    stored: Stored,
}

fn both(url: &str, python: &Path, folder: &Path, files: [(&str, Vec<u8>); 2]) -> Outcome<Vec<Stored>> {
    let title = format!(
        "End to end into one Postgres, {DIMENSIONS} dimensions, {}: ours from the upload's completion until ready, parsed \
         and cut in one pass",
        build::profile_name()
    );
    let mut table = Table::new(title, &HEAD);
    let ours = ours(url, folder, files, &mut table)?;
    for store in ["psycopg", "pgvector"] {
        theirs(url, python, store, &ours, &mut table)?;
    }
    table.print();
    Ok(ours.into_iter().map(|one| one.stored).collect())
}

fn ours(url: &str, folder: &Path, files: [(&str, Vec<u8>); 2], table: &mut Table) -> Outcome<Vec<Ours>> {
    let mut ours = Vec::new();
    let log = Log::listen();
    over(url, EmbedderChoice::Hash, async |client| {
        for (name, bytes) in files {
            let size = bytes.len();
            let ended = client.ingest(name, bytes).await?;
            if ended.document["status"] != "ready" {
                return Err(format!("{name}: {}", ended.document).into());
            }
            let states = ended.states.iter().filter(|(state, _)| state != "upload");
            let all: Duration = states.map(|(_, lasted)| *lasted).sum();
            let mut cells = vec![format!("Docent, {name}"), ended.document["chunks"].to_string()];
            let laps = log.last().ok_or("the system did not say where the time went")?;
            let Laps { read, gather, embed, store } = laps;
            cells.extend([read, gather, embed, store].map(|millis| format!("{:.2}", millis / 1000.0)));
            let peak = process::peak(std::process::id()).unwrap_or_default();
            cells.extend([table::seconds(all), table::rate(size, all), "1".to_owned(), table::mebibytes(peak)]);
            table.row(cells);
            let stored = Stored { file: name.to_owned(), document: ended.id, laps };
            ours.push(Ours { path: folder.join(name), size, all, stored });
        }
        Ok(())
    })?;
    Ok(ours)
}

fn theirs(url: &str, python: &Path, store: &str, ours: &[Ours], table: &mut Table) -> Outcome<()> {
    let paths: Vec<&Path> = ours.iter().map(|one| one.path.as_path()).collect();
    let request = json!({ "files": paths, "database": url, "store": store, "dimensions": DIMENSIONS });
    let read: Vec<Ingested> = rival::ask(python, SCRIPT, &request)?;
    if read.len() != ours.len() {
        return Err(format!("{store} ended after {} of {} files", read.len(), ours.len()).into());
    }
    for (read, ours) in read.iter().zip(ours) {
        let (steps, all) = (&read.seconds, Duration::from_secs_f64(read.seconds.all()));
        let mut cells = vec![format!("LangChain, {store}, {}", ours.stored.file), read.chunks.to_string()];
        cells.extend([steps.parse, steps.chunk, steps.embed, steps.store].map(|step| format!("{step:.2}")));
        let ratio = format!("{:.1}x", all.as_secs_f64() / ours.all.as_secs_f64());
        cells.extend([table::seconds(all), table::rate(ours.size, all), ratio, table::mebibytes(read.peak)]);
        table.row(cells);
    }
    Ok(())
}
