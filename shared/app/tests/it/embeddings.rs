//! What a document costs at a provider, counted in requests and texts: as few as there can be, and none of them twice.

use std::collections::BTreeSet;
use std::time::Duration;

use docent::App;
use docent::function::Files;
use docent::ingest::Outcome;
use serde_json::json;
use tokio_postgres::Client as Admin;
use uuid::Uuid;

use crate::ingest::{count, document, long_text, whole};
use crate::provider::{Provider, Refusal, too_much, too_soon};
use crate::world::{Client, World, put};

/// What an unknown copy of OpenAI's API takes in one request.
const INPUTS: usize = 64;
const AGAIN: &str =
    "update document set lease_until = null where status <> 'ready'; update ingest_event set due_at = now()";

struct Billed {
    world: World,
    client: Client,
    admin: Admin,
    provider: Provider,
}

impl Billed {
    /// A tenant whose documents are embedded by `acme`, which answers as the script says.
    async fn new(script: impl FnMut(&[String]) -> Option<Refusal> + Send + 'static) -> Billed {
        let provider = Provider::start(script).await;
        let world = World::new().await;
        let (client, admin) = (world.tenant_a.clone(), world.admin().await);
        let key = json!({ "key": "sk-acme-000000", "baseUrl": provider.base_url });
        assert!(client.send("PUT", "/api/keys/acme", Some(key.to_string()), &[]).await.status.is_success());
        admin.batch_execute("update collection set embedding_model = 'acme/m'").await.unwrap();
        Billed { world, client, admin, provider }
    }

    /// The same with variables of its own.
    fn set(&mut self, name: &str, value: &str) {
        self.world.environment = self.world.environment.clone().with(name, value);
        let environment = &self.world.environment;
        self.world.files = Files::new(environment, App::new(environment).unwrap()).unwrap();
    }

    async fn upload(&mut self, bytes: &[u8]) -> Uuid {
        let new = json!({ "filename": "long.txt", "size": bytes.len() });
        let created = self.client.post("/api/upload", new).await.json();
        assert!(put(&created["upload"], bytes).await.status().is_success());
        self.world.take_events().await;
        created["documentId"].as_str().unwrap().parse().unwrap()
    }

    async fn look(&self, id: Uuid, within: Duration) -> Outcome {
        self.world.files.ingest.clone().within(within).document(self.client.tenant, id).await.unwrap()
    }

    async fn stored(&self) -> i64 {
        count(&self.admin, "select max(stored_chunks)::int8 from document").await
    }

    /// Ready, each of its texts embedded exactly once, and in how many requests.
    async fn paid_once(&self, id: Uuid) -> usize {
        assert_eq!(document(&self.client, &id.to_string()).await["status"], "ready");
        let embedded = self.provider.embedded();
        let distinct: BTreeSet<&String> = embedded.iter().collect();
        assert_eq!(distinct.len(), embedded.len(), "a text was paid for twice");
        self.provider.requests()
    }
}

const LONG: Duration = Duration::from_secs(240);

#[tokio::test]
async fn a_document_takes_the_fewest_requests_and_an_edit_pays_for_what_changed() {
    let mut billed = Billed::new(|_| None).await;
    billed.set("INGEST_BATCH_CHUNKS", "2048");
    let id = billed.upload(&long_text()).await;
    assert_eq!(billed.look(id, LONG).await, Outcome::Ready);
    let requests = billed.paid_once(id).await;
    let texts = billed.provider.embedded().len();
    assert!(texts > 2 * INPUTS);
    assert_eq!(requests, texts.div_ceil(INPUTS), "every request but the last is full");

    let edited = String::from_utf8(long_text()).unwrap().replace("Section 1500 describes", "Section 1500 explains");
    let newer = billed.upload(edited.as_bytes()).await;
    assert_eq!(billed.look(newer, LONG).await, Outcome::Ready);
    let bought = billed.provider.embedded().len() - texts;
    assert!((1..=3).contains(&bought), "{bought} texts were bought for one changed word");
    assert_eq!(billed.paid_once(newer).await, requests + 1);

    // The same bytes as another document: not a single text is new.
    let before = billed.provider.requests();
    let other = billed.upload(edited.as_bytes()).await;
    assert_eq!(billed.look(other, LONG).await, Outcome::Ready);
    assert_eq!(billed.provider.requests(), before);
}

