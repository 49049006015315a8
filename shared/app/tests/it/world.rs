//! A whole system per test: a database cloned from one migrated template, a bucket, two tenants, and the router.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use docent::App;
use docent::auth::{self, NewTenant, TenantId};
use docent::clock::Clock;
use docent::config::{self, Environment};
use docent::db::{Db, Role, migrate};
use docent::function::{self, Files};
use docent_local::{bucket, postgres};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::sync::{OnceCell, mpsc};
use tower::ServiceExt;

use crate::qdrant::{self, Qdrant};

pub const APP_PASSWORD: &str = "app-password-of-the-tests";
/// Chunks of one batch: a test's document has several.
pub const BATCH: usize = 64;
pub const INGEST_SECRET: &str = "ingest-secret-of-the-tests";
pub const CRON_SECRET: &str = "cron-secret-of-the-tests";

/// What a function cannot start without.
pub const VARIABLES: [&str; 8] = [
    "DATABASE_URL",
    "S3_ENDPOINT",
    "S3_BUCKET",
    "S3_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "MASTER_KEY_t1",
    "MASTER_KEY_CURRENT",
];

/// One server for the whole test binary; it dies with it.
static SERVER: OnceCell<Server> = OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(1);

struct Server {
    postgres: postgres::Postgres,
    // Removed by the next run's start, not by this one's end: statics are not dropped.
    _folder: PathBuf,
}

async fn server() -> &'static Server {
    SERVER
        .get_or_init(|| async {
            let base = postgres::reachable(&std::env::temp_dir().join("docent-tests"));
            let folder = base.join(std::process::id().to_string());
            for stale in std::fs::read_dir(&base).into_iter().flatten().flatten() {
                let alive = stale.file_name().to_str().is_some_and(|pid| PathBuf::from("/proc").join(pid).exists());
                if !alive {
                    let _ = std::fs::remove_dir_all(stale.path());
                }
            }
            let cache = std::env::var_os("HOME").map_or(base.clone(), |home| PathBuf::from(home).join(".cache/docent"));
            let mut options = postgres::Options::new(folder.join("postgres"), postgres::reachable(&cache));
            options.fast = true;
            let postgres =
                postgres::start(options, &|step| eprintln!("· {step}")).await.expect("an embedded Postgres starts");
            let admin = connect(&postgres.url()).await;
            admin.batch_execute("create database template_docent").await.unwrap();
            let template = with_database(&postgres.url(), "template_docent");
            let app = app_url(&template);
            migrate::run(&template, Some(&app), migrate::Plan::Apply).await.expect("the migrations run");
            Server { postgres, _folder: folder }
        })
        .await
}

