//! Documents whose bytes are pulled from an address.

use docent::function::Files;
use serde_json::{Value, json};

use crate::ingest::{count, whole};
use crate::origin::Origin;
use crate::world::{Client, World};

const PAGE: &[u8] = b"<html><body><h1>Ferries</h1><p>The night ferry to Amrum leaves at eleven.</p></body></html>";

async fn add(client: &Client, url: &str) -> Value {
    let reply = client.post("/api/documents", json!({ "url": url })).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.json()
}

async fn document(client: &Client, id: &str) -> Value {
    client.get(&format!("/api/documents/{id}")).await.json()
}

/// Takes up what is due until nothing is, with every pause over.
async fn work(world: &World) {
    let admin = world.admin().await;
    for _ in 0..10 {
        world.files.ingest.due().await.unwrap();
        let due =
            "update ingest_event set due_at = now(); update document set lease_until = null where lease_owner is null";
        admin.batch_execute(due).await.unwrap();
    }
}

#[tokio::test]
async fn a_page_becomes_a_document_and_is_asked_again() {
    let world = World::new().await;
    let (client, origin) = (world.tenant_a.clone(), Origin::start().await);
    let html = ("content-type", "text/html; charset=utf-8");
    origin.set("/ferries", 200, &[html, ("etag", "\"one\"")], PAGE);
    let url = format!("{}/ferries", origin.url);
    let made = add(&client, &url).await;
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(
        (&made["status"], &made["sourceUrl"], &made["filename"]),
        (&json!("queued"), &json!(url), &json!("ferries"))
    );
    work(&world).await;
    let ready = document(&client, &id).await;
    assert_eq!((&ready["status"], &ready["contentType"]), (&json!("ready"), &json!(html.1)), "{ready}");
    assert_eq!(ready["size"], PAGE.len());
    let finds = async |word: &str| {
        client
            .post("/api/search", json!({ "query": "When does the night ferry to Amrum leave?" }))
            .await
            .text()
            .contains(word)
    };
    assert!(finds("eleven").await);
    assert_eq!(origin.heard().len(), 1, "asked once");

    let refresh = format!("/api/documents/{id}/refresh");
    assert_eq!(client.post(&refresh, json!({})).await.status, 202);
    assert!(finds("eleven").await);
    work(&world).await;
    let heard = origin.heard();
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].headers["if-none-match"], "\"one\"");
    let same = document(&client, &id).await;
    assert_eq!((&same["status"], &same["version"]), (&json!("ready"), &json!(1)), "nothing new: {same}");

    let later = String::from_utf8(PAGE.to_vec()).unwrap().replace("eleven", "midnight").into_bytes();
    origin.set("/ferries", 200, &[html, ("etag", "\"two\"")], &later);
    assert_eq!(client.post(&refresh, json!({})).await.status, 202);
    work(&world).await;
    let new = document(&client, &id).await;
    assert_eq!(
        (&new["status"], &new["version"], &new["currentVersion"]),
        (&json!("ready"), &json!(2), &json!(2)),
        "{new}"
    );
    assert!(finds("midnight").await && !finds("eleven").await);
    whole(&world.admin().await, &id).await;
    assert_eq!(world.tenant_b.post(&refresh, json!({})).await.code(), "not_found");
    let uploaded = world.upload(&client, "a.txt", b"Some text that was uploaded.").await;
    assert_eq!(client.post(&format!("/api/documents/{uploaded}/refresh"), json!({})).await.code(), "conflict");
}

