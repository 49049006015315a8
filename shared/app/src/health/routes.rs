//! `/api/health`: draft-inadarei-api-health-check, plus the plain words that simple monitors look for.

use axum::Json;
use axum::extract::{FromRef, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;

use super::Standing;
use crate::App;
use crate::http::answers::{self, OneOf};
use crate::http::{Router, get};

/// `/health` and `/api/v1/health` are where hosting platforms and older monitors look unless told otherwise.
pub fn router<S>() -> Router<S>
where
    App: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/api/health/ping", get(ping))
        .route("/api/health", get(health))
        .route("/api/health/ready", get(health))
        .route("/api/v1/health", get(health))
        .route("/health", get(health))
}

#[derive(Serialize, JsonSchema)]
struct Health {
    /// `pass`, `warn` or `fail`.
    status: &'static str,
    /// Whether it serves; also where it does so without something.
    healthy: bool,
    /// `healthy`, `degraded` or `down`: the same as `status`.
    state: &'static str,
    version: &'static str,
    checks: Checks,
}

#[derive(Serialize, JsonSchema)]
struct Checks {
    postgres: [Check; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    vectors: Option<[Check; 1]>,
}

#[derive(Serialize, JsonSchema)]
struct Check {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'static str>,
}

impl Check {
    /// `word`: what a failure here means for the whole.
    fn of(failure: Option<&'static str>, word: &'static str) -> [Check; 1] {
        [Check { status: if failure.is_some() { word } else { "pass" }, output: failure }]
    }
}

#[derive(Serialize, JsonSchema)]
struct Ping {
    status: &'static str,
}

async fn ping() -> OneOf<(answers::Health<Ping>,)> {
    health_json(StatusCode::OK, &Ping { status: "pass" }).into()
}

async fn health(State(app): State<App>) -> OneOf<(answers::Health<Health>,)> {
    let Standing { postgres, vectors } = app.pulse.feel(&app).await;
    let degraded = vectors.flatten().is_some();
    let (code, status, state) = match (postgres, degraded) {
        (Some(_), _) => (StatusCode::SERVICE_UNAVAILABLE, "fail", "down"),
        (None, true) => (StatusCode::OK, "warn", "degraded"),
        (None, false) => (StatusCode::OK, "pass", "healthy"),
    };
    let vectors = vectors.map(|failure| Check::of(failure, "warn"));
    let checks = Checks { postgres: Check::of(postgres, "fail"), vectors };
    let healthy = postgres.is_none();
    health_json(code, &Health { status, healthy, state, version: env!("CARGO_PKG_VERSION"), checks }).into()
}

fn health_json(status: StatusCode, body: &impl Serialize) -> Response {
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/health+json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
