//! `/api/webhooks`: make, list, change and delete endpoints. A secret is shown when it is made and never again.

use axum::extract::{FromRef, State};
use http::StatusCode;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Change, EVENTS, NewWebhook, Webhook, sign, store};
use crate::App;
use crate::auth::{Admin, May};
use crate::error::{Error, Result};
use crate::http::{Create, Created, Json, Path, Router, get, small_bodies};
use crate::limits::idempotency;

pub fn router<S>() -> Router<S>
where
    App: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/api/webhooks", get(list_webhooks).post(create_webhook))
        .route("/api/webhooks/{id}", get(find_webhook).patch(change_webhook).delete(delete_webhook))
        .layer(small_bodies())
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewWebhookWire {
    url: String,
    /// All of them, unless some are named.
    events: Option<Vec<String>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "WebhookChange")]
struct ChangeWire {
    url: Option<String>,
    events: Option<Vec<String>>,
    enabled: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
struct WebhooksWire {
    webhooks: Vec<WebhookWire>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct WebhookWire {
    id: Uuid,
    url: String,
    events: Vec<String>,
    enabled: bool,
    disabled_reason: Option<String>,
    disabled_at: Option<Timestamp>,
    failing_since: Option<Timestamp>,
    /// Only in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<Webhook> for WebhookWire {
    fn from(webhook: Webhook) -> WebhookWire {
        WebhookWire {
            id: webhook.id,
            url: webhook.url,
            events: webhook.events,
            enabled: webhook.disabled_at.is_none(),
            disabled_reason: webhook.disabled_reason,
            disabled_at: webhook.disabled_at,
            failing_since: webhook.failing_since,
            secret: None,
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
        }
    }
}

async fn list_webhooks(State(app): State<App>, caller: May<Admin>) -> Result<Json<WebhooksWire>> {
    let tx = app.db.tenant(caller.tenant).await?;
    let webhooks = tx.finish(store::all(&tx)).await?;
    Ok(Json(WebhooksWire { webhooks: webhooks.into_iter().map(WebhookWire::from).collect() }))
}

async fn create_webhook(
    State(app): State<App>,
    caller: May<Admin>,
    Create { new, attempt }: Create<NewWebhookWire>,
) -> Result<Created<WebhookWire>> {
    let events = new.events.unwrap_or_else(|| EVENTS.map(str::to_owned).to_vec());
    let (id, secret) = (app.clock.uuid(), zeroize::Zeroizing::new(sign::secret(&app.clock)));
    let tx = app.db.tenant(caller.tenant).await?;
    // What is kept for a retry is the row without the secret, which is shown once.
    let made = async {
        let new = NewWebhook { id, url: &new.url, events: &events, secret: secret.as_slice() };
        let webhook = super::create(&app, &tx, new).await?;
        Ok(WebhookWire::from(webhook))
    };
    let once = idempotency::once(&tx, attempt.as_ref(), made).await?;
    Ok(Created(once.map(|wire| WebhookWire { secret: Some(sign::shown(secret.as_slice())), ..wire })))
}

async fn find_webhook(State(app): State<App>, caller: May<Admin>, Path(id): Path<Uuid>) -> Result<Json<WebhookWire>> {
    let tx = app.db.tenant(caller.tenant).await?;
    let webhook = tx.finish(store::find(&tx, id)).await?.ok_or_else(|| Error::not_found("webhook"))?;
    Ok(Json(webhook.into()))
}

async fn change_webhook(
    State(app): State<App>,
    caller: May<Admin>,
    Path(id): Path<Uuid>,
    Json(wire): Json<ChangeWire>,
) -> Result<Json<WebhookWire>> {
    let change = Change { url: wire.url, events: wire.events, enabled: wire.enabled };
    let tx = app.db.tenant(caller.tenant).await?;
    let changed = super::change(&app, &tx, id, &change).await;
    tx.commit().await?;
    Ok(Json(changed?.into()))
}

async fn delete_webhook(State(app): State<App>, caller: May<Admin>, Path(id): Path<Uuid>) -> Result<StatusCode> {
    let tx = app.db.tenant(caller.tenant).await?;
    match tx.finish(store::delete(&tx, id)).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Error::not_found("webhook")),
    }
}