#[tokio::test]
async fn what_is_too_large_is_sent_in_halves() {
    let mut billed = Billed::new(|inputs| (inputs.len() > 20).then(too_much)).await;
    let id = billed.upload(&long_text()).await;
    assert_eq!(billed.look(id, LONG).await, Outcome::Ready);
    let requests = billed.paid_once(id).await;
    assert_eq!(*billed.provider.refused.lock().unwrap(), [64, 32], "what was refused is not tried again");
    assert_eq!(requests, billed.provider.embedded().len().div_ceil(16));
    whole(&billed.admin, &id.to_string()).await;
}

#[tokio::test]
async fn what_is_too_large_by_itself_fails_with_a_next_step() {
    let mut billed = Billed::new(|_| Some(too_much())).await;
    let id = billed.upload(&long_text()).await;
    assert_eq!(billed.look(id, LONG).await, Outcome::Failed);
    let failed = document(&billed.client, &id.to_string()).await;
    assert_eq!(failed["error"]["code"], "provider_rejected");
    assert_eq!(*billed.provider.refused.lock().unwrap(), [64, 32, 16, 8, 4, 2, 1]);
}

#[tokio::test]
async fn who_asks_to_wait_is_waited_for() {
    let mut seen = 0;
    let mut billed = Billed::new(move |_| {
        seen += 1;
        (seen == 2).then(|| too_soon("1"))
    })
    .await;
    let id = billed.upload(&long_text()).await;
    assert_eq!(billed.look(id, LONG).await, Outcome::Ready);
    let requests = billed.paid_once(id).await;
    assert_eq!(requests, billed.provider.embedded().len().div_ceil(INPUTS));
    assert_eq!(*billed.provider.refused.lock().unwrap(), [64]);
    assert_eq!(count(&billed.admin, "select epoch from document").await, 1, "one worker did it all");
}

#[tokio::test]
async fn a_wait_beyond_the_deadline_is_left_to_a_hint() {
    let mut seen = 0;
    let mut billed = Billed::new(move |_| {
        seen += 1;
        (seen == 2).then(|| too_soon("3600"))
    })
    .await;
    let id = billed.upload(&long_text()).await;
    assert_eq!(billed.look(id, LONG).await, Outcome::Paused);
    assert_eq!(billed.stored().await, INPUTS as i64, "what was stored stays stored");
    assert_eq!(document(&billed.client, &id.to_string()).await["status"], "queued");
    for due in [
        "select count(*) from ingest_event where due_at between now() + interval '59 minutes' and now() + interval '61 minutes'",
        "select count(*) from document where lease_until between now() + interval '59 minutes' and now() + interval '61 minutes'",
    ] {
        assert_eq!(count(&billed.admin, due).await, 1, "{due}");
    }
    assert_eq!(billed.look(id, LONG).await, Outcome::Busy, "nobody tries before");
    billed.admin.batch_execute(AGAIN).await.unwrap();
    assert_eq!(billed.look(id, LONG).await, Outcome::Ready);
    billed.paid_once(id).await;
    whole(&billed.admin, &id.to_string()).await;
}

#[tokio::test]
async fn a_provider_that_never_has_time_ends_in_its_own_code() {
    let mut billed = Billed::new(|_| Some(too_soon("3600"))).await;
    let id = billed.upload(&long_text()).await;
    for expected in [Outcome::Paused, Outcome::Paused, Outcome::Failed] {
        assert_eq!(billed.look(id, LONG).await, expected);
        billed.admin.batch_execute(AGAIN).await.unwrap();
    }
    assert_eq!(document(&billed.client, &id.to_string()).await["error"]["code"], "provider_rate_limited");
}

