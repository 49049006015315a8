//! Ingestion against a real bucket and a real database: what events, lost events, deletions and dead workers lead to.

use std::time::Duration;

use docent::App;
use docent::function::Files;
use docent::ingest::Outcome;
use serde_json::{Value, json};
use tokio_postgres::Client as Admin;
use uuid::Uuid;

use crate::world::{Client, World, eventually, put};

pub const TEXT: &[u8] = b"The Moon orbits the Earth at a mean distance of 384400 kilometres.";

/// Some hundred chunks: enough to stop a worker between two batches.
pub fn long_text() -> Vec<u8> {
    let line = |n: usize| {
        format!(
            "Section {n} describes valve {} of pump {}, which is inspected every {} days. ",
            n * 7,
            n % 13,
            n % 31 + 1
        )
    };
    (0..3000).map(line).collect::<Vec<_>>().join("\n").into_bytes()
}

/// A PDF with one line of text on each page.
fn pdf(pages: &[&str]) -> Vec<u8> {
    let kids: Vec<String> = (0..pages.len()).map(|n| format!("{} 0 R", 4 + 2 * n)).collect();
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        format!("<< /Type /Pages /Kids [{}] /Count {} >>", kids.join(" "), pages.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    for (n, text) in pages.iter().enumerate() {
        let content = format!("BT /F1 12 Tf 72 720 Td ({text}) Tj ET");
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {} 0 R /Resources << /Font << /F1 3 0 R >> >> >>",
            5 + 2 * n
        ));
        objects.push(format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()));
    }
    let (mut file, mut offsets) = ("%PDF-1.4\n".to_owned(), Vec::new());
    for (n, object) in objects.iter().enumerate() {
        offsets.push(file.len());
        file += &format!("{} 0 obj\n{object}\nendobj\n", n + 1);
    }
    let start = file.len();
    file += &format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for offset in &offsets {
        file += &format!("{offset:010} 00000 n \n");
    }
    file += &format!("trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n", objects.len() + 1);
    file.into_bytes()
}

pub async fn document(client: &Client, id: &str) -> Value {
    client.get(&format!("/api/documents/{id}")).await.json()
}

pub async fn count(admin: &Admin, sql: &str) -> i64 {
    admin.query_one(sql, &[]).await.unwrap().get(0)
}

/// What a revision left behind: rows of chunk, embedding and posting agree, and the statistics say the same.
pub async fn whole(admin: &Admin, id: &str) {
    let id: Uuid = id.parse().unwrap();
    let sql = "select d.planned_chunks::int8,
                 (select count(*) from chunk c where c.document_id = d.id and c.revision = d.current_revision),
                 (select count(*) from embedding e where e.document_id = d.id and e.revision = d.current_revision),
                 (select count(distinct q.one >> 32) from posting p, unnest(p.postings) as q (one) where p.document_id = d.id and p.revision = d.current_revision),
                 (select sum(s.chunks)::int8 from collection_delta s where s.collection_id = d.collection_id),
                 d.current_length,
                 (select sum(s.length)::int8 from collection_delta s where s.collection_id = d.collection_id),
                 (select sum((q.one >> 16) & 65535)::int8 from posting p, unnest(p.postings) as q (one) where p.document_id = d.id and p.revision = d.current_revision)
               from document d where d.id = $1";
    let row = admin.query_one(sql, &[&id]).await.unwrap();
    let numbers: Vec<i64> = (0..8).map(|at| row.get(at)).collect();
    let (planned, length) = (numbers[0], numbers[5]);
    assert!(planned > 0);
    assert_eq!(numbers, [planned, planned, planned, planned, planned, length, length, length]);
}

