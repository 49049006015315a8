//! Bots through the router, and as the rooms above them find them.

use docent::bots;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Client, Reply, World};

#[tokio::test]
async fn bots_are_made_listed_changed_and_deleted() {
    let world = World::new().await;
    let client = &world.tenant_a;
    let listed = client.get("/api/bots").await.json();
    let default = &listed["bots"][0];
    assert_eq!(listed["bots"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&default["provider"], &default["isDefault"], &default["embeddingModel"]),
        (&json!("extractive"), &json!(true), &json!("hash-384"))
    );

    let made = client.post("/api/bots", json!({ "name": "Help desk", "instructions": "Be brief." })).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    let expected = [
        ("name", json!("Help desk")),
        ("instructions", json!("Be brief.")),
        ("provider", json!("extractive")),
        ("model", json!("")),
        ("refusal", json!("I could not find that in the documents.")),
        ("collections", default["collections"].clone()),
        ("embeddingModel", json!("hash-384")),
        ("isDefault", json!(false)),
    ];
    for (field, value) in expected {
        assert_eq!(made[field], value, "{field}");
    }
    let path = path(&made);
    assert_eq!(client.get(&path).await.json(), made);
    assert_eq!(client.get("/api/bots").await.json(), json!({ "bots": [default, made] }));

    let changed = patch(client, &path, json!({ "provider": "openai", "model": "gpt-5-mini" })).await.json();
    assert_eq!(
        (&changed["provider"], &changed["model"], &changed["name"]),
        (&json!("openai"), &json!("gpt-5-mini"), &json!("Help desk"))
    );
    assert_ne!(changed["updatedAt"], made["updatedAt"]);
    assert_eq!(client.get(&path).await.json(), changed);

    assert_eq!(client.delete(&path).await.status, 204);
    assert_eq!(client.delete(&path).await.code(), "not_found");
    assert_eq!(client.get(&path).await.code(), "not_found");
}

#[tokio::test]
async fn the_default_bot_stays() {
    let world = World::new().await;
    let client = &world.tenant_a;
    let path = path(&client.get("/api/bots").await.json()["bots"][0]);
    let reply = client.delete(&path).await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (409, "conflict"));
    assert_eq!(client.get(&path).await.status, 200);
    assert_eq!(patch(client, &path, json!({ "name": "Guide" })).await.json()["name"], "Guide");
}

#[tokio::test]
async fn another_tenant_sees_no_bot() {
    let world = World::new().await;
    let made = world.tenant_a.post("/api/bots", json!({ "name": "Secret" })).await.json();
    let path = path(&made);
    let other = &world.tenant_b;
    assert!(!other.get("/api/bots").await.text().contains("Secret"));
    for reply in
        [other.get(&path).await, other.delete(&path).await, patch(other, &path, json!({ "name": "Mine" })).await]
    {
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (404, "not_found"));
    }
    // Another tenant's collection is no collection.
    let body = json!({ "name": "Spy", "collections": made["collections"] });
    assert_eq!(other.post("/api/bots", body).await.code(), "invalid_request");
    assert_eq!(world.tenant_a.get(&path).await.json(), made);
}

#[tokio::test]
async fn reading_and_changing_need_their_scopes() {
    let world = World::new().await;
    let path = path(&world.tenant_a.get("/api/bots").await.json()["bots"][0]);
    let with = async |scopes: &[&str]| {
        let made = world.tenant_a.post("/api/tokens", json!({ "name": "some", "scopes": scopes })).await.json();
        world.tenant_a.with_token(made["token"].as_str().unwrap())
    };
    let [reader, writer] = [with(&["read"]).await, with(&["write"]).await];
    let neither = with(&["chat", "admin"]).await;
    let body = json!({ "name": "x" }).to_string();
    for (method, address) in [("GET", "/api/bots"), ("GET", &path), ("POST", "/api/bots"), ("PATCH", &path)] {
        let body = (method != "GET").then(|| body.clone());
        let allowed = async |client: &Client| client.send(method, address, body.clone(), &[]).await.status.is_success();
        let (read, write) = (method == "GET", method != "GET");
        assert_eq!((allowed(&reader).await, allowed(&writer).await), (read, write), "{method} {address}");
        assert_eq!(neither.send(method, address, body.clone(), &[]).await.code(), "forbidden", "{method} {address}");
        assert_eq!(world.anon.send(method, address, body.clone(), &[]).await.code(), "unauthorized");
    }
    assert_eq!(reader.delete(&path).await.code(), "forbidden");
    assert_eq!(writer.delete(&path).await.code(), "conflict");
}

