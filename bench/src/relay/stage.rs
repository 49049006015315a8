//! All that takes part: provider, bare proxy and LiteLLM for the whole run, Docent for one table after the other.

use std::cell::Cell;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use docent::config::Environment;
use docent_llm::Url;
use docent_local::postgres::{self, Postgres};
use reqwest::Client;

use super::client::{Dialect, Target};
use super::part::Part;
use super::provider::Manner;
use crate::system::Scratch;
use crate::{Outcome, fixture, rival, system, table};

/// Pinned, so that the same rival runs everywhere.
const LITELLM: [&str; 1] = ["litellm[proxy]==1.100.0"];
const LITELLM_KEY: &str = "sk-bench-master";
/// It loads for many seconds.
const PATIENCE: Duration = Duration::from_secs(300);
/// What is asked of everybody before anything is measured.
const WARM: usize = 20;
/// Bytes of the one document that Docent answers from.
const LIBRARY: usize = 60_000;

pub const DIRECT: &str = "direct call";
pub const PROXY: &str = "bare hyper proxy";
pub const RIVAL: &str = "LiteLLM";

pub struct Stage {
    // Dropped in this order: those who ask end before whom they ask.
    rival: Option<Part>,
    proxy: Part,
    provider: Part,
    pub http: Client,
    pub question: String,
    server: Postgres,
    asked: Cell<usize>,
    scratch: Scratch,
}

/// Docent, and everybody who can be asked.
pub struct Actors {
    _docent: Part,
    pub all: Vec<Target>,
}

impl Stage {
    pub async fn set(alone: bool) -> Outcome<Stage> {
        let scratch = Scratch::new()?;
        let log = |name: &str| scratch.0.join(format!("{name}.log"));
        let provider = Part::role("provider", &[], &[], &log("provider"))?;
        let proxy = Part::role("proxy", &["--target", &provider.url], &[], &log("proxy"))?;
        let rival = if alone { None } else { Some(litellm(&scratch, &provider.url)?) };
        let http = system::http()?;
        if let Some(rival) = &rival {
            ready(&http, &format!("{}/health/liveliness", rival.url)).await?;
        }
        let cache = Environment::process().get("HOME").map(|home| PathBuf::from(home).join(".cache/docent"));
        let cache = postgres::reachable(&cache.unwrap_or_else(|| scratch.0.join("cache")));
        let server = postgres::start(postgres::Options::new(scratch.0.join("postgres"), cache), &table::note).await?;
        let library = fixture::text(LIBRARY);
        let sentence = library.lines().nth(2).and_then(|paragraph| paragraph.split('.').next());
        let question = format!("{}?", sentence.ok_or("the library has no sentence")?);
        let stage = Stage { rival, proxy, provider, http, question, server, asked: Cell::new(0), scratch };
        stage.fill(library).await?;
        Ok(stage)
    }

    async fn fill(&self, library: String) -> Outcome<()> {
        let docent = self.docent(self.database())?;
        let ended = system::Client::new(docent.url.clone(), docent.token.clone())?;
        let ended = ended.ingest("library.md", library.into_bytes()).await?;
        match ended.document["status"].as_str() {
            Some("ready") => Ok(()),
            _ => Err(format!("the library was not read: {}", ended.document).into()),
        }
    }

    pub fn database(&self) -> String {
        self.server.url()
    }

    /// The same, by way of another port.
    pub fn database_through(&self, port: u16) -> Outcome<String> {
        let mut url = Url::parse(&self.server.url())?;
        url.set_port(Some(port)).map_err(|()| "the database's address takes no port")?;
        Ok(url.into())
    }

    pub fn database_port(&self) -> Outcome<u16> {
        Ok(Url::parse(&self.server.url())?.port().ok_or("the database has no port")?)
    }

