//! `/api/health`: draft-inadarei-api-health-check, plus the plain `healthy` that simple monitors look for.

use axum::Json;
use axum::extract::{FromRef, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;

use crate::App;
use crate::http::answers::{self, OneOf};
use crate::http::{Router, get};

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

#[derive(Serialize, JsonSchema)]
struct Health {
    status: &'static str,
    healthy: bool,
    version: &'static str,
    checks: Checks,
}

#[derive(Serialize, JsonSchema)]
struct Checks {
    postgres: [Check; 1],
}

#[derive(Serialize, JsonSchema)]
struct Check {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'static str>,
}

#[derive(Serialize, JsonSchema)]
struct Ping {
    status: &'static str,
}

async fn ping() -> OneOf<(answers::Health<Ping>,)> {
    health_json(StatusCode::OK, &Ping { status: "pass" }).into()
}

async fn health(State(app): State<App>) -> OneOf<(answers::Health<Health>,)> {
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
    health_json(status, &body).into()
}

fn health_json(status: StatusCode, body: &impl Serialize) -> Response {
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/health+json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
