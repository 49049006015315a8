//! Provider keys through the router: saved, checked, rotated, deleted, and never shown.

use docent::function::{self, Files};
use docent::keys::Masters;
use serde_json::{Value, json};

use crate::keys_provider::{NOBODY, Provider};
use crate::world::{Client, Reply, World};

pub const KEY: &str = "sk-canary-0123456789abcdefABCD";

#[tokio::test]
async fn a_key_is_saved_and_shown_without_itself() {
    let world = World::new().await;
    let provider = Provider::start().await;
    provider.answer(200, "application/json", r#"{"data":[]}"#);
    let client = &world.tenant_a;
    let saved = put(client, "openai", json!({ "key": KEY, "baseUrl": provider.url("/v1") })).await;
    assert_eq!(saved.status, 200, "{}", saved.text());
    let saved = saved.json();
    let expected = [
        ("provider", json!("openai")),
        ("baseUrl", json!(provider.url("/v1"))),
        ("last4", json!("ABCD")),
        ("fingerprint", json!(fingerprint(KEY))),
        ("status", json!("good")),
        ("hint", Value::Null),
    ];
    for (field, value) in expected {
        assert_eq!(saved[field], value, "{field}");
    }
    assert!(saved["checkedAt"].is_string());
    assert_eq!(saved.as_object().unwrap().len(), 9, "six fields and three dates: {saved}");
    assert_eq!(client.get("/api/keys/openai").await.json(), saved);
    assert_eq!(client.get("/api/keys").await.json(), json!({ "keys": [saved] }));

    assert_eq!(world.tenant_b.get("/api/keys").await.json(), json!({ "keys": [] }));
    for (method, path) in
        [("GET", "/api/keys/openai"), ("DELETE", "/api/keys/openai"), ("POST", "/api/keys/openai/check")]
    {
        let reply = world.tenant_b.send(method, path, None, &[]).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (404, "not_found"), "{method} {path}");
    }

    assert_eq!(client.delete("/api/keys/openai").await.status, 204);
    assert_eq!(client.delete("/api/keys/openai").await.code(), "not_found");
    assert_eq!(client.get("/api/keys/openai").await.code(), "not_found");
    assert_eq!(client.get("/api/keys").await.json(), json!({ "keys": [] }));
}

#[tokio::test]
async fn the_database_holds_no_key_in_the_clear() {
    let world = World::new().await;
    put(&world.tenant_a, "openai", json!({ "key": KEY, "baseUrl": NOBODY })).await;
    let admin = world.admin().await;
    let row = admin.query_one("select sealed, provider_key::text from provider_key", &[]).await.unwrap();
    let (sealed, text): (Vec<u8>, String) = (row.get(0), row.get(1));
    assert!(
        sealed.len() > KEY.len() && !sealed.windows(8).any(|part| KEY.as_bytes().windows(8).any(|key| key == part))
    );
    assert!(!text.contains(KEY));
}

#[tokio::test]
async fn only_admins_touch_keys() {
    let world = World::new().await;
    put(&world.tenant_a, "openai", json!({ "key": KEY, "baseUrl": NOBODY })).await;
    let made = world.tenant_a.post("/api/tokens", json!({ "name": "most", "scopes": ["chat", "read", "write"] })).await;
    let most = world.tenant_a.with_token(made.json()["token"].as_str().unwrap());
    let requests = [
        ("GET", "/api/keys"),
        ("GET", "/api/keys/openai"),
        ("PUT", "/api/keys/openai"),
        ("DELETE", "/api/keys/openai"),
        ("POST", "/api/keys/openai/check"),
    ];
    for (method, path) in requests {
        let body = (method == "PUT").then(|| json!({ "key": KEY }).to_string());
        for (client, code) in [(&most, "forbidden"), (&world.anon, "unauthorized")] {
            let reply = client.send(method, path, body.clone(), &[]).await;
            assert_eq!(reply.code(), code, "{method} {path}");
            assert!(!reply.text().contains(KEY));
        }
    }
    assert_eq!(world.tenant_a.get("/api/keys/openai").await.status, 200);
}

