//! From bytes in the bucket to rows that search reads: hint → look → lease → fetch → parse → chunk → embed → store →
//! swap. An event is only a hint; what counts is what the bucket says when somebody looks.

mod batch;
mod build;
mod compare;
mod decide;
mod deliver;
mod due;
mod embed;
mod events;
pub mod failpoint;
mod plan;
mod pull;
mod reembed;
mod routes;
mod sandbox;
mod signature;
mod spool;
mod store;
mod sweep;
mod work;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

pub use due::{AT_ONCE, DUE_PAGE, LONGEST_PAUSE};
pub use failpoint::failpoint;
pub use pull::LARGEST_PULL;
pub use routes::router;
pub use sandbox::parse_if_asked;
pub use sweep::SweepReport;
pub use work::Outcome;

use crate::App;
use crate::auth::TenantId;
use crate::config;
use crate::documents;
use crate::error::Result;
use crate::objects::Objects;
use events::Seen;

/// How long one call works before it leaves the rest to the next: within every platform's five minutes.
pub const WORK_TIME: Duration = Duration::from_secs(240);

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
    at_once: usize,
}

impl Ingest {
    pub fn new(app: App, objects: Objects, settings: config::Ingest) -> Ingest {
        Ingest { app, objects, settings: Arc::new(settings), until: None, at_once: AT_ONCE }
    }

    /// The same, with so many documents that are due in work at a time: one keeps an order that comes again.
    pub fn at_once(mut self, documents: usize) -> Ingest {
        self.at_once = documents.max(1);
        self
    }

    /// The same, with one deadline for everything that is done with it from now on.
    pub fn within(mut self, time: Duration) -> Ingest {
        self.until = Some(Instant::now() + time);
        self
    }

    /// The same, with a deadline no later than its own.
    fn briefly(&self, time: Duration) -> Ingest {
        let until = Instant::now() + time;
        Ingest { until: Some(self.until.map_or(until, |own| own.min(until))), ..self.clone() }
    }

    /// The same, with four fifths of what a platform leaves until `deadline` (in milliseconds of Unix time): the rest is
    /// for saying where the next one goes on.
    pub fn before(self, deadline: u64) -> Ingest {
        let now = u64::try_from(self.app.clock.now().as_millisecond()).unwrap_or(u64::MAX);
        let left = Duration::from_millis(deadline.saturating_sub(now)) * 4 / 5;
        self.within(left.min(WORK_TIME))
    }

    /// Ends when nothing is to be told any more: for a platform that freezes the process behind the last message.
    pub async fn told(&self) {
        self.app.tasks.drained().await;
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
        // Without time to begin, a hint is all that is needed: whoever comes next takes it up.
        if !self.late() && self.look(tenant, document, source).await? != Outcome::Unknown {
            return Ok(());
        }
        // Or earlier than its row: somebody's clock or somebody's backup. The hint waits, if there is anybody to wait for.
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
