//! Notifications: one per change, in S3's format, in order.

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier};
use serde_json::{Value, json};

use super::raw::post_form;
use super::server::{BUCKET, Server, bytes, refusal};

#[tokio::test]
async fn a_put_event_is_the_document_of_s3() {
    let mut server = Server::start().await;
    server.put("t/red flower+ü.txt", "hello").await;
    let mut event = server.event();
    let time: jiff::Timestamp = event["eventTime"].as_str().unwrap().parse().unwrap();
    assert_eq!(event["eventTime"], time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string());
    let sequencer = event["s3"]["object"]["sequencer"].as_str().unwrap().to_owned();
    assert!(sequencer.len() == 18 && sequencer.bytes().all(|byte| byte.is_ascii_hexdigit()));
    event["eventTime"] = "TIME".into();
    assert_eq!(
        event,
        json!({
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": "us-east-1",
            "eventTime": "TIME",
            "eventName": "ObjectCreated:Put",
            "userIdentity": { "principalId": "docent" },
            "requestParameters": { "sourceIPAddress": "127.0.0.1" },
            "responseElements": { "x-amz-request-id": sequencer },
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "docent",
                "bucket": {
                    "name": BUCKET,
                    "ownerIdentity": { "principalId": "docent" },
                    "arn": "arn:aws:s3:::docent",
                },
                "object": {
                    "key": "t/red+flower%2B%C3%BC.txt",
                    "size": 5,
                    "eTag": "5d41402abc4b2a76b9719d911017c592",
                    "sequencer": sequencer,
                },
            },
        })
    );
}

#[tokio::test]
async fn every_change_says_one_thing_and_failures_say_nothing() {
    let mut server = Server::start().await;
    let client = server.client.clone();
    server.put("a", "hello").await;
    assert_eq!(brief(&server.event()), ("ObjectCreated:Put", "a", Some(5)));
    client.copy_object().bucket(BUCKET).key("b").copy_source(format!("{BUCKET}/a")).send().await.unwrap();
    assert_eq!(brief(&server.event()), ("ObjectCreated:Copy", "b", Some(5)));
    assert_eq!(post_form(&server, "form", "hi", r#"["starts-with","$key",""]"#).await.0, 204);
    assert_eq!(brief(&server.event()), ("ObjectCreated:Post", "form", Some(2)));

    let upload = client.create_multipart_upload().bucket(BUCKET).key("m").send().await.unwrap().upload_id.unwrap();
    let part = client.upload_part().bucket(BUCKET).key("m").upload_id(&upload).part_number(1).body(bytes("abc"));
    let part = CompletedPart::builder().part_number(1).e_tag(part.send().await.unwrap().e_tag.unwrap()).build();
    let parts = CompletedMultipartUpload::builder().parts(part).build();
    let complete = client.complete_multipart_upload().bucket(BUCKET).key("m").upload_id(upload).multipart_upload(parts);
    let etag = complete.send().await.unwrap().e_tag.unwrap();
    let event = server.event();
    assert_eq!(brief(&event), ("ObjectCreated:CompleteMultipartUpload", "m", Some(3)));
    assert_eq!(event["s3"]["object"]["eTag"], etag.trim_matches('"'));

    client.delete_object().bucket(BUCKET).key("a").send().await.unwrap();
    let event = server.event();
    assert_eq!(brief(&event), ("ObjectRemoved:Delete", "a", None));
    let object = event["s3"]["object"].as_object().unwrap();
    assert_eq!(object.keys().collect::<Vec<_>>(), ["key", "sequencer"]);
    let named = ["b", "absent", "m"].map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let delete = Delete::builder().set_objects(Some(named.into())).quiet(true).build().unwrap();
    client.delete_objects().bucket(BUCKET).delete(delete).send().await.unwrap();
    assert_eq!(brief(&server.event()), ("ObjectRemoved:Delete", "b", None));
    assert_eq!(brief(&server.event()), ("ObjectRemoved:Delete", "m", None));

    client.delete_object().bucket(BUCKET).key("absent").send().await.unwrap();
    refusal(client.put_object().bucket(BUCKET).key("form").if_none_match("*").body(bytes("x")).send().await);
    refusal(client.put_object().bucket(BUCKET).key("x").checksum_crc32("AAAAAA==").body(bytes("x")).send().await);
    assert!(server.events.try_recv().is_err());
}

#[tokio::test]
async fn sequencers_grow_across_restarts_and_deletes() {
    let mut server = Server::start().await;
    let mut last = String::new();
    for _ in 0..3 {
        for round in 0..3 {
            server.put("k", &round.to_string()).await;
            server.client.delete_object().bucket(BUCKET).key("k").send().await.unwrap();
            for _ in 0..2 {
                let sequencer = server.event()["s3"]["object"]["sequencer"].as_str().unwrap().to_owned();
                assert!(sequencer > last, "{sequencer} after {last}");
                last = sequencer;
            }
        }
        server = server.restart().await;
    }
}

#[tokio::test]
async fn nobody_listening_stops_nobody() {
    let mut server = Server::start().await;
    server.events.close();
    server.put("k", "x").await;
    assert_eq!(server.get("k").await, "x");
}

fn brief(event: &Value) -> (&str, &str, Option<u64>) {
    let object = &event["s3"]["object"];
    (event["eventName"].as_str().unwrap(), object["key"].as_str().unwrap(), object["size"].as_u64())
}
