//! The binaries that read documents in a process of their own: what becomes of a reader that does harm, or whose
//! parent dies, and of the document behind it.
use std::{
    fs::File,
    io::{Read, Seek, Write},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    backend::{Backend, put},
    door::{Door, PATIENCE},
    process::{docent_binary, vercel_binary},
    runtime_api::Lambda,
};

/// A system with a worker whose readers may take two seconds and little memory.
struct Scene {
    backend: Backend,
    bearer: String,
    upload: Door,
    worker: Lambda,
}

impl Scene {
    async fn new() -> Scene {
        let backend = Backend::start().await;
        let bearer = backend.tenant("Readers").await;
        let upload = Door::lambda("lambda-upload", &backend.environment()).await;
        let mut environment = backend.environment();
        environment.extend([("PARSE_SECONDS", "2"), ("PARSER_MEMORY_BYTES", "134217728")]);
        let mut worker = Lambda::start("lambda-ingest", &environment).await;
        worker.ready().await;
        Scene { backend, bearer, upload, worker }
    }

    /// Uploads a text and gives its document's id with the batch that tells of it.
    async fn uploaded(&mut self, text: &str) -> (String, Value) {
        let headers = [("authorization", self.bearer.as_str()), ("content-type", "application/json")];
        let request = json!({ "filename": "book.txt", "size": text.len() }).to_string();
        let created = self.upload.request("POST", "/api/upload", &headers, request.as_bytes()).await.json();
        put(&created["upload"], text.as_bytes()).await;
        let body = self.backend.event().await;
        let document = created["documentId"].as_str().expect("an id").to_owned();
        (document, json!({ "Records": [{ "messageId": "m1", "body": body }] }))
    }

    async fn shown(&mut self, document: &str) -> Value {
        let path = format!("/api/documents/{document}");
        self.upload.request("GET", &path, &[("authorization", &self.bearer)], b"").await.json()
    }
}

fn misdeed(name: &str) -> String {
    format!("docent-test-reader:{name} is what this document does. The pump was started at noon.")
}

#[tokio::test]
async fn a_reader_that_does_harm_costs_its_document_and_nobody_else() {
    let mut scene = Scene::new().await;
    for (name, codes) in [
        ("memory", &["limit_exceeded"][..]),
        // On a busy machine its time is up before it had its share of the processor.
        ("processor", &["limit_exceeded", "timeout"]),
        ("output", &["limit_exceeded"]),
        ("panic", &["corrupt"]),
        ("abort", &["corrupt"]),
        ("stack", &["corrupt"]),
        ("sleep", &["timeout"]),
    ] {
        let (document, batch) = scene.uploaded(&misdeed(name)).await;
        let answer = scene.worker.invoke(batch).await;
        let shown = scene.shown(&document).await;
        let log = scene.worker.process.log();
        let code = shown["error"]["code"].as_str().unwrap_or_default();
        assert!(shown["status"] == "failed" && codes.contains(&code), "{name}: {shown}\n{log}");
        assert_eq!(answer, json!({ "batchItemFailures": [] }), "{name}: nothing is to be delivered again");
        assert_eq!(shown["chunks"], 0, "{name}");
    }
    // A reader that ends well without having come to an end: never half a document, and another try.
    let (document, batch) = scene.uploaded(&misdeed("silence")).await;
    scene.worker.invoke(batch).await;
    assert_eq!(scene.shown(&document).await["status"], "queued");
    // One that could open a file or a socket would abort instead.
    let (document, batch) = scene.uploaded(&misdeed("files")).await;
    scene.worker.invoke(batch).await;
    assert_eq!(scene.shown(&document).await["status"], "ready", "{}", scene.worker.process.log());
    let rows = "select count(*) from chunk c join document d on d.id = c.document_id where d.status <> 'ready'";
    assert_eq!(scene.backend.connect().await.query_one(rows, &[]).await.expect("a count").get::<_, i64>(0), 0);
}