#[tokio::test]
async fn text_and_pdf_become_ready() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let text = world.ready(&client, "moon.txt", TEXT).await;
    let ready = document(&client, &text).await;
    assert_eq!((&ready["chunks"], &ready["pages"], &ready["size"]), (&json!(1), &Value::Null, &json!(TEXT.len())));
    assert_eq!(ready["progress"], json!({ "done": 1, "total": 1 }));
    let admin = world.admin().await;
    whole(&admin, &text).await;

    let file = pdf(&["The first page names the captain.", "The second page names the harbour of Rotterdam."]);
    let file = world.ready(&client, "log.pdf", &file).await;
    assert_eq!(document(&client, &file).await["pages"], 2);
    let hits = client.post("/api/search", json!({ "query": "Which harbour is named?" })).await.json();
    let hit = hits["hits"].as_array().unwrap().iter().find(|hit| hit["documentId"] == file.as_str()).cloned();
    assert!(hit.is_some_and(|hit| hit.to_string().contains("Rotterdam")), "{hits}");
    let pages = admin
        .query(
            "select page_first, page_last from chunk where document_id = $1 order by ordinal",
            &[&file.parse::<Uuid>().unwrap()],
        )
        .await
        .unwrap();
    assert_eq!(pages.first().unwrap().get::<_, Option<i32>>(0), Some(1));
    assert_eq!(pages.last().unwrap().get::<_, Option<i32>>(1), Some(2));
    assert_eq!(count(&admin, "select count(*) from ingest_event").await, 0, "nothing is left to do");
}

#[tokio::test]
async fn an_event_that_comes_again_changes_nothing() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = world.upload(&client, "moon.txt", TEXT).await;
    let events = world.take_events().await;
    let state = "select md5(string_agg(d::text || d.xmin::text, '')) from document d";
    let admin = world.admin().await;
    let hash = async || admin.query_one(state, &[]).await.unwrap().get::<_, String>(0);
    world.files.ingest.message(&events[0]).await.unwrap();
    assert_eq!(document(&client, &id).await["status"], "ready");
    let before = hash().await;
    for _ in 0..3 {
        world.files.ingest.message(&events[0]).await.unwrap();
    }
    assert_eq!(hash().await, before, "the row was not even touched");
    // Completing afterwards leaves nothing behind either.
    client.post(&format!("/api/upload/{id}/complete"), json!({})).await;
    assert_eq!(world.files.ingest.due().await.unwrap(), 0);
    assert_eq!(count(&admin, "select count(*) from ingest_event").await, 0);
}

#[tokio::test]
async fn completing_alone_is_enough() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = world.upload(&client, "moon.txt", TEXT).await;
    world.take_events().await;
    let reply = client.post(&format!("/api/upload/{id}/complete"), json!({})).await;
    assert_eq!((reply.status.as_u16(), reply.json()), (202, json!({ "documentId": id, "status": "queued" })));
    assert_eq!(world.files.ingest.due().await.unwrap(), 1);
    assert_eq!(document(&client, &id).await["status"], "ready");
    assert_eq!(world.files.ingest.due().await.unwrap(), 0);
}

#[tokio::test]
async fn completing_without_bytes_waits_for_them() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let created = client.post("/api/upload", json!({ "filename": "a.txt", "size": TEXT.len() })).await.json();
    let id = created["documentId"].as_str().unwrap().to_owned();
    client.post(&format!("/api/upload/{id}/complete"), json!({})).await;
    assert_eq!(world.files.ingest.due().await.unwrap(), 1);
    assert_eq!(document(&client, &id).await["status"], "uploading");
    put(&created["upload"], TEXT).await;
    world.settle().await;
    assert_eq!(document(&client, &id).await["status"], "ready");
}

#[tokio::test]
async fn an_event_before_its_row_waits_for_it() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = world.upload(&client, "moon.txt", TEXT).await;
    let events = world.take_events().await;
    let admin = world.admin().await;
    admin.batch_execute("create table saved as select * from document; delete from document").await.unwrap();
    world.files.ingest.message(&events[0]).await.unwrap();
    assert_eq!(count(&admin, "select count(*) from ingest_event where source = 's3'").await, 1);
    assert_eq!(world.files.ingest.due().await.unwrap(), 0, "there is still nothing to ingest");
    let later = "select count(*) from ingest_event where due_at > now() + interval '10 seconds' and attempts > 0";
    assert_eq!(count(&admin, later).await, 1, "the next try takes its time");
    admin
        .batch_execute("insert into document select * from saved; update ingest_event set due_at = now()")
        .await
        .unwrap();
    assert_eq!(world.files.ingest.due().await.unwrap(), 1);
    assert_eq!(document(&client, &id).await["status"], "ready");
    assert_eq!(count(&admin, "select count(*) from ingest_event").await, 0);
}

