//! Anthropic's Messages: an answer is a message whose blocks grow, and `message_stop` ends it.
//! <https://docs.anthropic.com/en/api/messages-streaming>

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::count::Count;
use crate::decode::{AnswerDecoder, FrameDecoder, Framing};
use crate::dialect::{Call, versioned};
use crate::turns::alternating;
use crate::{ChatRequest, Endpoint, Error, ErrorKind, Event, Role, StopReason, Usage, openai, sse};

/// The release of the wire format that everything here is written for. <https://docs.anthropic.com/en/api/versioning>
const VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");

/// The API wants a limit; this one every model takes, also the oldest that is served.
pub(crate) const ANSWER_TOKENS: u32 = 4096;

pub(crate) fn chat(endpoint: &Endpoint, request: &ChatRequest) -> Result<Call, Error> {
    let turns = alternating(&request.turns)?;
    let messages = turns.iter().map(|turn| Message {
        role: match turn.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        },
        content: &turn.text,
    });
    let body = ChatBody {
        model: &request.model,
        system: Some(request.system.as_str()).filter(|system| !system.trim().is_empty()),
        messages: messages.collect(),
        max_tokens: request.max_tokens.unwrap_or(ANSWER_TOKENS),
        stream: true,
        temperature: request.temperature,
    };
    Ok(signed(Call::post(versioned(&endpoint.base_url, "v1", &["messages"])?, endpoint, &body)?, endpoint))
}

pub(crate) fn answer() -> AnswerDecoder {
    AnswerDecoder { framing: Framing::Sse(sse::Decoder::default()), frames: Box::new(Answer::default()) }
}

pub(crate) fn check(endpoint: &Endpoint) -> Result<Call, Error> {
    models(endpoint, "limit=1")
}

/// As many as one page holds. <https://docs.anthropic.com/en/api/models-list>
pub(crate) fn list(endpoint: &Endpoint) -> Result<Call, Error> {
    models(endpoint, "limit=1000")
}

fn models(endpoint: &Endpoint, query: &str) -> Result<Call, Error> {
    let mut url = versioned(&endpoint.base_url, "v1", &["models"])?;
    url.set_query(Some(query));
    Ok(signed(Call::get(url, endpoint), endpoint))
}

fn signed(call: Call, endpoint: &Endpoint) -> Call {
    let secret = endpoint.key.clone().map(|key| ("x-api-key", key));
    Call { secret, header: Some(VERSION), named, ..call }
}

pub(crate) fn named(body: &[u8]) -> Option<ErrorKind> {
    let body: Value = serde_json::from_slice(body).ok()?;
    kind(body.get("error")?)
}

/// A spent budget comes as a rate limit with a detail of its own, or as an invalid request that only its words tell
/// apart; so does a prompt beyond the model's context. <https://docs.anthropic.com/en/api/errors>
fn kind(error: &Value) -> Option<ErrorKind> {
    let words = error["message"].as_str().unwrap_or_default();
    let spent = error["details"]["error_code"] == "enforced_spend_limit_reached"
        || words.contains("API usage limits")
        || words.contains("credit balance is too low");
    match openai::classify(error) {
        _ if spent => Some(ErrorKind::Quota),
        Some(ErrorKind::Rejected) if words.contains("prompt is too long") => Some(ErrorKind::TooLarge),
        kind => kind,
    }
}

#[derive(Default)]
struct Answer {
    counts: Counts,
    stop: Option<StopReason>,
}

impl Answer {
    /// Counts are cumulative; a later event repeats only some of them.
    fn count(&mut self, new: Option<Counts>, events: &mut Vec<Event>) {
        let Some(new) = new else { return };
        let old = &self.counts;
        self.counts = Counts {
            input_tokens: new.input_tokens.or(old.input_tokens),
            cache_creation_input_tokens: new.cache_creation_input_tokens.or(old.cache_creation_input_tokens),
            cache_read_input_tokens: new.cache_read_input_tokens.or(old.cache_read_input_tokens),
            output_tokens: new.output_tokens.or(old.output_tokens),
        };
        events.push(Event::Usage(self.counts.usage()));
    }
}

impl FrameDecoder for Answer {
    /// The end marker has two halves: a stop reason, then `message_stop`. One without the other is a broken answer.
    fn frame(&mut self, frame: &str, events: &mut Vec<Event>) -> Result<(), Error> {
        let frame = serde_json::from_str(frame).map_err(|_| Error::from(ErrorKind::Protocol))?;
        match frame {
            Frame::MessageStart { message } => self.count(message.usage, events),
            Frame::ContentBlockStart { content_block: Piece::Text { text } }
            | Frame::ContentBlockDelta { delta: Piece::TextDelta { text } }
                if !text.is_empty() =>
            {
                events.push(Event::Delta(text));
            }
            Frame::MessageDelta { delta, usage } => {
                self.stop = delta.stop_reason.as_deref().map(stop_reason).or(self.stop);
                self.count(usage, events);
            }
            Frame::MessageStop => events.push(Event::Finish(self.stop.ok_or(ErrorKind::Truncated)?)),
            Frame::Error { error } => return Err(kind(&error).unwrap_or(ErrorKind::Unavailable).into()),
            _ => {}
        }
        Ok(())
    }
}

/// <https://docs.anthropic.com/en/api/handling-stop-reasons>
fn stop_reason(reason: &str) -> StopReason {
    match reason {
        "end_turn" | "stop_sequence" => StopReason::Stop,
        "max_tokens" | "model_context_window_exceeded" => StopReason::Length,
        "refusal" => StopReason::ContentFilter,
        _ => StopReason::Other,
    }
}

#[derive(Serialize)]
struct ChatBody<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<&'a str>,
    messages: Vec<Message<'a>>,
    max_tokens: u32,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

/// New kinds of events may come at any time and are read over, as the versioning policy asks.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Frame {
    MessageStart {
        message: Opened,
    },
    ContentBlockStart {
        content_block: Piece,
    },
    ContentBlockDelta {
        delta: Piece,
    },
    MessageDelta {
        delta: Closed,
        usage: Option<Counts>,
    },
    MessageStop,
    Error {
        error: Value,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Opened {
    usage: Option<Counts>,
}

/// Thoughts, their signatures and the input of tools are no part of what is said.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Piece {
    Text {
        text: String,
    },
    TextDelta {
        text: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Closed {
    stop_reason: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Counts {
    input_tokens: Count,
    cache_creation_input_tokens: Count,
    cache_read_input_tokens: Count,
    output_tokens: Count,
}

impl Counts {
    /// Others count what comes from a cache as input too.
    fn usage(&self) -> Usage {
        let input = [self.input_tokens, self.cache_creation_input_tokens, self.cache_read_input_tokens];
        Usage { input_tokens: input.into_iter().map(Count::or_zero).sum(), output_tokens: self.output_tokens.or_zero() }
    }
}
