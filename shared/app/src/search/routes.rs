//! `POST /api/search`: retrieval without an answer.

use std::time::Instant;

use axum::extract::{FromRef, State};
use docent_llm::Endpoint;
use futures_util::future::join4;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Asked, DEFAULT_LIMIT, Filter, Hit, MOST, MOST_NAMED, MOST_NEIGHBOURS, Nearest, Query, Rerank, condition};
use crate::App;
use crate::auth::{Credential, Read, Scope, TenantId};
use crate::embedder::Embedder;
use crate::error::{Error, Kind, Result};
use crate::http::{Json, Router, post};
use crate::usage::{self, Spender};
use crate::{bots, documents, keys, telemetry};

/// A question longer than this is a document; the embedding models would cut it off anyway.
pub const LONGEST_QUERY: usize = 8_000;

pub fn router<S>() -> Router<S>
where
    App: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new().route("/api/search", post(search))
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SearchWire {
    #[schemars(length(min = 1, max = LONGEST_QUERY))]
    query: String,
    bot: Option<Uuid>,
    #[schemars(range(min = 1, max = MOST))]
    limit: Option<i32>,
    #[serde(default)]
    filter: FilterWire,
    /// Passages before and after each hit.
    #[serde(default)]
    #[schemars(range(min = 0, max = MOST_NEIGHBOURS))]
    neighbours: i32,
    rerank: Option<RerankWire>,
    #[serde(default)]
    explain: bool,
    /// Ranks by the model that a migration leads to, or came from, instead of the one that readers use.
    #[serde(default)]
    shadow: bool,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FilterWire {
    collections: Option<Vec<Uuid>>,
    documents: Option<Vec<Uuid>>,
    metadata: Option<Value>,
    created_after: Option<Timestamp>,
    created_before: Option<Timestamp>,
}

/// The tenant's own account at a provider, and one of its rerankers.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RerankWire {
    provider: String,
    model: String,
}

#[derive(Serialize, JsonSchema)]
struct HitsWire {
    hits: Vec<HitWire>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explain: Option<ExplainWire>,
}

#[derive(Serialize, JsonSchema)]
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
    #[serde(skip_serializing_if = "Option::is_none")]
    rerank: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    before: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    after: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ranks: Option<RanksWire>,
}

/// The places, from 1, that each leg gave a hit; none where it was not among its best.
#[derive(Serialize, JsonSchema)]
struct RanksWire {
    bm25: Option<i64>,
    cosine: Option<i64>,
}

/// How the answer came about.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ExplainWire {
    /// The question's words as the index knows them.
    terms: Vec<String>,
    model: String,
    collections: Vec<Uuid>,
    /// The condition on metadata as Postgres is asked.
    metadata: Option<String>,
    /// Whether the order is the reranker's, and what kept it from being.
    reranked: bool,
    rerank_error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vectors: Option<VectorsWire>,
    milliseconds: Laps,
}

/// How another store than Postgres was asked for what lies near; with an error, the words alone were searched.
#[derive(Serialize, JsonSchema)]
struct VectorsWire {
    store: &'static str,
    asks: u32,
    error: Option<&'static str>,
}

impl VectorsWire {
    fn new(nearest: &Nearest) -> VectorsWire {
        VectorsWire { store: "qdrant", asks: nearest.asks, error: nearest.error }
    }
}

#[derive(Default, Serialize, JsonSchema)]
struct Laps {
    embed: f64,
    search: f64,
    rerank: f64,
}

impl HitWire {
    fn new(hit: Hit, explain: bool) -> HitWire {
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
            rerank: hit.rerank,
            before: hit.before,
            after: hit.after,
            ranks: explain.then_some(RanksWire { bm25: hit.bm25_rank, cosine: hit.cosine_rank }),
        }
    }
}