#[tokio::test]
async fn what_is_not_ours_is_acknowledged_and_leaves_nothing() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = world.ready(&client, "moon.txt", TEXT).await;
    let (own, foreign) = (world.tenant_a.tenant.uuid().simple(), world.tenant_b.tenant.uuid().simple());
    let document_key = id.parse::<Uuid>().unwrap();
    let event = |bucket: &str, key: &str| {
        json!({ "Records": [{ "eventName": "ObjectCreated:Put", "s3": { "bucket": { "name": bucket }, "object": { "key": key } } }] }).to_string()
    };
    let admin = world.admin().await;
    for (bucket, key) in [
        ("docent", "holiday/photo.jpg".to_owned()),
        ("docent", format!("t/{own}/{}/2", document_key.simple())),
        ("other", format!("t/{own}/{}/1", document_key.simple())),
        ("docent", format!("t/{}/{}/1", Uuid::from_u128(7).simple(), document_key.simple())),
    ] {
        world.files.ingest.message(&event(bucket, &key)).await.unwrap();
        assert_eq!(count(&admin, "select count(*) from ingest_event").await, 0, "{bucket} {key}");
    }
    assert_eq!(world.files.ingest.message("{}").await.unwrap_err().code(), "invalid_request");
    // Another tenant's name over the same document: a hint that will never find its row, and nobody is touched.
    let key = format!("t/{foreign}/{}/1", document_key.simple());
    world.files.ingest.message(&event("docent", &key)).await.unwrap();
    assert_eq!(document(&client, &id).await["status"], "ready");
    assert_eq!(
        count(&admin, "select count(*) from ingest_event e join document d on d.tenant_id = e.tenant_id").await,
        0
    );
    admin.batch_execute("update ingest_event set created_at = now() - interval '2 days'").await.unwrap();
    assert_eq!(world.files.ingest.sweep().await.unwrap().forgotten, 1);
}

#[tokio::test]
async fn a_document_deleted_while_it_is_read_never_shows() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = world.upload(&client, "long.txt", &long_text()).await;
    let event = world.take_events().await.remove(0);
    let admin = world.admin().await;
    let delete = async {
        eventually("the first batch", async || count(&admin, "select stored_chunks::int8 from document").await > 0)
            .await;
        assert_eq!(client.delete(&format!("/api/documents/{id}")).await.status, 204);
    };
    let (ingested, ()) = tokio::join!(world.files.ingest.message(&event), delete);
    ingested.unwrap();
    let row =
        admin.query_one("select current_revision, stored_chunks < planned_chunks from document", &[]).await.unwrap();
    assert_eq!(
        (row.get::<_, Option<i32>>(0), row.get::<_, bool>(1)),
        (None, true),
        "the worker was stopped on its way"
    );
    let hits = client.post("/api/search", json!({ "query": "Which valve is inspected?" })).await;
    assert!(!hits.text().contains(&id), "{}", hits.text());
    assert_eq!(count(&admin, "select count(*) from collection_delta").await, 0);
}

