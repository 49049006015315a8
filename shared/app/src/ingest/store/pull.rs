//! What is known of an address that a document is pulled from.

use uuid::Uuid;

use crate::db::{Param, TenantTx};
use crate::error::Result;

/// What an origin said about its bytes.
pub struct Note<'a> {
    pub content_type: Option<&'a str>,
    pub etag: Option<&'a str>,
    pub size: i64,
}

/// The key that waits for bytes: the newest version's, else the first one's.
pub async fn room(tx: &TenantTx, document: Uuid) -> Result<Option<String>> {
    let sql = "select v.object_key from document_version v join document d on d.tenant_id = $1 and d.id = v.document_id
               where v.tenant_id = $1 and v.document_id = $2 and d.deleted_at is null and v.version >= d.version
                 and v.received_at is null
               order by v.version desc limit 1";
    Ok(tx.query_opt(sql, &[&document]).await?.map(|row| row.get(0)))
}

pub async fn note(tx: &TenantTx, document: Uuid, key: &str, note: Note<'_>) -> Result<()> {
    let sql = "with noted as (
                 update document_version set content_type = $4, declared_size = $6
                 where tenant_id = $1 and document_id = $2 and object_key = $3
               )
               update document set source_etag = $5, declared_size = $6, updated_at = now(),
                 content_type = case when current_revision is null then $4 else content_type end
               where tenant_id = $1 and id = $2";
    let params: &[&dyn Param] = &[&document, &key, &note.content_type, &note.etag, &note.size];
    tx.execute(sql, params).await.map(|_| ())
}

/// The origin has nothing new: the room is given up, and what is whole is ready as it was.
pub async fn unchanged(tx: &TenantTx, document: Uuid, epoch: i64) -> Result<()> {
    let sql = "with same as (
                 update document set attempts = 0, updated_at = now(),
                   status = case when current_revision = building and stored_chunks = planned_chunks and current_etag = built_etag
                                 then 'ready' else status end
                 where tenant_id = $1 and id = $2 and epoch = $3 and deleted_at is null and status = 'queued'
                 returning id, version
               )
               delete from document_version v using same
               where v.tenant_id = $1 and v.document_id = same.id and v.version > same.version and v.received_at is null";
    tx.execute(sql, &[&document, &epoch]).await.map(|_| ())
}

/// One more try failed; how many that makes. `None`: somebody else has the document now, or was quicker.
pub async fn put_off(tx: &TenantTx, document: Uuid, epoch: i64, seconds: i32) -> Result<Option<i32>> {
    let sql = "update document set attempts = attempts + 1, lease_owner = null,
                 lease_until = now() + make_interval(secs => $4), updated_at = now()
               where tenant_id = $1 and id = $2 and epoch = $3 and deleted_at is null and status = 'queued' returning attempts";
    let row = tx.query_opt(sql, &[&document, &epoch, &f64::from(seconds)]).await?;
    Ok(row.map(|row| row.get(0)))
}
