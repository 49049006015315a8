//! What stands between a worker and its bucket: passes requests on to the real protocol, or refuses, cuts, starves and
//! changes them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Method, StatusCode, header};

use super::gate::{Blow, Place, Shared};
use super::shelf::Shelf;
use crate::world::spawn;

/// The bucket as workers see it.
#[derive(Clone)]
pub struct Front {
    gate: Shared,
    http: reqwest::Client,
    real: String,
    shelf: Shelf,
    /// Bytes that somebody uploads the moment a key is read, and those that were.
    pub spare: Arc<Mutex<HashMap<String, Vec<Bytes>>>>,
    pub uploaded: Arc<Mutex<Vec<(String, String, Bytes)>>>,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Front {
    /// Starts it and gives its address.
    pub async fn start(gate: Shared, http: reqwest::Client, real: &str, shelf: Shelf) -> (Front, String) {
        let front = Front { gate, http, real: real.to_owned(), shelf, spare: Arc::default(), uploaded: Arc::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(serve).with_state(front.clone());
        spawn(async move { axum::serve(listener, router).await.unwrap() });
        (front, address)
    }

    async fn pass_on(&self, request: Request) -> Answer {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 24).await.unwrap();
        let target = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let sent = self.http.request(parts.method, format!("{}{target}", self.real)).headers(parts.headers).body(body);
        let reply = sent.send().await.unwrap();
        let (status, headers) = (reply.status(), reply.headers().clone());
        Answer { status, headers, body: reply.bytes().await.unwrap() }
    }

    /// Somebody puts other bytes in the place of those that are about to be read.
    async fn overwrite(&self, path: &str) {
        let key = path.trim_start_matches('/').split_once('/').map_or("", |(_, key)| key).to_owned();
        let bytes = self.spare.lock().unwrap().get_mut(&key).and_then(Vec::pop);
        if let Some(bytes) = bytes {
            let etag = self.shelf.put(&key, bytes.clone()).await;
            self.uploaded.lock().unwrap().push((key, etag, bytes));
        }
    }
}

async fn serve(State(front): State<Front>, request: Request) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let listing = request.uri().query().is_some_and(|query| query.contains("list-type"));
    let reads = method == Method::GET && !listing;
    let places: &[Place] = if reads { &[Place::Bucket, Place::Get] } else { &[Place::Bucket] };
    let what = format!("bucket {method} {path}{}", if listing { " list" } else { "" });
    match front.gate.pass(places, &what) {
        Some(Blow::Hold) => match front.gate.hold().await {
            true => answer(front.pass_on(request).await),
            false => broken(),
        },
        Some(Blow::HoldAfter) => {
            let done = front.pass_on(request).await;
            match front.gate.hold().await {
                true => answer(done),
                false => broken(),
            }
        }
        Some(Blow::Status(status)) => refusal(status, &method),
        Some(Blow::ShortBody) => {
            let done = front.pass_on(request).await;
            let half = done.body.slice(..done.body.len() / 2);
            let cut = stream::iter([Ok(half), Err(std::io::Error::other("cut"))]);
            with_body(done, Body::from_stream(cut))
        }
        Some(Blow::Starve) => {
            front.gate.starve();
            let done = front.pass_on(request).await;
            let half = done.body.slice(..done.body.len() / 2);
            let never = stream::pending::<Result<Bytes, std::io::Error>>();
            let drip = stream::StreamExt::chain(stream::iter([Ok(half)]), never);
            with_body(done, Body::from_stream(drip))
        }
        Some(Blow::Overwrite) => {
            front.overwrite(&path).await;
            answer(front.pass_on(request).await)
        }
        _ => answer(front.pass_on(request).await),
    }
}

fn answer(done: Answer) -> Response {
    let body = Body::from(done.body.clone());
    with_body(done, body)
}

fn with_body(done: Answer, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = done.status;
    *response.headers_mut() = done.headers;
    close(response)
}

/// Each request has a connection of its own, so that none depends on how the one before it ended.
fn close(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    response
}

fn refusal(status: u16, method: &Method) -> Response {
    let code = match status {
        403 => "AccessDenied",
        404 => "NoSuchKey",
        _ => "SlowDown",
    };
    let text =
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>no</Message></Error>");
    let body = if *method == Method::HEAD { Body::empty() } else { Body::from(text) };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    close(response)
}

/// An answer that ends before it began.
fn broken() -> Response {
    let mut response = Response::new(Body::from_stream(stream::iter([Err::<Bytes, _>(std::io::Error::other("gone"))])));
    response.headers_mut().insert(header::CONTENT_LENGTH, header::HeaderValue::from_static("1"));
    close(response)
}
