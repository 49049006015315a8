//! The repair that needs no event: compares bucket and table, and takes away what nobody reads any more. The system
//! converges by this alone, only later.

use tokio::time::Instant;
use uuid::Uuid;

use super::compare::{Difference, Kept, compare, document};
use super::{Ingest, Source};
use crate::auth::TenantId;
use crate::db::{Control, TenantTx};
use crate::documents::Status;
use crate::error::Result;

/// Tenants asked for at once.
const TENANT_PAGE: i32 = 32;
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

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    pub tenants: usize,
    /// Documents that differed from the bucket and were looked at.
    pub looked: usize,
    /// Objects without a document.
    pub orphans: usize,
    /// Rows of revisions that nobody reads any more.
    pub superseded: usize,
    /// Deleted documents whose bytes and rows are gone now.
    pub purged: usize,
    /// Uploads and hints that were given up.
    pub forgotten: usize,
}

impl Ingest {
    /// Sweeps tenant after tenant, those that waited longest first, until all had their turn or the time is over.
    pub async fn sweep(&self) -> Result<SweepReport> {
        let (began, until) = (self.app.clock.now(), self.deadline());
        let mut report = SweepReport::default();
        loop {
            let tenants = self.app.db.control(Control::UnsweptTenants(began, TENANT_PAGE)).await?;
            if tenants.is_empty() || Instant::now() >= until {
                return Ok(report);
            }
            for (tenant, _) in tenants {
                let tenant = TenantId::stored(tenant);
                if let Err(error) = self.sweep_tenant(tenant, &mut report).await {
                    tracing::warn!(tenant = %tenant.uuid(), cause = ?error, "ingest.sweep left a tenant unfinished");
                }
                // Marked even so: one tenant's trouble does not keep the others waiting.
                let tx = self.app.db.tenant(tenant).await?;
                tx.finish(mark(&tx, began)).await?;
                report.tenants += 1;
                if Instant::now() >= until {
                    return Ok(report);
                }
            }
        }
    }

    async fn sweep_tenant(&self, tenant: TenantId, report: &mut SweepReport) -> Result<()> {
        self.compare_with_bucket(tenant, report).await?;
        self.purge(tenant, report).await?;
        let tx = self.app.db.tenant(tenant).await?;
        report.superseded += supersede(&tx).await?;
        report.forgotten += forget(&tx).await?;
        fold(&tx).await?;
        tx.commit().await
    }

    async fn compare_with_bucket(&self, tenant: TenantId, report: &mut SweepReport) -> Result<()> {
        let prefix = format!("t/{}/", tenant.uuid().simple());
        let (mut page, mut from) = (None::<String>, Uuid::nil());
        loop {
            let listing = self.objects.list(&prefix, page.as_deref()).await?;
            // Keys and ids have the same order, so a page of keys is a range of ids.
            let last = listing.objects.iter().rev().find_map(|object| document(&object.key));
            let to = if listing.next.is_some() { last.unwrap_or(from) } else { Uuid::max() };
            let tx = self.app.db.tenant(tenant).await?;
            let kept = tx.finish(between(&tx, from, to)).await?;
            for difference in compare(&listing.objects, &kept) {
                match difference {
                    Difference::Orphan(key) => {
                        tracing::warn!(key, "ingest.sweep found an object without a document");
                        report.orphans += 1;
                    }
                    Difference::Look(id) => {
                        report.looked += 1;
                        super::settled(self.look(tenant, id, Source::Sweep).await);
                    }
                }
            }
            match listing.next {
                Some(next) => (page, from) = (Some(next), to),
                None => return Ok(()),
            }
        }
    }

    /// Bytes first: a row without bytes is found again, bytes without a row are not.
    async fn purge(&self, tenant: TenantId, report: &mut SweepReport) -> Result<()> {
        let tx = self.app.db.tenant(tenant).await?;
        for (id, key) in tx.finish(purgeable(&tx)).await? {
            self.objects.delete(&key).await?;
            let tx = self.app.db.tenant(tenant).await?;
            tx.finish(remove(&tx, id)).await?;
            report.purged += 1;
        }
        Ok(())
    }
}

async fn between(tx: &TenantTx, from: Uuid, to: Uuid) -> Result<Vec<Kept>> {
    let sql =
        "select d.id, case when d.deleted_at is null then d.status else 'deleted' end, d.current_etag, d.built_etag
               from document d where d.tenant_id = $1 and d.id > $2 and d.id <= $3 order by d.id limit $4";
    let rows = tx.query(sql, &[&from, &to, &COMPARE_PAGE]).await?;
    Ok(rows
        .iter()
        .map(|row| {
            let status: String = row.get(1);
            let status = Status::ALL.into_iter().find(|known| known.as_str() == status).unwrap_or(Status::Queued);
            Kept { document: row.get(0), status, current_etag: row.get(2), built_etag: row.get(3) }
        })
        .collect())
}

async fn mark(tx: &TenantTx, at: jiff::Timestamp) -> Result<()> {
    tx.execute("update tenant set swept_at = $2 where tenant_id = $1", &[&at]).await.map(|_| ())
}

async fn purgeable(tx: &TenantTx) -> Result<Vec<(Uuid, String)>> {
    let sql = "select d.id, d.object_key from document d
               where d.tenant_id = $1 and d.deleted_at < now() - make_interval(secs => $2) order by d.deleted_at limit $3";
    let rows = tx.query(sql, &[&PURGE_AFTER_SECONDS, &PURGE_PAGE]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Chunks, vectors and postings go with the row.
async fn remove(tx: &TenantTx, document: Uuid) -> Result<()> {
    tx.execute("delete from document where tenant_id = $1 and id = $2 and deleted_at is not null", &[&document])
        .await
        .map(|_| ())
}

async fn supersede(tx: &TenantTx) -> Result<usize> {
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

async fn forget(tx: &TenantTx) -> Result<usize> {
    let hints = "delete from ingest_event e where e.tenant_id = $1 and e.created_at < now() - make_interval(secs => $2)
                   and not exists (select from document d where d.tenant_id = $1 and d.object_key = e.object_key) returning 1";
    let uploads = "update document set deleted_at = now(), updated_at = now(), epoch = epoch + 1
                   where tenant_id = $1 and status = 'uploading' and deleted_at is null and current_revision is null
                     and created_at < now() - make_interval(secs => $2) returning 1";
    Ok(tx.execute(hints, &[&FORGET_AFTER_SECONDS]).await? + tx.execute(uploads, &[&FORGET_AFTER_SECONDS]).await?)
}

/// One delta for each collection instead of many.
async fn fold(tx: &TenantTx) -> Result<()> {
    let sql = "with taken as (
                 delete from collection_delta t where t.tenant_id = $1 and t.collection_id in (
                   select m.collection_id from collection_delta m where m.tenant_id = $1 group by m.collection_id having count(*) > 1)
                 returning t.collection_id, t.chunks, t.length
               )
               insert into collection_delta (tenant_id, collection_id, chunks, length)
               select $1, taken.collection_id, sum(taken.chunks)::int8, sum(taken.length)::int8 from taken group by taken.collection_id";
    tx.execute(sql, &[]).await.map(|_| ())
}
