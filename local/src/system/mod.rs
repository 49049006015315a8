//! The private system of one machine: Postgres, a bucket, an encoder and all functions, in one process.

mod demo;
pub mod listen;
mod secrets;

use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;
use docent::App;
use docent::config::Environment;
use docent::function::Files;
use docent_llm::LocalModel;
use futures_util::StreamExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::command::{Failure, Place};
use crate::{bucket, console, minilm, postgres};
use secrets::Secrets;

/// What turns text into vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EmbedderChoice {
    /// MiniLM-L6: semantic, English; its weights are fetched once
    Minilm,
    /// Feature hashing: lexical, any language, nothing to fetch
    Hash,
}

/// The bucket's name; there is only one.
const BUCKET: &str = "docent";

/// As many notifications as may wait; a lost one is found by the sweep.
const WAITING_EVENTS: usize = 10_000;

/// How often bucket and database are compared.
const SWEEP_EVERY: std::time::Duration = std::time::Duration::from_secs(300);

/// Everything running but the listener of the functions.
pub struct System {
    pub files: Files,
    pub token: String,
    pub answerer: String,
    pub embedder: String,
    /// What keeps everything between runs.
    pub home: PathBuf,
    bucket_origin: String,
    bucket: (bucket::Options, TcpListener, mpsc::Sender<String>),
    events: mpsc::Receiver<String>,
    // Stops when the system does; nothing else holds it.
    _postgres: Option<postgres::Postgres>,
}

impl System {
    /// `origin` is where the console will be served from: the bucket lets that origin upload.
    pub async fn start(
        environment: &Environment,
        place: &Place,
        origin: &str,
        progress: &dyn Fn(&str),
    ) -> Result<System, Failure> {
        let home = home(environment, place)?;
        // The database holds the folder's lock: nothing is thrown away that another process still serves.
        let (admin_url, postgres) = database(environment, place, &home, progress).await?;
        let secrets = Secrets::open(&home, place.fresh)?;
        progress("bringing the schema up to date");
        let app_url = secrets.app_url(&admin_url)?;
        docent::db::migrate::run(&admin_url, Some(&app_url), docent::db::migrate::Plan::Apply).await?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|error| port(0, &error))?;
        let bucket_origin =
            format!("http://127.0.0.1:{}", listener.local_addr().map_err(|error| port(0, &error))?.port());
        let model = encoder(place, &home, progress).await?;
        let environment = secrets.environment(environment.clone(), &app_url, &bucket_origin, model.as_deref());
        let mut app = App::new(&environment)?;
        if let Some(model) = &model {
            app = app.with_local_model(model.clone());
        }
        let files = Files::new(&environment, app)?;
        let (sender, events) = mpsc::channel(WAITING_EVENTS);
        let mut options = bucket::Options::new(home.join("bucket"), secrets.access_key(), secrets.secret_key(), BUCKET);
        options.allowed_origins = vec![origin.to_owned(), origin.replace("127.0.0.1", "localhost")];
        // A front end of another origin uploads straight to the bucket, too.
        options.allowed_origins.extend(files.app.front.allowed_origins.iter().cloned());
        progress("looking for the demo tenant");
        let embedder = files.app.limits.embedding_model.clone();
        let token = demo::tenant(&admin_url, &files.app, &secrets, &embedder).await?;
        let answerer = demo::answerer(&environment, &files, &token).await?;
        let bucket = (options, listener, sender);
        Ok(System { files, token, answerer, embedder, home, bucket_origin, bucket, events, _postgres: postgres })
    }

    /// Serves functions and console on `listener`, the bucket beside them, and ingests, until `stop` is done.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), Failure> {
        let router = docent::function::everything(self.files.clone()).merge(console::router(&self.bucket_origin));
        // What answers left behind is stored before the database goes.
        let http = listen::serve(listener, router, &self.files.app.tasks, stop);
        let (options, bucket_listener, sender) = self.bucket;
        tokio::select! {
            outcome = http => outcome.map_err(|error| Failure::new(format!("Serving stopped: {error}"), "Start it again.")),
            outcome = bucket::serve(options, bucket_listener, sender) => match outcome {
                Ok(never) => match never {},
                Err(error) => Err(Failure::new(error.to_string(), error.hint())),
            },
            () = ingest_events(&self.files, self.events) => Ok(()),
            () = keep_watch(&self.files.ingest, std::future::pending()) => Ok(()),
        }
    }
}

