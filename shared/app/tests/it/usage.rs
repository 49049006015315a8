//! The ledger and the caps through the router: what is summed, what is shown, who may change it.

use docent::usage::{Call, Kind, PaidBy, Spender, Spending, Used};
use serde_json::{Value, json};

use crate::world::{Client, Reply, World};

const CALL: Call<'static> = Call {
    kind: Kind::Chat,
    provider: "openai",
    model: "gpt-5-mini",
    paid_by: PaidBy::Tenant,
    most_input: 0,
    most_output: 0,
};

const USED: Used = Used { input_tokens: 100, output_tokens: 7, estimated: false };

#[tokio::test]
async fn spending_is_summed_by_day_kind_provider_model_and_account() {
    let world = World::new().await;
    let (a, b) = (world.tenant_a.clone(), world.tenant_b.clone());
    let empty = a.get("/api/usage").await.json();
    assert_eq!((&empty["days"], &empty["usage"], &empty["today"]), (&json!(30), &json!([]), &json!([])));
    let twice = spending(&world, &a, &CALL);
    record(&world, &twice, USED).await;
    record(&world, &twice, USED).await;
    record(&world, &spending(&world, &a, &CALL), Used { output_tokens: 3, ..USED }).await;
    record(&world, &spending(&world, &a, &Call { kind: Kind::Embedding, model: "e", ..CALL }), USED).await;
    record(&world, &spending(&world, &a, &Call { paid_by: PaidBy::Operator, ..CALL }), USED).await;
    for _ in 0..2 {
        record(&world, &spending(&world, &b, &CALL), Used { input_tokens: u64::MAX, ..USED }).await;
    }
    // An open one has cost nothing yet.
    let tx = world.files.app.db.tenant(a.tenant).await.unwrap();
    assert!(!tx.finish(spending(&world, &a, &Call { most_input: 9, ..CALL }).reserve(&tx)).await.unwrap());

    let usage = a.get("/api/usage").await.json();
    let expected = [
        json!({ "kind": "chat", "model": "gpt-5-mini", "paidBy": "operator", "requests": 1, "inputTokens": 100, "outputTokens": 7,
                "costUsd": "0.000039", "estimated": false }),
        json!({ "kind": "chat", "model": "gpt-5-mini", "paidBy": "tenant", "requests": 2, "inputTokens": 200, "outputTokens": 10,
                "costUsd": "0.00007", "estimated": false }),
        json!({ "kind": "embedding", "model": "e", "paidBy": "tenant", "requests": 1, "costUsd": "0.000013", "estimated": true }),
    ];
    matches(&usage["usage"], &expected);
    let other = b.get("/api/usage").await.json();
    matches(&other["usage"], &[json!({ "inputTokens": i64::MAX, "costUsd": "2000000.00" })]);
}

#[tokio::test]
async fn sums_reach_back_thirty_days() {
    let world = World::new().await;
    for _ in 0..3 {
        record(&world, &spending(&world, &world.tenant_a, &CALL), USED).await;
    }
    // Noon of the 30th day, today being the first, and of the 31st: whatever the hour is now.
    let admin = world.admin().await;
    let age = "update usage_ledger set created_at = (date_trunc('day', now() at time zone 'UTC') - make_interval(days => $1)
                 + interval '12 hours') at time zone 'UTC' where id = (select id from usage_ledger order by id offset $2 limit 1)";
    for (days, offset) in [(29, 0i64), (30, 1)] {
        assert_eq!(admin.execute(age, &[&days, &offset]).await.unwrap(), 1);
    }
    let usage = world.tenant_a.get("/api/usage").await.json();
    matches(&usage["usage"], &[json!({ "requests": 1 }), json!({ "requests": 1 })]);
    let day = |line: usize| usage["usage"][line]["day"].as_str().unwrap().to_owned();
    assert!(day(0) > day(1) && day(0).len() == 10, "{usage}");
}

#[tokio::test]
async fn usage_needs_the_scope_read_and_caps_the_scope_admin() {
    let world = World::new().await;
    for (scopes, path) in
        [(json!(["chat", "write", "admin"]), "/api/usage"), (json!(["chat", "read", "write"]), "/api/usage/caps")]
    {
        let made = world.tenant_a.post("/api/tokens", json!({ "name": "x", "scopes": scopes })).await.json();
        let client = world.tenant_a.with_token(made["token"].as_str().unwrap());
        assert_eq!(client.get(path).await.code(), "forbidden");
        assert_eq!(world.anon.get(path).await.code(), "unauthorized");
        if path.ends_with("caps") {
            assert_eq!(put_caps(&client, json!({ "tenant": "1000000" })).await.code(), "forbidden");
        }
    }
}

#[tokio::test]
async fn caps_are_replaced_as_a_whole_and_are_the_tenants_own() {
    let world = World::new().await;
    let (a, b) = (&world.tenant_a, &world.tenant_b);
    let admin = world.admin().await;
    let operators =
        "insert into spend_cap (tenant_id, subject, paid_by, daily_micros) values ($1, 'tenant', 'operator', 7)";
    admin.execute(operators, &[&a.tenant.uuid()]).await.unwrap();
    let token = "token:0193a000-0000-7000-8000-000000000001";
    let saved = put_caps(a, json!({ "tenant": "5", "visitor": "0.05", token: "1.250001" })).await;
    assert_eq!(saved.status, 200, "{}", saved.text());
    assert_eq!(saved.json(), json!({ "caps": { "tenant": "5.00", "visitor": "0.05", token: "1.250001" } }));
    assert_eq!(a.get("/api/usage/caps").await.json(), saved.json());
    assert_eq!(b.get("/api/usage/caps").await.json(), json!({ "caps": {} }));
    assert_eq!(put_caps(a, json!({ "tenant": "6" })).await.json(), json!({ "caps": { "tenant": "6.00" } }));
    for bad in [json!({ "tenant": 5 }), json!({ "everybody": "5" }), json!({ "tenant": "5$" }), json!(["tenant"])] {
        assert_eq!(put_caps(a, bad).await.code(), "invalid_request");
    }
    assert_eq!(a.get("/api/usage/caps").await.json(), json!({ "caps": { "tenant": "6.00" } }));
    assert_eq!(put_caps(a, json!({})).await.json(), json!({ "caps": {} }));
    let left = admin.query_one("select count(*), min(daily_micros) from spend_cap", &[]).await.unwrap();
    assert_eq!(
        (left.get::<_, i64>(0), left.get::<_, i64>(1)),
        (1, 7),
        "the operator's cap is out of the tenant's reach"
    );
}

pub async fn put_caps(client: &Client, caps: Value) -> Reply {
    client.send("PUT", "/api/usage/caps", Some(json!({ "caps": caps }).to_string()), &[]).await
}

fn spending(world: &World, client: &Client, call: &Call<'_>) -> Spending {
    Spending::new(&world.files.app, Spender::documents(client.tenant), call)
}

async fn record(world: &World, spending: &Spending, used: Used) {
    let tx = world.files.app.db.tenant(spending.tenant()).await.unwrap();
    tx.finish(spending.record(&tx, used)).await.unwrap();
}

/// As many lines as expected, each with at least the expected fields.
pub fn matches(lines: &Value, expected: &[Value]) {
    assert_eq!(lines.as_array().unwrap().len(), expected.len(), "{lines}");
    for (line, wanted) in expected.iter().enumerate() {
        for (field, value) in wanted.as_object().unwrap() {
            assert_eq!(&lines[line][field], value, "{field} of line {line}: {lines}");
        }
    }
}
