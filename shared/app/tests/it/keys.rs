//! Provider keys through the router: saved, checked, rotated, deleted, and never shown.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use docent::config::Environment;
use docent::function::{self, Files};
use docent::keys::{self, Masters, Rotation};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::world::{Client, Reply, World};

const KEY: &str = "sk-canary-0123456789abcdefABCD";

#[tokio::test]
async fn a_key_is_saved_and_shown_without_itself() {
    let world = World::new().await;
    let client = &world.tenant_a;
    let saved = put(client, "openai", json!({ "key": KEY })).await;
    assert_eq!(saved.status, 200, "{}", saved.text());
    let saved = saved.json();
    let expected = [
        ("provider", json!("openai")),
        ("baseUrl", json!("https://api.openai.com/v1")),
        ("last4", json!("ABCD")),
        ("fingerprint", json!(fingerprint(KEY))),
        ("status", json!("unchecked")),
        ("checkedAt", Value::Null),
    ];
    for (field, value) in expected {
        assert_eq!(saved[field], value, "{field}");
    }
    assert_eq!(saved.as_object().unwrap().len(), 8, "six fields and two dates: {saved}");
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
    put(&world.tenant_a, "openai", json!({ "key": KEY })).await;
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
    put(&world.tenant_a, "openai", json!({ "key": KEY })).await;
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

#[tokio::test]
async fn a_check_tells_what_the_provider_said() {
    let world = World::new().await;
    let provider = Provider::start().await;
    let client = &world.tenant_a;
    let base_url = provider.url("/v1");
    put(client, "acme", json!({ "key": KEY, "baseUrl": base_url })).await;
    let html = "<html>sign in</html>";
    let quota = r#"{"error":{"code":"insufficient_quota","message":"none left"}}"#;
    let echo = format!(r#"{{"error":{{"message":"Incorrect API key provided: {KEY}"}}}}"#);
    let cases = [
        (200, "application/json", r#"{"data":[]}"#, "good"),
        (401, "application/json", echo.as_str(), "bad"),
        (403, "application/json", "{}", "restricted"),
        (429, "application/json", quota, "out_of_credit"),
        (429, "application/json", "{}", "rate_limited"),
        (404, "text/html", html, "not_an_api"),
        (200, "text/html", html, "not_an_api"),
        (500, "application/json", "{}", "unreachable"),
    ];
    for (status, media_type, body, verdict) in cases {
        provider.answer(status, media_type, body);
        let reply = client.send("POST", "/api/keys/acme/check", None, &[]).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert!(!reply.text().contains(KEY));
        let reply = reply.json();
        assert_eq!(reply["status"], verdict, "{status} {body}");
        assert!(reply["checkedAt"].is_string());
        assert_eq!(client.get("/api/keys/acme").await.json(), reply);
    }
    assert_eq!(provider.seen(), vec![format!("Bearer {KEY}"); cases.len()]);

    // A new key is a new question.
    let again = put(client, "acme", json!({ "key": format!("{KEY}2"), "baseUrl": base_url })).await.json();
    assert_eq!((&again["status"], &again["checkedAt"]), (&json!("unchecked"), &Value::Null));
    assert_eq!(again["last4"], "BCD2");
}

#[tokio::test]
async fn ollama_needs_no_key() {
    let world = World::new().await;
    let provider = Provider::start().await;
    provider.answer(200, "application/json", r#"{"models":[]}"#);
    let saved = put(&world.tenant_a, "ollama", json!({ "key": "", "baseUrl": provider.url("") })).await;
    assert_eq!(saved.status, 200, "{}", saved.text());
    assert_eq!(saved.json()["last4"], "");
    let checked = world.tenant_a.send("POST", "/api/keys/ollama/check", None, &[]).await.json();
    assert_eq!(checked["status"], "good");
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
    assert!(home.seen().is_empty() && thief.seen().is_empty());
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
async fn a_rotation_keeps_every_key_and_lets_the_old_master_go() {
    let world = World::new().await;
    let provider = Provider::start().await;
    provider.answer(200, "application/json", "{}");
    let body = json!({ "key": KEY, "baseUrl": provider.url("") });
    for name in ["acme", "bolt", "cord"] {
        put(&world.tenant_a, name, body.clone()).await;
    }
    let admin = world.admin().await;
    admin.execute("update provider_key set sealed = '\\x01' where provider = 'cord'", &[]).await.unwrap();

    let new = ("MASTER_KEY_t2", "9f8e7d6c5b4a39281706f5e4d3c2b1a0/+7dzLuqmYg=");
    let old = ("MASTER_KEY_t1", "3q2+7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs=");
    let both = masters(&[old, new]);
    let clock = docent::clock::Clock::system();
    for expected in
        [Rotation { rewrapped: 2, left: 0, unreadable: 1 }, Rotation { rewrapped: 0, left: 2, unreadable: 1 }]
    {
        let tx = world.files.app.db.tenant(world.tenant_a.tenant).await.unwrap();
        assert_eq!(keys::rotate(&both, &clock, &tx).await.unwrap(), expected);
        tx.commit().await.unwrap();
    }

    let check = async |masters: Masters| through(&world, masters).send("POST", "/api/keys/acme/check", None, &[]).await;
    assert_eq!(check(both).await.json()["status"], "good");
    assert_eq!(check(masters(&[new])).await.json()["status"], "good");
    assert_eq!(world.tenant_a.send("POST", "/api/keys/acme/check", None, &[]).await.code(), "not_configured");
}

#[tokio::test]
async fn a_tenant_keeps_fifty_keys() {
    let world = World::new().await;
    let body = json!({ "key": KEY, "baseUrl": "https://api.example.com/v1" });
    for number in 0..50 {
        assert_eq!(put(&world.tenant_a, &format!("p{number}"), body.clone()).await.status, 200);
    }
    let reply = put(&world.tenant_a, "one-more", body.clone()).await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (409, "conflict"));
    assert_eq!(put(&world.tenant_a, "p7", body.clone()).await.status, 200, "replacing one is no addition");
    assert_eq!(put(&world.tenant_b, "one-more", body).await.status, 200, "another tenant has its own fifty");
}

async fn put(client: &Client, provider: &str, body: Value) -> Reply {
    client.send("PUT", &format!("/api/keys/{provider}"), Some(body.to_string()), &[]).await
}

fn fingerprint(key: &str) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(key).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The last one named is the current one.
fn masters(named: &[(&str, &str)]) -> Masters {
    let mut environment = Environment::default();
    for (name, value) in named {
        environment = environment.with(name, *value).with("MASTER_KEY_CURRENT", &name["MASTER_KEY_".len()..]);
    }
    Masters::read(&environment).unwrap()
}

/// The first tenant, served by a process with other masters.
fn through(world: &World, masters: Masters) -> Client {
    let mut files: Files = world.files.clone();
    files.app.masters = masters;
    world.tenant_a.through(&function::everything(files))
}

/// A provider on this machine that says what it is told to, and remembers who asked.
struct Provider {
    port: u16,
    script: Arc<Mutex<Script>>,
}

#[derive(Default)]
struct Script {
    answer: (u16, String, String),
    seen: Vec<String>,
}

impl Provider {
    async fn start() -> Provider {
        let script = Arc::new(Mutex::new(Script { answer: (500, String::new(), String::new()), seen: Vec::new() }));
        let router = Router::new().fallback(answer).with_state(script.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        serve(listener, router);
        Provider { port, script }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn answer(&self, status: u16, media_type: &str, body: &str) {
        self.script.lock().unwrap().answer = (status, media_type.to_owned(), body.to_owned());
    }

    /// The `Authorization` header of each request so far.
    fn seen(&self) -> Vec<String> {
        self.script.lock().unwrap().seen.clone()
    }
}

async fn answer(
    State(script): State<Arc<Mutex<Script>>>,
    headers: HeaderMap,
) -> (StatusCode, [(&'static str, String); 1], String) {
    let mut script = script.lock().unwrap();
    let bearer = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    script.seen.push(bearer.unwrap_or_default());
    let (status, media_type, body) = script.answer.clone();
    (StatusCode::from_u16(status).unwrap(), [("content-type", media_type)], body)
}

#[expect(clippy::disallowed_methods, reason = "a test's own runtime outlives what it spawns")]
fn serve(listener: tokio::net::TcpListener, router: Router) {
    tokio::spawn(async move { axum::serve(listener, router).await });
}
