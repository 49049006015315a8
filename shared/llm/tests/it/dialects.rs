//! Anthropic, Gemini and Cohere: what is sent to them, and what each thing that they may say becomes.

use docent_llm::{ChatRequest, Dialect, Role, Turn};
use serde_json::json;

use crate::chat::sent;
use crate::server::{CANARY, Then, cassette, chat, endpoint, question, serve, sse, transcript, transport};

#[tokio::test]
async fn anthropic_gets_the_documented_request() {
    let (head, body) = sent(Dialect::Anthropic, cassette!("anthropic_chat"), true).await;
    assert!(head.starts_with("POST /v1/messages HTTP/1.1"), "{head}");
    assert!(head.contains(&format!("x-api-key: {CANARY}")) && !head.contains("authorization"), "{head}");
    assert!(head.contains("anthropic-version: 2023-06-01") && head.contains("accept: text/event-stream"), "{head}");
    let expected = json!({"model": "test-model", "system": "Answer from the sources.", "max_tokens": 64, "stream": true,
        "temperature": 0.2, "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Who?"}]});
    assert_eq!(body, expected);
}

#[tokio::test]
async fn gemini_gets_the_documented_request() {
    let (head, body) = sent(Dialect::Gemini, cassette!("gemini_chat"), true).await;
    assert!(head.starts_with("POST /v1beta/models/test-model:streamGenerateContent?alt=sse HTTP/1.1"), "{head}");
    assert!(head.contains(&format!("x-goog-api-key: {CANARY}")) && !head.contains("authorization"), "{head}");
    assert_eq!(head.matches(CANARY).count(), 1, "never in the address: {head}");
    let expected = json!({"systemInstruction": {"parts": [{"text": "Answer from the sources."}]},
        "generationConfig": {"maxOutputTokens": 64, "temperature": 0.2}, "contents": [
        {"role": "user", "parts": [{"text": "Hi"}]}, {"role": "model", "parts": [{"text": "Hello"}]},
        {"role": "user", "parts": [{"text": "Who?"}]}]});
    assert_eq!(body, expected);
}

#[tokio::test]
async fn cohere_chats_on_its_copy_of_openais_surface() {
    let (head, body) = sent(Dialect::Cohere, cassette!("openai_chat"), true).await;
    assert!(head.starts_with("POST /compatibility/v1/chat/completions HTTP/1.1"), "{head}");
    assert_eq!(body["messages"][0]["role"], "system");
}

/// One question and nothing else that could be left out.
fn bare(model: &str) -> ChatRequest {
    let turns = ["", "Hi"].map(|text| Turn { role: Role::User, text: text.into() }).to_vec();
    ChatRequest { model: model.into(), system: " ".into(), turns, max_tokens: None, temperature: None }
}

async fn asked(dialect: Dialect, path: &str, request: &ChatRequest) -> (String, serde_json::Value) {
    let mut seen = String::new();
    let record = |_, request| {
        seen = request;
        (Vec::new(), Then::Close)
    };
    serve(record, async |mut base| {
        base.set_path(path);
        transcript(transport().chat(&endpoint(dialect, base), request).await).await
    })
    .await;
    let (head, body) = seen.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().to_owned(), serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn what_nobody_chose_is_not_sent() {
    let (_, body) = asked(Dialect::Anthropic, "", &bare("m")).await;
    let messages = json!([{"role": "user", "content": "Hi"}]);
    assert_eq!(body, json!({"model": "m", "max_tokens": 4096, "stream": true, "messages": messages}));
    let (_, body) = asked(Dialect::Gemini, "", &bare("m")).await;
    assert_eq!(body, json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}], "generationConfig": {}}));
}

