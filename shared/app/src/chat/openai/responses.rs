//! OpenAI's Responses: numbered events with names, and conversations that the server keeps when a response names the one
//! before it. <https://platform.openai.com/docs/api-reference/responses>

use std::sync::{Mutex, PoisonError};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Message, annotations, question, usage};
use crate::chat::answer::Whole;
use crate::chat::request::Question;
use crate::chat::ui_stream::Chunk;
use crate::error::{Error, Kind, Result};

/// What a response needs of the request; as with completions, the bot decides the rest.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "ResponseRequest")]
pub struct Body {
    model: String,
    input: Input,
    stream: Option<bool>,
    previous_response_id: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
enum Input {
    Text(String),
    Items(Vec<Message>),
}

impl Body {
    pub fn streams(&self) -> bool {
        self.stream.unwrap_or(false)
    }

    /// The question, and the response that it will get. A response's id names its conversation and itself.
    pub fn asked(self, [conversation, answer]: [Uuid; 2], created: i64) -> Result<(Question, Response)> {
        let messages = match self.input {
            Input::Text(text) => vec![Message::of_user(text)],
            Input::Items(items) => items,
        };
        let previous = self.previous_response_id.as_deref().map(conversation_of).transpose()?;
        let conversation = previous.unwrap_or(conversation);
        let mut asked = question(&self.model, messages, conversation)?;
        if previous.is_some() {
            // The server kept what was said; the caller's account of it is not asked for.
            asked.earlier = None;
        }
        let response = Response {
            id: format!("resp_{}{}", conversation.simple(), answer.simple()),
            item: format!("msg_{}", answer.simple()),
            created,
            model: self.model,
            previous: self.previous_response_id,
            progress: Mutex::default(),
        };
        Ok((asked, response))
    }
}

fn conversation_of(response: &str) -> Result<Uuid> {
    let hex = response.strip_prefix("resp_").filter(|hex| hex.len() == 64 && hex.is_ascii());
    hex.and_then(|hex| Uuid::parse_str(hex.get(..32)?).ok()).ok_or_else(|| {
        Error::new(Kind::NotFound, "`previous_response_id` names no response.")
            .hint("Give the `id` of an earlier response, or leave it out.")
    })
}

/// One response on the wire.
pub struct Response {
    id: String,
    item: String,
    /// Seconds of Unix time.
    created: i64,
    model: String,
    previous: Option<String>,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    sequence: u64,
    text: String,
    annotations: Vec<Value>,
}

impl Response {
    /// The events of one chunk of ours.
    pub fn frames(&self, chunk: &Chunk<'_>) -> Vec<String> {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let place = json!({ "item_id": self.item, "output_index": 0, "content_index": 0 });
        let events: Vec<(&str, Value)> = match chunk {
            Chunk::Start { .. } => vec![
                ("response.created", json!({ "response": self.object("in_progress", Value::Null) })),
                ("response.in_progress", json!({ "response": self.object("in_progress", Value::Null) })),
                ("response.output_item.added", json!({ "output_index": 0, "item": self.item("in_progress", None) })),
                ("response.content_part.added", with(&place, json!({ "part": part("", &[]) }))),
            ],
            Chunk::TextDelta { delta, .. } => {
                progress.text.push_str(delta);
                vec![("response.output_text.delta", with(&place, json!({ "delta": delta, "logprobs": [] })))]
            }
            Chunk::DataCitations { data, .. } => {
                progress.annotations = flat(data);
                let added = progress.annotations.iter().enumerate().map(|(index, annotation)| {
                    let added = json!({ "annotation_index": index, "annotation": annotation });
                    ("response.output_text.annotation.added", with(&place, added))
                });
                added.collect()
            }
            Chunk::Finish { finish_reason, message_metadata } => {
                let (text, part) = (&progress.text, part(&progress.text, &progress.annotations));
                let (status, ended) = ended(finish_reason);
                let item = self.item(status, Some(&part));
                let usage = usage_of(&message_metadata["usage"]);
                let (output, incomplete_details) = (vec![item.clone()], details(finish_reason));
                let response = ResponseWire { output, incomplete_details, ..self.object(status, usage) };
                vec![
                    ("response.output_text.done", with(&place, json!({ "text": text, "logprobs": [] }))),
                    ("response.content_part.done", with(&place, json!({ "part": part }))),
                    ("response.output_item.done", json!({ "output_index": 0, "item": item })),
                    (ended, json!({ "response": response })),
                ]
            }
            Chunk::Error { code, error_text } => {
                let error = json!({ "code": code, "message": error_text });
                let response = ResponseWire { error, ..self.object("failed", Value::Null) };
                vec![
                    ("response.failed", json!({ "response": response })),
                    ("error", json!({ "code": code, "message": error_text, "param": null })),
                ]
            }
            _ => Vec::new(),
        };
        let mut frames = Vec::with_capacity(events.len());
        for (name, mut event) in events {
            event["type"] = json!(name);
            event["sequence_number"] = json!(progress.sequence);
            progress.sequence += 1;
            frames.push(format!("event: {name}\ndata: {event}\n\n"));
        }
        frames
    }

