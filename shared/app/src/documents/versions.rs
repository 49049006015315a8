//! Versions of a document's bytes: the one that readers see stays until the next is ready, and older ones can come back.

use jiff::Timestamp;
use uuid::Uuid;

use super::store;
use crate::App;
use crate::auth::TenantId;
use crate::error::{Error, Kind, Result};
use crate::objects::Objects;

/// Versions whose bytes are kept, the newest included; a sweep drops older ones.
pub const KEPT_VERSIONS: i64 = 5;

/// One version as its tenant sees it.
#[derive(Clone, Debug)]
pub struct Version {
    pub number: i32,
    pub size: i64,
    pub content_type: Option<String>,
    pub sha256: Option<Vec<u8>>,
    pub received_at: Option<Timestamp>,
    pub created_at: Timestamp,
    /// The version whose bytes these are.
    pub restores: Option<i32>,
    /// Readers see it.
    pub current: bool,
    pub key: String,
}

/// Takes up the newest version whose bytes have come, if it is newer than what the document has: it will be built, and
/// readers keep what they have until it is. Whether there was one.
pub async fn arrive(app: &App, objects: &Objects, tenant: TenantId, id: Uuid) -> Result<bool> {
    let pending = {
        let tx = app.db.tenant(tenant).await?;
        tx.finish(store::versions::pending(&tx, id)).await?
    };
    for (version, key) in pending {
        if objects.head(&key).await?.is_some() {
            let tx = app.db.tenant(tenant).await?;
            return tx.finish(store::versions::arrive(&tx, id, version, app.clock.uuid())).await;
        }
    }
    Ok(false)
}

/// All versions that are known, newest first.
pub async fn list(app: &App, tenant: TenantId, id: Uuid) -> Result<Vec<Version>> {
    let tx = app.db.tenant(tenant).await?;
    let versions = tx.finish(store::versions::list(&tx, id)).await?;
    if versions.is_empty() { Err(Error::not_found("document")) } else { Ok(versions) }
}

/// Makes an older version's bytes the newest again; gives the new version's number.
pub async fn restore(app: &App, objects: &Objects, tenant: TenantId, id: Uuid, number: i32) -> Result<i32> {
    let versions = list(app, tenant, id).await?;
    let newest = versions.iter().filter(|version| version.received_at.is_some()).map(|version| version.number).max();
    let wanted = versions.iter().find(|version| version.number == number && version.received_at.is_some());
    let wanted = wanted.ok_or_else(|| Error::not_found("version"))?;
    if Some(number) == newest {
        return Ok(number);
    }
    if objects.head(&wanted.key).await?.is_none() {
        return Err(Error::new(Kind::Conflict, "The bytes of that version are gone.")
            .hint("GET /api/documents/{id}/versions lists those that are kept."));
    }
    let tx = app.db.tenant(tenant).await?;
    let restored = async {
        store::lock(&tx, id).await?;
        store::versions::restore(&tx, id, number, app.clock.uuid()).await
    };
    let restored = restored.await;
    tx.commit().await?;
    restored?.ok_or_else(|| Error::not_found("version"))
}
