//! `docent reindex`, the real binary: says what is missing, makes it, and has nothing left to do.

use std::process::Output;

use docent::auth::{self, NewTenant};
use docent::clock::Clock;
use docent::config;
use docent::db::{Db, Role, migrate};
use serde_json::Value;
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
    postgres.stop().await.unwrap();
}
