//! The repair that needs no event: compares bucket and table, and takes away what nobody reads any more. The system
//! converges by this alone, only later.

use tokio::time::Instant;
use uuid::Uuid;

use super::compare::{Difference, compare, document};
use super::failpoint::{self, failpoint};
use super::{Ingest, Source, store};
use crate::auth::TenantId;
use crate::db::Control;
use crate::error::Result;
use crate::{limits, usage};

/// Tenants asked for at once.
const TENANT_PAGE: i32 = 32;

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
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
    /// Reservations whose request is gone, settled in full.
    pub settled: usize,
}

impl Ingest {
    /// Sweeps tenant after tenant, those that waited longest first, until all had their turn or the time is over.
    pub async fn sweep(&self) -> Result<SweepReport> {
        let (began, until) = (self.app.clock.now(), self.deadline());
        let mut report = SweepReport::default();
        let mut before = Vec::new();
        loop {
            let tenants = self.app.db.control(Control::UnsweptTenants(began, TENANT_PAGE)).await?;
            // The same page again: these could not be marked, and would come first for ever.
            if tenants.is_empty() || tenants == before || Instant::now() >= until {
                return Ok(report);
            }
            before.clone_from(&tenants);
            for (tenant, _) in tenants {
                let tenant = TenantId::stored(tenant);
                if let Err(error) = self.sweep_tenant(tenant, &mut report).await {
                    tracing::warn!(tenant = %tenant.uuid(), cause = ?error, "ingest.sweep left a tenant unfinished");
                }
                // Marked even so: one tenant's trouble does not keep the others waiting.
                let tx = self.app.db.tenant(tenant).await?;
                tx.finish(store::sweep::mark(&tx, began)).await?;
                report.tenants += 1;
                if Instant::now() >= until {
                    return Ok(report);
                }
            }
        }
    }

    async fn sweep_tenant(&self, tenant: TenantId, report: &mut SweepReport) -> Result<()> {
        report.settled += self.settle_spending(tenant).await?;
        self.compare_with_bucket(tenant, report).await?;
        self.purge(tenant, report).await?;
        let tx = self.app.db.tenant(tenant).await?;
        report.superseded += store::sweep::supersede(&tx).await?;
        report.forgotten += store::sweep::forget(&tx).await?;
        store::sweep::fold(&tx).await?;
        tx.commit().await?;
        // Buckets are locked for no longer than this takes: callers wait for them.
        let tx = self.app.db.tenant(tenant).await?;
        tx.finish(limits::forget(&tx)).await
    }

    /// First, because reservations of the dead keep the living from spending.
    async fn settle_spending(&self, tenant: TenantId) -> Result<usize> {
        let tx = self.app.db.tenant(tenant).await?;
        let settled = usage::settle_stale(&tx, self.app.clock.now()).await?;
        tx.commit().await.map(|()| settled)
    }

    async fn compare_with_bucket(&self, tenant: TenantId, report: &mut SweepReport) -> Result<()> {
        let prefix = format!("t/{}/", tenant.uuid().simple());
        let (mut page, mut from) = (None::<String>, Uuid::nil());
        loop {
            let listing = self.objects.list(&prefix, page.as_deref()).await?;
            // Keys and ids have the same order, so a page of keys is a range of ids.
            let last = listing.objects.iter().rev().find_map(|object| document(&object.key));
            let to = if listing.next.is_some() { last.unwrap_or(from) } else { Uuid::max() };
            let kept = {
                let tx = self.app.db.tenant(tenant).await?;
                tx.finish(store::sweep::between(&tx, from, to)).await?
            };
            for difference in compare(&listing.objects, &kept) {
                if self.late() {
                    return Ok(());
                }
                match difference {
                    Difference::Vanished(documents) => {
                        tracing::error!(tenant = %tenant.uuid(), documents, "ingest.sweep found nothing of a tenant in the bucket: is it the right one?");
                    }
                    Difference::Orphan(key) => {
                        tracing::warn!(key, "ingest.sweep found an object without a document");
                        report.orphans += 1;
                    }
                    Difference::Look(id) => {
                        report.looked += 1;
                        super::due::settled(self.look(tenant, id, Source::Sweep).await);
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
        let dead = {
            let tx = self.app.db.tenant(tenant).await?;
            tx.finish(store::sweep::purgeable(&tx)).await?
        };
        for (id, key) in dead {
            failpoint(failpoint::BEFORE_PURGE);
            self.objects.delete(&key).await?;
            failpoint(failpoint::AFTER_BYTES);
            let tx = self.app.db.tenant(tenant).await?;
            tx.finish(store::sweep::remove(&tx, id)).await?;
            failpoint(failpoint::AFTER_PURGE);
            report.purged += 1;
        }
        Ok(())
    }
}
