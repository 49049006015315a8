//! `/api/ingest`, signed by the queue's worker, and `/api/ingest/sweep`, called by the platform's scheduler.

use axum::extract::{FromRef, FromRequest, FromRequestParts, Request, State};
use http::header;
use http::request::Parts;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Ingest, SweepReport, WORK_TIME, signature};
use crate::error::{Error, Kind, Result};
use crate::http::{Json, Router, get, post};

/// Messages of one request; Cloudflare's queues give a consumer at most 100.
pub const MOST_MESSAGES: usize = 100;

pub fn router<S>() -> Router<S>
where
    Ingest: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new().route("/api/ingest", post(take_messages)).route("/api/ingest/sweep", get(sweep).post(sweep))
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "QueueBatch")]
struct MessagesWire {
    messages: Vec<MessageWire>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "QueueMessage")]
struct MessageWire {
    id: String,
    body: serde_json::Value,
}

#[derive(Serialize, JsonSchema)]
struct FailedWire {
    failed: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct SweptWire {
    due: usize,
    #[serde(flatten)]
    swept: SweepReport,
}

/// A batch that the queue's worker has signed. Nothing of it is read before its signature was found good.
struct Signed(MessagesWire);

impl<S> FromRequest<S> for Signed
where
    Ingest: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Signed> {
        let ingest = Ingest::from_ref(state);
        let secret = configured(ingest.settings.secret.as_ref(), "INGEST_SECRET")?;
        let header = request.headers().get("x-ingest-signature").cloned();
        let header = header.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default();
        let body = crate::http::bytes(request, state).await?;
        if !signature::verify(secret.expose_secret(), header, &body, ingest.app.clock.now()) {
            return Err(Error::new(Kind::Unauthorized, "The signature is missing, wrong or older than five minutes.")
                .hint("Sign `t.body` with INGEST_SECRET and send it as `x-ingest-signature: t=<unix>,v1=<hex>`."));
        }
        let batch = serde_json::from_slice(&body);
        batch.map(Signed).map_err(|cause| Error::invalid("The body is not a batch of messages.").because(cause))
    }
}

/// The platform's scheduler, by its secret.
struct Scheduler;

impl<S> FromRequestParts<S> for Scheduler
where
    Ingest: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Scheduler> {
        let ingest = Ingest::from_ref(state);
        let secret = configured(ingest.settings.cron_secret.as_ref(), "CRON_SECRET")?;
        let given = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        match given.and_then(|value| value.strip_prefix("Bearer ")) {
            Some(given) if signature::same(secret.expose_secret(), given) => Ok(Scheduler),
            _ => Err(Error::new(Kind::Unauthorized, "This needs the scheduler's secret.")
                .hint("Send `Authorization: Bearer $CRON_SECRET`.")),
        }
    }
}

#[cfg(feature = "openapi")]
mod described {
    use http::StatusCode;

    use super::{MessagesWire, Scheduler, Signed};
    use crate::http::openapi::{Argument, Draft};

    impl Argument for Signed {
        fn describe(draft: &mut Draft<'_>) {
            draft.admits("ingestSignature", None);
            draft.body::<MessagesWire>();
            draft.fails(&[StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED, StatusCode::PAYLOAD_TOO_LARGE]);
        }
    }

    impl Argument for Scheduler {
        fn describe(draft: &mut Draft<'_>) {
            draft.admits("operatorSecret", None);
            draft.fails(&[StatusCode::UNAUTHORIZED]);
        }
    }
}

async fn take_messages(State(ingest): State<Ingest>, Signed(wire): Signed) -> Result<Json<FailedWire>> {
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

async fn sweep(State(ingest): State<Ingest>, _: Scheduler) -> Result<Json<SweptWire>> {
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
