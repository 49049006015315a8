//! A document as clients read it, in every answer that shows one.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::{Document, Status};

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DocumentWire {
    id: Uuid,
    filename: String,
    title: Option<String>,
    content_type: Option<String>,
    size: i64,
    #[schemars(with = "Status")]
    status: &'static str,
    progress: ProgressWire,
    pages: Option<i32>,
    chunks: i32,
    error: Option<FailureWire>,
    collection_id: Uuid,
    metadata: Value,
    /// The newest version whose bytes came, and the one that readers see.
    version: i32,
    current_version: Option<i32>,
    source_url: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Serialize, JsonSchema)]
struct ProgressWire {
    done: i32,
    total: i32,
}

#[derive(Serialize, JsonSchema)]
struct FailureWire {
    code: String,
    message: String,
    hint: String,
}

impl From<Document> for DocumentWire {
    fn from(document: Document) -> DocumentWire {
        let error = document.failure.map(|failure| FailureWire {
            code: failure.code,
            message: failure.message,
            hint: failure.hint,
        });
        DocumentWire {
            id: document.id,
            filename: document.filename,
            title: document.title,
            content_type: document.content_type,
            size: document.size,
            status: document.status.as_str(),
            progress: ProgressWire { done: document.stored, total: document.planned },
            pages: document.pages,
            chunks: document.stored,
            error,
            collection_id: document.collection,
            metadata: document.metadata,
            version: document.version,
            current_version: document.current_version,
            source_url: document.source_url,
            created_at: document.created_at,
            updated_at: document.updated_at,
        }
    }
}
