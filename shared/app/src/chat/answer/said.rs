//! What was said, what was taken out of it, and what it used.

use docent_llm::{StopReason, Usage};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::chat::citations::Citation;
use crate::error::Error;

/// What was said so far, and by whom.
#[derive(Debug, Default)]
pub struct Said {
    pub text: String,
    pub citations: Vec<Citation>,
    /// The same as they are stored.
    pub stored_citations: Vec<Value>,
    pub usage: Usage,
    /// Bytes that the model said, of which the filter may have taken some away.
    pub heard: usize,
    pub taken: Taken,
    /// Bytes that the model was sent.
    pub sent: usize,
    pub reason: &'static str,
    pub refused: bool,
    /// Who was asked last, as a place among the answerers; nobody yet.
    pub by: Option<usize>,
    /// Who could not even begin, and why.
    pub passed: Vec<(usize, Error)>,
}

/// An answer that nobody saw before it was whole.
pub struct Whole {
    pub message: Uuid,
    pub text: String,
    pub refused: bool,
    /// As in the stream's `data-citations`.
    pub citations: Vec<Value>,
    pub usage: Value,
    pub reason: &'static str,
}

/// What a model said and nobody is shown, so that operators see a model that obeys its documents.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taken {
    /// Links, images, tags and hidden characters.
    pub markup: u32,
    pub citations: usize,
}

impl Said {
    /// What was taken away is told only where something was.
    pub fn usage_wire(&self) -> Value {
        let mut wire = json!({ "inputTokens": self.usage.input_tokens, "outputTokens": self.usage.output_tokens });
        if self.taken.markup > 0 {
            wire["markupRemoved"] = json!(self.taken.markup);
        }
        if self.taken.citations > 0 {
            wire["citationsDropped"] = json!(self.taken.citations);
        }
        wire
    }
}

pub fn finish_reason(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Stop => "stop",
        StopReason::Length => "length",
        StopReason::ContentFilter => "content-filter",
        StopReason::Other => "other",
    }
}
