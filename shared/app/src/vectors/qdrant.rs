//! Qdrant's HTTP API (<https://api.qdrant.tech>), as far as it is needed: points of many tenants in one collection for
//! each model and width (<https://qdrant.tech/documentation/manage-data/multitenancy/>).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use docent_llm::{Answer, Ask as Request, Inside, Verb};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::point::PREFIX;
use super::{Ask, Failure, Gone, Near, Place, Point, Set};
use crate::config;

/// Longer than this no question waits for its neighbours: the words have found theirs.
pub const DEADLINE: Duration = Duration::from_secs(1);
/// For one request that writes, which returns when all of it can be found.
pub const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// Numbers of one request that writes: some 13 MB of JSON; Qdrant takes 32 MB unless it is told otherwise.
const NUMBERS_AT_ONCE: usize = 1 << 20;
/// Documents, or revisions, whose points one request takes away.
const GONE_AT_ONCE: usize = 1_000;
/// Documents that one question may name, 40 bytes each.
pub const MOST_DOCUMENTS: usize = 2_000;
/// Points that are read at once to see whether anybody still has them.
const PAGE: usize = 1_000;
/// Bytes that are read of an answer; a point takes some 200.
const LARGEST: usize = 4 * 1024 * 1024;
/// What is looked at before the nearest are given, as in Postgres (migrations/0012_dense.sql).
const SEARCHED: usize = 200;
/// Links of a point in its tenant's own graph. There is none across tenants: nobody asks across them.
const LINKS: usize = 16;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Qdrant {
    server: Inside,
    /// Collections that are known to be there with all their indexes.
    ready: Arc<Mutex<BTreeSet<String>>>,
}

#[derive(Deserialize)]
struct Reply<T> {
    result: T,
}

#[derive(Serialize)]
struct Points<'a> {
    points: Vec<Wire<'a>>,
}

#[derive(Serialize)]
struct Wire<'a> {
    id: Uuid,
    vector: &'a [f32],
    payload: Payload,
}

#[derive(Serialize)]
struct Payload {
    tenant: Uuid,
    build: String,
    #[serde(flatten)]
    place: PlaceWire,
}

/// No collection of documents: one that moves keeps its vectors, and would not be found any more.
#[derive(Clone, Copy, Deserialize, Serialize)]
struct PlaceWire {
    document: Uuid,
    revision: i32,
    ordinal: i32,
}

#[derive(Serialize)]
struct QueryWire<'a> {
    query: &'a [f32],
    filter: Value,
    limit: usize,
    params: Value,
    with_payload: [&'static str; 3],
}

#[derive(Deserialize)]
struct Scored {
    points: Vec<ScoredWire>,
}

#[derive(Deserialize)]
struct ScoredWire {
    score: f64,
    payload: PlaceWire,
}

#[derive(Deserialize)]
struct Updated {
    status: String,
}

#[derive(Deserialize)]
struct Exists {
    exists: bool,
}

#[derive(Deserialize)]
struct Collections {
    collections: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Stored {
    id: Uuid,
}

#[derive(Deserialize)]
struct Scrolled {
    points: Vec<ScrolledWire>,
    next_page_offset: Option<Uuid>,
}

#[derive(Deserialize)]
struct ScrolledWire {
    id: Uuid,
    payload: PlaceWire,
}

/// Points by their ids, in the order of these.
pub struct Page {
    pub points: Vec<(Uuid, Place)>,
    pub next: Option<Uuid>,
}

impl Qdrant {
    pub fn new(config: config::Qdrant) -> Qdrant {
        Qdrant { server: Inside::new(config.url, config.key.map(|key| ("api-key", key))), ready: Arc::default() }
    }

    /// The nearest points, nearest first.
    pub async fn near(&self, ask: &Ask<'_>) -> Result<Vec<Near>, Failure> {
        let mut must = vec![is("tenant", ask.tenant)];
        if let Some(documents) = ask.documents {
            must.push(json!({ "key": "document", "match": { "any": documents } }));
        }
        let body = QueryWire {
            query: ask.vector,
            filter: json!({ "must": must }),
            limit: ask.limit,
            params: json!({ "hnsw_ef": SEARCHED.max(ask.limit) }),
            with_payload: ["document", "revision", "ordinal"],
        };
        let path = ["collections", &ask.set.collection(), "points", "query"];
        let scored: Scored = self.call(Request { within: DEADLINE, ..request(Verb::Post, &path) }, Some(&body)).await?;
        Ok(scored.points.into_iter().map(near).collect())
    }

