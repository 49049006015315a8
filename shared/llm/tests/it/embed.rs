//! Embeddings: order, batches, and vectors that nobody should store.

use docent_llm::{Dialect, EmbedRequest, Embeddings, Error, ErrorKind, InputType};
use serde_json::{Value, json};

use crate::server::{CANARY, Then, cassette, endpoint, json as answer_json, replay, serve, transport};

fn documents(inputs: &[String]) -> EmbedRequest<'_> {
    EmbedRequest { model: "m", inputs, input_type: InputType::Document }
}

async fn embed(dialect: Dialect, wire: &[u8], count: usize) -> Result<Embeddings, Error> {
    let inputs: Vec<String> = (0..count).map(|nth| format!("text {nth}")).collect();
    replay(wire, async |base| transport().embed(&endpoint(dialect, base), &documents(&inputs)).await).await
}

#[tokio::test]
async fn vectors_come_in_the_order_of_the_inputs_and_with_length_one() {
    let openai = embed(Dialect::OpenAi, &cassette!("openai_embeddings"), 3).await.unwrap();
    assert_eq!(openai.vectors, [[0.6, -0.8], [0.0, 1.0], [1.0, 0.0]]);
    assert_eq!(openai.input_tokens, 8);
    let ollama = embed(Dialect::Ollama, &cassette!("ollama_embed"), 2).await.unwrap();
    assert_eq!(ollama.vectors, [[0.6, -0.8], [0.0, 1.0]]);
    assert_eq!(ollama.input_tokens, 8);
}

#[tokio::test]
async fn nothing_to_embed_asks_nobody() {
    let nothing = serve(
        |_, request| panic!("a request came: {request}"),
        async |base| transport().embed(&endpoint(Dialect::OpenAi, base), &documents(&[])).await,
    );
    assert_eq!(nothing.await, Ok(Embeddings::default()));
}

/// What was asked of a provider for two texts, and what came of its answer.
async fn exchange(dialect: Dialect, model: &str, input_type: InputType, wire: Vec<u8>) -> (String, Value, Embeddings) {
    let mut seen = String::new();
    let record = |_, request| {
        seen = request;
        (wire.clone(), Then::Close)
    };
    let inputs = ["a".to_owned(), "b".to_owned()];
    let request = EmbedRequest { model, inputs: &inputs, input_type };
    let embeddings = serve(record, async |base| transport().embed(&endpoint(dialect, base), &request).await.unwrap());
    let embeddings = embeddings.await;
    let (head, body) = seen.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), serde_json::from_str(body).unwrap(), embeddings)
}

const UNIT: [[f32; 2]; 2] = [[0.6, -0.8], [0.0, 1.0]];

#[tokio::test]
async fn gemini_is_told_what_the_text_is_for() {
    let one = |text: &str, task: &str| json!({"model": "models/gemini-embedding-001", "content": {"parts": [{"text": text}]}, "taskType": task});
    let worded = |text: &str| json!({"model": "models/gemini-embedding-2", "content": {"parts": [{"text": text}]}});
    let (document, query) = ("title: none | text: ", "task: search result | query: ");
    let table = [
        ("gemini-embedding-001", InputType::Document, ["a", "b"].map(|text| one(text, "RETRIEVAL_DOCUMENT"))),
        ("models/gemini-embedding-001", InputType::Query, ["a", "b"].map(|text| one(text, "RETRIEVAL_QUERY"))),
        ("gemini-embedding-2", InputType::Document, ["a", "b"].map(|text| worded(&format!("{document}{text}")))),
        ("models/gemini-embedding-2", InputType::Query, ["a", "b"].map(|text| worded(&format!("{query}{text}")))),
    ];
    for (model, input_type, requests) in table {
        let wire = cassette!("gemini_embeddings");
        let (head, body, embeddings) = exchange(Dialect::Gemini, model, input_type, wire).await;
        let name = model.trim_start_matches("models/");
        assert!(head.starts_with(&format!("POST /v1beta/models/{name}:batchEmbedContents HTTP/1.1")), "{head}");
        assert!(head.contains(&format!("x-goog-api-key: {CANARY}")) && !head.contains("authorization"), "{head}");
        assert_eq!(body, json!({ "requests": requests }), "{model} {input_type:?}");
        assert_eq!((embeddings.vectors.as_slice(), embeddings.input_tokens), (UNIT.map(Vec::from).as_slice(), 0));
    }
}

