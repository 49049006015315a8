//! From a function's spawn to its first poll (Lambda) or its first listening line (Vercel), beside hello-worlds.

mod door;
mod trace;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::table::{self, Table};
use crate::{Outcome, build};
use door::{Door, Sample};

#[derive(Args)]
pub struct Options {
    /// Runs of each function; all functions take turns
    #[arg(long, default_value_t = 25)]
    runs: usize,
    /// Measure what is built already
    #[arg(long)]
    no_build: bool,
}

pub struct Function {
    pub name: String,
    pub path: PathBuf,
    pub door: Door,
}

/// One binary's samples.
struct Row {
    function: Function,
    samples: Vec<Sample>,
}

const ROOMS: [&str; 6] = ["chat", "upload", "keys", "bots", "health", "ingest"];

pub fn run(options: &Options) -> Outcome<()> {
    if !options.no_build {
        for package in ["docent-functions", "docent-api", "docent-bench"] {
            build::package(package)?;
        }
    }
    let mut rows: Vec<Row> = functions()?.into_iter().map(|function| Row { function, samples: Vec::new() }).collect();
    for round in 0..=options.runs {
        table::note(&format!("round {round} of {}", options.runs));
        for row in &mut rows {
            let sample = door::measure(&row.function)?;
            // The first round only brings the binaries into the page cache.
            if round > 0 {
                row.samples.push(sample);
            }
        }
    }
    times(&mut rows, options.runs);
    counts(&rows)
}

fn functions() -> Outcome<Vec<Function>> {
    let folder = build::folder()?;
    let names = |door: Door| {
        let (hello, prefix) = match door {
            Door::Lambda => ("hello-lambda", "lambda-"),
            Door::Vercel => ("hello-vercel", ""),
        };
        let rooms = ROOMS.iter().map(move |room| format!("{prefix}{room}"));
        std::iter::once(hello.to_owned()).chain(rooms).map(move |name| (name, door))
    };
    let functions = names(Door::Lambda).chain(names(Door::Vercel));
    functions
        .map(|(name, door)| {
            let path = folder.join(&name);
            let path = path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))?;
            Ok(Function { name: label(&name, door), path, door })
        })
        .collect()
}

fn label(name: &str, door: Door) -> String {
    match door {
        Door::Vercel if !name.starts_with("hello") => format!("api/{name}"),
        _ => name.to_owned(),
    }
}

fn times(rows: &mut [Row], runs: usize) {
    let title = format!("Cold start, {runs} interleaved runs each, {}, warm page cache", build::profile_name());
    let head = [
        "function",
        "median ms",
        "min",
        "p90",
        "ratio to hello",
        "CPU ms",
        "ratio",
        "peak RSS MiB",
        "ratio",
        "binary MB",
    ];
    let mut table = Table::new(title, &head);
    let mut hello = (Duration::ZERO, Duration::ZERO, 0);
    for row in rows {
        row.samples.sort_by_key(|sample| sample.wall);
        let wall: Vec<Duration> = row.samples.iter().map(|sample| sample.wall).collect();
        let cpu = median(row.samples.iter().map(|sample| sample.cpu));
        let peak = median(row.samples.iter().map(|sample| sample.peak));
        let at = |part| table::quantile(&wall, part).unwrap_or_default();
        if row.function.name.starts_with("hello") {
            hello = (at(0.5), cpu, peak);
        }
        let size = fs::metadata(&row.function.path).map(|file| file.len()).unwrap_or_default();
        table.row(vec![
            row.function.name.clone(),
            table::milliseconds(at(0.5)),
            table::milliseconds(at(0.0)),
            table::milliseconds(at(0.9)),
            ratio(at(0.5).as_secs_f64(), hello.0.as_secs_f64()),
            table::milliseconds(cpu),
            ratio(cpu.as_secs_f64(), hello.1.as_secs_f64()),
            table::mebibytes(peak),
            ratio(peak as f64, hello.2 as f64),
            format!("{:.2}", size as f64 / 1e6),
        ]);
    }
    table.print();
}

/// Counts are exact where times are noisy.
fn counts(rows: &[Row]) -> Outcome<()> {
    if !trace::available() {
        table::line(
            "\nnot run: sockets and certificate files before the first poll; it needs strace (apt-get install strace)",
        );
        return Ok(());
    }
    let head = ["function", "system calls", "threads", "sockets", "connects", "certificate files", "files opened"];
    let mut table =
        Table::new("Before the first poll, counted by strace (the poll's own socket and connect included)", &head);
    for row in rows {
        let count = trace::count(&row.function)?;
        let cells = [count.calls, count.threads, count.sockets, count.connects, count.certificates, count.files];
        table.row(std::iter::once(row.function.name.clone()).chain(cells.iter().map(usize::to_string)).collect());
    }
    table.print();
    Ok(())
}

fn median<T: Copy + Ord + Default>(values: impl Iterator<Item = T>) -> T {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    table::quantile(&values, 0.5).unwrap_or_default()
}

fn ratio(value: f64, hello: f64) -> String {
    format!("{:.2}", value / hello)
}
