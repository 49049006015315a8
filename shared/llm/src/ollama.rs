//! Ollama's own dialect: newline-delimited JSON that ends with `done:true`.
//! <https://github.com/ollama/ollama/blob/main/docs/api.md>

use serde::{Deserialize, Serialize};
use url::Url;

use crate::count::Count;
use crate::decode::{AnswerDecoder, FrameDecoder, Framing};
use crate::dialect::{Call, join, without};
use crate::embed::{EmbedLimits, estimate_tokens};
use crate::{
    ChatRequest, EmbedRequest, Embeddings, Endpoint, Error, ErrorKind, Event, Role, StopReason, Usage, ndjson,
};

/// A laptop computes these itself and answers only when all are done: small batches stay within the time limits. An
/// input beyond its model's context is cut, not refused.
pub(crate) const EMBED: EmbedLimits = EmbedLimits { inputs: 16, input_tokens: 2048, tokens: 300_000, pace: None };

/// What Ollama gives a prompt unasked. Beyond it the start of the prompt is dropped without a word.
const DEFAULT_CONTEXT: usize = 4096;
/// Larger contexts than this do not fit the machines that Ollama runs on.
const MAX_CONTEXT: usize = 128 * 1024;
/// Room for an answer whose length nobody limited.
const ANSWER_TOKENS: usize = 1024;

pub(crate) fn chat(endpoint: &Endpoint, request: &ChatRequest) -> Result<Call, Error> {
    let system = (!request.system.is_empty()).then_some(Message { role: "system", content: &request.system });
    let turns = request.turns.iter().map(|turn| Message {
        role: match turn.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        },
        content: &turn.text,
    });
    let body = ChatBody {
        model: &request.model,
        messages: system.into_iter().chain(turns).collect(),
        stream: true,
        options: Options {
            num_predict: request.max_tokens,
            temperature: request.temperature,
            num_ctx: context_size(request),
        },
    };
    Call::post(url(endpoint, "chat")?, endpoint, &body)
}

/// Sent only when the default would cut the prompt, in powers of two: every new size makes Ollama load the model anew.
fn context_size(request: &ChatRequest) -> Option<usize> {
    let prompt: usize = request.turns.iter().map(|turn| estimate_tokens(&turn.text)).sum();
    let answer = request.max_tokens.map_or(ANSWER_TOKENS, |tokens| tokens as usize);
    let needed = prompt.saturating_add(estimate_tokens(&request.system)).saturating_add(answer);
    (needed > DEFAULT_CONTEXT).then(|| needed.min(MAX_CONTEXT).next_power_of_two())
}

pub(crate) fn answer() -> AnswerDecoder {
    AnswerDecoder { framing: Framing::Lines(ndjson::Decoder::default()), frames: Box::new(Answer) }
}

pub(crate) fn embed(endpoint: &Endpoint, request: &EmbedRequest<'_>) -> Result<Call, Error> {
    Call::post(url(endpoint, "embed")?, endpoint, &EmbedBody { model: request.model, input: request.inputs })
}

pub(crate) fn embeddings(body: &[u8]) -> Result<Embeddings, Error> {
    let reply: EmbedReply = parse(body)?;
    Ok(Embeddings { vectors: reply.embeddings, input_tokens: reply.prompt_eval_count.or_zero() })
}

pub(crate) fn list(endpoint: &Endpoint) -> Result<Call, Error> {
    Ok(Call::get(url(endpoint, "tags")?, endpoint))
}

pub(crate) fn models(body: &[u8]) -> Result<Vec<String>, Error> {
    let list: ModelList = parse(body)?;
    Ok(list.models.into_iter().map(|model| model.name).collect())
}

/// Ollama's errors are one free sentence: the status is all there is to go by.
pub(crate) fn named(_body: &[u8]) -> Option<ErrorKind> {
    None
}

/// The base as people paste it: the bare host, or with the `/v1` or `/api` of one of its two surfaces.
fn url(endpoint: &Endpoint, verb: &str) -> Result<Url, Error> {
    join(&without(&endpoint.base_url, &["/v1", "/api"]), &["api", verb])
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|_| ErrorKind::Protocol.into())
}

struct Answer;

impl FrameDecoder for Answer {
    fn frame(&mut self, frame: &str, events: &mut Vec<Event>) -> Result<(), Error> {
        let line: Line = parse(frame.as_bytes())?;
        if line.error.is_some() {
            return Err(ErrorKind::Unavailable.into());
        }
        if let Some(text) = line.message.map(|message| message.content).filter(|text| !text.is_empty()) {
            events.push(Event::Delta(text));
        }
        if line.done {
            let (input_tokens, output_tokens) = (line.prompt_eval_count.or_zero(), line.eval_count.or_zero());
            events.push(Event::Usage(Usage { input_tokens, output_tokens }));
            events.push(Event::Finish(match line.done_reason.as_deref() {
                Some("stop") | None => StopReason::Stop,
                Some("length") => StopReason::Length,
                Some(_) => StopReason::Other,
            }));
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct ChatBody<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    stream: bool,
    options: Options,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
struct Options {
    #[serde(skip_serializing_if = "Option::is_none")]
    num_predict: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_ctx: Option<usize>,
}

#[derive(Serialize)]
struct EmbedBody<'a> {
    model: &'a str,
    input: &'a [String],
}

#[derive(Deserialize)]
struct Line {
    message: Option<Said>,
    #[serde(default)]
    done: bool,
    done_reason: Option<String>,
    /// Missing when the whole prompt came from the cache.
    #[serde(default)]
    prompt_eval_count: Count,
    #[serde(default)]
    eval_count: Count,
    error: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    content: String,
}

#[derive(Deserialize)]
struct EmbedReply {
    embeddings: Vec<Vec<f32>>,
    #[serde(default)]
    prompt_eval_count: Count,
}

#[derive(Deserialize)]
struct ModelList {
    models: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    name: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Turn;

    #[test]
    fn the_context_grows_only_when_the_prompt_needs_it() {
        let table = [
            (100, None),
            (6 * 1024, None),
            (8 * 1024, Some(8192)),
            (40 * 1024, Some(32_768)),
            (1 << 24, Some(MAX_CONTEXT)),
        ];
        for (bytes, expected) in table {
            let request = ChatRequest {
                model: "m".into(),
                system: String::new(),
                turns: vec![Turn { role: Role::User, text: "x".repeat(bytes) }],
                max_tokens: None,
                temperature: None,
            };
            assert_eq!(context_size(&request), expected, "{bytes} bytes");
        }
    }
}
