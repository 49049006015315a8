//! A provider of embeddings on the wire of OpenAI's dialect, which remembers what it was asked for.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use http::{StatusCode, header};
use serde_json::{Value, json};

use super::gate::{Blow, Place, Shared};
use crate::world::spawn;

const DIMENSIONS: usize = 8;

#[derive(Clone)]
pub struct Provider {
    gate: Shared,
    /// Each text that was embedded, as often as it was.
    pub embedded: Arc<Mutex<Vec<String>>>,
    /// Whether steps count: while clients search, they do not.
    pub quiet: Arc<Mutex<bool>>,
}

impl Provider {
    pub async fn start(gate: Shared) -> (Provider, String) {
        let provider = Provider { gate, embedded: Arc::default(), quiet: Arc::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/v1", listener.local_addr().unwrap());
        let models = get(async || reply(StatusCode::OK, json!({ "data": [{ "id": "m" }] })));
        let router =
            Router::new().route("/v1/models", models).route("/v1/embeddings", post(embed)).with_state(provider.clone());
        spawn(async move { axum::serve(listener, router).await.unwrap() });
        (provider, address)
    }
}

async fn embed(State(provider): State<Provider>, body: String) -> Response {
    let asked: Value = serde_json::from_str(&body).unwrap();
    let inputs: Vec<String> =
        asked["input"].as_array().unwrap().iter().map(|input| input.as_str().unwrap().to_owned()).collect();
    if *provider.quiet.lock().unwrap() {
        return vectors(inputs.iter().map(|input| vector(input)).collect());
    }
    let gate = &provider.gate;
    let bill = || provider.embedded.lock().unwrap().extend(inputs.iter().cloned());
    let mut all: Vec<Vec<f32>> = inputs.iter().map(|input| vector(input)).collect();
    match gate.pass(&[Place::Provider], &format!("provider {}", inputs.len())) {
        Some(Blow::Hold) => {
            if !gate.hold().await {
                return reply(StatusCode::BAD_GATEWAY, json!({}));
            }
            bill();
        }
        Some(Blow::HoldAfter) => {
            bill();
            if !gate.hold().await {
                return reply(StatusCode::BAD_GATEWAY, json!({}));
            }
        }
        Some(Blow::Starve) => {
            bill();
            gate.starve();
            std::future::pending::<()>().await;
        }
        Some(Blow::Refusal(status)) => return refusal(status),
        Some(Blow::WrongCount) => {
            bill();
            all.pop();
            // Not one too few but one too many, where there would be none left.
            if all.is_empty() {
                all = vec![vector("a"), vector("b")];
            }
        }
        Some(Blow::BadVectors) => {
            bill();
            let last = all.last_mut().unwrap();
            match inputs.len() % 2 {
                0 => last.truncate(DIMENSIONS - 1),
                _ => *last = vec![0.0; DIMENSIONS],
            }
        }
        _ => bill(),
    }
    vectors(all)
}

/// A direction that the text alone decides.
pub fn vector(text: &str) -> Vec<f32> {
    let mut seed = text.bytes().fold(7_u64, |sum, byte| crate::dice::mixed(sum ^ u64::from(byte)));
    let mut next = || {
        seed = crate::dice::mixed(seed.wrapping_add(1));
        (seed % 2001) as f32 / 1000.0 - 1.0
    };
    (0..DIMENSIONS).map(|_| next()).collect()
}

fn vectors(all: Vec<Vec<f32>>) -> Response {
    let data: Vec<Value> =
        all.iter().enumerate().map(|(index, vector)| json!({ "index": index, "embedding": vector })).collect();
    reply(StatusCode::OK, json!({ "data": data, "usage": { "prompt_tokens": all.len() * 20 } }))
}

fn refusal(status: u16) -> Response {
    let code = match status {
        401 => json!({ "error": { "code": "invalid_api_key", "type": "invalid_request_error" } }),
        400 => json!({ "error": { "code": "context_length_exceeded", "type": "invalid_request_error" } }),
        429 => json!({ "error": { "code": "rate_limit_exceeded", "type": "requests" } }),
        _ => json!({ "error": { "code": null, "type": "server_error" } }),
    };
    let mut response = reply(StatusCode::from_u16(status).unwrap(), code);
    if status == 429 {
        response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("2"));
    }
    response
}

fn reply(status: StatusCode, body: Value) -> Response {
    let response = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
    response.header(header::CONNECTION, "close").body(Body::from(body.to_string())).unwrap()
}
