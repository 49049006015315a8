//! Master keys that are replaced, and keys that a provider refused in the middle of a chat.

use std::collections::BTreeMap;

use docent::config::Environment;
use docent::keys::{self, Masters, Refusal, Rotation, Unreadable};
use docent_llm::ErrorKind;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::keys::{KEY, put, through};
use crate::keys_provider::Provider;
use crate::world::World;

#[tokio::test]
async fn a_rotation_keeps_every_key_and_lets_the_old_master_go() {
    let world = World::new().await;
    let provider = Provider::start().await;
    provider.answer(200, "application/json", "{}");
    let body = json!({ "key": KEY, "baseUrl": provider.url("") });
    for name in ["acme", "bolt", "cord"] {
        put(&world.tenant_a, name, body.clone()).await;
    }
    put(&world.tenant_b, "acme", body).await;
    let admin = world.admin().await;
    admin.execute("update provider_key set sealed = '\\x01' where provider = 'cord'", &[]).await.unwrap();

    let new = ("MASTER_KEY_t2", "9f8e7d6c5b4a39281706f5e4d3c2b1a0/+7dzLuqmYg=");
    let old = ("MASTER_KEY_t1", "3q2+7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs=");
    let both = masters(&[old, new]);
    let clock = docent::clock::Clock::system();
    let ids = |counts: &BTreeMap<keys::MasterId, u64>| {
        counts.iter().map(|(id, count)| (id.to_string(), *count)).collect::<Vec<_>>()
    };
    for rewrapped in [2, 0] {
        let tx = world.files.app.db.tenant(world.tenant_a.tenant).await.unwrap();
        let rotation = keys::rotate(&both, &clock, &tx).await.unwrap();
        let damaged = Unreadable { provider: "cord".to_owned(), reason: Refusal::Damaged };
        assert_eq!(rotation, Rotation { rewrapped, replaced: 0, unreadable: vec![damaged] });
        let counts = keys::census(&tx).await.unwrap();
        assert_eq!(ids(&counts), [(String::new(), 1), ("t2".to_owned(), 2)]);
        tx.commit().await.unwrap();
    }
    let tx = world.files.app.db.tenant(world.tenant_b.tenant).await.unwrap();
    assert_eq!(ids(&keys::census(&tx).await.unwrap()), [("t1".to_owned(), 1)], "another tenant has its own turn");
    drop(tx);

    let check = async |masters: Masters| through(&world, masters).send("POST", "/api/keys/acme/check", None, &[]).await;
    assert_eq!(check(both).await.json()["status"], "good");
    assert_eq!(check(masters(&[new])).await.json()["status"], "good");
    assert_eq!(world.tenant_a.send("POST", "/api/keys/acme/check", None, &[]).await.code(), "not_configured");
}

/// Only what the provider said of the key itself is held against it, and only against the key that was sent.
#[tokio::test]
async fn a_key_that_a_provider_refuses_in_a_chat_is_flagged() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    world.ready(&client, "moon.txt", b"The Moon orbits the Earth at a mean distance of 384400 kilometres.").await;
    let provider = Provider::start().await;
    let bot = client.get("/api/bots").await.json()["bots"][0]["id"].as_str().unwrap().to_owned();
    let save = async || {
        provider.answer(200, "application/json", r#"{"data":[]}"#);
        let saved = put(&client, "acme", json!({ "key": KEY, "baseUrl": provider.url("/v1") })).await.json();
        assert_eq!(saved["status"], "good");
    };
    save().await;
    let patch = json!({ "provider": "acme", "model": "m" }).to_string();
    assert!(client.send("PATCH", &format!("/api/bots/{bot}"), Some(patch), &[]).await.status.is_success());
    let echo = format!(r#"{{"error":{{"message":"Incorrect API key provided: {KEY}"}}}}"#);
    let cases =
        [(401, "bad"), (403, "restricted"), (402, "out_of_credit"), (500, "good"), (429, "good"), (400, "good")];
    for (status, flagged) in cases {
        save().await;
        provider.answer(status, "application/json", &echo);
        let reply = client.ask(&format!("c{status}"), "At what mean distance does the Moon orbit?").await;
        assert_eq!(reply.status, 200, "{status}: {}", reply.text());
        assert_eq!(reply.chunks().last().unwrap()["type"], "error", "{status}: {}", reply.text());
        assert!(!reply.text().contains(KEY));
        let key = client.get("/api/keys/acme").await.json();
        assert_eq!(key["status"], flagged, "{status}");
    }

    // A refusal of the key that was replaced meanwhile says nothing about the new one.
    let key = {
        let tx = world.files.app.db.tenant(client.tenant).await.unwrap();
        let key = keys::all(&tx).await.unwrap().remove(0);
        tx.commit().await.unwrap();
        key
    };
    save().await;
    let refused = docent::Error::from(docent_llm::Error::from(ErrorKind::Auth));
    let tx = world.files.app.db.tenant(client.tenant).await.unwrap();
    keys::flag(&tx, key.id, keys::blamed(&refused).unwrap()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(client.get("/api/keys/acme").await.json()["status"], "good");
}

#[tokio::test]
async fn nothing_that_holds_a_key_shows_it() {
    let world = World::new().await;
    let provider = Provider::start().await;
    put(&world.tenant_a, "acme", json!({ "key": KEY, "baseUrl": provider.url("/v1") })).await;
    let app = &world.files.app;
    let tenant = world.tenant_a.tenant;
    let tx = app.db.tenant(tenant).await.unwrap();
    let sealed = keys::all(&tx).await.unwrap().remove(0);
    tx.commit().await.unwrap();
    let open = keys::open(&app.masters, &tenant, &sealed).unwrap();
    assert_eq!(open.expose_secret(), KEY);
    let endpoint = keys::endpoint(app, tenant, &sealed).unwrap();
    let elsewhere = keys::open(&app.masters, &world.tenant_b.tenant, &sealed).unwrap_err();
    let url: docent_llm::Url = provider.url("/v1").parse().unwrap();
    let shown = format!(
        "{sealed:?} {sealed:#?} {open:?} {endpoint:?} {endpoint:#?} {elsewhere:?} {elsewhere} {:?} {:?}",
        app.masters,
        url.origin()
    );
    for secret in [KEY, "sk-canary", "3q2+7wABAgM"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.contains("REDACTED"), "the types were shown at all: {shown}");
}

/// The last one named is the current one.
fn masters(named: &[(&str, &str)]) -> Masters {
    let mut environment = Environment::default();
    for (name, value) in named {
        environment = environment.with(name, *value).with("MASTER_KEY_CURRENT", &name["MASTER_KEY_".len()..]);
    }
    Masters::read(&environment).unwrap()
}
