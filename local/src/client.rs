//! A client of a running system: what `docent ingest` and `docent ask` speak, the same HTTP that everybody speaks.

mod upload;

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::command::{Failure, Remote};

pub use upload::{Ended, Named, Outcome, Wish};

pub struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Client {
    pub fn new(url: &str, token: &str) -> Result<Client, Failure> {
        let provider = rustls::crypto::ring::default_provider();
        let _ = provider.install_default();
        let http = reqwest::Client::builder().no_proxy().connect_timeout(Duration::from_secs(5)).build();
        let http = http.map_err(|error| Failure::new(error.to_string(), "Report this."))?;
        Ok(Client { http, url: url.trim_end_matches('/').to_owned(), token: token.to_owned() })
    }

    /// The running system that the options name, if they do.
    pub fn remote(remote: &Remote) -> Result<Option<Client>, Failure> {
        match (&remote.url, &remote.token) {
            (Some(url), Some(token)) => Client::new(url, token).map(Some),
            (Some(_), None) => {
                Err(Failure::new("There is an address but no token.", "Give --token, or set DOCENT_TOKEN."))
            }
            _ => Ok(None),
        }
    }

    /// Asks and hands each event of the answer's stream to `event`, until it ends.
    pub async fn ask(&self, question: &str, mut event: impl FnMut(Value)) -> Result<(), Failure> {
        let id = docent::clock::Clock::system().uuid();
        let body =
            json!({ "id": id, "messages": [{ "role": "user", "parts": [{ "type": "text", "text": question }] }] });
        let response = self.send(Method::POST, "/api/chat", Some(body)).await?;
        let mut decoder = docent_llm::sse::Decoder::default();
        let mut stream = response.bytes_stream();
        while let Some(bytes) = stream.next().await {
            let mut frames = Vec::new();
            let pushed = decoder.push(&bytes.map_err(unreachable)?, &mut frames);
            pushed.map_err(|error| Failure::new(error.to_string(), "Try again."))?;
            for frame in frames {
                if let Ok(value) = serde_json::from_str(&frame.data) {
                    event(value);
                }
            }
        }
        Ok(())
    }

    pub async fn json(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, Failure> {
        let response = self.send(method, path, body).await?;
        let text = response.text().await.map_err(unreachable)?;
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Result<Response, Failure> {
        let mut request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.map_err(unreachable)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let problem: Value = serde_json::from_str(&response.text().await.unwrap_or_default()).unwrap_or_default();
        let text = |name: &str, otherwise: &str| problem[name].as_str().unwrap_or(otherwise).to_owned();
        let code = text("code", status.as_str());
        Err(Failure::new(
            format!("{code}: {}", text("detail", "The system refused.")),
            text("hint", "Look at its log."),
        ))
    }
}

fn unreachable(error: reqwest::Error) -> Failure {
    Failure::new(
        format!("The system does not answer: {}.", error.without_url()),
        "Start it with `docent up`, or check --url.",
    )
}
