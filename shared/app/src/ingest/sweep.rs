//! The repair that needs no event: compares bucket and table, and takes away what nobody reads any more. The system
//! converges by this alone, only later.

use tokio::time::Instant;
use uuid::Uuid;

use super::compare::{Difference, compare, document};
use super::failpoint::{self, failpoint};
use super::{Ingest, Outcome, Source, store};
use crate::auth::TenantId;
use crate::db::Control;
use crate::error::Result;
use crate::objects::{From, Listed};
use crate::vectors::Gone;
use crate::{limits, usage, webhooks};

/// An upload in parts that was begun so long ago is not completed any more.
pub const ABANDONED_AFTER: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);
/// Tenants asked for at once.
const TENANT_PAGE: i32 = 32;

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
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
    /// Older versions of documents whose bytes are gone now.
    pub dropped: usize,
    /// Uploads in parts that nobody went on with.
    pub aborted: usize,
    /// Uploads and hints that were given up.
    pub forgotten: usize,
    /// Pieces of answers that nobody comes back to any more.
    pub logged: usize,
    /// Conversations that were deleted and are gone now.
    pub conversations: usize,
    /// Reservations whose request is gone, settled in full.
    pub settled: usize,
    /// Addresses without a credential that have nothing outstanding.
    pub addresses: usize,
}

/// What the bucket holds of a range of documents.
struct Stretch<'a> {
    objects: &'a [Listed],
    from: Uuid,
    to: Uuid,
    /// The bucket holds nothing at all of the tenant.
    bare: bool,
}

