//! `POST /api/search`: retrieval without an answer.

use axum::Router;
use axum::extract::{FromRef, State};
use axum::routing::post;
use futures_util::future::join4;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Asked, DEFAULT_LIMIT, Hit, MOST, Query};
use crate::App;
use crate::auth::{Credential, Scope};
use crate::embedder::Embedder;
use crate::error::{Error, Result};
use crate::http::Json;
use crate::usage::{self, Spender};
use crate::{bots, keys};

/// A question longer than this is a document; the embedding models would cut it off anyway.
pub const LONGEST_QUERY: usize = 8_000;

pub fn router<S>() -> Router<S>
where
    App: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new().route("/api/search", post(search))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SearchWire {
    query: String,
    bot: Option<Uuid>,
    limit: Option<i32>,
}

#[derive(Serialize)]
struct HitsWire {
    hits: Vec<HitWire>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HitWire {
    document_id: Uuid,
    revision: i32,
    ordinal: i32,
    filename: String,
    title: Option<String>,
    page: Option<i32>,
    page_last: Option<i32>,
    heading_path: Vec<String>,
    span: [i64; 2],
    quote: String,
    score: f64,
    bm25: Option<f64>,
    coverage: Option<f64>,
    cosine: Option<f64>,
}

impl From<Hit> for HitWire {
    fn from(hit: Hit) -> HitWire {
        HitWire {
            document_id: hit.document,
            revision: hit.revision,
            ordinal: hit.ordinal,
            filename: hit.filename,
            title: hit.title,
            page: hit.page_first,
            page_last: hit.page_last,
            heading_path: hit.heading_path,
            span: [hit.span.0, hit.span.1],
            quote: hit.text,
            score: hit.score,
            bm25: hit.bm25,
            coverage: hit.coverage,
            cosine: hit.cosine,
        }
    }
}

async fn search(
    State(app): State<App>,
    credential: Credential,
    Json(asked): Json<SearchWire>,
) -> Result<Json<HitsWire>> {
    let query = asked.query.trim();
    if query.is_empty() || query.len() > LONGEST_QUERY {
        return Err(Error::invalid(format!("`query` holds 1 to {LONGEST_QUERY} bytes of text.")));
    }
    let limit = asked.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MOST).contains(&limit) {
        return Err(Error::invalid(format!("`limit` is 1 to {MOST}.")));
    }
    let tenant = credential.tenant();
    let tx = app.db.tenant(tenant).await?;
    let verified = credential.verify(&tx, Scope::Read);
    let bot = bots::find(&tx, credential.bot(asked.bot)?);
    let together = join4(verified, bot, keys::all(&tx), usage::capped(&tx));
    let (caller, bot, keys, capped) = tx.finish(async { Ok(together.await) }).await?;
    let caller = caller?;
    let bot = bot?.ok_or_else(|| Error::not_found("bot"))?;
    let embedder = Embedder::resolve(&app, tenant, &bot.embedding_model, &keys?)?;
    let by = Spender::of(&caller);
    let asked = Asked { text: query, bot: &bot, embedder: &embedder, limit, by, capped: capped? };
    let query = Query::new(&app, asked).await?;
    let tx = app.db.tenant(tenant).await?;
    let hits = tx.finish(super::hybrid(&tx, &query)).await?;
    Ok(Json(HitsWire { hits: hits.into_iter().map(HitWire::from).collect() }))
}
