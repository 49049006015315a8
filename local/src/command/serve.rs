//! `docent serve` and `docent worker`: the functions and the ingestion of a container, configured by the environment.

use std::time::Duration;

use clap::Args;
use docent::App;
use docent::config::Environment;
use docent::function::{self, Files};
use futures_util::FutureExt;
use futures_util::future::join;
use tokio::net::TcpListener;

use super::{Failure, metrics, up};
use crate::queue::Queue;
use crate::system;
use crate::{console, terminal};

/// Platforms kill what is still there 30 seconds after they asked it to end.
const TO_FINISH: Duration = Duration::from_secs(25);

#[derive(Args)]
pub struct Options {
    /// Address to listen on
    #[arg(long, default_value = "0.0.0.0:8080", env = "DOCENT_LISTEN")]
    listen: String,
    #[command(flatten)]
    metrics: MetricsOptions,
}

#[derive(Args)]
pub struct MetricsOptions {
    /// Address of /metrics for Prometheus, which asks for no credential: one that only your own network reaches
    #[arg(long, env = "DOCENT_METRICS_LISTEN")]
    metrics_listen: Option<String>,
}

#[derive(Args)]
pub struct WorkerOptions {
    /// Consume what is due once and exit, instead of running until stopped
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    metrics: MetricsOptions,
}

pub async fn run(environment: &Environment, options: Options) -> Result<(), Failure> {
    let metrics_listen = options.metrics.metrics_listen.as_deref();
    let files = files(environment, metrics_listen)?;
    let cannot = |error| {
        Failure::new(format!("Cannot listen on {}: {error}.", options.listen), "Choose another address with --listen.")
    };
    let listener = TcpListener::bind(&options.listen).await.map_err(cannot)?;
    let metrics = metrics::serve(metrics::bind(metrics_listen).await?, files.app.clone());
    let bucket = docent::config::Bucket::read(environment)?;
    let origin = bucket.public_endpoint.or(bucket.endpoint).map(|endpoint| endpoint.origin().ascii_serialization());
    let tasks = files.app.tasks.clone();
    let router =
        function::everything(files).merge(console::router(origin.as_deref().unwrap_or("https://*.amazonaws.com")));
    terminal::note(&format!("listening on {}", options.listen));
    let served = tokio::select! {
        served = system::listen::serve(listener, router, &tasks, up::terminated()) => served,
        () = metrics => Ok(()),
    };
    served.map_err(|error| Failure::new(format!("Serving stopped: {error}"), "Start it again."))
}

pub async fn worker(environment: &Environment, options: WorkerOptions) -> Result<(), Failure> {
    let queue = docent::config::Queue::read(environment)?.map(Queue::new).transpose()?;
    let metrics_listen = options.metrics.metrics_listen.as_deref();
    let files = files(environment, metrics_listen)?;
    if options.once {
        let done = files.ingest.due().await?;
        terminal::line(&format!("{done} consumed"));
        return Ok(());
    }
    let metrics = metrics::serve(metrics::bind(metrics_listen).await?, files.app.clone());
    terminal::note(if queue.is_some() { "waiting for hints and for the queue" } else { "waiting for hints" });
    let leave = up::terminated().boxed().shared();
    let listening = async {
        if let Some(queue) = &queue {
            queue.listen(&files.ingest, leave.clone()).await;
        }
    };
    let work = join(listening, system::keep_watch(&files.ingest, leave.clone()));
    let patience = async {
        leave.clone().await;
        terminal::note("finishing what was begun");
        tokio::time::sleep(TO_FINISH).await;
    };
    tokio::select! {
        _ = work => {}
        // What is left lies in checkpoints, and is taken up when its lease is over.
        () = patience => {}
        () = metrics => {}
    }
    Ok(())
}

/// Metrics are counted where somebody asks for them.
fn files(environment: &Environment, metrics_listen: Option<&str>) -> Result<Files, Failure> {
    docent::telemetry::start(environment);
    let environment = match metrics_listen {
        Some(listen) => environment.clone().with("DOCENT_METRICS_LISTEN", listen),
        None => environment.clone(),
    };
    Ok(Files::new(&environment, App::new(&environment)?)?)
}
