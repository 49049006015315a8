//! The sweep's statements: what is compared with the bucket, and what nobody reads any more.

use futures_util::future::join;
use uuid::Uuid;

use crate::db::TenantTx;
use crate::documents::Status;
use crate::error::Result;
use crate::ingest::compare::Kept;

/// A question that began before a swap may still read the old revision for this long.
pub const REVISION_GRACE_SECONDS: f64 = 600.0;
/// A deleted document's bytes stay until no signed upload for its key can be valid any more.
pub const PURGE_AFTER_SECONDS: f64 = 20.0 * 60.0;
/// An upload that was never made, and a hint that never found its row, are forgotten after a day.
pub const FORGET_AFTER_SECONDS: f64 = 86_400.0;
/// Deleted documents that one sweep purges for one tenant.
const PURGE_PAGE: i64 = 100;
/// Rows that are compared with one page of the bucket; more than that many missing at once wait for the next sweep.
const COMPARE_PAGE: i64 = 5000;

pub async fn between(tx: &TenantTx, from: Uuid, to: Uuid) -> Result<Vec<Kept>> {
    let sql =
        "select d.id, case when d.deleted_at is null then d.status else 'deleted' end, d.current_etag, d.built_etag
               from document d where d.tenant_id = $1 and d.id > $2 and d.id <= $3 order by d.id limit $4";
    let rows = tx.query(sql, &[&from, &to, &COMPARE_PAGE]).await?;
    Ok(rows
        .iter()
        .map(|row| Kept {
            document: row.get(0),
            status: Status::read(row.get(1)),
            current_etag: row.get(2),
            built_etag: row.get(3),
        })
        .collect())
}

pub async fn mark(tx: &TenantTx, at: jiff::Timestamp) -> Result<()> {
    tx.execute("update tenant set swept_at = $2 where tenant_id = $1", &[&at]).await.map(|_| ())
}

pub async fn purgeable(tx: &TenantTx) -> Result<Vec<(Uuid, String)>> {
    let sql = "select d.id, d.object_key from document d
               where d.tenant_id = $1 and d.deleted_at < now() - make_interval(secs => $2) order by d.deleted_at limit $3";
    let rows = tx.query(sql, &[&PURGE_AFTER_SECONDS, &PURGE_PAGE]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Chunks and vectors go with the row, postings after it: a worker that stores some holds the row until they are in.
pub async fn remove(tx: &TenantTx, document: Uuid) -> Result<()> {
    let row = "delete from document where tenant_id = $1 and id = $2 and deleted_at is not null";
    let postings = "delete from posting p where p.tenant_id = $1 and p.document_id = $2
                      and not exists (select from document d where d.tenant_id = $1 and d.id = $2)";
    let (row, postings) = join(tx.execute(row, &[&document]), tx.execute(postings, &[&document])).await;
    row.and(postings).map(|_| ())
}

pub async fn supersede(tx: &TenantTx) -> Result<usize> {
    let mut removed = 0;
    for table in ["posting", "embedding", "chunk"] {
        let sql = format!(
            "delete from {table} r using document d
             where r.tenant_id = $1 and d.tenant_id = $1 and r.document_id = d.id and r.revision < d.current_revision
               and d.current_revision > 1 and d.updated_at < now() - make_interval(secs => $2) returning 1"
        );
        removed += tx.execute(&sql, &[&REVISION_GRACE_SECONDS]).await?;
    }
    Ok(removed)
}

pub async fn forget(tx: &TenantTx) -> Result<usize> {
    let hints = "delete from ingest_event e where e.tenant_id = $1 and e.created_at < now() - make_interval(secs => $2)
                   and not exists (select from document d where d.tenant_id = $1 and d.object_key = e.object_key) returning 1";
    let uploads = "update document set deleted_at = now(), updated_at = now(), epoch = epoch + 1
                   where tenant_id = $1 and status = 'uploading' and deleted_at is null and current_revision is null
                     and created_at < now() - make_interval(secs => $2) returning 1";
    Ok(tx.execute(hints, &[&FORGET_AFTER_SECONDS]).await? + tx.execute(uploads, &[&FORGET_AFTER_SECONDS]).await?)
}

/// One delta for each collection instead of many.
pub async fn fold(tx: &TenantTx) -> Result<()> {
    let sql = "with taken as (
                 delete from collection_delta t where t.tenant_id = $1 and t.collection_id in (
                   select m.collection_id from collection_delta m where m.tenant_id = $1 group by m.collection_id having count(*) > 1)
                 returning t.collection_id, t.chunks, t.length
               )
               insert into collection_delta (tenant_id, collection_id, chunks, length)
               select $1, taken.collection_id, sum(taken.chunks)::int8, sum(taken.length)::int8 from taken group by taken.collection_id";
    tx.execute(sql, &[]).await.map(|_| ())
}
