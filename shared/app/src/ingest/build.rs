//! One revision in the making: fetch, read, embed and store batch after batch under a lease, then show it whole.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::Ingest;
use super::embed::Feed;
use super::failpoint::{self, failpoint};
use super::plan::Plan;
use super::sandbox::{self, Order};
use super::store::{self, Lease};
use crate::auth::TenantId;
use crate::db::TenantTx;
use crate::embedder::Embedder;
use crate::error::{Error, Kind, Result};
use crate::keys;
use crate::objects::Fetched;

/// Why a build stopped.
pub enum Stop {
    Fenced,
    /// Other bytes, or none.
    Changed,
    Paused,
    /// Not before so many seconds have passed: the provider said so, or its pace that all of a tenant's workers share.
    Later(i32, Option<Error>),
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Failed(error)
    }
}

/// Work that is one worker's for as long as it says in time that it lives.
pub trait Held: Sync {
    fn tenant(&self) -> TenantId;
    /// How long a sign of life holds.
    fn seconds(&self) -> i32;
    /// False: somebody else has taken over.
    fn beat(&self, tx: &TenantTx) -> impl Future<Output = Result<bool>> + Send;
}

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
    /// Builds and shows one revision, from the first chunk that is not stored yet.
    pub(super) async fn revision(&self, lease: &Lease, key: &str) -> Result<(), Stop> {
        let until = self.deadline();
        let document = self.in_time(until, lease, self.fetch(lease, key)).await??;
        failpoint(failpoint::AFTER_FETCH);
        let begun = Instant::now();
        let plan = Arc::new(self.in_time(until, lease, self.read(lease, document)).await??);
        let read = begun.elapsed();
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
        let mut feed = Feed::new(embedder, self.settings.batch_chunks, until);
        while stored < plan.chunks() {
            if Instant::now() >= until {
                return Err(Stop::Paused);
            }
            // On the heap: what waits for a provider inside it would make everything above it large.
            stored += Box::pin(self.batch(lease, &plan, &mut feed, stored)).await?;
            failpoint(failpoint::AFTER_BATCH);
        }
        failpoint(failpoint::BEFORE_SWAP);
        let tx = self.app.db.tenant(lease.tenant).await?;
        let shown = tx.finish(store::swap(&tx, lease)).await?;
        failpoint(failpoint::AFTER_SWAP);
        // Where the time went, for whoever wonders, and for the bench.
        let millis = |lap: Duration| lap.as_secs_f64() * 1000.0;
        let (gather, embed, store) = (millis(feed.spent.gather), millis(feed.spent.embed), millis(feed.spent.store));
        let (document, chunks, read) = (lease.document, plan.chunks(), millis(read));
        tracing::info!(%document, chunks, read, gather, embed, store, "ingest.document built, in milliseconds");
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

    /// The same for something that can be begun anew, and is given up when the time of this call is over.
    async fn in_time<T>(&self, until: Instant, lease: &Lease, work: impl Future<Output = T>) -> Result<T, Stop> {
        match timeout_at(until, self.alive(lease, work)).await {
            Ok(done) => done,
            Err(_) => Err(Stop::Paused),
        }
    }

    /// Does something that takes its time and renews the lease meanwhile; stops when the lease was lost.
    pub(super) async fn alive<T>(&self, held: &impl Held, work: impl Future<Output = T>) -> Result<T, Stop> {
        let beat = Duration::from_secs(u64::try_from(held.seconds()).unwrap_or(1)) / 3;
        let mut work = std::pin::pin!(work);
        loop {
            if let Ok(done) = timeout(beat, work.as_mut()).await {
                return Ok(done);
            }
            let tx = self.app.db.tenant(held.tenant()).await?;
            if !tx.finish(held.beat(&tx)).await? {
                return Err(Stop::Fenced);
            }
        }
    }
}

pub fn too_large(limit: u64) -> Error {
    Error::new(Kind::PayloadTooLarge, format!("The file is larger than {limit} bytes."))
        .hint("Split the document and upload its parts.")
}
