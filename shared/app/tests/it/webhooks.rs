//! Webhooks: told once the change is there, signed, told again until somebody hears, and ended with a reason.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use docent::function::Files;
use docent::webhooks::{BACKOFF, MOST_WEBHOOKS};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::ingest::count;
use crate::origin::{Heard, Origin};
use crate::world::{Client, World};

const TEXT: &[u8] = b"The bell of Husum rings when the tide is three metres high.";

async fn hook(client: &Client, url: &str, events: Value) -> Value {
    let made = client.post("/api/webhooks", json!({ "url": url, "events": events })).await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()
}

fn all() -> Value {
    json!(["document.ready", "document.failed", "document.deleted"])
}

/// Checks a message as a receiver does, by the scheme's own words, and gives its body.
fn verified(heard: &Heard, secret: &str) -> Value {
    let header = |name: &str| heard.headers[name].to_str().unwrap();
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{}.{}.", header("webhook-id"), header("webhook-timestamp")).as_bytes());
    mac.update(&heard.body);
    let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(header("webhook-signature"), expected);
    assert_eq!(header("content-type"), "application/json");
    let now = docent::clock::Clock::system().now().as_second();
    assert!((now - header("webhook-timestamp").parse::<i64>().unwrap()).abs() < 60);
    serde_json::from_slice(&heard.body).unwrap()
}

async fn due(world: &World) {
    world
        .admin()
        .await
        .batch_execute("update webhook_delivery set due_at = now() where due_at < 'infinity'")
        .await
        .unwrap();
}

