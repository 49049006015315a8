//! Benchmarks beside rivals: each subcommand prints one table, whose ratios come from one run on one machine.

mod build;
mod coldstart;
mod firstanswer;
mod fixture;
mod ingest;
mod pdf;
mod process;
mod questions;
mod relay;
mod rival;
mod search;
mod system;
mod table;
mod walls;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

/// Why a benchmark could not be run.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Benchmarks of Docent beside rivals; each command prints one table.
#[derive(Parser)]
#[command(name = "docent-bench")]
enum Command {
    /// Every function from its spawn to its first poll, beside a hello-world of the same profile
    Coldstart(coldstart::Options),
    /// Megabytes per second of each step of ingestion, and end to end
    Ingest,
    /// One step of `ingest` in a process of its own, so that its peak of memory is its own
    #[command(hide = true)]
    IngestStep { file: PathBuf },
    /// Pages per second of PDF text beside pypdf
    Pdf(pdf::Options),
    /// Questions with their pages fixed in advance, asked of the whole system
    Questions(questions::Options),
    /// The steps from a command to its first cited answer
    Firstanswer(firstanswer::Options),
    /// Hybrid search as libraries grow, beside the same statement through libpq, and its recall
    Search(search::Options),
    /// What a relay adds to a provider's answer, beside the direct call, a bare proxy and LiteLLM
    Relay(relay::Options),
    /// One of those who take part in `relay`, in a process of its own
    #[command(hide = true)]
    RelayPart(relay::PartOptions),
    /// What credentials, sealed keys and limits cost a request
    Walls,
}

fn main() -> ExitCode {
    let outcome = match Command::parse() {
        Command::Coldstart(options) => coldstart::run(&options),
        Command::Ingest => ingest::run(),
        Command::IngestStep { file } => ingest::step(&file),
        Command::Pdf(options) => pdf::run(&options),
        Command::Questions(options) => questions::run(&options),
        Command::Firstanswer(options) => firstanswer::run(&options),
        Command::Search(options) => search::run(&options),
        Command::Relay(options) => relay::run(&options),
        Command::RelayPart(options) => relay::act(&options),
        Command::Walls => walls::run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            table::note(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// The project's root folder, which is where this was built.
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Documents that others made; they lie beside the project and are read when they are there.
pub fn samples(given: Option<&Path>) -> Outcome<PathBuf> {
    let folder = given.map_or_else(|| project().join("../shared/data"), Path::to_owned);
    folder.canonicalize().map_err(|error| {
        let name = folder.display();
        format!("not run: {name} ({error}); it needs a folder with py-pdf's sample files in pypdf_samples (--data DIR)")
            .into()
    })
}
