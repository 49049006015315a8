//! The commands. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 asked but nothing was found.

mod admin;
mod ask;
mod copy;
mod doctor;
mod eval;
mod ingest;
mod keys;
mod metrics;
mod reembed;
mod reindex;
mod serve;
mod up;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use rustix::process::{Resource, Rlimit};

use crate::terminal;

pub use ingest::files;

/// Cited answers from your own documents.
///
/// Start with `docent up`: it needs no account, no key and no container.
#[derive(Parser)]
#[command(
    name = "docent",
    version,
    after_help = "\
Examples:
  docent up                                          run everything on this machine
  docent ask --file report.pdf \"What was decided?\"   ask a file, print quotes with their pages
  docent ingest docs/ --url http://127.0.0.1:3000    upload a folder to a running system
  docent migrate                                     bring DIRECT_DATABASE_URL up to date"
)]
pub struct Command {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run the whole system here: Postgres with pgvector, an S3 bucket, the functions, the console
    Up(up::Options),
    /// Serve all functions over HTTP from the environment's configuration (for a container)
    Serve(serve::Options),
    /// Consume ingestion hints from the environment's database (for a container)
    Worker(serve::WorkerOptions),
    /// Apply pending migrations to DIRECT_DATABASE_URL and admit the app role of DATABASE_URL
    Migrate(admin::Migrate),
    /// Create and list tenants (needs DIRECT_DATABASE_URL)
    #[command(subcommand)]
    Tenant(admin::Tenant),
    /// Replace the master key that tenants' provider keys are sealed under (needs DIRECT_DATABASE_URL)
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Upload files and folders to a running system and wait until they are ready
    Ingest(ingest::Options),
    /// Ask a question; with --file, of those files alone
    Ask(ask::Options),
    /// Move a library to another embedding model while everybody goes on reading
    #[command(subcommand)]
    Reembed(reembed::Verb),
    /// Give large tenants' vectors an index of their own (needs DIRECT_DATABASE_URL)
    Reindex(reindex::Options),
    /// Measure retrieval: public sets, or your own questions
    Eval(Box<eval::Options>),
    /// Compare the database with the bucket once and repair what differs
    Sweep(admin::Sweep),
    /// Check everything that a deployment rests on, and say what to do
    Doctor(doctor::Options),
    /// Print every variable that is read, as a file to copy and fill in
    Env,
}

/// Where the private system of this machine lives.
#[derive(Args, Clone)]
pub struct Place {
    /// Folder that keeps everything between runs [default: the user's data folder]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Throw away what the folder holds and start anew
    #[arg(long)]
    pub fresh: bool,
    /// What turns text into vectors: minilm (semantic, fetched once, 84 MB) or hash (lexical, nothing to fetch)
    #[arg(long, value_enum, default_value = "minilm")]
    pub embedder: crate::system::EmbedderChoice,
}

/// A system that is running already.
#[derive(Args, Clone)]
pub struct Remote {
    /// Address of a running system
    #[arg(long, env = "DOCENT_URL")]
    pub url: Option<String>,
    /// A token of the tenant
    #[arg(long, env = "DOCENT_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

/// Why a command failed: a sentence and a next step.
#[derive(Debug, thiserror::Error)]
#[error("{message}\n  next: {next}")]
pub struct Failure {
    pub message: String,
    pub next: String,
    pub exit: u8,
}

impl Failure {
    pub fn new(message: impl Into<String>, next: impl Into<String>) -> Failure {
        Failure { message: message.into(), next: next.into(), exit: 1 }
    }
}

impl From<docent::Error> for Failure {
    fn from(error: docent::Error) -> Failure {
        let mut failure = Failure::new(format!("{}: {}", error.code(), error.detail), error.hint.to_string());
        if error.code() == "not_configured" || error.code() == "database_unavailable" {
            let mut cause = std::error::Error::source(&error);
            while let Some(source) = cause {
                failure.message.push_str(&format!(" ({source})"));
                cause = source.source();
            }
        }
        failure
    }
}

impl From<docent::config::Error> for Failure {
    fn from(error: docent::config::Error) -> Failure {
        Failure::new(format!("{}: {}", error.variable, error.problem), error.remedy)
    }
}

/// A core dump would hold provider keys in the clear, and the bodies of requests that brought them.
fn forbid_core_dumps() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = rustix::process::setrlimit(Resource::Core, none);
}

pub fn run(command: Command) -> ExitCode {
    forbid_core_dumps();
    let environment = docent::config::Environment::process();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal::error(&format!("The runtime could not start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        match command.verb {
            Verb::Up(options) => up::run(&environment, options).await,
            Verb::Serve(options) => serve::run(&environment, options).await,
            Verb::Worker(options) => serve::worker(&environment, options).await,
            Verb::Migrate(options) => admin::migrate(&environment, options).await,
            Verb::Tenant(verb) => admin::tenant(&environment, verb).await,
            Verb::Keys(verb) => keys::run(&environment, verb).await,
            Verb::Ingest(options) => ingest::run(options).await,
            Verb::Ask(options) => ask::run(&environment, options).await,
            Verb::Reembed(verb) => reembed::run(verb).await,
            Verb::Reindex(options) => reindex::run(&environment, options).await,
            Verb::Eval(options) => eval::run(&environment, *options).await,
            Verb::Sweep(options) => admin::sweep(&environment, options).await,
            Verb::Doctor(options) => doctor::run(&environment, options).await,
            Verb::Env => {
                terminal::line(docent::config::variables::example().trim_end());
                Ok(())
            }
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            terminal::error(&failure.to_string());
            ExitCode::from(failure.exit)
        }
    }
}
