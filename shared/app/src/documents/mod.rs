//! Documents from the caller's side: a place to upload to, status, progress, deletion. What happens to the bytes is
//! the ingest room's business; the two meet in a hint row that says "look at this key".

mod change;
mod collections;
pub mod metadata;
pub mod migration;
mod name;
mod routes;
mod source;
mod store;
mod upload;
mod versions;
mod watch;
mod wire;

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

pub use change::{Change, LONGEST_TITLE, change, redrive};
pub use collections::{LONGEST_NAME, MOST_COLLECTIONS};
pub use metadata::{LONGEST_KEY, LONGEST_VALUE, MOST_ENTRIES};
pub use name::accept_type;
pub use routes::router;
pub use source::{NewSource, refresh};
pub use store::hint;
pub use upload::{MOST_PENDING, NewDocument, OnDuplicate, PARTS_FROM, UPLOAD_VALID, Wanted, create};
pub use versions::{KEPT_VERSIONS, arrive, restore};

use crate::App;
use crate::auth::TenantId;
use crate::error::{Error, Result};
use crate::http::list::{self, Cursor};

/// A document as its tenant sees it.
#[derive(Clone, Debug)]
pub struct Document {
    pub id: Uuid,
    pub filename: String,
    pub title: Option<String>,
    pub content_type: Option<String>,
    pub size: i64,
    pub status: Status,
    /// Chunks stored and planned, of the revision in the making.
    pub stored: i32,
    pub planned: i32,
    pub pages: Option<i32>,
    pub failure: Option<Failure>,
    pub collection: Uuid,
    pub metadata: Value,
    /// The newest version whose bytes came.
    pub version: i32,
    /// The version that readers see.
    pub current_version: Option<i32>,
    /// Where its bytes are pulled from, if nobody uploads them.
    pub source_url: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    epoch: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, schemars::JsonSchema)]
#[schemars(rename_all = "lowercase", inline)]
pub enum Status {
    Uploading,
    Queued,
    Parsing,
    Embedding,
    Ready,
    Failed,
    Deleted,
}

/// Why a document did not become text.
#[derive(Clone, Debug)]
pub struct Failure {
    pub code: String,
    pub message: String,
    pub hint: String,
}

/// Which documents a list shows: those that every part admits.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Any of these; none means all.
    pub statuses: Vec<Status>,
    pub collection: Option<Uuid>,
    /// A part of the file's name or of the title, whatever the case.
    pub name: Option<String>,
    pub created_after: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
    /// Entries that the document's metadata holds as well.
    pub metadata: Option<Value>,
}

impl Document {
    /// Changes whenever anything that a caller can see changes.
    pub fn version(&self) -> String {
        format!("{:x}-{:x}-{:x}", self.updated_at.as_microsecond(), self.epoch, self.stored)
    }
}

impl Status {
    pub const ALL: [Status; 7] = [
        Status::Uploading,
        Status::Queued,
        Status::Parsing,
        Status::Embedding,
        Status::Ready,
        Status::Failed,
        Status::Deleted,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Status::Uploading => "uploading",
            Status::Queued => "queued",
            Status::Parsing => "parsing",
            Status::Embedding => "embedding",
            Status::Ready => "ready",
            Status::Failed => "failed",
            Status::Deleted => "deleted",
        }
    }

    /// From a row; the schema's check admits no other word.
    pub(crate) fn read(text: &str) -> Status {
        Status::ALL.into_iter().find(|status| status.as_str() == text).unwrap_or(Status::Queued)
    }

    /// Nothing more happens by itself.
    pub fn settled(self) -> bool {
        matches!(self, Status::Ready | Status::Failed | Status::Deleted)
    }
}

/// The one name of a version's bytes. The server chooses it; a client's file name never becomes part of a key.
pub fn version_key(tenant: TenantId, document: Uuid, version: i32) -> String {
    format!("t/{}/{}/{version}", tenant.uuid().simple(), document.simple())
}

/// The name of a document's first bytes.
pub fn object_key(tenant: TenantId, document: Uuid) -> String {
    version_key(tenant, document, 1)
}

/// A page of living documents, newest first, and where the next one begins.
pub async fn list(
    app: &App,
    tenant: TenantId,
    filter: &Filter,
    after: Option<Cursor>,
    limit: i64,
) -> Result<(Vec<Document>, Option<Cursor>)> {
    let tx = app.db.tenant(tenant).await?;
    let mut page = tx.finish(store::list(&tx, filter, after, limit + 1)).await?;
    let next = list::cut(&mut page, limit, |last| Cursor { at: last.created_at, id: last.id });
    Ok((page, next))
}

/// A document, even one whose deletion is not finished; see [`Status::Deleted`].
pub async fn find(app: &App, tenant: TenantId, id: Uuid) -> Result<Document> {
    let tx = app.db.tenant(tenant).await?;
    tx.finish(store::find(&tx, id)).await?.ok_or_else(|| Error::not_found("document"))
}

/// Takes a document out of every answer at once; its bytes follow with the next sweep.
pub async fn delete(app: &App, tenant: TenantId, id: Uuid) -> Result<()> {
    let tx = app.db.tenant(tenant).await?;
    match tx.finish(store::delete(&tx, id)).await? {
        true => Ok(()),
        false => Err(Error::not_found("document")),
    }
}