impl SearchWire {
    /// Everything that can be judged without asking anybody.
    fn check(&self) -> Result<Filter> {
        let query = self.query.trim();
        if query.is_empty() || query.len() > LONGEST_QUERY {
            return Err(Error::invalid(format!("`query` holds 1 to {LONGEST_QUERY} bytes of text.")));
        }
        if !(1..=MOST).contains(&self.limit.unwrap_or(DEFAULT_LIMIT)) {
            return Err(Error::invalid(format!("`limit` is 1 to {MOST}.")));
        }
        if !(0..=MOST_NEIGHBOURS).contains(&self.neighbours) {
            return Err(Error::invalid(format!("`neighbours` is 0 to {MOST_NEIGHBOURS}.")));
        }
        let FilterWire { collections, documents, metadata, created_after, created_before } = &self.filter;
        for named in [collections, documents].into_iter().flatten() {
            if named.is_empty() || named.len() > MOST_NAMED {
                return Err(Error::invalid(format!("A filter names 1 to {MOST_NAMED} collections or documents.")));
            }
        }
        Ok(Filter {
            collections: collections.clone(),
            documents: documents.clone(),
            metadata: metadata.as_ref().map(condition).transpose()?,
            created_after: *created_after,
            created_before: *created_before,
        })
    }

    /// Only on the tenant's own account: nobody else pays for a second opinion.
    fn reranker(&self, app: &App, tenant: TenantId, keys: &[keys::Sealed]) -> Result<Option<Endpoint>> {
        let Some(RerankWire { provider, .. }) = &self.rerank else { return Ok(None) };
        let account = keys::account(app, tenant, provider, keys)?;
        if account.of_operator {
            return Err(Error::new(Kind::NotConfigured, "A reranker is asked with a key of your own.")
                .hint("Save one with PUT /api/keys/{provider}."));
        }
        Ok(Some(account.endpoint))
    }
}

async fn search(
    State(app): State<App>,
    credential: Credential<Read>,
    Json(asked): Json<SearchWire>,
) -> Result<Json<HitsWire>> {
    let filter = asked.check()?;
    let (text, limit) = (asked.query.trim(), asked.limit.unwrap_or(DEFAULT_LIMIT));
    let tenant = credential.tenant();
    let tx = app.db.tenant(tenant).await?;
    let verified = credential.verify(&tx, Scope::Read);
    let bot = bots::find(&tx, credential.bot(asked.bot)?, None);
    let together = join4(verified, bot, keys::all(&tx), usage::capped(&tx));
    let (caller, bot, keys, capped) = tx.finish(async { Ok(together.await) }).await?;
    let caller = caller?;
    let (mut bot, keys) = (bot?.ok_or_else(|| Error::not_found("bot"))?, keys?);
    telemetry::bot(bot.id);
    if asked.shadow {
        let tx = app.db.tenant(tenant).await?;
        bot.embedding_model = tx.finish(documents::migration::shadow(&tx, &bot.embedding_model)).await?;
    }
    let embedder = Embedder::resolve(&app, tenant, &bot.embedding_model, &keys)?;
    let reranker = asked.reranker(&app, tenant, &keys)?;

    let (mut laps, mut begun) = (Laps::default(), Instant::now());
    let plain = Asked::plain(text, &bot, &embedder, Spender::of(&caller));
    let (neighbours, reranked, capped) = (asked.neighbours, reranker.is_some(), capped?);
    let mut query = Query::new(&app, Asked { limit, filter, neighbours, reranked, capped, ..plain }).await?;
    laps.embed = lap(&mut begun);
    let mut hits = super::find(&app, tenant, &mut query).await?;
    laps.search = lap(&mut begun);
    let mut outcome = Ok(());
    if let (Some(endpoint), Some(RerankWire { model, .. })) = (&reranker, &asked.rerank) {
        let limit = usize::try_from(limit).unwrap_or_default();
        (hits, outcome) = Rerank { endpoint, model, query: text, limit }.order(&app, hits).await;
        laps.rerank = lap(&mut begun);
    }
    let explain = asked.explain.then(|| ExplainWire {
        reranked: reranked && outcome.is_ok(),
        rerank_error: outcome.err().map(|error| error.code()),
        terms: query.terms,
        model: query.model,
        collections: query.collections,
        metadata: query.filter.metadata,
        vectors: query.nearest.as_ref().map(VectorsWire::new),
        milliseconds: laps,
    });
    Ok(Json(HitsWire { hits: hits.into_iter().map(|hit| HitWire::new(hit, asked.explain)).collect(), explain }))
}

/// Milliseconds since the last call.
fn lap(begun: &mut Instant) -> f64 {
    let lap = begun.elapsed().as_secs_f64() * 1000.0;
    *begun = Instant::now();
    lap
}