/// The bucket's notifications go through the same entry as those of S3's queue.
async fn ingest_events(files: &Files, mut events: mpsc::Receiver<String>) {
    let events = futures_util::stream::poll_fn(move |context| events.poll_recv(context));
    events
        .for_each_concurrent(docent::ingest::AT_ONCE, |event| async move {
            if let Err(error) = files.ingest.message(&event).await {
                tracing::warn!(cause = ?error, "ingest.message failed; the sweep will look again");
            }
        })
        .await;
}

/// Hints that came without an event, workers that died, and what bucket and database disagree about. Returns after it is
/// time to leave, when what was in work is done.
pub async fn keep_watch(ingest: &docent::ingest::Ingest, leave: impl Future<Output = ()>) {
    tokio::select! {
        () = ingest.keep_up(leave) => {}
        never = keep_sweeping(ingest) => match never {},
    }
}

async fn keep_sweeping(ingest: &docent::ingest::Ingest) -> std::convert::Infallible {
    let mut sweeps = tokio::time::interval(SWEEP_EVERY);
    sweeps.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        sweeps.tick().await;
        if let Err(error) = ingest.sweep().await {
            tracing::warn!(cause = ?error, "ingest.sweep failed");
        }
    }
}

async fn database(
    environment: &Environment,
    place: &Place,
    home: &std::path::Path,
    progress: &dyn Fn(&str),
) -> Result<(String, Option<postgres::Postgres>), Failure> {
    if let Some(url) = environment.get("DIRECT_DATABASE_URL").or_else(|| environment.get("DATABASE_URL")) {
        return Ok((url.to_owned(), None));
    }
    let mut options = postgres::Options::new(home.join("postgres"), cache(environment, home));
    options.fresh = place.fresh;
    options.wheel = environment.get("DOCENT_POSTGRES_WHEEL").map(PathBuf::from);
    let server =
        postgres::start(options, progress).await.map_err(|error| Failure::new(error.to_string(), error.hint()))?;
    Ok((server.url(), Some(server)))
}

async fn encoder(
    place: &Place,
    home: &std::path::Path,
    progress: &dyn Fn(&str),
) -> Result<Option<Arc<dyn LocalModel>>, Failure> {
    match place.embedder {
        EmbedderChoice::Hash => Ok(None),
        EmbedderChoice::Minilm => {
            let hint = "Use `--embedder hash` to go on without it.";
            let cache = cache(&Environment::process(), home);
            let folder =
                minilm::fetch(&cache, progress).await.map_err(|error| Failure::new(error.to_string(), hint))?;
            let model = minilm::load(&folder).map_err(|error| Failure::new(error.to_string(), hint))?;
            Ok(Some(Arc::new(model)))
        }
    }
}

/// Where the private system's data lies: the option, `DOCENT_DATA`, or the platform's data folder.
fn home(environment: &Environment, place: &Place) -> Result<PathBuf, Failure> {
    let home = place.data.clone().or_else(|| environment.get("DOCENT_DATA").map(PathBuf::from)).unwrap_or_else(|| {
        let base = environment.get("XDG_DATA_HOME").map(PathBuf::from);
        let base = base.or_else(|| environment.get("HOME").map(|home| PathBuf::from(home).join(".local/share")));
        postgres::reachable(&base.unwrap_or_else(|| PathBuf::from(".")).join("docent"))
    });
    std::fs::create_dir_all(&home).map_err(|error| {
        Failure::new(
            format!("The folder {} cannot be made: {error}.", home.display()),
            "Choose another one with --data DIR.",
        )
    })?;
    home.canonicalize()
        .map_err(|error| Failure::new(format!("{}: {error}", home.display()), "Choose another one with --data DIR."))
}

/// Binaries and weights are the same for every data folder, so they are kept beside the default one.
fn cache(environment: &Environment, home: &std::path::Path) -> PathBuf {
    let base = environment.get("XDG_CACHE_HOME").map(PathBuf::from);
    let base = base.or_else(|| environment.get("HOME").map(|home| PathBuf::from(home).join(".cache")));
    postgres::reachable(&base.unwrap_or_else(|| home.to_owned()).join("docent"))
}

pub fn port(port: u16, error: &std::io::Error) -> Failure {
    Failure::new(
        format!("Port {port} cannot be used: {error}."),
        "Stop what uses it, or choose another one with --port.",
    )
}
