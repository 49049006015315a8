//! Uploads in parts, step by step through the addresses that are signed for them.

use serde_json::{Value, json};

use crate::world::{Client, World};

const PART: usize = 5 * 1024 * 1024;

/// Six megabytes in two parts, most of which is nothing to read.
fn text() -> Vec<u8> {
    let (first, last) = ("The archive of Tallinn holds the charter of the rope makers.", "It was copied in spring.");
    format!("{first}{}{last}", "\n".repeat(PART + 1024 * 1024)).into_bytes()
}

struct Parts {
    client: Client,
    id: String,
    http: reqwest::Client,
}

impl Parts {
    async fn begin(world: &World, size: usize) -> Parts {
        let client = world.tenant_a.clone();
        let new = json!({ "filename": "charter.txt", "size": size, "contentType": "text/plain" });
        let made = client.post("/api/upload", new).await.json();
        let id = made["documentId"].as_str().unwrap().to_owned();
        let _ = rustls::crypto::ring::default_provider().install_default();
        Parts { client, id, http: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    async fn signed(&self, ask: Value) -> crate::world::Reply {
        self.client.post(&format!("/api/upload/{}/sign", self.id), ask).await
    }

    async fn step(&self, ask: Value, body: Vec<u8>) -> reqwest::Response {
        let signed = self.signed(ask.clone()).await;
        assert_eq!(signed.status, 200, "{}", signed.text());
        let signed = signed.json();
        let method = reqwest::Method::from_bytes(ask["method"].as_str().unwrap().as_bytes()).unwrap();
        let mut request = self.http.request(method, signed["url"].as_str().unwrap()).body(body);
        for (name, value) in signed["headers"].as_object().unwrap() {
            request = request.header(name, value.as_str().unwrap());
        }
        request.send().await.unwrap()
    }

    async fn create(&self) -> String {
        let answer = self.step(json!({ "method": "POST", "key": "t/somebody/else/1" }), vec![]).await;
        assert!(answer.status().is_success(), "{}", answer.status());
        let xml = answer.text().await.unwrap();
        xml.split_once("<UploadId>").unwrap().1.split_once("</UploadId>").unwrap().0.to_owned()
    }

    async fn part(&self, upload: &str, number: u32, bytes: &[u8]) -> String {
        let ask = json!({ "method": "PUT", "uploadId": upload, "partNumber": number });
        let answer = self.step(ask, bytes.to_vec()).await;
        assert!(answer.status().is_success(), "{}", answer.status());
        answer.headers()["etag"].to_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_large_file_goes_in_parts() {
    let mut world = World::new().await;
    let bytes = text();
    let parts = Parts::begin(&world, bytes.len()).await;
    let upload = parts.create().await;
    let first = parts.part(&upload, 1, &bytes[..PART]).await;
    let complete = json!({ "method": "POST", "uploadId": upload });
    let early = parts.signed(complete.clone()).await;
    assert_eq!(
        (early.status.as_u16(), early.code().as_str()),
        (409, "conflict"),
        "a part is missing: {}",
        early.text()
    );
    let second = parts.part(&upload, 2, &bytes[PART..]).await;
    let listed = parts.step(json!({ "method": "GET", "uploadId": upload }), vec![]).await.text().await.unwrap();
    assert_eq!(listed.matches("<PartNumber>").count(), 2, "{listed}");
    let body = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{first}</ETag></Part><Part><PartNumber>2</PartNumber><ETag>{second}</ETag></Part></CompleteMultipartUpload>"
    );
    let done = parts.step(complete, body.into_bytes()).await;
    assert!(done.status().is_success(), "{}", done.text().await.unwrap());
    let client = parts.client.clone();
    assert_eq!(client.post(&format!("/api/upload/{}/complete", parts.id), json!({})).await.status, 202);
    world.settle().await;
    let document = client.get(&format!("/api/documents/{}", parts.id)).await.json();
    assert_eq!((&document["status"], &document["size"]), (&json!("ready"), &json!(bytes.len())), "{document}");
    let late = parts.signed(json!({ "method": "POST" })).await;
    assert_eq!(late.code(), "conflict", "nothing waits for bytes any more");
}

#[tokio::test]
async fn only_our_key_and_only_our_tenant_are_signed() {
    let world = World::new().await;
    let parts = Parts::begin(&world, 100).await;
    let key = docent::documents::object_key(parts.client.tenant, parts.id.parse().unwrap());
    let whole =
        parts.signed(json!({ "method": "PUT", "key": "t/somebody/else/1", "contentType": "text/html" })).await.json();
    assert_eq!(whole["key"], key);
    assert_eq!(whole["headers"]["content-type"], "text/plain", "what was announced is what is signed");
    assert_eq!(whole["headers"]["content-length"], Value::Null, "a browser sets it itself");
    assert!(whole["url"].as_str().unwrap().contains("content-length"), "but it stays signed: {whole}");
    let stolen = world.tenant_b.post(&format!("/api/upload/{}/sign", parts.id), json!({ "method": "POST" })).await;
    assert_eq!(stolen.code(), "not_found");
    let unknown = parts.signed(json!({ "method": "POST", "uploadId": "0".repeat(32) })).await;
    assert_eq!(unknown.code(), "not_found", "{}", unknown.text());
    for wrong in [json!({}), json!({ "method": "PATCH" }), json!({ "method": "PUT", "uploadId": "u", "partNumber": 2 })]
    {
        assert_eq!(parts.signed(wrong.clone()).await.code(), "invalid_request", "{wrong}");
    }
    // Signed for one step is signed for no other.
    let create = parts.signed(json!({ "method": "POST" })).await.json();
    let url = create["url"].as_str().unwrap();
    for (method, url) in
        [("DELETE", url.to_owned()), ("POST", url.replace(&parts.id.replace('-', ""), &"0".repeat(32)))]
    {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let tried = parts.http.request(method, url).header("content-type", "text/plain").send().await.unwrap();
        assert_eq!(tried.status(), 403);
    }
}

#[tokio::test]
async fn parts_that_nobody_completes_are_taken_away() {
    let world = World::new().await;
    let parts = Parts::begin(&world, 2 * PART).await;
    let upload = parts.create().await;
    parts.part(&upload, 1, &text()[..PART]).await;
    assert_eq!(world.files.ingest.sweep().await.unwrap().aborted, 0, "somebody may be at it");
    let tomorrow = world.files.app.clock.now() + jiff::SignedDuration::from_hours(25);
    let app = world.files.app.clone().with_clock(docent::clock::Clock::fixed(tomorrow));
    let settings = docent::config::Ingest::read(&world.environment).unwrap();
    let later = docent::ingest::Ingest::new(app, world.files.objects.clone(), settings);
    assert_eq!(later.sweep().await.unwrap().aborted, 1);
    let gone = parts.signed(json!({ "method": "POST", "uploadId": upload })).await;
    assert_eq!(gone.code(), "not_found");
}
