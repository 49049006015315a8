//! Documents through the router: a place to upload to, status, progress, deletion.

use docent::documents::UPLOAD_VALID;
use serde_json::{Value, json};

use crate::world::{World, put};

const TEXT: &[u8] = b"The lighthouse of Alexandria stood about one hundred metres tall.";

#[tokio::test]
async fn an_upload_is_promised_exactly() {
    let world = World::new().await;
    let sha256 = "0f".repeat(32);
    let new = json!({ "filename": "../notes/a b.txt", "contentType": "text/plain", "size": 5, "sha256": sha256 });
    let reply = world.tenant_a.post("/api/upload", new).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let created = reply.json();
    let upload = &created["upload"];
    assert_eq!(upload["method"], "PUT");
    let tenant = world.tenant_a.tenant.uuid().simple();
    let document: uuid::Uuid = created["documentId"].as_str().unwrap().parse().unwrap();
    let key = format!("/docent/t/{tenant}/{}/1?", document.simple());
    assert!(upload["url"].as_str().unwrap().contains(&key), "{upload}");
    let expected = json!({
        "content-length": "5",
        "content-type": "text/plain",
        "if-none-match": "*",
        "x-amz-checksum-sha256": "Dw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8=",
    });
    assert_eq!(upload["headers"], expected);
    let expires: jiff::Timestamp = upload["expiresAt"].as_str().unwrap().parse().unwrap();
    let left = expires.duration_since(world.files.app.clock.now()).as_secs();
    let valid = UPLOAD_VALID.as_secs() as i64;
    assert!((valid - 60..=valid).contains(&left), "{left}");

    let document = world.tenant_a.get(&format!("/api/documents/{document}")).await.json();
    for (field, value) in
        [("filename", json!("a b.txt")), ("status", json!("uploading")), ("size", json!(5)), ("error", Value::Null)]
    {
        assert_eq!(document[field], value, "{field}");
    }
    assert_eq!(document["progress"], json!({ "done": 0, "total": 0 }));
}

#[tokio::test]
async fn what_cannot_work_is_refused_before_any_byte() {
    let world = World::new().await;
    let limit = world.files.app.limits.stream_bytes;
    let whole = world.files.app.limits.upload_bytes;
    assert!(whole < limit);
    for (new, status, code) in [
        (json!({ "filename": "a.txt", "size": 0 }), 422, "empty_file"),
        (json!({ "filename": "a.txt", "size": limit + 1 }), 413, "too_large"),
        (json!({ "filename": "a.pdf", "size": whole + 1 }), 413, "too_large"),
        (json!({ "filename": "a.txt", "size": -1 }), 400, "invalid_request"),
        (json!({ "filename": "", "size": 5 }), 400, "invalid_request"),
        (json!({ "filename": "x".repeat(256), "size": 5 }), 400, "invalid_request"),
        (json!({ "filename": "a.png", "contentType": "image/png", "size": 5 }), 415, "unsupported_type"),
        (json!({ "filename": "a.txt", "contentType": "a\r\nb/c", "size": 5 }), 400, "invalid_request"),
        (json!({ "filename": "a.txt", "size": 5, "sha256": "00" }), 400, "invalid_request"),
        (json!({ "filename": "a.txt", "size": 5, "key": "t/x" }), 400, "invalid_request"),
    ] {
        let reply = world.tenant_a.post("/api/upload", new.clone()).await;
        assert_eq!((reply.status.as_u16(), reply.code().as_str()), (status, code), "{new}");
    }
    let reply = world.tenant_a.post("/api/upload", json!({ "filename": "a.txt", "size": limit + 1 })).await;
    assert!(
        reply.json()["detail"].as_str().unwrap().contains(&limit.to_string()),
        "the limit is named: {}",
        reply.text()
    );
    assert_eq!(world.tenant_a.get("/api/documents").await.json(), json!({ "documents": [], "nextCursor": null }));
    assert!(
        world.tenant_a.post("/api/upload", json!({ "filename": "a.txt", "size": limit })).await.status.is_success()
    );
}