#[tokio::test]
async fn all_workers_of_a_tenant_share_one_pace() {
    let mut billed = Billed::new(|_| None).await;
    billed.set("EMBEDDING_PACES", "acme=1/1000000");
    let short = Duration::from_secs(20);
    let first = billed.upload(&long_text()).await;
    let second = billed.upload(&String::from_utf8(long_text()).unwrap().replace("valve", "lever").into_bytes()).await;
    // Waiting for others is no failure, however often it happens.
    for _ in 0..5 {
        assert_eq!(billed.look(first, short).await, Outcome::Paused);
        assert_eq!(billed.look(second, short).await, Outcome::Paused);
        billed.admin.batch_execute(AGAIN).await.unwrap();
    }
    assert_eq!(billed.provider.requests(), 1, "one request in a minute, whoever makes it");
    let later = "select count(*) from ingest_event where due_at > now() + interval '30 seconds'";
    assert_eq!(billed.look(second, short).await, Outcome::Paused);
    assert_eq!(count(&billed.admin, later).await, 1);

    // A minute later the next one.
    billed.admin.batch_execute("update rate_bucket set arrival = now()").await.unwrap();
    billed.admin.batch_execute(AGAIN).await.unwrap();
    assert_eq!(billed.look(second, short).await, Outcome::Paused);
    assert_eq!(billed.provider.requests(), 2);
    billed.set("EMBEDDING_PACES", "acme=none");
    billed.admin.batch_execute(AGAIN).await.unwrap();
    for id in [first, second] {
        assert_eq!(billed.look(id, LONG).await, Outcome::Ready);
        billed.paid_once(id).await;
    }
}

#[tokio::test]
async fn a_question_is_embedded_once_for_each_tenant_while_its_vector_is_kept() {
    let mut billed = Billed::new(|_| None).await;
    let text = "The Moon orbits the Earth at a mean distance of 384400 kilometres.";
    let id = billed.upload(text.as_bytes()).await;
    assert_eq!(billed.look(id, Duration::from_secs(60)).await, Outcome::Ready);
    let question = json!({ "query": "At what mean distance does the Moon orbit the Earth?" });
    let before = billed.provider.requests();
    let plain = billed.client.post("/api/search", question.clone()).await;
    billed.client.post("/api/search", question.clone()).await;
    assert_eq!(billed.provider.requests() - before, 2, "nothing is kept unless somebody says so");

    billed.set("QUESTION_CACHE_SECONDS", "60");
    let router = docent::function::everything(billed.world.files.clone());
    let client = billed.client.through(&router);
    let (first, spent) = (client.post("/api/search", question.clone()).await, client.get("/api/usage").await.json());
    let again = client.post("/api/search", question.clone()).await;
    assert_eq!(billed.provider.requests() - before, 3);
    assert_eq!((first.json(), again.json()), (plain.json(), plain.json()));
    assert_eq!(
        client.get("/api/usage").await.json()["usage"],
        spent["usage"],
        "what nobody was asked for costs nothing"
    );
    client.post("/api/search", json!({ "query": "At what distance does the Moon orbit?" })).await;
    assert_eq!(billed.provider.requests() - before, 4, "another question");

    // The library changes: the same vector finds what is there now.
    assert!(client.delete(&format!("/api/documents/{id}")).await.status.is_success());
    let gone = client.post("/api/search", question.clone()).await;
    assert_eq!((gone.json()["hits"].as_array().unwrap().len(), billed.provider.requests() - before), (0, 4));

    let other = billed.world.tenant_b.through(&router);
    let key = json!({ "key": "sk-acme-111111", "baseUrl": billed.provider.base_url }).to_string();
    assert!(other.send("PUT", "/api/keys/acme", Some(key), &[]).await.status.is_success());
    other.post("/api/search", question).await;
    assert_eq!(billed.provider.requests() - before, 5, "nobody learns what others have asked");
}
