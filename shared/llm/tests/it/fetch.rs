//! A document of no provider: what is sent, what is taken for one, and the limits of its own.

use std::time::Duration;

use docent_llm::{Fetch, Limits, Transport, Url};

use crate::server::{CANARY, Then, answer, json, limits, replay, serve, transport};

fn get(url: Url) -> Fetch {
    Fetch { url, body: None, bearer: None }
}

async fn outcome(wire: &[u8]) -> Result<Vec<u8>, &'static str> {
    replay(wire, async |url| transport().fetch(get(url)).await.map_err(|error| error.code())).await
}

#[tokio::test]
async fn a_body_makes_it_a_post_and_the_secret_is_a_bearer() {
    let mut seen = Vec::new();
    let record = |_, request| {
        seen.push(request);
        (json(200, "[1]"), Then::Close)
    };
    serve(record, async |url| {
        let mut url = url.join("/keys?a=1").unwrap();
        assert_eq!(transport().fetch(get(url.clone())).await.unwrap(), b"[1]");
        url.set_path("/pipeline");
        let body = Some(br#"["PING"]"#.to_vec());
        transport().fetch(Fetch { url, body, bearer: Some(CANARY.to_owned().into()) }).await.unwrap();
    })
    .await;
    assert!(seen[0].starts_with("GET /keys?a=1 HTTP/1.1\r\n") && !seen[0].contains("authorization"), "{}", seen[0]);
    assert!(seen[1].starts_with("POST /pipeline?a=1 HTTP/1.1\r\n") && seen[1].ends_with("\r\n\r\n[\"PING\"]"));
    assert!(seen[1].contains(&format!("authorization: Bearer {CANARY}\r\n")), "{}", seen[1]);
}

#[tokio::test]
async fn only_json_with_status_200_is_a_document() {
    let typed = |media_type: &str| answer(200, &format!("content-type: {media_type}"), "{}");
    for media_type in ["application/json", "Application/JSON; charset=utf-8", "application/jwk-set+json"] {
        assert_eq!(outcome(&typed(media_type)).await, Ok(b"{}".to_vec()), "{media_type}");
    }
    let table = [
        (typed("text/html"), "provider_protocol"),
        (typed("text/plain"), "provider_protocol"),
        (typed("text/event-stream"), "provider_protocol"),
        (typed("image/svg+json"), "provider_protocol"),
        (answer(302, "location: http://169.254.169.254/", ""), "provider_protocol"),
        (json(201, "{}"), "provider_protocol"),
        (json(401, "{}"), "provider_auth"),
        (json(404, r#"{"error":{"code":"insufficient_quota"}}"#), "provider_rejected"),
        (json(429, "{}"), "provider_rate_limited"),
        (json(503, "{}"), "provider_unavailable"),
        (answer(200, "content-type: application/json\ncontent-length: 9", "{}"), "upstream_truncated"),
    ];
    for (wire, code) in table {
        assert_eq!(outcome(&wire).await, Err(code), "{}", String::from_utf8_lossy(&wire));
    }
}

#[tokio::test]
async fn its_size_and_its_time_are_limited() {
    let most = Limits::default().fetch_body;
    let padded = |size: usize| json(200, &format!("\"{}\"", "a".repeat(size - 2)));
    assert_eq!(outcome(&padded(most)).await.unwrap().len(), most);
    assert_eq!(outcome(&padded(most + 1)).await, Err("provider_protocol"));

    let short = Limits { fetch_total: Duration::from_millis(80), ..limits() };
    let open = json(200, "[");
    let drip = |_, _| (open.clone(), Then::Repeat(b" ", Duration::from_millis(5)));
    let error = serve(drip, async |url| Transport::new(short.clone()).fetch(get(url)).await.unwrap_err()).await;
    assert_eq!(error.code(), "provider_timeout");
    let silent = |_, _| (Vec::new(), Then::Hang);
    let error = serve(silent, async |url| Transport::new(short.clone()).fetch(get(url)).await.unwrap_err()).await;
    assert_eq!(error.code(), "provider_timeout");
}

#[tokio::test]
async fn the_walls_are_those_of_every_other_call_and_nothing_of_the_request_is_printed() {
    let secret = || Some(format!("{CANARY}\n").into());
    for url in ["http://127.0.0.1:9/", "https://169.254.169.254/latest", "http://example.com/", "file:///etc/passwd"] {
        let error = Transport::new(Limits::default()).fetch(get(url.parse().unwrap())).await.unwrap_err();
        assert_eq!(error.code(), "provider_endpoint", "{url}");
    }
    let url: Url = format!("https://api.example/{CANARY}?token={CANARY}").parse().unwrap();
    let request = Fetch { url, body: Some(CANARY.into()), bearer: secret() };
    let printed = format!("{request:?}");
    let error = transport().fetch(request).await.unwrap_err();
    assert_eq!(error.code(), "provider_auth");
    for printed in [printed, format!("{error:?} {error}")] {
        assert!(!printed.contains(CANARY), "{printed}");
    }
}
