//! Who is let in, presigned URLs, POST forms and CORS.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use docent_local::bucket::{self, Options};
use reqwest::Method;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::raw::{http, outcome, post_form, signed};
use super::server::{ACCESS_KEY, BUCKET, SECRET_KEY, Server, client, refusal, refused};

const ORIGIN: &str = "https://app.example.com";

fn for_a_minute() -> PresigningConfig {
    PresigningConfig::expires_in(Duration::from_secs(60)).unwrap()
}

async fn send(
    request: &PresignedRequest,
    change: impl FnOnce(String) -> String,
    extra: &[(&str, &str)],
) -> (u16, String) {
    let method = Method::from_bytes(request.method().as_bytes()).unwrap();
    let mut sent = http().request(method, change(request.uri().to_owned()));
    let replaced = |name: &str| extra.iter().any(|(other, _)| *other == name);
    for (name, value) in request.headers().filter(|(name, _)| !replaced(name)).chain(extra.iter().copied()) {
        sent = sent.header(name, value);
    }
    if request.method() == "PUT" {
        sent = sent.body("hello");
    }
    outcome(sent.send().await.unwrap()).await
}

#[tokio::test]
async fn presigned_urls_do_what_was_signed_and_nothing_else() {
    let server = Server::start().await;
    server.put("secret", "another tenant's").await;
    let put = server.client.put_object().bucket(BUCKET).key("t/1 ü").content_type("text/plain").if_none_match("*");
    let put = put.checksum_sha256("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=");
    let put = put.presigned(for_a_minute()).await.unwrap();
    let same = |uri| uri;

    let wrong_type = send(&put, same, &[("content-type", "text/html")]).await;
    assert_eq!(wrong_type, refused(403, "SignatureDoesNotMatch"));
    let copied = send(&put, same, &[("x-amz-copy-source", "docent/secret")]).await;
    assert_eq!(copied, refused(403, "AccessDenied"), "an unsigned header must not turn an upload into a copy");
    let other_key = send(&put, |uri| uri.replace("/t/1", "/t/2"), &[]).await;
    assert_eq!(other_key, refused(403, "SignatureDoesNotMatch"));
    assert_eq!(send(&put, |uri| uri + "0", &[]).await.0, 400, "no signature has that length");
    assert_eq!(server.keys().await, ["secret"]);

    assert_eq!(send(&put, same, &[]).await.0, 200);
    assert_eq!(server.get("t/1 ü").await, "hello");
    assert_eq!(send(&put, same, &[]).await, refused(412, "PreconditionFailed"));

    let get = server.client.get_object().bucket(BUCKET).key("t/1 ü").response_content_disposition("attachment");
    let get = get.presigned(for_a_minute()).await.unwrap();
    let response = http().get(get.uri()).send().await.unwrap();
    assert_eq!(response.headers()["content-disposition"], "attachment");
    assert_eq!(response.text().await.unwrap(), "hello");
    let flipped = |uri: String| match uri.strip_suffix('0') {
        Some(rest) => format!("{rest}1"),
        None => format!("{}0", &uri[..uri.len() - 1]),
    };
    let tampered = send(&get, flipped, &[]).await;
    assert!(tampered == refused(403, "SignatureDoesNotMatch"), "{tampered:?} for {}", get.uri());
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the server compares a signature's date with the wall clock")]
async fn presigned_urls_expire() {
    let server = Server::start().await;
    server.put("k", "x").await;
    let (now, minute) = (SystemTime::now(), Duration::from_secs(60));
    let get = server.client.get_object().bucket(BUCKET).key("k");
    let config = PresigningConfig::builder().start_time(now - 3 * minute).expires_in(minute).build().unwrap();
    let expired = get.clone().presigned(config).await.unwrap();
    assert_eq!(send(&expired, |uri| uri, &[]).await, refused(403, "AccessDenied"));
    let longer = send(&expired, |uri| uri.replace("X-Amz-Expires=60", "X-Amz-Expires=900"), &[]).await;
    assert_eq!(longer, refused(403, "SignatureDoesNotMatch"));
    let week = PresigningConfig::builder().start_time(now).expires_in(minute * 60 * 24 * 7).build().unwrap();
    let week = get.presigned(week).await.unwrap();
    assert_eq!(send(&week, |uri| uri, &[]).await.0, 200);
}

#[tokio::test]
async fn strangers_stay_outside() {
    let server = Server::start().await;
    server.put("k", "x").await;
    for url in [server.url("k"), format!("{}/{BUCKET}", server.origin), server.origin.clone()] {
        let answer = outcome(http().get(&url).send().await.unwrap()).await;
        assert_eq!(answer, refused(403, "AccessDenied"), "{url}");
    }
    let put = http().put(server.url("k")).body("y").send().await.unwrap();
    assert_eq!(outcome(put).await, refused(403, "AccessDenied"));
    let impostor = client(&server.origin, "another-secret");
    let get = impostor.get_object().bucket(BUCKET).key("k").send().await;
    assert_eq!(refusal(get), refused(403, "SignatureDoesNotMatch"));
    let unsigned = signed(&server, Method::GET, "k", "UNSIGNED-PAYLOAD", &[]).header("x-amz-checksum-mode", "ENABLED");
    assert_eq!(outcome(unsigned.send().await.unwrap()).await, refused(403, "AccessDenied"));
    let signed = signed(&server, Method::GET, "k", "UNSIGNED-PAYLOAD", &[("x-amz-checksum-mode", "ENABLED")]);
    assert_eq!(outcome(signed.send().await.unwrap()).await.0, 200);
    assert_eq!(server.get("k").await, "x");
}

#[tokio::test]
async fn post_forms_obey_their_policy() {
    let server = Server::start().await;
    let range = r#"["starts-with","$key","t/"],["content-length-range",2,5]"#;
    assert_eq!(post_form(&server, "t/a", "hello", range).await.0, 204);
    assert_eq!(server.get("t/a").await, "hello");
    assert_eq!(post_form(&server, "t/b", "hello!", range).await, refused(400, "EntityTooLarge"));
    assert_eq!(post_form(&server, "t/b", "h", range).await, refused(400, "EntityTooSmall"));
    assert!([400, 403].contains(&post_form(&server, "u/b", "hello", range).await.0));
    let long = "k".repeat(1025);
    let any = r#"["starts-with","$key",""]"#;
    assert_eq!(post_form(&server, &long, "hello", any).await, refused(400, "KeyTooLongError"));
    assert_eq!(server.keys().await, ["t/a"]);
}

#[tokio::test]
async fn browsers_of_allowed_origins_may_upload() {
    let server = Server::with(|options| options.allowed_origins = vec![ORIGIN.to_owned()]).await;
    let preflight = |origin: &'static str| {
        http()
            .request(Method::OPTIONS, server.url("k"))
            .header("origin", origin)
            .header("access-control-request-method", "PUT")
            .header("access-control-request-headers", "content-type,if-none-match,x-amz-checksum-sha256")
            .send()
    };
    let allowed = preflight(ORIGIN).await.unwrap();
    assert_eq!(allowed.status(), 200);
    assert_eq!(allowed.headers()["access-control-allow-origin"], ORIGIN);
    assert!(allowed.headers()["access-control-allow-methods"].to_str().unwrap().contains("PUT"));
    let names = allowed.headers()["access-control-allow-headers"].to_str().unwrap();
    assert!(names.contains("x-amz-checksum-sha256") && names.contains("if-none-match"));
    let foreign = preflight("https://evil.example.com").await.unwrap();
    assert_eq!(foreign.headers().get("access-control-allow-origin"), None);

    let put = server.client.put_object().bucket(BUCKET).key("k").presigned(for_a_minute()).await.unwrap();
    let put = http().put(put.uri()).header("origin", ORIGIN).body("hello").send().await.unwrap();
    assert_eq!(put.status(), 200);
    assert_eq!(put.headers()["access-control-allow-origin"], ORIGIN);
    let exposed = put.headers()["access-control-expose-headers"].to_str().unwrap();
    assert!(exposed.contains("etag") && exposed.contains("x-amz-checksum-sha256"));
    // A refusal must be readable for the page too.
    let refusal = http().put(server.url("k")).header("origin", ORIGIN).body("x").send().await.unwrap();
    assert_eq!(
        (refusal.status().as_u16(), &refusal.headers()["access-control-allow-origin"]),
        (403, &ORIGIN.parse().unwrap())
    );
}

#[tokio::test]
async fn a_bucket_that_cannot_start_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let start = async |change: fn(&mut Options)| {
        let mut options = Options::new(folder.path(), ACCESS_KEY, SECRET_KEY, BUCKET);
        change(&mut options);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let error = bucket::serve(options, listener, mpsc::channel(1).0).await.unwrap_err();
        assert!(!error.hint().is_empty());
        error.code()
    };
    assert_eq!(start(|options| options.bucket = "../up".into()).await, "bucket_name_invalid");
    assert_eq!(start(|options| options.allowed_origins = vec!["example.com".into()]).await, "bucket_origin_invalid");
    assert_eq!(start(|options| options.dir = "/dev/null/x".into()).await, "bucket_folder_unusable");

    let server = Server::start().await;
    server.put("k", "the lock is taken").await;
    let options = Options::new(server.folder(), ACCESS_KEY, SECRET_KEY, BUCKET);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let error = bucket::serve(options, listener, mpsc::channel(1).0).await.unwrap_err();
    assert_eq!(error.code(), "bucket_in_use");
    server.put("k", "still here").await;
}
