//! `docent worker`, the real binary, fed by queues that speak the documented wire of SQS and of Cloudflare's pull interface:
//! what is written down is acknowledged, what is not comes again later, and a polite request to end is obeyed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use docent::auth::{self, NewTenant};
use docent::clock::Clock;
use docent::objects::sigv4::{Scope, sha256};
use http::{HeaderMap, StatusCode, Uri};
use rustix::process::{Pid, Signal, kill_process};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::process::Child;
use tokio::task::JoinSet;

use crate::bucket::server::{ACCESS_KEY, BUCKET, SECRET_KEY};
use crate::keys::docent;
use crate::kills::Place;

const TOKEN: &str = "a-token-that-may-pull";
const SOON: Duration = Duration::from_secs(60);

struct Letter {
    body: Value,
    given: u32,
    hidden: Option<Instant>,
    /// How long it was to stay away when it was given back.
    pause: Option<u64>,
}

/// A queue of either kind.
#[derive(Default)]
struct Inner {
    letters: BTreeMap<String, Letter>,
    posted: usize,
    /// Requests that are refused before one is answered.
    sick: usize,
    wrong: Vec<String>,
}

#[derive(Clone, Default)]
struct Queue(Arc<Mutex<Inner>>);

impl Queue {
    async fn start(running: &mut JoinSet<()>) -> (Queue, String) {
        let queue = Queue::default();
        queue.0.lock().unwrap().sick = 1;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(queue.clone());
        running.spawn(async move { axum::serve(listener, router).await.unwrap() });
        (queue, origin)
    }

    fn post(&self, body: Value) {
        let mut inner = self.0.lock().unwrap();
        inner.posted += 1;
        let id = format!("letter-{}", inner.posted);
        inner.letters.insert(id, Letter { body, given: 0, hidden: None, pause: None });
    }

    fn take(&self, most: usize, hidden: Duration) -> Vec<(String, Value, u32)> {
        let mut inner = self.0.lock().unwrap();
        let now = Instant::now();
        let visible = inner.letters.iter_mut().filter(|(_, letter)| letter.hidden.is_none_or(|until| until <= now));
        let give = |(id, letter): (&String, &mut Letter)| {
            letter.given += 1;
            letter.hidden = Some(now + hidden);
            (id.clone(), letter.body.clone(), letter.given)
        };
        visible.take(most).map(give).collect()
    }

    fn done(&self, receipt: &Value) {
        self.0.lock().unwrap().letters.remove(receipt.as_str().unwrap());
    }

    fn again(&self, receipt: &Value, pause: &Value) {
        let mut inner = self.0.lock().unwrap();
        let letter = inner.letters.get_mut(receipt.as_str().unwrap()).unwrap();
        let seconds = pause.as_u64().unwrap();
        (letter.pause, letter.hidden) = (Some(seconds), Some(Instant::now() + Duration::from_secs(seconds)));
    }

    /// What is left, and how long it was to stay away.
    fn left(&self) -> Vec<(Value, Option<u64>)> {
        let inner = self.0.lock().unwrap();
        assert!(inner.wrong.is_empty(), "{:?}", inner.wrong);
        inner.letters.values().map(|letter| (letter.body.clone(), letter.pause)).collect()
    }

    fn wrong(&self, why: &str, request: &dyn std::fmt::Debug) -> Response {
        self.0.lock().unwrap().wrong.push(format!("{why}: {request:?}"));
        (StatusCode::FORBIDDEN, axum::Json(json!({ "__type": "com.amazon.coral.service#AccessDenied" })))
            .into_response()
    }
}