#[tokio::test]
async fn the_bucket_takes_only_what_was_signed() {
    let world = World::new().await;
    let sha256 = "0".repeat(64);
    let create = |new: Value| async { world.tenant_a.post("/api/upload", new).await.json()["upload"].clone() };
    let upload = create(json!({ "filename": "a.txt", "size": TEXT.len(), "sha256": sha256 })).await;
    assert!(!put(&upload, TEXT).await.status().is_success(), "other bytes than those of the checksum");

    let upload = create(json!({ "filename": "a.txt", "size": TEXT.len() })).await;
    let mut tampered = upload.clone();
    tampered["headers"]["content-type"] = json!("text/html");
    assert_eq!(put(&tampered, TEXT).await.status(), 403, "another type");
    tampered = upload.clone();
    tampered["headers"].as_object_mut().unwrap().remove("if-none-match");
    assert_eq!(put(&tampered, TEXT).await.status(), 403, "without the condition");
    assert!(put(&upload, TEXT).await.status().is_success());
    assert_eq!(put(&upload, TEXT).await.status(), 412, "an object is not replaced");
}

#[tokio::test]
async fn scopes_decide() {
    let world = World::new().await;
    let id = world.upload(&world.tenant_a, "a.txt", TEXT).await;
    let token = async |scope: &str| {
        let made = world.tenant_a.post("/api/tokens", json!({ "name": scope, "scopes": [scope] })).await.json();
        world.tenant_a.with_token(made["token"].as_str().unwrap())
    };
    let (reader, writer) = (token("read").await, token("write").await);
    let (one, events) = (format!("/api/documents/{id}"), format!("/api/documents/{id}/events"));
    for path in ["/api/documents", &one, &events] {
        assert_eq!(writer.get(path).await.code(), "forbidden", "{path}");
        assert_eq!(world.anon.get(path).await.code(), "unauthorized", "{path}");
    }
    let complete = format!("/api/upload/{id}/complete");
    for (method, path) in [("POST", "/api/upload"), ("POST", complete.as_str()), ("DELETE", one.as_str())] {
        let body = (path == "/api/upload").then(|| json!({ "filename": "a.txt", "size": 5 }).to_string());
        assert_eq!(reader.send(method, path, body.clone(), &[]).await.code(), "forbidden", "{method} {path}");
        assert_eq!(world.anon.send(method, path, body, &[]).await.code(), "unauthorized", "{method} {path}");
    }
    assert_eq!(writer.post(&complete, json!({})).await.status, 202);
}

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let world = World::new().await;
    let mut expected = Vec::new();
    for number in 0..5 {
        let new = json!({ "filename": format!("{number}.txt"), "size": 5 });
        expected.insert(0, world.tenant_a.post("/api/upload", new).await.json()["documentId"].clone());
    }
    world.tenant_b.post("/api/upload", json!({ "filename": "b.txt", "size": 5 })).await;
    let (mut seen, mut path, mut pages) = (Vec::new(), "/api/documents?limit=2".to_owned(), 0);
    loop {
        let page = world.tenant_a.get(&path).await.json();
        seen.extend(page["documents"].as_array().unwrap().iter().map(|document| document["id"].clone()));
        pages += 1;
        match page["nextCursor"].as_str() {
            Some(cursor) => path = format!("/api/documents?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!((seen, pages), (expected, 3));
    for query in ["limit=0", "limit=201", "limit=x", "cursor=x", "cursor="] {
        assert_eq!(world.tenant_a.get(&format!("/api/documents?{query}")).await.code(), "invalid_request", "{query}");
    }
}

#[tokio::test]
async fn an_unchanged_document_costs_no_body() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = world.upload(&client, "a.txt", TEXT).await;
    let path = format!("/api/documents/{id}");
    let first = client.get(&path).await;
    let etag = first.headers["etag"].to_str().unwrap().to_owned();
    for known in [etag.clone(), format!("\"x\", W/{etag}"), "*".to_owned()] {
        let reply = client.send("GET", &path, None, &[("if-none-match", &known)]).await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (304, 0), "{known}");
        assert_eq!(reply.headers["etag"], etag.as_str());
    }
    world.settle().await;
    let reply = client.send("GET", &path, None, &[("if-none-match", &etag)]).await;
    assert_eq!((reply.status.as_u16(), reply.json()["status"].clone()), (200, json!("ready")));
}