#[tokio::test]
async fn a_reader_dies_with_its_parent() {
    let mut scene = Scene::new().await;
    let mut environment = scene.backend.environment();
    environment.push(("PARSE_SECONDS", "3600"));
    let mut doomed = Lambda::start("lambda-ingest", &environment).await;
    doomed.ready().await;
    let (_, batch) = scene.uploaded(&misdeed("sleep")).await;
    doomed.send(batch).await;
    let parent = doomed.process.id();
    let reader = eventually("a reader", || children(parent).into_iter().find(|child| walled_in(*child))).await;
    let killed = Command::new("kill").args(["-9", &parent.to_string()]).status().expect("kill runs");
    assert!(killed.success());
    assert_eq!(doomed.process.ended().await.signal(), Some(9));
    eventually("the reader's end", || (!alive(reader)).then_some(())).await;
}

/// What a binary makes of one document when it is asked as its own parent would ask.
fn read(binary: &Path, document: &[u8], changes: Value) -> (ExitStatus, String) {
    let mut order = json!({
        "name": "document.txt", "declared": null, "whole_bytes": 50_000_000, "stream_bytes": 50_000_000,
        "spool_bytes": 100_000_000, "memory_bytes": 256_000_000, "seconds": 60, "parent": std::process::id(),
    });
    for (name, value) in changes.as_object().expect("changes") {
        order[name] = value.clone();
    }
    let mut input = tempfile::tempfile().expect("a file");
    input.write_all(document).expect("room for it");
    let output = tempfile::tempfile().expect("a file");
    let stdio = |file: &File| Stdio::from(file.try_clone().expect("a descriptor"));
    let status = Command::new(binary)
        .args(["read-document", &order.to_string()])
        .env_clear()
        .stdin(stdio(&input))
        .stdout(stdio(&output))
        .stderr(Stdio::null())
        .status()
        .expect("the binary starts");
    let (mut spool, mut output) = (String::new(), output);
    output.rewind().and_then(|()| output.read_to_string(&mut spool)).expect("the spool is text");
    (status, spool)
}

#[tokio::test]
async fn every_binary_that_ingests_is_a_reader_within_its_walls() {
    let lambda = PathBuf::from(env!("CARGO_BIN_EXE_lambda-ingest"));
    for binary in [docent_binary().await, vercel_binary("ingest").await, lambda] {
        let name = binary.display();
        let book = "The lamp of the lighthouse turns every nine seconds.\n".repeat(40_000);
        let (status, spool) = read(&binary, book.as_bytes(), json!({}));
        let last = spool.lines().next_back().unwrap_or_default();
        assert!(status.success() && last.starts_with(r#"{"end":"#), "{name}: {status} {last}");
        assert!(spool.lines().count() > 1000, "{name}");

        let (status, spool) = read(&binary, book.as_bytes(), json!({ "spool_bytes": 100_000 }));
        let last = spool.lines().next_back().unwrap_or_default();
        assert!(status.success() && last.contains("limit_exceeded"), "{name}: {status} {last}");

        let (status, spool) = read(&binary, book.as_bytes(), json!({ "stream_bytes": 1000, "whole_bytes": 1000 }));
        assert!(status.success() && spool.contains("too_large"), "{name}: {status} {spool}");

        // Held as a whole, it needs more than it may have.
        let json = format!("[{}0]", "\"lamp\",".repeat(4_000_000));
        let little = json!({ "name": "document.json", "memory_bytes": 20_000_000 });
        let (status, spool) = read(&binary, json.as_bytes(), little);
        assert_eq!(status.signal(), Some(6), "{name}: {status} {spool}");
        assert!(!spool.contains(r#"{"end":"#), "{name}");

        // A door that only the builds of tests have; the wall behind it is the same in all of them.
        if binary.ends_with("lambda-ingest") {
            let (status, _) = read(&binary, misdeed("processor").as_bytes(), json!({ "seconds": 0 }));
            assert_eq!(status.signal(), Some(24), "{name}: {status}");
        }

        // Nobody who asked: nobody who waits.
        assert_eq!(read(&binary, book.as_bytes(), json!({ "parent": 1 })).0.code(), Some(4), "{name}");
    }
}

async fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(std::time::Instant::now() < until, "{what} never came");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// State and parent of a process, or nothing when it is gone. <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>
fn stat(pid: u32) -> Option<(char, u32)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn alive(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'))
}

fn children(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(_, its)| its == parent)).collect()
}

/// Whether a reader is past the point where it asked to die with its parent.
fn walled_in(pid: u32) -> bool {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
    limits.lines().any(|line| line.starts_with("Max open files") && line.split_whitespace().nth(3) == Some("0"))
}