#[tokio::test]
async fn what_cannot_be_read_says_why_and_may_be_tried_again() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let encrypted = String::from_utf8(pdf(&["secret"]))
        .unwrap()
        .replace("/Root 1 0 R", "/Root 1 0 R /Encrypt << /Filter /Standard /V 1 /R 2 /O (x) /U (y) /P -4 >>");
    for (filename, bytes, codes) in [
        ("blank.txt", b" \n\t ".to_vec(), vec!["empty_file"]),
        ("picture.txt", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), vec!["unsupported_type"]),
        ("broken.pdf", b"%PDF-1.4\nnothing of the kind".to_vec(), vec!["corrupt", "no_text_layer"]),
        ("locked.pdf", encrypted.into_bytes(), vec!["encrypted", "corrupt"]),
        ("scan.pdf", pdf(&[""]), vec!["no_text_layer"]),
    ] {
        let id = world.upload(&client, filename, &bytes).await;
        let events = world.take_events().await;
        world.files.ingest.message(&events[0]).await.unwrap();
        let failed = document(&client, &id).await;
        assert_eq!(failed["status"], "failed", "{filename}: {failed}");
        assert!(codes.contains(&failed["error"]["code"].as_str().unwrap()), "{filename}: {failed}");
        for part in ["message", "hint"] {
            assert!(!failed["error"][part].as_str().unwrap().is_empty(), "{filename}: {failed}");
        }
        world.files.ingest.message(&events[0]).await.unwrap();
        assert_eq!(
            document(&client, &id).await["updatedAt"],
            failed["updatedAt"],
            "the same bytes are not read again by themselves"
        );
        let again = client.post(&format!("/api/upload/{id}/complete"), json!({})).await.json();
        assert_eq!(again["status"], "queued", "but on request they are");
        assert_eq!(world.files.ingest.due().await.unwrap(), 1);
        assert_eq!(document(&client, &id).await["error"]["code"], failed["error"]["code"]);
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_three_times() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    // Nobody listens on port 9: a provider that cannot be reached.
    let key = json!({ "key": "sk-nobody", "baseUrl": "http://127.0.0.1:9/v1" });
    assert!(client.send("PUT", "/api/keys/openai", Some(key.to_string()), &[]).await.status.is_success());
    let admin = world.admin().await;
    admin.batch_execute("update collection set embedding_model = 'openai/text-embedding-3-small'").await.unwrap();
    let id = world.upload(&client, "moon.txt", TEXT).await;
    let event = world.take_events().await.remove(0);
    for attempt in 1..=2 {
        let error = world.files.ingest.message(&event).await.unwrap_err();
        assert_eq!(error.code(), "provider_unavailable");
        assert_eq!(document(&client, &id).await["status"], "queued", "attempt {attempt}");
        assert_eq!(
            count(&admin, "select count(*) from document where lease_until > now() + interval '5 seconds'").await,
            1
        );
        world.files.ingest.message(&event).await.expect("within the pause nobody tries");
        admin.batch_execute("update document set lease_until = now() - interval '1 second'").await.unwrap();
    }
    world.files.ingest.message(&event).await.unwrap();
    let failed = document(&client, &id).await;
    assert_eq!((&failed["status"], &failed["error"]["code"]), (&json!("failed"), &json!("provider_unavailable")));

    admin.batch_execute("update collection set embedding_model = 'hash-384'").await.unwrap();
    client.post(&format!("/api/upload/{id}/complete"), json!({})).await;
    while world.files.ingest.due().await.unwrap() > 0 {}
    assert_eq!(document(&client, &id).await["status"], "ready", "the tenant's retry begins anew");
    whole(&admin, &id).await;
}

#[tokio::test]
async fn workers_that_vanish_over_a_document_do_not_do_so_for_ever() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = world.upload(&client, "moon.txt", TEXT).await;
    let event = world.take_events().await.remove(0);
    let admin = world.admin().await;
    world.files.ingest.message(&event).await.unwrap();
    admin
        .batch_execute(
            "update document set status = 'parsing', current_revision = null, current_etag = null, attempts = 3",
        )
        .await
        .unwrap();
    world.files.ingest.message(&event).await.unwrap();
    assert_eq!(document(&client, &id).await["error"]["code"], "ingest_stalled");
}

#[tokio::test]
async fn the_bucket_being_away_puts_things_off() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = world.upload(&client, "moon.txt", TEXT).await;
    let event = world.take_events().await.remove(0);
    let environment = world.environment.clone().with("S3_ENDPOINT", "http://127.0.0.1:9");
    let away = Files::new(&environment, world.files.app.clone()).unwrap();
    assert_eq!(away.ingest.message(&event).await.unwrap_err().code(), "storage_unavailable");
    assert_eq!(document(&client, &id).await["status"], "uploading");
    let admin = world.admin().await;
    assert_eq!(count(&admin, "select count(*) from ingest_event where due_at > now()").await, 1);
    admin.batch_execute("update ingest_event set due_at = now()").await.unwrap();
    assert_eq!(world.files.ingest.due().await.unwrap(), 1);
    assert_eq!(document(&client, &id).await["status"], "ready");
}

