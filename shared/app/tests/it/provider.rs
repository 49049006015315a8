//! A provider of embeddings on OpenAI's wire: it remembers what it was asked for, and refuses as a test wants it to.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use serde_json::{Value, json};

use crate::world::spawn;

/// An answer that is no vectors: the status, a header, the body.
pub type Refusal = (u16, (&'static str, &'static str), Value);

type Script = Arc<Mutex<dyn FnMut(&[String]) -> Option<Refusal> + Send>>;

#[derive(Clone)]
pub struct Provider {
    script: Script,
    /// What each request asked for, those that were refused left out.
    pub answered: Arc<Mutex<Vec<Vec<String>>>>,
    pub refused: Arc<Mutex<Vec<usize>>>,
    pub base_url: String,
}

impl Provider {
    pub async fn start(script: impl FnMut(&[String]) -> Option<Refusal> + Send + 'static) -> Provider {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let (answered, refused) = Default::default();
        let provider = Provider { script: Arc::new(Mutex::new(script)), answered, refused, base_url };
        let router = Router::new().route("/v1/embeddings", post(embed)).with_state(provider.clone());
        spawn(async move { axum::serve(listener, router).await.unwrap() });
        provider
    }

    /// Every text that was embedded, in order.
    pub fn embedded(&self) -> Vec<String> {
        self.answered.lock().unwrap().concat()
    }

    pub fn requests(&self) -> usize {
        self.answered.lock().unwrap().len()
    }
}

pub fn too_soon(seconds: &'static str) -> Refusal {
    (429, ("retry-after", seconds), json!({ "error": { "code": "rate_limit_exceeded", "type": "requests" } }))
}

pub fn too_much() -> Refusal {
    let message = "Requested 313102 tokens, max 300000 tokens per request";
    (400, ("x-test", "1"), json!({ "error": { "message": message, "code": "max_tokens_per_request" } }))
}

/// What a model makes of a text: the same whenever it is asked, and every model something else.
pub fn vector(model: &str, text: &str) -> [f64; 3] {
    let sum = text.bytes().zip(1..).map(|(byte, place): (u8, u64)| u64::from(byte) * (place % 7 + 1)).sum::<u64>();
    let turn = model.bytes().map(u64::from).sum::<u64>() as f64;
    let angle = turn + (sum % 1000) as f64 / 500.0;
    [angle.sin(), angle.cos(), 0.5 + turn.sin() / 4.0]
}

async fn embed(State(provider): State<Provider>, body: String) -> Response {
    let asked: Value = serde_json::from_str(&body).unwrap();
    let inputs = asked["input"].as_array().unwrap();
    let inputs: Vec<String> = inputs.iter().map(|input| input.as_str().unwrap().to_owned()).collect();
    let refusal = (provider.script.lock().unwrap())(&inputs);
    let (status, header, body) = match refusal {
        Some(refusal) => {
            provider.refused.lock().unwrap().push(inputs.len());
            refusal
        }
        None => {
            let model = asked["model"].as_str().unwrap_or_default();
            let data = |(index, text): (usize, &String)| json!({ "index": index, "embedding": vector(model, text) });
            let data: Vec<Value> = inputs.iter().enumerate().map(data).collect();
            let used = json!({ "prompt_tokens": inputs.len() });
            provider.answered.lock().unwrap().push(inputs);
            (200, ("x-test", "1"), json!({ "data": data, "usage": used }))
        }
    };
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.header(header.0, header.1).body(Body::from(body.to_string())).unwrap()
}
