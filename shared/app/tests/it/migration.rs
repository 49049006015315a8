//! A library's way to another embedding model: readers notice nothing but better answers, whatever happens meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use docent_text::embed_input;
use serde_json::{Value, json};
use tokio_postgres::Client as Admin;

use crate::ingest::{count, long_text};
use crate::provider::{Provider, Refusal, vector};
use crate::world::{Client, World, spawn};

const PATH: &str = "/api/collections/migration";
const QUESTION: &str = "Which section describes the valve?";

struct Library {
    world: World,
    client: Client,
    admin: Admin,
    provider: Provider,
}

impl Library {
    /// A tenant with one long document, embedded by `acme/a`; the script may refuse.
    async fn new(script: impl FnMut(&[String]) -> Option<Refusal> + Send + 'static) -> Library {
        let provider = Provider::start(script).await;
        let mut world = World::new().await;
        let (client, admin) = (world.tenant_a.clone(), world.admin().await);
        let key = json!({ "key": "sk-acme-000000", "baseUrl": provider.base_url });
        assert!(client.send("PUT", "/api/keys/acme", Some(key.to_string()), &[]).await.status.is_success());
        let sql = "update collection set embedding_model = 'acme/a' where tenant_id = $1";
        admin.execute(sql, &[&client.tenant.uuid()]).await.unwrap();
        world.ready(&client, "long.txt", &long_text()).await;
        Library { world, client, admin, provider }
    }

    async fn post(&self, step: &str) -> Value {
        let reply = self.client.post(&format!("{PATH}{step}"), json!({})).await;
        assert!(reply.status.is_success(), "{step}: {}", reply.text());
        reply.json()
    }

    async fn begin(&self, to: &str) {
        let reply = self.client.post(PATH, json!({ "to": to })).await;
        assert_eq!(reply.status, 202, "{}", reply.text());
    }

    async fn state(&self) -> Value {
        self.client.get(PATH).await.json()["migration"].clone()
    }

    /// What is due is done, however long it was to wait.
    async fn work(&self) {
        self.admin.execute("update model_migration set lease_until = now()", &[]).await.unwrap();
        while self.world.files.ingest.due().await.unwrap() > 0 {}
    }

    async fn vectors(&self, model: &str) -> i64 {
        let sql = "select count(*) from embedding e join document d on d.id = e.document_id and d.current_revision = e.revision
                   where d.deleted_at is null and e.model = $1";
        self.admin.query_one(sql, &[&model]).await.unwrap().get(0)
    }

    async fn chunks(&self) -> i64 {
        count(&self.admin, "select sum(current_chunks)::int8 from document where deleted_at is null").await
    }
}

