//! A library's chunks embedded anew for another model, beside readers who go on with the first (`documents/migration`):
//! batch after batch under a lease, from wherever the last worker stopped.

use tokio::time::Instant;
use uuid::Uuid;

use super::batch::{self, Asked, Batch};
use super::build::{Held, Stop};
use super::embed::Feed;
use super::store::reembed::{self as store, Lease, Missing};
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
/// Vectors that one transaction deletes.
const DISCARDED: i64 = 10_000;

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
        let Some(lease) = lease else { return Ok(Outcome::Busy) };
        let worked = self.migrate(&lease).await;
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

    async fn migrate(&self, lease: &Lease) -> Result<(), Stop> {
        // What readers use comes first: after a roll-back, documents that came since the switch lack it.
        if lease.rolled_back {
            self.embed_missing(lease, &lease.from).await?;
        }
        match lease.finishing {
            true => self.discard(lease).await,
            false => self.embed_missing(lease, &lease.to).await,
        }
    }

    async fn embed_missing(&self, lease: &Lease, model: &str) -> Result<(), Stop> {
        let until = self.deadline();
        let held = {
            let tx = self.app.db.tenant(lease.tenant).await?;
            tx.finish(keys::all(&tx)).await?
        };
        let embedder = Embedder::resolve(&self.app, lease.tenant, model, &held)?;
        let mut feed = Feed::new(embedder, self.settings.batch_chunks, until);
        let mut first = Uuid::nil();
        loop {
            if Instant::now() >= until {
                return Err(Stop::Paused);
            }
            match Box::pin(self.embed_more(lease, model, &mut feed, first)).await? {
                Some(last) => first = last,
                // Once more from the start: what came meanwhile may stand before the place that was reached.
                None if !first.is_nil() => first = Uuid::nil(),
                None => return Ok(()),
            }
        }
    }

    /// One batch of what is missing from a document on; gives the last document that it reached. `None`: nothing is.
    async fn embed_more(&self, lease: &Lease, model: &str, feed: &mut Feed, first: Uuid) -> Result<Option<Uuid>, Stop> {
        let (mut missing, asked) = {
            let tx = self.app.db.tenant(lease.tenant).await?;
            let missing = store::missing(&tx, &lease.from, model, first, feed.rows()).await?;
            let hashes = batch::hashes(&missing);
            let cached = rows::batch::cached(&tx, model, &hashes).await?;
            tx.commit().await?;
            (missing, Asked::new(hashes, cached))
        };
        if missing.is_empty() {
            return Ok(None);
        }
        missing.truncate(asked.fill(&missing, &feed.limits));
        let asked = asked.first(missing.len());
        let Some((answers, bill)) = self.answers(lease, feed, asked.inputs(&missing)).await? else {
            return Ok(Some(first));
        };
        let last = missing.last().map(|row| row.document);
        self.keep_vectors(lease, model, asked.with(missing, answers)?, bill).await?;
        Ok(last)
    }

    async fn keep_vectors(
        &self,
        lease: &Lease,
        model: &str,
        batch: Batch<Missing>,
        bill: Option<Bill>,
    ) -> Result<(), Stop> {
        let stored = self.store_vectors(lease, model, &batch, bill.as_ref()).await;
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

    async fn discard(&self, lease: &Lease) -> Result<(), Stop> {
        loop {
            if self.late() {
                return Err(Stop::Paused);
            }
            let tx = self.app.db.tenant(lease.tenant).await?;
            let discarded = store::discard(&tx, lease, DISCARDED).await?;
            tx.commit().await?;
            match discarded {
                None => return Err(Stop::Fenced),
                Some(0) => return Ok(()),
                Some(_) => {}
            }
        }
    }
}
