//! Publishable tokens and the visitors that they let in.

use docent::auth::visitor::Visitor;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::world::{Client, Reply, World};

pub const PAGE: &str = "https://shop.example";

/// A new publishable token for [`PAGE`].
pub async fn publishable(owner: &Client) -> String {
    made(owner).await["token"].as_str().unwrap().to_owned()
}

async fn made(owner: &Client) -> Value {
    let wanted = json!({ "name": "page", "publishable": true, "origins": [PAGE] });
    let made = owner.post("/api/tokens", wanted).await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()
}

/// A new visitor's token.
pub async fn visitor(owner: &Client) -> String {
    let page = owner.with_token(&publishable(owner).await);
    token(&enter(&page, json!({}), PAGE).await)
}

async fn enter(page: &Client, wanted: Value, origin: &str) -> Reply {
    page.send("POST", "/api/tokens/visitor", Some(wanted.to_string()), &[("origin", origin)]).await
}

fn token(reply: &Reply) -> String {
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.json()["token"].as_str().unwrap().to_owned()
}

async fn ask(client: &Client, conversation: &str, text: &str, origin: Option<&str>) -> Reply {
    let body =
        json!({ "id": conversation, "message": { "role": "user", "parts": [{ "type": "text", "text": text }] } });
    let headers: Vec<(&str, &str)> = origin.into_iter().map(|origin| ("origin", origin)).collect();
    client.send("POST", "/api/chat", Some(body.to_string()), &headers).await
}

#[tokio::test]
async fn a_page_lets_visitors_in_from_its_exact_origins_alone() {
    let world = World::new().await;
    let page = world.tenant_a.with_token(&publishable(&world.tenant_a).await);
    let entered = enter(&page, json!({ "nickname": " Zoë " }), PAGE).await;
    assert_eq!(entered.headers["access-control-allow-origin"], PAGE);
    assert_eq!(entered.json()["nickname"], "Zoë");
    let visitor = page.with_token(&token(&entered));
    assert_eq!(ask(&visitor, "c", "hello", Some(PAGE)).await.status, 200);
    for wrong in [
        "https://shop.example.evil.example",
        "http://shop.example",
        "https://shop.example:8443",
        "https://www.shop.example",
        "https://SHOP.example",
        "null",
        "",
    ] {
        let refused = enter(&page, json!({}), wrong).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (403, "origin_not_allowed"), "{wrong}");
        assert!(!refused.headers.contains_key("access-control-allow-origin"));
        let refused = ask(&visitor, "c", "hello", Some(wrong)).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (403, "origin_not_allowed"), "{wrong}");
    }
    assert_eq!(
        ask(&visitor, "c", "hello", None).await.code(),
        "origin_not_allowed",
        "browsers name the origin of a POST"
    );
    let refused = page.post("/api/tokens/visitor", json!({})).await;
    assert_eq!(refused.code(), "origin_not_allowed", "no page at all");
}

#[tokio::test]
async fn a_publishable_token_does_nothing_else() {
    let world = World::new().await;
    let page = world.tenant_a.with_token(&publishable(&world.tenant_a).await);
    for path in ["/api/documents", "/api/bots", "/api/tokens", "/api/conversations"] {
        assert_eq!(page.get(path).await.code(), "forbidden", "{path}");
    }
    assert_eq!(ask(&page, "c", "hello", Some(PAGE)).await.code(), "forbidden");
    let secret = enter(&world.tenant_a, json!({}), PAGE).await;
    assert_eq!(secret.code(), "unauthorized", "a secret token mints no visitors");
}