impl Ingest {
    /// Sweeps tenant after tenant, those that waited longest first, until all had their turn or the time is over.
    pub async fn sweep(&self) -> Result<SweepReport> {
        let (began, until) = (self.app.clock.now(), self.deadline());
        let mut report = SweepReport { addresses: self.forget_addresses().await, ..SweepReport::default() };
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

    /// Nobody's sweep fails over what only saves space.
    async fn forget_addresses(&self) -> usize {
        match self.app.db.forget_addresses().await {
            Ok(forgotten) => usize::try_from(forgotten).unwrap_or_default(),
            Err(error) => {
                tracing::warn!(cause = ?error, "ingest.sweep kept its addresses");
                0
            }
        }
    }

    async fn sweep_tenant(&self, tenant: TenantId, report: &mut SweepReport) -> Result<()> {
        report.settled += self.settle_spending(tenant).await?;
        self.compare_with_bucket(tenant, report).await?;
        self.purge(tenant, report).await?;
        self.drop_versions(tenant, report).await?;
        self.abort_uploads(tenant, report).await?;
        self.forget_uploads(tenant, report).await?;
        let forgotten = self.forget_superseded(tenant).await?;
        let tx = self.app.db.tenant(tenant).await?;
        report.superseded += store::sweep::supersede(&tx, forgotten).await?;
        report.forgotten += store::sweep::forget(&tx).await?;
        store::sweep::fold(&tx).await?;
        tx.commit().await?;
        report.logged += self.forget_logs(tenant).await?;
        // By itself: what was said goes with them, which may take longer than there is.
        let tx = self.app.db.tenant(tenant).await?;
        report.conversations += tx.finish(store::sweep::forget_conversations(&tx)).await?;
        webhooks::tidy(&self.app, tenant).await?;
        // Buckets are locked for no longer than this takes: callers wait for them.
        let tx = self.app.db.tenant(tenant).await?;
        tx.finish(limits::forget(&tx)).await
    }

    /// Page by page, because a busy tenant leaves more in an hour than one statement should hold.
    async fn forget_logs(&self, tenant: TenantId) -> Result<usize> {
        let until = self.deadline();
        let mut forgotten = 0;
        loop {
            let tx = self.app.db.tenant(tenant).await?;
            let page = tx.finish(store::sweep::forget_logs(&tx)).await?;
            forgotten += page;
            if page < store::sweep::LOG_PAGE || Instant::now() >= until {
                return Ok(forgotten);
            }
        }
    }

    /// First, because reservations of the dead keep the living from spending.
    async fn settle_spending(&self, tenant: TenantId) -> Result<usize> {
        let tx = self.app.db.tenant(tenant).await?;
        let settled = usage::settle_stale(&tx, self.app.clock.now()).await?;
        tx.commit().await.map(|()| settled)
    }

    /// Page by page, from where the last sweep ran out of time.
    async fn compare_with_bucket(&self, tenant: TenantId, report: &mut SweepReport) -> Result<()> {
        let prefix = format!("t/{}/", tenant.uuid().simple());
        let mut from = {
            let tx = self.app.db.tenant(tenant).await?;
            tx.finish(store::sweep::reached(&tx)).await?.unwrap_or(Uuid::nil())
        };
        // Behind every key of that document: a zero comes after the slash.
        let behind = format!("{prefix}{}0", from.simple());
        let (mut page, mut held) = (None::<String>, Vec::new());
        loop {
            let place = match &page {
                Some(token) => From::Page(token),
                None if from.is_nil() => From::Start,
                None => From::Behind(&behind),
            };
            let listing = self.objects.list(&prefix, &place).await?;
            let bare = from.is_nil() && page.is_none() && listing.objects.is_empty() && listing.next.is_none();
            let mut objects: Vec<Listed> = std::mem::take(&mut held);
            objects.extend(listing.objects);
            let to = match listing.next {
                Some(_) => hold_back(&mut objects, &mut held).unwrap_or(from),
                None => Uuid::max(),
            };
            let done = self.compare_range(tenant, Stretch { objects: &objects, from, to, bare }, report).await?;
            let reached = (listing.next.is_some() || !done).then_some(if done { to } else { from });
            let tx = self.app.db.tenant(tenant).await?;
            tx.finish(store::sweep::reach(&tx, reached)).await?;
            match listing.next {
                Some(next) if done => (page, from) = (Some(next), to),
                _ => return Ok(()),
            }
        }
    }

    /// Documents behind `from`, up to `to`, in as many pieces as there are pages of rows; false when time ran out.
    async fn compare_range(&self, tenant: TenantId, stretch: Stretch<'_>, report: &mut SweepReport) -> Result<bool> {
        let Stretch { mut objects, mut from, to, bare } = stretch;
        loop {
            let (kept, upper) = {
                let tx = self.app.db.tenant(tenant).await?;
                tx.finish(store::sweep::between(&tx, from, to)).await?
            };
            let beyond = |object: &Listed| document(&object.key).is_some_and(|id| id > upper);
            let (here, later) = objects.split_at(objects.iter().position(beyond).unwrap_or(objects.len()));
            for difference in compare(here, &kept, bare) {
                if self.late() {
                    return Ok(false);
                }
                self.mend(tenant, difference, report).await;
            }
            if upper == to {
                return Ok(true);
            }
            (objects, from) = (later, upper);
        }
    }

    async fn mend(&self, tenant: TenantId, difference: Difference, report: &mut SweepReport) {
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

    /// Before the rows that say what there is to forget; another store that does not answer is asked by the next sweep.
    async fn forget(&self, tenant: TenantId, gone: Gone<'_>) -> bool {
        let forgotten = self.app.vectors.forget(tenant, gone).await;
        if let Err(cause) = &forgotten {
            tracing::warn!(tenant = %tenant.uuid(), ?cause, "ingest.sweep keeps rows whose points are still to be forgotten");
        }
        forgotten.is_ok()
    }

    /// The documents whose old revisions may go now: those without points in another store, or all where there is none.
    async fn forget_superseded(&self, tenant: TenantId) -> Result<Option<Vec<Uuid>>> {
        if self.app.vectors.qdrant().is_none() {
            return Ok(None);
        }
        let superseded = {
            let tx = self.app.db.tenant(tenant).await?;
            tx.finish(store::sweep::superseded(&tx)).await?
        };
        let forgotten = self.forget(tenant, Gone::Revisions(&superseded)).await;
        Ok(Some(superseded.into_iter().map(|(document, _)| document).filter(|_| forgotten).collect()))
    }

    /// Bytes first: a row without bytes is found again, bytes without a row are not.
    async fn purge(&self, tenant: TenantId, report: &mut SweepReport) -> Result<()> {
        let dead = {
            let tx = self.app.db.tenant(tenant).await?;
            tx.finish(store::sweep::purgeable(&tx)).await?
        };
        let forgotten = self.forget(tenant, Gone::Documents(&dead)).await;
        for id in dead {
            failpoint(failpoint::BEFORE_PURGE);
            // Every version, and whatever else came to lie there.
            let prefix = format!("t/{}/{}/", tenant.uuid().simple(), id.simple());
            loop {
                let listing = self.objects.list(&prefix, &From::Start).await?;
                for object in &listing.objects {
                    self.objects.delete(&object.key).await?;
                }
                if listing.next.is_none() {
                    break;
                }
            }
            failpoint(failpoint::AFTER_BYTES);
            if !forgotten {
                continue;
            }
            let tx = self.app.db.tenant(tenant).await?;
            tx.finish(store::sweep::remove(&tx, id)).await?;
            failpoint(failpoint::AFTER_PURGE);
            report.purged += 1;
        }
        Ok(())
    }

    /// Versions beyond those that are kept. Two versions may share their bytes, which go with the last of them.
    async fn drop_versions(&self, tenant: TenantId, report: &mut SweepReport) -> Result<()> {
        let surplus = {
            let tx = self.app.db.tenant(tenant).await?;
            tx.finish(store::sweep::surplus(&tx)).await?
        };
        for (document, version) in surplus {
            let sole = {
                let tx = self.app.db.tenant(tenant).await?;
                tx.finish(store::sweep::sole_key(&tx, document, version)).await?
            };
            if let Some(key) = sole {
                self.objects.delete(&key).await?;
            }
            let tx = self.app.db.tenant(tenant).await?;
            tx.finish(store::sweep::drop_version(&tx, document, version)).await?;
            report.dropped += 1;
        }
        Ok(())
    }

    /// Parts cost space that no listing shows.
    async fn abort_uploads(&self, tenant: TenantId, report: &mut SweepReport) -> Result<()> {
        let began = self.app.clock.now() - ABANDONED_AFTER;
        for upload in self.objects.begun(&format!("t/{}/", tenant.uuid().simple())).await? {
            if upload.at < began {
                self.objects.abort(&upload.key, &upload.upload).await?;
                report.aborted += 1;
            }
        }
        Ok(())
    }

    /// Uploads that never came, each looked for once more: an event that was lost is no reason to forget bytes.
    async fn forget_uploads(&self, tenant: TenantId, report: &mut SweepReport) -> Result<()> {
        let overdue = {
            let tx = self.app.db.tenant(tenant).await?;
            tx.finish(store::sweep::overdue(&tx)).await?
        };
        for document in overdue {
            if self.late() {
                return Ok(());
            }
            if self.look(tenant, document, Source::Sweep).await? == Outcome::Waiting {
                let tx = self.app.db.tenant(tenant).await?;
                report.forgotten += usize::from(tx.finish(store::sweep::forget_upload(&tx, document)).await?);
            }
        }
        let stale = {
            let tx = self.app.db.tenant(tenant).await?;
            tx.finish(store::sweep::unreceived(&tx)).await?
        };
        for (document, version, key) in stale {
            let tx = match self.objects.head(&key).await? {
                // Late, and behind a newer one: kept like any other that was overtaken.
                Some(_) => {
                    let tx = self.app.db.tenant(tenant).await?;
                    tx.finish(store::sweep::receive(&tx, document, version)).await?;
                    continue;
                }
                None => self.app.db.tenant(tenant).await?,
            };
            tx.finish(store::sweep::drop_version(&tx, document, version)).await?;
            report.forgotten += 1;
        }
        Ok(())
    }
}

/// The last document of a page may go on in the next one: its objects wait for that, and the range ends before it.
fn hold_back(objects: &mut Vec<Listed>, held: &mut Vec<Listed>) -> Option<Uuid> {
    let last = objects.iter().rev().find_map(|object| document(&object.key))?;
    let at = objects.iter().position(|object| document(&object.key) == Some(last))?;
    *held = objects.split_off(at);
    Some(Uuid::from_u128(last.as_u128().saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_document_of_a_page_waits_for_the_next_page() {
        let key = |id: u128, version: i32| {
            format!("t/{}/{}/{version}", Uuid::from_u128(1).simple(), Uuid::from_u128(id).simple())
        };
        let object = |key: String| Listed { key, etag: "a".to_owned() };
        let stray = format!("t/{}/x", Uuid::from_u128(1).simple());
        let mut objects: Vec<Listed> =
            [key(5, 1), key(7, 1), key(7, 10), key(7, 2), stray].into_iter().map(object).collect();
        let mut held = Vec::new();
        assert_eq!(hold_back(&mut objects, &mut held), Some(Uuid::from_u128(6)));
        assert_eq!((objects.len(), held.len()), (1, 4));
        let (mut none, mut strays) = (Vec::new(), vec![object("t/x/y".to_owned())]);
        assert_eq!(hold_back(&mut strays, &mut none), None);
        assert_eq!((strays.len(), none.len()), (1, 0));
    }
}
