//! Documents and hints in the database.

pub mod change;
pub mod collections;
pub mod migration;
pub mod source;
pub mod versions;

use tokio_postgres::Row;
use uuid::Uuid;

use super::{Document, Failure, Filter, Status};
use crate::db::{Param, TenantTx};
use crate::error::Result;
use crate::http::list::Cursor;

const COLUMNS: &str = "d.id, d.filename, coalesce(d.own_title, d.title), d.content_type,
    coalesce(d.stored_size, d.declared_size), case when d.deleted_at is null then d.status else 'deleted' end,
    d.stored_chunks, d.planned_chunks, d.pages, d.error_code, d.error_detail, d.error_hint, d.created_at, d.updated_at,
    d.epoch, coalesce(d.moving_to, d.collection_id), d.metadata, d.version, d.current_version, d.source_url";

fn read(row: &Row) -> Document {
    let code: Option<String> = row.get(9);
    let (detail, hint): (Option<String>, Option<String>) = (row.get(10), row.get(11));
    Document {
        id: row.get(0),
        filename: row.get(1),
        title: row.get(2),
        content_type: row.get(3),
        size: row.get(4),
        status: Status::read(row.get(5)),
        stored: row.get(6),
        planned: row.get(7),
        pages: row.get(8),
        failure: code.map(|code| Failure { code, message: detail.unwrap_or_default(), hint: hint.unwrap_or_default() }),
        created_at: row.get(12),
        updated_at: row.get(13),
        epoch: row.get(14),
        collection: row.get(15),
        metadata: row.get(16),
        version: row.get(17),
        current_version: row.get(18),
        source_url: row.get(19),
    }
}

/// A document whose upload was said to be complete.
pub struct Completed {
    pub status: Status,
    /// A newer version waits for its bytes.
    pub pending: bool,
    /// The newest version whose bytes came.
    pub version: i32,
}

/// Leaves a hint and queues the document, unless it is in work or ready. Completing a failed one tries it again.
pub async fn complete(tx: &TenantTx, id: Uuid, hint: Uuid) -> Result<Option<Completed>> {
    let sql = "with found as (
                 select d.id, d.object_key, d.status, d.version from document d
                 where d.tenant_id = $1 and d.id = $2 and d.deleted_at is null for update
               ), hinted as (
                 insert into ingest_event (tenant_id, id, object_key, document_id, source)
                 select $1, $3, found.object_key, found.id, 'upload' from found where found.status <> 'ready'
                 on conflict (tenant_id, object_key) do update
                 set id = excluded.id, source = excluded.source, due_at = now(), attempts = 0
               ), queued as (
                 update document set status = 'queued', error_code = null, error_detail = null, error_hint = null,
                   attempts = 0, lease_until = null, updated_at = now()
                 from found
                 where document.tenant_id = $1 and document.id = found.id and found.status in ('uploading', 'failed')
                 returning document.status
               )
               select coalesce((select status from queued), found.status),
                      exists (select from document_version v
                              where v.tenant_id = $1 and v.document_id = found.id and v.version > found.version),
                      found.version
               from found";
    let row = tx.query_opt(sql, &[&id, &hint]).await?;
    Ok(row.map(|row| Completed { status: Status::read(row.get(0)), pending: row.get(1), version: row.get(2) }))
}

/// Leaves a hint for a key of the tenant: due after `seconds`, counting one more attempt when there was one before.
/// False when there is no such tenant.
pub async fn hint(tx: &TenantTx, id: Uuid, key: &str, source: &str, seconds: i32) -> Result<bool> {
    let sql = "insert into ingest_event (tenant_id, id, object_key, source, due_at, document_id)
               select $1, $2, $3, $4, now() + make_interval(secs => $5),
                      (select v.document_id from document_version v
                       where v.tenant_id = $1 and v.object_key = $3 order by v.version limit 1)
               from tenant t where t.tenant_id = $1
               on conflict (tenant_id, object_key) do update
               set id = excluded.id, source = excluded.source, due_at = excluded.due_at,
                   attempts = ingest_event.attempts + 1
               returning 1";
    Ok(tx.execute(sql, &[&id, &key, &source, &f64::from(seconds)]).await? > 0)
}

pub async fn find(tx: &TenantTx, id: Uuid) -> Result<Option<Document>> {
    let sql = format!("select {COLUMNS} from document d where d.tenant_id = $1 and d.id = $2");
    Ok(tx.query_opt(&sql, &[&id]).await?.as_ref().map(read))
}

/// Makes whoever else changes the document wait; false when there is none.
pub async fn lock(tx: &TenantTx, id: Uuid) -> Result<bool> {
    let sql = "select 1 from document where tenant_id = $1 and id = $2 and deleted_at is null for update";
    Ok(tx.execute(sql, &[&id]).await? > 0)
}

pub async fn list(tx: &TenantTx, filter: &Filter, after: Option<Cursor>, limit: i64) -> Result<Vec<Document>> {
    let sql = format!(
        "select {COLUMNS} from document d
         where d.tenant_id = $1 and d.deleted_at is null and ($2 is null or (d.created_at, d.id) < ($2, $3))
           and ($5 is null or d.status = any($5))
           and ($6 is null or coalesce(d.moving_to, d.collection_id) = $6)
           and ($7 is null or strpos(lower(d.filename), lower($7)) > 0
                or strpos(lower(coalesce(d.own_title, d.title, '')), lower($7)) > 0)
           and ($8 is null or d.created_at > $8) and ($9 is null or d.created_at < $9)
           and ($10 is null or d.metadata @> $10)
         order by d.created_at desc, d.id desc limit $4"
    );
    let (created_at, id) = (after.map(|after| after.at), after.map(|after| after.id));
    let statuses: Option<Vec<String>> = (!filter.statuses.is_empty())
        .then(|| filter.statuses.iter().map(|status| status.as_str().to_owned()).collect());
    let params: &[&dyn Param] = &[
        &created_at,
        &id,
        &limit,
        &statuses,
        &filter.collection,
        &filter.name,
        &filter.created_after,
        &filter.created_before,
        &filter.metadata,
    ];
    Ok(tx.query(&sql, params).await?.iter().map(read).collect())
}

/// One statement: the tombstone, the epoch that fences a racing worker, and the collection's statistics.
pub async fn delete(tx: &TenantTx, id: Uuid) -> Result<bool> {
    let sql = "with gone as (
                 update document set deleted_at = now(), updated_at = now(), epoch = epoch + 1, lease_owner = null, lease_until = null
                 where tenant_id = $1 and id = $2 and deleted_at is null
                 returning collection_id, current_chunks, current_length
               ), counted as (
                 insert into collection_delta (tenant_id, collection_id, chunks, length)
                 select $1, gone.collection_id, -gone.current_chunks, -gone.current_length from gone where gone.current_chunks > 0
               )
               select 1 from gone";
    Ok(tx.execute(sql, &[&id]).await? > 0)
}
