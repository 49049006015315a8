//! A library's chunks embedded anew for another model, beside readers who go on with the first (`documents/migration`):
//! batch after batch under a lease, from wherever the last worker stopped.

use tokio::time::Instant;
use uuid::Uuid;

use super::batch::{self, Asked, Batch};
use super::build::{Held, Stop};
use super::embed::Feed;
use super::store::reembed::{self as store, Lease, Missing, Pass};
use super::{Ingest, Outcome, store as rows};
use crate::auth::TenantId;
use crate::db::TenantTx;
use crate::embedder::Embedder;
use crate::error::Result;
use crate::keys;
use crate::usage::Bill;
use crate::vectors::Point;

/// When everything has its vector, what came meanwhile is looked for this often, in seconds.
const TOP_UP: i32 = 30;
/// The pause after a first failure in seconds, doubled after each further one.
const PAUSE: i32 = 15;
const LONGEST_PAUSE: i32 = 3600;

impl Held for Lease {
    fn tenant(&self) -> TenantId {
        self.tenant
    }

    fn seconds(&self) -> i32 {
        self.seconds
    }

    async fn beat(&self, tx: &TenantTx) -> Result<bool> {
        store::beat(tx, self).await
    }
}

impl Ingest {
    /// Goes on with a tenant's migration until there is nothing to do, or the time of this call is over.
    pub(super) async fn migration(&self, tenant: TenantId) -> Result<Outcome> {
        let lease = {
            let tx = self.app.db.tenant(tenant).await?;
            tx.finish(store::lease(&tx, self.app.clock.uuid(), self.settings.lease_seconds)).await?
        };
        let Some(mut lease) = lease else { return Ok(Outcome::Busy) };
        let worked = self.migrate(&mut lease).await;
        let tx = self.app.db.tenant(tenant).await?;
        let (seconds, error, outcome) = match worked {
            Ok(()) => {
                match lease.finishing {
                    true => store::end(&tx, &lease).await?,
                    false => store::filled(&tx, &lease, TOP_UP).await?,
                }
                return tx.commit().await.map(|()| Outcome::Ready);
            }
            Err(Stop::Fenced | Stop::Changed) => return Ok(Outcome::Fenced),
            Err(Stop::Paused) => (0, None, Outcome::Paused),
            Err(Stop::Later(seconds, error)) => (seconds, error, Outcome::Paused),
            Err(Stop::Failed(error)) => {
                let pause = PAUSE.saturating_mul(2_i32.saturating_pow(lease.attempts.unsigned_abs().min(16)));
                (pause.min(LONGEST_PAUSE), Some(error), Outcome::Failed)
            }
        };
        if let Some(error) = &error {
            tracing::warn!(tenant = %tenant.uuid(), code = error.code(), cause = ?error, seconds, "ingest.reembed waits");
        }
        tx.finish(store::pause(&tx, &lease, seconds, error.as_ref())).await?;
        Ok(outcome)
    }

    async fn migrate(&self, lease: &mut Lease) -> Result<(), Stop> {
        // What readers use comes first: after a roll-back, documents that came since the switch lack it.
        if lease.rolled_back {
            let made_up = self.embed_missing(lease, lease.from.clone()).await;
            match made_up {
                // Whoever ends a migration must not have to bring back a model that is gone; words still find them.
                Err(Stop::Failed(error)) if lease.finishing => {
                    tracing::warn!(code = error.code(), cause = ?error, "ingest.reembed leaves what came since the switch without vectors");
                }
                other => other?,
            }
            let tx = self.app.db.tenant(lease.tenant).await?;
            tx.finish(store::made_up(&tx, lease)).await?;
            lease.pass = Pass::START;
        }
        match lease.finishing {
            true => self.discard(lease).await,
            false => self.embed_missing(lease, lease.to.clone()).await,
        }
    }

