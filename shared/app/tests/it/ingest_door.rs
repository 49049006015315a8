//! The signed door of ingestion: who is let in, and what a batch of messages leads to.

use docent::config::Environment;
use docent::function::{self, Files};
use serde_json::json;

use crate::ingest::{TEXT, count, document};
use crate::world::{INGEST_SECRET, VARIABLES, World};

#[tokio::test]
async fn r2s_worker_must_sign() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = world.upload(&client, "moon.txt", TEXT).await;
    world.take_events().await;
    let key = docent::documents::object_key(client.tenant, id.parse().unwrap());
    let event = |key: &str| json!({ "account": "a", "action": "PutObject", "bucket": "docent", "object": { "key": key, "size": 1, "eTag": "x" }, "eventTime": "2026-01-01T00:00:00Z" });
    let body = json!({ "messages": [
        { "id": "m1", "attempts": 1, "body": event(&key) },
        { "id": "m2", "attempts": 1, "body": { "poison": true } },
        { "id": "m3", "attempts": 1, "body": event("not/ours") },
    ] })
    .to_string();
    let now = world.files.app.clock.now().as_second();
    let anon = &world.anon;
    let post = async |signature: &str| {
        anon.send("POST", "/api/ingest", Some(body.clone()), &[("x-ingest-signature", signature)]).await
    };
    let signed = |time: i64, secret: &str| format!("t={time},v1={}", hmac(secret, &format!("{time}.{body}")));
    for wrong in [
        String::new(),
        signed(now, "another secret entirely"),
        signed(now - 301, INGEST_SECRET),
        signed(now + 360, INGEST_SECRET),
    ] {
        let reply = post(&wrong).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (401, "unauthorized"), "{wrong}");
        assert_eq!(document(&client, &id).await["status"], "uploading");
    }
    let reply = post(&signed(now, INGEST_SECRET)).await;
    assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({ "failed": ["m2"] })));
    assert_eq!(document(&client, &id).await["status"], "ready");

    // Whoever overhears a request may send it again for five minutes, and changes nothing.
    let state = "select md5(string_agg(d::text || d.xmin::text, '')) from document d";
    let admin = world.admin().await;
    let before: String = admin.query_one(state, &[]).await.unwrap().get(0);
    for time in [now, now - 299] {
        let replayed = post(&signed(time, INGEST_SECRET)).await;
        assert_eq!(replayed.json(), json!({ "failed": ["m2"] }));
    }
    assert_eq!(admin.query_one(state, &[]).await.unwrap().get::<_, String>(0), before);
    assert_eq!(count(&admin, "select count(*) from ingest_event").await, 0);
}

#[tokio::test]
async fn without_secrets_nobody_is_let_in() {
    let world = World::new().await;
    let mut environment = Environment::default();
    for name in VARIABLES {
        environment = environment.with(name, world.environment.get(name).unwrap());
    }
    let bare = function::everything(Files::new(&environment, world.files.app.clone()).unwrap());
    for path in ["/api/ingest", "/api/ingest/sweep"] {
        let reply = world.anon.through(&bare).post(path, json!({})).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (503, "not_configured"), "{path}");
    }
    let reply = world.anon.send("GET", "/api/ingest/sweep", None, &[("authorization", "Bearer x")]).await;
    assert_eq!(reply.code(), "unauthorized");
    // A tenant's own token opens nothing here.
    assert_eq!(world.tenant_a.get("/api/ingest/sweep").await.code(), "unauthorized");
}

pub fn hmac(secret: &str, text: &str) -> String {
    use hmac::{KeyInit, Mac};
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}
