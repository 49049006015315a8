//! Documents whose bytes are pulled from an address.

use uuid::Uuid;

use crate::db::{Param, TenantTx};
use crate::documents::source::NewSource;
use crate::error::Result;

pub struct NewRow<'a> {
    pub id: Uuid,
    pub hint: Uuid,
    pub key: &'a str,
    pub filename: &'a str,
    pub new: &'a NewSource,
}

/// A document that waits to be pulled, with its hint; false when there is no such collection.
pub async fn insert(tx: &TenantTx, row: &NewRow<'_>) -> Result<bool> {
    let sql = "with placed as (
                 insert into document (tenant_id, id, collection_id, filename, declared_size, object_key, metadata, source_url, status)
                 select $1, $2, c.id, $3, 0, $4, coalesce($5, '{}'), $6, 'queued'
                 from collection c where c.tenant_id = $1 and ($7 is null or c.id = $7)
                 order by c.created_at, c.id limit 1
                 returning id
               ), numbered as (
                 insert into document_version (tenant_id, document_id, version, object_key, declared_size)
                 select $1, placed.id, 1, $4, 0 from placed
               ), hinted as (
                 insert into ingest_event (tenant_id, id, object_key, document_id, source)
                 select $1, $8, $4, placed.id, 'upload' from placed
                 on conflict (tenant_id, object_key) do update
                 set id = excluded.id, source = excluded.source, due_at = now(), attempts = 0
               )
               select 1 from placed";
    let NewRow { id, hint, key, filename, new } = *row;
    let url = new.url.as_str();
    let params: &[&dyn Param] = &[&id, &filename, &key, &new.metadata, &url, &new.collection, &hint];
    Ok(tx.execute(sql, params).await? > 0)
}

/// The number of the version after all that room was made for.
pub async fn next(tx: &TenantTx, id: Uuid) -> Result<i32> {
    let sql =
        "select coalesce(max(v.version), 0) + 1 from document_version v where v.tenant_id = $1 and v.document_id = $2";
    Ok(tx.query_opt(sql, &[&id]).await?.map_or(1, |row| row.get(0)))
}

/// Room for what the origin has now, unless room waits already, and a hint to fetch it. False while somebody reads.
pub async fn refresh(tx: &TenantTx, id: Uuid, key: &str, version: i32, hint: Uuid) -> Result<bool> {
    let sql = "with free as (
                 update document set status = 'queued', error_code = null, error_detail = null, error_hint = null,
                   attempts = 0, epoch = epoch + 1, lease_owner = null, lease_until = null, updated_at = now()
                 where tenant_id = $1 and id = $2 and deleted_at is null
                   and (lease_owner is null or coalesce(lease_until, '-infinity') < now())
                 returning id, version, current_revision, object_key
               ), numbered as (
                 insert into document_version (tenant_id, document_id, version, object_key, declared_size)
                 select $1, free.id, $4, $3, 0 from free
                 -- Nothing came yet: the first room will do.
                 where free.current_revision is not null and not exists (
                   select from document_version v where v.tenant_id = $1 and v.document_id = $2 and v.version > free.version)
               ), hinted as (
                 insert into ingest_event (tenant_id, id, object_key, document_id, source)
                 select $1, $5, free.object_key, free.id, 'upload' from free
                 on conflict (tenant_id, object_key) do update
                 set id = excluded.id, source = excluded.source, due_at = now(), attempts = 0
               )
               select 1 from free";
    Ok(tx.execute(sql, &[&id, &key, &version, &hint]).await? > 0)
}