/// Asks, and gives the model that answered; every distance must be that model's own.
async fn ask(client: &Client, shadow: bool) -> String {
    let body = json!({ "query": QUESTION, "explain": true, "limit": 50, "shadow": shadow });
    let reply = client.post("/api/search", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let reply = reply.json();
    let model = reply["explain"]["model"].as_str().unwrap().to_owned();
    let name = model.strip_prefix("acme/").unwrap();
    let hits = reply["hits"].as_array().unwrap();
    assert!(!hits.is_empty());
    let mut judged = 0;
    for hit in hits {
        let Some(cosine) = hit["cosine"].as_f64() else { continue };
        let headings: Vec<String> = serde_json::from_value(hit["headingPath"].clone()).unwrap();
        let input = embed_input(hit["title"].as_str(), &headings, hit["quote"].as_str().unwrap());
        let expected = angle(vector(name, QUESTION), vector(name, &input));
        assert!((cosine - expected).abs() < 1e-4, "{model} says {expected}, not {cosine}: {hit}");
        judged += 1;
    }
    assert!(judged > 0, "{model} had no part in this answer");
    model
}

fn angle(one: [f64; 3], other: [f64; 3]) -> f64 {
    let dot = |a: [f64; 3], b: [f64; 3]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(one, other) / (dot(one, one) * dot(other, other)).sqrt()
}

/// Three that ask without end.
struct Readers {
    running: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    over: tokio::sync::mpsc::Receiver<BTreeSet<String>>,
}

const READERS: usize = 3;

impl Readers {
    fn of(client: &Client) -> Readers {
        let (running, asked) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
        let (ended, over) = tokio::sync::mpsc::channel(READERS);
        for _ in 0..READERS {
            let (client, running, asked, ended) = (client.clone(), running.clone(), asked.clone(), ended.clone());
            spawn(async move {
                let mut seen = BTreeSet::new();
                while running.load(Ordering::Relaxed) {
                    seen.insert(ask(&client, false).await);
                    asked.fetch_add(1, Ordering::Relaxed);
                }
                ended.send(seen).await.unwrap();
            });
        }
        Readers { running, asked, over }
    }

    /// The models that answered; and in how many queries, none of which failed.
    async fn end(mut self) -> (BTreeSet<String>, usize) {
        let before = self.asked.load(Ordering::Relaxed);
        while self.asked.load(Ordering::Relaxed) < before + READERS {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.running.store(false, Ordering::Relaxed);
        let mut seen = BTreeSet::new();
        for _ in 0..READERS {
            // A reader that failed sends nothing.
            seen.extend(self.over.recv().await.expect("every reader was answered to the end"));
        }
        (seen, self.asked.load(Ordering::Relaxed))
    }
}

#[tokio::test]
async fn readers_go_on_while_a_library_moves_there_and_back() {
    let mut library = Library::new(|_| None).await;
    let readers = Readers::of(&library.client);
    library.begin("acme/b").await;
    let early = library.client.post(&format!("{PATH}/switch"), json!({})).await;
    assert_eq!((early.status.as_u16(), early.code().as_str()), (409, "conflict"), "{}", early.text());
    library.work().await;
    assert_eq!(library.state().await["state"], "ready");
    assert_eq!(
        (ask(&library.client, false).await, ask(&library.client, true).await),
        ("acme/a".into(), "acme/b".into())
    );
    // What comes meanwhile gets the other model's vectors as well, before a switch is allowed.
    let client = library.client.clone();
    library
        .world
        .ready(&client, "later.txt", b"# Later\n\nA section that describes the valve of the later pump.")
        .await;
    let behind = library.client.post(&format!("{PATH}/switch"), json!({})).await;
    assert!(behind.status == 409 && behind.text().contains("1 documents"), "{}", behind.text());
    library.work().await;
    assert_eq!(library.post("/switch").await["state"], "switched");
    assert_eq!(ask(&library.client, false).await, "acme/b", "from the next query on");
    assert_eq!(
        (library.vectors("acme/a").await, library.vectors("acme/b").await),
        (library.chunks().await, library.chunks().await)
    );

    library.world.ready(&client, "latest.txt", b"# Latest\n\nThe section on valves was rewritten.").await;
    assert_eq!(library.vectors("acme/a").await, library.chunks().await - 1, "the older model is not paid for any more");
    assert_eq!(library.post("/rollback").await["state"], "filling");
    assert_eq!(ask(&library.client, false).await, "acme/a");
    library.work().await;
    assert_eq!(library.vectors("acme/a").await, library.chunks().await, "what came since the switch is made up for");
    library.post("/switch").await;
    assert_eq!(ask(&library.client, false).await, "acme/b");

    assert_eq!(library.client.send("DELETE", PATH, None, &[]).await.status, 202);
    assert_eq!(library.client.post(&format!("{PATH}/rollback"), json!({})).await.status, 409);
    library.work().await;
    assert_eq!((library.vectors("acme/a").await, library.vectors("acme/b").await), (0, library.chunks().await));
    assert_eq!(library.state().await, Value::Null);
    assert_eq!(ask(&library.client, false).await, "acme/b");
    let (seen, asked) = readers.end().await;
    assert_eq!(seen.len(), 2, "both models were asked: {seen:?}");
    println!("{asked} queries while a library moved there, back and there again, none failed");
}

#[tokio::test]
async fn what_stops_is_gone_on_with_and_no_text_is_paid_for_twice() {
    let down = Arc::new(AtomicBool::new(false));
    let (mut left, broken) = (2_usize, down.clone());
    let library = Library::new(move |_| {
        if !broken.load(Ordering::Relaxed) {
            return None;
        }
        left = left.saturating_sub(1);
        (left == 0).then(|| (401, ("x-test", "1"), json!({ "error": { "message": "no", "code": "invalid_api_key" } })))
    })
    .await;
    let before = library.provider.embedded().len();
    down.store(true, Ordering::Relaxed);
    library.begin("acme/b").await;
    library.work().await;
    let failed = library.state().await;
    assert_eq!((&failed["state"], &failed["error"]["code"]), (&json!("filling"), &json!("provider_auth")), "{failed}");
    assert!(failed["done"].as_i64().unwrap() > 0 && failed["done"].as_i64() < failed["total"].as_i64(), "{failed}");
    let waits = count(&library.admin, "select attempts::int8 from model_migration where lease_until > now()").await;
    assert_eq!(waits, 1, "it waits before it tries again");
    down.store(false, Ordering::Relaxed);
    // Time for nothing: the lease goes back, and the work to the next.
    library.admin.execute("update model_migration set lease_until = now()", &[]).await.unwrap();
    library.world.files.ingest.clone().within(Duration::ZERO).due().await.unwrap();
    library.work().await;
    let done = library.state().await;
    assert_eq!((&done["state"], &done["error"]), (&json!("ready"), &Value::Null), "{done}");
    let bought = library.provider.embedded().split_off(before);
    let distinct: BTreeSet<&String> = bought.iter().collect();
    assert_eq!((distinct.len(), bought.len() as i64), (bought.len(), library.chunks().await));
}

#[tokio::test]
async fn a_revision_of_the_given_up_model_is_never_shown() {
    let mut library = Library::new(|_| None).await;
    // As if a switch came between a worker's first batch and the end of its work.
    let trigger = "create function switched() returns trigger language plpgsql as $$ begin
                     update collection set embedding_model = 'acme/b' where tenant_id = new.tenant_id; return new; end $$;
                   create trigger switched before insert on chunk for each row execute function switched();";
    library.admin.batch_execute(trigger).await.unwrap();
    let client = library.client.clone();
    let id = library.world.upload(&client, "new.txt", b"# New\n\nA section about the valve, of today.").await;
    library.world.settle().await;
    let path = format!("/api/documents/{id}");
    assert_ne!(client.get(&path).await.json()["status"], "ready");
    library.admin.batch_execute("update document set lease_until = now() where status <> 'ready'").await.unwrap();
    library.work().await;
    assert_eq!(client.get(&path).await.json()["status"], "ready");
    let sql = "select string_agg(distinct e.model, ' ') from embedding e join document d on d.id = e.document_id
               and e.revision = d.current_revision where d.filename = 'new.txt'";
    assert_eq!(library.admin.query_one(sql, &[]).await.unwrap().get::<_, String>(0), "acme/b");
}

#[tokio::test]
async fn a_migration_that_cannot_be_is_refused_with_a_next_step() {
    let library = Library::new(|_| None).await;
    for (body, expected) in [
        (json!({ "to": "acme/a" }), "the model `acme/a` already"),
        (json!({ "to": "nobody/b" }), "nobody"),
        (json!({ "to": "minilm-of-another-planet" }), "is not available here"),
        (json!({ "from": "hash-384", "to": "acme/b" }), "`hash-384` cannot be told"),
        (json!({}), "to"),
    ] {
        let reply = library.client.post(PATH, body.clone()).await;
        assert!(reply.status.is_client_error() && reply.text().contains(expected), "{body}: {}", reply.text());
    }
    for step in ["switch", "rollback"] {
        assert_eq!(library.client.post(&format!("{PATH}/{step}"), json!({})).await.status, 404);
    }
    assert_eq!(library.client.send("DELETE", PATH, None, &[]).await.status, 404);
    let shadow = library.client.post("/api/search", json!({ "query": "valve", "shadow": true })).await;
    assert_eq!(shadow.status, 409, "{}", shadow.text());
    library.begin("acme/b").await;
    assert_eq!(library.client.post(PATH, json!({ "to": "acme/c" })).await.status, 409);
    assert_eq!(library.client.post(&format!("{PATH}/rollback"), json!({})).await.status, 409);
    // Given up before the switch: what was made for it goes, and nothing else.
    library.work().await;
    assert_eq!(library.client.send("DELETE", PATH, None, &[]).await.status, 202);
    library.work().await;
    assert_eq!((library.vectors("acme/a").await, library.vectors("acme/b").await), (library.chunks().await, 0));
    assert_eq!(library.state().await, Value::Null);
}

#[tokio::test]
async fn a_roll_back_that_would_part_a_bots_collections_is_refused() {
    let library = Library::new(|_| None).await;
    library.begin("acme/b").await;
    library.work().await;
    library.post("/switch").await;
    // Made after the switch, so with the newer model alone.
    let made = library.client.post("/api/collections", json!({ "name": "New" })).await.json();
    assert_eq!(made["embeddingModel"], "acme/b", "{made}");
    let all: Vec<Value> = library.client.get("/api/collections").await.json()["collections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|collection| collection["id"].clone())
        .collect();
    let bot = library.client.post("/api/bots", json!({ "name": "Both", "collections": all })).await.json();
    let refused = library.client.post(&format!("{PATH}/rollback"), json!({})).await;
    assert!(refused.status == 409 && refused.text().contains("Both"), "{}", refused.text());
    assert_eq!(ask(&library.client, false).await, "acme/b");
    let path = format!("/api/bots/{}", bot["id"].as_str().unwrap());
    let parted = json!({ "collections": [all[0]] }).to_string();
    assert!(library.client.send("PATCH", &path, Some(parted), &[]).await.status.is_success());
    library.post("/rollback").await;
    assert_eq!(ask(&library.client, false).await, "acme/a");
}
