//! Gemini's own dialect: chunks of a candidate as server-sent events. <https://ai.google.dev/api/generate-content>

mod embed;
mod errors;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::count::Count;
use crate::decode::{AnswerDecoder, FrameDecoder, Framing};
use crate::dialect::{Call, versioned, without};
use crate::turns::alternating;
use crate::{ChatRequest, Endpoint, Error, ErrorKind, Event, Role, StopReason, Usage, sse};

pub(crate) use embed::{EMBED, embed, embeddings};
pub(crate) use errors::named;

pub(crate) fn chat(endpoint: &Endpoint, request: &ChatRequest) -> Result<Call, Error> {
    let turns = alternating(&request.turns)?;
    let contents = turns.iter().map(|turn| {
        let role = match turn.role {
            Role::User => "user",
            Role::Assistant => "model",
        };
        Content { role: Some(role), parts: [Part { text: &turn.text }] }
    });
    let system = Some(request.system.as_str()).filter(|system| !system.trim().is_empty());
    let body = ChatBody {
        contents: contents.collect(),
        system_instruction: system.map(|text| Content { role: None, parts: [Part { text }] }),
        generation_config: Settings { max_output_tokens: request.max_tokens, temperature: request.temperature },
    };
    let mut url = Model::of(&request.model).url(endpoint, "streamGenerateContent")?;
    url.set_query(Some("alt=sse"));
    Ok(signed(Call::post(url, endpoint, &body)?, endpoint))
}

pub(crate) fn answer() -> AnswerDecoder {
    AnswerDecoder { framing: Framing::Sse(sse::Decoder::default()), frames: Box::new(Answer::default()) }
}

pub(crate) fn check(endpoint: &Endpoint) -> Result<Call, Error> {
    page(endpoint, "pageSize=1")
}

/// As many as one page holds. <https://ai.google.dev/api/models#method:-models.list>
pub(crate) fn list(endpoint: &Endpoint) -> Result<Call, Error> {
    page(endpoint, "pageSize=1000")
}

pub(crate) fn models(body: &[u8]) -> Result<Vec<String>, Error> {
    let list: ModelList = parse(body)?;
    let short = |name: String| name.strip_prefix("models/").map(str::to_owned).unwrap_or(name);
    Ok(list.models.into_iter().map(|model| short(model.name)).collect())
}

fn page(endpoint: &Endpoint, query: &str) -> Result<Call, Error> {
    let mut url = url(endpoint, &["models"])?;
    url.set_query(Some(query));
    Ok(signed(Call::get(url, endpoint), endpoint))
}

/// In a header, because addresses end up in logs.
fn signed(call: Call, endpoint: &Endpoint) -> Call {
    let secret = endpoint.key.clone().map(|key| ("x-goog-api-key", key));
    Call { secret, named, ..call }
}

/// The base may be that of the surface that copies OpenAI's.
fn url(endpoint: &Endpoint, segments: &[&str]) -> Result<Url, Error> {
    versioned(&without(&endpoint.base_url, &["/openai"]), "v1beta", segments)
}

/// A model by its name alone, or by its resource's: `gemini-2.5-flash`, `models/gemini-2.5-flash`, `tunedModels/mine`.
struct Model<'a> {
    collection: &'a str,
    name: &'a str,
}

impl<'a> Model<'a> {
    fn of(model: &'a str) -> Self {
        match model.split_once('/') {
            Some((collection @ ("models" | "tunedModels"), name)) => Self { collection, name },
            _ => Self { collection: "models", name: model },
        }
    }

    fn url(&self, endpoint: &Endpoint, verb: &str) -> Result<Url, Error> {
        url(endpoint, &[self.collection, &format!("{}:{verb}", self.name)])
    }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|_| ErrorKind::Protocol.into())
}

#[derive(Default)]
struct Answer {
    finish: Option<StopReason>,
}

impl FrameDecoder for Answer {
    /// A finish reason alone ends nothing: older models and some gateways put one on every chunk, with words to follow.
    fn frame(&mut self, frame: &str, events: &mut Vec<Event>) -> Result<(), Error> {
        let chunk: Chunk = parse(frame.as_bytes())?;
        if let Some(error) = chunk.error {
            return Err(errors::kind(&error).unwrap_or(ErrorKind::Unavailable).into());
        }
        if let Some(candidate) = chunk.candidates.unwrap_or_default().into_iter().find(|candidate| candidate.index == 0)
        {
            let parts = candidate.content.and_then(|content| content.parts).unwrap_or_default();
            let said = parts.into_iter().filter(|part| !part.thought).filter_map(|part| part.text);
            events.extend(said.filter(|text| !text.is_empty()).map(Event::Delta));
            self.finish = candidate.finish_reason.as_deref().and_then(stop_reason);
        }
        if chunk.prompt_feedback.is_some_and(|feedback| feedback.block_reason.is_some()) {
            self.finish = Some(StopReason::ContentFilter);
        }
        if let Some(counts) = chunk.usage_metadata {
            events.push(Event::Usage(counts.usage()));
        }
        Ok(())
    }

    /// There is no marker behind the last chunk. The answer is whole when its last candidate had a finish reason, or
    /// the prompt was blocked, and the body then ended as HTTP says it must; a cut misses one of the two.
    fn end(&mut self, events: &mut Vec<Event>) -> Result<(), Error> {
        events.push(Event::Finish(self.finish.ok_or(ErrorKind::Truncated)?));
        Ok(())
    }
}

/// <https://ai.google.dev/api/generate-content#FinishReason>
fn stop_reason(reason: &str) -> Option<StopReason> {
    match reason {
        "FINISH_REASON_UNSPECIFIED" => None,
        "STOP" => Some(StopReason::Stop),
        "MAX_TOKENS" => Some(StopReason::Length),
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => Some(StopReason::ContentFilter),
        _ => Some(StopReason::Other),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChatBody<'a> {
    contents: Vec<Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Content<'a>>,
    generation_config: Settings,
}

#[derive(Serialize)]
struct Content<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    parts: [Part<'a>; 1],
}

#[derive(Serialize)]
struct Part<'a> {
    text: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk {
    candidates: Option<Vec<Candidate>>,
    prompt_feedback: Option<Feedback>,
    usage_metadata: Option<Counts>,
    error: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    #[serde(default)]
    index: u32,
    content: Option<Said>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    parts: Option<Vec<SaidPart>>,
}

#[derive(Deserialize)]
struct SaidPart {
    text: Option<String>,
    /// A summary of what the model thinks, which is no part of its answer.
    #[serde(default)]
    thought: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback {
    block_reason: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Counts {
    prompt_token_count: Count,
    tool_use_prompt_token_count: Count,
    candidates_token_count: Count,
    thoughts_token_count: Count,
}

impl Counts {
    /// Thoughts are billed as output.
    fn usage(&self) -> Usage {
        Usage {
            input_tokens: self.prompt_token_count.or_zero() + self.tool_use_prompt_token_count.or_zero(),
            output_tokens: self.candidates_token_count.or_zero() + self.thoughts_token_count.or_zero(),
        }
    }
}

#[derive(Deserialize)]
struct ModelList {
    /// Protobuf's JSON leaves an empty list out.
    #[serde(default)]
    models: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    name: String,
}
