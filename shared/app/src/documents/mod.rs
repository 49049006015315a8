//! Documents from the caller's side: a place to upload to, status, progress, deletion. What happens to the bytes is
//! the ingest room's business; the two meet in a hint row that says "look at this key".

mod name;
mod routes;
mod store;
mod watch;

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

pub use routes::router;
pub use store::hint;

use crate::App;
use crate::auth::TenantId;
use crate::error::{Error, Kind, Result};
use crate::limits::idempotency::{self, Attempt, Once};
use crate::objects::{Objects, Presigned, Put};

/// How long a signed upload is good for: long enough for a slow line, short enough to be useless when it leaks.
pub const UPLOAD_VALID: Duration = Duration::from_secs(15 * 60);

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
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    epoch: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// What a caller says about a file that it is going to upload.
#[derive(Clone, Debug)]
pub struct NewDocument {
    pub filename: String,
    pub content_type: Option<String>,
    pub size: u64,
    pub sha256: Option<[u8; 32]>,
}

/// Where the next page of a list begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub created_at: Timestamp,
    pub id: Uuid,
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

/// The one name of a document's bytes. The server chooses it; a client's file name never becomes part of a key.
pub fn object_key(tenant: TenantId, document: Uuid) -> String {
    format!("t/{}/{}/1", tenant.uuid().simple(), document.simple())
}

/// Makes room for a document; its upload is signed next. A retry finds the first one's room.
pub async fn create(app: &App, tenant: TenantId, new: &NewDocument, attempt: Option<&Attempt>) -> Result<Once<Uuid>> {
    let filename = name::clean(&new.filename)?;
    name::accept(&filename, new.content_type.as_deref())?;
    admit_size(new.size, app.limits.file_bytes(&filename, new.content_type.as_deref()))?;
    let id = app.clock.uuid();
    let key = object_key(tenant, id);
    let tx = app.db.tenant(tenant).await?;
    let row = store::NewRow {
        id,
        filename: &filename,
        content_type: new.content_type.as_deref(),
        size: new.size as i64,
        key: &key,
    };
    let insert = async {
        match store::insert(&tx, row).await? {
            true => Ok(id),
            false => Err(Error::new(Kind::Conflict, "This tenant has no collection to put documents into.")),
        }
    };
    idempotency::once(&tx, attempt, insert).await
}

/// Signs the upload of a document's bytes.
pub async fn sign(app: &App, objects: &Objects, tenant: TenantId, id: Uuid, new: &NewDocument) -> Result<Presigned> {
    let key = object_key(tenant, id);
    let content_type = new.content_type.as_deref().unwrap_or("application/octet-stream");
    let put = Put { key: &key, content_type, size: new.size, sha256: new.sha256 };
    objects.presign_put(&put, app.clock.now(), UPLOAD_VALID).await
}

/// Says that the bytes are there (or should be tried again); gives the document's status.
pub async fn complete(app: &App, tenant: TenantId, id: Uuid) -> Result<Status> {
    let tx = app.db.tenant(tenant).await?;
    tx.finish(store::complete(&tx, id, app.clock.uuid())).await?.ok_or_else(|| Error::not_found("document"))
}

/// A page of living documents, newest first, and where the next one begins.
pub async fn list(
    app: &App,
    tenant: TenantId,
    after: Option<Cursor>,
    limit: i64,
) -> Result<(Vec<Document>, Option<Cursor>)> {
    let tx = app.db.tenant(tenant).await?;
    let mut page = tx.finish(store::list(&tx, after, limit + 1)).await?;
    let more = page.len() as i64 > limit;
    page.truncate(limit as usize);
    let next = page.last().filter(|_| more).map(|last| Cursor { created_at: last.created_at, id: last.id });
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

fn admit_size(size: u64, limit: u64) -> Result<()> {
    if size == 0 {
        return Err(
            Error::new(Kind::Document("empty_file"), "The file is empty.").hint("Choose a file that holds text.")
        );
    }
    if size > limit {
        return Err(Error::new(
            Kind::PayloadTooLarge,
            format!("The file has {size} bytes; the limit is {limit} bytes."),
        )
        .hint("Split the document, or ask the operator to raise MAX_UPLOAD_BYTES or MAX_STREAM_BYTES."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_admitted_from_one_byte_to_the_limit() {
        for (size, code) in [(0, Some("empty_file")), (1, None), (10, None), (11, Some("too_large"))] {
            assert_eq!(admit_size(size, 10).err().map(|error| error.code()), code, "{size}");
        }
        let error = admit_size(11, 10).unwrap_err();
        assert_eq!(
            (error.status().as_u16(), error.detail.as_ref()),
            (413, "The file has 11 bytes; the limit is 10 bytes.")
        );
    }
}
