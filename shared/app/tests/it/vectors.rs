//! Vectors in a Qdrant: what it is told and asked, what it cannot break, and what becomes of a search without it.

use std::process::Command;
use std::time::{Duration, Instant};

use docent::db::copy::{self, Part, Progress};
use docent::search::{FIRST, MOST_ASKS};
use docent::vectors::{DEADLINE, MOST_DOCUMENTS};
use http::StatusCode;
use serde_json::{Value, json};

use crate::ingest::{TEXT, count, document, long_text, whole};
use crate::provider::Provider;
use crate::qdrant::{KEY, Mood, Qdrant};
use crate::world::{Client, VARIABLES, World, put};

fn fake(world: &World) -> Qdrant {
    world.qdrant.clone().unwrap()
}

async fn search(client: &Client, more: Value) -> Value {
    let mut body = json!({ "query": "At what mean distance does the Moon orbit?", "explain": true });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let reply = client.post("/api/search", body).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    reply.json()
}

/// How many hits have a cosine, and what `explain` says of the store.
fn dense(reply: &Value) -> (usize, Value) {
    let hits = reply["hits"].as_array().unwrap();
    (hits.iter().filter(|hit| hit["cosine"].is_f64()).count(), reply["explain"]["vectors"].clone())
}

fn well(asks: u32) -> Value {
    json!({ "store": "qdrant", "asks": asks, "error": null })
}

#[tokio::test]
async fn points_are_written_once_and_asked_for_by_tenant() {
    let mut world = World::on_qdrant().await;
    let (qdrant, a, b) = (fake(&world), world.tenant_a.clone(), world.tenant_b.clone());
    let moon = world.ready(&a, "moon.txt", TEXT).await;
    let long = world.ready(&a, "long.txt", &long_text()).await;
    world.ready(&b, "moon.txt", TEXT).await;
    let [(name, size, indexes)] = &qdrant.collections()[..] else { panic!("one model, one collection") };
    assert!(name.starts_with("docent_384_") && *size == 384, "{name} {size}");
    assert_eq!(indexes, &["build", "document", "tenant"]);
    assert_eq!(qdrant.places(&moon), [(1, 0)]);
    let chunks = count(&world.admin().await, "select count(*) from embedding").await;
    assert_eq!(qdrant.points().len() as i64, chunks);
    assert!(qdrant.places(&long).len() > 64, "several batches");
    let made = qdrant.asked("PUT ").into_iter().find(|body| body.get("hnsw_config").is_some()).unwrap();
    assert_eq!(made["hnsw_config"], json!({ "m": 0, "payload_m": 16 }), "a graph for each tenant, none for all");

    let tenant = json!({ "key": "tenant", "match": { "value": a.tenant.uuid() } });
    let whole_library = search(&a, json!({})).await;
    assert_eq!(dense(&whole_library), (8, well(1)), "{whole_library:#}");
    let [asked] = &qdrant.asked("points/query")[..] else { panic!("asked once") };
    assert_eq!((&asked["filter"], &asked["limit"]), (&json!({ "must": [tenant] }), &json!(FIRST)));
    let part = search(&a, json!({ "filter": { "documents": [moon] } })).await;
    assert_eq!((dense(&part), part["hits"][0]["documentId"].as_str()), ((1, well(1)), Some(moon.as_str())));
    let [asked] = &qdrant.asked("points/query")[..] else { panic!("asked once") };
    let named = json!({ "key": "document", "match": { "any": [moon] } });
    assert_eq!(asked["filter"], json!({ "must": [tenant, named] }), "a part of the library is named");
    let none = search(&a, json!({ "filter": { "metadata": { "field": "a", "eq": 1 } } })).await;
    assert_eq!((dense(&none), qdrant.asked("points/query").len()), ((0, well(0)), 0), "nothing to look into");
}

