//! People who ask while documents are replaced and deleted: every answer comes from one revision of each document, and
//! none from what was deleted before they asked.
//!
//! `DOCENT_SWAPS=1000 cargo test -p docent --test it readers:: -- --nocapture` is the full count.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use docent::App;
use docent::config::Environment;
use docent::function::{self, Files};
use serde_json::{Value, json};

use crate::dice::Dice;
use crate::sim::Shelf;
use crate::world::{Client, World, spawn};

const SWAPS: usize = 24;
const DOCUMENTS: usize = 6;
const READERS: usize = 4;
/// One change in so many is a deletion, with a new document in its place.
const DELETIONS: usize = 4;

/// What is known to be true, for a reader to compare its answer with.
#[derive(Default)]
struct Known {
    gone: BTreeSet<String>,
    /// The newest revision that a client was told is ready, by document.
    ready: BTreeMap<String, usize>,
}

#[derive(Default)]
struct Tally {
    answers: AtomicUsize,
    hits: AtomicUsize,
    over: AtomicBool,
}

/// Each chunk says whose it is, and of which revision.
fn text(slot: usize, revision: usize) -> Vec<u8> {
    let section = |n: usize| {
        format!(
            "# Berth {n} of harbour hb{slot}\n\nThe pilot of harbour hb{slot} notes zr{revision}d{slot} that berth {n} has a depth of {} \
             metres at low water, that two tugs wait there, and that ships are moored with six lines.\n\n",
            n + 4
        )
    };
    (0..4 + revision % 5).map(section).collect::<String>().into_bytes()
}

/// The revisions that a text names, by document.
fn revisions(text: &str) -> BTreeMap<usize, BTreeSet<usize>> {
    let mut found = BTreeMap::<usize, BTreeSet<usize>>::new();
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
        let parts = word.strip_prefix("zr").and_then(|rest| rest.split_once('d'));
        if let Some((Ok(revision), Ok(slot))) = parts.map(|(a, b)| (a.parse(), b.parse())) {
            found.entry(slot).or_default().insert(revision);
        }
    }
    found
}

/// Asks once, and judges the answer by what was known before the question.
async fn ask(client: &Client, slot: usize, known: &Mutex<Known>, tally: &Tally) {
    let (gone, ready) = {
        let known = known.lock().unwrap();
        (known.gone.clone(), known.ready.clone())
    };
    let question = json!({ "query": format!("pilot of harbour hb{slot}"), "limit": 50 });
    let reply = client.post("/api/search", question).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let mut of = BTreeMap::<String, (BTreeSet<i64>, String)>::new();
    for hit in reply.json()["hits"].as_array().unwrap() {
        let id = hit["documentId"].as_str().unwrap().to_owned();
        assert!(!gone.contains(&id), "deleted before it was asked for, and found: {hit}");
        let (numbers, text) = of.entry(id).or_default();
        numbers.insert(hit["revision"].as_i64().unwrap());
        text.push_str(hit["quote"].as_str().unwrap());
        tally.hits.fetch_add(1, Ordering::Relaxed);
    }
    for (id, (numbers, text)) in of {
        let named = revisions(&text);
        let mixed = numbers.len() != 1 || named.len() != 1 || named.values().any(|named| named.len() != 1);
        assert!(!mixed, "an answer of several revisions: {numbers:?} {named:?}");
        let newest = named.into_values().flatten().max();
        assert!(newest >= ready.get(&id).copied(), "older than what was ready: {newest:?} {:?}", ready.get(&id));
    }
    tally.answers.fetch_add(1, Ordering::Relaxed);
}

/// The same question in a conversation: what is quoted of a document is of one revision.
async fn converse(client: &Client, slot: usize, number: usize) {
    let reply = client.ask(&format!("c{number}"), &format!("What does the pilot of harbour hb{slot} note?")).await;
    for (slot, named) in revisions(&reply.text()) {
        assert_eq!(named.len(), 1, "an answer of several revisions of document {slot}: {named:?}");
    }
}

async fn ready(world: &World, client: &Client, slot: usize, revision: usize) -> String {
    let id = world.upload(client, &format!("harbour{slot}.md"), &text(slot, revision)).await;
    let outcome = world.files.ingest.document(client.tenant, id.parse().unwrap()).await.unwrap();
    assert_eq!(outcome, docent::ingest::Outcome::Ready);
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_of_one_revision_and_of_nothing_that_was_deleted() {
    let swaps = Environment::process().get("DOCENT_SWAPS").map_or(SWAPS, |text| text.parse().unwrap());
    let mut world = World::new().await;
    let environment = world.environment.clone().with("DATABASE_POOL_SIZE", "12");
    world.files = Files::new(&environment, App::new(&environment).unwrap()).unwrap();
    let client = world.tenant_a.through(&function::everything(world.files.clone()));
    let shelf = Shelf::new(world.environment.get("S3_ENDPOINT").unwrap());
    let (known, tally) = (Arc::new(Mutex::new(Known::default())), Arc::new(Tally::default()));
    let mut documents = Vec::new();
    for slot in 0..DOCUMENTS {
        documents.push(ready(&world, &client, slot, 0).await);
    }
    let mut readers = Vec::new();
    for number in 0..READERS {
        let (client, known, tally) = (client.clone(), known.clone(), tally.clone());
        let (done, ended) = tokio::sync::oneshot::channel();
        readers.push(ended);
        spawn(async move {
            let mut dice = Dice::new(number as u64);
            while !tally.over.load(Ordering::Relaxed) {
                let slot = dice.below(DOCUMENTS);
                ask(&client, slot, &known, &tally).await;
                if dice.percent(5) {
                    converse(&client, slot, number).await;
                }
            }
            let _ = done.send(());
        });
    }
    let (mut dice, mut deleted) = (Dice::new(7), 0);
    for revision in 1..=swaps {
        let slot = dice.below(DOCUMENTS);
        if dice.below(DELETIONS) == 0 {
            let id = documents[slot].clone();
            assert_eq!(client.delete(&format!("/api/documents/{id}")).await.status, 204);
            known.lock().unwrap().gone.insert(id);
            documents[slot] = ready(&world, &client, slot, revision).await;
            deleted += 1;
        } else {
            let id = documents[slot].parse().unwrap();
            shelf.put(&docent::documents::object_key(client.tenant, id), text(slot, revision).into()).await;
            let outcome = world.files.ingest.document(client.tenant, id).await.unwrap();
            assert_eq!(outcome, docent::ingest::Outcome::Ready);
            known.lock().unwrap().ready.insert(documents[slot].clone(), revision);
        }
    }
    // As long as nobody has asked in between, nothing was shown.
    let enough = swaps * 2;
    crate::world::eventually("answers enough", async || tally.answers.load(Ordering::Relaxed) >= enough).await;
    tally.over.store(true, Ordering::Relaxed);
    for ended in readers {
        ended.await.expect("a reader saw what it must not see");
    }
    let (answers, hits) = (tally.answers.load(Ordering::Relaxed), tally.hits.load(Ordering::Relaxed));
    let _ = writeln!(
        std::io::stderr(),
        "readers: {answers} answers of {READERS} readers with {hits} hits during {swaps} changes, {deleted} of them deletions; none mixed, stale or back"
    );
    assert!(hits > answers, "the readers found nothing");
    let shown: Value = client.get("/api/documents").await.json();
    assert_eq!(shown["documents"].as_array().unwrap().len(), DOCUMENTS);
}
