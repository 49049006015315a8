//! `/api/ingest`, signed by the queue's worker, and `/api/ingest/sweep`, called by the platform's scheduler.

use axum::Router;
use axum::extract::{FromRef, State};
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderMap, header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Ingest, SweepReport, WORK_TIME, signature};
use crate::error::{Error, Kind, Result};
use crate::http::Json;

/// Messages of one request; Cloudflare's queues give a consumer at most 100.
pub const MOST_MESSAGES: usize = 100;

pub fn router<S>() -> Router<S>
where
    Ingest: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new().route("/api/ingest", post(take_messages)).route("/api/ingest/sweep", get(sweep).post(sweep))
}

#[derive(Deserialize)]
struct MessagesWire {
    messages: Vec<MessageWire>,
}

#[derive(Deserialize)]
struct MessageWire {
    id: String,
    body: serde_json::Value,
}

#[derive(Serialize)]
struct FailedWire {
    failed: Vec<String>,
}

#[derive(Serialize)]
struct SweptWire {
    due: usize,
    #[serde(flatten)]
    swept: SweepReport,
}

async fn take_messages(State(ingest): State<Ingest>, headers: HeaderMap, body: Bytes) -> Result<Json<FailedWire>> {
    let secret = configured(ingest.settings.secret.as_ref(), "INGEST_SECRET")?;
    let header = headers.get("x-ingest-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !signature::verify(secret.expose_secret(), header, &body, ingest.app.clock.now()) {
        return Err(Error::new(Kind::Unauthorized, "The signature is missing, wrong or older than five minutes.")
            .hint("Sign `t.body` with INGEST_SECRET and send it as `x-ingest-signature: t=<unix>,v1=<hex>`."));
    }
    let wire: MessagesWire = serde_json::from_slice(&body)
        .map_err(|cause| Error::invalid("The body is not a batch of messages.").because(cause))?;
    if wire.messages.len() > MOST_MESSAGES {
        return Err(Error::invalid(format!("A batch holds at most {MOST_MESSAGES} messages.")));
    }
    let ingest = ingest.within(WORK_TIME);
    let mut failed = Vec::new();
    for message in wire.messages {
        // What the time does not suffice for is delivered again.
        if Instant::now() >= ingest.deadline() {
            failed.push(message.id);
            continue;
        }
        if let Err(error) = ingest.r2(&message.body).await {
            tracing::warn!(message = message.id, cause = ?error, "ingest.message failed");
            failed.push(message.id);
        }
    }
    Ok(Json(FailedWire { failed }))
}

async fn sweep(State(ingest): State<Ingest>, headers: HeaderMap) -> Result<Json<SweptWire>> {
    let secret = configured(ingest.settings.cron_secret.as_ref(), "CRON_SECRET")?;
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    if !given.is_some_and(|given| signature::same(secret.expose_secret(), given)) {
        return Err(Error::new(Kind::Unauthorized, "This needs the scheduler's secret.")
            .hint("Send `Authorization: Bearer $CRON_SECRET`."));
    }
    let ingest = ingest.within(WORK_TIME);
    // Half of the time belongs to the sweep, however much is due.
    let half = Instant::now() + WORK_TIME / 2;
    let (brief, mut due) = (ingest.clone().within(WORK_TIME / 2), 0);
    while Instant::now() < half {
        match brief.due().await? {
            0 => break,
            ended => due += ended,
        }
    }
    let swept = ingest.sweep().await?;
    Ok(Json(SweptWire { due, swept }))
}

fn configured<'a>(secret: Option<&'a SecretString>, variable: &str) -> Result<&'a SecretString> {
    secret
        .ok_or_else(|| Error::new(Kind::NotConfigured, format!("{variable} is not set, so nobody can be let in here.")))
}
