//! Cohere: chat by its copy of OpenAI's dialect, embeddings by its own, where a question and a document are told apart.
//! <https://docs.cohere.com/reference/embed>, <https://docs.cohere.com/docs/compatibility-api>

use serde::{Deserialize, Serialize};
use url::Url;

use crate::count::Count;
use crate::dialect::{Call, join, without};
use crate::embed::{EmbedLimits, Pace};
use crate::{ChatRequest, EmbedRequest, Embeddings, Endpoint, Error, ErrorKind, InputType, openai};

/// A longer input is cut at its end, not refused.
pub(crate) const EMBED: EmbedLimits = EmbedLimits {
    inputs: 96,
    input_tokens: 8192,
    tokens: 300_000,
    pace: Some(Pace { requests: 2000, tokens: 10_000_000 }),
};

pub(crate) fn chat(endpoint: &Endpoint, request: &ChatRequest) -> Result<Call, Error> {
    let base_url = join(&home(endpoint), &["compatibility", "v1"])?;
    openai::chat(&Endpoint { base_url, ..endpoint.clone() }, request)
}

pub(crate) fn embed(endpoint: &Endpoint, request: &EmbedRequest<'_>) -> Result<Call, Error> {
    let body = Body {
        model: request.model,
        texts: request.inputs,
        input_type: match request.input_type {
            InputType::Document => "search_document",
            InputType::Query => "search_query",
        },
        embedding_types: ["float"],
    };
    Call::post(join(&home(endpoint), &["v2", "embed"])?, endpoint, &body)
}

/// Vectors come in the order of the inputs, without numbers.
pub(crate) fn embeddings(body: &[u8]) -> Result<Embeddings, Error> {
    let reply: Reply = parse(body)?;
    let billed = reply.meta.and_then(|meta| meta.billed_units);
    let tokens = billed.map_or(0, |units| units.input_tokens.or_zero());
    Ok(Embeddings { vectors: reply.embeddings.float, input_tokens: tokens })
}

pub(crate) fn check(endpoint: &Endpoint) -> Result<Call, Error> {
    page(endpoint, "page_size=1")
}

/// As many as one page holds. <https://docs.cohere.com/reference/list-models>
pub(crate) fn list(endpoint: &Endpoint) -> Result<Call, Error> {
    page(endpoint, "page_size=1000")
}

pub(crate) fn models(body: &[u8]) -> Result<Vec<String>, Error> {
    let list: ModelList = parse(body)?;
    Ok(list.models.into_iter().map(|model| model.name).collect())
}

/// Without the names of its surfaces, of which the base may be any.
pub(crate) fn home(endpoint: &Endpoint) -> Url {
    without(&endpoint.base_url, &["/compatibility/v1", "/v1", "/v2"])
}

fn page(endpoint: &Endpoint, query: &str) -> Result<Call, Error> {
    let mut url = join(&home(endpoint), &["v1", "models"])?;
    url.set_query(Some(query));
    Ok(Call { named: |_| None, ..Call::get(url, endpoint) })
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|_| ErrorKind::Protocol.into())
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    texts: &'a [String],
    input_type: &'static str,
    embedding_types: [&'static str; 1],
}

#[derive(Deserialize)]
struct Reply {
    embeddings: ByType,
    meta: Option<Meta>,
}

#[derive(Deserialize)]
struct ByType {
    float: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
struct Meta {
    billed_units: Option<Billed>,
}

#[derive(Deserialize)]
struct Billed {
    #[serde(default)]
    input_tokens: Count,
}

#[derive(Deserialize)]
struct ModelList {
    models: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    name: String,
}
