//! What a keeper does with documents that are there: finding, changing, moving, trying again.

use docent::documents::LONGEST_TITLE;
use serde_json::{Value, json};

use crate::ingest::{count, whole};
use crate::world::{Client, World};

const TEXT: &[u8] = b"The cartographer of Ostrava drew nine rivers on the winter map.";

async fn change(client: &Client, id: &str, change: Value) -> crate::world::Reply {
    client.send("PATCH", &format!("/api/documents/{id}"), Some(change.to_string()), &[]).await
}

async fn names(client: &Client, query: &str) -> Vec<String> {
    let reply = client.get(&format!("/api/documents?{query}")).await;
    assert_eq!(reply.status, 200, "{query}: {}", reply.text());
    let page = reply.json();
    page["documents"].as_array().unwrap().iter().map(|one| one["filename"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_list_shows_what_every_filter_admits() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = world.ready(&client, "rivers.txt", TEXT).await;
    world.upload(&client, "broken.pdf", b"%PDF-1.7 that is none").await;
    world.settle().await;
    let new = json!({ "filename": "Later 100%.md", "size": 5, "metadata": { "team": "maps", "year": 1871 } });
    client.post("/api/upload", new).await;
    world.tenant_b.post("/api/upload", json!({ "filename": "rivers.txt", "size": 5 })).await;
    change(&client, &id, json!({ "title": "Nine Rivers" })).await;
    let created = client.get(&format!("/api/documents/{id}")).await.json()["createdAt"].as_str().unwrap().to_owned();
    let home = client.get("/api/collections").await.json()["collections"][0]["id"].as_str().unwrap().to_owned();
    for (query, expected) in [
        ("".to_owned(), vec!["Later 100%.md", "broken.pdf", "rivers.txt"]),
        ("status=ready".to_owned(), vec!["rivers.txt"]),
        ("status=failed,uploading".to_owned(), vec!["Later 100%.md", "broken.pdf"]),
        ("name=RIVER".to_owned(), vec!["rivers.txt"]),
        ("name=nine%20riv".to_owned(), vec!["rivers.txt"]),
        ("name=100%25".to_owned(), vec!["Later 100%.md"]),
        ("name=1_0".to_owned(), vec![]),
        (format!("createdAfter={created}"), vec!["Later 100%.md", "broken.pdf"]),
        (format!("createdBefore={created}"), vec![]),
        ("metadata=%7B%22team%22%3A%22maps%22%7D".to_owned(), vec!["Later 100%.md"]),
        ("metadata=%7B%22team%22%3A%22maps%22%2C%22year%22%3A1872%7D".to_owned(), vec![]),
        (format!("collectionId={home}&status=ready"), vec!["rivers.txt"]),
        ("collectionId=00000000-0000-7000-8000-000000000000".to_owned(), vec![]),
    ] {
        assert_eq!(names(&client, &query).await, expected, "{query}");
    }
    let page = client.get("/api/documents?status=failed,uploading&limit=1").await.json();
    let next = format!("status=failed,uploading&limit=1&cursor={}", page["nextCursor"].as_str().unwrap());
    assert_eq!(names(&client, &next).await, ["broken.pdf"], "a page goes on under the same filter");
    for query in [
        "status=lost",
        "status=deleted",
        "metadata=7",
        "metadata=%7B%22a%22%3A%5B%5D%7D",
        "collectionId=x",
        "createdAfter=x",
    ] {
        assert_eq!(client.get(&format!("/api/documents?{query}")).await.code(), "invalid_request", "{query}");
    }
    assert_eq!(names(&client, &format!("name={}", "x".repeat(255))).await, Vec::<String>::new());
    assert_eq!(client.get(&format!("/api/documents?name={}", "x".repeat(256))).await.code(), "invalid_request");
}

#[tokio::test]
async fn title_and_notes_are_the_keepers() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = world.ready(&client, "map.md", b"# The winter map\n\nThe cartographer of Ostrava drew nine rivers.").await;
    let path = format!("/api/documents/{id}");
    assert_eq!(client.get(&path).await.json()["title"], "The winter map");
    let etag = client.get(&path).await.headers["etag"].clone();
    let changed = change(&client, &id, json!({ "title": "Ostrava", "metadata": { "year": 1871 } })).await;
    assert_eq!((&changed.json()["title"], &changed.json()["metadata"]), (&json!("Ostrava"), &json!({ "year": 1871 })));
    let polled = client.send("GET", &path, None, &[("if-none-match", etag.to_str().unwrap())]).await;
    assert_eq!(polled.status, 200, "a change is seen by whoever polls");
    let hits = client.post("/api/search", json!({ "query": "rivers of the cartographer" })).await.json();
    assert!(hits.to_string().contains("Ostrava"), "{hits}");
    assert_eq!(change(&client, &id, json!({})).await.json()["title"], "Ostrava");
    assert_eq!(change(&client, &id, json!({ "title": null })).await.json()["title"], "The winter map");
    for (wrong, why) in [
        (json!({ "title": "" }), "empty"),
        (json!({ "title": "x".repeat(LONGEST_TITLE + 1) }), "long"),
        (json!({ "title": "a\u{0}b" }), "zero"),
        (json!({ "metadata": { "a": { "b": 1 } } }), "nested"),
        (json!({ "metadata": null, "status": "ready" }), "unknown field"),
        (json!({ "collectionId": "00000000-0000-7000-8000-000000000000" }), "no collection"),
    ] {
        assert_eq!(change(&client, &id, wrong).await.code(), "invalid_request", "{why}");
    }
    assert_eq!(change(&client, &id, json!({ "title": "x".repeat(LONGEST_TITLE) })).await.status, 200);
    assert_eq!(change(&world.tenant_b, &id, json!({ "title": "stolen" })).await.code(), "not_found");
    let foreign = world.tenant_b.get("/api/collections").await.json()["collections"][0]["id"].clone();
    let refused = change(&client, &id, json!({ "title": "half", "collectionId": foreign })).await;
    assert_eq!(refused.code(), "invalid_request");
    assert_ne!(client.get(&path).await.json()["title"], "half", "a refused change leaves nothing");
}

#[tokio::test]
async fn a_document_moves_with_its_chunks_or_is_made_anew_for_another_model() {
    for world in World::on_each_store().await {
        moved(world).await;
    }
}

async fn moved(mut world: World) {
    let client = world.tenant_a.clone();
    let id = world.ready(&client, "rivers.txt", TEXT).await;
    let home = client.get("/api/collections").await.json()["collections"][0]["id"].clone();
    let made = client.post("/api/collections", json!({ "name": "Maps" })).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let maps = made.json()["id"].clone();
    let admin = world.admin().await;
    let sums = async |name: &str| {
        let sql = format!(
            "select coalesce(sum(t.chunks), 0)::int8 from collection_delta t join collection c on c.id = t.collection_id where c.name = '{name}'"
        );
        count(&admin, &sql).await
    };
    assert_eq!((sums("Library").await, sums("Maps").await), (1, 0));
    for _ in 0..2 {
        let moved = change(&client, &id, json!({ "collectionId": maps })).await.json();
        assert_eq!((&moved["collectionId"], &moved["status"]), (&maps, &json!("ready")));
        assert_eq!((sums("Library").await, sums("Maps").await), (0, 1), "once, and not again");
    }
    let bot = json!({ "name": "maps", "collections": [maps] });
    let bot = client.post("/api/bots", bot).await.json()["id"].clone();
    let finds = async |bot: &Value| {
        let query = json!({ "query": "Which rivers did the cartographer draw?", "bot": bot });
        client.post("/api/search", query).await.text().contains("nine rivers")
    };
    assert!(finds(&bot).await && !finds(&Value::Null).await);

    // Back, while the home collection's model is another one: until it is made anew it stays where it is.
    admin.execute("update collection set embedding_model = 'openai/x' where name = 'Library'", &[]).await.unwrap();
    let moved = change(&client, &id, json!({ "collectionId": home })).await.json();
    assert_eq!((&moved["collectionId"], &moved["status"]), (&home, &json!("queued")), "{moved}");
    assert!(finds(&bot).await, "readers keep what they have");
    admin.execute("update collection set embedding_model = 'hash-384' where name = 'Library'", &[]).await.unwrap();
    world.files.ingest.due().await.unwrap();
    assert_eq!(client.get(&format!("/api/documents/{id}")).await.json()["status"], "ready");
    assert!(!finds(&bot).await && finds(&Value::Null).await);
    assert_eq!((sums("Library").await, sums("Maps").await), (1, 0));
    whole(&admin, &id).await;
}

#[tokio::test]
async fn collections_are_made_within_limits() {
    let world = World::new().await;
    let client = world.tenant_a.clone();
    for (wrong, code) in [
        (json!({ "name": "" }), "invalid_request"),
        (json!({ "name": "x".repeat(201) }), "invalid_request"),
        (json!({ "name": "a\u{0}" }), "invalid_request"),
        (json!({ "name": "Library" }), "conflict"),
        (json!({ "name": "Maps", "embeddingModel": "nobody-has-this" }), "invalid_request"),
        (json!({ "name": "Maps", "embeddingModel": "" }), "invalid_request"),
    ] {
        assert_eq!(client.post("/api/collections", wrong.clone()).await.code(), code, "{wrong}");
    }
    let admin = world.admin().await;
    let sql = "insert into collection (tenant_id, id, name, embedding_model)
               select $1, gen_random_uuid(), 'c' || n, 'hash-384' from generate_series(2, 99) n";
    admin.execute(sql, &[&client.tenant.uuid()]).await.unwrap();
    assert_eq!(client.post("/api/collections", json!({ "name": "x".repeat(200) })).await.status, 201);
    assert_eq!(client.post("/api/collections", json!({ "name": "one more" })).await.code(), "conflict");
    assert_eq!(world.tenant_b.get("/api/collections").await.json()["collections"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_failed_or_stalled_is_queued_again_and_nothing_else() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = world.ready(&client, "rivers.txt", TEXT).await;
    let redrive = format!("/api/documents/{id}/redrive");
    assert_eq!(client.post(&redrive, json!({})).await.code(), "conflict", "it is ready");
    let waits = client.post("/api/upload", json!({ "filename": "b.txt", "size": 5 })).await.json();
    let waits = format!("/api/documents/{}/redrive", waits["documentId"].as_str().unwrap());
    let refused = client.post(&waits, json!({})).await.json();
    assert!(refused["hint"].as_str().unwrap().contains("complete"), "{refused}");
    let admin = world.admin().await;
    let set = async |sql: &str| {
        let sql = format!("update document set attempts = 3, {sql} where filename = 'rivers.txt'");
        admin.execute(&sql, &[]).await.unwrap();
    };
    let busy = "status = 'parsing', lease_owner = gen_random_uuid(), lease_until = now()";
    set(&format!("{busy} + interval '1 minute'")).await;
    assert_eq!(client.post(&redrive, json!({})).await.code(), "conflict", "somebody is at it");
    assert_eq!(world.tenant_b.post(&redrive, json!({})).await.code(), "not_found");
    for stuck in [
        "status = 'failed', error_code = 'ingest_stalled', error_detail = '', error_hint = ''",
        &format!("{busy} - interval '1 minute'"),
        "status = 'queued', lease_owner = null, lease_until = now() + interval '1 hour'",
    ] {
        set(stuck).await;
        let reply = client.post(&redrive, json!({})).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["status"]), (202, &json!("queued")), "{stuck}");
        assert_eq!(count(&admin, "select count(*) from document where attempts = 0 and error_code is null and lease_until is null and filename = 'rivers.txt'").await, 1);
        assert!(world.files.ingest.due().await.unwrap() > 0);
        assert_eq!(client.get(&format!("/api/documents/{id}")).await.json()["status"], "ready", "{stuck}");
    }
}