#[tokio::test]
async fn more_documents_than_can_be_named_are_not_named() {
    let mut world = World::on_qdrant().await;
    let (qdrant, client) = (fake(&world), world.tenant_a.clone());
    world.ready(&client, "moon.txt", TEXT).await;
    world.ready(&client, "other.txt", TEXT).await;
    let sql = "insert into document (tenant_id, id, collection_id, filename, declared_size, object_key, status, current_revision,
                 current_chunks, planned_chunks, stored_chunks, metadata)
               select d.tenant_id, gen_random_uuid(), d.collection_id, 'f', 1, 'k', 'ready', 1, 0, 0, 0, '{\"n\": 1}'
               from document d, generate_series(1, $1::int4) where d.filename = 'moon.txt'";
    let admin = world.admin().await;
    let filter = json!({ "filter": { "metadata": { "field": "n", "exists": true } } });
    let notes = "update document set metadata = '{\"n\": 1}' where filename = 'moon.txt'";
    admin.batch_execute(notes).await.unwrap();
    for (more, named) in [(MOST_DOCUMENTS - 1, true), (1, false)] {
        admin.execute(sql, &[&(more as i32)]).await.unwrap();
        let found = search(&client, filter.clone()).await;
        assert_eq!(dense(&found), (1, well(1)), "the other document's point is left out: {found:#}");
        let asked = qdrant.asked("points/query").remove(0);
        assert_eq!(asked["filter"]["must"].as_array().unwrap().len() == 2, named);
    }
}

#[tokio::test]
async fn a_point_of_another_tenant_or_document_is_never_read() {
    let mut world = World::on_qdrant().await;
    let (qdrant, a, b) = (fake(&world), world.tenant_a.clone(), world.tenant_b.clone());
    let own = world.ready(&a, "own.txt", b"A keeper counts the lamps of the coast.").await;
    let theirs = world.ready(&b, "moon.txt", TEXT).await;
    qdrant.feels(Mood::IgnoresFilters);
    let found = search(&a, json!({})).await;
    assert!(!found.to_string().contains(&theirs), "{found:#}");
    assert_eq!(found["hits"][0]["documentId"], own.as_str(), "its own point comes behind the other's, and is read");
    assert!(search(&b, json!({})).await.to_string().contains(&theirs), "the point is there");
    // Not even one that bears its name.
    let tenant = a.tenant.uuid().to_string();
    qdrant.multiply(1, |point, _| point.payload["tenant"] = json!(tenant));
    qdrant.feels(Mood::Well);
    assert!(!search(&a, json!({})).await.to_string().contains(&theirs));
}

#[tokio::test]
async fn a_worker_killed_between_the_stores_is_followed_by_one_that_writes_the_same_points() {
    let mut world = World::on_qdrant().await;
    let (qdrant, client) = (fake(&world), world.tenant_a.clone());
    let id = world.upload(&client, "long.txt", &long_text()).await;
    let event = world.take_events().await.remove(0);
    let mut worker = Command::new(std::env::current_exe().unwrap());
    worker
        .args(["--exact", "kills::worker_of_another_process"])
        .env("DOCENT_TEST_EVENT", &event)
        .env("DOCENT_FAILPOINT", "ingest.before_batch:2");
    for name in VARIABLES.iter().chain(&["QDRANT_URL", "QDRANT_API_KEY", "INGEST_BATCH_CHUNKS"]) {
        worker.env(name, world.environment.get(name).unwrap());
    }
    let output = tokio::task::spawn_blocking(move || worker.output().unwrap()).await.unwrap();
    assert!(!output.status.success(), "the worker lived: {}", String::from_utf8_lossy(&output.stdout));
    let admin = world.admin().await;
    let stored = count(&admin, "select count(*) from embedding").await;
    let points = qdrant.points().len() as i64;
    assert!(stored > 0 && points > stored, "{points} points, {stored} rows");
    assert_eq!(search(&client, json!({})).await["hits"], json!([]), "nothing of it is shown");

    let late = "update document set lease_until = now() - interval '1 second'; update ingest_event set due_at = now()";
    client.post(&format!("/api/upload/{id}/complete"), json!({})).await;
    admin.batch_execute(late).await.unwrap();
    while world.files.ingest.due().await.unwrap() > 0 {}
    assert_eq!(document(&client, &id).await["status"], "ready");
    whole(&admin, &id).await;
    let rows = count(&admin, "select count(*) from embedding").await;
    let expected: Vec<(i64, i64)> = (0..rows).map(|ordinal| (1, ordinal)).collect();
    assert_eq!(qdrant.places(&id), expected, "each once");
}

