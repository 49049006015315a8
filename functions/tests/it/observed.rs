//! What the real binaries say of a request and when: lines, metrics and traces before the instance may freeze, and packed
//! answers that come through each platform's own wrapping.
use std::io::Read;
use std::sync::{Arc, Mutex};

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::backend::{Backend, spawn};
use crate::door::Door;

/// A collector of traces: the bodies that it was sent.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Value>>>);

impl Collector {
    async fn start() -> (Collector, String) {
        let collector = Collector::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let hearing = collector.clone();
        spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                spawn(hear(connection, hearing.clone()));
            }
        });
        (collector, address)
    }

    /// The names of all spans that came so far.
    fn names(&self) -> Vec<String> {
        let posts = self.0.lock().expect("nobody panicked").clone();
        let spans =
            posts.iter().flat_map(|post| post["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().cloned());
        spans.flatten().map(|span| span["name"].as_str().expect("a name").to_owned()).collect()
    }
}

/// One post after the other on one connection.
async fn hear(mut connection: TcpStream, collector: Collector) {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        let whole = text.split_once("\r\n\r\n").and_then(|(head, body)| {
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            body.get(..length?).map(str::to_owned)
        });
        if let Some(body) = whole {
            collector.0.lock().expect("nobody panicked").push(serde_json::from_str(&body).expect("JSON"));
            read.clear();
            if connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.is_err() {
                return;
            }
        }
        if connection.read_buf(&mut read).await.unwrap_or_default() == 0 {
            return;
        }
    }
}

#[tokio::test]
async fn through_both_doors_packed_answers_are_whole_and_everything_is_told_in_time() {
    let backend = Backend::start().await;
    let bearer = backend.tenant("Observed").await;
    let (collector, address) = Collector::start().await;
    let mut environment = backend.environment();
    environment.extend([("OTEL_EXPORTER_OTLP_ENDPOINT", address.as_str()), ("LOG_LEVEL", "info")]);
    let mut lambda = Door::lambda("lambda-keys", &environment).await;
    let mut vercel = Door::vercel("keys", &environment).await;
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    for number in 0..12 {
        let body = json!({ "name": format!("Token {number}"), "scopes": ["read"] }).to_string();
        let made = lambda.request("POST", "/api/tokens", &headers, body.as_bytes()).await;
        assert_eq!(made.status, 201, "{}", made.text());
    }
    for (name, door) in [("lambda", &mut lambda), ("vercel", &mut vercel)] {
        let plain = door.request("GET", "/api/tokens", &headers, b"").await;
        let asked = [headers[0], ("accept-encoding", "gzip"), ("x-request-id", "mine-1")];
        let told = collector.names().len();
        let packed = door.request("GET", "/api/tokens", &asked, b"").await;
        assert_eq!(packed.header("content-encoding"), "gzip", "{name}");
        let (body, mut unpacked) = (packed.body(), String::new());
        GzDecoder::new(&*body).read_to_string(&mut unpacked).expect("it is gzip");
        let (unpacked, plain): (Value, Value) = (serde_json::from_str(&unpacked).expect("JSON"), plain.json());
        let names = |list: &Value| {
            list["tokens"].as_array().map(|all| all.iter().map(|one| one["name"].clone()).collect::<Vec<_>>())
        };
        assert_eq!(names(&unpacked), names(&plain), "{name}");
        assert!(body.len() * 2 < plain.to_string().len(), "{name}");
        // On Lambda the answer is what ends the invocation; Vercel is told to wait for what comes behind it.
        let whole = |spans: &[String]| spans.iter().any(|span| span == "GET /api/tokens");
        let mut spans = collector.names().split_off(told);
        for _ in 0..500 {
            if name == "lambda" || whole(&spans) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            spans = collector.names().split_off(told);
        }
        assert!(whole(&spans) && spans.contains(&"postgres".to_owned()), "{name}: {spans:?}");
        let log = door.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let line =
            lines.clone().find(|line| line["request_id"] == "mine-1" && line["message"] == "http.request answered");
        let line = line.unwrap_or_else(|| panic!("{name}: {log}"));
        assert_eq!((&line["route"], &line["status"]), (&json!("/api/tokens"), &json!(200)));
        let metrics = lines.clone().find(|line| line["request_id"] == "mine-1" && line["_aws"].is_object());
        assert_eq!(metrics.is_some(), name == "lambda", "{log}");
        if let Some(metrics) = metrics {
            assert_eq!((&metrics["Function"], &metrics["Requests"]), (&json!("lambda-keys"), &json!(1)));
        }
    }
}
