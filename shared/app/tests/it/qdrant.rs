//! A Qdrant in memory, as strict as the documented HTTP API (<https://api.qdrant.tech>) and as wrong as a test asks it
//! to be: exact cosines, filters on indexed fields alone, writes that are seen at once only by whoever waits for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use docent::vectors::Vectors;
use http::{HeaderMap, Method, Uri};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::spawn;

pub const KEY: &str = "the-key-of-the-store";

/// How it behaves.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Mood {
    #[default]
    Well,
    /// Every request gets this status, with the documented form of an error.
    Refuses(u16),
    /// Takes requests and never answers.
    Silent,
    /// Answers what no Qdrant would.
    Babbles,
    /// Gives points of everybody and of any document.
    IgnoresFilters,
    /// Takes writes without doing them.
    Acknowledges,
}

#[derive(Clone, Debug)]
pub struct Point {
    pub vector: Vec<f32>,
    pub payload: Value,
}

#[derive(Default)]
struct Collection {
    size: usize,
    indexes: BTreeSet<String>,
    points: BTreeMap<Uuid, Point>,
}

#[derive(Default)]
struct Inner {
    mood: Mood,
    collections: BTreeMap<String, Collection>,
    asked: Vec<(String, Value)>,
}

#[derive(Clone, Default)]
pub struct Qdrant {
    pub url: String,
    inner: Arc<Mutex<Inner>>,
}

type Answered = Result<Value, (u16, String)>;

impl Qdrant {
    pub async fn start() -> Qdrant {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let qdrant = Qdrant { url: format!("http://{}", listener.local_addr().unwrap()), inner: Arc::default() };
        let router = Router::new().fallback(answer).with_state(qdrant.clone());
        spawn(async move {
            let _ = axum::serve(listener, router.layer(axum::extract::DefaultBodyLimit::max(32 << 20))).await;
        });
        qdrant
    }

    pub fn vectors(&self) -> Vectors {
        let environment = docent::config::Environment::default();
        Vectors::read(&environment.with("QDRANT_URL", self.url.as_str()).with("QDRANT_API_KEY", KEY)).unwrap()
    }

    pub fn feels(&self, mood: Mood) {
        self.inner.lock().unwrap().mood = mood;
    }

    /// Every point of every collection.
    pub fn points(&self) -> Vec<Point> {
        let inner = self.inner.lock().unwrap();
        inner.collections.values().flat_map(|collection| collection.points.values().cloned()).collect()
    }

    /// Of one document: each revision and ordinal.
    pub fn places(&self, document: &str) -> Vec<(i64, i64)> {
        let of = |point: &Point| point.payload["document"] == document;
        let place =
            |point: Point| (point.payload["revision"].as_i64().unwrap(), point.payload["ordinal"].as_i64().unwrap());
        let mut places: Vec<_> = self.points().into_iter().filter(of).map(place).collect();
        places.sort_unstable();
        places
    }

    pub fn collections(&self) -> Vec<(String, usize, Vec<String>)> {
        let inner = self.inner.lock().unwrap();
        let told = |(name, it): (&String, &Collection)| (name.clone(), it.size, it.indexes.iter().cloned().collect());
        inner.collections.iter().map(told).collect()
    }

    /// Puts a copy of each point beside it, changed, under an id of its own; gives how many there are.
    pub fn multiply(&self, times: u128, change: impl Fn(&mut Point, u128)) -> usize {
        let mut inner = self.inner.lock().unwrap();
        let mut made = 0;
        for collection in inner.collections.values_mut() {
            let there: Vec<Point> = collection.points.values().cloned().collect();
            for (at, point) in there.iter().enumerate() {
                for time in 0..times {
                    let mut point = point.clone();
                    change(&mut point, time);
                    collection.points.insert(Uuid::from_u128(at as u128 * times + time + 1), point);
                    made += 1;
                }
            }
        }
        made
    }

    pub fn empty(&self) {
        self.inner.lock().unwrap().collections.clear();
    }

    /// Bodies of what was asked since the last time, whose verb and path contain this.
    pub fn asked(&self, what: &str) -> Vec<Value> {
        let asked = std::mem::take(&mut self.inner.lock().unwrap().asked);
        asked.into_iter().filter(|(path, _)| path.contains(what)).map(|(_, body)| body).collect()
    }
}