#[tokio::test]
async fn what_an_origin_refuses_is_said_and_nothing_that_it_says() {
    let world = World::new().await;
    let (client, origin) = (world.tenant_a.clone(), Origin::start().await);
    let secret = b"canary-of-the-origin";
    origin.set("/private", 403, &[], secret);
    origin.set("/broken", 500, &[], secret);
    origin.set("/photo", 200, &[("content-type", "image/png")], secret);
    origin.set("/empty", 200, &[("content-type", "text/plain")], b"");
    origin.set("/away", 302, &[("location", "http://169.254.169.254/latest/meta-data")], secret);
    origin.set("/nowhere", 302, &[], secret);
    origin.set("/loop", 302, &[("location", "/loop")], secret);
    for hop in 1..=6 {
        origin.set(&format!("/hop{hop}"), 302, &[("location", &format!("/hop{}", hop - 1))], secret);
    }
    origin.set("/hop0", 200, &[("content-type", "text/plain")], b"Five hops away lies the island of Juist.");
    let limit = world.files.app.limits.upload_bytes;
    origin.set("/huge", 200, &[("content-type", "text/plain")], &vec![b'a'; usize::try_from(limit).unwrap() + 1]);
    for (path, expected) in [
        ("/none", "source_not_found"),
        ("/private", "source_refused"),
        ("/broken", "source_unreachable"),
        ("/photo", "unsupported_type"),
        ("/empty", "empty_file"),
        ("/away", "source_blocked"),
        ("/nowhere", "source_unreachable"),
        ("/loop", "source_blocked"),
        ("/hop6", "source_blocked"),
        ("/hop5", "ready"),
        ("/huge", "too_large"),
    ] {
        let id = add(&client, &format!("{}{path}", origin.url)).await["id"].as_str().unwrap().to_owned();
        work(&world).await;
        let ended = document(&client, &id).await;
        let said = ended["error"]["code"].as_str().or(ended["status"].as_str()).unwrap();
        assert_eq!(said, expected, "{path}: {ended}");
        assert!(!ended.to_string().contains("canary"), "{path}: {ended}");
        if expected == "source_unreachable" {
            assert!(origin.heard().len() >= 3, "{path} is tried again");
        }
        origin.heard();
    }
    // Mended, and one more try asked for.
    let id = add(&client, &format!("{}/late", origin.url)).await["id"].as_str().unwrap().to_owned();
    work(&world).await;
    assert_eq!(document(&client, &id).await["status"], "failed");
    origin.set("/late", 200, &[("content-type", "text/plain")], b"The island of Baltrum has no cars.");
    assert_eq!(client.post(&format!("/api/documents/{id}/redrive"), json!({})).await.status, 202);
    work(&world).await;
    assert_eq!(document(&client, &id).await["status"], "ready");
}

#[tokio::test]
async fn addresses_that_may_not_be_read_are_refused_at_once() {
    let world = World::new().await;
    let environment = world.environment.clone().with("ALLOW_LOOPBACK_PROVIDERS", "0");
    let files = Files::new(&environment, docent::App::new(&environment).unwrap()).unwrap();
    let client = world.tenant_a.through(&docent::function::everything(files));
    for url in [
        "http://127.0.0.1/",
        "https://127.0.0.1/",
        "https://localhost/",
        "http://example.com/",
        "https://[::1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://user:pass@example.com/",
        "https://example.com:8443/",
        "https://2852039166/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "data:text/plain,hello",
        "",
        "not an address",
        "https://example.com/#part",
    ] {
        let reply = client.post("/api/documents", json!({ "url": url })).await;
        assert_eq!(reply.code(), "invalid_request", "{url}");
    }
    let long = format!("https://example.com/{}", "a".repeat(2048));
    assert_eq!(client.post("/api/documents", json!({ "url": long })).await.code(), "invalid_request");
    let good = client.post("/api/documents", json!({ "url": "https://example.com/a.pdf" })).await;
    assert_eq!(good.status, 201, "{}", good.text());
    for wrong in [
        json!({}),
        json!({ "url": "https://example.com/", "size": 1 }),
        json!({ "url": "https://example.com/", "filename": ".." }),
    ] {
        assert_eq!(client.post("/api/documents", wrong.clone()).await.code(), "invalid_request", "{wrong}");
    }
}

#[tokio::test]
async fn a_retry_makes_one_document_of_an_address() {
    let world = World::new().await;
    let (client, origin) = (world.tenant_a.clone(), Origin::start().await);
    let body = json!({ "url": format!("{}/a.txt", origin.url), "metadata": { "team": "sea" } }).to_string();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let made = client.send("POST", "/api/documents", Some(body.clone()), &[("idempotency-key", "one")]).await;
        assert_eq!(made.status, 201, "{}", made.text());
        ids.push(made.json()["id"].clone());
    }
    assert_eq!(ids[0], ids[1]);
    assert_eq!(count(&world.admin().await, "select count(*) from document").await, 1);
}

#[tokio::test]
async fn a_try_that_fails_takes_nothing_from_another_that_did_not() {
    let world = World::new().await;
    let (client, origin) = (world.tenant_a.clone(), Origin::start().await);
    origin.set("/a.txt", 200, &[("content-type", "text/plain")], b"The island of Spiekeroog has a horse tram.");
    let id = add(&client, &format!("{}/a.txt", origin.url)).await["id"].as_str().unwrap().to_owned();
    work(&world).await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (admin, url) = (world.admin().await, format!("http://{}/a.txt", silent.local_addr().unwrap()));
    admin.execute("update document set source_url = $1", &[&url]).await.unwrap();
    assert_eq!(client.post(&format!("/api/documents/{id}/refresh"), json!({})).await.status, 202);
    let meanwhile = async {
        let asked = silent.accept().await.unwrap();
        assert_eq!(admin.execute("update document set status = 'ready'", &[]).await.unwrap(), 1);
        drop((asked, silent));
    };
    let (taken, ()) = tokio::join!(world.files.ingest.due(), meanwhile);
    taken.unwrap();
    assert_eq!(document(&client, &id).await["status"], "ready");
}
