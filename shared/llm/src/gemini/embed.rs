//! Gemini's embeddings, where a question and a document are told apart.
//! <https://ai.google.dev/api/embeddings#method:-models.batchembedcontents>

use serde::{Deserialize, Serialize};

use super::{Model, parse, signed};
use crate::count::Count;
use crate::dialect::Call;
use crate::embed::{EmbedLimits, Pace};
use crate::{EmbedRequest, Embeddings, Endpoint, Error, InputType};

pub(crate) const EMBED: EmbedLimits = EmbedLimits {
    inputs: 100,
    input_tokens: 2048,
    tokens: 100 * 2048,
    pace: Some(Pace { requests: 3000, tokens: 1_000_000 }),
};

pub(crate) fn embed(endpoint: &Endpoint, request: &EmbedRequest<'_>) -> Result<Call, Error> {
    let model = Model::of(request.model);
    let resource = format!("{}/{}", model.collection, model.name);
    // This family reads over `taskType` and wants the words of its training instead.
    // <https://ai.google.dev/gemini-api/docs/embeddings>
    let worded = model.name.starts_with("gemini-embedding-2");
    let one = |input: &'_ String| {
        let (task, words) = match request.input_type {
            InputType::Document => ("RETRIEVAL_DOCUMENT", "title: none | text: "),
            InputType::Query => ("RETRIEVAL_QUERY", "task: search result | query: "),
        };
        let text = if worded { format!("{words}{input}") } else { input.clone() };
        One { model: &resource, content: Content { parts: [Part { text }] }, task_type: (!worded).then_some(task) }
    };
    let body = Batch { requests: request.inputs.iter().map(one).collect() };
    Ok(signed(Call::post(model.url(endpoint, "batchEmbedContents")?, endpoint, &body)?, endpoint))
}

/// Vectors come in the order of the inputs, without numbers; most models count no tokens.
pub(crate) fn embeddings(body: &[u8]) -> Result<Embeddings, Error> {
    let reply: Reply = parse(body)?;
    Ok(Embeddings {
        vectors: reply.embeddings.into_iter().map(|vector| vector.values).collect(),
        input_tokens: reply.usage_metadata.map_or(0, |counts| counts.prompt_token_count.or_zero()),
    })
}

#[derive(Serialize)]
struct Batch<'a> {
    requests: Vec<One<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct One<'a> {
    model: &'a str,
    content: Content,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_type: Option<&'static str>,
}

#[derive(Serialize)]
struct Content {
    parts: [Part; 1],
}

#[derive(Serialize)]
struct Part {
    text: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    embeddings: Vec<Numbers>,
    usage_metadata: Option<Counts>,
}

#[derive(Deserialize)]
struct Numbers {
    values: Vec<f32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    #[serde(default)]
    prompt_token_count: Count,
}
