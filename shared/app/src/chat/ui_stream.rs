//! The AI SDK's UI message stream, version 1: the subset that its majors 5, 6 and 7 all read.
//! <https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol>

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::citations::Citation;
use crate::error::Error;
use crate::search::Hit;

/// One chunk of the stream. An unknown `type` kills the whole message in every client, so there are no others.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[schemars(rename = "UiMessageChunk")]
pub enum Chunk<'a> {
    Start {
        message_id: Uuid,
        message_metadata: Value,
    },
    StartStep,
    SourceDocument {
        source_id: String,
        media_type: &'a str,
        title: &'a str,
        filename: &'a str,
        provider_metadata: Value,
    },
    TextStart {
        id: &'a str,
    },
    TextDelta {
        id: &'a str,
        delta: &'a str,
    },
    TextEnd {
        id: &'a str,
    },
    DataCitations {
        id: &'a str,
        data: Vec<Value>,
    },
    DataRefusal {
        id: &'a str,
        data: Value,
    },
    FinishStep,
    Finish {
        finish_reason: &'a str,
        message_metadata: Value,
    },
    /// The client asked for the end.
    Abort,
    Error {
        #[serde(skip)]
        code: &'static str,
        error_text: String,
    },
}

/// The text part's id; there is one text part per message.
pub const TEXT: &str = "text";

/// What ends every stream, after its terminal chunk.
pub const DONE: &str = "data: [DONE]\n\n";

impl<'a> Chunk<'a> {
    pub fn frame(&self) -> String {
        // These types always serialize; an empty object would be refused by clients rather than misread.
        format!("data: {}\n\n", serde_json::to_string(self).unwrap_or_else(|_| "{}".to_owned()))
    }

    pub fn source(number: usize, hit: &'a Hit) -> Chunk<'a> {
        let title = hit.title.as_deref().unwrap_or(&hit.filename);
        let place = json!({
            "documentId": hit.document, "revision": hit.revision, "ordinal": hit.ordinal,
            "page": hit.page_first, "pageLast": hit.page_last, "span": [hit.span.0, hit.span.1],
            "headingPath": hit.heading_path, "quote": hit.text, "score": hit.score,
        });
        Chunk::SourceDocument {
            source_id: source_id(number),
            media_type: hit.content_type.as_deref().unwrap_or("text/plain"),
            title,
            filename: &hit.filename,
            provider_metadata: json!({ "docent": place }),
        }
    }

    pub fn citations(citations: &[Citation], hits: &[Hit], text: &str) -> Chunk<'a> {
        let data = citations.iter().map(|citation| {
            let hit = citation.number.checked_sub(1).and_then(|index| hits.get(index));
            json!({ "n": citation.number, "sourceId": source_id(citation.number), "page": citation.page,
                    "quote": citation.quote, "documentId": hit.map(|hit| hit.document),
                    "filename": hit.map(|hit| &hit.filename), "at": Chunk::place(citation.number, text) })
        });
        Chunk::DataCitations { id: "citations", data: data.collect() }
    }

    /// Where the text names a source first, in characters.
    pub fn place(number: usize, text: &str) -> [usize; 2] {
        let marker = format!("[{number}]");
        let start = text.find(&marker).map_or(0, |at| text[..at].chars().count());
        [start, start + marker.chars().count()]
    }

    pub fn refusal() -> Chunk<'a> {
        let hint = "Ask with words that stand in the documents, or upload one that answers.";
        Chunk::DataRefusal { id: "refusal", data: json!({ "code": "nothing_found", "hint": hint }) }
    }

    pub fn error(error: &Error) -> Chunk<'a> {
        Chunk::Error { code: error.code(), error_text: format!("{}: {} {}", error.code(), error.detail, error.hint) }
    }
}

/// Sources are numbered from 1, as the markers in the text are.
pub fn source_id(number: usize) -> String {
    format!("s{number}")
}
