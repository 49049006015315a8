//! Versions of a document: one name, several bytes, and readers who never see half of any.

use docent::documents::{KEPT_VERSIONS, version_key};
use http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::ingest::{count, whole};
use crate::world::{Client, World, put};

fn text(number: usize) -> Vec<u8> {
    format!("The harbour master of Kestrel Bay counts {number} hundred boats in the ninth year.").into_bytes()
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn ask(client: &Client, policy: &str, bytes: &[u8]) -> (StatusCode, Value) {
    let new = json!({ "filename": "boats.txt", "size": bytes.len(), "sha256": hash(bytes), "onDuplicate": policy });
    let reply = client.post("/api/upload", new).await;
    (reply.status, reply.json())
}

/// Uploads bytes as the next version, completes, and lets ingestion see to it.
async fn next(world: &mut World, policy: &str, bytes: &[u8]) -> String {
    let client = world.tenant_a.clone();
    let (status, made) = ask(&client, policy, bytes).await;
    assert_eq!(status, 201, "{made}");
    assert!(put(&made["upload"], bytes).await.status().is_success());
    let id = made["documentId"].as_str().unwrap().to_owned();
    assert_eq!(client.post(&format!("/api/upload/{id}/complete"), json!({})).await.status, 202);
    world.settle().await;
    id
}

async fn hits(client: &Client) -> String {
    client.post("/api/search", json!({ "query": "boats of the harbour master" })).await.text()
}

async fn document(client: &Client, id: &str) -> Value {
    client.get(&format!("/api/documents/{id}")).await.json()
}

#[tokio::test]
async fn the_same_name_by_each_policy() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = next(&mut world, "version", &text(1)).await;
    assert_eq!(document(&client, &id).await["currentVersion"], 1);

    for policy in ["skip", "replace", "version"] {
        let (status, same) = ask(&client, policy, &text(1)).await;
        assert_eq!((status.as_u16(), &same["duplicate"], &same["upload"]), (200, &json!("unchanged"), &Value::Null));
        assert_eq!(same["documentId"], id.as_str());
    }
    let (status, skipped) = ask(&client, "skip", &text(2)).await;
    assert_eq!((status.as_u16(), &skipped["duplicate"]), (200, &json!("skipped")));
    let (status, kept) = ask(&client, "keep", &text(1)).await;
    assert_eq!((status.as_u16(), &kept["duplicate"]), (201, &Value::Null));
    assert_ne!(kept["documentId"], id.as_str(), "a second document was asked for");
    client.delete(&format!("/api/documents/{}", kept["documentId"].as_str().unwrap())).await;

    let (status, made) = ask(&client, "version", &text(2)).await;
    assert_eq!((status.as_u16(), &made["duplicate"], &made["version"]), (201, &json!("version"), &json!(2)));
    let (_, again) = ask(&client, "version", &text(2)).await;
    assert_eq!(again["version"], 2, "the same bytes get the same room until they came");
    let (_, other) = ask(&client, "version", &text(3)).await;
    assert_eq!(other["version"], 3);
    let (_, elsewhere) = ask(&world.tenant_b, "version", &text(2)).await;
    assert_eq!(elsewhere["version"], 1, "another tenant's name is another name");
}

#[tokio::test]
async fn the_old_version_serves_until_the_new_one_is_whole() {
    for world in World::on_each_store().await {
        replaced(world).await;
    }
}

async fn replaced(mut world: World) {
    let client = world.tenant_a.clone();
    let id = next(&mut world, "version", &text(1)).await;
    let (_, made) = ask(&client, "version", &text(2)).await;
    let complete = format!("/api/upload/{id}/complete");
    let early = client.post(&complete, json!({})).await;
    assert_eq!((early.status.as_u16(), early.code().as_str()), (409, "conflict"), "no bytes came: {}", early.text());
    assert!(put(&made["upload"], &text(2)).await.status().is_success());
    let completed = client.post(&complete, json!({})).await;
    assert_eq!((completed.status.as_u16(), &completed.json()["status"]), (202, &json!("queued")));
    let waiting = document(&client, &id).await;
    assert_eq!((&waiting["version"], &waiting["currentVersion"]), (&json!(2), &json!(1)), "{waiting}");
    assert!(hits(&client).await.contains("counts 1 hundred"));
    world.settle().await;
    let after = hits(&client).await;
    assert!(after.contains("counts 2 hundred") && !after.contains("counts 1 hundred"), "{after}");
    assert_eq!(document(&client, &id).await["currentVersion"], 2);
    whole(&world.admin().await, &id).await;
    let versions = client.get(&format!("/api/documents/{id}/versions")).await.json();
    let numbers: Vec<&Value> = versions["versions"].as_array().unwrap().iter().map(|one| &one["version"]).collect();
    assert_eq!(numbers, [&json!(2), &json!(1)]);
    assert_eq!(world.tenant_b.get(&format!("/api/documents/{id}/versions")).await.code(), "not_found");
}

