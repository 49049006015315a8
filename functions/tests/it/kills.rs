//! `kill -9` of the real ingesting process at three points; its successor makes the document ready, once.
use std::os::unix::process::ExitStatusExt;

use serde_json::{Value, json};

use crate::{
    backend::{Backend, put},
    door::{Door, PATIENCE},
    runtime_api::Lambda,
};

/// Batches of which a book has several.
const SMALL: (&str, &str) = ("INGEST_BATCH_CHUNKS", "64");

/// Long enough for several batches of chunks.
fn book() -> String {
    (1..=400).map(|n| format!("Paragraph {n} tells of lighthouse number {n}, whose lamp turns every {} seconds and whose keeper writes down each ship that passes by.\n\n", n % 17 + 3)).collect()
}

#[tokio::test]
async fn a_killed_worker_loses_and_doubles_nothing() {
    let mut backend = Backend::start().await;
    let whole = ingested(&mut backend, None).await;
    assert!(whole.chunks > 64, "one batch is not enough to be killed between two: {whole:?}");
    for point in ["ingest.after_batch", "ingest.before_swap", "ingest.after_swap"] {
        assert_eq!(ingested(&mut backend, Some(point)).await, whole, "killed at {point}");
    }
}

/// What search reads of one document.
#[derive(Debug, PartialEq, Eq)]
struct Stored {
    chunks: i64,
    vectors: i64,
    postings: i64,
    text: Vec<u8>,
    counted: i64,
}

async fn ingested(backend: &mut Backend, killed_at: Option<&str>) -> Stored {
    let bearer = backend.tenant("Killed").await;
    let book = book();
    let mut upload = Door::lambda("lambda-upload", &backend.environment()).await;
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let request = json!({ "filename": "book.txt", "size": book.len() }).to_string();
    let created = upload.request("POST", "/api/upload", &headers, request.as_bytes()).await.json();
    put(&created["upload"], book.as_bytes()).await;
    let document = created["documentId"].as_str().expect("an id").to_owned();
    let batch = json!({ "Records": [{ "messageId": "m1", "body": backend.event().await }] });

    if let Some(point) = killed_at {
        let mut environment = backend.environment();
        environment.extend([("DOCENT_FAILPOINT", point), ("INGEST_LEASE_SECONDS", "1"), SMALL]);
        let mut doomed = Lambda::start("lambda-ingest", &environment).await;
        doomed.ready().await;
        doomed.send(batch.clone()).await;
        let ended = tokio::time::timeout(PATIENCE, doomed.process.ended()).await.expect("the point is reached");
        assert_eq!(ended.signal(), Some(9), "{}", doomed.process.log());
    }

    // The queue delivers again what was never acknowledged; until the dead one's lease runs out, that is refused.
    let mut environment = backend.environment();
    environment.extend([("INGEST_LEASE_SECONDS", "1"), SMALL]);
    let mut worker = Lambda::start("lambda-ingest", &environment).await;
    worker.ready().await;
    let path = format!("/api/documents/{document}");
    let mut shown = Value::Null;
    for _ in 0..100 {
        worker.invoke(batch.clone()).await;
        shown = upload.request("GET", &path, &headers, b"").await.json();
        if shown["status"] == "ready" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    assert_eq!(shown["status"], "ready", "{shown}\n{}", worker.process.log());
    let after = worker.invoke(batch).await;
    assert_eq!(after, json!({ "batchItemFailures": [] }));
    stored(backend, &document, &book).await
}

async fn stored(backend: &Backend, document: &str, book: &str) -> Stored {
    let admin = backend.connect().await;
    let sql = format!(
        "select (select count(*) from chunk c where c.document_id = d.id and c.revision = d.current_revision),
                (select count(*) from embedding e where e.document_id = d.id and e.revision = d.current_revision),
                (select sum(cardinality(p.postings))::bigint from posting p where p.document_id = d.id and p.revision = d.current_revision),
                (select sha256(string_agg(c.text, '|' order by c.ordinal)::bytea) from chunk c
                 where c.document_id = d.id and c.revision = d.current_revision),
                (select sum(s.chunks)::bigint from collection_delta s where s.tenant_id = d.tenant_id),
                (select count(*) from chunk c where c.document_id = d.id and strpos($1, c.text) = 0)
         from document d where d.id = '{document}'"
    );
    let row = admin.query_one(&sql, &[&book]).await.expect("the document is there");
    assert_eq!(row.get::<_, i64>(5), 0, "a chunk is not a slice of the book");
    Stored { chunks: row.get(0), vectors: row.get(1), postings: row.get(2), text: row.get(3), counted: row.get(4) }
}
