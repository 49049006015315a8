//! Rerankers over the wire: the order that comes back, and what refusals and broken replies become.

use docent_llm::{Dialect, Error, Ranked, RerankRequest};

use crate::server::{Then, endpoint, json, serve, transport};

async fn rerank(status: u16, body: &str, passages: usize) -> Result<Vec<Ranked>, Error> {
    let passages: Vec<String> = (0..passages).map(|nth| format!("passage {nth}")).collect();
    let reply = |_, request: String| {
        assert!(request.starts_with("POST /v1/rerank ") && request.contains("\"passage 0\""), "{request}");
        (json(status, body), Then::Close)
    };
    let asked = RerankRequest { model: "m", query: "which?", passages: &passages, top: 2 };
    serve(reply, async |base| transport().rerank(&endpoint(Dialect::OpenAi, base), &asked).await).await
}

#[tokio::test]
async fn the_best_passage_comes_first() {
    let body = r#"{"model":"m","usage":{"total_tokens":12},"results":[
        {"index":0,"relevance_score":0.11},{"index":2,"relevance_score":0.98}]}"#;
    let ranked = rerank(200, body, 3).await.unwrap();
    assert_eq!(ranked.iter().map(|one| one.index).collect::<Vec<_>>(), [2, 0]);
}

#[tokio::test]
async fn refusals_and_broken_replies_have_their_codes() {
    for (status, body, code) in [
        (401, "{}", "provider_auth"),
        (429, "{}", "provider_rate_limited"),
        (503, "{}", "provider_unavailable"),
        (200, "[]", "provider_protocol"),
        (200, r#"{"results":[{"index":9,"relevance_score":0.5}]}"#, "provider_protocol"),
    ] {
        assert_eq!(rerank(status, body, 2).await.unwrap_err().code(), code, "{status} {body}");
    }
}

#[tokio::test]
async fn no_passages_ask_nobody() {
    let request = RerankRequest { model: "m", query: "which?", passages: &[], top: 2 };
    let nothing = serve(
        |_, request| panic!("a request came: {request}"),
        async |base| transport().rerank(&endpoint(Dialect::OpenAi, base), &request).await,
    );
    assert_eq!(nothing.await, Ok(Vec::new()));
}