#[tokio::test]
async fn what_is_deleted_is_gone_at_once_and_its_points_when_the_store_lets_them() {
    let mut world = World::on_qdrant().await;
    let (qdrant, client) = (fake(&world), world.tenant_a.clone());
    let kept = world.ready(&client, "kept.txt", b"The Moon is kept at its mean distance.").await;
    let gone = world.ready(&client, "moon.txt", TEXT).await;
    qdrant.feels(Mood::Refuses(503));
    assert_eq!(client.delete(&format!("/api/documents/{gone}")).await.status, 204, "a delete needs no store");
    qdrant.feels(Mood::Well);
    let found = search(&client, json!({})).await;
    assert_eq!(qdrant.places(&gone).len(), 1);
    assert!(dense(&found).0 == 1 && !found.to_string().contains(&gone), "{found:#}");

    let admin = world.admin().await;
    let old = "update document set deleted_at = now() - interval '1 hour' where deleted_at is not null";
    admin.batch_execute(old).await.unwrap();
    let rows = async || count(&admin, "select count(*) from document").await;
    for mood in [Mood::Refuses(503), Mood::Babbles, Mood::Acknowledges] {
        qdrant.feels(mood.clone());
        assert_eq!((world.files.ingest.sweep().await.unwrap().purged, rows().await), (0, 2), "{mood:?}");
    }
    qdrant.feels(Mood::Well);
    assert_eq!((world.files.ingest.sweep().await.unwrap().purged, rows().await), (1, 1));
    assert_eq!((qdrant.places(&gone).len(), qdrant.places(&kept).len()), (0, 1));
}

#[tokio::test]
async fn an_overwritten_document_answers_with_its_new_text_alone() {
    let mut world = World::on_qdrant().await;
    let (qdrant, client) = (fake(&world), world.tenant_a.clone());
    let newer = String::from_utf8(TEXT.to_vec()).unwrap().replace("384400", "400000").into_bytes();
    let mut id = String::new();
    for bytes in [TEXT, &newer] {
        let file = json!({ "filename": "moon.txt", "size": bytes.len(), "onDuplicate": "version" });
        let created = client.post("/api/upload", file).await.json();
        id = created["documentId"].as_str().unwrap().to_owned();
        assert!(put(&created["upload"], bytes).await.status().is_success());
        world.settle().await;
    }
    assert_eq!(qdrant.places(&id), [(1, 0), (2, 0)]);
    let found = search(&client, json!({})).await;
    assert_eq!((dense(&found).0, &found["hits"][0]["revision"]), (1, &json!(2)), "{found:#}");
    assert!(found.to_string().contains("400000") && !found.to_string().contains("384400"));

    let admin = world.admin().await;
    let sweep = async || world.files.ingest.sweep().await.unwrap().superseded;
    assert_eq!((sweep().await, qdrant.places(&id).len()), (0, 2), "somebody may still be reading");
    admin.batch_execute("update document set updated_at = now() - interval '1 day'").await.unwrap();
    qdrant.feels(Mood::Refuses(500));
    assert_eq!((sweep().await, count(&admin, "select count(*) from chunk").await), (0, 2), "kept, to be asked again");
    qdrant.feels(Mood::Well);
    assert!(sweep().await > 0);
    assert_eq!(qdrant.places(&id), [(2, 0)]);
    assert_eq!(count(&admin, "select count(*) from chunk").await, 1);
}

#[tokio::test]
async fn without_an_answer_in_time_the_words_alone_are_searched() {
    let mut world = World::on_qdrant().await;
    let (qdrant, client) = (fake(&world), world.tenant_a.clone());
    let id = world.ready(&client, "moon.txt", TEXT).await;
    for (mood, error) in [
        (Mood::Refuses(503), "vectors_protocol"),
        (Mood::Refuses(401), "vectors_protocol"),
        (Mood::Babbles, "vectors_protocol"),
        (Mood::Silent, "vectors_timeout"),
    ] {
        qdrant.feels(mood.clone());
        let began = Instant::now();
        let found = search(&client, json!({})).await;
        assert!(began.elapsed() < DEADLINE + Duration::from_secs(2), "{mood:?}: {:?}", began.elapsed());
        assert_eq!(found["hits"][0]["documentId"], id.as_str(), "{mood:?}: {found:#}");
        assert_eq!(dense(&found), (0, json!({ "store": "qdrant", "asks": 1, "error": error })), "{mood:?}");
    }
    qdrant.feels(Mood::Refuses(500));
    assert!(client.ask("talk", "At what mean distance does the Moon orbit?").await.answer().contains("384400"));
    // Nobody listens there any more.
    let environment = world.environment.clone().with("QDRANT_URL", "http://127.0.0.1:1");
    let files = docent::function::Files::new(&environment, docent::App::new(&environment).unwrap()).unwrap();
    let found = search(&client.through(&docent::function::everything(files)), json!({})).await;
    assert_eq!(dense(&found), (0, json!({ "store": "qdrant", "asks": 1, "error": "vectors_unavailable" })));
}

