//! Hybrid retrieval: nearest vectors and BM25, fused by reciprocal rank, in one statement and one trip.

mod filter;
mod fusion;
mod nearest;
mod rerank;
pub mod routes;
mod similar;
mod store;

use futures_util::future::join;
use pgvector::Vector;
use uuid::Uuid;

pub use filter::{Filter, MOST_NAMED, condition};
pub use nearest::{FIRST, MOST_ASKS, Nearest, complete, find};
pub use rerank::{DEADLINE, Rerank};
pub use routes::router;

use crate::App;
use crate::bots::Bot;
use crate::db::TenantTx;
use crate::embedder::{Embedder, Inputs};
use crate::error::Result;
use crate::telemetry::{self, Part};
use crate::usage::{Bill, Spender};

/// How many chunks an answer is built from.
pub const DEFAULT_LIMIT: i32 = 8;

/// More would not fit a prompt and only slow the statement down.
pub const MOST: i32 = 50;

/// Chunks before and behind a hit that may come with it.
pub const MOST_NEIGHBOURS: i32 = 3;

/// The share of a question's BM25 weight (sum of idf) that one chunk must contain to count as an answer. Normalised,
/// unlike a bare BM25 score, so that one floor serves tenants of any size. Measured by `docent-bench questions`.
pub const COVERAGE_FLOOR: f64 = 0.34;

/// What an earlier question counts in one that leans on it.
const EARLIER_SHARE: f64 = 0.5;
/// What a word counts that names nothing, beside an earlier question that does.
const NAMELESS_WEIGHT: f64 = 0.1;

/// A question, ready for both legs.
pub struct Query {
    pub collections: Vec<Uuid>,
    pub terms: Vec<String>,
    /// What each of the terms counts, see [`docent_text::question`].
    pub weights: Vec<f64>,
    /// Absent where the model does not know the question's language.
    pub vector: Option<Vector>,
    pub model: String,
    pub dense_weight: f64,
    pub limit: i32,
    pub filter: Filter,
    pub neighbours: i32,
    /// A reranker will choose among all that a search may give.
    pub reranked: bool,
    /// Near duplicates give their places to others.
    pub distinct: bool,
    /// What lies near, where another store than Postgres was asked.
    pub nearest: Option<Nearest>,
    /// What embedding the question cost; [`hybrid`] books it.
    bill: Option<Bill>,
}

/// A question as it was asked.
pub struct Asked<'a> {
    pub text: &'a str,
    /// What was asked before, where this question leans on it.
    pub earlier: &'a str,
    pub bot: &'a Bot,
    pub embedder: &'a Embedder,
    pub limit: i32,
    pub filter: Filter,
    pub neighbours: i32,
    pub reranked: bool,
    pub by: Spender,
    /// Whether some cap may bind what embedding the question costs.
    pub capped: bool,
}

impl<'a> Asked<'a> {
    /// A question about all that the bot knows.
    pub fn plain(text: &'a str, bot: &'a Bot, embedder: &'a Embedder, by: Spender) -> Asked<'a> {
        let filter = Filter::default();
        let (earlier, limit) = ("", DEFAULT_LIMIT);
        Asked { text, earlier, bot, embedder, limit, filter, neighbours: 0, reranked: false, by, capped: false }
    }
}

/// What one search statement found.
#[derive(Debug, Default)]
pub struct Found {
    pub hits: Vec<Hit>,
    /// How many of another store's points readers may see; at most as many as the dense leg has.
    pub live: usize,
}

/// One chunk that was found, with the place it stands at and why it was found.
#[derive(Clone, Debug, Default)]
pub struct Hit {
    pub document: Uuid,
    pub revision: i32,
    pub ordinal: i32,
    pub text: String,
    pub page_first: Option<i32>,
    pub page_last: Option<i32>,
    /// Bytes of the extracted text.
    pub span: (i64, i64),
    pub heading_path: Vec<String>,
    pub filename: String,
    pub title: Option<String>,
    pub content_type: Option<String>,
    /// Reciprocal rank, fused: good for order, meaningless as a threshold.
    pub score: f64,
    pub bm25: Option<f64>,
    /// The share of the question's weight that stands in this chunk, 0 to 1.
    pub coverage: Option<f64>,
    pub cosine: Option<f64>,
    /// The places, from 1, that the legs gave it.
    pub bm25_rank: Option<i64>,
    pub cosine_rank: Option<i64>,
    /// What the reranker gave it, if one was asked.
    pub rerank: Option<f64>,
    /// What stands before and behind it, if neighbours were asked for.
    pub before: Vec<String>,
    pub after: Vec<String>,
}

impl Query {
    /// Makes both legs from a question; the vector comes from the collections' own model.
    pub async fn new(app: &App, asked: Asked<'_>) -> Result<Query> {
        let Asked { text, earlier, bot, embedder, limit, filter, neighbours, reranked, by, capped } = asked;
        let docent_text::Question { terms, weights, language } = leaning(text, earlier);
        let tenant = by.tenant;
        let dense_weight = fusion::dense_weight(embedder.name(), language);
        let (mut vectors, bill) = if dense_weight > 0.0 {
            let reserve = capped || embedder.spends_the_operators();
            let whole = if earlier.is_empty() { text.to_owned() } else { format!("{earlier}\n{text}") };
            embedder.embed_metered(app, by, reserve, Inputs::Question(whole)).await?
        } else {
            (Vec::new(), None)
        };
        let vector = vectors.pop().map(Vector::from);
        let mut collections = bot.collections.clone();
        if let Some(wanted) = &filter.collections {
            collections.retain(|collection| wanted.contains(collection));
        }
        let neighbours = neighbours.clamp(0, MOST_NEIGHBOURS);
        let prepared = Query::prepared(collections, terms, vector, embedder.name().to_owned(), limit);
        let query = Query { weights, dense_weight, filter, neighbours, reranked, distinct: true, bill, ..prepared };
        query.near(app, tenant).await
    }

