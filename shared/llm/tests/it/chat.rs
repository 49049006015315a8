//! What is sent for a chat, and what a whole answer becomes.

use std::time::Duration;

use docent_llm::{ChatStream, Dialect, Event};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::server::{
    CANARY, Then, cassette, cassettes, chat, endpoint, first_word, question, serve, sse, transcript, transport,
};

#[tokio::test]
async fn a_whole_answer_is_events_with_one_finish() {
    let expected = ["delta \"Grüße\"", "delta \" 🦀 [1]\\n\"", "usage 19 10", "finish Stop"];
    assert_eq!(chat(Dialect::OpenAi, &cassette!("openai_chat")).await, expected);
    let expected = ["delta \"Grüße\"", "delta \" 🦀 [1]\\n\"", "usage 26 10", "finish Stop"];
    assert_eq!(chat(Dialect::Ollama, &cassette!("ollama_chat")).await, expected);
}

/// The same sentence from everybody: comments, pings, thoughts and fields of their own make no difference.
#[tokio::test]
async fn every_provider_says_the_same_in_its_own_way() {
    let ends = [
        ("xai", "usage 41 12", "finish Stop"),
        ("groq", "usage 44 13", "finish Stop"),
        ("mistral", "usage 38 12", "finish Length"),
        ("openrouter", "usage 52 15", "finish Stop"),
        ("anthropic", "usage 32 35", "finish Stop"),
        ("gemini", "usage 33 52", "finish Stop"),
    ];
    let words = ["Gr", "üße", " aus", " Zürich", ": die", " Gezeiten", " folgen", " dem Mond", " 🦀", " [1]\n"];
    for (name, usage, finish) in ends {
        let (_, dialect, wire) = cassettes().into_iter().find(|(known, ..)| *known == name).unwrap();
        let lines = chat(dialect, &wire).await;
        let deltas: Vec<&String> = lines.iter().filter(|line| line.starts_with("delta")).collect();
        assert_eq!(deltas, words.map(|word| format!("delta {word:?}")).iter().collect::<Vec<_>>(), "{name}");
        assert_eq!(lines[lines.len() - 2..], [usage, finish], "{name}");
    }
}

#[tokio::test]
async fn an_error_inside_a_stream_ends_it_and_keeps_the_text_before() {
    let lines = chat(Dialect::OpenAi, &cassette!("openrouter_error")).await;
    assert_eq!(lines, ["delta \"Half\"", "error provider_rate_limited"]);
    let lines = chat(Dialect::Ollama, &cassette!("ollama_error")).await;
    assert_eq!(lines, ["delta \"Half\"", "error provider_unavailable"]);
}

