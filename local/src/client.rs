//! A client of a running system: what `docent ingest` and `docent ask` speak, the same HTTP that everybody speaks.

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::command::{Failure, Remote};

/// How often a document is looked at while it is being ingested.
const POLL: Duration = Duration::from_millis(250);

pub struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

/// A document that ended its way: ready, or failed with a reason.
pub struct Ended {
    pub filename: String,
    pub ready: bool,
    pub chunks: u64,
    pub pages: Option<u64>,
    pub error: Option<String>,
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

    /// Uploads one file and waits until it is ready or failed; `progress` hears each state.
    pub async fn ingest(&self, path: &Path, progress: &(dyn Fn(&str) + Sync)) -> Result<Ended, Failure> {
        let filename = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let bytes = tokio::fs::read(path).await.map_err(|error| {
            Failure::new(format!("{} cannot be read: {error}.", path.display()), "Check the path and its permissions.")
        })?;
        progress("uploading");
        let asked = json!({ "filename": filename, "size": bytes.len() });
        let created = self.json(Method::POST, "/api/upload", Some(asked)).await?;
        let id = created["documentId"].as_str().unwrap_or_default().to_owned();
        self.put(&created["upload"], bytes).await?;
        self.json(Method::POST, &format!("/api/upload/{id}/complete"), None).await?;
        loop {
            let document = self.json(Method::GET, &format!("/api/documents/{id}"), None).await?;
            let status = document["status"].as_str().unwrap_or_default();
            if status == "ready" || status == "failed" {
                return Ok(ended(filename, &document));
            }
            let (done, total) = (document["progress"]["done"].as_u64(), document["progress"]["total"].as_u64());
            match (done, total) {
                (Some(done), Some(total)) if total > 0 => progress(&format!("{status} {done}/{total}")),
                _ => progress(status),
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn put(&self, upload: &Value, bytes: Vec<u8>) -> Result<(), Failure> {
        let url = upload["url"].as_str().unwrap_or_default();
        let mut request = self.http.put(url).body(bytes);
        for (name, value) in upload["headers"].as_object().into_iter().flatten() {
            request = request.header(name, value.as_str().unwrap_or_default());
        }
        let response = request.send().await.map_err(unreachable)?;
        if response.status().is_success() {
            return Ok(());
        }
        Err(Failure::new(
            format!("The bucket refused the upload ({}).", response.status()),
            "Try again; the upload URL lives 15 minutes.",
        ))
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

fn ended(filename: String, document: &Value) -> Ended {
    let error = document["error"].as_object().map(|error| {
        let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
        format!("{}: {} {}", text("code"), text("message"), text("hint"))
    });
    Ended {
        filename,
        ready: document["status"] == "ready",
        chunks: document["chunks"].as_u64().unwrap_or_default(),
        pages: document["pages"].as_u64(),
        error,
    }
}

fn unreachable(error: reqwest::Error) -> Failure {
    Failure::new(
        format!("The system does not answer: {}.", error.without_url()),
        "Start it with `docent up`, or check --url.",
    )
}
