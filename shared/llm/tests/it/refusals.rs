//! Each dialect by each status, with the body that its provider documents, and by the answers that are none.

use std::time::Duration;

use docent_llm::{Dialect, Error, ErrorKind, Limits, Transport};

use crate::server::{
    CANARY, Then, answer, cassettes, chat, endpoint, json, limits, question, replay, serve, transcript, transport,
};

const ALL: [Dialect; 5] = [Dialect::OpenAi, Dialect::Ollama, Dialect::Anthropic, Dialect::Gemini, Dialect::Cohere];

fn limited(seconds: u64) -> ErrorKind {
    ErrorKind::RateLimited { retry_after: Some(Duration::from_secs(seconds)) }
}

/// The error body of a provider, with the words that it gives to its own customers.
fn body(dialect: Dialect, status: u16) -> String {
    let anthropic = match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        _ => "api_error",
    };
    let google = match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        500 => "INTERNAL",
        _ => "UNAVAILABLE",
    };
    match dialect {
        Dialect::OpenAi => format!(r#"{{"error":{{"message":"{CANARY}","type":"x","param":null,"code":null}}}}"#),
        Dialect::Anthropic => format!(r#"{{"type":"error","error":{{"type":"{anthropic}","message":"{CANARY}"}}}}"#),
        Dialect::Gemini => {
            format!(r#"[{{"error":{{"code":{status},"message":"{CANARY}","status":"{google}"}}}}]"#)
        }
        Dialect::Cohere => format!(r#"{{"id":"1","message":"{CANARY}"}}"#),
        _ => format!(r#"{{"error":"{CANARY}"}}"#),
    }
}

async fn refusal(dialect: Dialect, wire: &[u8]) -> Error {
    replay(wire, async |base| transport().chat(&endpoint(dialect, base), &question()).await.unwrap_err()).await
}

#[tokio::test]
async fn statuses_mean_the_same_in_every_dialect() {
    let table = [
        (401, ErrorKind::Auth),
        (402, ErrorKind::Quota),
        (403, ErrorKind::Forbidden),
        (404, ErrorKind::Rejected),
        (413, ErrorKind::TooLarge),
        (429, limited(7)),
        (500, ErrorKind::Unavailable),
        (503, ErrorKind::Unavailable),
        (529, ErrorKind::Unavailable),
    ];
    for dialect in ALL {
        for (status, kind) in table {
            let wire = answer(status, "content-type: application/json\nretry-after: 7", &body(dialect, status));
            let error = refusal(dialect, &wire).await;
            assert_eq!(error.kind(), kind, "{dialect:?} {status}");
            assert!(!format!("{error} {error:?}").contains(CANARY), "{dialect:?} {status}");
        }
    }
}

#[tokio::test]
async fn what_only_a_body_tells() {
    let table = [
        (
            Dialect::Anthropic,
            400,
            r#"{"error":{"type":"invalid_request_error","message":"prompt is too long: 205000 tokens > 200000 maximum"}}"#,
            ErrorKind::TooLarge,
        ),
        (
            Dialect::Anthropic,
            400,
            r#"{"error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}"#,
            ErrorKind::Quota,
        ),
        (Dialect::Anthropic, 400, r#"{"error":{"type":"invalid_request_error","message":"no"}}"#, ErrorKind::Rejected),
        (
            Dialect::Gemini,
            400,
            r#"{"error":{"status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#,
            ErrorKind::Auth,
        ),
        (
            Dialect::Gemini,
            400,
            r#"{"error":{"status":"INVALID_ARGUMENT","message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."}}"#,
            ErrorKind::TooLarge,
        ),
        (
            Dialect::Gemini,
            429,
            r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[
            {"@type":"type.googleapis.com/google.rpc.QuotaFailure"},
            {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34s"}]}}"#,
            limited(34),
        ),
        (Dialect::Gemini, 400, r#"{"error":{"status":"FAILED_PRECONDITION"}}"#, ErrorKind::Forbidden),
    ];
    for (dialect, status, body, kind) in table {
        assert_eq!(refusal(dialect, &json(status, body)).await.kind(), kind, "{body}");
    }
    // Some gateways say 200 and put the refusal into the body.
    for (dialect, body, kind) in [
        (Dialect::Anthropic, r#"{"type":"error","error":{"type":"authentication_error"}}"#, ErrorKind::Auth),
        (Dialect::Gemini, r#"[{"error":{"code":503,"status":"UNAVAILABLE"}}]"#, ErrorKind::Unavailable),
        (Dialect::OpenAi, r#"{"error":{"code":"insufficient_quota"}}"#, ErrorKind::Quota),
        (Dialect::Cohere, r#"{"message":"too many tokens"}"#, ErrorKind::TooLarge),
        (Dialect::Ollama, r#"{"error":"no such model"}"#, ErrorKind::Protocol),
    ] {
        assert_eq!(refusal(dialect, &json(200, body)).await.kind(), kind, "{dialect:?}");
    }
}

/// The head of a good answer of that dialect, up to its body.
fn head(dialect: Dialect) -> Vec<u8> {
    let speaks = if dialect == Dialect::Cohere { Dialect::OpenAi } else { dialect };
    let (_, _, mut wire) = cassettes().into_iter().find(|(_, spoken, _)| *spoken == speaks).unwrap();
    wire.truncate(wire.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4);
    wire
}

#[tokio::test]
async fn what_is_no_answer_in_any_dialect() {
    const PAGE: &str = "<!doctype html><title>Welcome</title>\n\n";
    let utf16: Vec<u8> = "data: {}\n\n{}\n\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for dialect in ALL {
        let lines = dialect == Dialect::Ollama;
        let frame = |text: &str| if lines { format!("{text}\n") } else { format!("data: {text}\n\n") }.into_bytes();
        // (what, its body, what is said of it where it is not the same everywhere)
        let table: [(&str, Vec<u8>, &str); 9] = [
            (
                "a page under the right name",
                PAGE.into(),
                if lines { "provider_protocol" } else { "upstream_truncated" },
            ),
            ("nothing", Vec::new(), "upstream_truncated"),
            ("half a number", frame("{\"choices\": nonsense}"), "provider_protocol"),
            ("NaN", frame("{\"type\":NaN,\"done\":NaN,\"candidates\":NaN}"), "provider_protocol"),
            ("a list", frame("[1]"), "provider_protocol"),
            ("a deep hole", frame(&"[".repeat(60_000)), "provider_protocol"),
            ("UTF-16", utf16.clone(), if lines { "provider_protocol" } else { "upstream_truncated" }),
            (
                "gzip",
                b"\x1f\x8b\x08\x00\xff\xff\n\n".to_vec(),
                if lines { "provider_protocol" } else { "upstream_truncated" },
            ),
            ("a long line", vec![b'a'; 70_000], "provider_protocol"),
        ];
        for (what, body, code) in table {
            let wire = [head(dialect), body].concat();
            assert_eq!(chat(dialect, &wire).await, [format!("refused {code}")], "{dialect:?}: {what}");
        }
        let page = answer(200, "content-type: text/html", PAGE);
        assert_eq!(chat(dialect, &page).await, ["refused provider_protocol"], "{dialect:?}");
    }
}

#[tokio::test]
async fn silence_ends_in_every_dialect() {
    for dialect in ALL {
        let limits = Limits { idle: Duration::from_millis(40), ..limits() };
        let lines = serve(
            |_, _| (head(dialect), Then::Hang),
            async |base| transcript(Transport::new(limits).chat(&endpoint(dialect, base), &question()).await).await,
        );
        assert_eq!(lines.await, ["refused provider_timeout"], "{dialect:?}");
    }
}
