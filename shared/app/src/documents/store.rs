//! Documents and hints in the database.

use tokio_postgres::Row;
use uuid::Uuid;

use super::{Cursor, Document, Failure, Status};
use crate::db::TenantTx;
use crate::error::Result;

const COLUMNS: &str = "d.id, d.filename, d.title, d.content_type, coalesce(d.stored_size, d.declared_size),
    case when d.deleted_at is null then d.status else 'deleted' end, d.stored_chunks, d.planned_chunks, d.pages,
    d.error_code, d.error_detail, d.error_hint, d.created_at, d.updated_at, d.epoch";

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
    }
}

pub struct NewRow<'a> {
    pub id: Uuid,
    pub filename: &'a str,
    pub content_type: Option<&'a str>,
    pub size: i64,
    pub key: &'a str,
}

/// Puts a document into the tenant's first collection; false when there is none. A hint that came before its row (a
/// restored database, a replayed queue) is due at once.
pub async fn insert(tx: &TenantTx, new: NewRow<'_>) -> Result<bool> {
    let sql = "with placed as (
                 insert into document (tenant_id, id, collection_id, filename, content_type, declared_size, object_key)
                 select $1, $2, c.id, $3, $4, $5, $6
                 from collection c where c.tenant_id = $1 order by c.created_at, c.id limit 1
                 returning id
               ), attached as (
                 update ingest_event set document_id = placed.id, due_at = now(), attempts = 0
                 from placed where ingest_event.tenant_id = $1 and ingest_event.object_key = $6
               )
               select 1 from placed";
    Ok(tx.execute(sql, &[&new.id, &new.filename, &new.content_type, &new.size, &new.key]).await? > 0)
}

/// Leaves a hint and queues the document, unless it is in work or ready. Completing a failed one tries it again.
pub async fn complete(tx: &TenantTx, id: Uuid, hint: Uuid) -> Result<Option<Status>> {
    let sql = "with found as (
                 select d.id, d.object_key, d.status from document d
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
               select coalesce((select status from queued), found.status) from found";
    let row = tx.query_opt(sql, &[&id, &hint]).await?;
    Ok(row.map(|row| Status::read(row.get(0))))
}

/// Leaves a hint for a key of the tenant: due after `seconds`, counting one more attempt when there was one before.
/// False when there is no such tenant.
pub async fn hint(tx: &TenantTx, id: Uuid, key: &str, source: &str, seconds: i32) -> Result<bool> {
    let sql = "insert into ingest_event (tenant_id, id, object_key, source, due_at, document_id)
               select $1, $2, $3, $4, now() + make_interval(secs => $5),
                      (select d.id from document d where d.tenant_id = $1 and d.object_key = $3)
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

pub async fn list(tx: &TenantTx, after: Option<Cursor>, limit: i64) -> Result<Vec<Document>> {
    let sql = format!(
        "select {COLUMNS} from document d
         where d.tenant_id = $1 and d.deleted_at is null and ($2 is null or (d.created_at, d.id) < ($2, $3))
         order by d.created_at desc, d.id desc limit $4"
    );
    let (created_at, id) = (after.map(|after| after.created_at), after.map(|after| after.id));
    Ok(tx.query(&sql, &[&created_at, &id, &limit]).await?.iter().map(read).collect())
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
