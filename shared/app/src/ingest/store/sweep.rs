//! The sweep's statements: what is compared with the bucket, and what nobody reads any more.

use futures_util::future::join;
use uuid::Uuid;

use crate::db::TenantTx;
use crate::documents::{KEPT_VERSIONS, Status};
use crate::error::Result;
use crate::ingest::compare::Kept;

/// A question that began before a swap may still read the old revision for this long.
pub const REVISION_GRACE_SECONDS: f64 = 600.0;
/// A deleted document's bytes stay until no signed upload for its key can be valid any more.
pub const PURGE_AFTER_SECONDS: f64 = 20.0 * 60.0;
/// An upload that was never made, and a hint that never found its row, are forgotten after a day.
pub const FORGET_AFTER_SECONDS: f64 = 86_400.0;
/// So long the operator can bring back a conversation that was deleted by mistake.
pub const CONVERSATION_GRACE_SECONDS: f64 = 7.0 * 86_400.0;
/// Conversations that one sweep of a tenant takes away.
const CONVERSATION_PAGE: i64 = 50;
/// Deleted documents that one sweep purges for one tenant.
const PURGE_PAGE: i64 = 100;
/// Older versions, uploads, and old revisions in another store of vectors, that one sweep takes away for one tenant.
const DROP_PAGE: i64 = 500;
/// Rows that are held at once to be compared with the bucket.
pub const COMPARE_PAGE: usize = 5000;

/// One page of the documents behind `from`, up to `to`, and the id that the page reaches to.
pub async fn between(tx: &TenantTx, from: Uuid, to: Uuid) -> Result<(Vec<Kept>, Uuid)> {
    let sql =
        "select d.id, case when d.deleted_at is null then d.status else 'deleted' end, d.current_etag, d.built_etag, d.object_key,
           array(select v.object_key from document_version v where v.tenant_id = $1 and v.document_id = d.id and v.version <= d.version),
           array(select v.object_key from document_version v where v.tenant_id = $1 and v.document_id = d.id and v.version > d.version)
         from document d where d.tenant_id = $1 and d.id > $2 and d.id <= $3 order by d.id limit $4";
    let rows = tx.query(sql, &[&from, &to, &(COMPARE_PAGE as i64)]).await?;
    let kept: Vec<Kept> = rows
        .iter()
        .map(|row| Kept {
            document: row.get(0),
            status: Status::read(row.get(1)),
            current_etag: row.get(2),
            built_etag: row.get(3),
            key: row.get(4),
            older: row.get(5),
            newer: row.get(6),
        })
        .collect();
    let upper = kept.last().filter(|_| kept.len() == COMPARE_PAGE).map_or(to, |last| last.document);
    Ok((kept, upper))
}

/// Where the last comparison ran out of time.
pub async fn reached(tx: &TenantTx) -> Result<Option<Uuid>> {
    let row = tx.query_opt("select t.swept_to from tenant t where t.tenant_id = $1", &[]).await?;
    Ok(row.and_then(|row| row.get(0)))
}

pub async fn reach(tx: &TenantTx, document: Option<Uuid>) -> Result<()> {
    tx.execute("update tenant set swept_to = $2 where tenant_id = $1", &[&document]).await.map(|_| ())
}

pub async fn mark(tx: &TenantTx, at: jiff::Timestamp) -> Result<()> {
    tx.execute("update tenant set swept_at = $2 where tenant_id = $1", &[&at]).await.map(|_| ())
}