#[tokio::test]
async fn progress_is_streamed_until_it_is_settled() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = world.upload(&client, "a.txt", TEXT).await;
    let path = format!("/api/documents/{id}/events");
    let watcher = {
        let (client, path) = (client.clone(), path.clone());
        async move { client.get(&path).await }
    };
    let (stream, ()) = tokio::join!(watcher, world.settle());
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    let statuses: Vec<Value> = stream.chunks().iter().map(|document| document["status"].clone()).collect();
    assert_eq!(statuses.last(), Some(&json!("ready")), "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| *status == "ready").count(), 1);

    let text = stream.text();
    let last = text.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().unwrap();
    let again = client.send("GET", &path, None, &[("last-event-id", last)]).await;
    assert_eq!(again.chunks().len(), 1, "a settled status is told again: {}", again.text());
    assert_eq!(client.get("/api/documents/00000000-0000-0000-0000-000000000000/events").await.code(), "not_found");
}

#[tokio::test]
async fn a_watcher_learns_of_a_deletion() {
    let world = World::new().await;
    let client = world.tenant_a.clone();
    let id = world.upload(&client, "a.txt", TEXT).await;
    let (events, document) = (format!("/api/documents/{id}/events"), format!("/api/documents/{id}"));
    let (stream, deleted) = tokio::join!(client.get(&events), client.delete(&document));
    assert_eq!(deleted.status, 204);
    assert_eq!(stream.chunks().last().unwrap()["status"], "deleted", "{}", stream.text());
}

#[tokio::test]
async fn a_deleted_document_is_gone_from_every_answer_at_once() {
    let mut world = World::new().await;
    let client = world.tenant_a.clone();
    let id = world.ready(&client, "a.txt", TEXT).await;
    let hits = async || client.post("/api/search", json!({ "query": "How tall was the lighthouse?" })).await.text();
    assert!(hits().await.contains(&id));
    let path = format!("/api/documents/{id}");
    assert_eq!(client.delete(&path).await.status, 204);
    assert!(!hits().await.contains(&id));
    for reply in [
        client.get(&path).await,
        client.delete(&path).await,
        client.post(&format!("/api/upload/{id}/complete"), json!({})).await,
    ] {
        assert_eq!(reply.code(), "not_found");
    }
    assert_eq!(client.get("/api/documents").await.json()["documents"], json!([]));
    let admin = world.admin().await;
    let left = admin
        .query_one("select sum(chunks)::int8, sum(length)::int8, count(*) from collection_delta", &[])
        .await
        .unwrap();
    assert_eq!((left.get::<_, i64>(0), left.get::<_, i64>(1), left.get::<_, i64>(2)), (0, 0, 2));
}

#[tokio::test]
async fn where_answers_are_buffered_progress_is_one_status_and_when_to_ask_again() {
    let world = World::new().await;
    let environment = world.environment.clone().with("AWS_LAMBDA_FUNCTION_NAME", "upload");
    let files = docent::function::Files::new(&environment, docent::App::new(&environment).unwrap()).unwrap();
    let client = world.tenant_a.through(&docent::function::everything(files));
    let id = world.upload(&client, "a.txt", TEXT).await;
    let reply = client.get(&format!("/api/documents/{id}/events")).await;
    assert_eq!(reply.chunks().len(), 1);
    assert!(reply.text().ends_with("retry: 1000\n\n"), "{}", reply.text());
}
