//! The statements of ingestion. Each one that changes a document carries the epoch of the lease that it was read
//! under: a worker that was overtaken, or whose document was deleted, changes nothing.

pub mod batch;
pub mod pull;
pub mod reembed;
pub mod sweep;

use tokio_postgres::Row;
use uuid::Uuid;

use super::decide::State;
use super::plan::Plan;
use crate::auth::TenantId;
use crate::db::{Param, TenantTx};
use crate::documents::Status;
use crate::error::{Error, Result};
use crate::objects::Head;

/// A document's row as a worker reads it before it decides.
pub struct Found {
    pub tenant: TenantId,
    pub document: Uuid,
    pub key: String,
    pub filename: String,
    pub content_type: Option<String>,
    pub state: State,
    pub epoch: i64,
    /// Seconds until the running lease or pause is over.
    pub wait: i32,
    /// A newer version may have come.
    pub pending: bool,
    /// Where the bytes are pulled from, if nobody uploads them.
    pub source: Option<Address>,
    /// The hints that wait for this document; what is consumed at the end are these and none that come later.
    pub hints: Vec<Uuid>,
}

/// An address, and what it called the bytes that were pulled last.
pub struct Address {
    pub url: String,
    pub etag: Option<String>,
}

/// The right to build one revision, until somebody takes the next epoch.
#[derive(Clone, Debug)]
pub struct Lease {
    pub tenant: TenantId,
    pub document: Uuid,
    pub epoch: i64,
    pub seconds: i32,
    /// What the bucket held when the lease was taken, and what the revision is made of.
    pub head: Head,
    pub revision: i32,
    pub attempts: i32,
    pub filename: String,
    pub content_type: Option<String>,
    pub embedding_model: String,
    /// What the revision that readers see now adds to its collection's statistics.
    pub current: (i32, i64),
}

pub async fn find(tx: &TenantTx, document: Uuid) -> Result<Option<Found>> {
    let sql = "select d.object_key, case when d.deleted_at is null then d.status else 'deleted' end, d.current_etag,
                 d.built_etag, d.attempts, coalesce(d.lease_until > now(), false), d.epoch,
                 coalesce(ceil(extract(epoch from d.lease_until - now())), 0)::int4,
                 array(select e.id from ingest_event e
                       where e.tenant_id = $1 and (e.object_key = d.object_key or e.document_id = d.id)),
                 exists (select from document_version v
                         where v.tenant_id = $1 and v.document_id = d.id and v.version > d.version),
                 d.filename, d.content_type, d.source_url, d.source_etag
               from document d where d.tenant_id = $1 and d.id = $2";
    Ok(tx.query_opt(sql, &[&document]).await?.map(|row| found(tx.tenant(), document, &row)))
}

fn found(tenant: TenantId, document: Uuid, row: &Row) -> Found {
    let status = Status::read(row.get(1));
    Found {
        tenant,
        document,
        key: row.get(0),
        filename: row.get(10),
        content_type: row.get(11),
        state: State {
            status,
            current_etag: row.get(2),
            built_etag: row.get(3),
            attempts: row.get(4),
            leased: row.get(5),
        },
        epoch: row.get(6),
        wait: row.get(7),
        hints: row.get(8),
        pending: row.get(9),
        source: row.get::<_, Option<String>>(12).map(|url| Address { url, etag: row.get(13) }),
    }
}

/// What a lease is taken for.
pub struct Claim<'a> {
    pub document: Uuid,
    pub epoch: i64,
    pub owner: Uuid,
    pub seconds: i32,
    pub head: &'a Head,
}

/// Takes the next epoch. The same bytes go on with the revision that was begun; others begin the next one.
/// `None`: somebody was quicker, or the document is gone.
pub async fn lease(tx: &TenantTx, claim: Claim<'_>) -> Result<Option<Lease>> {
    let Claim { document, epoch, owner, seconds, head } = claim;
    let size = i64::try_from(head.size).map_err(Error::internal)?;
    let rows = tx
        .query(include_str!("lease.sql"), &[&document, &epoch, &owner, &f64::from(seconds), &head.etag, &size])
        .await?;
    Ok(rows.first().map(|row| Lease {
        tenant: tx.tenant(),
        document,
        epoch: row.get(0),
        seconds,
        head: head.clone(),
        revision: row.get(1),
        attempts: row.get(2),
        filename: row.get(3),
        content_type: row.get(4),
        embedding_model: row.get(5),
        current: (row.get(6), row.get(7)),
    }))
}

/// Says that the worker lives; false when the lease is no longer its own.
pub async fn beat(tx: &TenantTx, lease: &Lease) -> Result<bool> {
    let sql = "update document set lease_until = now() + make_interval(secs => $4)
               where tenant_id = $1 and id = $2 and epoch = $3 and deleted_at is null returning 1";
    Ok(tx.execute(sql, &[&lease.document, &lease.epoch, &f64::from(lease.seconds)]).await? > 0)
}

