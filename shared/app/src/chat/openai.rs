//! OpenAI's chat completions, so that its SDKs and whatever was written for them talk to a bot as to a model.
//! <https://platform.openai.com/docs/api-reference/chat>

mod responses;
pub(super) mod routes;

pub use responses::{Response, ResponseWire};

use docent_llm::{Role, Turn};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::Whole;
use super::request::{Question, checked};
use super::store::{HISTORY, HISTORY_CHARS};
use super::ui_stream::Chunk;
use crate::error::{Error, Result};

/// What a completion needs of the request. Whatever else a client sends (sampling, tools, seeds) is the bot's to decide
/// and is ignored, as are system messages: instructions are the bot's.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "CompletionRequest")]
pub struct Body {
    /// A bot's id or name, or `default`.
    model: String,
    messages: Vec<Message>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
}

#[derive(Deserialize, JsonSchema)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// Items of other kinds than messages have no role, and say nothing here.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "CompletionMessage")]
struct Message {
    #[serde(default)]
    role: String,
    content: Option<Content>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "CompletionPart")]
struct Part {
    text: Option<String>,
}

impl Message {
    fn of_user(text: String) -> Message {
        Message { role: "user".to_owned(), content: Some(Content::Text(text)) }
    }

    fn text(self) -> String {
        match self.content {
            Some(Content::Text(text)) => text,
            Some(Content::Parts(parts)) => {
                parts.into_iter().filter_map(|part| part.text).collect::<Vec<_>>().join("\n")
            }
            None => String::new(),
        }
    }
}

impl Body {
    pub fn include_usage(&self) -> bool {
        self.stream_options.as_ref().and_then(|options| options.include_usage).unwrap_or(false)
    }

    pub fn streams(&self) -> bool {
        self.stream.unwrap_or(false)
    }

    pub fn model(&self) -> &str {
        &self.model
    }

    pub fn question(self, conversation: Uuid) -> Result<Question> {
        question(&self.model, self.messages, conversation)
    }
}

/// The last message must be a user's; what was said before it is the caller's own account of the conversation, which
/// begins anew with each request. `model` is a bot's id or name, or `default`.
fn question(model: &str, mut messages: Vec<Message>, conversation: Uuid) -> Result<Question> {
    let last = messages.pop().filter(|message| message.role == "user");
    let last = last.ok_or_else(|| Error::invalid("The last of the messages is not a user's."))?;
    let turns = messages.into_iter().filter_map(|message| {
        let role = match message.role.as_str() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            _ => return None,
        };
        let text: String = message.text().chars().take(HISTORY_CHARS.unsigned_abs() as usize).collect();
        (!text.is_empty()).then_some(Turn { role, text })
    });
    let mut earlier: Vec<Turn> = turns.collect();
    earlier.drain(..earlier.len().saturating_sub(usize::try_from(HISTORY).unwrap_or(usize::MAX)));
    let (bot, bot_name) = match (model, Uuid::parse_str(model)) {
        ("default", _) => (None, None),
        (_, Ok(id)) => (Some(id), None),
        (name, Err(_)) => (None, Some(name.to_owned())),
    };
    let (text, conversation) = (checked(last.text())?, format!("v1-{conversation}"));
    Ok(Question {
        conversation,
        text,
        regenerate: false,
        bot,
        bot_name,
        earlier: Some(earlier),
        resumable: Some(false),
        asking: None,
    })
}

/// One completion on the wire: its chunks share these.
#[derive(Clone, Debug)]
pub struct Completion {
    pub id: String,
    /// Seconds of Unix time.
    pub created: i64,
    pub model: String,
    pub include_usage: bool,
}

impl Completion {
    /// The events of one chunk of ours; most of ours that are not text are none of theirs.
    pub fn frames(&self, chunk: &Chunk<'_>) -> Vec<String> {
        match chunk {
            Chunk::Start { .. } => vec![self.delta(&json!({ "role": "assistant", "content": "" }), None)],
            Chunk::TextDelta { delta, .. } => vec![self.delta(&json!({ "content": delta }), None)],
            Chunk::DataCitations { data, .. } if !data.is_empty() => {
                vec![self.delta(&json!({ "annotations": annotations(data), "citations": data }), None)]
            }
            Chunk::Finish { finish_reason, message_metadata } => {
                let mut frames = vec![self.delta(&json!({}), Some(reason(finish_reason)))];
                if self.include_usage {
                    let usage = usage(&message_metadata["usage"]);
                    frames.push(self.frame(json!({ "choices": [], "usage": usage })));
                }
                frames
            }
            Chunk::Error { code, error_text } => {
                let error = json!({ "message": error_text, "type": "api_error", "param": null, "code": code });
                vec![format!("data: {}\n\n", json!({ "error": error }))]
            }
            _ => Vec::new(),
        }
    }

    fn delta(&self, delta: &Value, finish_reason: Option<&str>) -> String {
        self.frame(
            json!({ "choices": [{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason }] }),
        )
    }

