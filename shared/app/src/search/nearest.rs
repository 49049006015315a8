//! The dense leg where another store than Postgres has the vectors. Postgres says which documents count, the store which
//! of their chunks lie near, and the search statement reads those of them that readers may see.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{Found, Hit, Query, hybrid, store};
use crate::App;
use crate::db::TenantId;
use crate::error::Result;
use crate::telemetry::{self, Part};
use crate::vectors::{Ask, Failure, Near, Set};

/// Chunks of the dense leg, as in `hybrid.sql`.
const LEG: usize = 50;
/// Points that are asked for first: until the next sweep, what was replaced lies right beside what replaced it.
pub const FIRST: usize = 2 * LEG;
/// How many times as many are asked for when too few of them were live.
const WIDER: usize = 4;
/// How often the store is asked at most for one search: 100, 400 and 1,600 points.
pub const MOST_ASKS: u32 = 3;

/// What is searched.
#[derive(Clone, Debug)]
pub struct Scope {
    pub chunks: usize,
    /// Absent where all of the library is meant, or too much of it to be named: the search statement leaves out the rest.
    pub documents: Option<Vec<Uuid>>,
}

/// What the store said so far.
#[derive(Debug)]
pub struct Nearest {
    pub points: Vec<Near>,
    /// How often it was asked.
    pub asks: u32,
    /// Why it gave no answer.
    pub error: Option<&'static str>,
    scope: Scope,
    /// How many points were asked for last.
    limit: usize,
    /// It gave as many, and may have more.
    full: bool,
}

impl Query {
    /// Asks for what lies near, unless Postgres does that in the search statement. A store that gives no answer in time
    /// leaves the words.
    pub async fn near(mut self, app: &App, tenant: TenantId) -> Result<Query> {
        if app.vectors.qdrant().is_some() && self.vector.is_some() {
            let tx = app.db.tenant(tenant).await?;
            let scope = tx.finish(store::scope(&tx, &self)).await?;
            let (points, limit) = (Vec::new(), FIRST);
            self.nearest = Some(Nearest { points, asks: 0, error: None, scope, limit, full: false });
            self.ask(app, tenant).await;
        }
        Ok(self)
    }

    async fn ask(&mut self, app: &App, tenant: TenantId) {
        let (Some(qdrant), Some(vector), Some(nearest)) = (app.vectors.qdrant(), &self.vector, &mut self.nearest)
        else {
            return;
        };
        if nearest.scope.chunks == 0 {
            return;
        }
        let set = Set::new(&self.model, vector.as_slice().len());
        let documents = nearest.scope.documents.as_deref();
        let (tenant, limit) = (tenant.uuid(), nearest.limit);
        nearest.asks += 1;
        let ask = Ask { tenant, set: &set, vector: vector.as_slice(), documents, limit };
        match telemetry::step(Part::Vectors).call(qdrant.near(&ask)).await {
            Ok(points) => {
                nearest.full = points.len() >= limit;
                nearest.points = points;
                // While shards move, a point may stand in two of them.
                let mut seen = BTreeSet::new();
                nearest.points.retain(|near| seen.insert(near.place));
            }
            Err(cause) => {
                let hint =
                    if matches!(cause, Failure::Refused(404)) { "; run `docent reindex --to qdrant`" } else { "" };
                tracing::warn!(%cause, "search.vectors gave no answer; the words alone are searched{hint}");
                nearest.error = Some(cause.code());
            }
        }
    }

    /// Whether the store is to be asked for more: it has more, and too few of what it gave were live.
    fn short(&self, live: usize) -> bool {
        self.nearest.as_ref().is_some_and(|nearest| {
            let enough = LEG.min(nearest.scope.chunks);
            let may_ask = self.vector.is_some() && nearest.error.is_none() && nearest.asks < MOST_ASKS;
            may_ask && nearest.full && live < enough
        })
    }
}

/// One search in a trip of its own.
pub async fn find(app: &App, tenant: TenantId, query: &mut Query) -> Result<Vec<Hit>> {
    let found = again(app, tenant, query).await?;
    Ok(complete(app, tenant, query, found).await)
}

/// The hits of a search, after the store of vectors was asked for more as often as that is needed and sensible. What was
/// found stays found, whatever goes wrong here.
pub async fn complete(app: &App, tenant: TenantId, query: &mut Query, mut found: Found) -> Vec<Hit> {
    // Booked with the first statement.
    query.bill = None;
    while query.short(found.live) {
        let Some(nearest) = &mut query.nearest else { break };
        nearest.limit *= WIDER;
        let (asks, live) = (nearest.asks, found.live);
        tracing::info!(
            tenant = crate::telemetry::hashed(tenant.uuid()),
            asks,
            live,
            "search.vectors is asked for more: too few were live"
        );
        query.ask(app, tenant).await;
        if query.nearest.as_ref().is_some_and(|nearest| nearest.error.is_some()) {
            break;
        }
        match again(app, tenant, query).await {
            Ok(more) => found = more,
            Err(cause) => {
                tracing::warn!(?cause, "search.vectors found more, which could not be read");
                break;
            }
        }
    }
    found.hits
}

async fn again(app: &App, tenant: TenantId, query: &Query) -> Result<Found> {
    let tx = app.db.tenant(tenant).await?;
    tx.finish(hybrid(&tx, query)).await
}
