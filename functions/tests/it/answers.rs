//! One document and one question through every door: upload → ready → cited stream, by the real binaries over one
//! real Postgres and one real bucket. The streams must be equal but for the fields that [`comparable`] lists.
use docent::clock::Clock;
use docent_local::postgres;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{
    backend::{Backend, SECRET, client, put},
    door::{Door, PATIENCE, Reply},
    process::{Process, docent_binary},
    runtime_api::Lambda,
};

const DOCUMENT: &str = "# Bridges\n\nThe bridge over the Tay was opened in June 1878. It fell in a storm in December 1879.\n\n\
# Tunnels\n\nThe tunnel under the Severn was finished in 1886 after thirteen years of work.\n";
const QUESTION: &str = "When was the bridge over the Tay opened?";

#[tokio::test]
async fn every_door_gives_the_same_cited_stream() {
    let mut backend = Backend::start().await;
    let vercel = through_vercel(&mut backend).await;
    let lambda = through_lambda(&mut backend).await;
    let up = through_up().await;
    let stream = comparable(&vercel);
    assert!(stream.iter().any(|chunk| chunk["type"] == "source-document"), "{stream:#?}");
    let text: String = stream.iter().filter_map(|chunk| chunk["delta"].as_str()).collect();
    assert!(text.contains("opened in June 1878") && text.contains("[1]"), "{text}");
    assert_eq!(stream.last().expect("a last chunk")["type"], "finish");
    assert_eq!(stream, comparable(&lambda), "Vercel and Lambda differ");
    assert_eq!(stream, comparable(&up), "Vercel and `docent up` differ");
}

/// Uploads through the functions of Vercel; the bucket's event travels as R2's queue worker would send it.
async fn through_vercel(backend: &mut Backend) -> String {
    let bearer = backend.tenant("Vercel").await;
    let environment = backend.environment.clone();
    let environment: Vec<(&str, &str)> = environment.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let mut upload = Door::vercel("upload", &environment).await;
    let document = uploaded(&mut upload, &bearer).await;
    let event: Value = serde_json::from_str(&backend.event().await).expect("JSON");
    let object = &event["Records"][0]["s3"]["object"];
    let message = json!({ "account": "a", "action": "PutObject", "bucket": "documents", "eventTime": "2026-01-01T00:00:00Z",
        "object": { "key": object["key"], "size": object["size"], "eTag": object["eTag"] } });
    let body = json!({ "messages": [{ "id": "r2-1", "attempts": 1, "body": message }] }).to_string();
    let mut ingest = Door::vercel("ingest", &environment).await;
    let forged = ingest.request("POST", "/api/ingest", &[("x-ingest-signature", "t=1,v1=00")], body.as_bytes()).await;
    assert_eq!(forged.status, 401, "{}", forged.text());
    let signature = signed(&body);
    let headers = [("x-ingest-signature", signature.as_str()), ("content-type", "application/json")];
    let reply = ingest.request("POST", "/api/ingest", &headers, body.as_bytes()).await;
    assert_eq!(reply.json(), json!({ "failed": [] }), "{}", ingest.log());
    ready(&mut upload, &bearer, &document).await;
    asked(&mut Door::vercel("chat", &environment).await, &bearer).await.text()
}

/// The same through Lambda's binaries; the bucket's event travels in a batch of the queue.
async fn through_lambda(backend: &mut Backend) -> String {
    let bearer = backend.tenant("Lambda").await;
    let event = async |backend: &mut Backend| backend.event().await;
    let mut upload = Door::lambda("lambda-upload", &backend.environment()).await;
    let document = uploaded(&mut upload, &bearer).await;
    let body = event(backend).await;
    let mut ingest = Lambda::start("lambda-ingest", &backend.environment()).await;
    ingest.ready().await;
    let batch = json!({ "Records": [{ "messageId": "m1", "body": body }, { "messageId": "m2", "body": body }] });
    assert_eq!(ingest.invoke(batch).await, json!({ "batchItemFailures": [] }), "{}", ingest.process.log());
    ready(&mut upload, &bearer, &document).await;
    asked(&mut Door::lambda("lambda-chat", &backend.environment()).await, &bearer).await.text()
}

