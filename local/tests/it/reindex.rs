//! `docent reindex`, the real binary: says what is missing, makes it, and has nothing left to do.

use std::collections::BTreeSet;
use std::process::Output;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::Uri;
use axum::{Json, Router};
use docent::auth::{self, NewTenant};
use docent::clock::Clock;
use docent::config;
use docent::db::{Db, Role, migrate};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::postgres::{connect, directory, options, started};

/// A tenant's library with more chunks than are read whole.
const LIBRARY: &str = "
    insert into document (tenant_id, id, collection_id, filename, declared_size, object_key, status, current_revision, current_chunks,
      planned_chunks, stored_chunks)
    select c.tenant_id, gen_random_uuid(), c.id, 'f', 1, 'k', 'ready', 1, 5500, 5500, 5500 from collection c;
    insert into embedding (tenant_id, model, document_id, revision, ordinal, vector)
    select d.tenant_id, 'hash-384', d.id, 1, o, array(select random_normal() from generate_series(1, 8) where o is not null)::real[]::vector
    from document d, generate_series(1, 5500) o;";

async fn reindex(url: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_docent"));
    command.arg("reindex").args(arguments).env("DIRECT_DATABASE_URL", url).kill_on_drop(true);
    command.output().await.unwrap()
}

#[tokio::test]
async fn what_is_missing_is_told_made_and_told_no_more() {
    let directory = directory();
    let Some(postgres) = started("reindex", options(&directory.path().join("data"))).await else { return };
    let url = postgres.url();
    migrate::run(&url, None, migrate::Plan::Apply).await.unwrap();
    let operator = Db::new(&config::Database { url: url.clone(), pool_size: 1 }, Role::Operator).unwrap();
    let new = NewTenant { name: "Large", embedding_model: "hash-384" };
    let (tenant, _) = auth::create_tenant(&operator, &Clock::system(), new).await.unwrap();
    let admin = connect(&url).await;
    // The partition's own check is of 384 dimensions, which would only take longer.
    admin
        .batch_execute("alter table embedding_hash_384 drop constraint embedding_hash_384_vector_check")
        .await
        .unwrap();
    admin.batch_execute(LIBRARY).await.unwrap();

    let missing = reindex(&url, &["--check"]).await;
    assert_eq!(missing.status.code(), Some(1));
    let text = String::from_utf8(missing.stdout).unwrap();
    assert!(text.starts_with("missing: dense_") && text.contains(&tenant.uuid().to_string()), "{text}");

    let made = reindex(&url, &["--json"]).await;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let told: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!((&told["step"], &told["vectors"], &told["model"]), (&"make".into(), &5500.into(), &"hash-384".into()));

    let done = reindex(&url, &["--check", "--tenant", &tenant.uuid().to_string()]).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    let store = Store::default();
    let qdrant = store.clone().serve().await;
    let copy = async |arguments: &[&str], qdrant: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_docent"));
        command.args(["reindex", "--to", "qdrant"]).args(arguments).kill_on_drop(true);
        command.env("DIRECT_DATABASE_URL", &url).env("QDRANT_URL", qdrant).output().await.unwrap()
    };
    let nowhere = copy(&[], "").await;
    assert!(!nowhere.status.success() && String::from_utf8_lossy(&nowhere.stderr).contains("QDRANT_URL"));
    let away = copy(&[], "http://127.0.0.1:1").await;
    assert!(!away.status.success() && String::from_utf8_lossy(&away.stderr).contains("storage_unavailable"));
    let missing = copy(&["--check"], &qdrant).await;
    assert_eq!((missing.status.code(), store.ids()), (Some(1), 0), "{}", String::from_utf8_lossy(&missing.stderr));
    for expected in [5500, 0] {
        let copied = copy(&["--json", "--tenant", &tenant.uuid().to_string()], &qdrant).await;
        let told: Value = serde_json::from_slice(&copied.stdout).unwrap();
        assert_eq!((&told["vectors"], &told["missing"]), (&5500.into(), &expected.into()));
        assert_eq!(store.ids(), 5500);
    }
    assert!(copy(&["--check"], &qdrant).await.status.success());
    postgres.stop().await.unwrap();
}

/// As much of a Qdrant as keeps ids; shared/app tests what it is told.
#[derive(Clone, Default)]
struct Store(Arc<Mutex<BTreeSet<String>>>);

impl Store {
    fn ids(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    async fn serve(self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = async move |uri: Uri, body: Bytes| {
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            let mut ids = self.0.lock().unwrap();
            let texts = |list: &Value| -> Vec<String> {
                let texts = list.as_array().into_iter().flatten();
                texts.filter_map(|text| text.as_str().or(text["id"].as_str()).map(str::to_owned)).collect()
            };
            ids.extend(texts(&body["points"]));
            let known = texts(&body["ids"]).into_iter().filter(|id| ids.contains(id)).map(|id| json!({ "id": id }));
            let result = match uri.path().rsplit('/').next() {
                Some("collections") => json!({ "collections": [] }),
                Some("exists") => json!({ "exists": true }),
                Some("points") if body.get("ids").is_some() => known.collect(),
                _ => json!({ "operation_id": 1, "status": "completed" }),
            };
            Json(json!({ "result": result, "status": "ok", "time": 0.1 }))
        };
        let router = Router::new().fallback(answer).layer(DefaultBodyLimit::disable());
        #[expect(clippy::disallowed_methods, reason = "a test's own runtime outlives what it spawns")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }
}