async fn answer(State(qdrant): State<Qdrant>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let mood = qdrant.inner.lock().unwrap().mood.clone();
    let (status, body) = match mood {
        Mood::Silent => std::future::pending().await,
        Mood::Babbles => (200, json!({ "result": "fine" })),
        Mood::Refuses(status) => (status, json!({ "status": { "error": "Service internal error: no" }, "time": 0.0 })),
        _ if headers.get("api-key").is_none_or(|key| key != KEY) => (401, json!("Must provide an API key")),
        mood => {
            let body: Value = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
            let mut inner = qdrant.inner.lock().unwrap();
            inner.asked.push((format!("{method} {}", uri.path()), body.clone()));
            match inner.answer(&method, &uri, &body, &mood) {
                Ok(result) => (200, json!({ "result": result, "status": "ok", "time": 0.0001 })),
                Err((status, error)) => (status, json!({ "status": { "error": error }, "time": 0.0001 })),
            }
        }
    };
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(Body::from(body.to_string())).unwrap()
}

fn wrong<T>(status: u16, error: impl Into<String>) -> Result<T, (u16, String)> {
    Err((status, error.into()))
}

/// A body that holds anything else is not as documented.
fn only(body: &Value, fields: &[&str]) -> Result<(), (u16, String)> {
    let Some(object) = body.as_object() else { return wrong(400, "Format error in JSON body") };
    match object.keys().find(|field| !fields.contains(&field.as_str())) {
        Some(field) => wrong(400, format!("unknown field `{field}`")),
        None => Ok(()),
    }
}

impl Inner {
    fn answer(&mut self, method: &Method, uri: &Uri, body: &Value, mood: &Mood) -> Answered {
        let path: Vec<&str> = uri.path().trim_matches('/').split('/').collect();
        let verb = method.as_str();
        if let ("GET", ["collections"]) = (verb, &path[..]) {
            let names: Vec<Value> = self.collections.keys().map(|name| json!({ "name": name })).collect();
            return Ok(json!({ "collections": names }));
        }
        let Some(("collections", name)) = path.first().copied().zip(path.get(1).copied()) else {
            return wrong(404, "");
        };
        match (verb, &path[2..]) {
            ("GET", ["exists"]) => return Ok(json!({ "exists": self.collections.contains_key(name) })),
            ("PUT", []) => return self.create(name, body),
            _ => {}
        }
        let Some(collection) = self.collections.get_mut(name) else {
            return wrong(404, format!("Not found: Collection `{name}` doesn't exist!"));
        };
        let waits = uri.query() == Some("wait=true");
        match (verb, &path[2..]) {
            ("POST", ["points", "query"]) if uri.query().is_none() => collection.query(body, mood),
            ("POST", ["points", "scroll"]) if uri.query().is_none() => collection.scroll(body),
            ("POST", ["points"]) if uri.query().is_none() => collection.retrieve(body),
            ("PUT" | "POST", [..]) if !waits || *mood == Mood::Acknowledges => {
                Ok(json!({ "operation_id": 1, "status": "acknowledged" }))
            }
            ("PUT", ["index"]) => collection.index(body),
            ("PUT", ["points"]) => collection.upsert(body),
            ("POST", ["points", "delete"]) => collection.delete(body),
            _ => wrong(404, ""),
        }
    }

    fn create(&mut self, name: &str, body: &Value) -> Answered {
        only(body, &["vectors", "hnsw_config"])?;
        let size = body["vectors"]["size"].as_u64().unwrap_or_default() as usize;
        if size == 0 || body["vectors"]["distance"] != "Cosine" {
            return wrong(422, "Validation error in JSON body");
        }
        if self.collections.contains_key(name) {
            return wrong(409, format!("Wrong input: Collection `{name}` already exists!"));
        }
        self.collections.insert(name.to_owned(), Collection { size, ..Collection::default() });
        Ok(json!(true))
    }
}

impl Collection {
    fn index(&mut self, body: &Value) -> Answered {
        only(body, &["field_name", "field_schema"])?;
        let schema = &body["field_schema"];
        only(schema, &["type", "is_tenant"])?;
        if schema["type"] != "keyword" {
            return wrong(400, "unknown type");
        }
        self.indexes.insert(body["field_name"].as_str().unwrap().to_owned());
        Ok(json!({ "operation_id": 1, "status": "completed" }))
    }

