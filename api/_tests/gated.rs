//! A function for the adapter's tests: its slow parts wait for a request to `/open`, never for a clock.
#[path = "../_adapter.rs"]
mod _adapter;

use std::{convert::Infallible, sync::Arc};

use axum::{Extension, Router, body::Body, extract::State, http::StatusCode, routing::get};
use docent::Tasks;
use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::Semaphore;
use vercel_runtime::AppState;

type Gate = Arc<Semaphore>;

#[tokio::main]
async fn main() -> Result<(), vercel_runtime::Error> {
    let gate: Gate = Arc::new(Semaphore::new(0));
    let router = Router::new()
        .route("/ping", get(async || "pong"))
        .route("/open", get(async |State(gate): State<Gate>| gate.add_permits(1)))
        .route("/stream", get(stream))
        .route("/later", get(later))
        .route("/left", get(left));
    _adapter::serve(router.with_state(gate)).await
}

async fn stream(State(gate): State<Gate>) -> Body {
    let first = stream::iter([Ok::<_, Infallible>("first\n")]);
    let last = async move { pass(gate).await }.map(|()| Ok("last\n")).into_stream();
    Body::from_stream(first.chain(last))
}

async fn later(State(gate): State<Gate>, Extension(platform): Extension<AppState>) -> StatusCode {
    platform.wait_until(pass(gate));
    StatusCode::ACCEPTED
}

async fn left(State(gate): State<Gate>, Extension(tasks): Extension<Tasks>) -> StatusCode {
    drop(tasks.run(pass(gate)));
    StatusCode::ACCEPTED
}

async fn pass(gate: Gate) {
    if let Ok(permit) = gate.acquire().await {
        permit.forget();
    }
}
