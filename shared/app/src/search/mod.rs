//! Hybrid retrieval: exact vectors and BM25, fused by reciprocal rank, in one statement and one trip.

pub mod routes;
mod store;

use pgvector::Vector;
use uuid::Uuid;

pub use routes::router;

use crate::bots::Bot;
use crate::db::TenantTx;
use crate::embedder::Embedder;
use crate::error::Result;

/// How many chunks an answer is built from.
pub const DEFAULT_LIMIT: i32 = 8;

/// More would not fit a prompt and only slow the statement down.
pub const MOST: i32 = 50;

/// The share of a question's BM25 weight (sum of idf) that one chunk must contain to count as an answer. Normalised,
/// unlike a bare BM25 score, so that one floor serves tenants of any size. Measured by `docent-bench questions`.
pub const COVERAGE_FLOOR: f64 = 0.34;

/// A question, ready for both legs.
pub struct Query {
    pub collections: Vec<Uuid>,
    pub terms: Vec<String>,
    pub vector: Option<Vector>,
    pub model: String,
    pub limit: i32,
}

/// One chunk that was found, with the place it stands at and why it was found.
#[derive(Clone, Debug)]
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
}

impl Query {
    /// Makes both legs from a question; the vector comes from the collections' own model.
    pub async fn new(question: &str, bot: &Bot, embedder: &Embedder, limit: i32) -> Result<Query> {
        let mut terms = docent_text::terms(question);
        terms.sort_unstable();
        terms.dedup();
        let vector = embedder.embed(vec![question.to_owned()]).await?.pop().map(Vector::from);
        let collections = bot.collections.clone();
        Ok(Query { collections, terms, vector, model: embedder.name().to_owned(), limit: limit.clamp(1, MOST) })
    }
}

/// The best `limit` chunks of the live revisions, best first. One statement, so it can share its trip.
pub async fn hybrid(tx: &TenantTx, query: &Query) -> Result<Vec<Hit>> {
    store::hybrid(tx, query).await
}

/// Whether anything that was found answers the question at all.
pub fn relevant(hits: &[Hit], cosine_floor: Option<f64>) -> bool {
    hits.iter().any(|hit| {
        let lexical = hit.coverage.is_some_and(|coverage| coverage >= COVERAGE_FLOOR);
        let dense = matches!((hit.cosine, cosine_floor), (Some(cosine), Some(floor)) if cosine >= floor);
        lexical || dense
    })
}