#[tokio::test]
async fn endpoints_are_told_what_became_of_documents() {
    let mut world = World::new().await;
    let (client, origin) = (world.tenant_a.clone(), Origin::start().await);
    origin.set("/hook", 200, &[], b"thanks");
    let made = hook(&client, &format!("{}/hook", origin.url), all()).await;
    let secret = made["secret"].as_str().unwrap().to_owned();
    hook(&client, &format!("{}/only-failed", origin.url), json!(["document.failed"])).await;
    let id = world.ready(&client, "bell.txt", TEXT).await;
    world.files.ingest.deliver().await.unwrap();
    let heard = origin.heard();
    assert_eq!(heard.len(), 1, "{heard:?}");
    let told = verified(&heard[0], &secret);
    assert_eq!((&told["type"], &told["data"]["documentId"]), (&json!("document.ready"), &json!(id)));
    assert_eq!(
        (&told["data"]["filename"], &told["data"]["version"], &told["data"]["error"]),
        (&json!("bell.txt"), &json!(1), &Value::Null)
    );
    assert!(told["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());

    let poor = world.upload(&client, "poor.pdf", b"%PDF-1.7 that is none").await;
    world.settle().await;
    client.delete(&format!("/api/documents/{id}")).await;
    world.ready(&world.tenant_b.clone(), "other.txt", TEXT).await;
    origin.set("/only-failed", 204, &[], b"");
    while world.files.ingest.deliver().await.unwrap() > 0 {}
    let mut heard: Vec<(String, String, String)> = origin
        .heard()
        .iter()
        .map(|one| {
            let body: Value = serde_json::from_slice(&one.body).unwrap();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            assert!(body["type"] != "document.failed" || body["data"]["error"]["code"].is_string(), "{body}");
            (one.path.clone(), text(&body["type"]), text(&body["data"]["documentId"]))
        })
        .collect();
    heard.sort();
    let expected = [
        ("/hook", "document.deleted", &id),
        ("/hook", "document.failed", &poor),
        ("/only-failed", "document.failed", &poor),
    ];
    assert_eq!(
        heard,
        expected.map(|(path, kind, id)| (path.to_owned(), kind.to_owned(), id.clone())),
        "and nothing of the other tenant"
    );
    let admin = world.admin().await;
    assert_eq!(count(&admin, "select count(*) from webhook_delivery where delivered_at is null").await, 0);
}

#[tokio::test]
async fn what_is_not_heard_is_told_again_with_the_same_id() {
    let mut world = World::new().await;
    let (client, origin) = (world.tenant_a.clone(), Origin::start().await);
    origin.set("/hook", 500, &[], b"canary-of-the-endpoint");
    let made = hook(&client, &format!("{}/hook", origin.url), all()).await;
    let path = format!("/api/webhooks/{}", made["id"].as_str().unwrap());
    world.ready(&client, "bell.txt", TEXT).await;
    let tries = BACKOFF.len() + 1;
    for _ in 0..tries + 2 {
        world.files.ingest.deliver().await.unwrap();
        due(&world).await;
    }
    let heard = origin.heard();
    assert_eq!(heard.len(), tries, "after the last pause it is given up");
    let ids: std::collections::BTreeSet<_> = heard.iter().map(|one| one.headers["webhook-id"].clone()).collect();
    assert_eq!(ids.len(), 1, "one message, one id");
    let shown = client.get(&path).await.text();
    assert!(shown.contains("failingSince") && !shown.contains("canary"), "{shown}");

    // Heard again: what was wrong is forgotten.
    origin.set("/hook", 200, &[], b"");
    world.ready(&client, "bell2.txt", TEXT).await;
    world.files.ingest.deliver().await.unwrap();
    assert_eq!(client.get(&path).await.json()["failingSince"], Value::Null);
    let admin = world.admin().await;
    assert_eq!(count(&admin, "select count(*) from webhook_delivery where delivered_at is not null").await, 1);
}

#[tokio::test]
async fn an_endpoint_that_stays_silent_or_is_gone_is_disabled_with_a_reason() {
    let mut world = World::new().await;
    let (client, origin) = (world.tenant_a.clone(), Origin::start().await);
    origin.set("/silent", 503, &[], b"");
    origin.set("/gone", 410, &[], b"");
    origin.set("/away", 302, &[("location", "http://169.254.169.254/")], b"");
    let mut paths = Vec::new();
    for path in ["silent", "gone", "away"] {
        let made = hook(&client, &format!("{}/{path}", origin.url), all()).await;
        paths.push(format!("/api/webhooks/{}", made["id"].as_str().unwrap()));
    }
    let id = world.ready(&client, "bell.txt", TEXT).await;
    world.files.ingest.deliver().await.unwrap();
    assert_eq!(client.get(&paths[0]).await.json()["enabled"], true);
    let gone = client.get(&paths[1]).await.json();
    assert_eq!((&gone["enabled"], &gone["disabledReason"]), (&json!(false), &json!("The endpoint answered 410 Gone.")));
    assert_eq!(origin.heard().len(), 3, "a redirect is not followed");
    let admin = world.admin().await;
    admin
        .batch_execute("update webhook set failing_since = now() - interval '6 days' where failing_since is not null")
        .await
        .unwrap();
    due(&world).await;
    world.files.ingest.deliver().await.unwrap();
    let silent = client.get(&paths[0]).await.json();
    let reason = silent["disabledReason"].as_str().unwrap();
    assert!(reason.contains("5 days") && reason.contains("503"), "{silent}");
    origin.heard();
    client.delete(&format!("/api/documents/{id}")).await;
    due(&world).await;
    world.files.ingest.deliver().await.unwrap();
    assert!(origin.heard().is_empty(), "a disabled endpoint is told nothing");

    let enabled = client.send("PATCH", &paths[0], Some(json!({ "enabled": true }).to_string()), &[]).await.json();
    assert_eq!((&enabled["enabled"], &enabled["disabledReason"]), (&json!(true), &Value::Null));
    origin.set("/silent", 200, &[], b"");
    let id = world.ready(&client, "bell2.txt", TEXT).await;
    assert_eq!(world.files.ingest.deliver().await.unwrap(), 1);
    let off = json!({ "enabled": false }).to_string();
    assert_eq!(client.send("PATCH", &paths[0], Some(off), &[]).await.json()["disabledReason"], "Disabled by hand.");
    client.delete(&format!("/api/documents/{id}")).await;
    assert_eq!(world.files.ingest.deliver().await.unwrap(), 0);
}

#[tokio::test]
async fn endpoints_are_the_admins_and_their_secrets_are_shown_once() {
    let world = World::new().await;
    let client = world.tenant_a.clone();
    let body = json!({ "url": "https://example.com/hook" }).to_string();
    let first = client.send("POST", "/api/webhooks", Some(body.clone()), &[("idempotency-key", "one")]).await.json();
    let again = client.send("POST", "/api/webhooks", Some(body), &[("idempotency-key", "one")]).await.json();
    assert!(first["secret"].as_str().unwrap().starts_with("whsec_"));
    assert_eq!((&again["id"], &again["secret"]), (&first["id"], &Value::Null));
    assert_eq!(first["events"], all());
    let path = format!("/api/webhooks/{}", first["id"].as_str().unwrap());
    for reply in [client.get("/api/webhooks").await, client.get(&path).await] {
        assert!(!reply.text().contains("whsec_"), "{}", reply.text());
    }
    let admin = world.admin().await;
    let blob: Vec<u8> = admin.query_one("select secret from webhook", &[]).await.unwrap().get(0);
    let secret = STANDARD.decode(first["secret"].as_str().unwrap().strip_prefix("whsec_").unwrap()).unwrap();
    assert!(!blob.windows(secret.len()).any(|part| part == secret), "it is sealed");

    for (wrong, why) in [
        (json!({ "url": "http://example.com/" }), "http"),
        (json!({ "url": "https://169.254.169.254/" }), "metadata"),
        (json!({ "url": "https://user:pass@example.com/" }), "user"),
        (json!({ "url": "https://example.com:8443/" }), "port"),
        (json!({ "url": format!("https://example.com/{}", "a".repeat(2048)) }), "long"),
        (json!({ "url": "nothing" }), "no address"),
        (json!({ "url": "https://example.com/", "events": [] }), "no event"),
        (json!({ "url": "https://example.com/", "events": ["document.read"] }), "unknown event"),
        (json!({ "url": "https://example.com/", "secret": "whsec_mine" }), "its own secret"),
    ] {
        assert_eq!(client.post("/api/webhooks", wrong).await.code(), "invalid_request", "{why}");
    }
    for reply in [world.tenant_b.get(&path).await, world.tenant_b.delete(&path).await] {
        assert_eq!(reply.code(), "not_found");
    }
    let changed = json!({ "url": "https://example.com/other", "events": ["document.ready"] }).to_string();
    let changed = client.send("PATCH", &path, Some(changed), &[]).await.json();
    assert_eq!(
        (&changed["url"], &changed["events"]),
        (&json!("https://example.com/other"), &json!(["document.ready"]))
    );
    let most = usize::try_from(MOST_WEBHOOKS).unwrap();
    for number in 1..most {
        hook(&client, &format!("https://example.com/{number}"), all()).await;
    }
    assert_eq!(client.post("/api/webhooks", json!({ "url": "https://example.com/" })).await.code(), "conflict");
    assert_eq!(client.delete(&path).await.status, 204);
    assert_eq!(client.post("/api/webhooks", json!({ "url": "https://example.com/" })).await.status, 201);
}

/// No state change without its message, and no message without its change.
#[tokio::test]
async fn the_outbox_is_written_with_the_change() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    hook(&client, "https://example.com/hook", all()).await;
    let id = world.ready(&client, "bell.txt", TEXT).await;
    let admin = world.admin().await;
    let outbox = async || count(&admin, "select count(*) from webhook_delivery").await;
    assert_eq!(outbox().await, 1);
    admin.batch_execute("begin; update document set deleted_at = now(); rollback").await.unwrap();
    assert_eq!(outbox().await, 1, "what was rolled back is not told");
    admin.batch_execute("update document set updated_at = now(), metadata = '{}'").await.unwrap();
    assert_eq!(outbox().await, 1, "other changes are nobody's business");
    client.delete(&format!("/api/documents/{id}")).await;
    client.delete(&format!("/api/documents/{id}")).await;
    assert_eq!(outbox().await, 2, "a deletion is told once");
}

/// Secrets follow the master keys, and old messages go.
#[tokio::test]
async fn the_sweep_keeps_house() {
    let mut world = World::new().await;
    let (client, origin) = (world.tenant_a.clone(), Origin::start().await);
    origin.set("/hook", 200, &[], b"");
    let made = hook(&client, &format!("{}/hook", origin.url), all()).await;
    world.ready(&client, "bell.txt", TEXT).await;
    world.files.ingest.deliver().await.unwrap();
    let admin = world.admin().await;
    admin.batch_execute("update webhook_delivery set delivered_at = now() - interval '8 days'").await.unwrap();
    let environment = world
        .environment
        .clone()
        .with("MASTER_KEY_t2", "YH2l+LI8cG6c4iaRcSLy5ukzPoSA3EztMXW3rUJxIbQ=")
        .with("MASTER_KEY_CURRENT", "t2");
    let files = Files::new(&environment, docent::App::new(&environment).unwrap()).unwrap();
    files.ingest.sweep().await.unwrap();
    assert_eq!(count(&admin, "select count(*) from webhook_delivery").await, 0);
    // The first master is gone, and the secret is still the one that was shown.
    let environment = environment.with("MASTER_KEY_t1", "kR0Yv3PZ8b1nJ5aWq7LtXc2eHs9fUoGdMi4pVyTwBxE=");
    let files = Files::new(&environment, docent::App::new(&environment).unwrap()).unwrap();
    world.ready(&client, "bell2.txt", TEXT).await;
    origin.heard();
    assert_eq!(files.ingest.deliver().await.unwrap(), 1);
    verified(&origin.heard()[0], made["secret"].as_str().unwrap());
}
