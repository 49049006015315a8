//! The entry points as the real binaries: what a platform starts, spoken to as the platform speaks.
#![expect(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "what fails here fails a test")]

mod answers;
mod backend;
mod door;
mod event;
mod kills;
mod observed;
mod process;
mod readers;
mod runtime_api;
mod vercel;

use door::Door;
use runtime_api::Lambda;
use serde_json::json;

/// Enough to start every function; nothing listens at these addresses.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("DATABASE_URL", "postgres://docent_app:secret@127.0.0.1:1/docent"),
    ("S3_ENDPOINT", "http://127.0.0.1:1"),
    ("S3_BUCKET", "documents"),
    ("S3_REGION", "us-east-1"),
    ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "secret"),
    ("MASTER_KEY_1", "jiUPe1Z62m9PIUknVaVrFfvxcljby5kY/HoeQMejRSk="),
    ("MASTER_KEY_CURRENT", "1"),
    ("INGEST_SECRET", "a-secret-of-at-least-thirty-two-bytes"),
    ("CRON_SECRET", "another-secret-of-at-least-thirty-two-bytes"),
];

#[tokio::test]
async fn both_doors_answer_with_the_same_bytes() {
    let mut vercel = Door::vercel("health", ENVIRONMENT).await;
    let mut lambda = Door::lambda("lambda-health", ENVIRONMENT).await;
    for path in ["/api/health/ping", "/api/no-such-path"] {
        let there = vercel.request("GET", path, &[("x-request-id", "same")], b"").await;
        let here = lambda.request("GET", path, &[("x-request-id", "same")], b"").await;
        assert_eq!(there.status, here.status, "{path}");
        assert_eq!(there.header("content-type"), here.header("content-type"), "{path}");
        assert_eq!(there.text(), here.text(), "{path}");
        assert!(there.header("content-type").ends_with("json"), "{there:?}");
        there.json();
    }
}

#[tokio::test]
async fn every_function_starts_without_its_database() {
    for name in ["bots", "chat", "health", "keys", "upload"] {
        let mut vercel = Door::vercel(name, ENVIRONMENT).await;
        let mut lambda = Door::lambda(&format!("lambda-{name}"), ENVIRONMENT).await;
        for door in [&mut vercel, &mut lambda] {
            let reply = door.request("GET", "/api/no-such-path", &[], b"").await;
            assert_eq!(reply.status, 404, "{name}: {}\n{}", reply.text(), door.log());
            assert_eq!(reply.header("content-type"), "application/problem+json", "{name}");
        }
    }
    Door::vercel("ingest", ENVIRONMENT).await;
}

#[tokio::test]
async fn a_batch_answers_with_the_messages_to_deliver_again() {
    let mut lambda = Lambda::start("lambda-ingest", ENVIRONMENT).await;
    lambda.ready().await;
    let test_event =
        r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2026-01-01T00:00:00.000Z","Bucket":"documents"}"#;
    let batch = json!({"Records": [
        {"messageId": "m1", "body": test_event},
        {"messageId": "m2", "body": "not json"},
        {"messageId": "m3", "body": test_event},
    ]});
    assert_eq!(lambda.invoke(batch).await, json!({"batchItemFailures": [{"itemIdentifier": "m2"}]}));
}

#[tokio::test]
async fn a_function_without_its_environment_names_what_is_missing() {
    let mut lambda = Lambda::start("lambda-chat", &[]).await;
    assert!(!lambda.process.ended().await.success());
    assert!(lambda.process.log().contains("DATABASE_URL"), "{}", lambda.process.log());
}
