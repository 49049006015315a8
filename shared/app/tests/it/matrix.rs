//! Roles × routes: every route of the sources, every kind of caller, and who gets in. A route that nobody listed here
//! fails the test, so that a new one is closed until somebody says whom it is for.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Value, json};

use crate::callers::{PAGE, publishable, visitor};
use crate::house::routes;
use crate::world::{Client, World};

/// Who a route is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum For {
    /// Anybody: says nothing about any tenant.
    Everyone,
    /// Visitors, viewers, editors and owners.
    Chat,
    Read,
    Write,
    Admin,
    /// A publishable token from one of its pages.
    Page,
    /// The operator's scheduler and queue, by secrets of their own.
    Operator,
}

pub const ROUTES: &[(&str, &str, For)] = &[
    ("GET", "/api/bots", For::Read),
    ("POST", "/api/bots", For::Write),
    ("GET", "/api/bots/{id}", For::Read),
    ("PATCH", "/api/bots/{id}", For::Write),
    ("DELETE", "/api/bots/{id}", For::Write),
    ("GET", "/api/bots/{id}/gaps", For::Write),
    ("POST", "/api/chat", For::Chat),
    ("GET", "/api/chat/{id}/stream", For::Chat),
    ("POST", "/api/chat/{id}/stop", For::Chat),
    ("GET", "/api/collections", For::Read),
    ("POST", "/api/collections", For::Write),
    ("GET", "/api/collections/migration", For::Read),
    ("POST", "/api/collections/migration", For::Admin),
    ("DELETE", "/api/collections/migration", For::Admin),
    ("POST", "/api/collections/migration/switch", For::Admin),
    ("POST", "/api/collections/migration/rollback", For::Admin),
    ("GET", "/api/bots/{id}/feedback", For::Write),
    ("GET", "/api/conversations", For::Chat),
    ("GET", "/api/conversations/search", For::Chat),
    ("GET", "/api/conversations/{id}", For::Chat),
    ("PATCH", "/api/conversations/{id}", For::Chat),
    ("DELETE", "/api/conversations/{id}", For::Chat),
    ("GET", "/api/conversations/{id}/export", For::Chat),
    ("PUT", "/api/conversations/{id}/messages/{message}/feedback", For::Chat),
    ("DELETE", "/api/conversations/{id}/messages/{message}/feedback", For::Chat),
    ("GET", "/api/documents", For::Read),
    ("POST", "/api/documents", For::Write),
    ("GET", "/api/documents/{id}", For::Read),
    ("PATCH", "/api/documents/{id}", For::Write),
    ("DELETE", "/api/documents/{id}", For::Write),
    ("GET", "/api/documents/{id}/events", For::Read),
    ("POST", "/api/documents/{id}/redrive", For::Write),
    ("POST", "/api/documents/{id}/refresh", For::Write),
    ("POST", "/api/documents/{id}/restore", For::Write),
    ("GET", "/api/documents/{id}/versions", For::Read),
    ("GET", "/api/health", For::Everyone),
    ("GET", "/api/health/ping", For::Everyone),
    ("GET", "/api/health/ready", For::Everyone),
    ("GET", "/api/v1/health", For::Everyone),
    ("GET", "/health", For::Everyone),
    ("POST", "/api/ingest", For::Operator),
    ("GET", "/api/ingest/sweep", For::Operator),
    ("POST", "/api/ingest/sweep", For::Operator),
    ("GET", "/api/keys", For::Admin),
    ("GET", "/api/keys/{provider}", For::Admin),
    ("PUT", "/api/keys/{provider}", For::Admin),
    ("DELETE", "/api/keys/{provider}", For::Admin),
    ("POST", "/api/keys/{provider}/check", For::Admin),
    ("POST", "/api/search", For::Read),
    ("GET", "/api/tokens", For::Admin),
    ("POST", "/api/tokens", For::Admin),
    ("DELETE", "/api/tokens/{id}", For::Admin),
    ("POST", "/api/tokens/visitor", For::Page),
    ("POST", "/api/upload", For::Write),
    ("POST", "/api/upload/{id}/complete", For::Write),
    ("POST", "/api/upload/{id}/sign", For::Write),
    ("GET", "/api/usage", For::Read),
    ("GET", "/api/usage/caps", For::Admin),
    ("PUT", "/api/usage/caps", For::Admin),
    ("GET", "/api/webhooks", For::Admin),
    ("GET", "/api/widget/{id}", For::Page),
    ("POST", "/v1/chat/completions", For::Chat),
    ("POST", "/v1/responses", For::Chat),
    ("GET", "/v1/models", For::Chat),
    ("GET", "/v1/models/{id}", For::Chat),
    ("POST", "/api/webhooks", For::Admin),
    ("GET", "/api/webhooks/{id}", For::Admin),
    ("PATCH", "/api/webhooks/{id}", For::Admin),
    ("DELETE", "/api/webhooks/{id}", For::Admin),
];

#[test]
fn every_route_is_in_the_matrix() {
    let listed: Vec<(String, String)> =
        ROUTES.iter().map(|(method, path, _)| (method.to_string(), path.to_string())).collect();
    for route in routes() {
        assert!(listed.contains(&route), "{route:?} is for nobody yet: add it to the matrix");
    }
    for route in listed {
        assert!(routes().contains(&route), "{route:?} is in the matrix but not in the sources");
    }
}

#[tokio::test]
async fn every_role_gets_exactly_what_it_may() {
    let world = World::new().await;
    let owner = world.tenant_a.clone();
    let mut callers: BTreeMap<&str, (Client, &[For])> = BTreeMap::new();
    let scoped = async |scopes: &[&str]| {
        let made = owner.post("/api/tokens", json!({ "name": "role", "scopes": scopes })).await.json();
        owner.with_token(made["token"].as_str().unwrap())
    };
    callers.insert("anonymous", (world.anon.clone(), &[]));
    callers.insert("visitor", (owner.with_token(&visitor(&owner).await), &[For::Chat]));
    callers.insert("viewer", (scoped(&["chat", "read"]).await, &[For::Chat, For::Read]));
    callers.insert("editor", (scoped(&["chat", "read", "write"]).await, &[For::Chat, For::Read, For::Write]));
    callers.insert("owner", (owner.clone(), &[For::Chat, For::Read, For::Write, For::Admin]));
    callers.insert("publishable", (owner.with_token(&publishable(&owner).await), &[For::Page]));
    for (name, (client, may)) in &callers {
        for (method, path, whom) in ROUTES {
            let nil = "00000000-0000-7000-8000-000000000000";
            let path = path.replace("{id}", nil).replace("{message}", nil).replace("{provider}", "mistral");
            let body = (*method != "GET" && *method != "DELETE").then(|| body(&path).to_string());
            let reply = client.send(method, &path, body, &[("origin", PAGE)]).await;
            let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&reply.status);
            let open = *whom == For::Everyone || may.contains(whom);
            assert_eq!(refused, !open, "{name} {method} {path} ({whom:?}): {} {}", reply.status, reply.text());
        }
    }
}

/// What a route needs to get as far as the question who is asking.
fn body(path: &str) -> Value {
    match path {
        "/api/chat" => {
            json!({ "id": "matrix", "message": { "role": "user", "parts": [{ "type": "text", "text": "hm" }] } })
        }
        "/api/search" => json!({ "query": "hm" }),
        _ => json!({}),
    }
}
