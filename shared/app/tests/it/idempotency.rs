//! Creating calls that are sent again: made once, answered alike, and nothing left of those that failed.

use std::time::Duration;

use docent::limits::idempotency::{Attempt, Once, TWIN_PATIENCE, once};
use http::StatusCode;
use serde_json::{Value, json};

use crate::world::{Client, Reply, World};

/// The three creating calls, a good body for each, a bad one, and where what they make is kept.
const CALLS: [(&str, &str, &str, &str); 3] = [
    ("/api/upload", r#"{"filename":"a.txt","size":3}"#, r#"{"filename":"a.exe","size":3}"#, "document"),
    ("/api/bots", r#"{"name":"Ask me"}"#, r#"{"name":""}"#, "bot"),
    ("/api/tokens", r#"{"name":"ci","scopes":["chat"]}"#, r#"{"name":"","scopes":["chat"]}"#, "token"),
];

async fn create(client: &Client, path: &str, body: &str, key: &str) -> Reply {
    client.send("POST", path, Some(body.to_owned()), &[("idempotency-key", key)]).await
}

fn replayed(reply: &Reply) -> bool {
    reply.headers.get("idempotency-replayed").is_some_and(|value| value == "true")
}

async fn rows(world: &World, table: &str) -> i64 {
    let sql = format!("select count(*) from {table} where tenant_id = $1");
    world.admin().await.query_one(&sql, &[&world.tenant_a.tenant.uuid()]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_retry_creates_once_and_is_told_the_same() {
    let world = World::new().await;
    for (path, body, _, table) in CALLS {
        let before = rows(&world, table).await;
        let first = create(&world.tenant_a, path, body, "k").await;
        assert_eq!((first.status, replayed(&first)), (StatusCode::CREATED, false), "{path}: {}", first.text());
        let again = create(&world.tenant_a, path, body, "k").await;
        assert_eq!((again.status, replayed(&again)), (StatusCode::CREATED, true), "{path}: {}", again.text());
        assert_eq!(rows(&world, table).await, before + 1, "{path}");
        let (mut first, again) = (first.json(), again.json());
        if table == "document" {
            // Signed anew: the first signature may have run out.
            assert_eq!(again["documentId"], first["documentId"]);
            assert_eq!(again["upload"]["headers"], first["upload"]["headers"]);
        } else {
            let shown = first.as_object_mut().unwrap().remove("token");
            assert_eq!(shown.is_some(), table == "token");
            assert_eq!(again, first, "{path}");
        }
        // Another key, no key and another tenant make something new.
        create(&world.tenant_a, path, body, "other").await;
        world.tenant_a.post(path, serde_json::from_str(body).unwrap()).await;
        assert_eq!(rows(&world, table).await, before + 3, "{path}");
        let foreign = create(&world.tenant_b, path, body, "k").await;
        assert!(foreign.status == StatusCode::CREATED && !replayed(&foreign), "{path}: {}", foreign.text());
        // One key belongs to one call.
        world.admin().await.batch_execute("delete from idempotency").await.unwrap();
    }
}

#[tokio::test]
async fn a_replayed_upload_can_be_uploaded() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let body = r#"{"filename":"a.txt","contentType":"text/plain","size":3}"#;
    create(&client, "/api/upload", body, "k").await;
    let again = create(&client, "/api/upload", body, "k").await.json();
    assert!(crate::world::put(&again["upload"], b"abc").await.status().is_success());
    world.settle().await;
    let document = client.get(&format!("/api/documents/{}", again["documentId"].as_str().unwrap())).await.json();
    assert_eq!(document["status"], "ready", "{document}");
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_two_twins_create_one() {
    let world = World::new().await;
    for (path, body, _, table) in CALLS {
        let before = rows(&world, table).await;
        let twins = (0..32).map(|_| create(&world.tenant_a, path, body, table));
        let replies = futures_util::future::join_all(twins).await;
        assert_eq!(rows(&world, table).await, before + 1, "{path}");
        // Those that waited too long for a connection or their twin would be told to come again.
        let made: Vec<&Reply> = replies.iter().filter(|reply| reply.status == StatusCode::CREATED).collect();
        assert_eq!(made.iter().filter(|reply| !replayed(reply)).count(), 1, "{path}");
        assert!(made.len() > 1, "{path}: {:?}", replies.iter().map(|reply| reply.status).collect::<Vec<_>>());
        let name = if table == "document" { "documentId" } else { "id" };
        assert!(made.iter().all(|reply| reply.json()[name] == made[0].json()[name]), "{path}");
        let late = replies.iter().filter(|reply| reply.status != StatusCode::CREATED);
        assert!(
            late.clone().all(|reply| reply.json()["retryable"] == true),
            "{path}: {:?}",
            late.map(Reply::text).collect::<Vec<_>>()
        );
    }
}

#[tokio::test]
async fn a_key_belongs_to_one_request() {
    let world = World::new().await;
    let client = &world.tenant_a;
    create(client, "/api/bots", r#"{"name":"One"}"#, "k").await;
    for (path, body) in [("/api/bots", r#"{"name":"Two"}"#), ("/api/tokens", r#"{"name":"One","scopes":["chat"]}"#)] {
        let other = create(client, path, body, "k").await;
        assert_eq!((other.status.as_u16(), other.code().as_str()), (422, "idempotency_mismatch"), "{path}");
    }
    let long = "k".repeat(256);
    for wrong in ["", "a b", &long] {
        let reply = create(client, "/api/bots", "{}", wrong).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, "invalid_request"), "{wrong:?}");
    }
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    let reply = client.send("POST", "/api/bots", Some("{}".to_owned()), &twice).await;
    assert_eq!(reply.code(), "invalid_request");
}

#[tokio::test]
async fn a_failure_leaves_no_key_behind() {
    let world = World::new().await;
    let client = &world.tenant_a;
    for (path, good, bad, table) in CALLS {
        let refused = create(client, path, bad, table).await;
        assert!(refused.status.is_client_error(), "{path}: {}", refused.text());
        assert_eq!(rows(&world, "idempotency").await, 0, "{path}");
        let made = create(client, path, good, table).await;
        assert!(made.status == StatusCode::CREATED && !replayed(&made), "{path}: {}", made.text());
        world.admin().await.batch_execute("delete from idempotency").await.unwrap();
    }
    assert_eq!(create(&world.anon, "/api/bots", "{}", "k").await.code(), "unauthorized");
    assert_eq!(rows(&world, "idempotency").await, 0);
}

/// A request whose client left in the middle is dropped: its claim goes with it, and so does what it had made.
#[tokio::test]
async fn a_dropped_request_leaves_nothing() {
    let world = World::new().await;
    let (db, tenant) = (&world.files.app.db, world.tenant_a.tenant);
    let body = r#"{"name":"Ask me"}"#;
    let attempt = Attempt::new(b"k", "POST /api/bots", body.as_bytes()).unwrap();
    let tx = db.tenant(tenant).await.unwrap();
    let never = async {
        tx.execute("update bot set name = 'half done' where tenant_id = $1 returning 1", &[]).await?;
        std::future::pending::<docent::Result<Value>>().await
    };
    let dropped = tokio::time::timeout(Duration::from_millis(300), once(&tx, Some(&attempt), never)).await;
    assert!(dropped.is_err());

    // Until then its twin waits, and is told so.
    let began = std::time::Instant::now();
    let twin = create(&world.tenant_a, "/api/bots", body, "k").await;
    assert_eq!((twin.status.as_u16(), twin.code().as_str()), (409, "idempotency_in_progress"), "{}", twin.text());
    assert!(twin.json()["retryable"] == true && twin.headers.contains_key("retry-after"));
    assert!(began.elapsed() >= TWIN_PATIENCE && began.elapsed() < TWIN_PATIENCE * 3, "{:?}", began.elapsed());

    drop(tx);
    let made = create(&world.tenant_a, "/api/bots", body, "k").await;
    assert!(made.status == StatusCode::CREATED && !replayed(&made), "{}", made.text());
    let sql = "select count(*) from bot where name = 'half done'";
    assert_eq!(world.admin().await.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test]
async fn a_secret_is_not_kept() {
    let world = World::new().await;
    let made = create(&world.tenant_a, "/api/tokens", CALLS[2].1, "k").await.json();
    let token = made["token"].as_str().unwrap();
    let kept = world.admin().await.query_one("select response from idempotency", &[]).await.unwrap();
    let kept: String = kept.get(0);
    assert!(kept.contains(made["id"].as_str().unwrap()) && !kept.contains(&token[token.len() - 12..]), "{kept}");
}

#[tokio::test]
async fn a_day_later_a_key_is_new_and_the_sweep_forgets_it() {
    let world = World::new().await;
    let (client, admin) = (&world.tenant_a, world.admin().await);
    let body = r#"{"name":"Ask me"}"#;
    let first = create(client, "/api/bots", body, "k").await.json();
    create(client, "/api/bots", body, "young").await;
    let age = "update idempotency set created_at = now() - interval '86410 seconds' where key = 'k'";
    admin.batch_execute(age).await.unwrap();
    let later = create(client, "/api/bots", body, "k").await;
    assert!(!replayed(&later) && later.json()["id"] != first["id"], "{}", later.text());
    assert!(replayed(&create(client, "/api/bots", body, "k").await));

    admin.batch_execute(age).await.unwrap();
    admin
        .batch_execute("update rate_bucket set arrival = now() - interval '1 second' where bucket <> 'tenant'")
        .await
        .unwrap();
    world.files.ingest.sweep().await.unwrap();
    let left = admin
        .query(
            "select key from idempotency union all select bucket from rate_bucket where tenant_id = $1",
            &[&client.tenant.uuid()],
        )
        .await
        .unwrap();
    let left: Vec<String> = left.iter().map(|row| row.get(0)).collect();
    assert!(left.contains(&"young".to_owned()) && !left.contains(&"k".to_owned()), "{left:?}");
    assert!(!left.iter().any(|name| name.starts_with("token:")), "{left:?}");
}

#[tokio::test]
async fn without_a_key_every_call_counts() {
    let world = World::new().await;
    let tx = world.files.app.db.tenant(world.tenant_a.tenant).await.unwrap();
    let made = once(&tx, None, async { Ok(json!({ "id": 1 })) }).await.unwrap();
    assert_eq!(made, Once::Made(json!({ "id": 1 })));
    assert_eq!(rows(&world, "idempotency").await, 0);
}