    /// Writes points, new ones and ones that are there already; returns when all of them can be found.
    pub async fn keep(&self, tenant: Uuid, set: &Set, points: &[Point<'_>]) -> Result<(), Failure> {
        let name = set.collection();
        self.ensure(&name, set.dimensions).await?;
        for points in points.chunks(at_once(set.dimensions)) {
            let wire = points.iter().map(|Point { place, vector }| {
                let Place { document, revision, ordinal } = *place;
                let place_wire = PlaceWire { document, revision, ordinal };
                let payload = Payload { tenant, build: build(document, revision), place: place_wire };
                Wire { id: place.id(tenant, &set.model), vector, payload }
            });
            let body = Points { points: wire.collect() };
            let written = self.update(Verb::Put, &["collections", &name, "points"], &body).await;
            if matches!(written, Err(Failure::Refused(404))) {
                // Somebody took the collection away: the next one who comes makes it anew.
                self.ready.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
            }
            written?;
        }
        Ok(())
    }

    /// Which of these points are there.
    pub async fn known(&self, tenant: Uuid, set: &Set, places: &[Place]) -> Result<BTreeSet<Place>, Failure> {
        let ids: Vec<Uuid> = places.iter().map(|place| place.id(tenant, &set.model)).collect();
        let body = json!({ "ids": ids, "with_payload": false, "with_vector": false });
        let path = ["collections", &set.collection(), "points"];
        let stored: Vec<Stored> = match self.call(request(Verb::Post, &path), Some(&body)).await {
            Err(Failure::Refused(404)) => Vec::new(),
            stored => stored?,
        };
        let stored: BTreeSet<Uuid> = stored.into_iter().map(|point| point.id).collect();
        Ok(places.iter().zip(ids).filter(|(_, id)| stored.contains(id)).map(|(place, _)| *place).collect())
    }

    /// Takes points out of every collection of ours.
    pub async fn forget(&self, tenant: Uuid, gone: Gone<'_>) -> Result<(), Failure> {
        let (key, values): (_, Vec<String>) = match gone {
            Gone::Documents(documents) => ("document", documents.iter().map(Uuid::to_string).collect()),
            Gone::Revisions(all) => {
                let builds = |(document, revisions): &(Uuid, Vec<i32>)| {
                    revisions.iter().map(|revision| build(*document, *revision)).collect::<Vec<_>>()
                };
                ("build", all.iter().flat_map(builds).collect())
            }
        };
        if values.is_empty() {
            return Ok(());
        }
        for name in self.collections().await? {
            for values in values.chunks(GONE_AT_ONCE) {
                let must = [is("tenant", tenant), json!({ "key": key, "match": { "any": values } })];
                let body = json!({ "filter": { "must": must } });
                self.update(Verb::Post, &["collections", &name, "points", "delete"], &body).await?;
            }
        }
        Ok(())
    }

    /// Our collections that hold anything, of whichever model.
    pub async fn collections(&self) -> Result<Vec<String>, Failure> {
        let all: Collections = self.call(request(Verb::Get, &["collections"]), None::<&Value>).await?;
        let names = all.collections.into_iter().map(|collection| collection.name);
        Ok(names.filter(|name| name.starts_with(PREFIX)).collect())
    }

    /// One page of a tenant's points in a collection, and where the next one begins.
    pub async fn page(&self, tenant: Uuid, name: &str, from: Option<Uuid>) -> Result<Page, Failure> {
        let filter = json!({ "must": [is("tenant", tenant)] });
        let wanted = ["document", "revision", "ordinal"];
        let mut body = json!({ "filter": filter, "limit": PAGE, "with_payload": wanted, "with_vector": false });
        if let Some(from) = from {
            body["offset"] = json!(from);
        }
        let scrolled: Scrolled =
            self.call(request(Verb::Post, &["collections", name, "points", "scroll"]), Some(&body)).await?;
        let points = scrolled.points.into_iter().map(|point| (point.id, place(point.payload)));
        Ok(Page { points: points.collect(), next: scrolled.next_page_offset })
    }

    /// Takes points away by their ids.
    pub async fn remove(&self, name: &str, ids: &[Uuid]) -> Result<(), Failure> {
        self.update(Verb::Post, &["collections", name, "points", "delete"], &json!({ "points": ids })).await
    }

    /// The collection with its indexes; all of it is safe to repeat, and two may do it at once.
    async fn ensure(&self, name: &str, dimensions: usize) -> Result<(), Failure> {
        if self.ready.lock().unwrap_or_else(PoisonError::into_inner).contains(name) {
            return Ok(());
        }
        let there: Exists = self.call(request(Verb::Get, &["collections", name, "exists"]), None::<&Value>).await?;
        if !there.exists {
            let body = json!({
                "vectors": { "size": dimensions, "distance": "Cosine" },
                "hnsw_config": { "m": 0, "payload_m": LINKS },
            });
            match self.call::<IgnoredAny>(request(Verb::Put, &["collections", name]), Some(&body)).await {
                // Somebody else was quicker.
                Ok(_) | Err(Failure::Refused(409)) => {}
                Err(failure) => return Err(failure),
            }
        }
        for (field, schema) in [
            ("tenant", json!({ "type": "keyword", "is_tenant": true })),
            ("document", json!({ "type": "keyword" })),
            ("build", json!({ "type": "keyword" })),
        ] {
            let body = json!({ "field_name": field, "field_schema": schema });
            self.update(Verb::Put, &["collections", name, "index"], &body).await?;
        }
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        Ok(())
    }

    /// A change, and until everybody sees it.
    async fn update(&self, verb: Verb, path: &[&str], body: &impl Serialize) -> Result<(), Failure> {
        let asked = Request { query: Some("wait=true"), ..request(verb, path) };
        let updated: Updated = self.call(asked, Some(body)).await?;
        if updated.status == "completed" { Ok(()) } else { Err(Failure::Unfinished) }
    }

    async fn call<T: DeserializeOwned>(&self, asked: Request<'_>, body: Option<&impl Serialize>) -> Result<T, Failure> {
        let body = body.map(serde_json::to_vec).transpose().map_err(|_| Failure::Unreadable)?;
        let Answer { status, body } = self.server.ask(asked, body).await?;
        if status != 200 {
            return Err(Failure::Refused(status));
        }
        let reply: Reply<T> = serde_json::from_slice(&body).map_err(|_| Failure::Unreadable)?;
        Ok(reply.result)
    }
}

fn request<'a>(verb: Verb, path: &'a [&'a str]) -> Request<'a> {
    Request { verb, path, query: None, within: WRITE_DEADLINE, largest: LARGEST }
}

fn is(key: &str, value: Uuid) -> Value {
    json!({ "key": key, "match": { "value": value } })
}

/// How many points of this width one request writes.
fn at_once(dimensions: usize) -> usize {
    (NUMBERS_AT_ONCE / dimensions.max(1)).max(1)
}

/// One revision of one document as a single value: a range of revisions would want an index that runs across tenants.
fn build(document: Uuid, revision: i32) -> String {
    format!("{document}/{revision}")
}

fn near(ScoredWire { score, payload }: ScoredWire) -> Near {
    Near { place: place(payload), cosine: score }
}

fn place(PlaceWire { document, revision, ordinal }: PlaceWire) -> Place {
    Place { document, revision, ordinal }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_writes_is_as_large_as_a_qdrant_takes() {
        for (dimensions, expected) in [(0, 1 << 20), (384, 2_730), (4_096, 256), (1 << 20, 1), (usize::MAX, 1)] {
            assert_eq!(at_once(dimensions), expected);
        }
        let digits = serde_json::to_string(&[-f32::MIN_POSITIVE, -0.012_345_678]).unwrap();
        assert!(NUMBERS_AT_ONCE * digits.len() / 2 < 32 << 20, "{digits}");
    }
}
