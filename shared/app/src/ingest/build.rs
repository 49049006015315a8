//! One revision in the making: fetch, read, embed and store batch after batch under a lease, then show it whole.

use std::fs::File;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::Ingest;
use super::batch::{self, Asked, Batch};
use super::failpoint::{self, failpoint};
use super::plan::Plan;
use super::sandbox::{self, Order};
use super::store::{self, Lease};
use crate::embedder::Embedder;
use crate::error::{Error, Kind, Result};
use crate::keys;
use crate::objects::Fetched;
use crate::usage::{Bill, Spender};

/// Why a build stopped.
pub enum Stop {
    Fenced,
    /// Other bytes, or none.
    Changed,
    Paused,
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Failed(error)
    }
}

impl Ingest {
    /// Builds and shows one revision, from the first chunk that is not stored yet.
    pub(super) async fn revision(&self, lease: &Lease, key: &str) -> Result<(), Stop> {
        let until = self.deadline();
        let document = self.in_time(until, lease, self.fetch(lease, key)).await??;
        failpoint(failpoint::AFTER_FETCH);
        let plan = self.in_time(until, lease, self.read(lease, document)).await??;
        failpoint(failpoint::AFTER_PARSE);
        let (held, begun) = {
            let tx = self.app.db.tenant(lease.tenant).await?;
            let held = keys::all(&tx).await?;
            let begun = store::plan(&tx, lease, &plan, &plan.hash(&lease.embedding_model)).await?;
            tx.commit().await?;
            (held, begun)
        };
        failpoint(failpoint::AFTER_PLAN);
        let mut stored = begun.ok_or(Stop::Fenced)?;
        let embedder = Embedder::resolve(&self.app, lease.tenant, &lease.embedding_model, &held)?;
        while stored < plan.chunks() {
            if Instant::now() >= until {
                return Err(Stop::Paused);
            }
            stored += self.batch(lease, &plan, &embedder, stored).await?;
            failpoint(failpoint::AFTER_BATCH);
        }
        failpoint(failpoint::BEFORE_SWAP);
        let tx = self.app.db.tenant(lease.tenant).await?;
        let shown = tx.finish(store::swap(&tx, lease)).await?;
        failpoint(failpoint::AFTER_SWAP);
        if shown { Ok(()) } else { Err(Stop::Fenced) }
    }

    async fn fetch(&self, lease: &Lease, key: &str) -> Result<File, Stop> {
        let most = self.app.limits.file_bytes(&lease.filename, lease.content_type.as_deref());
        match self.objects.fetch(key, &lease.head, most).await? {
            Fetched::File(document) => Ok(document),
            Fetched::Changed | Fetched::Gone => Err(Stop::Changed),
            Fetched::TooLarge => Err(too_large(most).into()),
        }
    }

    async fn read(&self, lease: &Lease, document: File) -> Result<Plan, Stop> {
        let order = Order::of(&lease.filename, lease.content_type.as_deref());
        let order = order.within(&self.app.limits, &self.settings, lease.head.size);
        let spool = sandbox::read(&document, &order).await?;
        // Twice the document on disk is enough.
        drop(document);
        Ok(tokio::task::spawn_blocking(|| Plan::new(spool)).await.map_err(Error::internal)??)
    }

    async fn batch(&self, lease: &Lease, plan: &Plan, embedder: &Embedder, from: usize) -> Result<usize, Stop> {
        let rows = plan.rows(from..from.saturating_add(batch::SIZE))?;
        let count = rows.len();
        let hashes = batch::hashes(&rows);
        let cached = {
            let tx = self.app.db.tenant(lease.tenant).await?;
            tx.finish(store::batch::cached(&tx, embedder.name(), &hashes)).await?
        };
        let asked = Asked::new(hashes, cached);
        let inputs = asked.inputs(&rows);
        let (answers, bill) = match inputs.is_empty() {
            true => (Vec::new(), None),
            false => {
                let by = Spender::documents(lease.tenant);
                self.alive(lease, embedder.embed_metered(&self.app, by, true, inputs)).await?.map_err(once_more)?
            }
        };
        let stored = self.store(lease, asked.with(rows, answers), bill.as_ref()).await;
        if stored.is_err()
            && let Some(bill) = &bill
        {
            // What a provider embeds is spent, whatever becomes of the document.
            let tx = self.app.db.tenant(lease.tenant).await?;
            tx.finish(bill.book(&tx)).await?;
        }
        stored.map(|()| count)
    }

    async fn store(&self, lease: &Lease, batch: Result<Batch>, bill: Option<&Bill>) -> Result<(), Stop> {
        let batch = batch?;
        failpoint(failpoint::BEFORE_BATCH);
        let tx = self.app.db.tenant(lease.tenant).await?;
        if !store::batch::store(&tx, lease, &batch).await? {
            return Err(Stop::Fenced);
        }
        if let Some(bill) = bill {
            bill.book(&tx).await?;
        }
        Ok(tx.commit().await?)
    }

    /// The same for something that can be begun anew, and is given up when the time of this call is over.
    async fn in_time<T>(&self, until: Instant, lease: &Lease, work: impl Future<Output = T>) -> Result<T, Stop> {
        match timeout_at(until, self.alive(lease, work)).await {
            Ok(done) => done,
            Err(_) => Err(Stop::Paused),
        }
    }

    /// Does something that takes its time and renews the lease meanwhile; stops when the lease was lost.
    async fn alive<T>(&self, lease: &Lease, work: impl Future<Output = T>) -> Result<T, Stop> {
        let beat = Duration::from_secs(u64::try_from(lease.seconds).unwrap_or(1)) / 3;
        let mut work = std::pin::pin!(work);
        loop {
            if let Ok(done) = timeout(beat, work.as_mut()).await {
                return Ok(done);
            }
            let tx = self.app.db.tenant(lease.tenant).await?;
            if !tx.finish(store::beat(&tx, lease)).await? {
                return Err(Stop::Fenced);
            }
        }
    }
}

/// A document does not try again by itself, so the hint says what to do when the cap allows it.
fn once_more(error: Error) -> Error {
    if error.kind != Kind::SpendCap {
        return error;
    }
    let hint = format!("{} Then complete the upload again.", error.hint);
    error.hint(hint)
}

pub fn too_large(limit: u64) -> Error {
    Error::new(Kind::PayloadTooLarge, format!("The file is larger than {limit} bytes."))
        .hint("Split the document and upload its parts.")
}
