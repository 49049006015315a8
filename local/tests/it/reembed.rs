//! `docent reembed`, the real binary against a running system: there, compared, switched, back, and finished.

use std::path::Path;
use std::process::Output;

use axum::Router;
use axum::routing::post;
use serde_json::{Value, json};

use crate::ingest::System;
use crate::keys::docent;
use crate::postgres::{directory, options, started};

/// Vectors that know two words.
#[expect(clippy::disallowed_methods, reason = "a test's own runtime outlives what it spawns")]
async fn model() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let embed = async |body: String| {
        let asked: Value = serde_json::from_str(&body).unwrap();
        let knows = |text: &str, word: &str| if text.contains(word) { 1.0 } else { 0.1 };
        let vector = |text: &str| json!([knows(text, "tide"), knows(text, "log"), 0.1]);
        let inputs = asked["input"].as_array().unwrap().iter().enumerate();
        let data: Vec<Value> = inputs
            .map(|(index, text)| json!({ "index": index, "embedding": vector(text.as_str().unwrap()) }))
            .collect();
        ([("content-type", "application/json")], json!({ "data": data, "usage": { "prompt_tokens": 1 } }).to_string())
    };
    let router = Router::new().route("/v1/embeddings", post(embed));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn reembed(system: &System, arguments: &[&str]) -> (Output, String) {
    let mut command = docent(&["reembed"]);
    command.args(arguments).env("DOCENT_URL", &system.url).env("DOCENT_TOKEN", &system.token);
    let output = command.output().await.unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output, said)
}

async fn done(system: &System, arguments: &[&str], expected: &str) -> String {
    let (output, said) = reembed(system, arguments).await;
    assert!(output.status.success() && said.contains(expected), "{arguments:?}: {said}");
    said
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn a_library_moves_there_and_back_from_the_command_line() {
    let name = "a_library_moves_there_and_back_from_the_command_line";
    let directory = directory();
    let Some(postgres) = started(name, options(&directory.path().join("postgres"))).await else { return };
    let system = System::up(directory.path(), &postgres.url()).await;
    let (folder, questions) = (directory.path().join("docs"), directory.path());
    std::fs::create_dir_all(&folder).unwrap();
    write(&folder, "a.txt", "The first keeper of Neuwerk wrote the log by hand.");
    write(&folder, "b.md", "# Tides\n\nThe second keeper measured the tide twice a day.");
    let golden = write(
        questions,
        "golden.jsonl",
        &json!({ "question": "how often is the tide measured", "expected": [{ "document": "b.md" }] }).to_string(),
    );
    let mut ingest = docent(&["ingest", "--url", &system.url, "--token", &system.token]);
    assert!(ingest.arg(&folder).output().await.unwrap().status.success());
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let key = json!({ "key": "sk-acme-000000", "baseUrl": model().await });
    let saved = http.put(format!("{}/api/keys/acme", system.url)).bearer_auth(&system.token).json(&key).send().await;
    assert!(saved.unwrap().status().is_success());

    let (output, said) = reembed(&system, &["switch"]).await;
    assert!(!output.status.success() && said.contains("no such migration"), "{said}");
    let (output, said) = reembed(&system, &["compare", &golden]).await;
    assert!(!output.status.success() && said.contains("docent reembed to MODEL"), "{said}");
    done(&system, &["to", "acme/two-words"], "ready: readers use hash-384").await;
    let said = done(&system, &["compare", &golden], "1 questions: the first passage is the same").await;
    assert!(said.contains("hash-384") && said.contains("acme/two-words"), "{said}");
    done(&system, &["switch"], "switched: readers use acme/two-words").await;
    done(&system, &["rollback"], "filling: readers use hash-384").await;
    done(&system, &["to", "acme/two-words", "--switch"], "switched: readers use acme/two-words").await;
    done(&system, &["finish"], "finishing").await;
    done(&system, &["status"], "finishing").await;
    system.down().await;
    postgres.stop().await.unwrap();
}