/// The same through `docent up`, with everything of its own; its bucket notifies it by itself.
async fn through_up() -> String {
    let data = postgres::reachable(&std::env::temp_dir().join(format!("docent-up-{}", std::process::id())));
    let binary = docent_binary().await;
    let mut environment: std::collections::HashMap<String, String> = ["HOME", "PATH"]
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), std::env::var_os(name)?.into_string().ok()?)))
        .collect();
    environment.insert("DOCENT_DATA".to_owned(), data.display().to_string());
    let mut up = Process::start_with(&binary, &["up", "--port", "0", "--embedder", "hash", "--fresh"], &environment);
    let printed = tokio::time::timeout(PATIENCE, up.prints("Stop with")).await.expect("`docent up` comes up");
    assert!(printed, "{}", up.log());
    let log = up.log();
    let console = log.split_whitespace().find(|word| word.contains("#token=")).expect("an address");
    let (url, token) = console.split_once("/#token=").expect("an address with a token");
    let (http, bearer) = (client(), format!("Bearer {token}"));
    let send = async |method: &str, path: &str, body: Value| {
        let request = http.request(method.parse().expect("a method"), format!("{url}{path}"));
        request
            .header("authorization", &bearer)
            .json(&body)
            .send()
            .await
            .expect("an answer")
            .text()
            .await
            .expect("a body")
    };
    let created: Value = serde_json::from_str(&send("POST", "/api/upload", upload_request()).await).expect("JSON");
    put(&created["upload"], DOCUMENT.as_bytes()).await;
    let id = created["documentId"].as_str().expect("an id");
    let mut status = Value::Null;
    for _ in 0..300 {
        status = serde_json::from_str(&send("GET", &format!("/api/documents/{id}"), Value::Null).await).expect("JSON");
        if status["status"] == "ready" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(status["status"], "ready", "{status}\n{}", up.log());
    let answer = send("POST", "/api/chat", chat_request()).await;
    drop(up);
    drop(std::fs::remove_dir_all(data));
    answer
}

async fn uploaded(door: &mut Door, bearer: &str) -> String {
    let reply = post(door, "/api/upload", bearer, &upload_request()).await;
    assert_eq!(reply.status, 201, "{}\n{}", reply.text(), door.log());
    let created = reply.json();
    put(&created["upload"], DOCUMENT.as_bytes()).await;
    created["documentId"].as_str().expect("an id").to_owned()
}

async fn ready(door: &mut Door, bearer: &str, document: &str) {
    let path = format!("/api/documents/{document}");
    let reply = door.request("GET", &path, &[("authorization", bearer)], b"").await;
    assert_eq!(reply.json()["status"], "ready", "{}\n{}", reply.text(), door.log());
}

async fn asked(door: &mut Door, bearer: &str) -> Reply {
    let reply = post(door, "/api/chat", bearer, &chat_request()).await;
    assert_eq!(reply.status, 200, "{}\n{}", reply.text(), door.log());
    assert_eq!(reply.header("x-vercel-ai-ui-message-stream"), "v1");
    assert!(reply.chunks.len() > 1, "the answer came as one piece: it did not stream");
    reply
}

async fn post(door: &mut Door, path: &str, bearer: &str, body: &Value) -> Reply {
    let headers = [("authorization", bearer), ("content-type", "application/json")];
    door.request("POST", path, &headers, body.to_string().as_bytes()).await
}

fn upload_request() -> Value {
    json!({ "filename": "bridges.md", "size": DOCUMENT.len() })
}

fn chat_request() -> Value {
    json!({ "id": "doors", "messages": [{ "role": "user", "parts": [{ "type": "text", "text": QUESTION }] }] })
}

fn signed(body: &str) -> String {
    let now = Clock::system().now().as_second();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length");
    mac.update(format!("{now}.{body}").as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={now},v1={hex}")
}

/// The stream's chunks without what must differ: ids of messages, requests and documents. Comments are dropped.
fn comparable(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    let mut chunks: Vec<Value> =
        data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).expect("JSON")).collect();
    for chunk in &mut chunks {
        let cited = chunk["data"].as_array().map_or(0, Vec::len);
        let cited = (0..cited).map(|i| format!("/data/{i}/documentId"));
        let ids = ["/messageId", "/messageMetadata/requestId", "/providerMetadata/docent/documentId"];
        for pointer in ids.map(str::to_owned).into_iter().chain(cited) {
            if let Some(value) = chunk.pointer_mut(&pointer) {
                *value = Value::Null;
            }
        }
    }
    chunks
}
