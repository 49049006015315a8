//! Search under row security as libraries grow: hybrid beside the same statement through libpq, and how many of the
//! nearest are found, beside one index for everybody.

mod library;
mod ours;
mod recall;

use std::time::Duration;

use clap::Args;
use docent::db::dense::Shape;
use docent_local::postgres;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::system::Scratch;
use crate::table::{self, Table, quantile};
use crate::{Outcome, build, rival};
use library::{Library, Place};

/// Pinned, so that the same libpq runs everywhere.
const PACKAGES: [&str; 1] = ["psycopg[binary]==3.3.9"];
const SCRIPT: &str = include_str!("rival.py");
const STATEMENT: &str = include_str!("../../../shared/app/src/search/hybrid.sql");

const MODEL: &str = "minilm-l6-v2";
const DIMENSIONS: usize = 384;
const LIMIT: i32 = 8;
/// Both sides take turns so often; of what they say each time the median counts.
const ROUNDS: usize = 3;
/// Tenants that are asked, of however many there are.
const ASKED: usize = 10;
/// What is asked beforehand and not counted.
const WARM: usize = 10;

#[derive(Args)]
pub struct Options {
    /// Chunks of all tenants together
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000])]
    chunks: Vec<u64>,
    /// Tenants who share them evenly
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100, 10_000])]
    tenants: Vec<u64>,
    /// Chunks of the tenants who share the database of the recall table; `0` leaves the table out
    #[arg(long, value_delimiter = ',', default_values_t = [10, 1_000, 2_000, 5_000, 10_000, 100_000])]
    recall: Vec<u64>,
    /// Questions of each row
    #[arg(long, default_value_t = 100)]
    questions: usize,
    /// An administrator's URL of a server that runs already; the libraries stay there and are used again
    #[arg(long)]
    database: Option<String>,
    /// Memory for building one index
    #[arg(long, value_name = "MB", default_value_t = 2048)]
    memory: u32,
}

/// A question as both sides ask it.
#[derive(Clone, Serialize, Deserialize)]
struct Question {
    tenant: String,
    vector: Vec<f32>,
    terms: Vec<String>,
    #[serde(default)]
    index: String,
}

/// Places of chunks, best first, and how long it took to find them.
#[derive(Deserialize)]
struct Found {
    #[serde(default)]
    places: Vec<(String, i32)>,
    #[serde(default)]
    rows: usize,
    seconds: f64,
}

pub fn run(options: &Options) -> Outcome<()> {
    // On one thread a pipelined request is always one write; on several it may be two, which looks like two trips.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let scratch = Scratch::new()?;
        let (server, url) = match &options.database {
            Some(url) => (None, url.clone()),
            None => {
                let server = own_server(&scratch).await?;
                let url = server.url();
                (Some(server), url)
            }
        };
        let place = Place { url, python: rival::installed("bench-search", &PACKAGES)?, memory: options.memory };
        sizes(options, &place).await?;
        if options.recall.iter().any(|chunks| *chunks > 0) {
            recall::run(options, &place).await?;
        }
        match server {
            Some(server) => Ok(server.stop().await?),
            None => Ok(()),
        }
    })
}

/// With a memory of its own that a server of this size would have; a server's default is 128 MB.
async fn own_server(scratch: &Scratch) -> Outcome<postgres::Postgres> {
    let home = docent::config::Environment::process().get("HOME").map(std::path::PathBuf::from);
    let cache = home.map_or_else(|| scratch.0.join("cache"), |home| home.join(".cache/docent"));
    let options = || {
        let cache = postgres::reachable(&cache);
        postgres::Options { fast: true, ..postgres::Options::new(scratch.0.join("postgres"), cache) }
    };
    let server = postgres::start(options(), &table::note).await?;
    let settings = ["alter system set shared_buffers = '2GB'", "alter system set max_wal_size = '8GB'"];
    let python = rival::installed("bench-search", &PACKAGES)?;
    let request = json!({ "verb": "sql", "url": server.url(), "statements": settings });
    rival::ask::<Value>(&python, SCRIPT, &request)?;
    server.stop().await?;
    Ok(postgres::start(options(), &table::note).await?)
}

/// The table of sizes: every number of chunks with every number of tenants that it can be shared by.
async fn sizes(options: &Options, place: &Place) -> Outcome<()> {
    let title = format!(
        "Hybrid search under row security, {} questions, {DIMENSIONS} dimensions, warm, one after the other, {}",
        options.questions,
        build::profile_name()
    );
    let head = [
        "chunks",
        "tenants",
        "of each",
        "own index",
        "docent p50 ms",
        "p95 ms",
        "libpq p50 ms",
        "p95 ms",
        "p50 ratio",
        "p95 ratio",
        "round trips",
    ];
    let mut table = Table::new(title, &head);
    for tenants in &options.tenants {
        for chunks in options.chunks.iter().filter(|chunks| **chunks >= *tenants) {
            let each = chunks / tenants;
            let tenancy = format!("select t, {each} from generate_series(1, {tenants}) t");
            let library = Library::filled(place, &format!("bench_{chunks}_{tenants}"), &tenancy, *tenants).await?;
            let asked = library.some(ASKED.min(usize::try_from(*tenants)?));
            let indexed = library.reindex(&asked, place.memory).await?;
            let row = beside(options, &library, &asked).await?;
            let mut cells = vec![chunks.to_string(), tenants.to_string(), each.to_string()];
            cells.push(if indexed { "yes" } else { "no" }.to_owned());
            cells.extend(row);
            table.row(cells);
        }
    }
    table.print();
    Ok(())
}

/// Docent and libpq, in turns.
async fn beside(options: &Options, library: &Library, asked: &[String]) -> Outcome<Vec<String>> {
    let questions = library.questions(asked, options.questions + WARM)?;
    let ours = ours::Searcher::new(library).await?;
    let statement = Shape::new(DIMENSIONS).put_into(STATEMENT);
    let mut times = [const { Vec::new() }; 4];
    for _ in 0..ROUNDS {
        let mut docent = Vec::new();
        for question in &questions {
            docent.push(ours.search(question, LIMIT).await?.seconds);
        }
        let request = json!({ "verb": "same", "url": library.app, "questions": questions, "statement": statement, "limit": LIMIT });
        let libpq: Vec<Found> = library.ask(&request)?;
        if libpq.iter().any(|found| found.rows != LIMIT.unsigned_abs() as usize) {
            return Err("the statement gave fewer rows through libpq".into());
        }
        let libpq: Vec<f64> = libpq.iter().map(|found| found.seconds).collect();
        for (place, (side, part)) in [(&docent, 0.5), (&docent, 0.95), (&libpq, 0.5), (&libpq, 0.95)].iter().enumerate()
        {
            let counted = side.get(WARM..).unwrap_or_default();
            times[place].push(part_of(counted, *part));
        }
    }
    let [docent, docent_95, libpq, libpq_95] = times.map(|rounds| part_of(&rounds, 0.5));
    let mut cells: Vec<String> = [docent, docent_95, libpq, libpq_95].map(milliseconds).to_vec();
    cells.push(format!("{:.2}", docent / libpq));
    cells.push(format!("{:.2}", docent_95 / libpq_95));
    cells.push(ours::trips(library, &questions).await?.to_string());
    Ok(cells)
}

fn part_of(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    quantile(&sorted, part).unwrap_or(f64::NAN)
}

fn milliseconds(seconds: f64) -> String {
    if seconds.is_finite() { table::milliseconds(Duration::from_secs_f64(seconds)) } else { String::new() }
}
