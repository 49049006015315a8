//! `/api/health`: draft-inadarei-api-health-check, plus the plain `healthy` that simple monitors look for.

use axum::extract::{FromRef, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::App;

pub fn router<S>() -> Router<S>
where
    App: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/api/health/ping", get(ping))
        .route("/api/health", get(health))
        .route("/api/health/ready", get(health))
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    healthy: bool,
    version: &'static str,
    checks: Checks,
}

#[derive(Serialize)]
struct Checks {
    postgres: [Check; 1],
}

#[derive(Serialize)]
struct Check {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'static str>,
}

#[derive(Serialize)]
struct Ping {
    status: &'static str,
}

async fn ping() -> Response {
    health_json(StatusCode::OK, &Ping { status: "pass" })
}

async fn health(State(app): State<App>) -> Response {
    let failure = app.db.ping().await.err();
    let (status, word) = match failure {
        None => (StatusCode::OK, "pass"),
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, "fail"),
    };
    if let Some(error) = &failure {
        tracing::warn!(cause = ?error, "health.postgres failed");
    }
    let output = failure.as_ref().map(|error| error.code());
    let checks = Checks { postgres: [Check { status: word, output }] };
    let body = Health { status: word, healthy: failure.is_none(), version: env!("CARGO_PKG_VERSION"), checks };
    health_json(status, &body)
}

fn health_json(status: StatusCode, body: &impl Serialize) -> Response {
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/health+json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