#[tokio::test]
async fn a_page_may_read_that_its_visitors_token_has_ended() {
    let world = World::new().await;
    let page = world.tenant_a.with_token(&publishable(&world.tenant_a).await);
    let signer = &world.files.app.signer;
    let (tenant, visitor) = signer.read(&token(&enter(&page, json!({}), PAGE).await)).unwrap();
    let now = world.files.app.clock.now().as_second();
    for (left, status) in [(1, 200), (0, 401)] {
        let text = signer.sign(tenant, &Visitor { expires: now + left, ..visitor.clone() }).unwrap();
        let reply = ask(&page.with_token(text.expose_secret()), "c", "hello", Some(PAGE)).await;
        assert_eq!(reply.status, status, "{}", reply.text());
        assert_eq!(reply.headers["access-control-allow-origin"], PAGE, "{}", reply.text());
    }
    let ended = signer.sign(tenant, &Visitor { expires: now, ..visitor }).unwrap();
    let elsewhere = ask(&page.with_token(ended.expose_secret()), "c", "hello", Some("https://other.example")).await;
    assert_eq!(elsewhere.status, 403);
    assert!(!elsewhere.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn visitors_have_conversations_of_their_own() {
    let mut world = World::new().await;
    let owner = world.tenant_a.clone();
    world.ready(&owner, "moon.txt", b"The Moon orbits the Earth at a mean distance of 384400 kilometres.").await;
    let page = owner.with_token(&publishable(&owner).await);
    let first = page.with_token(&token(&enter(&page, json!({}), PAGE).await));
    let second = page.with_token(&token(&enter(&page, json!({}), PAGE).await));
    for visitor in [&first, &second] {
        assert!(
            ask(visitor, "same-id", "At what mean distance does the Moon orbit?", Some(PAGE))
                .await
                .answer()
                .contains("384400")
        );
    }
    let admin = world.admin().await;
    let sql = "select count(*), count(distinct owner) from conversation where client_id = 'same-id'";
    let row = admin.query_one(sql, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (2, 2));
    assert_eq!(owner.get("/api/conversations/same-id").await.code(), "not_found", "nor are they the servers' own");
}

#[tokio::test]
async fn an_earlier_visitor_keeps_its_name_and_nobody_takes_another_ones() {
    let world = World::new().await;
    let owner = world.tenant_a.clone();
    let page = owner.with_token(&publishable(&owner).await);
    let first = enter(&page, json!({}), PAGE).await;
    let again = enter(&page, json!({ "renew": token(&first) }), PAGE).await;
    assert_eq!(again.json()["visitor"], first.json()["visitor"]);
    let other = owner.with_token(&publishable(&owner).await);
    for (page, shown) in [(&other, token(&first)), (&page, format!("{}x", token(&first))), (&page, "x".into())] {
        let stranger = enter(page, json!({ "renew": shown }), PAGE).await;
        assert_ne!(stranger.json()["visitor"], first.json()["visitor"]);
    }
}

#[tokio::test]
async fn the_tenants_server_vouches_for_people() {
    let world = World::new().await;
    let made = made(&world.tenant_a).await;
    let page = world.tenant_a.with_token(made["token"].as_str().unwrap());
    let secret = made["visitorSecret"].as_str().unwrap();
    let now = docent::clock::Clock::system().now().as_second();
    let signed = |secret: &str, id: &str, expires: i64| {
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        let bytes = mac.chain_update(format!("{id}\n{expires}")).finalize().into_bytes();
        let signature: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        json!({ "identity": { "id": id, "expiresAt": expires, "signature": signature } })
    };
    let entered = enter(&page, signed(secret, "user-1", now + 600), PAGE).await;
    assert_eq!(entered.json()["visitor"], "i:user-1");
    for (wrong, why) in [
        (signed(secret, "user-1", now - 1), "over"),
        (signed(secret, "user-1", now + 90_000), "longer than a day"),
        (signed("docent_vs_other", "user-1", now + 600), "another secret"),
    ] {
        assert_eq!(enter(&page, wrong, PAGE).await.code(), "unauthorized", "{why}");
    }
    let mut moved = signed(secret, "user-1", now + 600);
    moved["identity"]["id"] = json!("user-2");
    assert_eq!(enter(&page, moved, PAGE).await.code(), "unauthorized");
    let listed = world.tenant_a.get("/api/tokens").await.text();
    assert!(!listed.contains(secret), "the secret is shown once");
}

#[tokio::test]
async fn revoking_a_pages_token_ends_its_visitors() {
    let world = World::new().await;
    let made = made(&world.tenant_a).await;
    let page = world.tenant_a.with_token(made["token"].as_str().unwrap());
    let visitor = page.with_token(&token(&enter(&page, json!({}), PAGE).await));
    assert_eq!(ask(&visitor, "c", "hello", Some(PAGE)).await.status, 200);
    let path = format!("/api/tokens/{}", made["id"].as_str().unwrap());
    assert_eq!(world.tenant_a.delete(&path).await.status, 204);
    assert_eq!(ask(&visitor, "c", "hello", Some(PAGE)).await.code(), "unauthorized");
    assert_eq!(enter(&page, json!({}), PAGE).await.code(), "unauthorized");
}

#[tokio::test]
async fn a_visitor_talks_to_the_pages_bot_and_to_no_other() {
    let world = World::new().await;
    let owner = &world.tenant_a;
    let bot = owner.post("/api/bots", json!({ "name": "shop" })).await.json()["id"].as_str().unwrap().to_owned();
    let wanted = json!({ "name": "page", "publishable": true, "origins": [PAGE], "bot": bot });
    let made = owner.post("/api/tokens", wanted).await.json();
    let page = owner.with_token(made["token"].as_str().unwrap());
    let visitor = page.with_token(&token(&enter(&page, json!({}), PAGE).await));
    let other = owner.get("/api/bots").await.json()["bots"][0]["id"].clone();
    assert_ne!(other, json!(bot));
    for (asked, status) in [(Value::Null, 200), (json!(bot), 200), (other, 404)] {
        let mut body = json!({ "id": "c", "message": { "role": "user", "parts": [{ "type": "text", "text": "hi" }] } });
        if !asked.is_null() {
            body["bot"] = asked.clone();
        }
        let reply = visitor.send("POST", "/api/chat", Some(body.to_string()), &[("origin", PAGE)]).await;
        assert_eq!(reply.status, status, "{asked}: {}", reply.text());
    }
}

#[tokio::test]
async fn rights_of_tokens_do_not_mix() {
    let world = World::new().await;
    for (wrong, word) in [
        (json!({ "name": "x", "scopes": ["chat"], "origins": [PAGE] }), "publishable"),
        (json!({ "name": "x", "publishable": true, "scopes": ["chat"], "origins": [PAGE] }), "scopes of its own"),
        (json!({ "name": "x", "publishable": true }), "origins"),
        (json!({ "name": "x", "publishable": true, "origins": ["https://shop.example/"] }), "origin"),
        (json!({ "name": "x", "publishable": true, "origins": ["*"] }), "origin"),
        (json!({ "name": "x", "publishable": true, "origins": ["https://*.example"] }), "origin"),
    ] {
        let reply = world.tenant_a.post("/api/tokens", wrong.clone()).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, "invalid_request"), "{wrong}");
        assert!(reply.text().contains(word), "{wrong}: {}", reply.text());
    }
}

