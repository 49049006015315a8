//! `docent doctor`, the real binary: a system in order, and one thing after the other broken.

use std::collections::HashMap;

use docent_local::bucket;
use serde_json::Value;

use crate::keys::{docent, master};
use crate::postgres::{connect, directory, options, started};

const ORIGIN: &str = "https://app.example.com";

struct Deployment {
    environment: HashMap<String, String>,
}

impl Deployment {
    /// Everything that a deployment needs, and in order.
    fn whole(admin: &str, bucket: &str) -> Deployment {
        let mut app = url::Url::parse(admin).unwrap();
        app.set_username("docent_app").unwrap();
        app.set_password(Some("app-password-of-the-tests")).unwrap();
        let pairs = [
            ("DIRECT_DATABASE_URL", admin),
            ("DATABASE_URL", app.as_str()),
            ("S3_ENDPOINT", bucket),
            ("S3_BUCKET", "docent"),
            ("S3_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "access"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("MASTER_KEY_k1", &master("k1")),
            ("MASTER_KEY_CURRENT", "k1"),
            ("ALLOWED_ORIGINS", ORIGIN),
            ("INGEST_SECRET", "0123456789abcdef"),
            ("CRON_SECRET", "0123456789abcdef"),
        ];
        Deployment {
            environment: pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        }
    }

    fn set(&self, name: &str, value: &str) -> Deployment {
        let mut environment = self.environment.clone();
        environment.insert(name.to_owned(), value.to_owned());
        Deployment { environment }
    }

    async fn run(&self, arguments: &[&str]) -> (bool, String) {
        let output = docent(arguments).envs(&self.environment).output().await.unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.success(), said)
    }

    /// State, finding and next step of what is called so.
    async fn finding(&self, name: &str) -> (String, String, String) {
        let output = docent(&["doctor", "--json"]).envs(&self.environment).output().await.unwrap();
        let all: Value = serde_json::from_slice(&output.stdout).unwrap();
        let found = all
            .as_array()
            .unwrap()
            .iter()
            .find(|finding| finding["name"] == name)
            .unwrap_or_else(|| panic!("no `{name}` in {all}"));
        let text = |field: &str| found[field].as_str().unwrap().to_owned();
        (text("state"), text("found"), text("next"))
    }
}

/// A bucket of its own; it ends with the test's runtime.
#[expect(clippy::disallowed_methods, reason = "a test's own runtime outlives what it spawns")]
async fn bucket(folder: &std::path::Path) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut options = bucket::Options::new(folder.to_owned(), "access".to_owned(), "secret".to_owned(), "docent");
    options.allowed_origins = vec![ORIGIN.to_owned()];
    let (sender, _events) = tokio::sync::mpsc::channel(16);
    tokio::spawn(async move { bucket::serve(options, listener, sender).await });
    url
}

#[tokio::test]
async fn what_is_broken_is_named_with_what_to_do() {
    let name = "what_is_broken_is_named_with_what_to_do";
    let directory = directory();
    let Some(postgres) = started(name, options(&directory.path().join("postgres"))).await else { return };
    let admin = postgres.url();
    let whole = Deployment::whole(&admin, &bucket(&directory.path().join("bucket")).await);

    // Before the migrations: what is pending is named, and looking has made nothing.
    let (state, found, next) = whole.finding("schema").await;
    assert!(
        state == "bad" && found.contains("0001_walls") && next.contains("docent migrate"),
        "{state} {found} {next}"
    );
    let client = connect(&admin).await;
    let made: bool = client.query_one("select to_regnamespace('docent_meta') is not null", &[]).await.unwrap().get(0);
    assert!(!made, "a dry run made a schema");
    let (good, said) = whole.run(&["migrate"]).await;
    assert!(good, "{said}");

    let (good, said) = whole.run(&["doctor"]).await;
    assert!(good && said.contains("Nothing is broken"), "{said}");
    assert!(!said.contains("secret") && !said.contains("app-password"), "{said}");

    let admin_as_app = whole.set("DATABASE_URL", &admin);
    let other_key = whole.set("AWS_SECRET_ACCESS_KEY", "another");
    let other_page = whole.set("ALLOWED_ORIGINS", "https://evil.example.com");
    let no_master = whole.set("MASTER_KEY_k1", "");
    let slip = whole.set("DATABSE_URL", "postgres://x");
    for (broken, name, state, found, next) in [
        (&admin_as_app, "database answers", "bad", "is a superuser", "docent_app"),
        (
            &whole.set("DATABASE_URL", "postgres://docent_app:x@127.0.0.1:9/db"),
            "database answers",
            "bad",
            "does not answer",
            "",
        ),
        (&whole.set("DATABASE_URL", "mysql://x"), "database", "bad", "is not a Postgres URL", "postgres://"),
        (&other_key, "bucket's rights", "bad", "refuses our credentials", "AWS_ACCESS_KEY_ID"),
        (&whole.set("S3_ENDPOINT", "http://127.0.0.1:9"), "bucket's rights", "bad", "does not answer", ""),
        (&other_page, "bucket's CORS", "bad", "does not let it in", "AllowedOrigins"),
        (&no_master, "master keys", "bad", "MASTER_KEY", ""),
        (&whole.set("INGEST_SECRET", "short"), "ingestion's doors", "bad", "shorter than 16", "openssl"),
        (&whole.set("CRON_SECRET", ""), "ingestion's doors", "warning", "CRON_SECRET", "Vercel"),
        (&whole.set("INGEST_QUEUE_URL", "queue"), "worker's queue", "bad", "is not a URL", "sqs.<region>"),
        (&slip, "a name", "warning", "DATABSE_URL", "DATABASE_URL"),
    ] {
        let seen = broken.finding(name).await;
        assert!(seen.0 == state && seen.1.contains(found) && seen.2.contains(next), "{name}: {seen:?}");
    }
    postgres.stop().await.unwrap();
}