#[tokio::test]
async fn bad_keys_are_refused_without_an_echo() {
    let world = World::new().await;
    let long = "k".repeat(8193);
    let bodies = [
        json!(KEY),
        json!([KEY]),
        json!({ "key": 7 }),
        json!({ "key": [KEY] }),
        json!({ "key": { "canary": KEY } }),
        json!({ "key": KEY, KEY: 1 }),
        json!({ "baseUrl": "https://api.example.com" }),
        json!({ "key": "" }),
        json!({ "key": format!(" {KEY}") }),
        json!({ "key": format!("{KEY}\n") }),
        json!({ "key": format!("{KEY}\u{e9}") }),
        json!({ "key": long }),
        json!({ "key": KEY, "baseUrl": "http://api.example.com/v1" }),
        json!({ "key": KEY, "baseUrl": format!("https://{KEY}@api.example.com/v1") }),
        json!({ "key": KEY, "baseUrl": format!("https://api.example.com/v1?key={KEY}") }),
        json!({ "key": KEY, "baseUrl": "https://169.254.169.254/latest" }),
        json!({ "key": KEY, "baseUrl": format!("{KEY} is no URL") }),
    ];
    for body in bodies {
        let reply = put(&world.tenant_a, "openai", body.clone()).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, "invalid_request"), "{body}");
        assert!(!reply.text().contains(KEY), "{}", reply.text());
    }
    for provider in ["OpenAI", "extractive", "7up", "a_b", "acme"] {
        let reply = put(&world.tenant_a, provider, json!({ "key": KEY })).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, "invalid_request"), "{provider}");
    }
    assert_eq!(world.tenant_a.get("/api/keys/NoSuchName").await.code(), "not_found");
    assert_eq!(world.tenant_a.get("/api/keys").await.json(), json!({ "keys": [] }));
}

/// What a provider answers, and what that says about the key.
fn verdicts() -> [(u16, &'static str, String, &'static str); 8] {
    let (json, html) = ("application/json", "text/html");
    let page = || "<html>sign in</html>".to_owned();
    let quota = r#"{"error":{"code":"insufficient_quota","message":"none left"}}"#.to_owned();
    let echo = format!(r#"{{"error":{{"message":"Incorrect API key provided: {KEY}"}}}}"#);
    [
        (200, json, r#"{"data":[]}"#.to_owned(), "good"),
        (401, json, echo, "bad"),
        (403, json, "{}".to_owned(), "restricted"),
        (429, json, quota, "out_of_credit"),
        (429, json, "{}".to_owned(), "rate_limited"),
        (404, html, page(), "not_an_api"),
        (200, html, page(), "not_an_api"),
        (500, json, "{}".to_owned(), "unreachable"),
    ]
}

#[tokio::test]
async fn a_check_tells_what_the_provider_said() {
    let world = World::new().await;
    let provider = Provider::start().await;
    let client = &world.tenant_a;
    put(client, "acme", json!({ "key": KEY, "baseUrl": provider.url("/v1") })).await;
    for (status, media_type, body, verdict) in verdicts() {
        provider.answer(status, media_type, &body);
        let reply = client.send("POST", "/api/keys/acme/check", None, &[]).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert!(!reply.text().contains(KEY));
        let reply = reply.json();
        assert_eq!(reply["status"], verdict, "{status} {body}");
        assert_eq!(reply["hint"].is_string(), verdict != "good", "{reply}");
        assert!(reply["checkedAt"].is_string());
        assert_eq!(client.get("/api/keys/acme").await.json(), reply);
    }
    assert_eq!(provider.seen(), vec![format!("Bearer {KEY}"); 1 + verdicts().len()]);
}

#[tokio::test]
async fn a_key_is_validated_while_it_is_saved_and_kept_whatever_the_verdict() {
    let world = World::new().await;
    let provider = Provider::start().await;
    let client = &world.tenant_a;
    for (number, (status, media_type, body, verdict)) in verdicts().into_iter().enumerate() {
        provider.answer(status, media_type, &body);
        let key = format!("{KEY}{number:04}");
        let reply = put(client, "acme", json!({ "key": key, "baseUrl": provider.url("/v1") })).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert!(!reply.text().contains(KEY));
        let reply = reply.json();
        assert_eq!(reply["status"], verdict, "{status} {body}");
        assert_eq!(reply["last4"], format!("{number:04}"), "the newest key is the one that is kept");
        assert_eq!(client.get("/api/keys/acme").await.json(), reply);
        assert_eq!(provider.seen().last(), Some(&format!("Bearer {key}")));
    }
    let nobody = put(client, "acme", json!({ "key": KEY, "baseUrl": NOBODY })).await.json();
    assert_eq!((&nobody["status"], &nobody["baseUrl"]), (&json!("unreachable"), &json!(NOBODY)));
}

#[tokio::test]
async fn no_connection_is_held_while_a_provider_thinks_and_what_was_typed_is_kept() {
    let world = World::new().await;
    // One connection for everybody: whoever held it would make the others wait.
    let environment = world.environment.clone().with("DATABASE_POOL_SIZE", "1");
    let files = Files::new(&environment, docent::App::new(&environment).unwrap()).unwrap();
    let client = world.tenant_a.through(&function::everything(files));
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", silent.local_addr().unwrap());
    let saving = put(&client, "acme", json!({ "key": KEY, "baseUrl": url }));
    let looking = async {
        let _asked = silent.accept().await.unwrap();
        client.get("/api/keys/acme").await.json()
    };
    // Whoever saves goes away before the provider has said anything.
    let seen = tokio::select! {
        _ = saving => panic!("nobody answered the check"),
        seen = looking => seen,
    };
    assert_eq!((&seen["status"], &seen["last4"]), (&json!("unchecked"), &json!("ABCD")), "{seen}");
    assert!(seen["hint"].as_str().unwrap().contains("check"));
}

#[tokio::test]
async fn an_endpoint_moves_with_its_key_or_not_at_all() {
    let world = World::new().await;
    let [home, thief] = [Provider::start().await, Provider::start().await];
    put(&world.tenant_a, "acme", json!({ "key": KEY, "baseUrl": home.url("/v1") })).await;
    for body in [json!({ "baseUrl": thief.url("/v1") }), json!({ "key": null, "baseUrl": thief.url("/v1") })] {
        let reply = put(&world.tenant_a, "acme", body).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, "invalid_request"));
        let reply = reply.json();
        assert!(reply["detail"].as_str().unwrap().contains("endpoint"), "{reply}");
        assert!(reply["hint"].as_str().unwrap().contains("`key`"), "{reply}");
    }
    let none = put(&world.tenant_a, "acme", json!({})).await.json();
    assert_eq!(none["detail"], "`key` is missing.");
    assert_eq!(world.tenant_a.get("/api/keys/acme").await.json()["baseUrl"], home.url("/v1"));
    assert_eq!(world.tenant_a.send("POST", "/api/keys/acme/check", None, &[]).await.status, 200);
    assert!(thief.seen().is_empty());
}