    /// The same in one piece.
    pub fn whole(&self, whole: &Whole) -> ResponseWire<'_> {
        let (status, _) = ended(whole.reason);
        let output = vec![self.item(status, Some(&part(&whole.text, &flat(&whole.citations))))];
        ResponseWire {
            output,
            incomplete_details: details(whole.reason),
            ..self.object(status, usage_of(&whole.usage))
        }
    }

    fn item(&self, status: &str, part: Option<&Value>) -> Value {
        let content: Vec<&Value> = part.into_iter().collect();
        json!({ "id": self.item, "type": "message", "status": status, "role": "assistant", "content": content })
    }

    fn object(&self, status: &'static str, usage: Value) -> ResponseWire<'_> {
        ResponseWire {
            id: &self.id,
            object: "response",
            created_at: self.created,
            status,
            model: &self.model,
            output: Vec::new(),
            usage,
            error: Value::Null,
            incomplete_details: Value::Null,
            instructions: (),
            metadata: Map::new(),
            parallel_tool_calls: true,
            tool_choice: "auto",
            tools: [],
            temperature: (),
            top_p: (),
            previous_response_id: self.previous.as_deref(),
            store: true,
            truncation: "disabled",
            text: json!({ "format": { "type": "text" } }),
        }
    }
}

/// <https://platform.openai.com/docs/api-reference/responses/object>. The SDKs' types want every field.
#[derive(Serialize, JsonSchema)]
pub struct ResponseWire<'a> {
    id: &'a str,
    object: &'static str,
    /// Seconds of Unix time.
    created_at: i64,
    status: &'static str,
    model: &'a str,
    output: Vec<Value>,
    usage: Value,
    error: Value,
    incomplete_details: Value,
    instructions: (),
    metadata: Map<String, Value>,
    parallel_tool_calls: bool,
    tool_choice: &'static str,
    tools: [(); 0],
    temperature: (),
    top_p: (),
    previous_response_id: Option<&'a str>,
    store: bool,
    truncation: &'static str,
    text: Value,
}

fn with(place: &Value, more: Value) -> Value {
    let mut event = place.clone();
    if let (Some(event), Value::Object(more)) = (event.as_object_mut(), more) {
        event.extend(more);
    }
    event
}

fn part(text: &str, annotations: &[Value]) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": annotations, "logprobs": [] })
}

/// Here an annotation's fields lie flat, and the quote beside them.
fn flat(citations: &[Value]) -> Vec<Value> {
    let annotations = annotations(citations).into_iter().zip(citations);
    let flatten = |(mut annotation, citation): (Value, &Value)| {
        let mut flat = annotation["url_citation"].take();
        flat["type"] = json!("url_citation");
        flat["quote"] = citation["quote"].clone();
        flat["page"] = citation["page"].clone();
        flat
    };
    annotations.map(flatten).collect()
}

fn ended(reason: &str) -> (&'static str, &'static str) {
    match reason {
        "length" | "content-filter" => ("incomplete", "response.incomplete"),
        _ => ("completed", "response.completed"),
    }
}

fn details(reason: &str) -> Value {
    match reason {
        "length" => json!({ "reason": "max_output_tokens" }),
        "content-filter" => json!({ "reason": "content_filter" }),
        _ => Value::Null,
    }
}

fn usage_of(ours: &Value) -> Value {
    let counted = usage(ours);
    json!({
        "input_tokens": counted.prompt_tokens, "input_tokens_details": { "cached_tokens": 0 },
        "output_tokens": counted.completion_tokens, "output_tokens_details": { "reasoning_tokens": 0 },
        "total_tokens": counted.total_tokens,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(body: &Value) -> Result<(Question, Response)> {
        let ids = [1, 2].map(Uuid::from_u128);
        serde_json::from_value::<Body>(body.clone()).unwrap().asked(ids, 7)
    }

    #[test]
    fn a_response_goes_on_with_the_one_before_it() {
        let (question, first) = asked(&json!({ "model": "default", "input": "hi" })).unwrap();
        assert_eq!((question.text.as_str(), question.earlier.map(|turns| turns.len())), ("hi", Some(0)));
        let items = json!([{ "role": "user", "content": [{ "type": "input_text", "text": "and?" }] }]);
        let next = json!({ "model": "default", "input": items, "previous_response_id": first.id });
        let (question, second) = asked(&next).unwrap();
        assert_eq!((question.text.as_str(), question.earlier.is_none()), ("and?", true));
        assert_eq!(question.conversation, format!("v1-{}", Uuid::from_u128(1)));
        assert!(second.id.starts_with(&first.id[.."resp_".len() + 32]));
        for wrong in ["", "resp_", "resp_zz", &"resp_".repeat(14), &format!("resp_{}", "é".repeat(32))] {
            let body = json!({ "model": "default", "input": "hi", "previous_response_id": wrong });
            assert_eq!(asked(&body).err().unwrap().code(), "not_found", "{wrong}");
        }
        for input in [json!([]), json!(""), json!([{ "type": "function_call_output", "output": "x" }])] {
            assert_eq!(asked(&json!({ "model": "m", "input": input })).err().unwrap().code(), "invalid_request");
        }
    }
}
