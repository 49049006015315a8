//! Endpoints of tenants that are told when a document is ready, failed or deleted. The outbox is written by the database
//! with the change itself; here it is emptied: signed, sent, tried again, and given up with a reason.

mod routes;
mod sign;
mod store;

use docent_llm::{Notice, Url, address};
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

pub use routes::router;

use crate::App;
use crate::auth::TenantId;
use crate::db::TenantTx;
use crate::error::{Error, Kind, Result};
use crate::keys::{Place, open_secret, rewrap_secret, seal_secret};

/// Endpoints of one tenant.
pub const MOST_WEBHOOKS: i64 = 20;
/// What an endpoint can be told of.
pub const EVENTS: [&str; 3] = ["document.ready", "document.failed", "document.deleted"];
/// Seconds until a message is sent again, after each try that failed; after the last it is given up.
pub const BACKOFF: [i32; 9] = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// An endpoint to which nothing got through for so many days is told nothing more.
pub const DISABLE_AFTER_DAYS: i32 = 5;
/// How long a message is kept after it was delivered or given up.
pub const KEPT_DAYS: i32 = 7;

const PURPOSE: &str = "docent webhook";

/// An endpoint as its tenant sees it.
#[derive(Clone, Debug)]
pub struct Webhook {
    pub id: Uuid,
    pub url: String,
    pub events: Vec<String>,
    pub failing_since: Option<Timestamp>,
    pub disabled_at: Option<Timestamp>,
    pub disabled_reason: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The parts that a request names; the others stay as they are.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub url: Option<String>,
    pub events: Option<Vec<String>>,
    /// True takes back that it was disabled.
    pub enabled: Option<bool>,
}

/// A message that was taken out of the outbox, with all that sending it needs.
pub struct Message {
    pub id: Uuid,
    pub webhook: Uuid,
    pub url: String,
    pub secret: Vec<u8>,
    pub payload: Value,
    /// Tries, this one included.
    pub attempts: i32,
}

/// How a try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Delivered,
    /// It is tried again later, or was given up.
    Failed,
    /// Somebody else sends it, or there is nobody to be told any more.
    Nothing,
}

/// Sends one message, if it is due. A message may be sent twice when this process dies in between: its id says so.
pub async fn deliver(app: &App, tenant: TenantId, id: Uuid) -> Result<Told> {
    let message = {
        let tx = app.db.tenant(tenant).await?;
        tx.finish(store::claim(&tx, id, &BACKOFF)).await?
    };
    let Some(message) = message else { return Ok(Told::Nothing) };
    let status = send(app, tenant, &message).await?;
    tracing::info!(webhook = %message.webhook, message = %id, status, attempts = message.attempts, "webhooks.message sent");
    let tx = app.db.tenant(tenant).await?;
    if status.is_some_and(|status| (200..300).contains(&status)) {
        tx.finish(store::delivered(&tx, &message, status)).await?;
        return Ok(Told::Delivered);
    }
    // 410 is the endpoint's own word that it wants no more.
    let gone = status == Some(410);
    tx.finish(store::failed(&tx, &message, status, gone)).await?;
    Ok(Told::Failed)
}

/// The status of the answer; `None` when there was none, for whatever reason.
async fn send(app: &App, tenant: TenantId, message: &Message) -> Result<Option<i32>> {
    let place = Place { tenant, purpose: PURPOSE, row: message.webhook };
    let secret = open_secret(&app.masters, &place, &message.secret)?;
    let body = serde_json::to_vec(&message.payload).map_err(Error::internal)?;
    let (id, now) = (format!("msg_{}", message.id.simple()), app.clock.now().as_second());
    let headers = vec![
        ("webhook-signature", sign::signature(&secret, &id, now, &body)),
        ("webhook-id", id),
        ("webhook-timestamp", now.to_string()),
    ];
    let Ok(url) = Url::parse(&message.url) else { return Ok(None) };
    match app.llm.transport.notify(Notice { url, headers, body }).await {
        Ok(status) => Ok(Some(i32::from(status))),
        Err(error) => {
            tracing::info!(webhook = %message.webhook, code = error.code(), "webhooks.message not sent");
            Ok(None)
        }
    }
}

struct NewWebhook<'a> {
    id: Uuid,
    url: &'a str,
    events: &'a [String],
    secret: &'a [u8],
}

/// Makes an endpoint; its secret is shown once.
async fn create(app: &App, tx: &TenantTx, new: NewWebhook<'_>) -> Result<Webhook> {
    let NewWebhook { id, url, events, secret } = new;
    check_url(app, url)?;
    check_events(events)?;
    let place = Place { tenant: tx.tenant(), purpose: PURPOSE, row: id };
    let blob = seal_secret(&app.masters, &place, secret, &app.clock)?;
    if !store::insert(tx, id, url, &events.to_vec(), &blob).await? {
        return Err(Error::new(Kind::Conflict, format!("A tenant keeps at most {MOST_WEBHOOKS} webhooks."))
            .hint("Delete one that is not used."));
    }
    store::find(tx, id).await?.ok_or_else(|| Error::internal("a new webhook is not there"))
}

async fn change(app: &App, tx: &TenantTx, id: Uuid, change: &Change) -> Result<Webhook> {
    if let Some(url) = &change.url {
        check_url(app, url)?;
    }
    if let Some(events) = &change.events {
        check_events(events)?;
    }
    match store::update(tx, id, change).await? {
        true => store::find(tx, id).await?.ok_or_else(|| Error::not_found("webhook")),
        false => Err(Error::not_found("webhook")),
    }
}

/// What the sweep does for a tenant: old messages go, and secrets come under the current master key.
pub async fn tidy(app: &App, tenant: TenantId) -> Result<()> {
    let tx = app.db.tenant(tenant).await?;
    store::forget(&tx).await?;
    for (id, blob) in store::secrets(&tx).await? {
        let place = Place { tenant, purpose: PURPOSE, row: id };
        if let Some(rewrapped) = rewrap_secret(&app.masters, &place, &blob, &app.clock)? {
            store::rewrap(&tx, id, &blob, &rewrapped).await?;
        }
    }
    tx.commit().await
}

/// The walls of every address that a tenant names; the transport asks them again at every connection.
fn check_url(app: &App, url: &str) -> Result<()> {
    let wrong = || {
        Error::invalid("`url` is not an address that can be called from here.")
            .hint("Use https, a public host, port 443, and neither user name nor fragment.")
    };
    let url = Url::parse(url).map_err(|cause| wrong().because(cause))?;
    address::check(&url, app.limits.loopback_providers).map_err(|cause| wrong().because(cause))
}

fn check_events(events: &[String]) -> Result<()> {
    let known = !events.is_empty() && events.iter().all(|event| EVENTS.contains(&event.as_str()));
    match known && events.len() <= EVENTS.len() {
        true => Ok(()),
        false => Err(Error::invalid(format!("`events` names some of {}.", EVENTS.join(", ")))),
    }
}
