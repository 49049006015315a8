//! A real Postgres and a real bucket for the functions, and what their environment says about them.
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use docent::{auth, clock::Clock, config, db};
use docent_local::{bucket, postgres};
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::{net::TcpListener, sync::mpsc};

use crate::door::PATIENCE;

pub const SECRET: &str = "the-secret-of-the-queue-worker";

/// Database, bucket and what the functions are told about them.
pub struct Backend {
    pub environment: Vec<(String, String)>,
    pub admin: String,
    events: mpsc::Receiver<String>,
    _postgres: postgres::Postgres,
    _folder: tempfile::TempDir,
}

impl Backend {
    pub async fn start() -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}-{}", std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed));
        let home = postgres::reachable(&std::env::temp_dir().join("docent-doors")).join(name);
        let cache = std::env::home_dir().unwrap_or_else(std::env::temp_dir).join(".cache/docent");
        let mut options = postgres::Options::new(home, postgres::reachable(&cache));
        (options.fast, options.fresh) = (true, true);
        let postgres = postgres::start(options, &|step| println!("· {step}")).await.expect("Postgres starts");
        let admin = postgres.url();
        let app = format!("postgres://docent_app:of-the-doors@{}", admin.split_once('@').expect("a URL with a host").1);
        db::migrate::run(&admin, Some(&app), db::migrate::Plan::Apply).await.expect("the schema installs");
        let folder = tempfile::tempdir().expect("a folder");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let (sender, events) = mpsc::channel(100);
        let options = bucket::Options::new(folder.path(), "access", "secret".to_owned(), "documents");
        spawn(async move { drop(bucket::serve(options, listener, sender).await) });
        let pairs = [
            ("DATABASE_URL", app.as_str()),
            ("S3_ENDPOINT", &endpoint),
            ("S3_BUCKET", "documents"),
            ("S3_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "access"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("INGEST_SECRET", SECRET),
            ("EMBEDDING_MODEL", "hash-384"),
            ("DOCENT_ENV", "development"),
            ("RATE_LIMIT_PER_MINUTE", "1000000"),
        ];
        let environment = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Self { environment, admin, events, _postgres: postgres, _folder: folder }
    }

    pub fn environment(&self) -> Vec<(&str, &str)> {
        self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// A tenant of its own for each door, so that none can lean on what another ingested.
    pub async fn tenant(&self, name: &str) -> String {
        let config = config::Database { url: self.admin.clone(), pool_size: 1 };
        let operator = db::Db::new(&config, db::Role::Operator).expect("a pool");
        let new = auth::NewTenant { name, embedding_model: "hash-384" };
        let (_, token) = auth::create_tenant(&operator, &Clock::system(), new).await.expect("a tenant");
        format!("Bearer {}", token.expose_secret())
    }

    pub async fn event(&mut self) -> String {
        let event = tokio::time::timeout(PATIENCE, self.events.recv()).await.expect("the bucket notifies");
        event.expect("the bucket runs")
    }
}

/// Sends bytes to a presigned URL with exactly the headers that were signed.
pub async fn put(upload: &Value, bytes: &[u8]) {
    let mut request = client().put(upload["url"].as_str().expect("a URL")).body(bytes.to_vec());
    for (name, value) in upload["headers"].as_object().expect("headers") {
        request = request.header(name, value.as_str().expect("text"));
    }
    let response = request.send().await.expect("the bucket answers");
    assert!(response.status().is_success(), "{}", response.status());
}

pub fn client() -> reqwest::Client {
    static PROVIDER: LazyLock<()> = LazyLock::new(|| drop(rustls::crypto::ring::default_provider().install_default()));
    LazyLock::force(&PROVIDER);
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

#[expect(clippy::disallowed_methods, reason = "a test's own runtime outlives what it spawns")]
pub fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(work);
}

impl Backend {
    /// As the superuser, who sees every tenant.
    pub async fn connect(&self) -> tokio_postgres::Client {
        let (client, connection) =
            tokio_postgres::connect(&self.admin, tokio_postgres::NoTls).await.expect("a connection");
        spawn(async move { drop(connection.await) });
        client
    }
}
