//! Answers of the database that are lost, and workers that hang: each step of ingestion, cut at the wire.

use std::sync::{Arc, Mutex};

use docent::App;
use docent::function::Files;
use docent::ingest::Outcome;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::ingest::{TEXT, count, document, long_text, whole};
use crate::world::{World, eventually, spawn};

/// What happens to the first request in which a text stands.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    /// The server does it, and nobody hears of it.
    AnswerLost,
    /// It lies on the wire until somebody lets it go.
    Held,
}

/// A wire to Postgres that can be cut.
struct Wire {
    plan: Mutex<Option<(&'static str, Fate)>>,
    reached: Notify,
    release: Notify,
}

impl Wire {
    /// The same system behind a wire of its own.
    async fn to(world: &World, connections: u32) -> (Arc<Wire>, Files) {
        let mut url = url::Url::parse(world.environment.get("DATABASE_URL").unwrap()).unwrap();
        let target = format!("127.0.0.1:{}", url.port().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let wire = Arc::new(Wire { plan: Mutex::new(None), reached: Notify::new(), release: Notify::new() });
        let other_end = wire.clone();
        spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&target).await.unwrap();
                let wire = other_end.clone();
                spawn(async move { wire.forward(client, server).await });
            }
        });
        let environment = world
            .environment
            .clone()
            .with("DATABASE_URL", url.to_string())
            .with("DATABASE_POOL_SIZE", connections.to_string());
        (wire, Files::new(&environment, App::new(&environment).unwrap()).unwrap())
    }

    fn next(&self, text: &'static str, fate: Fate) {
        *self.plan.lock().unwrap() = Some((text, fate));
    }

    /// Whether the planned text has passed.
    fn passed(&self) -> bool {
        self.plan.lock().unwrap().is_none()
    }

    fn fate(&self, request: &[u8]) -> Option<Fate> {
        let mut plan = self.plan.lock().unwrap();
        let (text, fate) = (*plan)?;
        request.windows(text.len()).any(|window| window == text.as_bytes()).then(|| {
            *plan = None;
            fate
        })
    }

    async fn forward(&self, mut client: TcpStream, mut server: TcpStream) {
        let (mut asked, mut answered) = (vec![0; 1 << 20], vec![0; 1 << 20]);
        let mut deaf = false;
        let mut heard = Vec::new();
        loop {
            tokio::select! {
                read = client.read(&mut asked) => {
                    let Ok(length @ 1..) = read else { return };
                    match self.fate(&asked[..length]) {
                        Some(Fate::AnswerLost) => deaf = true,
                        Some(Fate::Held) => {
                            self.reached.notify_one();
                            self.release.notified().await;
                        }
                        None => {}
                    }
                    if server.write_all(&asked[..length]).await.is_err() { return }
                }
                read = server.read(&mut answered) => {
                    let Ok(length @ 1..) = read else { return };
                    if !deaf {
                        if client.write_all(&answered[..length]).await.is_err() { return }
                        continue;
                    }
                    heard.extend_from_slice(&answered[..length]);
                    // CommandComplete of the commit: it is done, and the connection goes.
                    if heard.windows(7).any(|window| window == b"COMMIT\0") { return }
                }
            }
        }
    }
}

/// Steps that change something, by a text that stands in no other statement.
const STEPS: [&str; 5] = [
    "Takes the next epoch of a document",
    "set title = $4, pages = $5",
    "stored_chunks = stored_chunks + $5",
    "Shows a whole revision to readers",
    "delete from ingest_event where",
];

/// Everybody's lease and pause is over.
const LATER: &str = "update document set lease_until = now() - interval '1 second' where lease_until is not null;
                     update ingest_event set due_at = now()";

#[tokio::test]
async fn an_answer_that_is_lost_is_found_out_by_the_next_look() {
    for step in STEPS {
        let mut world = World::new().await;
        let client = world.tenant_a.clone();
        let (wire, files) = Wire::to(&world, 1).await;
        let id = world.upload(&client, "long.txt", &long_text()[..60_000]).await;
        let event = world.take_events().await.remove(0);
        client.post(&format!("/api/upload/{id}/complete"), json!({})).await;
        wire.next(step, Fate::AnswerLost);
        let admin = world.admin().await;
        // The message is delivered again until it is acknowledged.
        let mut refused = 0;
        while files.ingest.message(&event).await.is_err() {
            refused += 1;
            admin.batch_execute(LATER).await.unwrap();
            assert!(refused < 5, "{step}");
        }
        assert!(wire.passed(), "{step}: no such statement");
        assert_eq!(refused, 1, "{step}: one answer was lost, once the message came back");
        while files.ingest.due().await.unwrap() > 0 {}
        assert_eq!(document(&client, &id).await["status"], "ready", "{step}");
        whole(&admin, &id).await;
        assert_eq!(count(&admin, "select current_revision::int8 from document").await, 1, "{step}: not built again");
        assert_eq!(count(&admin, "select count(*) from ingest_event").await, 0, "{step}");
        assert_eq!(count(&admin, "select count(*) from collection_delta").await, 1, "{step}: counted once");
    }
}