#[tokio::test]
async fn a_document_waits_for_a_store_that_does_not_take_it() {
    let mut world = World::on_qdrant().await;
    let (qdrant, client) = (fake(&world), world.tenant_a.clone());
    let admin = world.admin().await;
    let provider = Provider::start(|_| None).await;
    let key = json!({ "key": "sk-acme-000000", "baseUrl": provider.base_url }).to_string();
    assert!(client.send("PUT", "/api/keys/acme", Some(key), &[]).await.status.is_success());
    admin.batch_execute("update collection set embedding_model = 'acme/m'").await.unwrap();
    for mood in [Mood::Refuses(503), Mood::Acknowledges] {
        qdrant.feels(mood.clone());
        let id = world.upload(&client, &format!("{mood:?}.txt"), TEXT).await;
        let event = world.take_events().await.remove(0);
        let told = world.files.ingest.message(&event).await.map_err(|error| error.code());
        // Where nobody answers, no attempt was made: an outage of any length fails no document.
        let tried = mood == Mood::Acknowledges;
        assert_eq!(told, if tried { Err("storage_unavailable") } else { Ok(()) }, "{mood:?}");
        let attempts = format!("select attempts::int8 from document where id = '{id}'");
        assert_eq!(count(&admin, &attempts).await, i64::from(tried), "{mood:?}");
        assert_eq!(document(&client, &id).await["status"], "queued", "{mood:?}: it was only postponed");
        assert_eq!(
            count(&admin, "select count(*) from embedding where ordinal = 0").await as usize,
            qdrant.points().len()
        );
        let paid = provider.requests();
        assert!(mood == Mood::Acknowledges || paid == 0, "nothing is paid for where nobody answers");
        qdrant.feels(Mood::Well);
        admin.batch_execute("update document set lease_until = now() - interval '1 second'").await.unwrap();
        world.files.ingest.message(&event).await.unwrap();
        assert_eq!(document(&client, &id).await["status"], "ready", "{mood:?}");
        assert_eq!(qdrant.places(&id), [(1, 0)], "{mood:?}");
    }
}

