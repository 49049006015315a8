//! The key check's verdicts, and that a key is never printed.

use docent_llm::{Dialect, Error, KeyStatus};
use futures_util::StreamExt;

use crate::server::{CANARY, answer, cassette, endpoint, json, question, replay, transport};

#[tokio::test]
async fn the_check_gives_a_verdict_or_says_why_it_has_none() {
    let page = |status| answer(status, "content-type: text/html", "<html>");
    let table = [
        (cassette!("openai_models"), Ok(KeyStatus::Valid)),
        (json(401, r#"{"error":{"code":"invalid_api_key"}}"#), Ok(KeyStatus::Invalid)),
        (json(403, r#"{"error":{"message":"missing scopes"}}"#), Ok(KeyStatus::Restricted)),
        (json(402, "{}"), Ok(KeyStatus::NoCredit)),
        (cassette!("openai_quota"), Ok(KeyStatus::NoCredit)),
        (json(429, "{}"), Err("provider_rate_limited")),
        (json(500, "{}"), Err("provider_unavailable")),
        (json(404, "{}"), Err("provider_rejected")),
        (page(200), Err("provider_protocol")),
        (page(403), Err("provider_protocol")),
        (json(200, "<html>"), Err("provider_protocol")),
        (Vec::new(), Err("provider_unavailable")),
    ];
    for (wire, expected) in table {
        let verdict = replay(&wire, async |base| transport().check(&endpoint(Dialect::OpenAi, base)).await).await;
        let shown = String::from_utf8_lossy(&wire[..wire.len().min(120)]).into_owned();
        assert_eq!(verdict.map_err(|error| error.code()), expected, "{shown}");
    }
    let ollama = cassette!("ollama_tags");
    let verdict = replay(&ollama, async |base| transport().check(&endpoint(Dialect::Ollama, base)).await).await;
    assert_eq!(verdict, Ok(KeyStatus::Valid));
}

fn assert_clean(printed: &str) {
    for secret in [CANARY, "canary", "SECRET-PROVIDER-TEXT"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

fn assert_clean_error(error: &Error) {
    assert_clean(&format!("{error} {error:?} {} {}", error.hint(), error.code()));
    assert!(std::error::Error::source(error).is_none(), "a source would carry foreign text");
}

#[tokio::test]
async fn keys_and_provider_text_are_never_printed() {
    let transport = transport();
    // Both cassettes quote the key, as real providers do.
    replay(&cassette!("openai_quota"), async |base| {
        let endpoint = endpoint(Dialect::OpenAi, base);
        assert_clean(&format!("{endpoint:?} {transport:?}"));
        assert_clean_error(&transport.chat(&endpoint, &question()).await.unwrap_err());
        assert_clean_error(&transport.models(&endpoint).await.unwrap_err());
    })
    .await;
    replay(&cassette!("openrouter_error"), async |base| {
        let mut stream = transport.chat(&endpoint(Dialect::OpenAi, base), &question()).await.unwrap();
        assert_clean(&format!("{stream:?}"));
        let mut failed = false;
        while let Some(item) = stream.next().await {
            if let Err(error) = item {
                assert_clean_error(&error);
                failed = true;
            }
        }
        assert!(failed);
    })
    .await;
}

#[tokio::test]
async fn an_address_with_a_password_prints_only_its_origin() {
    let mut endpoint = endpoint(Dialect::OpenAi, "https://user:canary@api.example/v1?key=canary".parse().unwrap());
    endpoint.key = None;
    assert_clean(&format!("{endpoint:?}"));
    assert_clean_error(&transport().models(&endpoint).await.unwrap_err());
}

#[tokio::test]
async fn a_key_that_would_forge_a_header_is_refused() {
    let mut endpoint = endpoint(Dialect::OpenAi, "http://127.0.0.1:9".parse().unwrap());
    endpoint.key = Some(format!("{CANARY}\r\nx-forged: 1").into());
    let error = transport().models(&endpoint).await.unwrap_err();
    assert_eq!(error.code(), "provider_auth");
    assert_clean_error(&error);
}
