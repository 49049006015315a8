//! The way in for bytes: room for a document or its next version, signed for exactly what was announced.

mod parts;
mod place;
pub(super) mod routes;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

pub use parts::{Asked, PARTS_FROM, Room};
pub use place::{Declared, Known, MOST_PENDING, OnDuplicate};

use super::{Status, name, object_key, store, version_key, versions};
use crate::App;
use crate::auth::TenantId;
use crate::db::TenantTx;
use crate::error::{Error, Kind, Result};
use crate::limits::idempotency::{self, Attempt, Once};
use crate::objects::{Objects, Presigned, Put};
use place::{Placement, place};

/// How long a signed upload is good for: long enough for a slow line, short enough to be useless when it leaks.
pub const UPLOAD_VALID: Duration = Duration::from_secs(15 * 60);

/// What a caller says about a file that it is going to upload.
#[derive(Clone, Debug, Default)]
pub struct NewDocument {
    pub filename: String,
    pub content_type: Option<String>,
    pub size: u64,
    pub sha256: Option<[u8; 32]>,
    /// The tenant's first collection when none is named.
    pub collection: Option<Uuid>,
    /// A checked object; `None` leaves an existing document's as it is.
    pub metadata: Option<Value>,
    pub on_duplicate: OnDuplicate,
}

/// Where the bytes go, if they are wanted at all.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Placed {
    pub document: Uuid,
    pub version: i32,
    pub wanted: Wanted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wanted {
    /// For a document that was not there before.
    New,
    /// For the next version of one that was.
    Version,
    /// Not: the same bytes are there.
    Unchanged,
    /// Not: there is one of that name.
    Skipped,
}

impl Wanted {
    pub fn bytes(self) -> bool {
        matches!(self, Wanted::New | Wanted::Version)
    }
}

/// Makes room for a document; its upload is signed next. A retry finds the first one's room.
pub async fn create(app: &App, tenant: TenantId, new: &NewDocument, attempt: Option<&Attempt>) -> Result<Once<Placed>> {
    let filename = name::clean(&new.filename)?;
    name::accept(&filename, new.content_type.as_deref())?;
    admit_size(new.size, app.limits.file_bytes(&filename, new.content_type.as_deref()))?;
    let new = NewDocument { filename, ..new.clone() };
    let id = app.clock.uuid();
    let tx = app.db.tenant(tenant).await?;
    let made = async {
        match new.on_duplicate {
            OnDuplicate::Keep => insert(&tx, id, &new, new.collection).await,
            _ => placed(&tx, id, &new).await,
        }
    };
    idempotency::once(&tx, attempt, made).await
}

async fn insert(tx: &TenantTx, id: Uuid, new: &NewDocument, collection: Option<Uuid>) -> Result<Placed> {
    let key = object_key(tx.tenant(), id);
    match store::versions::insert(tx, id, &key, collection, new).await? {
        true => Ok(Placed { document: id, version: 1, wanted: Wanted::New }),
        false => Err(no_collection(new.collection)),
    }
}

/// One after the other for each name, so that two uploads of it cannot both find nothing and make two documents.
async fn placed(tx: &TenantTx, id: Uuid, new: &NewDocument) -> Result<Placed> {
    let collection = store::versions::collection(tx, new.collection).await?;
    let collection = collection.ok_or_else(|| no_collection(new.collection))?;
    store::versions::lock_name(tx, collection, &new.filename).await?;
    let found = store::versions::known(tx, collection, &new.filename).await?;
    let known = found.as_ref().map(|(_, known)| known);
    let document = found.as_ref().map_or(id, |(document, _)| *document);
    let version = known.map_or(1, |known| known.version);
    match place(new.on_duplicate, known, new)? {
        Placement::New => insert(tx, id, new, Some(collection)).await,
        Placement::Unchanged => Ok(Placed { document, version, wanted: Wanted::Unchanged }),
        Placement::Skipped => Ok(Placed { document, version, wanted: Wanted::Skipped }),
        Placement::Again(version) => {
            store::versions::renew(tx, document, version, new).await?;
            Ok(Placed { document, version, wanted: Wanted::Version })
        }
        Placement::Next(version) => {
            let key = version_key(tx.tenant(), document, version);
            store::versions::add(tx, document, version, &key, new).await?;
            Ok(Placed { document, version, wanted: Wanted::Version })
        }
    }
}

fn no_collection(named: Option<Uuid>) -> Error {
    match named {
        Some(_) => Error::invalid("`collectionId` names no collection of this tenant.")
            .hint("GET /api/collections lists them."),
        None => Error::new(Kind::Conflict, "This tenant has no collection to put documents into.")
            .hint("Make one with POST /api/collections."),
    }
}

/// Signs the upload of a version's bytes.
pub async fn sign(app: &App, objects: &Objects, key: &str, new: &NewDocument) -> Result<Presigned> {
    let content_type = new.content_type.as_deref().unwrap_or("application/octet-stream");
    let put = Put { key, content_type, size: new.size, sha256: new.sha256 };
    objects.presign_put(&put, app.clock.now(), UPLOAD_VALID).await
}

/// Says that the bytes are there (or should be tried again); gives the document's status.
pub async fn complete(app: &App, objects: &Objects, tenant: TenantId, id: Uuid) -> Result<Status> {
    let tx = app.db.tenant(tenant).await?;
    let completed = tx.finish(store::complete(&tx, id, app.clock.uuid())).await?;
    let store::Completed { status, pending, version } = completed.ok_or_else(|| Error::not_found("document"))?;
    if !pending || versions::arrive(app, objects, tenant, id).await? {
        return Ok(if pending { Status::Queued } else { status });
    }
    // The bucket's event may have brought the version in meanwhile.
    let now = super::find(app, tenant, id).await?;
    if now.version > version {
        return Ok(now.status);
    }
    // A document that waits for its first bytes may be told of them early; one that has some would look complete.
    match status {
        Status::Uploading | Status::Queued => Ok(status),
        _ => Err(Error::new(Kind::Conflict, "The bytes of the new version have not come.")
            .hint("Upload them to the address that POST /api/upload gave, then complete again.")),
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