    /// How many chunks to look at, so that enough are left when near duplicates go.
    fn candidates(&self) -> i32 {
        match (self.reranked, self.distinct) {
            (true, _) => similar::candidates(MOST),
            (false, true) => similar::candidates(self.limit),
            (false, false) => self.limit,
        }
    }

    /// Of a question whose terms and vector are there already, and cost nothing: both legs and all terms count the same.
    pub fn prepared(
        collections: Vec<Uuid>,
        terms: Vec<String>,
        vector: Option<Vector>,
        model: String,
        limit: i32,
    ) -> Query {
        Query {
            weights: vec![1.0; terms.len()],
            collections,
            terms,
            vector,
            model,
            dense_weight: 1.0,
            limit: limit.clamp(1, MOST),
            filter: Filter::default(),
            neighbours: 0,
            reranked: false,
            distinct: false,
            nearest: None,
            bill: None,
        }
    }
}

/// The best chunks of the live revisions, best first, without near duplicates unless they are wanted: `limit` of them, or
/// all candidates of a reranker. One statement, so it can share its trip; [`complete`] comes behind it.
pub async fn hybrid(tx: &TenantTx, query: &Query) -> Result<Found> {
    let _searching = telemetry::step(Part::Search);
    let found = match &query.bill {
        None => store::hybrid(tx, query).await,
        Some(bill) => {
            let (found, booked) = join(store::hybrid(tx, query), bill.book(tx)).await;
            booked.and(found)
        }
    };
    let most = if query.reranked { MOST } else { query.limit };
    let Found { mut hits, live } = found?;
    if query.distinct {
        hits = similar::distinct(hits, usize::try_from(most).unwrap_or_default());
    }
    Ok(Found { hits, live })
}

/// A question's terms, and behind them those of what it leans on. These count half of what the question itself names, all
/// of them together: they tell two passages apart, and clear [`COVERAGE_FLOOR`] by themselves only for a question that
/// names nothing ("Why?").
fn leaning(text: &str, earlier: &str) -> docent_text::Question {
    let mut asked = docent_text::question(text);
    let before = docent_text::question(earlier);
    let both = before.terms.into_iter().zip(before.weights);
    let new: Vec<String> =
        both.filter(|(term, weight)| *weight >= 1.0 && !asked.terms.contains(term)).map(|(term, _)| term).collect();
    if new.is_empty() {
        return asked;
    }
    let named = docent_text::telling(text) as f64;
    let each = if named > 0.0 { EARLIER_SHARE * named / new.len() as f64 } else { 1.0 };
    if named == 0.0 {
        asked.weights.iter_mut().for_each(|weight| *weight = NAMELESS_WEIGHT);
    }
    asked.weights.extend(new.iter().map(|_| each.min(1.0)));
    asked.terms.extend(new);
    asked
}

/// Whether anything that was found answers the question at all.
pub fn relevant(hits: &[Hit], cosine_floor: Option<f64>) -> bool {
    hits.iter().any(|hit| {
        let lexical = hit.coverage.is_some_and(|coverage| coverage >= COVERAGE_FLOOR);
        let dense = matches!((hit.cosine, cosine_floor), (Some(cosine), Some(floor)) if cosine >= floor);
        lexical || dense
    })
}
