//! Which rooms each function mounts: picked once, for every platform. A function's name is its URL, its binary on both
//! clouds and its log prefix. Reads the environment, awaits nothing.

use axum::extract::FromRef;

use crate::config::{self, Environment};
use crate::http::Router;
use crate::ingest::{self, Ingest};
use crate::objects::Objects;
use crate::{App, auth, bots, chat, documents, health, http, keys, search, telemetry, usage, webhooks};

type Built = Result<axum::Router, config::Error>;

/// What the rooms share that touch the bucket. The others never construct it, so their binaries link no S3 client.
#[derive(Clone)]
pub struct Files {
    pub app: App,
    pub objects: Objects,
    pub ingest: Ingest,
}

impl Files {
    pub fn new(environment: &Environment, app: App) -> Result<Files, config::Error> {
        let objects = Objects::new(environment)?;
        let ingest = Ingest::new(app.clone(), objects.clone(), config::Ingest::read(environment)?);
        Ok(Files { app, objects, ingest })
    }
}

impl FromRef<Files> for App {
    fn from_ref(files: &Files) -> App {
        files.app.clone()
    }
}

impl FromRef<Files> for Objects {
    fn from_ref(files: &Files) -> Objects {
        files.objects.clone()
    }
}

impl FromRef<Files> for Ingest {
    fn from_ref(files: &Files) -> Ingest {
        files.ingest.clone()
    }
}

pub fn health() -> Built {
    let app = app()?;
    Ok(http::service(health::router().with_state(app.clone()), &app))
}

pub fn keys() -> Built {
    let app = app()?;
    Ok(http::service(keys_rooms().with_state(app.clone()), &app))
}

pub fn bots() -> Built {
    let app = app()?;
    Ok(http::service(bots_rooms().with_state(app.clone()), &app))
}

pub fn chat() -> Built {
    let app = app()?;
    Ok(http::service(chat::router().with_state(app.clone()), &app))
}

pub fn upload() -> Built {
    let files = files()?;
    Ok(http::service(documents::router().with_state(files.clone()), &files.app))
}

pub fn ingest() -> Built {
    let files = files()?;
    Ok(http::service(ingest::router().with_state(files.clone()), &files.app))
}

/// Ingestion without HTTP: what a queue's consumer calls.
pub fn ingest_messages() -> Result<Ingest, config::Error> {
    Ok(files()?.ingest)
}

/// Every room behind one address, for the process that has them all.
pub fn everything(files: Files) -> axum::Router {
    let all = functions().into_iter().fold(Router::new(), |all, (_, rooms)| all.merge(rooms));
    let app = files.app.clone();
    http::service(all.with_state(files), &app)
}

/// Every function by its name, and the rooms that it mounts.
pub fn functions() -> [(&'static str, Router<Files>); 6] {
    [
        ("health", health::router()),
        ("keys", keys_rooms()),
        ("bots", bots_rooms()),
        ("chat", chat::router()),
        ("upload", documents::router()),
        ("ingest", ingest::router()),
    ]
}

fn keys_rooms<S>() -> Router<S>
where
    App: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    keys::router().merge(auth::router()).merge(webhooks::router())
}

fn bots_rooms<S>() -> Router<S>
where
    App: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    bots::router().merge(usage::router()).merge(search::router()).merge(chat::history_router())
}

fn app() -> Result<App, config::Error> {
    let environment = Environment::process();
    telemetry::start(&environment);
    App::new(&environment)
}

fn files() -> Result<Files, config::Error> {
    Files::new(&Environment::process(), app()?)
}