#[tokio::test]
async fn bad_bots_are_refused_by_field() {
    let world = World::new().await;
    let client = &world.tenant_a;
    let cases = [
        (json!({}), "name"),
        (json!({ "name": " " }), "name"),
        (json!({ "name": "x".repeat(201) }), "name"),
        (json!({ "name": "x\u{0}" }), "name"),
        (json!({ "name": "x", "instructions": "x".repeat(20_001) }), "instructions"),
        (json!({ "name": "x", "model": "x".repeat(201) }), "model"),
        (json!({ "name": "x", "refusal": "" }), "refusal"),
        (json!({ "name": "x", "refusal": "x".repeat(2_001) }), "refusal"),
        (json!({ "name": "x", "provider": "Open AI" }), "provider"),
        (json!({ "name": "x", "provider": "openai" }), "model"),
        (json!({ "name": "x", "collections": [] }), "collections"),
        (json!({ "name": "x", "collections": [Uuid::nil()] }), "collections"),
        (json!({ "name": "x", "collections": ["y"] }), "collections"),
        (json!({ "name": "x", "isDefault": true }), "isDefault"),
        (json!([]), ""),
    ];
    let path = path(&client.post("/api/bots", json!({ "name": "Kept" })).await.json());
    let before = client.get(&path).await.json();
    for (body, field) in cases {
        let mut replies = vec![client.post("/api/bots", body.clone()).await];
        if body != json!({}) {
            replies.push(patch(client, &path, body.clone()).await);
        }
        for reply in replies {
            assert_eq!((reply.status.as_u16(), reply.code().as_str()), (400, "invalid_request"), "{body}");
            assert!(reply.json()["detail"].as_str().unwrap().contains(field), "{field}: {}", reply.text());
        }
    }
    assert_eq!(client.get(&path).await.json(), before);
    assert_eq!(patch(client, "/api/bots/not-an-id", json!({})).await.code(), "not_found");
    assert_eq!(client.get("/api/bots").await.json()["bots"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_collections_of_a_bot_share_one_model() {
    let world = World::new().await;
    let client = &world.tenant_a;
    let admin = world.admin().await;
    let ids: [Uuid; 2] = [1, 2].map(Uuid::from_u128);
    let insert = "insert into collection (tenant_id, id, name, embedding_model) values ($1, $2, $3, $4)";
    for (id, name, model) in [(ids[0], "More", "hash-384"), (ids[1], "Other", "minilm-l6-v2")] {
        admin.execute(insert, &[&world.tenant_a.tenant.uuid(), &id, &name, &model]).await.unwrap();
    }
    let made = client.post("/api/bots", json!({ "name": "x" })).await.json();
    let path = path(&made);
    let library = made["collections"][0].clone();
    let reply = patch(client, &path, json!({ "collections": [library, ids[1]] })).await;
    assert_eq!(reply.code(), "invalid_request");
    assert!(reply.json()["detail"].as_str().unwrap().contains("embedding model"));

    let both = patch(client, &path, json!({ "collections": [library, ids[0], ids[0]] })).await.json();
    assert_eq!(both["collections"], json!([ids[0], library]), "sorted, each once");
    let other = patch(client, &path, json!({ "collections": [ids[1]] })).await.json();
    assert_eq!((&other["collections"], &other["embeddingModel"]), (&json!([ids[1]]), &json!("minilm-l6-v2")));
    assert_eq!(patch(client, &path, json!({ "name": "y" })).await.json()["collections"], json!([ids[1]]));
}

#[tokio::test]
async fn a_bot_is_found_by_id_or_as_the_default() {
    let world = World::new().await;
    let made =
        world.tenant_a.post("/api/bots", json!({ "name": "Second", "provider": "openai", "model": "m" })).await.json();
    let id: Uuid = made["id"].as_str().unwrap().parse().unwrap();
    let find = async |client: &Client, id: Option<Uuid>| {
        let tx = world.files.app.db.tenant(client.tenant).await.unwrap();
        tx.finish(bots::find(&tx, id, None)).await.unwrap()
    };
    let second = find(&world.tenant_a, Some(id)).await.unwrap();
    assert_eq!((second.name.as_str(), second.provider.as_str(), second.model.as_str()), ("Second", "openai", "m"));
    assert_eq!((second.collections.len(), second.embedding_model.as_str()), (1, "hash-384"));
    let default = find(&world.tenant_a, None).await.unwrap();
    assert_eq!((default.name.as_str(), default.provider.as_str()), ("Docent", bots::EXTRACTIVE));
    assert!(find(&world.tenant_b, Some(id)).await.is_none());
    assert!(find(&world.tenant_a, Some(Uuid::nil())).await.is_none());
}

#[tokio::test]
async fn a_tenant_keeps_a_hundred_bots() {
    let world = World::new().await;
    let admin = world.admin().await;
    let fill = "insert into bot (tenant_id, id, name) select $1, gen_random_uuid(), 'b' from generate_series(1, 98)";
    admin.execute(fill, &[&world.tenant_a.tenant.uuid()]).await.unwrap();
    assert_eq!(world.tenant_a.post("/api/bots", json!({ "name": "the hundredth" })).await.status, 201);
    let reply = world.tenant_a.post("/api/bots", json!({ "name": "one more" })).await;
    assert_eq!((reply.status.as_u16(), reply.code().as_str()), (409, "conflict"));
    assert_eq!(world.tenant_a.get("/api/bots").await.json()["bots"].as_array().unwrap().len(), 100);
    assert_eq!(world.tenant_b.post("/api/bots", json!({ "name": "mine" })).await.status, 201);
}

fn path(bot: &Value) -> String {
    format!("/api/bots/{}", bot["id"].as_str().unwrap())
}

async fn patch(client: &Client, path: &str, body: Value) -> Reply {
    client.send("PATCH", path, Some(body.to_string()), &[]).await
}