async fn answer(State(queue): State<Queue>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    if let Some(left) = { queue.0.lock().unwrap().sick.checked_sub(1) } {
        queue.0.lock().unwrap().sick = left;
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let Ok(asked) = serde_json::from_slice::<Value>(&body) else { return queue.wrong("no JSON", &body) };
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match uri.path() {
        "/" if !signed(&headers, &body) => queue.wrong("not signed", &headers),
        "/" if header("content-type") != "application/x-amz-json-1.0" => queue.wrong("no protocol", &headers),
        "/" => sqs(&queue, header("x-amz-target"), &asked).await,
        _ if header("authorization") != format!("Bearer {TOKEN}") => queue.wrong("no token", &headers),
        path => pull(&queue, path, &asked),
    }
}

/// Whether the signature is that of what came, built from what came.
fn signed(headers: &HeaderMap, body: &[u8]) -> bool {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let authorization = header("authorization");
    let field = |name: &str| authorization.split_once(name).unwrap().1.split(',').next().unwrap().to_owned();
    let (names, time) = (field("SignedHeaders="), header("x-amz-date"));
    let lines: String = names.split(';').map(|name| format!("{name}:{}\n", header(name))).collect();
    let canonical = format!("POST\n/\n\n{lines}\n{names}\n{}", sha256(body));
    let scope = Scope { time: &time, region: "us-east-1", service: "sqs" };
    let all = ["content-type", "host", "x-amz-date", "x-amz-target"];
    authorization.starts_with(&format!("AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{}", scope.text()))
        && all.iter().all(|name| names.split(';').any(|signed| signed == *name))
        && field("Signature=") == scope.sign(&SecretString::from(SECRET_KEY), &canonical).unwrap()
}

async fn sqs(queue: &Queue, target: &str, asked: &Value) -> Response {
    assert!(asked["QueueUrl"].as_str().unwrap().ends_with("/000000000000/docent-ingest"), "{asked}");
    let entries = asked["Entries"].as_array().cloned().unwrap_or_default();
    match target {
        "AmazonSQS.ReceiveMessage" => {
            assert_eq!(asked["WaitTimeSeconds"], 20, "a long poll");
            let until = Instant::now() + Duration::from_secs(2);
            let hidden = Duration::from_secs(asked["VisibilityTimeout"].as_u64().unwrap());
            let mut taken = Vec::new();
            while taken.is_empty() && Instant::now() < until {
                taken = queue.take(asked["MaxNumberOfMessages"].as_u64().unwrap() as usize, hidden);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let wire = |(id, body, given): (String, Value, u32)| json!({ "MessageId": id, "ReceiptHandle": id, "Body": body, "Attributes": { "ApproximateReceiveCount": given.to_string() } });
            match taken.is_empty() {
                true => axum::Json(json!({})).into_response(),
                false => {
                    axum::Json(json!({ "Messages": taken.into_iter().map(wire).collect::<Vec<_>>() })).into_response()
                }
            }
        }
        "AmazonSQS.DeleteMessageBatch" => {
            entries.iter().for_each(|entry| queue.done(&entry["ReceiptHandle"]));
            axum::Json(json!({ "Successful": entries, "Failed": [] })).into_response()
        }
        "AmazonSQS.ChangeMessageVisibilityBatch" => {
            entries.iter().for_each(|entry| queue.again(&entry["ReceiptHandle"], &entry["VisibilityTimeout"]));
            axum::Json(json!({ "Successful": entries, "Failed": [] })).into_response()
        }
        other => queue.wrong("an unknown action", &other),
    }
}

fn pull(queue: &Queue, path: &str, asked: &Value) -> Response {
    let result = match path.strip_prefix("/client/v4/accounts/a/queues/q/messages/") {
        Some("pull") => {
            let hidden = Duration::from_millis(asked["visibility_timeout_ms"].as_u64().unwrap());
            let wire = |(id, body, given): (String, Value, u32)| json!({ "id": id, "lease_id": id, "body": body, "attempts": given, "timestamp_ms": 0 });
            let taken = queue.take(asked["batch_size"].as_u64().unwrap() as usize, hidden);
            json!({ "message_backlog_count": 0, "messages": taken.into_iter().map(wire).collect::<Vec<_>>() })
        }
        Some("ack") => {
            let list = |name: &str| asked[name].as_array().cloned().unwrap();
            list("acks").iter().for_each(|ack| queue.done(&ack["lease_id"]));
            list("retries").iter().for_each(|retry| queue.again(&retry["lease_id"], &retry["delay_seconds"]));
            json!({ "ackCount": list("acks").len(), "retryCount": list("retries").len(), "warnings": [] })
        }
        _ => return queue.wrong("an unknown path", &path),
    };
    axum::Json(json!({ "success": true, "errors": [], "messages": [], "result": result })).into_response()
}

async fn eventually(what: &str, mut check: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !check().await {
        assert!(began.elapsed() < SOON, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn worker(place: &Place, more: &[(&str, String)]) -> Child {
    let mut command = docent(&["worker"]);
    command.envs(place.environment.iter().map(|(name, value)| (*name, value)));
    command.envs(more.iter().map(|(name, value)| (*name, value)));
    command.stderr(std::process::Stdio::null()).spawn().unwrap()
}

/// What is uploaded while a worker listens is told to the queue alone.
async fn told_by_the_queue(place: &Place, token: &str, queue: &Queue, letter: impl Fn(&str) -> Value) {
    eventually("the queue is asked", async || queue.left().iter().all(|(_, pause)| pause.is_some())).await;
    let (id, key) =
        place.upload(token, "moon.txt", b"The Moon orbits the Earth at a mean distance of 384400 km.").await;
    queue.post(letter(&key));
    eventually("the document is read", async || {
        place.send(token, "GET", &format!("/api/documents/{id}"), Value::Null).await.1["status"] == "ready"
    })
    .await;
}

async fn ends(mut worker: Child) {
    let asked = Instant::now();
    kill_process(Pid::from_raw(worker.id().unwrap().cast_signed()).unwrap(), Signal::TERM).unwrap();
    let status = worker.wait().await.unwrap();
    assert!(status.success() && asked.elapsed() < Duration::from_secs(10), "{status} after {:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_is_fed_by_either_queue() {
    let Some(place) = Place::new("a_worker_is_fed_by_either_queue").await else { return };
    let new = NewTenant { name: "Fed", embedding_model: "hash-384" };
    let token = auth::create_tenant(&place.operator, &Clock::system(), new).await.unwrap().1;
    let token = token.expose_secret();
    let mut running = JoinSet::new();

    let (queue, origin) = Queue::start(&mut running).await;
    let event = |bucket: &str, key: &str| {
        let record = json!({ "eventName": "ObjectCreated:Put", "s3": { "bucket": { "name": bucket }, "object": { "key": key, "sequencer": "00" } } });
        json!(json!({ "Records": [record] }).to_string())
    };
    queue.post(json!(json!({ "Service": "Amazon S3", "Event": "s3:TestEvent" }).to_string()));
    queue.post(json!("poison"));
    queue.post(event("another", "t/x"));
    queue.post(event(BUCKET, "My+R%C3%A9sum%C3%A9.pdf"));
    let address = ("INGEST_QUEUE_URL", format!("{origin}/000000000000/docent-ingest"));
    let fed = worker(&place, &[address]);
    told_by_the_queue(&place, token, &queue, |key| event(BUCKET, &key.replace('/', "%2F"))).await;
    eventually("what was of use is gone", async || queue.left() == [(json!("poison"), Some(10))]).await;
    ends(fed).await;

    let (queue, origin) = Queue::start(&mut running).await;
    let coded = |event: Value| json!(STANDARD.encode(event.to_string()));
    let event =
        |key: &str| json!({ "action": "PutObject", "account": "a", "bucket": BUCKET, "object": { "key": key } });
    queue.post(json!("poison"));
    queue.post(coded(event("a résumé.pdf")));
    let address = ("INGEST_QUEUE_URL", format!("{origin}/client/v4/accounts/a/queues/q"));
    let fed = worker(&place, &[address, ("INGEST_QUEUE_TOKEN", TOKEN.to_owned())]);
    told_by_the_queue(&place, token, &queue, |key| coded(event(key))).await;
    eventually("what was of use is gone", async || queue.left() == [(json!("poison"), Some(10))]).await;
    ends(fed).await;
}
