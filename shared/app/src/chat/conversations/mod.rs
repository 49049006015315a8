//! Conversations as they were kept, for those who had them: lists, reading, names, deletion, export, search, and what
//! people think of an answer.

mod find;
mod markdown;
pub(super) mod routes;
mod store;
mod title;

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

pub use title::{TITLE_LIMIT, of_question};

use super::store::Thread;
use crate::App;
use crate::auth::TenantId;
use crate::error::Result;

/// Bytes of text and citations that one answer of the API carries; functions answer with 4.5 MB at most
/// (<https://vercel.com/docs/functions/limitations#request-body-size>). A page has one message at least.
pub const PAGE_BYTES: i64 = 2 * 1024 * 1024;
/// Messages that one export carries.
pub const EXPORT_PAGE: i64 = 1_000;
/// Characters of a comment; the schema knows it, too.
pub const COMMENT_LIMIT: usize = 2_000;
/// Characters that are kept of a rated answer and its question.
pub const RATED_ANSWER_CHARS: i32 = 4_000;
pub const RATED_QUESTION_CHARS: i32 = 500;

struct Conversation {
    /// Ours; the client's own id is what its owner calls it.
    id: Uuid,
    client_id: String,
    title: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

struct Message {
    id: Uuid,
    role: String,
    text: String,
    citations: Value,
    usage: Value,
    state: String,
    error_code: Option<String>,
    created_at: Timestamp,
    rating: Option<String>,
    comment: Option<String>,
}

/// What somebody thinks of an answer, with both as they were then.
struct Feedback {
    message: Uuid,
    rating: String,
    comment: String,
    question: String,
    answer: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// Our id of a conversation, if there is one that is not deleted.
pub async fn find(app: &App, tenant: TenantId, thread: Thread<'_>) -> Result<Option<Uuid>> {
    let tx = app.db.tenant(tenant).await?;
    Ok(tx.finish(store::find(&tx, thread)).await?.map(|conversation| conversation.id))
}
