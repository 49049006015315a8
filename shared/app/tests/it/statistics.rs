//! After any sequence of inserts, swaps and deletes, scores are those of a library that was built from scratch.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::dice::Dice;
use crate::ingest::count;
use crate::postings::{Chunk, rebuilt};
use crate::world::{Client, World, put};

const STEPS: usize = 14;
const WORDS: [&str; 10] =
    ["valve", "pump", "lantern", "harbour", "ledger", "quarry", "meadow", "copper", "signal", "anchor"];
const QUERIES: [&str; 3] = ["Which valve has the pump?", "copper lantern anchor", "the harbour ledger of the meadow"];

/// One to four chunks of words that other documents have, too.
fn text(dice: &mut Dice) -> String {
    let sentence = |dice: &mut Dice| {
        let words: Vec<&str> = (0..4 + dice.below(8)).map(|_| *dice.pick(&WORDS)).collect();
        format!("The {} stands there. ", words.join(" "))
    };
    (0..1 + dice.below(40)).map(|_| sentence(dice)).collect()
}

/// The next version of a file of that name, or its first.
async fn store(world: &mut World, client: &Client, name: &str, bytes: &[u8]) -> String {
    let new = json!({ "filename": name, "size": bytes.len(), "onDuplicate": "version" });
    let made = client.post("/api/upload", new).await.json();
    assert!(put(&made["upload"], bytes).await.status().is_success(), "{made}");
    let id = made["documentId"].as_str().unwrap().to_owned();
    assert_eq!(client.post(&format!("/api/upload/{id}/complete"), json!({})).await.status, 202);
    world.settle().await;
    id
}

async fn check(client: &Client, admin: &tokio_postgres::Client, step: &str) {
    let tenant = client.tenant.uuid();
    let kept = format!("select coalesce(sum(chunks), 0)::int8 from collection_delta where tenant_id = '{tenant}'");
    let live = format!(
        "select count(*) from chunk c join document d on d.id = c.document_id and d.current_revision = c.revision
         where d.tenant_id = '{tenant}' and d.deleted_at is null"
    );
    assert_eq!(count(admin, &kept).await, count(admin, &live).await, "{step}: chunks");
    for query in QUERIES {
        let hits = client.post("/api/search", json!({ "query": query, "limit": 50 })).await.json();
        let scored = |hit: &Value| {
            let chunk = (hit["documentId"].as_str()?.parse().ok()?, hit["ordinal"].as_i64()?);
            Some((chunk, hit["bm25"].as_f64()?))
        };
        let found: BTreeMap<Chunk, f64> = hits["hits"].as_array().unwrap().iter().filter_map(scored).collect();
        let expected: BTreeMap<Chunk, f64> = rebuilt(admin, tenant, query).await.into_iter().collect();
        // The score holds the document frequencies, the number of chunks and their mean length.
        assert_eq!(found.is_empty(), expected.is_empty(), "{step}: {query}");
        for (chunk, score) in found {
            let right = expected.get(&chunk).copied().unwrap_or(f64::NAN);
            assert!((score - right).abs() < 1e-9, "{step}: {query}: {chunk:?} has {score}, not {right}");
        }
    }
}

#[tokio::test]
async fn statistics_equal_a_rebuild_after_any_sequence() {
    for seed in 1..=3 {
        let mut world = World::new().await;
        let (client, other) = (world.tenant_a.clone(), world.tenant_b.clone());
        let admin = world.admin().await;
        let mut dice = Dice::new(seed);
        let mut names: Vec<(String, String)> = Vec::new();
        store(&mut world, &other, "foreign.txt", text(&mut dice).as_bytes()).await;
        for step in 0..STEPS {
            let done = match dice.below(10) {
                0..4 => {
                    let name = format!("{step}.txt");
                    let id = store(&mut world, &client, &name, text(&mut dice).as_bytes()).await;
                    names.push((name, id));
                    "insert"
                }
                4..7 if !names.is_empty() => {
                    let name = dice.pick(&names).0.clone();
                    store(&mut world, &client, &name, text(&mut dice).as_bytes()).await;
                    "swap"
                }
                7..9 if !names.is_empty() => {
                    let (_, id) = names.swap_remove(dice.below(names.len()));
                    assert_eq!(client.delete(&format!("/api/documents/{id}")).await.status, 204);
                    "delete"
                }
                _ => {
                    world.files.ingest.sweep().await.unwrap();
                    "sweep"
                }
            };
            check(&client, &admin, &format!("seed {seed}, step {step}, {done}")).await;
        }
    }
}