pub async fn purgeable(tx: &TenantTx) -> Result<Vec<Uuid>> {
    let sql = "select d.id from document d
               where d.tenant_id = $1 and d.deleted_at < now() - make_interval(secs => $2) order by d.deleted_at limit $3";
    let rows = tx.query(sql, &[&PURGE_AFTER_SECONDS, &PURGE_PAGE]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Versions that nobody keeps any more: behind the newest few, or behind one that replaces them and is shown. Not while
/// a newer one is on its way, and not before every signature for their keys has run out.
pub async fn surplus(tx: &TenantTx) -> Result<Vec<(Uuid, i32)>> {
    let sql = "with received as (
                 select v.document_id, v.version, v.created_at,
                   row_number() over (partition by v.document_id order by v.version desc) as place
                 from document_version v where v.tenant_id = $1 and v.received_at is not null
               )
               select r.document_id, r.version from received r
               join document d on d.tenant_id = $1 and d.id = r.document_id
               where d.deleted_at is null and d.status = 'ready' and d.current_version = d.version and r.version < d.version
                 and greatest(r.created_at, d.updated_at) < now() - make_interval(secs => $3)
                 and (r.place > $2 or exists (
                   select from document_version n
                   where n.tenant_id = $1 and n.document_id = r.document_id and n.replaces
                     and n.version > r.version and n.version <= d.current_version))
               order by r.document_id, r.version limit $4";
    let rows = tx.query(sql, &[&KEPT_VERSIONS, &PURGE_AFTER_SECONDS, &DROP_PAGE]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// The key of a version whose bytes are no other version's.
pub async fn sole_key(tx: &TenantTx, document: Uuid, version: i32) -> Result<Option<String>> {
    let sql = "select v.object_key from document_version v
               where v.tenant_id = $1 and v.document_id = $2 and v.version = $3 and not exists (
                 select from document_version o
                 where o.tenant_id = $1 and o.document_id = $2 and o.version <> $3 and o.object_key = v.object_key)";
    Ok(tx.query_opt(sql, &[&document, &version]).await?.map(|row| row.get(0)))
}

/// Never the version that counts.
pub async fn drop_version(tx: &TenantTx, document: Uuid, version: i32) -> Result<()> {
    let sql = "delete from document_version v using document d
               where v.tenant_id = $1 and v.document_id = $2 and v.version = $3
                 and d.tenant_id = $1 and d.id = v.document_id and d.version <> v.version";
    tx.execute(sql, &[&document, &version]).await.map(|_| ())
}

pub async fn receive(tx: &TenantTx, document: Uuid, version: i32) -> Result<()> {
    let sql = "update document_version set received_at = now()
               where tenant_id = $1 and document_id = $2 and version = $3 and received_at is null";
    tx.execute(sql, &[&document, &version]).await.map(|_| ())
}

/// Room for versions that was made a day ago and never filled; the document itself goes on.
pub async fn unreceived(tx: &TenantTx) -> Result<Vec<(Uuid, i32, String)>> {
    let sql = "select v.document_id, v.version, v.object_key from document_version v
               join document d on d.tenant_id = $1 and d.id = v.document_id
               where v.tenant_id = $1 and v.received_at is null and d.deleted_at is null and v.version <> d.version
                 and v.created_at < now() - make_interval(secs => $2) order by v.created_at limit $3";
    let rows = tx.query(sql, &[&FORGET_AFTER_SECONDS, &DROP_PAGE]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
}

/// Documents none of whose bytes ever came, and for whose bytes nobody asked for room since a day.
pub async fn overdue(tx: &TenantTx) -> Result<Vec<Uuid>> {
    let sql = "select d.id from document d
               where d.tenant_id = $1 and d.status = 'uploading' and d.deleted_at is null and d.current_revision is null
                 and d.created_at < now() - make_interval(secs => $2)
                 and not exists (select from document_version v where v.tenant_id = $1 and v.document_id = d.id
                                   and v.created_at >= now() - make_interval(secs => $2))
               order by d.created_at limit $3";
    let rows = tx.query(sql, &[&FORGET_AFTER_SECONDS, &DROP_PAGE]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Still without bytes after a look at the bucket.
pub async fn forget_upload(tx: &TenantTx, document: Uuid) -> Result<bool> {
    let sql = "update document set deleted_at = now(), updated_at = now(), epoch = epoch + 1
               where tenant_id = $1 and id = $2 and status = 'uploading' and deleted_at is null and current_revision is null
               returning 1";
    Ok(tx.execute(sql, &[&document]).await? > 0)
}

/// Chunks and vectors go with the row, postings after it: a worker that stores some holds the row until they are in.
pub async fn remove(tx: &TenantTx, document: Uuid) -> Result<()> {
    let row = "delete from document where tenant_id = $1 and id = $2 and deleted_at is not null";
    let postings = "delete from posting p where p.tenant_id = $1 and p.document_id = $2
                      and not exists (select from document d where d.tenant_id = $1 and d.id = $2)";
    let (row, postings) = join(tx.execute(row, &[&document]), tx.execute(postings, &[&document])).await;
    row.and(postings).map(|_| ())
}

/// Documents with revisions that nobody reads any more, and which these are.
pub async fn superseded(tx: &TenantTx) -> Result<Vec<(Uuid, Vec<i32>)>> {
    let sql = "select d.id, array_agg(distinct r.revision)
               from document d
               join chunk r on r.tenant_id = $1 and r.document_id = d.id and r.revision < d.current_revision
               where d.tenant_id = $1 and d.current_revision > 1 and d.updated_at < now() - make_interval(secs => $2)
               group by d.id order by d.id limit $3";
    let rows = tx.query(sql, &[&REVISION_GRACE_SECONDS, &DROP_PAGE]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Takes old revisions away, of these documents or of all.
pub async fn supersede(tx: &TenantTx, documents: Option<Vec<Uuid>>) -> Result<usize> {
    let mut removed = 0;
    for table in ["posting", "embedding", "chunk"] {
        let sql = format!(
            "delete from {table} r using document d
             where r.tenant_id = $1 and d.tenant_id = $1 and r.document_id = d.id and r.revision < d.current_revision
               and d.current_revision > 1 and d.updated_at < now() - make_interval(secs => $2)
               and ($3 is null or d.id = any($3)) returning 1"
        );
        removed += tx.execute(&sql, &[&REVISION_GRACE_SECONDS, &documents]).await?;
    }
    Ok(removed)
}

/// What was sent of an answer is kept for those who come back to it, for this long.
pub const LOG_SECONDS: f64 = 3600.0;
/// Rows of the log that one statement takes away.
pub const LOG_PAGE: usize = 5000;

/// The log of answers that are over, or whose producer died and nobody came back for.
pub async fn forget_logs(tx: &TenantTx) -> Result<usize> {
    let sql = "with old as (
                 select l.conversation_id, l.message_id, l.sequence from stream_log l
                 join message m on m.tenant_id = $1 and m.conversation_id = l.conversation_id and m.id = l.message_id
                 where l.tenant_id = $1 and l.created_at < now() - make_interval(secs => $2)
                   and (m.state <> 'streaming' or m.lease_until < now() - make_interval(secs => $2))
                 order by l.created_at limit $3
               )
               delete from stream_log l using old
               where l.tenant_id = $1 and l.conversation_id = old.conversation_id and l.message_id = old.message_id
                 and l.sequence = old.sequence returning 1";
    tx.execute(sql, &[&LOG_SECONDS, &(LOG_PAGE as i64)]).await
}

/// Conversations that their owners deleted some time ago, with all that was said in them.
pub async fn forget_conversations(tx: &TenantTx) -> Result<usize> {
    let sql = "delete from conversation c where c.tenant_id = $1 and c.id in (
                 select d.id from conversation d
                 where d.tenant_id = $1 and d.deleted_at < now() - make_interval(secs => $2) order by d.deleted_at limit $3)
               returning 1";
    tx.execute(sql, &[&CONVERSATION_GRACE_SECONDS, &CONVERSATION_PAGE]).await
}

/// Hints that never found their document.
pub async fn forget(tx: &TenantTx) -> Result<usize> {
    let sql = "delete from ingest_event e where e.tenant_id = $1 and e.created_at < now() - make_interval(secs => $2)
                 and not exists (select from document_version v where v.tenant_id = $1 and v.object_key = e.object_key) returning 1";
    tx.execute(sql, &[&FORGET_AFTER_SECONDS]).await
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
