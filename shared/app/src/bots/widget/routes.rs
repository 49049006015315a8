//! `/api/widget/{bot}`: what a page needs before anybody has asked anything.

use axum::extract::{FromRef, State};
use axum::response::IntoResponse;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Shown, Widget};
use crate::App;
use crate::auth::Page;
use crate::bots::{Record, store};
use crate::error::{Error, Result};
use crate::http::answers::{NotModified, OneOf};
use crate::http::list::unchanged;
use crate::http::{Json, Path, Router, get};

pub fn router<S>() -> Router<S>
where
    App: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new().route("/api/widget/{id}", get(show_widget))
}

/// For a minute a browser asks nobody; afterwards it asks whether anything changed.
const CACHE: &str = "private, max-age=60";
/// Two pages of one browser may stand for two bots.
const VARY: &str = "authorization";

/// What the token's bot is called where a page does not know its id.
const DEFAULT: &str = "default";

/// Everybody may see it: nothing of how the bot works, and nothing of its tenant.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PublicBotWire {
    bot: Uuid,
    name: String,
    language: String,
    greeting: String,
    suggestions: Vec<String>,
    widget: Widget,
}

impl From<Record> for PublicBotWire {
    fn from(record: Record) -> PublicBotWire {
        let Shown { greeting, suggestions, widget } = record.shown;
        let (bot, name, language) = (record.bot.id, record.bot.name, record.bot.manner.language);
        PublicBotWire { bot, name, language, greeting, suggestions, widget }
    }
}

/// A page sees the bot that its token's visitors talk to, by its id or as `default`, and no other.
async fn show_widget(
    State(app): State<App>,
    page: Page,
    Path(asked): Path<String>,
    headers: HeaderMap,
) -> Result<OneOf<(Json<PublicBotWire>, NotModified)>> {
    let tx = app.db.tenant(page.tenant).await?;
    let record = tx.finish(store::find(&tx, page.bot, None)).await?;
    let named = |record: &Record| asked == DEFAULT || asked.parse() == Ok(record.bot.id);
    let record = record.filter(named).ok_or_else(|| Error::not_found("bot"))?;
    let wire = PublicBotWire::from(record);
    let bytes = serde_json::to_vec(&wire).map_err(Error::internal)?;
    let digest: String = Sha256::digest(&bytes).iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    let etag = format!("\"{digest}\"");
    let mut response = match unchanged(&headers, &etag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => Json(wire).into_response(),
    };
    response.headers_mut().insert(header::ETAG, HeaderValue::from_str(&etag).map_err(Error::internal)?);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHE));
    response.headers_mut().insert(header::VARY, HeaderValue::from_static(VARY));
    Ok(response.into())
}
