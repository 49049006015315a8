//! The whole system in this process on a scratch folder, and a client that speaks HTTP to it.

use std::future::pending;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use docent::clock::Clock;
use docent::config::Environment;
use docent_local::command::Place;
use docent_local::postgres;
use docent_local::system::{EmbedderChoice, System};
use futures_util::StreamExt;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{Outcome, table};

/// How often a document is looked at while it is being ingested.
const POLL: Duration = Duration::from_millis(20);

/// A folder that the embedded server's unprivileged user can enter; removed with its owner.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Outcome<Scratch> {
        let name = format!("docent-bench-{}-{}", std::process::id(), Clock::system().uuid());
        let folder = postgres::reachable(&std::env::temp_dir().join(name));
        std::fs::create_dir_all(&folder)?;
        Ok(Scratch(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Starts the system, does the work against it, and stops it.
pub fn with<T>(embedder: EmbedderChoice, work: impl AsyncFnOnce(Client) -> Outcome<T>) -> Outcome<T> {
    over("", embedder, work)
}

/// The same over a database server that runs already; an empty URL starts one.
pub fn over<T>(database: &str, embedder: EmbedderChoice, work: impl AsyncFnOnce(Client) -> Outcome<T>) -> Outcome<T> {
    let scratch = Scratch::new()?;
    // The caller's database and keys are not what is measured.
    let names = ["DATABASE_URL", "DIRECT_DATABASE_URL", "OPENAI_API_KEY"];
    let environment = names.iter().fold(Environment::process(), |environment, name| environment.with(name, ""));
    let environment = environment.with("DIRECT_DATABASE_URL", database);
    // Nor is how fast its one token may ask.
    let environment = environment.or("RATE_LIMIT_PER_MINUTE", "1000000");
    docent::telemetry::start(&environment.clone().or("LOG_LEVEL", "warn"));
    let place = Place { data: Some(scratch.0.clone()), fresh: false, embedder };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let system = System::start(&environment, &place, &url, &|step| table::note(&format!("· {step}"))).await?;
        table::note(&format!("answerer: {}; vectors: {}", system.answerer, system.embedder));
        let client = Client::new(url, system.token.clone())?;
        tokio::select! {
            done = work(client) => done,
            ended = system.serve(listener, pending()) => Err(format!("the system ended early: {ended:?}").into()),
        }
    })
}

pub struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

/// A document that is ready or failed, and how long each of its states lasted.
pub struct Ended {
    pub id: String,
    pub document: Value,
    pub states: Vec<(String, Duration)>,
}

impl Client {
    pub fn new(url: String, token: String) -> Outcome<Client> {
        Ok(Client { http: http()?, url, token })
    }

    pub async fn ingest(&self, filename: &str, bytes: Vec<u8>) -> Outcome<Ended> {
        let mut begin = Instant::now();
        let asked = json!({ "filename": filename, "size": bytes.len() });
        let created = self.json(self.request(Method::POST, "/api/upload").json(&asked)).await?;
        let id = created["documentId"].as_str().unwrap_or_default().to_owned();
        let mut put = self.http.put(created["upload"]["url"].as_str().unwrap_or_default()).body(bytes);
        for (name, value) in created["upload"]["headers"].as_object().into_iter().flatten() {
            put = put.header(name, value.as_str().unwrap_or_default());
        }
        put.send().await?.error_for_status()?;
        self.json(self.request(Method::POST, &format!("/api/upload/{id}/complete"))).await?;
        let mut states = vec![("upload".to_owned(), Duration::ZERO)];
        loop {
            let document = self.json(self.request(Method::GET, &format!("/api/documents/{id}"))).await?;
            let status = document["status"].as_str().unwrap_or_default();
            if let Some((state, lasted)) = states.last_mut() {
                *lasted += begin.elapsed();
                begin = Instant::now();
                if state != status {
                    states.push((status.to_owned(), Duration::ZERO));
                }
            }
            if status == "ready" || status == "failed" {
                states.pop();
                return Ok(Ended { id, document, states });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The chunks of an answer's stream, which must end as it should.
    pub async fn ask(&self, question: &str) -> Outcome<Vec<Value>> {
        let message = json!({ "role": "user", "parts": [{ "type": "text", "text": question }] });
        let body = json!({ "id": Clock::system().uuid().to_string(), "messages": [message] });
        let response = accepted(self.request(Method::POST, "/api/chat").json(&body)).await?;
        let mut decoder = docent_llm::sse::Decoder::default();
        let mut stream = response.bytes_stream();
        let mut chunks = Vec::new();
        while let Some(bytes) = stream.next().await {
            let mut frames = Vec::new();
            decoder.push(&bytes?, &mut frames)?;
            chunks.extend(frames.iter().filter_map(|frame| serde_json::from_str::<Value>(&frame.data).ok()));
        }
        match chunks.last() {
            Some(end) if end["type"] == "finish" => Ok(chunks),
            end => Err(format!("the answer to {question:?} ended with {end:?}").into()),
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    async fn json(&self, request: RequestBuilder) -> Outcome<Value> {
        Ok(accepted(request).await?.json().await?)
    }
}

pub fn http() -> Outcome<reqwest::Client> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(reqwest::Client::builder().no_proxy().build()?)
}

async fn accepted(request: RequestBuilder) -> Outcome<Response> {
    let response = request.send().await?;
    match response.status().is_success() {
        true => Ok(response),
        false => Err(format!("{}: {}", response.status(), response.text().await?).into()),
    }
}