#[tokio::test]
async fn ollama_needs_no_key() {
    let world = World::new().await;
    let provider = Provider::start().await;
    provider.answer(200, "application/json", r#"{"models":[]}"#);
    let saved = put(&world.tenant_a, "ollama", json!({ "key": "", "baseUrl": provider.url("") })).await;
    assert_eq!(saved.status, 200, "{}", saved.text());
    let saved = saved.json();
    assert_eq!((&saved["last4"], &saved["status"]), (&json!(""), &json!("good")));
    assert_eq!(provider.seen(), [""]);
}

#[tokio::test]
async fn a_key_that_was_moved_in_the_database_is_sent_nowhere() {
    let world = World::new().await;
    let [home, thief] = [Provider::start().await, Provider::start().await];
    let bodies =
        [json!({ "key": KEY, "baseUrl": home.url("") }), json!({ "key": "sk-of-the-other", "baseUrl": home.url("") })];
    put(&world.tenant_a, "acme", bodies[0].clone()).await;
    put(&world.tenant_b, "acme", bodies[1].clone()).await;
    assert_eq!((home.seen().len(), thief.seen().len()), (2, 0));
    let admin = world.admin().await;
    let (a, b) = (world.tenant_a.tenant.uuid(), world.tenant_b.tenant.uuid());

    let steal =
        "update provider_key set sealed = (select sealed from provider_key where tenant_id = $1) where tenant_id = $2";
    assert_eq!(admin.execute(steal, &[&a, &b]).await.unwrap(), 1);
    let redirect = "update provider_key set base_url = $2 where tenant_id = $1";
    assert_eq!(admin.execute(redirect, &[&a, &thief.url("")]).await.unwrap(), 1);
    for client in [&world.tenant_a, &world.tenant_b] {
        let reply = client.send("POST", "/api/keys/acme/check", None, &[]).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (422, "provider_auth"));
        assert!(reply.json()["hint"].as_str().unwrap().contains("PUT /api/keys/acme"));
    }
    assert_eq!((home.seen().len(), thief.seen().len()), (2, 0));
}

#[tokio::test]
async fn without_a_master_key_nothing_is_kept() {
    let world = World::new().await;
    let client = through(&world, Masters::empty());
    let reply = put(&client, "openai", json!({ "key": KEY })).await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (503, "not_configured"));
    assert!(reply.json()["hint"].as_str().unwrap().contains("MASTER_KEY_"));
    assert_eq!(world.tenant_a.get("/api/keys").await.json(), json!({ "keys": [] }));
}

#[tokio::test]
async fn a_tenant_keeps_fifty_keys() {
    let world = World::new().await;
    let body = json!({ "key": KEY, "baseUrl": NOBODY });
    for number in 0..50 {
        assert_eq!(put(&world.tenant_a, &format!("p{number}"), body.clone()).await.status, 200);
    }
    let reply = put(&world.tenant_a, "one-more", body.clone()).await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (409, "conflict"));
    assert_eq!(put(&world.tenant_a, "p7", body.clone()).await.status, 200, "replacing one is no addition");
    assert_eq!(put(&world.tenant_b, "one-more", body).await.status, 200, "another tenant has its own fifty");
}

pub async fn put(client: &Client, provider: &str, body: Value) -> Reply {
    client.send("PUT", &format!("/api/keys/{provider}"), Some(body.to_string()), &[]).await
}

fn fingerprint(key: &str) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(key).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The first tenant, served by a process with other masters.
pub fn through(world: &World, masters: Masters) -> Client {
    let mut files: Files = world.files.clone();
    files.app.masters = masters;
    world.tenant_a.through(&function::everything(files))
}