#[tokio::test]
async fn a_swap_whose_answer_is_lost_at_the_last_attempt_has_not_failed() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let (wire, files) = Wire::to(&world, 1).await;
    let id = world.upload(&client, "moon.txt", TEXT).await;
    let event = world.take_events().await.remove(0);
    let key = docent::documents::object_key(client.tenant, id.parse().unwrap());
    let etag = files.objects.head(&key).await.unwrap().unwrap().etag;
    let admin = world.admin().await;
    admin.execute("update document set attempts = 2, built_etag = $1", &[&etag]).await.unwrap();
    wire.next("Shows a whole revision to readers", Fate::AnswerLost);
    let _ = files.ingest.message(&event).await;
    assert!(wire.passed());
    let shown = document(&client, &id).await;
    assert_eq!((&shown["status"], &shown["error"]), (&json!("ready"), &json!(null)), "{shown}");
    files.ingest.message(&event).await.unwrap();
    assert_eq!(count(&admin, "select epoch from document").await, 1, "nobody built it again");
    whole(&admin, &id).await;
}

#[tokio::test]
async fn a_worker_that_wakes_up_after_its_lease_changes_nothing() {
    for step in
        ["set title = $4, pages = $5", "stored_chunks = stored_chunks + $5", "Shows a whole revision to readers"]
    {
        let mut world = World::new().await;
        let client = world.tenant_a.clone();
        let (wire, files) = Wire::to(&world, 1).await;
        let id = world.upload(&client, "long.txt", &long_text()[..60_000]).await;
        let event = world.take_events().await.remove(0);
        let admin = world.admin().await;
        wire.next(step, Fate::Held);
        let sleeper = files.ingest.document(client.tenant, id.parse().unwrap());
        let others = async {
            wire.reached.notified().await;
            admin.batch_execute(LATER).await.unwrap();
            world.files.ingest.message(&event).await.unwrap();
            assert_eq!(document(&client, &id).await["status"], "ready", "{step}");
            let state = "select md5(string_agg(d::text || d.xmin::text, '')) from document d";
            let before: String = admin.query_one(state, &[]).await.unwrap().get(0);
            wire.release.notify_one();
            (state, before)
        };
        let (outcome, (state, before)) = tokio::join!(sleeper, others);
        assert_eq!(outcome.unwrap(), Outcome::Fenced, "{step}");
        assert_eq!(admin.query_one(state, &[]).await.unwrap().get::<_, String>(0), before, "{step}: not even touched");
        whole(&admin, &id).await;
        eventually("no other hint", async || count(&admin, "select count(*) from ingest_event").await == 0).await;
    }
}

#[tokio::test]
async fn a_document_that_hangs_keeps_no_other_waiting() {
    let mut world = World::new().await;
    let (client, neighbour) = (world.tenant_a.clone(), world.tenant_b.clone());
    let (wire, files) = Wire::to(&world, 4).await;
    let mut uploaded = Vec::new();
    for client in [&client, &client, &client, &neighbour] {
        let id = world.upload(client, "moon.txt", TEXT).await;
        client.post(&format!("/api/upload/{id}/complete"), json!({})).await;
        uploaded.push((client.clone(), id));
    }
    world.take_events().await;
    wire.next("stored_chunks = stored_chunks + $5", Fate::Held);
    let admin = world.admin().await;
    let ready = async || count(&admin, "select count(*) from document where status = 'ready'").await;
    let others = async {
        wire.reached.notified().await;
        eventually("the other three", async || ready().await == 3).await;
        let embedding = "select count(*) from document where status = 'embedding' and planned_chunks = 1";
        assert_eq!(count(&admin, embedding).await, 1, "and how far the fourth has come can be seen");
        wire.release.notify_one();
        eventually("the one that hung", async || ready().await == 4).await;
    };
    tokio::select! {
        () = files.ingest.keep_up(std::future::pending()) => {}
        () = others => {}
    }
    for (client, id) in uploaded {
        assert_eq!(document(&client, &id).await["status"], "ready");
    }
}