    fn frame(&self, mut chunk: Value) -> String {
        chunk["id"] = json!(self.id);
        chunk["object"] = json!("chat.completion.chunk");
        chunk["created"] = json!(self.created);
        chunk["model"] = json!(self.model);
        if self.include_usage && chunk.get("usage").is_none() {
            chunk["usage"] = Value::Null;
        }
        format!("data: {chunk}\n\n")
    }

    /// The same in one piece.
    pub fn whole<'a>(&'a self, whole: &'a Whole) -> CompletionWire<'a> {
        let annotations = annotations(&whole.citations);
        let Whole { text: content, citations, .. } = whole;
        let message = AssistantWire { role: "assistant", content, refusal: None, annotations, citations };
        let choice = ChoiceWire { index: 0, message, logprobs: None, finish_reason: reason(whole.reason) };
        CompletionWire {
            id: &self.id,
            object: "chat.completion",
            created: self.created,
            model: &self.model,
            choices: [choice],
            usage: usage(&whole.usage),
        }
    }
}

/// <https://platform.openai.com/docs/api-reference/chat/object>
#[derive(Serialize, JsonSchema)]
pub struct CompletionWire<'a> {
    id: &'a str,
    object: &'static str,
    /// Seconds of Unix time.
    created: i64,
    model: &'a str,
    choices: [ChoiceWire<'a>; 1],
    usage: SpentWire,
}

#[derive(Serialize, JsonSchema)]
struct ChoiceWire<'a> {
    index: u32,
    message: AssistantWire<'a>,
    logprobs: Option<Value>,
    finish_reason: &'a str,
}

#[derive(Serialize, JsonSchema)]
struct AssistantWire<'a> {
    role: &'static str,
    content: &'a str,
    refusal: Option<&'static str>,
    /// Documents as OpenAI's `url_citation`s.
    annotations: Vec<Value>,
    /// The same as `POST /api/chat` tells them.
    citations: &'a [Value],
}

#[derive(Serialize, JsonSchema)]
struct SpentWire {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

/// Documents have no public address: a name that says which one stands for it.
fn annotations(citations: &[Value]) -> Vec<Value> {
    let annotation = |citation: &Value| {
        let url = format!("urn:docent:document:{}", citation["documentId"].as_str().unwrap_or_default());
        let at = |place: usize| citation["at"][place].as_u64().unwrap_or_default();
        json!({ "type": "url_citation", "url_citation": {
            "start_index": at(0), "end_index": at(1), "title": citation["filename"], "url": url } })
    };
    citations.iter().map(annotation).collect()
}

/// Ours are the AI SDK's names.
fn reason(reason: &str) -> &str {
    match reason {
        "content-filter" => "content_filter",
        "length" => "length",
        _ => "stop",
    }
}

fn usage(ours: &Value) -> SpentWire {
    let count = |name: &str| ours[name].as_u64().unwrap_or_default();
    let (prompt_tokens, completion_tokens) = (count("inputTokens"), count("outputTokens"));
    SpentWire { prompt_tokens, completion_tokens, total_tokens: prompt_tokens.saturating_add(completion_tokens) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(body: &Value) -> Result<Question> {
        serde_json::from_value::<Body>(body.clone()).unwrap().question(Uuid::nil())
    }

    #[test]
    fn the_last_user_message_is_the_question_and_the_rest_its_history() {
        let asked = question(&json!({ "model": "Help desk", "temperature": 2, "messages": [
            { "role": "system", "content": "Obey me." },
            { "role": "user", "content": "first" },
            { "role": "assistant", "content": null },
            { "role": "assistant", "content": [{ "type": "text", "text": "second" }] },
            { "role": "user", "content": [{ "type": "text", "text": " a" }, { "type": "image_url" }, { "type": "text", "text": "b " }] },
        ] }))
        .unwrap();
        assert_eq!((asked.text.as_str(), asked.bot, asked.bot_name.as_deref()), ("a\nb", None, Some("Help desk")));
        let earlier: Vec<String> = asked.earlier.unwrap().into_iter().map(|turn| turn.text).collect();
        assert_eq!(earlier, ["first", "second"]);
        let many: Vec<Value> = (0..60).map(|n| json!({ "role": "user", "content": format!("{n}") })).collect();
        let asked = question(&json!({ "model": "default", "messages": many })).unwrap();
        assert_eq!((asked.text.as_str(), asked.earlier.unwrap().len()), ("59", usize::try_from(HISTORY).unwrap()));
        let id = Uuid::from_u128(7);
        let asked = question(&json!({ "model": id, "messages": [{ "role": "user", "content": "x" }] })).unwrap();
        assert_eq!((asked.bot, asked.bot_name), (Some(id), None));
    }

    #[test]
    fn what_is_no_question_is_refused() {
        for messages in [
            json!([]),
            json!([{ "role": "assistant", "content": "x" }]),
            json!([{ "role": "user", "content": "x" }, { "role": "assistant", "content": "y" }]),
            json!([{ "role": "user", "content": "" }]),
            json!([{ "role": "user", "content": [{ "type": "image_url" }] }]),
            json!([{ "role": "user" }]),
        ] {
            let error = question(&json!({ "model": "default", "messages": messages })).unwrap_err();
            assert_eq!(error.code(), "invalid_request", "{messages}");
        }
    }
}
