//! The OpenAI dialect: chat completions as server-sent events, embeddings, models.
//! <https://platform.openai.com/docs/api-reference/chat-streaming>

mod errors;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::count::Count;
use crate::decode::{AnswerDecoder, FrameDecoder, Framing};
use crate::dialect::{Call, versioned};
use crate::embed::EmbedLimits;
use crate::{
    ChatRequest, EmbedRequest, Embeddings, Endpoint, Error, ErrorKind, Event, InputType, Role, StopReason, Usage, sse,
    vendor,
};

pub(crate) use errors::{classify, named, speaks_of_size};

pub(crate) fn chat(endpoint: &Endpoint, request: &ChatRequest) -> Result<Call, Error> {
    let vendor = vendor::of(endpoint);
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
        stream_options: vendor.asks_for_usage.then_some(StreamOptions { include_usage: true }),
        max_tokens: request.max_tokens.filter(|_| !vendor.max_completion_tokens),
        max_completion_tokens: request.max_tokens.filter(|_| vendor.max_completion_tokens),
        temperature: request.temperature,
    };
    Call::post(url(endpoint, &["chat", "completions"])?, endpoint, &body)
}

pub(crate) fn answer() -> AnswerDecoder {
    AnswerDecoder { framing: Framing::Sse(sse::Decoder::default()), frames: Box::new(Answer::default()) }
}

pub(crate) fn embed(endpoint: &Endpoint, request: &EmbedRequest<'_>) -> Result<Call, Error> {
    let vendor = vendor::of(endpoint);
    let input_type = match request.input_type {
        InputType::Document => "document",
        InputType::Query => "query",
    };
    let body = EmbedBody {
        model: request.model,
        input: request.inputs,
        encoding_format: if vendor.base64_vectors { "base64" } else { "float" },
        input_type: vendor.takes_input_type.then_some(input_type),
    };
    Call::post(url(endpoint, &["embeddings"])?, endpoint, &body)
}

pub(crate) fn embed_limits(endpoint: &Endpoint) -> EmbedLimits {
    vendor::of(endpoint).embed
}

/// Vectors come with their index; an order other than 0, 1, 2 … is put right, a gap or a double is refused.
pub(crate) fn embeddings(body: &[u8]) -> Result<Embeddings, Error> {
    let reply: EmbedReply = parse(body)?;
    let mut data = reply.data;
    data.sort_by_key(|item| item.index);
    if !data.iter().enumerate().all(|(at, item)| item.index == at) {
        return Err(Error::protocol("The provider numbered its vectors wrongly."));
    }
    let vectors = data.into_iter().map(|item| item.embedding.into_numbers()).collect::<Result<_, _>>()?;
    // Voyage and Jina give the sum alone.
    let tokens = reply.usage.map_or(0, |usage| usage.prompt_tokens.or(usage.total_tokens).or_zero());
    Ok(Embeddings { vectors, input_tokens: tokens })
}

pub(crate) fn list(endpoint: &Endpoint) -> Result<Call, Error> {
    Ok(Call::get(url(endpoint, &["models"])?, endpoint))
}

pub(crate) fn models(body: &[u8]) -> Result<Vec<String>, Error> {
    let list: ModelList = parse(body)?;
    Ok(list.data.into_iter().map(|model| model.id).collect())
}

fn url(endpoint: &Endpoint, segments: &[&str]) -> Result<Url, Error> {
    versioned(&endpoint.base_url, "v1", segments)
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|_| ErrorKind::Protocol.into())
}

#[derive(Default)]
struct Answer {
    finish: Option<StopReason>,
}

impl FrameDecoder for Answer {
    /// The end marker has two halves: a finish reason, then `[DONE]`. One without the other is a broken answer.
    fn frame(&mut self, frame: &str, events: &mut Vec<Event>) -> Result<(), Error> {
        if frame.trim() == "[DONE]" {
            let reason = self.finish.ok_or(ErrorKind::Truncated)?;
            events.push(Event::Finish(reason));
            return Ok(());
        }
        let chunk: Chunk = parse(frame.as_bytes())?;
        if let Some(error) = chunk.error {
            return Err(classify(&error).unwrap_or(ErrorKind::Unavailable).into());
        }
        for choice in chunk.choices.unwrap_or_default().into_iter().filter(|choice| choice.index == 0) {
            let delta = choice.delta.unwrap_or_default();
            // A refusal is what the model says instead of an answer, so people must see it.
            if let Some(text) = delta.content.or(delta.refusal).filter(|text| !text.is_empty()) {
                events.push(Event::Delta(text));
            }
            if let Some(reason) = choice.finish_reason {
                self.finish = Some(stop_reason(&reason)?);
            }
        }
        if let Some(usage) = chunk.usage {
            let (input_tokens, output_tokens) = (usage.prompt_tokens.or_zero(), usage.completion_tokens.or_zero());
            events.push(Event::Usage(Usage { input_tokens, output_tokens }));
        }
        Ok(())
    }
}

fn stop_reason(reason: &str) -> Result<StopReason, Error> {
    match reason {
        "stop" => Ok(StopReason::Stop),
        "length" => Ok(StopReason::Length),
        "content_filter" => Ok(StopReason::ContentFilter),
        "error" => Err(ErrorKind::Unavailable.into()),
        _ => Ok(StopReason::Other),
    }
}

#[derive(Serialize)]
struct ChatBody<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct EmbedBody<'a> {
    model: &'a str,
    input: &'a [String],
    encoding_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_type: Option<&'static str>,
}

#[derive(Deserialize)]
struct Chunk {
    choices: Option<Vec<Choice>>,
    usage: Option<Counts>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: u32,
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Delta {
    content: Option<String>,
    refusal: Option<String>,
}

#[derive(Deserialize)]
struct Counts {
    #[serde(default)]
    prompt_tokens: Count,
    #[serde(default)]
    completion_tokens: Count,
}

#[derive(Deserialize)]
struct EmbedReply {
    data: Vec<EmbedItem>,
    usage: Option<EmbedCounts>,
}

#[derive(Deserialize)]
struct EmbedCounts {
    #[serde(default)]
    prompt_tokens: Count,
    #[serde(default)]
    total_tokens: Count,
}

#[derive(Deserialize)]
struct EmbedItem {
    index: usize,
    embedding: Numbers,
}

/// Copies of the API may answer with a list even when base64 was asked for.
#[derive(Deserialize)]
#[serde(untagged)]
enum Numbers {
    Base64(String),
    List(Vec<f32>),
}

impl Numbers {
    fn into_numbers(self) -> Result<Vec<f32>, Error> {
        let text = match self {
            Self::List(list) => return Ok(list),
            Self::Base64(text) => text,
        };
        let bytes = STANDARD.decode(text).map_err(|_| Error::from(ErrorKind::Protocol))?;
        let (numbers, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(ErrorKind::Protocol.into());
        }
        Ok(numbers.iter().map(|number| f32::from_le_bytes(*number)).collect())
    }
}

#[derive(Deserialize)]
struct ModelList {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
}
