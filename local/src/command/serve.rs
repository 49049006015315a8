//! `docent serve` and `docent worker`: the functions and the ingestion of a container, configured by the environment.

use clap::Args;
use docent::App;
use docent::config::Environment;
use docent::function::{self, Files};
use tokio::net::TcpListener;

use super::{Failure, up};
use crate::system;
use crate::{console, terminal};

#[derive(Args)]
pub struct Options {
    /// Address to listen on
    #[arg(long, default_value = "0.0.0.0:8080", env = "DOCENT_LISTEN")]
    listen: String,
}

#[derive(Args)]
pub struct WorkerOptions {
    /// Consume what is due once and exit, instead of running until stopped
    #[arg(long)]
    once: bool,
}

pub async fn run(environment: &Environment, options: Options) -> Result<(), Failure> {
    let files = files(environment)?;
    let cannot = |error| {
        Failure::new(format!("Cannot listen on {}: {error}.", options.listen), "Choose another address with --listen.")
    };
    let listener = TcpListener::bind(&options.listen).await.map_err(cannot)?;
    let bucket = docent::config::Bucket::read(environment)?;
    let origin = bucket.public_endpoint.or(bucket.endpoint).map(|endpoint| endpoint.origin().ascii_serialization());
    let tasks = files.app.tasks.clone();
    let router =
        function::everything(files).merge(console::router(origin.as_deref().unwrap_or("https://*.amazonaws.com")));
    terminal::note(&format!("listening on {}", options.listen));
    let served = system::listen::serve(listener, router, &tasks, up::terminated()).await;
    served.map_err(|error| Failure::new(format!("Serving stopped: {error}"), "Start it again."))
}

pub async fn worker(environment: &Environment, options: WorkerOptions) -> Result<(), Failure> {
    let files = files(environment)?;
    if options.once {
        let done = files.ingest.due().await?;
        terminal::line(&format!("{done} consumed"));
        return Ok(());
    }
    terminal::note("waiting for hints");
    tokio::select! {
        () = system::keep_watch(&files.ingest) => {}
        () = up::terminated() => {}
    }
    Ok(())
}

fn files(environment: &Environment) -> Result<Files, Failure> {
    docent::telemetry::start(environment);
    Ok(Files::new(environment, App::new(environment)?)?)
}