/// Records what was found in the bytes and where to go on: the first ordinal that is not stored. `None`: fenced.
pub async fn plan(tx: &TenantTx, lease: &Lease, plan: &Plan, hash: &[u8]) -> Result<Option<usize>> {
    let sql = "update document set title = $4, pages = $5, planned_chunks = $6, plan_hash = $7, status = 'embedding',
                 stored_chunks = case when plan_hash = $7 then stored_chunks else 0 end,
                 stored_length = case when plan_hash = $7 then stored_length else 0 end,
                 lease_until = now() + make_interval(secs => $8), updated_at = now()
               where tenant_id = $1 and id = $2 and epoch = $3 and deleted_at is null
               returning stored_chunks";
    let planned = i32::try_from(plan.chunks()).map_err(Error::internal)?;
    let (title, pages, seconds) = (plan.title(), plan.pages(), f64::from(lease.seconds));
    let row = tx.query_opt(sql, &[&lease.document, &lease.epoch, &title, &pages, &planned, &hash, &seconds]).await?;
    let Some(stored) = row.map(|row| row.get::<_, i32>(0)) else { return Ok(None) };
    if stored == 0 {
        // Rows of another plan under the same number would be taken for this one's.
        clear(tx, lease.document, lease.revision).await?;
    }
    Ok(usize::try_from(stored).ok())
}

async fn clear(tx: &TenantTx, document: Uuid, revision: i32) -> Result<()> {
    tx.execute(
        "delete from chunk where tenant_id = $1 and document_id = $2 and revision = $3",
        &[&document, &revision],
    )
    .await?;
    tx.execute(
        "delete from embedding where tenant_id = $1 and document_id = $2 and revision = $3",
        &[&document, &revision],
    )
    .await?;
    tx.execute(
        "delete from posting where tenant_id = $1 and document_id = $2 and revision = $3",
        &[&document, &revision],
    )
    .await?;
    Ok(())
}

/// Shows the new revision to readers, and only a whole one. False: fenced, not whole, or of a model that its collection
/// has given up meanwhile.
pub async fn swap(tx: &TenantTx, lease: &Lease) -> Result<bool> {
    let (chunks, length) = lease.current;
    let params: &[&dyn Param] =
        &[&lease.document, &lease.epoch, &lease.head.etag, &chunks, &length, &lease.embedding_model];
    Ok(tx.execute(include_str!("swap.sql"), params).await? > 0)
}

/// Ends a build without a result. The etag is kept, so that the same bytes are not tried again by themselves. Bytes
/// that are shown already, by a swap whose answer was lost, have not failed.
pub async fn fail(tx: &TenantTx, document: Uuid, epoch: i64, etag: &str, error: &Error) -> Result<bool> {
    let sql =
        "update document set status = 'failed', error_code = $4, error_detail = $5, error_hint = $6, built_etag = $7,
                 lease_owner = null, lease_until = null, updated_at = now()
               where tenant_id = $1 and id = $2 and epoch = $3 and deleted_at is null
                 and not (status = 'ready' and current_etag = $7) returning 1";
    let (detail, hint) = (error.detail.as_ref(), error.hint.as_ref());
    Ok(tx.execute(sql, &[&document, &epoch, &error.code(), &detail, &hint, &etag]).await? > 0)
}

/// Gives the document back to the queue, where nobody takes it before `seconds` are over. Also postpones one that
/// nobody could look at, which has no lease to lose. Gives the attempts since its last progress; `None`: fenced.
pub async fn pause(tx: &TenantTx, document: Uuid, epoch: i64, seconds: i32, tried: bool) -> Result<Option<i32>> {
    let sql = "update document set status = 'queued', lease_owner = null,
                 attempts = case when $5 then attempts else greatest(attempts - 1, 0) end,
                 lease_until = now() + make_interval(secs => $4), updated_at = now()
               where tenant_id = $1 and id = $2 and epoch = $3 and deleted_at is null
                 and status in ('queued', 'parsing', 'embedding') returning attempts";
    Ok(tx.query_opt(sql, &[&document, &epoch, &f64::from(seconds), &tried]).await?.map(|row| row.get(0)))
}

/// The bytes are not there (yet): the document waits for its upload.
pub async fn wait(tx: &TenantTx, document: Uuid, epoch: i64) -> Result<bool> {
    let sql = "update document set status = 'uploading', lease_owner = null, lease_until = null, updated_at = now()
               where tenant_id = $1 and id = $2 and epoch = $3 and deleted_at is null and current_revision is null
                 and status in ('queued', 'parsing', 'embedding') and coalesce(lease_until, '-infinity') < now() returning 1";
    Ok(tx.execute(sql, &[&document, &epoch]).await? > 0)
}

/// Takes a due hint out of sight for a while that grows with each attempt; gives its key.
pub async fn claim_hint(tx: &TenantTx, hint: Uuid, longest: i32) -> Result<Option<String>> {
    let sql = "update ingest_event set attempts = attempts + 1,
                 due_at = now() + make_interval(secs => least($3, 15 * 2 ^ least(attempts, 20)))
               where tenant_id = $1 and id = $2 and due_at <= now() returning object_key";
    Ok(tx.query_opt(sql, &[&hint, &f64::from(longest)]).await?.map(|row| row.get(0)))
}

pub async fn consume_hints(tx: &TenantTx, hints: &Vec<Uuid>) -> Result<()> {
    tx.execute("delete from ingest_event where tenant_id = $1 and id = any($2)", &[hints]).await.map(|_| ())
}