#[tokio::test]
async fn stale_points_in_the_way_are_asked_past_so_often_and_no_more() {
    let mut world = World::on_qdrant().await;
    let (qdrant, client) = (fake(&world), world.tenant_a.clone());
    world.ready(&client, "moon.txt", TEXT).await;
    let stale = |count: u128| {
        qdrant.multiply(count, |point, time| {
            point.payload["revision"] = json!(0);
            point.payload["ordinal"] = json!(time as i64);
        })
    };
    // Their ids are smaller: the fake gives them before the live one, which lies as near.
    assert_eq!(stale(FIRST as u128), FIRST);
    let found = search(&client, json!({})).await;
    assert_eq!(dense(&found), (1, well(2)), "{found:#}");
    let limits: Vec<Value> = qdrant.asked("points/query").iter().map(|body| body["limit"].clone()).collect();
    assert_eq!(limits, [FIRST, 4 * FIRST], "{limits:?}");
    assert!(client.ask("talk", "At what mean distance does the Moon orbit?").await.answer().contains("384400"));

    assert!(stale(20) > 16 * FIRST, "the same few places again and again");
    let found = search(&client, json!({})).await;
    assert_eq!(dense(&found), (0, well(MOST_ASKS)), "the words still find it: {found:#}");
    assert_eq!(found["hits"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn points_of_what_is_gone_are_found_and_those_that_may_be_shown_next_are_left() {
    let mut world = World::on_qdrant().await;
    let (qdrant, a, b) = (fake(&world), world.tenant_a.clone(), world.tenant_b.clone());
    let long = world.ready(&a, "long.txt", &long_text()).await;
    let gone = world.ready(&a, "gone.txt", TEXT).await;
    let theirs = world.ready(&b, "moon.txt", TEXT).await;
    let admin = world.admin().await;
    // A purge that knew no store, and revisions before and behind the one that is read.
    admin.execute("delete from document where filename = 'gone.txt'", &[]).await.unwrap();
    let places = qdrant.places(&long).len();
    qdrant.multiply(2, |point, time| point.payload["revision"] = json!(time * 2));
    let vectors = world.files.app.vectors.clone();
    let store = vectors.qdrant().unwrap();
    let strays = async |tenant, check| copy::strays(&world.admin_url, store, tenant, check).await.unwrap();
    let (a, b) = (a.tenant.uuid(), b.tenant.uuid());
    assert_eq!(copy::tenants(&world.admin_url, None).await.unwrap().len(), 2);
    assert_eq!(copy::tenants(&world.admin_url, Some(b)).await.unwrap(), [b]);
    // Of the document that is gone: its point and both copies. Of the other: those of revision 0.
    for check in [true, false] {
        assert_eq!(strays(a, check).await, 3 + places);
    }
    assert_eq!(strays(a, false).await, 0);
    assert_eq!((qdrant.places(&gone).len(), qdrant.places(&long).len()), (0, 2 * places));
    assert_eq!((qdrant.places(&theirs).len(), strays(b, false).await), (3, 1), "another tenant's are another matter");
}

#[tokio::test]
async fn everything_is_copied_and_what_is_there_is_not_copied_again() {
    let mut world = World::on_qdrant().await;
    let (qdrant, a) = (fake(&world), world.tenant_a.clone());
    let long = world.ready(&a, "long.txt", &long_text()).await;
    let b = world.tenant_b.clone();
    world.ready(&b, "moon.txt", TEXT).await;
    let (all, there) = (qdrant.points().len() as i64, qdrant.places(&long));
    qdrant.empty();
    let found = search(&b, json!({})).await;
    assert_eq!(dense(&found), (0, json!({ "store": "qdrant", "asks": 1, "error": "vectors_protocol" })));

    let vectors = world.files.app.vectors.clone();
    let store = vectors.qdrant().unwrap();
    let parts = copy::parts(&world.admin_url, None).await.unwrap();
    assert_eq!(parts.iter().map(|part| part.count).sum::<i64>(), all);
    let only: Vec<Part> = copy::parts(&world.admin_url, Some(b.tenant.uuid())).await.unwrap();
    assert_eq!((only.len(), only[0].count), (1, 1));
    let run = async |check: bool| {
        let mut sum = Progress::default();
        for part in &parts {
            let one = copy::run(&world.admin_url, store, part, check, &|_| ()).await.unwrap();
            sum = Progress { seen: sum.seen + one.seen, missing: sum.missing + one.missing };
        }
        sum
    };
    assert_eq!(run(true).await, Progress { seen: all, missing: all });
    assert_eq!(qdrant.points().len(), 0, "a check changes nothing");
    // A store that was emptied under a running process: noticed by the first write, mended by the next.
    assert!(copy::run(&world.admin_url, store, &only[0], false, &|_| ()).await.is_err());
    assert_eq!(run(false).await, Progress { seen: all, missing: all });
    assert_eq!(qdrant.places(&long), there, "the same places");
    qdrant.asked("");
    assert_eq!(run(false).await, Progress { seen: all, missing: 0 });
    assert_eq!(qdrant.asked("PUT").len(), 0, "nothing is written twice");
    assert_eq!(dense(&search(&b, json!({})).await), (1, well(1)));
    // Back to Postgres by unsetting the variable.
    let environment = world.environment.clone().with("QDRANT_URL", "").with("QDRANT_API_KEY", "");
    let files = docent::function::Files::new(&environment, docent::App::new(&environment).unwrap()).unwrap();
    let back = search(&b.through(&docent::function::everything(files)), json!({})).await;
    assert_eq!(dense(&back), (1, Value::Null));
    assert!(!format!("{vectors:?}").contains(KEY));
}