#[tokio::test]
async fn cohere_is_told_what_the_text_is_for() {
    for (input_type, name) in [(InputType::Document, "search_document"), (InputType::Query, "search_query")] {
        let wire = cassette!("cohere_embed");
        let (head, body, embeddings) = exchange(Dialect::Cohere, "embed-v4.0", input_type, wire).await;
        assert!(head.starts_with("POST /v2/embed HTTP/1.1"), "{head}");
        assert!(head.contains(&format!("authorization: Bearer {CANARY}")), "{head}");
        let expected =
            json!({"model": "embed-v4.0", "texts": ["a", "b"], "input_type": name, "embedding_types": ["float"]});
        assert_eq!(body, expected);
        assert_eq!((embeddings.vectors.as_slice(), embeddings.input_tokens), (UNIT.map(Vec::from).as_slice(), 3));
    }
}

/// Neither numbers its vectors, so their count is all there is to check.
#[tokio::test]
async fn every_input_has_its_vector_whoever_answers() {
    for (dialect, count, body) in [
        (Dialect::Gemini, 3, r#"{"embeddings":[{"values":[1,0]},{"values":[0,1]}]}"#),
        (Dialect::Gemini, 1, r#"{"embeddings":[{"values":[1,0]},{"values":[0,1]}]}"#),
        (Dialect::Gemini, 1, r#"{"embeddings":[{"values":[]}]}"#),
        (Dialect::Gemini, 1, r#"{"embedding":{"values":[1,0]}}"#),
        (Dialect::Cohere, 3, r#"{"embeddings":{"float":[[1,0],[0,1]]}}"#),
        (Dialect::Cohere, 1, r#"{"embeddings":{"float":[[1,0],[0,1]]}}"#),
        (Dialect::Cohere, 1, r#"{"embeddings":{"int8":[[1,0]]}}"#),
        (Dialect::Cohere, 1, r#"{"embeddings":{"float":[[0,0]]}}"#),
        (Dialect::Ollama, 2, r#"{"embeddings":[[1,0]]}"#),
    ] {
        let error = embed(dialect, &answer_json(200, body), count).await.unwrap_err();
        assert_eq!(error.code(), "provider_protocol", "{dialect:?} {count} {body}");
    }
    let nobody = embed(Dialect::Anthropic, &answer_json(200, "{}"), 1).await.unwrap_err();
    assert_eq!(nobody.to_string(), "Anthropic has no embedding models.");
}

/// The first number of every vector is the number in its text, so a mixed-up order shows.
fn numbered(request: &str) -> Vec<u8> {
    let body: Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
    let inputs = body["input"].as_array().unwrap();
    let vectors: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let number: f32 = text.as_str().unwrap().parse().unwrap();
            json!({"index": index, "embedding": [number, 1.0]})
        })
        .collect();
    answer_json(200, &json!({"data": vectors, "usage": {"prompt_tokens": inputs.len()}}).to_string())
}

#[tokio::test]
async fn batches_are_joined_in_order() {
    let inputs: Vec<String> = (0..150).map(|number| number.to_string()).collect();
    let mut sizes = Vec::new();
    let reply = |_, request: String| {
        sizes.push(request.matches("\",\"").count() + 1);
        (numbered(&request), Then::Close)
    };
    let all = serve(reply, async |base| {
        transport().embed(&endpoint(Dialect::OpenAi, base), &documents(&inputs)).await.unwrap()
    })
    .await;
    assert_eq!(sizes.len(), 3);
    assert_eq!(all.input_tokens, 150);
    for (number, vector) in all.vectors.iter().enumerate() {
        let expected = number as f32;
        assert!((vector[0] / vector[1] - expected).abs() < 0.01, "{number}: {vector:?}");
    }
}

#[tokio::test]
async fn vectors_that_nobody_should_store_are_refused() {
    let table = [
        ("fewer than inputs", r#"{"data":[{"index":0,"embedding":[1,0]}]}"#),
        (
            "more than inputs",
            r#"{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1]},{"index":2,"embedding":[1]}]}"#,
        ),
        ("twice the same index", r#"{"data":[{"index":0,"embedding":[1,0]},{"index":0,"embedding":[1,0]}]}"#),
        ("a gap", r#"{"data":[{"index":0,"embedding":[1,0]},{"index":2,"embedding":[1,0]}]}"#),
        ("mixed dimensions", r#"{"data":[{"index":0,"embedding":[1,0]},{"index":1,"embedding":[1,0,0]}]}"#),
        ("null for a number", r#"{"data":[{"index":0,"embedding":[1,0]},{"index":1,"embedding":[null,0]}]}"#),
        ("beyond f32", r#"{"data":[{"index":0,"embedding":[1,0]},{"index":1,"embedding":[1e39,0]}]}"#),
        ("NaN in base64", r#"{"data":[{"index":0,"embedding":[1,0]},{"index":1,"embedding":"AADAfwAAAAA="}]}"#),
        ("no whole number in base64", r#"{"data":[{"index":0,"embedding":[1,0]},{"index":1,"embedding":"AAA="}]}"#),
        ("all zero", r#"{"data":[{"index":0,"embedding":[1,0]},{"index":1,"embedding":[0,0]}]}"#),
        ("another document", r#"{"hello":"world"}"#),
        ("no JSON", "hello"),
    ];
    for (name, body) in table {
        let error = embed(Dialect::OpenAi, &answer_json(200, body), 2).await.unwrap_err();
        assert_eq!(error.code(), "provider_protocol", "{name}");
    }
    let cut = answer_json(200, r#"{"data":[]}"#);
    let cut = String::from_utf8(cut).unwrap().replace("\r\n\r\n", "\r\ncontent-length: 500\r\n\r\n");
    assert_eq!(embed(Dialect::OpenAi, cut.as_bytes(), 2).await.unwrap_err().code(), "upstream_truncated");
}

/// As the providers word it: half of such a request may be welcome, and waiting does not help.
#[tokio::test]
async fn what_is_too_much_at_once_is_told_apart() {
    let large = [
        (
            400,
            r#"{"error":{"message":"Requested 313102 tokens, max 300000 tokens per request","type":"max_tokens_per_request","param":null,"code":"max_tokens_per_request"}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"This model's maximum context length is 8192 tokens","type":"invalid_request_error","param":null,"code":"context_length_exceeded"}}"#,
        ),
        (
            429,
            r#"{"error":{"message":"Request too large for text-embedding-3-small on tokens per min (TPM): Limit 150000, Requested 297000.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
        ),
        (
            400,
            r#"{"object":"error","message":"Too many tokens in batch. Max is 16384 got 17555","type":"invalid_request_error","param":null,"code":null}"#,
        ),
        (
            400,
            r#"{"object":"error","message":"Too many inputs in request, split into more batches.","type":"invalid_request_prompt","code":"3210"}"#,
        ),
        (
            400,
            r#"{"detail":"Request to model 'voyage-3' failed. The max allowed tokens per submitted batch is 120000."}"#,
        ),
        (400, r#"{"message":"invalid request: total number of texts must be at most 96"}"#),
        (
            400,
            r#"[{"error":{"code":400,"message":"at most 100 requests can be in one batch","status":"INVALID_ARGUMENT"}}]"#,
        ),
        (413, "{}"),
    ];
    let gemini = r#"{"error":{"code":400,"message":"* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch","status":"INVALID_ARGUMENT"}}"#;
    let error = embed(Dialect::Gemini, &answer_json(400, gemini), 2).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    for (status, body) in large {
        let error = embed(Dialect::OpenAi, &answer_json(status, body), 2).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.code(), error.retryable()),
            (ErrorKind::TooLarge, "provider_rejected", false),
            "{body}"
        );
    }
}

#[tokio::test]
async fn what_is_refused_for_another_reason_is_not_too_much() {
    for (status, body, code) in [
        (
            400,
            r#"{"error":{"message":"Invalid model","type":"invalid_request_error","code":null}}"#,
            "provider_rejected",
        ),
        (
            429,
            r#"{"error":{"message":"Rate limit reached","type":"tokens","code":"rate_limit_exceeded"}}"#,
            "provider_rate_limited",
        ),
        (
            429,
            r#"{"error":{"message":"You exceeded your current quota, too large a bill","code":"insufficient_quota"}}"#,
            "provider_quota",
        ),
        (401, r#"{"error":{"message":"Incorrect API key: too long","code":"invalid_api_key"}}"#, "provider_auth"),
        (503, r#"{"message":"too large a queue"}"#, "provider_unavailable"),
    ] {
        let error = embed(Dialect::OpenAi, &answer_json(status, body), 2).await.unwrap_err();
        assert_eq!(error.code(), code, "{body}");
        assert_ne!(error.kind(), ErrorKind::TooLarge, "{body}");
    }
}
