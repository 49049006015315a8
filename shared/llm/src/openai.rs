//! The OpenAI dialect: chat completions as server-sent events, embeddings, models.
//! <https://platform.openai.com/docs/api-reference/chat-streaming>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::decode::{AnswerDecoder, FrameDecoder, Framing};
use crate::dialect::{Call, versioned};
use crate::embed::EmbedLimits;
use crate::{ChatRequest, Embeddings, Endpoint, Error, ErrorKind, Event, Role, StopReason, Usage, sse, status, vendor};

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

pub(crate) fn embed(endpoint: &Endpoint, model: &str, inputs: &[String]) -> Result<Call, Error> {
    let encoding_format = if vendor::of(endpoint).base64_vectors { "base64" } else { "float" };
    Call::post(url(endpoint, &["embeddings"])?, endpoint, &EmbedBody { model, input: inputs, encoding_format })
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
    Ok(Embeddings { vectors, input_tokens: reply.usage.map_or(0, |usage| usage.prompt_tokens) })
}

pub(crate) fn list(endpoint: &Endpoint) -> Result<Call, Error> {
    Ok(Call::get(url(endpoint, &["models"])?, endpoint))
}

pub(crate) fn models(body: &[u8]) -> Result<Vec<String>, Error> {
    let list: ModelList = parse(body)?;
    Ok(list.data.into_iter().map(|model| model.id).collect())
}

pub(crate) fn named(body: &[u8]) -> Option<ErrorKind> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let kind = match body.get("error") {
        Some(Value::String(words)) => spoken(words),
        Some(error) => classify(error),
        None => None,
    };
    match kind {
        None | Some(ErrorKind::Rejected | ErrorKind::RateLimited { .. }) if complains_of_size(&body) => {
            Some(ErrorKind::TooLarge)
        }
        kind => kind,
    }
}

/// That a request holds too much is told in words alone by most, and in four places.
fn complains_of_size(body: &Value) -> bool {
    // Gemini's copy wraps its error in a list.
    let body = body.get(0).unwrap_or(body);
    let error = &body["error"];
    let places = [&body["message"], &body["detail"], error, &error["message"]];
    places.into_iter().filter_map(Value::as_str).any(|words| {
        let words = words.to_ascii_lowercase();
        [
            // OpenAI (twice, one of them with status 429), Mistral (twice), Voyage, Cohere, Gemini.
            "tokens per request",
            "request too large",
            "too many tokens",
            "too many inputs",
            "max allowed tokens",
            "must be at most",
            "requests can be in one batch",
            "too large",
            "too long",
        ]
        .iter()
        .any(|part| words.contains(part))
    })
}

/// xAI answers 400 to a bad key and 403 or 429 to an empty account, and tells which in words alone.
fn spoken(words: &str) -> Option<ErrorKind> {
    if words.contains("Incorrect API key") || words.contains("Incorrect%20API%20key") {
        return Some(ErrorKind::Auth);
    }
    ["any credits", "available credits", "spending limit"]
        .iter()
        .any(|part| words.contains(part))
        .then_some(ErrorKind::Quota)
}

/// Reads an error object. Only its codes count: the message is for the provider's own customers.
pub(crate) fn classify(error: &Value) -> Option<ErrorKind> {
    ["code", "type"].iter().find_map(|field| match error.get(field)? {
        // OpenRouter puts the upstream's HTTP status here.
        Value::Number(number) => number.as_u64().and_then(|code| u16::try_from(code).ok()).map(status::kind),
        Value::String(code) => match code.as_str() {
            "insufficient_quota" | "billing_hard_limit_reached" | "billing_not_active" | "billing_error" => {
                Some(ErrorKind::Quota)
            }
            // <https://platform.openai.com/docs/guides/error-codes>
            "credit_balance_exhausted"
            | "organization_spend_limit_exceeded"
            | "organization_usage_limit_exceeded"
            | "project_spend_limit_exceeded" => Some(ErrorKind::Quota),
            "rate_limit_exceeded" | "rate_limit_error" => Some(ErrorKind::RateLimited { retry_after: None }),
            "invalid_api_key" | "authentication_error" | "account_deactivated" => Some(ErrorKind::Auth),
            "permission_error" => Some(ErrorKind::Forbidden),
            "server_error" | "overloaded_error" | "service_unavailable" => Some(ErrorKind::Unavailable),
            "context_length_exceeded" | "max_tokens_per_request" => Some(ErrorKind::TooLarge),
            "invalid_request_error" | "model_not_found" => Some(ErrorKind::Rejected),
            _ => None,
        },
        _ => None,
    })
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
            let (input_tokens, output_tokens) = (usage.prompt_tokens, usage.completion_tokens);
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
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

#[derive(Deserialize)]
struct EmbedReply {
    data: Vec<EmbedItem>,
    usage: Option<Counts>,
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
