//! A second opinion on the order: the tenant's own reranker reads the question beside each passage. Whatever goes wrong
//! there, the fused order stands.

use std::time::Duration;

use docent_llm::{Endpoint, RerankRequest};
use tokio::time::timeout;

use super::Hit;
use crate::App;
use crate::error::{Error, Kind, Result};
use crate::telemetry::{self, Part};

/// A reranker that has said nothing by then is not waited for.
pub const DEADLINE: Duration = Duration::from_secs(3);

/// Who is asked, and what about.
pub struct Rerank<'r> {
    pub endpoint: &'r Endpoint,
    pub model: &'r str,
    pub query: &'r str,
    pub limit: usize,
}

impl Rerank<'_> {
    /// The best `limit` hits in the reranker's order; in the fused order, and why, where it gave none.
    pub async fn order(&self, app: &App, mut hits: Vec<Hit>) -> (Vec<Hit>, Result<()>) {
        let passages: Vec<String> = hits.iter().map(passage).collect();
        let Rerank { endpoint, model, query, limit } = *self;
        let request = RerankRequest { model, query, passages: &passages, top: limit.min(passages.len()) };
        let mut step = telemetry::step(Part::Rerank);
        let ranked = match timeout(DEADLINE, step.call(app.llm.transport.rerank(endpoint, &request))).await {
            Ok(ranked) => ranked.map_err(Error::from),
            Err(_) => Err(Error::new(Kind::Provider("provider_timeout"), "The reranker did not answer in time.")),
        };
        drop(step);
        let outcome = match ranked {
            Ok(ranked) => {
                let mut left: Vec<Option<Hit>> = hits.into_iter().map(Some).collect();
                let mut ordered: Vec<Hit> = Vec::with_capacity(limit);
                for one in ranked {
                    ordered.extend(
                        left.get_mut(one.index)
                            .and_then(Option::take)
                            .map(|hit| Hit { rerank: Some(one.score), ..hit }),
                    );
                }
                // A reranker may leave some out; what it did not judge comes behind what it did.
                ordered.extend(left.into_iter().flatten());
                hits = ordered;
                Ok(())
            }
            Err(error) => Err(error),
        };
        hits.truncate(limit);
        (hits, outcome)
    }
}

/// What the reranker reads: the passage under its headings, as an embedding model would.
fn passage(hit: &Hit) -> String {
    docent_text::embed_input(hit.title.as_deref(), &hit.heading_path, &hit.text)
}
