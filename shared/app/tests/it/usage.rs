//! The ledger: what is noted, and what the sums show.

use docent::usage::{self, Entry, Kind, PaidBy};
use serde_json::json;
use uuid::Uuid;

use crate::world::{Client, World};

const ENTRY: Entry<'static> = Entry {
    id: Uuid::nil(),
    token: None,
    kind: Kind::Chat,
    provider: "openai",
    model: "gpt-5-mini",
    input_tokens: 100,
    output_tokens: 7,
    paid_by: PaidBy::Tenant,
};

#[tokio::test]
async fn spending_is_summed_by_day_kind_provider_and_model() {
    let world = World::new().await;
    assert_eq!(world.tenant_a.get("/api/usage").await.json(), json!({ "days": 30, "usage": [] }));
    let id = Uuid::from_u128;
    record(&world, &world.tenant_a, Entry { id: id(1), ..ENTRY }).await;
    record(&world, &world.tenant_a, Entry { id: id(2), output_tokens: 3, ..ENTRY }).await;
    record(&world, &world.tenant_a, Entry { id: id(2), output_tokens: 3, ..ENTRY }).await;
    record(&world, &world.tenant_a, Entry { id: id(3), kind: Kind::Embedding, model: "e", output_tokens: 0, ..ENTRY })
        .await;
    record(&world, &world.tenant_a, Entry { id: id(4), ..ENTRY }).await;
    record(&world, &world.tenant_a, Entry { id: id(5), ..ENTRY }).await;
    record(&world, &world.tenant_b, Entry { id: id(1), input_tokens: i64::MAX, ..ENTRY }).await;
    record(&world, &world.tenant_b, Entry { id: id(2), input_tokens: i64::MAX, ..ENTRY }).await;

    // Noon of the 30th day, today being the first, and of the 31st: whatever the hour is now.
    let admin = world.admin().await;
    let age =
        "update usage_ledger set created_at = (date_trunc('day', now() at time zone 'UTC') - make_interval(days => $3)
                 + interval '12 hours') at time zone 'UTC' where tenant_id = $1 and id = $2";
    for (entry, days) in [(id(4), 29), (id(5), 30)] {
        assert_eq!(admin.execute(age, &[&world.tenant_a.tenant.uuid(), &entry, &days]).await.unwrap(), 1);
    }

    let usage = world.tenant_a.get("/api/usage").await.json();
    let expected = [
        json!({ "kind": "chat", "model": "gpt-5-mini", "requests": 2, "inputTokens": 200, "outputTokens": 10 }),
        json!({ "kind": "embedding", "model": "e", "requests": 1, "inputTokens": 100, "outputTokens": 0 }),
        json!({ "kind": "chat", "model": "gpt-5-mini", "requests": 1, "inputTokens": 100, "outputTokens": 7 }),
    ];
    assert_eq!(usage["usage"].as_array().unwrap().len(), expected.len(), "{usage}");
    for (line, wanted) in expected.iter().enumerate() {
        for (field, value) in wanted.as_object().unwrap() {
            assert_eq!(&usage["usage"][line][field], value, "{field} of line {line}: {usage}");
        }
    }
    let day = |line: usize| usage["usage"][line]["day"].as_str().unwrap().to_owned();
    assert!(day(0) == day(1) && day(0) > day(2) && day(0).len() == 10, "{usage}");

    let other = world.tenant_b.get("/api/usage").await.json();
    assert_eq!(other["usage"].as_array().unwrap().len(), 1);
    assert_eq!(other["usage"][0]["inputTokens"], i64::MAX, "a sum that would overflow is cut");
}

#[tokio::test]
async fn usage_needs_the_scope_read() {
    let world = World::new().await;
    let made =
        world.tenant_a.post("/api/tokens", json!({ "name": "x", "scopes": ["chat", "write", "admin"] })).await.json();
    let client = world.tenant_a.with_token(made["token"].as_str().unwrap());
    assert_eq!(client.get("/api/usage").await.code(), "forbidden");
    assert_eq!(world.anon.get("/api/usage").await.code(), "unauthorized");
}

async fn record(world: &World, client: &Client, entry: Entry<'_>) {
    let tx = world.files.app.db.tenant(client.tenant).await.unwrap();
    tx.finish(usage::record(&tx, entry)).await.unwrap();
}
