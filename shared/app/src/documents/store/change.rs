//! What a keeper changes.

use serde_json::Value;
use uuid::Uuid;

use crate::db::TenantTx;
use crate::documents::Status;
use crate::documents::change::Redriven;
use crate::error::Result;

pub async fn title(tx: &TenantTx, id: Uuid, title: Option<&str>) -> Result<()> {
    let sql = "update document set own_title = $3, updated_at = now() where tenant_id = $1 and id = $2";
    tx.execute(sql, &[&id, &title]).await.map(|_| ())
}

pub async fn metadata(tx: &TenantTx, id: Uuid, metadata: &Value) -> Result<()> {
    let sql = "update document set metadata = $3, updated_at = now() where tenant_id = $1 and id = $2";
    tx.execute(sql, &[&id, metadata]).await.map(|_| ())
}

/// Whether a collection's model is that of the document's own; `None` when there is no such collection.
pub async fn same_model(tx: &TenantTx, id: Uuid, collection: Uuid) -> Result<Option<bool>> {
    let sql = "select o.embedding_model = n.embedding_model from document d
               join collection o on o.tenant_id = $1 and o.id = d.collection_id
               join collection n on n.tenant_id = $1 and n.id = $3
               where d.tenant_id = $1 and d.id = $2";
    Ok(tx.query_opt(sql, &[&id, &collection]).await?.map(|row| row.get(0)))
}

/// Into a collection of the same model: chunks stay, the statistics go along. A move to another model that was under
/// way ends here, and whoever worked for it is fenced off.
pub async fn shift(tx: &TenantTx, id: Uuid, collection: Uuid) -> Result<()> {
    let sql = "with held as (
                 select d.id, d.collection_id, d.moving_to, d.current_chunks, d.current_length from document d
                 where d.tenant_id = $1 and d.id = $2 and (d.collection_id <> $3 or d.moving_to is not null)
               ), moved as (
                 update document set collection_id = $3, moving_to = null, updated_at = now(),
                   epoch = epoch + case when held.moving_to is null then 0 else 1 end,
                   lease_owner = case when held.moving_to is null then lease_owner end,
                   lease_until = case when held.moving_to is null then lease_until end
                 from held where document.tenant_id = $1 and document.id = held.id
               ), counted as (
                 insert into collection_delta (tenant_id, collection_id, chunks, length)
                 select $1, share.collection_id, share.chunks, share.length from (
                   select held.collection_id, -held.current_chunks as chunks, -held.current_length as length from held
                   where held.current_chunks > 0 and held.collection_id <> $3
                   union all
                   select $3, held.current_chunks, held.current_length from held
                   where held.current_chunks > 0 and held.collection_id <> $3) share
               )
               select 1 from held";
    tx.execute(sql, &[&id, &collection]).await.map(|_| ())
}

/// Into a collection of another model: the next revision is made for it, and the one that readers see stays behind
/// until then.
pub async fn reingest(tx: &TenantTx, id: Uuid, collection: Uuid, hint: Uuid) -> Result<()> {
    let sql = "with moving as (
                 update document set moving_to = $3, epoch = epoch + 1, lease_owner = null, lease_until = null,
                   status = case when status = 'uploading' then status else 'queued' end,
                   error_code = null, error_detail = null, error_hint = null, attempts = 0, updated_at = now()
                 where tenant_id = $1 and id = $2 and moving_to is distinct from $3
                 returning id, object_key
               )
               insert into ingest_event (tenant_id, id, object_key, document_id, source)
               select $1, $4, moving.object_key, moving.id, 'upload' from moving
               on conflict (tenant_id, object_key) do update
               set id = excluded.id, source = excluded.source, due_at = now(), attempts = 0";
    tx.execute(sql, &[&id, &collection, &hint]).await.map(|_| ())
}

/// Free to begin again is what failed, and what nobody holds: stalled, or put off after a failure that may pass.
pub async fn redrive(tx: &TenantTx, id: Uuid, hint: Uuid) -> Result<Redriven> {
    let sql = "with held as (
                 select d.id, d.status, d.object_key,
                   d.status = 'failed' or (d.status in ('queued', 'parsing', 'embedding')
                     and (d.lease_owner is null or d.lease_until < now())) as free
                 from document d where d.tenant_id = $1 and d.id = $2 and d.deleted_at is null for update
               ), queued as (
                 update document set status = 'queued', error_code = null, error_detail = null, error_hint = null,
                   attempts = 0, epoch = epoch + 1, lease_owner = null, lease_until = null, updated_at = now()
                 from held where document.tenant_id = $1 and document.id = held.id and held.free
               ), hinted as (
                 insert into ingest_event (tenant_id, id, object_key, document_id, source)
                 select $1, $3, held.object_key, held.id, 'upload' from held where held.free
                 on conflict (tenant_id, object_key) do update
                 set id = excluded.id, source = excluded.source, due_at = now(), attempts = 0
               )
               select held.free, held.status from held";
    let row = tx.query_opt(sql, &[&id, &hint]).await?;
    Ok(match row.map(|row| (row.get::<_, bool>(0), Status::read(row.get(1)))) {
        Some((true, _)) => Redriven::Queued,
        Some((false, status)) => Redriven::Refused(status),
        None => Redriven::Unknown,
    })
}
