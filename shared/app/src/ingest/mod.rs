//! From bytes in the bucket to rows that search reads: hint → look → lease → fetch → parse → chunk → embed → store →
//! swap. An event is only a hint; what counts is what the bucket says when somebody looks.

mod batch;
mod build;
mod compare;
mod decide;
mod events;
pub mod failpoint;
mod plan;
mod routes;
mod signature;
mod store;
mod sweep;
mod work;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

pub use batch::SIZE as BATCH;
pub use failpoint::failpoint;
pub use routes::router;
pub use sweep::SweepReport;
pub use work::Outcome;

use crate::App;
use crate::auth::TenantId;
use crate::config;
use crate::db::Control;
use crate::documents;
use crate::error::{Error, Result};
use crate::objects::Objects;
use events::Seen;

/// How long one call works before it leaves the rest to the next: within every platform's five minutes.
pub const WORK_TIME: Duration = Duration::from_secs(240);
/// Hints and stuck documents that one [`Ingest::due`] takes up.
pub const DUE_PAGE: i32 = 16;
/// The longest pause before a hint that leads nowhere is tried again.
pub const LONGEST_PAUSE: i32 = 3600;

/// Where a hint came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    S3,
    R2,
    Sweep,
}

impl Source {
    fn as_str(self) -> &'static str {
        match self {
            Source::S3 => "s3",
            Source::R2 => "r2",
            Source::Sweep => "sweep",
        }
    }
}

/// Ingestion with all that it needs, cheap to clone.
#[derive(Clone)]
pub struct Ingest {
    app: App,
    objects: Objects,
    settings: Arc<config::Ingest>,
    until: Option<Instant>,
}

impl Ingest {
    pub fn new(app: App, objects: Objects, settings: config::Ingest) -> Ingest {
        Ingest { app, objects, settings: Arc::new(settings), until: None }
    }

    /// The same, with one deadline for everything that is done with it from now on.
    pub fn within(mut self, time: Duration) -> Ingest {
        self.until = Some(Instant::now() + time);
        self
    }

    /// Whether the time that was set for everything is over: what was not begun stays for the next.
    fn late(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    fn deadline(&self) -> Instant {
        self.until.unwrap_or_else(|| Instant::now() + WORK_TIME)
    }

    /// One message of an S3 queue. An error asks for the message to be delivered again; what can never be of use is
    /// acknowledged with a line in the log.
    pub async fn message(&self, body: &str) -> Result<()> {
        if self.late() {
            return Err(Error::new(crate::error::Kind::StorageUnavailable, "There was no time left to begin."));
        }
        let mut outcome = Ok(());
        for seen in events::s3(body, self.objects.bucket())? {
            // One poor record does not keep the others of its message waiting.
            outcome = outcome.and(self.seen(seen, Source::S3).await);
        }
        outcome
    }

    /// The body of one message of an R2 queue.
    pub async fn r2(&self, body: &serde_json::Value) -> Result<()> {
        self.seen(events::r2(body, self.objects.bucket())?, Source::R2).await
    }

    /// Looks at one document now and does what there is to do.
    pub async fn document(&self, tenant: TenantId, document: Uuid) -> Result<Outcome> {
        self.look(tenant, document, Source::Sweep).await
    }

    /// Takes up hints that are due and documents whose worker is gone; gives how many came to an end. Call it again
    /// until that is none.
    pub async fn due(&self) -> Result<usize> {
        let mut ended = 0;
        for (tenant, hint) in self.app.db.control(Control::DueHints(DUE_PAGE)).await? {
            let Some(hint) = hint else { continue };
            if self.late() {
                return Ok(ended);
            }
            ended += usize::from(settled(self.hinted(TenantId::stored(tenant), hint).await));
        }
        for (tenant, document) in self.app.db.control(Control::StuckDocuments(DUE_PAGE)).await? {
            let Some(document) = document else { continue };
            if self.late() {
                return Ok(ended);
            }
            ended += usize::from(settled(self.document(TenantId::stored(tenant), document).await));
        }
        Ok(ended)
    }

    async fn hinted(&self, tenant: TenantId, hint: Uuid) -> Result<Outcome> {
        let claimed = {
            let tx = self.app.db.tenant(tenant).await?;
            tx.finish(store::claim_hint(&tx, hint, LONGEST_PAUSE)).await?
        };
        let Some(key) = claimed else { return Ok(Outcome::Busy) };
        failpoint(failpoint::AFTER_CLAIM);
        match events::claim(key) {
            Seen::Key { tenant: claimed, document, .. } if claimed == tenant.uuid() => {
                self.look(tenant, document, Source::Sweep).await
            }
            _ => {
                tracing::warn!(%hint, "ingest.hint forgotten: its key is not the tenant's");
                let tx = self.app.db.tenant(tenant).await?;
                tx.finish(store::consume_hints(&tx, &vec![hint])).await?;
                Ok(Outcome::Nothing)
            }
        }
    }

    async fn seen(&self, seen: Seen, source: Source) -> Result<()> {
        let (tenant, document, key) = match seen {
            Seen::Key { tenant, document, key } => (TenantId::stored(tenant), document, key),
            Seen::Sweep => {
                self.due().await?;
                return self.sweep().await.map(|_| ());
            }
            Seen::Ignored(reason) => {
                tracing::info!(reason, "ingest.event ignored");
                return Ok(());
            }
        };
        if self.look(tenant, document, source).await? != Outcome::Unknown {
            return Ok(());
        }
        // Earlier than its row: somebody's clock or somebody's backup. The hint waits, if there is anybody to wait for.
        if !self.hint(tenant, &key, source, 0).await? {
            tracing::info!(reason = "unknown_tenant", key, "ingest.event ignored");
        }
        Ok(())
    }

    async fn hint(&self, tenant: TenantId, key: &str, source: Source, seconds: i32) -> Result<bool> {
        let tx = self.app.db.tenant(tenant).await?;
        tx.finish(documents::hint(&tx, self.app.clock.uuid(), key, source.as_str(), seconds)).await
    }
}

/// Whether something came to an end, as opposed to: it waits for its time, or for somebody else.
fn settled(outcome: Result<Outcome, Error>) -> bool {
    match outcome {
        Ok(
            Outcome::Ready | Outcome::Nothing | Outcome::Waiting | Outcome::Deleted | Outcome::Failed | Outcome::Paused,
        ) => true,
        Ok(Outcome::Busy | Outcome::Fenced | Outcome::Unknown) => false,
        Err(error) => {
            tracing::warn!(code = error.code(), cause = ?error, "ingest.document put off");
            false
        }
    }
}
