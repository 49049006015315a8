//! What a keeper changes about a document that is there: title, notes, place, and another try.

pub(super) mod routes;

use serde_json::Value;
use uuid::Uuid;

use super::{Document, Status, find, store};
use crate::App;
use crate::auth::TenantId;
use crate::error::{Error, Kind, Result};

/// Characters of a title; the schema knows it too.
pub const LONGEST_TITLE: usize = 1000;

/// The parts that a request names; the others stay as they are.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// `Some(None)`: the title that the bytes give.
    pub title: Option<Option<String>>,
    pub collection: Option<Uuid>,
    /// Replaces what was noted.
    pub metadata: Option<Value>,
}

/// Whether somebody may have another try begin, as the row tells.
pub enum Redriven {
    Queued,
    Refused(Status),
    Unknown,
}

/// Within one embedding model a document moves with its chunks; into another it is ingested again, and stays where it
/// was until that is done.
pub async fn change(app: &App, tenant: TenantId, id: Uuid, change: &Change) -> Result<Document> {
    if let Some(Some(title)) = &change.title {
        let length = title.chars().count();
        if title.trim().is_empty() || length > LONGEST_TITLE || title.contains('\0') {
            return Err(Error::invalid(format!("`title` holds 1 to {LONGEST_TITLE} characters, or is null.")));
        }
    }
    let tx = app.db.tenant(tenant).await?;
    let work = async {
        if !store::lock(&tx, id).await? {
            return Err(Error::not_found("document"));
        }
        if let Some(title) = &change.title {
            store::change::title(&tx, id, title.as_deref()).await?;
        }
        if let Some(metadata) = &change.metadata {
            store::change::metadata(&tx, id, metadata).await?;
        }
        if let Some(collection) = change.collection {
            let same = store::change::same_model(&tx, id, collection).await?;
            match same.ok_or_else(|| {
                Error::invalid("`collectionId` names no collection of this tenant.")
                    .hint("GET /api/collections lists them.")
            })? {
                true => store::change::shift(&tx, id, collection).await?,
                false => store::change::reingest(&tx, id, collection, app.clock.uuid()).await?,
            }
        }
        store::find(&tx, id).await?.ok_or_else(|| Error::not_found("document"))
    };
    let changed = work.await;
    match &changed {
        Ok(_) => tx.commit().await?,
        // Nothing of a change that was refused in the middle stays.
        Err(_) => drop(tx.rollback().await),
    }
    changed
}

/// Queues a failed document again, or one that nobody works on.
pub async fn redrive(app: &App, tenant: TenantId, id: Uuid) -> Result<Document> {
    let tx = app.db.tenant(tenant).await?;
    let status = match tx.finish(store::change::redrive(&tx, id, app.clock.uuid())).await? {
        Redriven::Queued => return find(app, tenant, id).await,
        Redriven::Unknown => return Err(Error::not_found("document")),
        Redriven::Refused(status) => status,
    };
    Err(match status {
        Status::Ready => Error::new(Kind::Conflict, "The document is ready: there is nothing to repeat.")
            .hint("Upload a new version to change it."),
        Status::Uploading => Error::new(Kind::Conflict, "The document's bytes have not come.")
            .hint("Upload them, then POST /api/upload/{id}/complete."),
        _ => Error::new(Kind::Conflict, "The document is being read at this moment.")
            .hint("Wait until it is ready or failed."),
    })
}