#[tokio::test]
async fn a_preflight_opens_what_visitors_use_and_nothing_else() {
    let world = World::new().await;
    let ask = async |path: &str| {
        let headers = [("origin", PAGE), ("access-control-request-method", "POST")];
        let reply = world.anon.send("OPTIONS", path, None, &headers).await;
        assert_eq!(reply.status, 204);
        assert_eq!(reply.headers["vary"], "origin");
        reply.headers.contains_key("access-control-allow-origin")
    };
    for path in ["/api/chat", "/api/chat/x/stream", "/api/tokens/visitor", "/api/widget/x"] {
        assert!(ask(path).await, "{path}");
    }
    for path in ["/api/tokens", "/api/keys", "/api/documents", "/api/chatter", "/api/upload"] {
        assert!(!ask(path).await, "{path}");
    }
    let listed = world.tenant_a.send("GET", "/api/documents", None, &[("origin", PAGE)]).await;
    assert!(!listed.headers.contains_key("access-control-allow-origin"), "no page reads with a stolen token");
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_protect_it() {
    let world = World::new().await;
    for path in ["/api/documents", "/api/nothing", "/v1/nothing", "/api/health/ping"] {
        let reply = world.tenant_a.get(path).await;
        for name in
            ["x-content-type-options", "x-frame-options", "content-security-policy", "strict-transport-security"]
        {
            assert!(reply.headers.contains_key(name), "{path} {name}");
        }
        assert!(reply.headers.contains_key("cache-control"), "{path}");
    }
    let openai = world.tenant_a.get("/v1/nothing").await.json();
    assert_eq!(openai["error"]["code"], openai["code"]);
    assert_eq!(openai["error"]["type"], "invalid_request_error");
    assert!(world.tenant_a.get("/api/nothing").await.json()["error"].is_null());
}

#[tokio::test]
async fn a_session_of_the_front_ends_database_costs_one_look_more() {
    let variables = [
        ("AUTH_SESSIONS", "database"),
        ("AUTH_SECRET", "a-secret-that-signs-nothing-here"),
        ("TENANT_PROVISIONING", "1"),
    ];
    let world = World::new().await;
    let admin = world.admin().await;
    let table = "create table sessions (id serial primary key, \"sessionToken\" text not null, \"userId\" integer not null, expires timestamptz not null);
                 grant select on sessions to docent_control;
                 insert into sessions (\"sessionToken\", \"userId\", expires) values
                   ('0f1e2d3c-aaaa-4bbb-8ccc-000000000001', 7, now() + interval '1 day'),
                   ('0f1e2d3c-aaaa-4bbb-8ccc-000000000002', 8, now() - interval '1 day')";
    admin.batch_execute(table).await.unwrap();
    let environment = variables.iter().fold(world.environment.clone(), |all, (name, value)| all.with(name, *value));
    let files = docent::function::Files::new(&environment, docent::App::new(&environment).unwrap()).unwrap();
    let browser = world.anon.through(&docent::function::everything(files));
    let cookie = |number: u8| format!("theme=dark; authjs.session-token=0f1e2d3c-aaaa-4bbb-8ccc-00000000000{number}");
    let (good, ended, unknown) = (cookie(1), cookie(2), cookie(3));
    let get = async |cookie: &str| browser.send("GET", "/api/keys", None, &[("cookie", cookie)]).await;
    let reply = get(&good).await;
    assert_eq!(reply.status, 200, "one's own tenant is one's own: {}", reply.text());
    assert_eq!(get(&ended).await.code(), "unauthorized");
    assert_eq!(get(&unknown).await.code(), "unauthorized");
    let made: i64 = admin.query_one("select count(*) from tenant where issuer is not null", &[]).await.unwrap().get(0);
    assert_eq!(made, 1);

    // A browser adds the cookie to what other pages send; only our own page, or one of the operator's, may change anything.
    let post = async |headers: &[(&str, &str)]| {
        let headers: Vec<(&str, &str)> = headers.iter().copied().chain([("cookie", good.as_str())]).collect();
        browser.send("POST", "/api/bots", Some(json!({ "name": "b" }).to_string()), &headers).await
    };
    assert_eq!(
        post(&[("origin", "https://evil.example"), ("host", "docent.example")]).await.code(),
        "origin_not_allowed"
    );
    assert_eq!(post(&[("sec-fetch-site", "cross-site")]).await.code(), "origin_not_allowed");
    assert_eq!(post(&[("origin", "https://docent.example"), ("host", "docent.example")]).await.status, 201);
}