#[tokio::test]
async fn models_and_bases_are_written_in_several_ways() {
    let table = [
        (Dialect::Anthropic, "/", "m", "/v1/messages"),
        (Dialect::Anthropic, "/gateway/v1/", "m", "/gateway/v1/messages"),
        (
            Dialect::Gemini,
            "/v1beta",
            "gemini-2.5-flash",
            "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        ),
        (Dialect::Gemini, "/v1beta/openai/", "models/g", "/v1beta/models/g:streamGenerateContent?alt=sse"),
        (Dialect::Gemini, "/v1", "tunedModels/mine", "/v1/tunedModels/mine:streamGenerateContent?alt=sse"),
        (Dialect::Gemini, "", "../../x?y#z", "/v1beta/models/..%2F..%2Fx%3Fy%23z:streamGenerateContent?alt=sse"),
        (Dialect::Cohere, "/v2", "m", "/compatibility/v1/chat/completions"),
    ];
    for (dialect, path, model, expected) in table {
        assert_eq!(asked(dialect, path, &bare(model)).await.0, expected, "{path} {model}");
    }
}

#[tokio::test]
async fn a_request_without_a_question_asks_nobody() {
    for dialect in [Dialect::Anthropic, Dialect::Gemini] {
        let lines = serve(
            |_, request| panic!("a request came: {request}"),
            async |base| {
                let request = ChatRequest { turns: Vec::new(), ..question() };
                transcript(transport().chat(&endpoint(dialect, base), &request).await).await
            },
        );
        assert_eq!(lines.await, ["refused provider_rejected"]);
    }
}

const WORD: &str = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;

#[tokio::test]
async fn anthropic_needs_both_halves_of_its_end_marker() {
    let delta = |reason: &str| format!(r#"{{"type":"message_delta","delta":{{"stop_reason":{reason}}}}}"#);
    let ended = |reason: &str| sse(&[WORD, &delta(&format!("{reason:?}")), STOP]);
    let failed = |kind: &str| sse(&[WORD, &format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"x"}}}}"#)]);
    let table = [
        (sse(&[WORD, STOP]), "error upstream_truncated"),
        (sse(&[WORD, &delta("null"), STOP]), "error upstream_truncated"),
        (sse(&[WORD, &delta("\"end_turn\"")]), "error upstream_truncated"),
        (ended("end_turn"), "finish Stop"),
        (ended("stop_sequence"), "finish Stop"),
        (ended("max_tokens"), "finish Length"),
        (ended("model_context_window_exceeded"), "finish Length"),
        (ended("refusal"), "finish ContentFilter"),
        (ended("tool_use"), "finish Other"),
        (ended("pause_turn"), "finish Other"),
        (sse(&[WORD, &delta("\"refusal\""), &delta("null"), STOP, "not read any more"]), "finish ContentFilter"),
        (sse(&[WORD, r#"{"type":"new_event","delta":7}"#, &delta("\"end_turn\""), STOP]), "finish Stop"),
        (failed("overloaded_error"), "error provider_unavailable"),
        (failed("api_error"), "error provider_unavailable"),
        (failed("something_new"), "error provider_unavailable"),
        (failed("rate_limit_error"), "error provider_rate_limited"),
        (failed("timeout_error"), "error provider_timeout"),
        (failed("invalid_request_error"), "error provider_rejected"),
        (failed("billing_error"), "error provider_quota"),
        (sse(&[WORD, "{\"type\":"]), "error provider_protocol"),
        (sse(&[WORD, r#"{"no":"type"}"#]), "error provider_protocol"),
        (sse(&[WORD, "[DONE]"]), "error provider_protocol"),
    ];
    for (wire, last) in table {
        let shown = String::from_utf8_lossy(&wire).into_owned();
        assert_eq!(chat(Dialect::Anthropic, &wire).await, ["delta \"a\"", last], "{shown}");
    }
}

#[tokio::test]
async fn anthropics_counts_are_cumulative_and_include_what_was_cached() {
    let start = r#"{"type":"message_start","message":{"usage":{"input_tokens":5,"cache_creation_input_tokens":20,
        "cache_read_input_tokens":300,"output_tokens":1}}}"#;
    let delta =
        |usage: &str| format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"end_turn"}},"usage":{usage}}}"#);
    let start = start.replace('\n', "");
    let wire = sse(&[
        &start,
        WORD,
        &delta(r#"{"output_tokens":7}"#),
        &delta(r#"{"output_tokens":9,"input_tokens":null}"#),
        STOP,
    ]);
    let expected = ["usage 325 1", "delta \"a\"", "usage 325 7", "usage 325 9", "finish Stop"];
    assert_eq!(chat(Dialect::Anthropic, &wire).await, expected);
}

fn chunk(text: &str, reason: &str) -> String {
    let reason = if reason.is_empty() { String::new() } else { format!(r#","finishReason":"{reason}""#) };
    format!(r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{text}"}}],"role":"model"}}{reason}}}]}}"#)
}

#[tokio::test]
async fn gemini_ends_with_a_reason_and_the_end_of_its_body() {
    let ended = |reason: &str| sse(&[&chunk("a", ""), &chunk("", reason)]);
    let failed = |status: &str| sse(&[&chunk("a", ""), &format!(r#"{{"error":{{"status":"{status}"}}}}"#)]);
    let table = [
        (sse(&[&chunk("a", "")]), "error upstream_truncated"),
        (ended("FINISH_REASON_UNSPECIFIED"), "error upstream_truncated"),
        // Whoever puts a reason on every chunk means the last one.
        (sse(&[&chunk("", "STOP"), &chunk("a", "STOP"), &chunk("", "MAX_TOKENS")]), "finish Length"),
        (sse(&[&chunk("", "STOP"), &chunk("a", "")]), "error upstream_truncated"),
        (ended("STOP"), "finish Stop"),
        (sse(&[&chunk("a", "STOP"), r#"{"modelVersion":"x"}"#]), "finish Stop"),
        (sse(&[&chunk("a", ""), r#"{"candidates":[{"finishReason":"STOP"}]}"#]), "finish Stop"),
        (ended("MAX_TOKENS"), "finish Length"),
        (ended("SAFETY"), "finish ContentFilter"),
        (ended("RECITATION"), "finish ContentFilter"),
        (ended("BLOCKLIST"), "finish ContentFilter"),
        (ended("PROHIBITED_CONTENT"), "finish ContentFilter"),
        (ended("SPII"), "finish ContentFilter"),
        (ended("LANGUAGE"), "finish Other"),
        (ended("MALFORMED_FUNCTION_CALL"), "finish Other"),
        (ended("SOMETHING_NEW"), "finish Other"),
        (failed("UNAVAILABLE"), "error provider_unavailable"),
        (failed("INTERNAL"), "error provider_unavailable"),
        (failed("SOMETHING_NEW"), "error provider_unavailable"),
        (failed("RESOURCE_EXHAUSTED"), "error provider_rate_limited"),
        (failed("DEADLINE_EXCEEDED"), "error provider_timeout"),
        (failed("INVALID_ARGUMENT"), "error provider_rejected"),
        (failed("PERMISSION_DENIED"), "error provider_auth"),
        (sse(&[&chunk("a", "STOP"), "{\"candidates\":"]), "error provider_protocol"),
        ([sse(&[&chunk("a", "STOP")]), b"data: {\"candidates\":[".to_vec()].concat(), "error upstream_truncated"),
        ([sse(&[&chunk("a", "STOP")]), b"data: {}\n".to_vec()].concat(), "error upstream_truncated"),
    ];
    for (wire, last) in table {
        let shown = String::from_utf8_lossy(&wire).into_owned();
        assert_eq!(chat(Dialect::Gemini, &wire).await, ["delta \"a\"", last], "{shown}");
    }
}

#[tokio::test]
async fn gemini_says_why_there_is_no_answer() {
    let blocked = r#"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":9}}"#;
    assert_eq!(chat(Dialect::Gemini, &sse(&[blocked])).await, ["usage 9 0", "finish ContentFilter"]);
    let thought = r#"{"candidates":[{"content":{"parts":[{"text":"Hm.","thought":true},{"functionCall":{}},{"text":"a"}]},
        "index":0},{"content":{"parts":[{"text":"other"}]},"index":1,"finishReason":"STOP"}]}"#;
    let lines = chat(Dialect::Gemini, &sse(&[&thought.replace('\n', ""), &chunk("", "STOP")])).await;
    assert_eq!(lines, ["delta \"a\"", "finish Stop"]);
}
