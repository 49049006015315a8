//! Everything else that a provider, a proxy or an attacker may answer.

use std::time::Duration;

use docent_llm::{Dialect, Endpoint, Limits, Transport, Url};

use crate::server::{
    Then, answer, cassette, chat, endpoint, first_word, json, limits, question, replay, serve, transcript, transport,
};

const PAGE: &str = "<!doctype html><title>Welcome</title>";

#[tokio::test]
async fn answers_that_are_not_an_answer() {
    let events = "content-type: text/event-stream";
    let long_head = format!("content-type: text/event-stream\nx-filler: {}", "a".repeat(33 * 1024));
    let table = [
        (answer(200, "content-type: text/html", PAGE), "refused provider_protocol"),
        (answer(200, "x-no-type: 1", "data: [DONE]\n\n"), "refused provider_protocol"),
        (json(200, "{}"), "refused provider_protocol"),
        (json(200, r#"{"error":{"code":"insufficient_quota"}}"#), "refused provider_quota"),
        (answer(200, events, "data: {\"choices\": nonsense}\n\n"), "refused provider_protocol"),
        (answer(200, events, PAGE), "refused upstream_truncated"),
        (answer(200, &long_head, ""), "refused provider_protocol"),
        (answer(302, "location: http://169.254.169.254/", ""), "refused provider_protocol"),
        (answer(403, "content-type: text/html", PAGE), "refused provider_protocol"),
        (answer(502, "content-type: text/html", PAGE), "refused provider_unavailable"),
        (json(400, "{}"), "refused provider_rejected"),
        (json(401, "{}"), "refused provider_auth"),
        (json(402, "{}"), "refused provider_quota"),
        (json(403, "{}"), "refused provider_auth"),
        (json(404, "not json"), "refused provider_rejected"),
        (json(408, "{}"), "refused provider_timeout"),
        (json(413, "{}"), "refused provider_rejected"),
        (json(500, r#"{"error":{"code":"insufficient_quota"}}"#), "refused provider_quota"),
        (json(503, "{}"), "refused provider_unavailable"),
        (cassette!("openai_quota"), "refused provider_quota"),
        (b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(), "refused provider_unavailable"),
    ];
    for (wire, expected) in table {
        let shown = String::from_utf8_lossy(&wire[..wire.len().min(120)]).into_owned();
        assert_eq!(chat(Dialect::OpenAi, &wire).await, [expected], "{shown}");
    }
}

#[tokio::test]
async fn a_rate_limit_tells_how_long_to_wait() {
    let table = [
        ("retry-after: 7", Some(7)),
        ("retry-after: Sun, 06 Nov 1994 08:50:07 GMT\ndate: Sun, 06 Nov 1994 08:49:37 GMT", Some(30)),
        ("retry-after: soon", None),
        ("x-other: 1", None),
    ];
    for (header, seconds) in table {
        let wire = answer(429, &format!("content-type: application/json\n{header}"), "{}");
        let error = replay(&wire, async |base| {
            transport().chat(&endpoint(Dialect::OpenAi, base), &question()).await.unwrap_err()
        })
        .await;
        assert_eq!((error.code(), error.retryable()), ("provider_rate_limited", true));
        assert_eq!(error.retry_after(), seconds.map(Duration::from_secs), "{header}");
    }
}

async fn stalled(limits: Limits, first: Vec<u8>, then: impl Fn() -> Then<'static>) -> Vec<String> {
    serve(
        |_, _| (first.clone(), then()),
        async |base| {
            let stream = Transport::new(limits).chat(&endpoint(Dialect::OpenAi, base), &question()).await;
            transcript(stream).await
        },
    )
    .await
}

#[tokio::test]
async fn each_clock_stops_a_stalled_provider() {
    let short = Duration::from_millis(80);
    let half = first_word();
    let open = answer(200, "content-type: text/event-stream", "");

    let lines = stalled(Limits { first_byte: short, ..limits() }, Vec::new(), || Then::Hang).await;
    assert_eq!(lines, ["refused provider_timeout"]);
    let lines = stalled(Limits { idle: short, ..limits() }, half.clone(), || Then::Hang).await;
    assert_eq!(lines, ["delta \"Grüße\"", "error provider_timeout"]);
    // Comments keep the idle clock quiet; the total one still runs.
    let drip = || Then::Repeat(b": ping\n\n", Duration::from_millis(5));
    let lines = stalled(Limits { total: short, ..limits() }, open, drip).await;
    assert_eq!(lines, ["refused provider_timeout"]);
    let lines = stalled(Limits { total: short, ..limits() }, Vec::new(), || Then::Hang).await;
    assert_eq!(lines, ["refused provider_timeout"]);
}

#[tokio::test]
async fn endless_answers_are_cut_off() {
    let open = answer(200, "content-type: text/event-stream", "data: ");
    let line = || Then::Repeat(&[b'a'; 8192], Duration::ZERO);
    assert_eq!(stalled(limits(), open.clone(), line).await, ["refused provider_protocol"], "one line");
    let event =
        || Then::Repeat(b"data: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", Duration::ZERO);
    let small = Limits { stream_body: 100_000, ..limits() };
    assert_eq!(stalled(small, open, event).await, ["refused provider_protocol"], "one event beyond the body's limit");
    let endless = answer(200, "content-type: application/json", "[");
    serve(
        |_, _| (endless.clone(), Then::Repeat(&[b' '; 8192], Duration::ZERO)),
        async |base| {
            let transport = Transport::new(Limits { json_body: 100_000, ..limits() });
            let error = transport.models(&endpoint(Dialect::OpenAi, base)).await.unwrap_err();
            assert_eq!(error.code(), "provider_protocol");
        },
    )
    .await;
}

#[tokio::test]
async fn base_urls_are_joined_as_tenants_write_them() {
    let table = [
        (Dialect::OpenAi, "", "/v1/models"),
        (Dialect::OpenAi, "/v1", "/v1/models"),
        (Dialect::OpenAi, "/v1/", "/v1/models"),
        (Dialect::OpenAi, "/openai", "/openai/v1/models"),
        (Dialect::OpenAi, "/openai/v1", "/openai/v1/models"),
        (Dialect::OpenAi, "/v1beta/openai/", "/v1beta/openai/models"),
        (Dialect::Anthropic, "", "/v1/models?limit=1000"),
        (Dialect::Anthropic, "/gateway/v1/", "/gateway/v1/models?limit=1000"),
        (Dialect::Gemini, "", "/v1beta/models?pageSize=1000"),
        (Dialect::Gemini, "/v1beta/openai/", "/v1beta/models?pageSize=1000"),
        (Dialect::Cohere, "/compatibility/v1", "/v1/models?page_size=1000"),
        (Dialect::Ollama, "", "/api/tags"),
        (Dialect::Ollama, "/v1/", "/api/tags"),
        (Dialect::Ollama, "/api", "/api/tags"),
        (Dialect::Ollama, "/ollama/", "/ollama/api/tags"),
    ];
    for (dialect, path, expected) in table {
        let wire = match dialect {
            Dialect::OpenAi | Dialect::Anthropic => cassette!("openai_models"),
            Dialect::Gemini => json(200, r#"{"models":[{"name":"models/gpt-4o-mini","version":"001"}]}"#),
            _ => cassette!("ollama_tags"),
        };
        let check = |_, request: String| {
            assert!(request.starts_with(&format!("GET {expected} HTTP/1.1")), "{path}: {request}");
            (wire.clone(), Then::Close)
        };
        serve(check, async |mut base: Url| {
            base.set_path(path);
            let models = transport().models(&endpoint(dialect, base)).await.unwrap();
            assert!(matches!(models[0].as_str(), "gpt-4o-mini" | "llama3.2:latest"));
        })
        .await;
    }
}

#[tokio::test]
async fn nobody_at_home_is_unavailable_also_behind_tls() {
    // A port of which we know that nobody listens: it was bound and given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let closed = Url::parse(&format!("http://127.0.0.1:{port}")).unwrap();
    let error = transport().models(&endpoint(Dialect::Ollama, closed)).await.unwrap_err();
    assert_eq!(error.code(), "provider_unavailable");
    // The server speaks plain text into the TLS handshake.
    replay(&json(200, "{}"), async |mut base: Url| {
        base.set_scheme("https").unwrap();
        let error = transport().models(&endpoint(Dialect::OpenAi, base)).await.unwrap_err();
        assert_eq!(error.code(), "provider_unavailable");
    })
    .await;
}

#[tokio::test]
async fn without_the_local_mode_nothing_on_this_machine_is_called() {
    serve(
        |_, request| panic!("a request came through: {request}"),
        async |base: Url| {
            let strict = Transport::new(Limits::default());
            let port = base.port().unwrap();
            for host in
                ["http://127.0.0.1", "https://127.0.0.1", "https://localhost", "https://[::1]", "https://0x7f.1"]
            {
                let base_url = Url::parse(&format!("{host}:{port}")).unwrap();
                let endpoint = Endpoint { key: None, ..endpoint(Dialect::Ollama, base_url) };
                assert_eq!(strict.models(&endpoint).await.unwrap_err().code(), "provider_endpoint", "{host}");
            }
        },
    )
    .await;
}