#[tokio::test]
async fn a_crowd_of_hints_keeps_no_other_tenant_waiting() {
    let mut world = World::new().await;
    let (crowd, neighbour) = (world.tenant_a.clone(), world.tenant_b.clone());
    let admin = world.admin().await;
    let own = crowd.tenant.uuid();
    // Ten thousand hints for documents that are not there, all of them older than the neighbour's.
    let sql = format!(
        "insert into ingest_event (tenant_id, id, object_key, source, due_at)
         select '{own}', u.id, 't/{}/' || replace(u.id::text, '-', '') || '/1', 's3', now() - interval '1 hour'
         from (select gen_random_uuid() as id from generate_series(1, 10000)) u",
        own.simple()
    );
    admin.batch_execute(&sql).await.unwrap();
    let id = world.upload(&neighbour, "moon.txt", TEXT).await;
    world.take_events().await;
    neighbour.post(&format!("/api/upload/{id}/complete"), json!({})).await;
    world.files.ingest.due().await.unwrap();
    assert_eq!(document(&neighbour, &id).await["status"], "ready", "at the first look at what is due");
    assert_eq!(count(&admin, "select count(*) from ingest_event where due_at < now()").await, 10_000 - 15);
}

#[tokio::test]
async fn a_deadline_leaves_the_rest_to_the_next() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = world.upload(&client, "long.txt", &long_text()).await;
    world.take_events().await;
    let hurried = world.files.ingest.clone().within(Duration::ZERO);
    let outcome = hurried.document(client.tenant, id.parse().unwrap()).await.unwrap();
    assert_eq!(outcome, Outcome::Paused);
    assert_eq!(document(&client, &id).await["status"], "queued");
    while world.files.ingest.due().await.unwrap() > 0 {}
    assert_eq!(document(&client, &id).await["status"], "ready");
}

#[tokio::test]
async fn what_gets_nowhere_is_put_aside_and_can_be_taken_up_again() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = world.upload(&client, "long.txt", &long_text()).await;
    let document_id: Uuid = id.parse().unwrap();
    world.take_events().await;
    let hurried = world.files.ingest.clone().within(Duration::ZERO);
    for attempt in 1..=3 {
        assert_eq!(hurried.document(client.tenant, document_id).await.unwrap(), Outcome::Paused, "{attempt}");
        assert_eq!(document(&client, &id).await["status"], "queued");
    }
    assert_eq!(world.files.ingest.document(client.tenant, document_id).await.unwrap(), Outcome::Failed);
    let failed = document(&client, &id).await;
    assert_eq!(failed["error"]["code"], "ingest_stalled", "{failed}");
    assert_eq!(world.files.ingest.document(client.tenant, document_id).await.unwrap(), Outcome::Nothing);
    // What the tenant asks for begins anew, with all attempts.
    client.post(&format!("/api/upload/{id}/complete"), json!({})).await;
    while world.files.ingest.due().await.unwrap() > 0 {}
    assert_eq!(document(&client, &id).await["status"], "ready");
    let admin = world.admin().await;
    whole(&admin, &id).await;
    assert_eq!(count(&admin, "select count(*) from ingest_event").await, 0);
}

#[tokio::test]
async fn a_message_without_time_to_begin_leaves_a_hint() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = world.upload(&client, "moon.txt", TEXT).await;
    let event = world.take_events().await.remove(0);
    let admin = world.admin().await;
    for late in [world.files.ingest.clone().within(Duration::ZERO), world.files.ingest.clone().before(0)] {
        late.message(&event).await.expect("acknowledged: what is to do is written down");
        assert_eq!(count(&admin, "select count(*) from ingest_event where due_at <= now()").await, 1);
        assert_eq!(document(&client, &id).await["status"], "uploading");
    }
    assert_eq!(world.files.ingest.due().await.unwrap(), 1);
    assert_eq!(document(&client, &id).await["status"], "ready");
}

#[tokio::test]
async fn one_connection_is_enough() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = world.upload(&client, "long.txt", &long_text()).await;
    let event = world.take_events().await.remove(0);
    let environment = world.environment.clone().with("DATABASE_POOL_SIZE", "1");
    let files = Files::new(&environment, App::new(&environment).unwrap()).unwrap();
    // Whoever held a connection while asking for another would wait for itself.
    files.ingest.message(&event).await.unwrap();
    files.ingest.due().await.unwrap();
    assert_eq!(document(&client, &id).await["status"], "ready");
    client.delete(&format!("/api/documents/{id}")).await;
    world.admin().await.batch_execute("update document set deleted_at = now() - interval '1 hour'").await.unwrap();
    assert_eq!(files.ingest.sweep().await.unwrap().purged, 1);
}