#[tokio::test]
async fn completing_a_version_that_something_else_takes_up_at_the_same_moment_is_no_error() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = next(&mut world, "version", &text(1)).await;
    let complete = format!("/api/upload/{id}/complete");
    for version in 2..6 {
        let (_, made) = ask(&client, "version", &text(version)).await;
        assert!(put(&made["upload"], &text(version)).await.status().is_success());
        let all = (0..8).map(|_| client.post(&complete, json!({})));
        for reply in futures_util::future::join_all(all).await {
            assert_eq!(reply.status, 202, "{}", reply.text());
        }
    }
    world.settle().await;
    assert_eq!(document(&client, &id).await["currentVersion"], 5);
}

#[tokio::test]
async fn an_event_alone_or_a_sweep_alone_takes_up_a_new_version() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = next(&mut world, "version", &text(1)).await;
    let (_, made) = ask(&client, "version", &text(2)).await;
    put(&made["upload"], &text(2)).await;
    world.settle().await;
    assert_eq!(document(&client, &id).await["currentVersion"], 2, "the bucket's event is enough");
    let (_, made) = ask(&client, "version", &text(3)).await;
    put(&made["upload"], &text(3)).await;
    world.take_events().await;
    assert_eq!(world.files.ingest.sweep().await.unwrap().looked, 1);
    assert_eq!(document(&client, &id).await["currentVersion"], 3, "and so is the sweep");
    let report = world.files.ingest.sweep().await.unwrap();
    assert_eq!((report.looked, report.orphans), (0, 0), "kept versions are known: {report:?}");
}

#[tokio::test]
async fn an_older_version_comes_back_without_its_bytes_being_moved() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = next(&mut world, "version", &text(1)).await;
    next(&mut world, "version", &text(2)).await;
    let restore = format!("/api/documents/{id}/restore");
    for (version, code) in [(7, "not_found"), (0, "not_found")] {
        assert_eq!(client.post(&restore, json!({ "version": version })).await.code(), code);
    }
    assert_eq!(world.tenant_b.post(&restore, json!({ "version": 1 })).await.code(), "not_found");
    assert_eq!(client.post(&restore, json!({ "version": 2 })).await.json()["version"], 2, "it is the newest already");
    let restored = client.post(&restore, json!({ "version": 1 })).await;
    assert_eq!((restored.status.as_u16(), &restored.json()["version"]), (202, &json!(3)));
    assert!(hits(&client).await.contains("counts 2 hundred"));
    assert!(world.files.ingest.due().await.unwrap() > 0);
    assert!(hits(&client).await.contains("counts 1 hundred"));
    assert_eq!(document(&client, &id).await["currentVersion"], 3);
    let versions = client.get(&format!("/api/documents/{id}/versions")).await.json();
    assert_eq!(versions["versions"][0]["restores"], 1);
    whole(&world.admin().await, &id).await;
    // Unchanged is what the newest version says, and not what some older one said.
    assert_eq!(ask(&client, "version", &text(1)).await.1["duplicate"], "unchanged");
    assert_eq!(ask(&client, "version", &text(2)).await.1["version"], 4);
}

