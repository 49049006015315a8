//! Asking again: only what may be better soon, only before the first word, and not for ever.

use std::time::{Duration, Instant};

use docent_llm::{ChatRequest, Dialect, Error, Limits, Transport};

use crate::server::{Then, answer, cassette, endpoint, json, limits, question, serve, sse, transcript};

const TWICE: fn() -> Limits = || Limits { retries: 2, ..limits() };

/// Chats once with a provider that gives these answers, the last one for ever; also how often it was asked.
async fn chat(dialect: Dialect, limits: Limits, answers: &[Vec<u8>]) -> (Vec<String>, usize) {
    let mut asked = 0;
    let reply = |nth: usize, _| {
        asked = nth + 1;
        (answers[nth.min(answers.len() - 1)].clone(), Then::Close)
    };
    let lines = serve(reply, async |base| {
        transcript(Transport::new(limits).chat(&endpoint(dialect, base), &question()).await).await
    })
    .await;
    (lines, asked)
}

#[tokio::test]
async fn an_answer_is_asked_for_again_before_its_first_word() {
    let good = cassette!("anthropic_chat");
    let limited = |header: &str| answer(429, &format!("content-type: application/json\n{header}"), "{}");
    let start = r#"{"type":"message_start","message":{"usage":{"input_tokens":9,"output_tokens":1}}}"#;
    let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let word = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}"#;
    // (what comes first, whether it is asked for again, how the last line begins)
    let table = [
        (json(503, "{}"), true, "finish"),
        (json(529, overloaded), true, "finish"),
        (Vec::new(), true, "finish"),
        (limited("x-other: 1"), true, "finish"),
        (limited("retry-after: 0"), true, "finish"),
        (sse(&[overloaded]), true, "finish"),
        (sse(&[start, overloaded]), true, "finish"),
        (limited("retry-after: 11"), false, "refused provider_rate_limited"),
        (json(401, "{}"), false, "refused provider_auth"),
        (json(402, "{}"), false, "refused provider_quota"),
        (json(400, "{}"), false, "refused provider_rejected"),
        (json(408, "{}"), false, "refused provider_timeout"),
        (answer(200, "content-type: text/html", "<html>"), false, "refused provider_protocol"),
        (sse(&[start]), false, "refused upstream_truncated"),
        (sse(&[start, word, overloaded]), false, "error provider_unavailable"),
        (sse(&[start, word]), false, "error upstream_truncated"),
    ];
    for (first, again, last) in table {
        let shown = String::from_utf8_lossy(&first).into_owned();
        let (lines, asked) = chat(Dialect::Anthropic, TWICE(), &[first, good.clone()]).await;
        assert_eq!(asked, if again { 2 } else { 1 }, "{shown}");
        assert!(lines.last().unwrap().starts_with(last), "{shown}: {lines:?}");
        // Nothing of the attempt that failed is left in the answer of the one that did not.
        assert!(!again || lines[0] == "usage 32 1", "{shown}: {lines:?}");
    }
}

#[tokio::test]
async fn a_provider_that_stays_down_is_asked_three_times() {
    let down = [json(500, "{}")];
    let (lines, asked) = chat(Dialect::Gemini, TWICE(), &down).await;
    assert_eq!((lines, asked), (vec!["refused provider_unavailable".to_owned()], 3));
    assert_eq!(chat(Dialect::Gemini, limits(), &down).await.1, 1, "without retries");
}

#[tokio::test]
async fn a_wait_that_the_provider_names_is_kept_within_the_deadline() {
    let limited = r#"[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"0.4s"}]}}]"#;
    let answers = [json(429, limited), cassette!("gemini_chat")];
    let begun = Instant::now();
    let (lines, asked) = chat(Dialect::Gemini, TWICE(), &answers).await;
    assert!(lines.last().unwrap() == "finish Stop" && asked == 2, "{lines:?}");
    assert!(begun.elapsed() >= Duration::from_millis(400), "{:?}", begun.elapsed());

    let short = Limits { total: Duration::from_millis(300), ..TWICE() };
    let begun = Instant::now();
    let (lines, asked) = chat(Dialect::Gemini, short, &answers).await;
    assert_eq!((lines, asked), (vec!["refused provider_rate_limited".to_owned()], 1));
    assert!(begun.elapsed() < Duration::from_millis(300), "nobody waits for what cannot come");
}

#[tokio::test]
async fn a_model_that_keeps_failing_is_left_alone() {
    let mut asked = 0;
    let reply = |nth: usize, _| {
        asked = nth + 1;
        (json(503, "{}"), Then::Close)
    };
    serve(reply, async |base| {
        let transport = Transport::new(Limits { breaker_faults: 3, ..limits() });
        let endpoint = endpoint(Dialect::OpenAi, base);
        let fail = async |model: &str| -> Error {
            let request = ChatRequest { model: model.into(), ..question() };
            transport.chat(&endpoint, &request).await.unwrap_err()
        };
        for _ in 0..3 {
            assert!(!fail("one").await.to_string().contains("left alone"));
        }
        let error = fail("one").await;
        assert_eq!((error.code(), error.retryable()), ("provider_unavailable", true));
        assert!(error.to_string().contains("left alone"), "{error}");
        assert!(!fail("two").await.to_string().contains("left alone"));
    })
    .await;
    assert_eq!(asked, 4, "three for one model, one for the other");
}