/// The administrator's URL of a new, migrated, empty database.
pub async fn database() -> String {
    let server = server().await;
    let name = format!("t{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    let admin = connect(&server.postgres.url()).await;
    let sql = format!("create database {name} template template_docent strategy file_copy");
    // Cloning refuses while another clone is being made.
    for _ in 0..100 {
        match admin.batch_execute(&sql).await {
            Ok(()) => return with_database(&server.postgres.url(), &name),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    panic!("no database could be cloned");
}

/// A plain connection whose driver runs on this test's runtime.
pub async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("the server answers");
    spawn(async move {
        let _ = connection.await;
    });
    client
}

#[expect(clippy::disallowed_methods, reason = "a test's own runtime outlives what it spawns")]
pub fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(work);
}

fn with_database(url: &str, name: &str) -> String {
    let mut url = url::Url::parse(url).unwrap();
    url.set_path(name);
    url.to_string()
}

pub fn app_url(admin: &str) -> String {
    let mut url = url::Url::parse(admin).unwrap();
    url.set_username("docent_app").unwrap();
    url.set_password(Some(APP_PASSWORD)).unwrap();
    url.to_string()
}

pub struct World {
    pub admin_url: String,
    pub environment: Environment,
    pub files: Files,
    pub tenant_a: Client,
    pub tenant_b: Client,
    pub anon: Client,
    pub events: mpsc::Receiver<String>,
    pub qdrant: Option<Qdrant>,
    pub _folder: tempfile::TempDir,
}

impl World {
    pub async fn new() -> World {
        World::with(|files| files).await
    }

    /// `adjust` may swap a part of the system before its router is built.
    pub async fn with(adjust: impl FnOnce(Files) -> Files) -> World {
        // The whole suite on the other store, for whoever wants to see it.
        let qdrant = match Environment::process().get("DOCENT_TEST_VECTORS") {
            Some("qdrant") => Some(Qdrant::start().await),
            _ => None,
        };
        World::built(qdrant, adjust).await
    }

    /// One with its vectors in Postgres, one with copies in a Qdrant: what holds in one holds in the other.
    pub async fn on_each_store() -> [World; 2] {
        [World::built(None, |files| files).await, World::on_qdrant().await]
    }

    pub async fn on_qdrant() -> World {
        World::built(Some(Qdrant::start().await), |files| files).await
    }

    async fn built(qdrant: Option<Qdrant>, adjust: impl FnOnce(Files) -> Files) -> World {
        let admin_url = database().await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let mut environment = environment(&app_url(&admin_url), &endpoint);
        if let Some(qdrant) = &qdrant {
            environment = environment.with("QDRANT_URL", qdrant.url.as_str()).with("QDRANT_API_KEY", qdrant::KEY);
        }
        let folder = tempfile::tempdir().unwrap();
        let (sender, events) = mpsc::channel(1000);
        let options =
            bucket::Options::new(folder.path().join("bucket"), "test-access", "test-secret".to_owned(), "docent");
        spawn(async move {
            let _ = bucket::serve(options, listener, sender).await;
        });
        let app = App::new(&environment).unwrap();
        let files = adjust(Files::new(&environment, app).unwrap());
        let operator = Db::new(&config::Database { url: admin_url.clone(), pool_size: 1 }, Role::Operator).unwrap();
        let router = function::everything(files.clone());
        let tenant_a = Client::of_new_tenant(&operator, &router, "Acme").await;
        let tenant_b = Client::of_new_tenant(&operator, &router, "Bolt").await;
        let anon = Client { router: router.clone(), token: None, tenant: tenant_a.tenant };
        World { admin_url, environment, files, tenant_a, tenant_b, anon, events, qdrant, _folder: folder }
    }

    /// Uploads as a browser would, and gives the document's id; nothing is ingested yet.
    pub async fn upload(&self, client: &Client, filename: &str, bytes: &[u8]) -> String {
        let created = client.post("/api/upload", json!({ "filename": filename, "size": bytes.len() })).await;
        assert_eq!(created.status, StatusCode::CREATED, "{}", created.text());
        let created = created.json();
        let put = put(&created["upload"], bytes).await;
        assert!(put.status().is_success(), "the bucket answered {}", put.status());
        created["documentId"].as_str().unwrap().to_owned()
    }

    /// Hands the bucket's notifications to ingestion until none comes any more.
    pub async fn settle(&mut self) {
        while let Ok(Some(event)) = tokio::time::timeout(Duration::from_millis(200), self.events.recv()).await {
            self.files.ingest.message(&event).await.expect("the message is ingested");
        }
    }

    /// Takes the notifications without ingesting them: lost events, or ones to be replayed.
    pub async fn take_events(&mut self) -> Vec<String> {
        let mut taken = Vec::new();
        while let Ok(Some(event)) = tokio::time::timeout(Duration::from_millis(200), self.events.recv()).await {
            taken.push(event);
        }
        taken
    }

    /// Uploads, ingests, and expects the document to be ready.
    pub async fn ready(&mut self, client: &Client, filename: &str, bytes: &[u8]) -> String {
        let id = self.upload(client, filename, bytes).await;
        self.settle().await;
        let document = client.get(&format!("/api/documents/{id}")).await.json();
        assert_eq!(document["status"], "ready", "{document}");
        id
    }

    /// Rows of every tenant, as the superuser sees them.
    pub async fn admin(&self) -> tokio_postgres::Client {
        connect(&self.admin_url).await
    }
}

pub fn environment(app_url: &str, bucket: &str) -> Environment {
    Environment::default()
        .with("DATABASE_URL", app_url)
        .with("S3_ENDPOINT", bucket)
        .with("S3_BUCKET", "docent")
        .with("S3_REGION", "us-east-1")
        .with("AWS_ACCESS_KEY_ID", "test-access")
        .with("AWS_SECRET_ACCESS_KEY", "test-secret")
        .with("MASTER_KEY_t1", "3q2+7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs=")
        .with("MASTER_KEY_CURRENT", "t1")
        .with("INGEST_SECRET", INGEST_SECRET)
        .with("CRON_SECRET", CRON_SECRET)
        .with("ALLOW_LOOPBACK_PROVIDERS", "1")
        .with("PROVIDER_ORIGINS", "https://api.example.com")
        .with("EMBEDDING_MODEL", "hash-384")
        .with("DOCENT_ENV", "development")
        .with("RATE_LIMIT_PER_MINUTE", "1000000")
        .with("INGEST_BATCH_CHUNKS", BATCH.to_string())
        .with("EMBEDDING_PACES", "paced=6000/1000000")
}

/// Sends a file to a presigned URL with exactly the headers that were signed.
pub async fn put(upload: &Value, bytes: &[u8]) -> reqwest::Response {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = http.put(upload["url"].as_str().unwrap()).body(bytes.to_vec());
    for (name, value) in upload["headers"].as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    request.send().await.unwrap()
}

/// A caller with its credential, going through the router.
#[derive(Clone)]
pub struct Client {
    router: Router,
    pub token: Option<String>,
    pub tenant: TenantId,
}

impl Client {
    pub async fn of_new_tenant(operator: &Db, router: &Router, name: &str) -> Client {
        let new = NewTenant { name, embedding_model: "hash-384" };
        let (tenant, token) = auth::create_tenant(operator, &Clock::system(), new).await.expect("a tenant is created");
        Client { router: router.clone(), token: Some(token.expose_secret().to_owned()), tenant }
    }

    pub fn new(router: &Router, token: &str, tenant: TenantId) -> Client {
        Client { router: router.clone(), token: Some(token.to_owned()), tenant }
    }

    pub fn with_token(&self, token: &str) -> Client {
        Client { token: Some(token.to_owned()), ..self.clone() }
    }

    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// The same credential, through another router.
    pub fn through(&self, router: &Router) -> Client {
        Client { router: router.clone(), ..self.clone() }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, None, &[]).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send("POST", path, Some(body.to_string()), &[]).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, None, &[]).await
    }

    pub async fn send(&self, method: &str, path: &str, body: Option<String>, headers: &[(&str, &str)]) -> Reply {
        let mut request = http::Request::builder().method(method).uri(path);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() && headers.iter().all(|(name, _)| *name != "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.map_or_else(Body::empty, Body::from)).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("the body ends cleanly").to_bytes();
        Reply { status: parts.status, headers: parts.headers, body: body.to_vec() }
    }

    /// Asks, and leaves the stream to be read piece by piece.
    pub async fn open_answer(&self, conversation: &str, text: &str) -> OpenAnswer {
        self.open(json!({ "id": conversation, "messages": [{ "role": "user", "content": text }] })).await
    }

    pub async fn open(&self, body: Value) -> OpenAnswer {
        let request = http::Request::post("/api/chat").header("content-type", "application/json");
        let request = request.header("authorization", format!("Bearer {}", self.token.as_deref().unwrap_or_default()));
        let response = self.router.clone().oneshot(request.body(Body::from(body.to_string())).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        OpenAnswer(response.into_body())
    }

    /// From here on the first bot asks the model `m` of the provider that answers there.
    pub async fn answered_by(&self, base: &str) {
        let key = json!({ "key": "sk-test", "baseUrl": base }).to_string();
        assert_eq!(self.send("PUT", "/api/keys/acme", Some(key), &[]).await.status, 200);
        let bots = self.get("/api/bots").await.json();
        let path = format!("/api/bots/{}", bots["bots"][0]["id"].as_str().unwrap());
        let bot = json!({ "provider": "acme", "model": "m" }).to_string();
        assert_eq!(self.send("PATCH", &path, Some(bot), &[]).await.status, 200);
    }

    /// Asks a question in a conversation.
    pub async fn ask(&self, conversation: &str, text: &str) -> Reply {
        let message = json!({ "id": "m", "role": "user", "parts": [{ "type": "text", "text": text }] });
        self.post("/api/chat", json!({ "id": conversation, "messages": [message], "trigger": "submit-message" })).await
    }
}

/// An answer that is still being streamed.
pub struct OpenAnswer(Body);

impl OpenAnswer {
    /// Reads up to the frame that contains `mark`, and gives that frame.
    pub async fn until(&mut self, mark: &str) -> String {
        while let Some(frame) = self.frame().await {
            if frame.contains(mark) {
                return frame;
            }
        }
        panic!("the stream ended before {mark}");
    }

    /// Reads up to the frame that contains `mark`, and gives all that came.
    pub async fn all_until(&mut self, mark: &str) -> String {
        let mut all = String::new();
        while !all.contains(mark) {
            all += &self.frame().await.expect("the stream goes on");
        }
        all
    }

    async fn frame(&mut self) -> Option<String> {
        let frame = self.0.frame().await?;
        Some(String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap())
    }
}

pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The stream's chunks, comments and `[DONE]` left out.
    pub fn chunks(&self) -> Vec<Value> {
        let text = self.text();
        let data = text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
        data.map(|data| serde_json::from_str(data).expect("each chunk is JSON")).collect()
    }

    /// The answer's text.
    pub fn answer(&self) -> String {
        self.chunks()
            .iter()
            .filter(|chunk| chunk["type"] == "text-delta")
            .filter_map(|chunk| chunk["delta"].as_str().map(str::to_owned))
            .collect()
    }
}

/// Waits for something that another part of the system does.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut check: impl FnMut() -> F) {
    let started = Instant::now();
    while !check().await {
        assert!(started.elapsed() < Duration::from_secs(20), "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