#[tokio::test]
async fn so_many_versions_are_kept_and_a_replacement_keeps_none() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let kept = usize::try_from(KEPT_VERSIONS).unwrap();
    let mut id = String::new();
    for number in 1..=kept + 1 {
        id = next(&mut world, "version", &text(number)).await;
    }
    let key = |version| version_key(client.tenant, id.parse().unwrap(), version);
    assert_eq!(world.files.ingest.sweep().await.unwrap().dropped, 0, "signatures for old keys are still good");
    let admin = world.admin().await;
    let age = "update document set updated_at = now() - interval '1 hour'; update document_version set created_at = now() - interval '1 hour'";
    admin.batch_execute(age).await.unwrap();
    assert_eq!(world.files.ingest.sweep().await.unwrap().dropped, 1);
    assert!(world.files.objects.head(&key(1)).await.unwrap().is_none());
    assert!(world.files.objects.head(&key(2)).await.unwrap().is_some());
    let gone = client.post(&format!("/api/documents/{id}/restore"), json!({ "version": 1 })).await;
    assert_eq!(gone.code(), "not_found");

    // Brought back: two versions share their bytes, and a replacement takes both away at once.
    client.post(&format!("/api/documents/{id}/restore"), json!({ "version": 2 })).await;
    world.files.ingest.due().await.unwrap();
    next(&mut world, "replace", &text(99)).await;
    admin.batch_execute(age).await.unwrap();
    let report = world.files.ingest.sweep().await.unwrap();
    assert_eq!((report.dropped, report.orphans), (kept + 1, 0), "{report:?}");
    let left = world.files.objects.list("t/", &docent::objects::From::Start).await.unwrap().objects;
    let newest = i32::try_from(kept).unwrap() + 3;
    assert_eq!(left.iter().map(|object| object.key.clone()).collect::<Vec<_>>(), [key(newest)]);
    assert!(hits(&client).await.contains("counts 99 hundred"));
    assert_eq!(count(&admin, "select count(*) from document_version").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_uploads_of_one_name_make_one_document() {
    let world = World::new().await;
    let client = world.tenant_a.clone();
    for policy in ["skip", "replace", "version"] {
        let new =
            |number: usize| json!({ "filename": format!("{policy}.txt"), "size": 5 + number, "onDuplicate": policy });
        let asked = (0..8).map(|number| client.post("/api/upload", new(number)));
        let replies = futures_util::future::join_all(asked).await;
        let mut ids: Vec<String> =
            replies.iter().map(|reply| reply.json()["documentId"].as_str().unwrap().to_owned()).collect();
        let mut versions: Vec<i64> = replies.iter().map(|reply| reply.json()["version"].as_i64().unwrap()).collect();
        ids.dedup();
        assert_eq!(ids.len(), 1, "{policy} made several documents");
        versions.sort_unstable();
        assert_eq!(versions, (1..=8).collect::<Vec<_>>(), "{policy}: each upload has room of its own");
    }
}

#[tokio::test]
async fn every_version_goes_with_its_document() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = next(&mut world, "version", &text(1)).await;
    next(&mut world, "version", &text(2)).await;
    let (_, late) = ask(&client, "version", &text(3)).await;
    assert_eq!(client.delete(&format!("/api/documents/{id}")).await.status, 204);
    put(&late["upload"], &text(3)).await;
    world.settle().await;
    assert!(!hits(&client).await.contains("hundred boats"), "bytes that come late bring nothing back");
    let admin = world.admin().await;
    admin.batch_execute("update document set deleted_at = now() - interval '1 hour'").await.unwrap();
    let report = world.files.ingest.sweep().await.unwrap();
    assert_eq!((report.purged, report.orphans), (1, 0), "{report:?}");
    let left = world.files.objects.list("t/", &docent::objects::From::Start).await.unwrap();
    assert!(left.objects.is_empty(), "{left:?}");
}

#[tokio::test]
async fn room_for_a_version_that_never_came_is_given_up() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = next(&mut world, "version", &text(1)).await;
    let (_, never) = ask(&client, "version", &text(2)).await;
    assert_eq!(never["version"], 2);
    let (_, late) = ask(&client, "version", &text(3)).await;
    put(&late["upload"], &text(3)).await;
    world.take_events().await;
    let admin = world.admin().await;
    admin.batch_execute("update document_version set created_at = now() - interval '2 days'").await.unwrap();
    let report = world.files.ingest.sweep().await.unwrap();
    assert_eq!((report.looked, report.forgotten), (1, 1), "{report:?}");
    let versions = client.get(&format!("/api/documents/{id}/versions")).await.json();
    let numbers: Vec<i64> =
        versions["versions"].as_array().unwrap().iter().map(|one| one["version"].as_i64().unwrap()).collect();
    assert_eq!(numbers, [3, 1]);
}