    /// Docent as `docent up` starts it, but for its limit of requests and with as many connections as are asked at once.
    fn docent(&self, database: String) -> Outcome<Part> {
        let base = format!("{}/v1", self.provider.url);
        let environment = [
            ("DATABASE_URL", ""),
            ("DIRECT_DATABASE_URL", database.as_str()),
            ("DATABASE_POOL_SIZE", "16"),
            ("RATE_LIMIT_PER_MINUTE", "1000000"),
            ("OPENAI_API_KEY", "sk-of-the-bench"),
            ("OPENAI_BASE_URL", &base),
            ("OPENAI_MODEL", "mock"),
            ("LOG_LEVEL", "info"),
        ];
        let data = self.scratch.0.join("docent");
        let data = data.to_str().ok_or("the scratch folder's name is no text")?;
        Part::role("docent", &["--data", data], &environment, &self.scratch.0.join("docent.log"))
    }

    pub async fn actors(&self, database: String) -> Outcome<Actors> {
        let docent = self.docent(database)?;
        let target = |name, part: &Part, dialect| Target {
            name,
            url: part.url.clone(),
            token: part.token.clone(),
            dialect,
            processes: part.family(),
        };
        let model = Dialect::Completions("mock");
        let mut all = vec![
            Target { processes: Vec::new(), ..target(DIRECT, &self.provider, model) },
            target(PROXY, &self.proxy, model),
            target("Docent, /api/chat", &docent, Dialect::UiStream),
            target("Docent, /v1/chat/completions", &docent, Dialect::Completions("default")),
        ];
        all.extend(self.rival.as_ref().map(|rival| target(RIVAL, rival, model)));
        let actors = Actors { _docent: docent, all };
        self.behave(Manner::default()).await?;
        for target in &actors.all {
            for _ in 0..WARM {
                let mut reading = target.ask(&self.http, &self.question, self.number()).await?;
                while reading.more().await? {}
            }
        }
        Ok(actors)
    }

    /// Tells the provider how to answer.
    pub async fn behave(&self, manner: Manner) -> Outcome<()> {
        let told = self.http.post(format!("{}/manner", self.provider.url)).json(&manner).send().await?;
        told.error_for_status()?;
        Ok(())
    }

    /// One that no question had before.
    pub fn number(&self) -> usize {
        self.asked.replace(self.asked.get() + 1)
    }

    pub async fn strike(self) -> Outcome<()> {
        let Stage { rival, proxy, provider, server, .. } = self;
        drop((rival, proxy, provider));
        Ok(server.stop().await?)
    }
}

/// Its proxy with a master key, without a database, and with the one worker that is its default: of several, each must be
/// there within five seconds, or the server ends it and starts another.
fn litellm(scratch: &Scratch, provider: &str) -> Outcome<Part> {
    let python = rival::installed("bench-litellm", &LITELLM)?;
    let mut config = String::from("model_list:\n  - model_name: mock\n    litellm_params:\n");
    let _ = writeln!(config, "      model: openai/mock\n      api_base: {provider}/v1\n      api_key: sk-of-the-bench");
    let _ = writeln!(config, "general_settings:\n  master_key: {LITELLM_KEY}");
    let path = scratch.0.join("litellm.yaml");
    std::fs::write(&path, config)?;
    let mut command = Command::new(python.with_file_name("litellm"));
    command.arg("--config").arg(path).args(["--telemetry", "False"]);
    // Nothing is fetched at its start, and nothing goes another way than the others'.
    command.envs([("LITELLM_LOCAL_MODEL_COST_MAP", "True"), ("NO_PROXY", "127.0.0.1"), ("LITELLM_LOG", "ERROR")]);
    command.env_remove("DATABASE_URL");
    Part::other(&mut command, LITELLM_KEY, &scratch.0.join("litellm.log"))
}

async fn ready(http: &Client, url: &str) -> Outcome<()> {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        if http.get(url).send().await.is_ok_and(|response| response.status().is_success()) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Err(format!("{url} did not answer in {} s", PATIENCE.as_secs()).into())
}
