//! A provider on this machine, for tests that save keys.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use http::{HeaderMap, StatusCode};

use crate::world::spawn;

/// Where nobody answers: a key that is saved for it is kept, and is `unreachable`.
pub const NOBODY: &str = "http://127.0.0.1:9/v1";

/// A provider on this machine that says what it is told to, and remembers who asked.
pub struct Provider {
    port: u16,
    script: Arc<Mutex<Script>>,
}

struct Script {
    answer: (u16, String, String),
    seen: Vec<String>,
}

impl Provider {
    pub async fn start() -> Provider {
        let script = Arc::new(Mutex::new(Script { answer: (500, String::new(), String::new()), seen: Vec::new() }));
        let router = Router::new().fallback(answer).with_state(script.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        spawn(async move { axum::serve(listener, router).await.unwrap() });
        Provider { port, script }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub fn answer(&self, status: u16, media_type: &str, body: &str) {
        self.script.lock().unwrap().answer = (status, media_type.to_owned(), body.to_owned());
    }

    /// The `Authorization` header of each request so far.
    pub fn seen(&self) -> Vec<String> {
        self.script.lock().unwrap().seen.clone()
    }
}

async fn answer(
    State(script): State<Arc<Mutex<Script>>>,
    headers: HeaderMap,
) -> (StatusCode, [(&'static str, String); 1], String) {
    let mut script = script.lock().unwrap();
    let bearer = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    script.seen.push(bearer.unwrap_or_default());
    let (status, media_type, body) = script.answer.clone();
    (StatusCode::from_u16(status).unwrap(), [("content-type", media_type)], body)
}