#[tokio::test]
async fn openai_needs_both_halves_of_its_end_marker() {
    let text = r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}"#;
    let stop = |reason: &str| format!(r#"{{"choices":[{{"index":0,"delta":{{}},"finish_reason":"{reason}"}}]}}"#);
    let table = [
        (sse(&[text, "[DONE]"]), "error upstream_truncated"),
        (sse(&[text, &stop("stop")]), "error upstream_truncated"),
        (sse(&[text, &stop("stop"), "[DONE]"]), "finish Stop"),
        (sse(&[text, &stop("length"), "[DONE]", "not read any more"]), "finish Length"),
        (sse(&[text, &stop("content_filter"), "[DONE]"]), "finish ContentFilter"),
        (sse(&[text, &stop("tool_calls"), "[DONE]"]), "finish Other"),
        (sse(&[text, &stop("error"), "[DONE]"]), "error provider_unavailable"),
        (sse(&[text, r#"{"error":{"type":"server_error","code":null}}"#]), "error provider_unavailable"),
        (sse(&[text, r#"{"error":{"code":"context_length_exceeded"}}"#]), "error provider_rejected"),
        (sse(&[text, "{\"choices\":"]), "error provider_protocol"),
    ];
    for (wire, last) in table {
        let lines = chat(Dialect::OpenAi, &wire).await;
        assert_eq!(lines, ["delta \"a\"", last]);
    }
}

#[tokio::test]
async fn an_answer_that_is_whole_and_says_nothing_is_none() {
    let word = |text: &str| format!(r#"{{"choices":[{{"index":0,"delta":{{"content":{}}}}}]}}"#, json!(text));
    let stop = |reason: &str| format!(r#"{{"choices":[{{"index":0,"delta":{{}},"finish_reason":"{reason}"}}]}}"#);
    let refused = ["refused provider_empty"].as_slice();
    let table = [
        (sse(&[&stop("stop"), "[DONE]"]), refused),
        (sse(&[&word(""), &word(" \n"), &stop("stop"), "[DONE]"]), refused),
        // The provider says why there is nothing.
        (sse(&[&stop("length"), "[DONE]"]), &["finish Length"]),
        (sse(&[&stop("content_filter"), "[DONE]"]), &["finish ContentFilter"]),
        (sse(&[&word(" \n"), &word("a"), &stop("stop"), "[DONE]"]), &["delta \" \\n\"", "delta \"a\"", "finish Stop"]),
    ];
    for (wire, expected) in table {
        assert_eq!(chat(Dialect::OpenAi, &wire).await, expected);
    }
}

#[tokio::test]
async fn other_choices_are_not_mixed_into_the_answer_and_a_refusal_is_shown() {
    let wire = sse(&[
        r#"{"choices":[{"index":1,"delta":{"content":"other"}},{"index":0,"delta":{"refusal":"No."}}]}"#,
        r#"{"choices":[{"index":0,"finish_reason":"stop"}]}"#,
        "[DONE]",
    ]);
    assert_eq!(chat(Dialect::OpenAi, &wire).await, ["delta \"No.\"", "finish Stop"]);
}

pub(crate) async fn sent(dialect: Dialect, wire: Vec<u8>, key: bool) -> (String, Value) {
    let mut seen = String::new();
    let record = |_, request| {
        seen = request;
        (wire.clone(), Then::Close)
    };
    serve(record, async |base| {
        let mut endpoint = endpoint(dialect, base);
        endpoint.key = endpoint.key.filter(|_| key);
        transcript(transport().chat(&endpoint, &question()).await).await
    })
    .await;
    let (head, body) = seen.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn the_requests_are_the_documented_ones() {
    let messages = json!([
        {"role": "system", "content": "Answer from the sources."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Who?"},
    ]);
    let (head, body) = sent(Dialect::OpenAi, cassette!("openai_chat"), true).await;
    assert!(head.starts_with("POST /v1/chat/completions HTTP/1.1"), "{head}");
    assert!(head.contains(&format!("authorization: Bearer {CANARY}")), "{head}");
    assert!(head.contains("accept: text/event-stream") && head.contains("content-type: application/json"), "{head}");
    let expected = json!({"model": "test-model", "messages": messages, "stream": true, "max_tokens": 64,
        "temperature": 0.2, "stream_options": {"include_usage": true}});
    assert_eq!(body, expected);

    let (head, body) = sent(Dialect::Ollama, cassette!("ollama_chat"), false).await;
    assert!(head.starts_with("POST /api/chat HTTP/1.1") && !head.contains("authorization"), "{head}");
    let expected = json!({"model": "test-model", "messages": messages, "stream": true,
        "options": {"num_predict": 64, "temperature": 0.2}});
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_dropped_stream_hangs_up_on_the_provider() {
    let gone = Notify::new();
    let half = first_word();
    serve(
        |_, _| (half.clone(), Then::Tell(&gone)),
        async |base| {
            let mut stream: ChatStream = transport().chat(&endpoint(Dialect::OpenAi, base), &question()).await.unwrap();
            assert_eq!(stream.next().await, Some(Ok(Event::Delta("Grüße".into()))));
            drop(stream);
            tokio::time::timeout(Duration::from_millis(250), gone.notified()).await.expect("cancelled within 250 ms");
        },
    )
    .await;
}
