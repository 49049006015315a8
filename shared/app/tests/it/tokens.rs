//! Platform tokens through the router.

use docent::auth::token;
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn tokens_are_made_listed_and_revoked_and_shown_once() {
    let world = World::new().await;
    let made = world.tenant_a.post("/api/tokens", json!({ "name": "ci", "scopes": ["read"] })).await;
    assert_eq!(made.status, 201);
    let made = made.json();
    let text = made["token"].as_str().unwrap();
    let reader = world.tenant_a.with_token(text);
    assert_eq!(reader.get("/api/documents").await.status, 200);
    assert_eq!(reader.get("/api/tokens").await.code(), "forbidden");

    let listed = world.tenant_a.get("/api/tokens").await;
    assert!(!listed.text().contains(text), "a listing never shows a token");
    assert_eq!(listed.json()["tokens"].as_array().unwrap().len(), 2);
    assert!(!world.tenant_b.get("/api/tokens").await.text().contains(made["id"].as_str().unwrap()));

    let path = format!("/api/tokens/{}", made["id"].as_str().unwrap());
    assert_eq!(world.tenant_b.delete(&path).await.code(), "not_found");
    assert_eq!(world.tenant_a.delete(&path).await.status, 204);
    assert_eq!(reader.get("/api/documents").await.code(), "unauthorized");
}

#[tokio::test]
async fn bad_credentials_are_refused_before_and_behind_the_database() {
    let world = World::new().await;
    let good = world.tenant_a.token.clone().unwrap();
    let foreign_tenant = good.replacen(
        &world.tenant_a.tenant.uuid().simple().to_string(),
        &world.tenant_b.tenant.uuid().simple().to_string(),
        1,
    );
    let endless = format!("docent_sk_{}", "a".repeat(docent::auth::LONGEST_CREDENTIAL));
    let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSIsImV4cCI6OTk5OTk5OTk5OX0.";
    for wrong in ["", "docent_sk_x", &good[..good.len() - 1], &foreign_tenant, &endless, unsigned, "docent_vt_x_y.z"] {
        let reply = world.anon.with_token(wrong).get("/api/documents").await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (401, "unauthorized"), "{wrong}");
        assert_eq!(reply.headers["www-authenticate"], "Bearer");
    }
    assert_eq!(world.anon.get("/api/documents").await.code(), "unauthorized");
    // Well formed, right checksum, but never issued.
    let clock = docent::clock::Clock::system();
    let forged = token::mint(token::TokenKind::Secret, world.tenant_a.tenant, &clock);
    let forged = secrecy::ExposeSecret::expose_secret(&forged.text).to_owned();
    assert_eq!(world.anon.with_token(&forged).get("/api/documents").await.code(), "unauthorized");
}

#[tokio::test]
async fn bad_bodies_have_codes() {
    let world = World::new().await;
    for (body, code) in [
        ("{", "invalid_request"),
        (r#"{"name":"x","scopes":[]}"#, "invalid_request"),
        (r#"{"name":"x","scopes":["root"]}"#, "invalid_request"),
        (r#"{"name":"","scopes":["read"]}"#, "invalid_request"),
        (r#"{"name":"x","scopes":["read"],"extra":1}"#, "invalid_request"),
    ] {
        let reply = world.tenant_a.send("POST", "/api/tokens", Some(body.to_owned()), &[]).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, code), "{body}");
    }
    let long = format!(r#"{{"name":"{}","scopes":["read"]}}"#, "x".repeat(docent::http::SMALL_BODY_LIMIT));
    let reply = world.tenant_a.send("POST", "/api/tokens", Some(long), &[]).await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (413, "too_large"));
    let deep = format!(r#"{{"name":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let reply = world.tenant_a.send("POST", "/api/tokens", Some(deep), &[]).await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, "invalid_request"));
    for (declared, status) in
        [("application/json; charset=utf-16", 415), ("text/plain", 415), ("application/json;charset=UTF-8", 201)]
    {
        let body = r#"{"name":"x","scopes":["read"]}"#.to_owned();
        let reply = world.tenant_a.send("POST", "/api/tokens", Some(body), &[("content-type", declared)]).await;
        assert_eq!(reply.status, status, "{declared}: {}", reply.text());
    }
}
