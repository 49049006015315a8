//! The rows that the system stored, once more: by `psql \copy` from a ready-made binary file, into empty tables with the
//! same columns, indexes and checks. What no store can do much better.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::laps::Laps;
use crate::Outcome;
use crate::table::{self, Table};

/// What a batch of chunks is written to.
const TABLES: [&str; 3] = ["chunk", "embedding_hash_384", "posting"];
/// The fastest of these counts: what disturbs a run only adds.
const RUNS: usize = 3;

pub struct Stored {
    pub file: String,
    pub document: String,
    pub laps: Laps,
}

pub fn run(psql: &Path, url: &str, folder: &Path, stored: &[Stored]) -> Outcome<()> {
    let head = ["file", "chunks", "vectors", "posting rows", "MB", "ours s", "\\copy s", "rate of ours to \\copy"];
    let title = format!("Storing chunks, vectors and postings, beside psql \\copy (best of {RUNS}) of the same rows");
    let mut table = Table::new(title, &head);
    for one in stored {
        let mut sizes = 0;
        let mut counts = Vec::new();
        for name in TABLES {
            let path = folder.join(format!("{name}.copy"));
            let rows = format!("select * from {name} where document_id = '{}'", one.document);
            sql(psql, url, &format!("\\copy ({rows}) to '{}' (format binary)", path.display()))?;
            sizes += std::fs::metadata(&path)?.len();
            counts.push(sql(psql, url, &format!("select count(*) from ({rows}) as stored"))?.trim().to_owned());
        }
        let mut best = Duration::MAX;
        for _ in 0..RUNS {
            best = best.min(once(psql, url, folder)?);
        }
        let ours = one.laps.store / 1000.0;
        let mut cells = vec![one.file.clone()];
        cells.extend(counts);
        cells.push(format!("{:.1}", sizes as f64 / 1e6));
        cells.extend([format!("{ours:.2}"), table::seconds(best), format!("{:.2}x", best.as_secs_f64() / ours)]);
        table.row(cells);
    }
    table.print();
    Ok(())
}

fn once(psql: &Path, url: &str, folder: &Path) -> Outcome<Duration> {
    let mut spent = Duration::ZERO;
    sql(psql, url, "drop schema if exists copied cascade; create schema copied")?;
    for name in TABLES {
        sql(psql, url, &format!("create table copied.{name} (like public.{name} including all)"))?;
        let path = folder.join(format!("{name}.copy"));
        let copy = format!("\\copy copied.{name} from '{}' (format binary)", path.display());
        // What starting psql and connecting costs is not the store's.
        let idle = Instant::now();
        sql(psql, url, "select 1")?;
        let idle = idle.elapsed();
        let begin = Instant::now();
        sql(psql, url, &copy)?;
        spent += begin.elapsed().saturating_sub(idle);
    }
    sql(psql, url, "drop schema copied cascade")?;
    Ok(spent)
}

fn sql(psql: &Path, url: &str, text: &str) -> Outcome<String> {
    let output =
        Command::new(psql).args(["--no-psqlrc", "--quiet", "--tuples-only", "--command", text, url]).output()?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?),
        false => Err(format!("{text}: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}