    /// Goes on with the pass under way, and through the library again until one pass found nothing to do.
    async fn embed_missing(&self, lease: &mut Lease, model: String) -> Result<(), Stop> {
        let until = self.deadline();
        let held = {
            let tx = self.app.db.tenant(lease.tenant).await?;
            tx.finish(keys::all(&tx)).await?
        };
        let embedder = Embedder::resolve(&self.app, lease.tenant, &model, &held)?;
        let mut feed = Feed::new(embedder, self.settings.batch_chunks, until);
        loop {
            if Instant::now() >= until {
                return Err(Stop::Paused);
            }
            match Box::pin(self.embed_more(lease, &model, &mut feed)).await? {
                Some(next) => lease.pass.next = next,
                None if lease.pass.clean => return Ok(()),
                None => lease.pass = Pass::START,
            }
        }
    }

    /// One batch of what is missing in the next documents; gives where to go on. `None`: that was the last document.
    async fn embed_more(&self, lease: &mut Lease, model: &str, feed: &mut Feed) -> Result<Option<Uuid>, Stop> {
        let (page, asked) = {
            let tx = self.app.db.tenant(lease.tenant).await?;
            let page = store::missing(&tx, lease, model, lease.pass.next, feed.rows()).await?;
            let hashes = batch::hashes(&page.missing);
            let cached = rows::batch::cached(&tx, model, &hashes).await?;
            tx.commit().await?;
            (page, Asked::new(hashes, cached))
        };
        let mut missing = page.missing;
        let Some(first) = missing.first().map(|row| row.document) else { return Ok(page.last.map(behind)) };
        lease.pass.clean = false;
        missing.truncate(asked.fill(&missing, &feed.limits));
        let asked = asked.first(missing.len());
        let Some((answers, bill)) = self.answers(lease, feed, asked.inputs(&missing)).await? else {
            return Ok(Some(first));
        };
        let last = missing.last().map_or(first, |row| row.document);
        self.keep_vectors(lease, model, asked.with(missing, answers), bill).await?;
        Ok(Some(last))
    }

    async fn keep_vectors(
        &self,
        lease: &Lease,
        model: &str,
        batch: Result<Batch<Missing>>,
        bill: Option<Bill>,
    ) -> Result<(), Stop> {
        let stored = match batch {
            Ok(batch) => self.store_vectors(lease, model, &batch, bill.as_ref()).await,
            Err(error) => Err(error.into()),
        };
        if stored.is_err()
            && let Some(bill) = &bill
        {
            // What was asked for is paid for, whatever becomes of the batch.
            let tx = self.app.db.tenant(lease.tenant).await?;
            tx.finish(bill.book(&tx)).await?;
        }
        stored
    }

    async fn store_vectors(
        &self,
        lease: &Lease,
        model: &str,
        batch: &Batch<Missing>,
        bill: Option<&Bill>,
    ) -> Result<(), Stop> {
        let points = batch.rows.iter().zip(batch.vectors());
        let points = points.map(|(row, vector)| Point { place: row.place(), vector: vector.as_slice() }).collect();
        self.alive(lease, self.copy(lease.tenant, model, points)).await??;
        let tx = self.app.db.tenant(lease.tenant).await?;
        if !store::store(&tx, lease, model, batch).await? {
            return Err(Stop::Fenced);
        }
        if let Some(bill) = bill {
            bill.book(&tx).await?;
        }
        Ok(tx.commit().await?)
    }

    async fn discard(&self, lease: &mut Lease) -> Result<(), Stop> {
        loop {
            if self.late() {
                return Err(Stop::Paused);
            }
            let tx = self.app.db.tenant(lease.tenant).await?;
            let looked = store::discard(&tx, lease, lease.pass.next).await?;
            tx.commit().await?;
            match looked {
                None => return Err(Stop::Fenced),
                Some(None) => return Ok(()),
                Some(Some(last)) => lease.pass.next = behind(last),
            }
        }
    }
}

/// Where to go on when all of a document was looked at.
fn behind(document: Uuid) -> Uuid {
    Uuid::from_u128(document.as_u128().saturating_add(1))
}