    fn upsert(&mut self, body: &Value) -> Answered {
        only(body, &["points"])?;
        let mut points = Vec::new();
        for point in body["points"].as_array().unwrap() {
            only(point, &["id", "vector", "payload"])?;
            let Ok(id) = point["id"].as_str().unwrap_or_default().parse::<Uuid>() else {
                return wrong(400, "not a valid point ID");
            };
            let vector = floats(&point["vector"]);
            if vector.len() != self.size {
                return wrong(
                    400,
                    format!("Vector dimension error: expected dim: {}, got {}", self.size, vector.len()),
                );
            }
            points.push((id, Point { vector, payload: point["payload"].clone() }));
        }
        self.points.extend(points);
        Ok(json!({ "operation_id": 1, "status": "completed" }))
    }

    fn delete(&mut self, body: &Value) -> Answered {
        let mut gone: Vec<Uuid> = Vec::new();
        if let Some(ids) = body["points"].as_array() {
            only(body, &["points"])?;
            gone.extend(ids.iter().map(|id| id.as_str().unwrap().parse::<Uuid>().unwrap()));
            self.points.retain(|id, _| !gone.contains(id));
            return Ok(json!({ "operation_id": 1, "status": "completed" }));
        }
        only(body, &["filter"])?;
        for (id, point) in &self.points {
            if self.holds(&body["filter"], &point.payload)? {
                gone.push(*id);
            }
        }
        self.points.retain(|id, _| !gone.contains(id));
        Ok(json!({ "operation_id": 1, "status": "completed" }))
    }

    fn scroll(&self, body: &Value) -> Answered {
        only(body, &["filter", "limit", "with_payload", "with_vector", "offset"])?;
        let from = body["offset"].as_str().map_or(Uuid::nil(), |id| id.parse().unwrap());
        // However many are asked for, so that a test sees a second page.
        let most = body["limit"].as_u64().unwrap().min(50) as usize;
        let (mut points, mut next) = (Vec::new(), None);
        for (id, point) in self.points.range(from..) {
            if !self.holds(&body["filter"], &point.payload)? {
                continue;
            }
            if points.len() == most {
                next = Some(id);
                break;
            }
            points.push(json!({ "id": id, "payload": point.payload }));
        }
        Ok(json!({ "points": points, "next_page_offset": next }))
    }

    fn retrieve(&self, body: &Value) -> Answered {
        only(body, &["ids", "with_payload", "with_vector"])?;
        let ids = body["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().parse::<Uuid>().unwrap());
        let known = ids.filter(|id| self.points.contains_key(id)).map(|id| json!({ "id": id }));
        Ok(known.collect())
    }

    fn query(&self, body: &Value, mood: &Mood) -> Answered {
        only(body, &["query", "filter", "limit", "params", "with_payload"])?;
        let asked = floats(&body["query"]);
        if asked.len() != self.size {
            return wrong(400, "Vector dimension error");
        }
        let mut scored = Vec::new();
        for (id, point) in &self.points {
            if *mood == Mood::IgnoresFilters || self.holds(&body["filter"], &point.payload)? {
                scored.push((cosine(&asked, &point.vector), id, &point.payload));
            }
        }
        scored.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
        scored.truncate(body["limit"].as_u64().unwrap() as usize);
        let wanted: Vec<&str> =
            body["with_payload"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
        let points = scored.into_iter().map(|(score, id, payload)| {
            let payload: serde_json::Map<String, Value> =
                wanted.iter().map(|field| ((*field).to_owned(), payload[field].clone())).collect();
            json!({ "id": id, "version": 1, "score": score, "payload": payload })
        });
        Ok(json!({ "points": points.collect::<Vec<_>>() }))
    }

    /// Strict mode refuses a condition on a field without an index.
    fn holds(&self, filter: &Value, payload: &Value) -> Result<bool, (u16, String)> {
        if let Some(key) = filter["key"].as_str() {
            only(filter, &["key", "match"])?;
            if !self.indexes.contains(key) {
                return wrong(400, format!("Bad request: Index required but not found for \"{key}\""));
            }
            let value = &payload[key];
            return Ok(match (&filter["match"]["value"], &filter["match"]["any"]) {
                (Value::Null, any) => any.as_array().unwrap().contains(value),
                (one, _) => one == value,
            });
        }
        only(filter, &["must"])?;
        for condition in filter["must"].as_array().unwrap() {
            if !self.holds(condition, payload)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

fn cosine(one: &[f32], other: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let norm = (dot(one, one) * dot(other, other)).sqrt();
    if norm == 0.0 { 0.0 } else { dot(one, other) / norm }
}
