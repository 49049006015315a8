//! `/api/bots`: make, list, change and delete bots.

use axum::extract::{FromRef, State};
use http::StatusCode;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::fields::Change;
use super::widget::{self, Shown, Widget};
use super::{Bot, Manner, Record, store};
use crate::App;
use crate::auth::{May, Read, Write};
use crate::error::{Error, Result};
use crate::http::{Create, Created, Json, Path, Router, get, small_bodies};
use crate::limits::idempotency;

pub fn router<S>() -> Router<S>
where
    App: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/api/bots", get(list_bots).post(create_bot))
        .route("/api/bots/{id}", get(show_bot).patch(change_bot).delete(delete_bot))
        .merge(widget::routes::router())
        .layer(small_bodies())
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct BotWire {
    id: Uuid,
    name: String,
    instructions: String,
    provider: String,
    model: String,
    refusal: String,
    collections: Vec<Uuid>,
    embedding_model: String,
    fallback_provider: String,
    fallback_model: String,
    resumable: bool,
    tone: String,
    language: String,
    history_length: i32,
    temperature: Option<f64>,
    greeting: String,
    suggestions: Vec<String>,
    widget: Widget,
    is_default: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Serialize, JsonSchema)]
struct BotsWire {
    bots: Vec<BotWire>,
}

impl From<Record> for BotWire {
    fn from(record: Record) -> BotWire {
        let Record { bot, shown, is_default, created_at, updated_at } = record;
        let Bot { id, name, instructions, provider, model, refusal, collections, embedding_model, manner, .. } = bot;
        let Bot { fallback_provider, fallback_model, resumable, .. } = bot;
        let Manner { tone, language, history_length, temperature } = manner;
        let Shown { greeting, suggestions, widget } = shown;
        BotWire {
            id,
            name,
            instructions,
            provider,
            model,
            refusal,
            collections,
            embedding_model,
            fallback_provider,
            fallback_model,
            resumable,
            tone,
            language,
            history_length,
            temperature,
            greeting,
            suggestions,
            widget,
            is_default,
            created_at,
            updated_at,
        }
    }
}

async fn list_bots(State(app): State<App>, caller: May<Read>) -> Result<Json<BotsWire>> {
    let tx = app.db.tenant(caller.tenant).await?;
    let bots = tx.finish(store::all(&tx)).await?;
    Ok(Json(BotsWire { bots: bots.into_iter().map(BotWire::from).collect() }))
}

async fn show_bot(State(app): State<App>, caller: May<Read>, Path(id): Path<Uuid>) -> Result<Json<BotWire>> {
    let tx = app.db.tenant(caller.tenant).await?;
    let record = tx.finish(store::find(&tx, Some(id), None)).await?;
    Ok(Json(record.ok_or_else(|| Error::not_found("bot"))?.into()))
}

// A refusal comes before anything was written, so each of these may commit whatever the outcome: the connection
// stays usable, where dropping the transaction would close it.

async fn create_bot(
    State(app): State<App>,
    caller: May<Write>,
    Create { new, attempt }: Create<Change>,
) -> Result<Created<BotWire>> {
    let tx = app.db.tenant(caller.tenant).await?;
    let create = async { Ok(BotWire::from(super::create(&tx, new, &app.clock).await?)) };
    Ok(Created(idempotency::once(&tx, attempt.as_ref(), create).await?))
}

async fn change_bot(
    State(app): State<App>,
    caller: May<Write>,
    Path(id): Path<Uuid>,
    Json(change): Json<Change>,
) -> Result<Json<BotWire>> {
    let tx = app.db.tenant(caller.tenant).await?;
    let changed = super::change(&tx, id, change).await;
    tx.commit().await?;
    Ok(Json(changed?.into()))
}

async fn delete_bot(State(app): State<App>, caller: May<Write>, Path(id): Path<Uuid>) -> Result<StatusCode> {
    let tx = app.db.tenant(caller.tenant).await?;
    let deleted = super::delete(&tx, id).await;
    tx.commit().await?;
    deleted.map(|()| StatusCode::NO_CONTENT)
}
