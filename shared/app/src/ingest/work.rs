//! One document's way: look, decide, and when there is work, do it under a lease that fences out everybody else.

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::build::{self, Stop};
use super::decide::{Decision, MOST_ATTEMPTS, decide};
use super::failpoint::{self, failpoint};
use super::pull::Pulled;
use super::sandbox::STALLED;
use super::store::{self, Claim, Found, Lease};
use super::{Ingest, Source};
use crate::auth::TenantId;
use crate::documents::{self, Status};
use crate::error::{Error, Kind, Result};
use crate::objects::{From, Head};

/// How often the bytes may change under a worker before it leaves them to the next hint.
const MOST_LOOKS: u32 = 3;
/// Pauses after the first and the later failures that may pass by themselves, in seconds.
const PAUSES: [i32; 2] = [15, 60];

/// How a look at a document ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Built, stored, shown.
    Ready,
    /// There was nothing to do.
    Nothing,
    /// The bytes have not come yet.
    Waiting,
    Deleted,
    /// The document says why.
    Failed,
    /// Somebody else is at it; a hint reminds us.
    Busy,
    /// Somebody else took over, or the document was deleted meanwhile.
    Fenced,
    /// The time of this call was over; what is stored is kept and a hint goes on.
    Paused,
    /// There is no such document.
    Unknown,
}

impl Outcome {
    fn as_str(&self) -> &'static str {
        match self {
            Outcome::Ready => "ready",
            Outcome::Nothing => "nothing",
            Outcome::Waiting => "waiting",
            Outcome::Deleted => "deleted",
            Outcome::Failed => "failed",
            Outcome::Busy => "busy",
            Outcome::Fenced => "fenced",
            Outcome::Paused => "paused",
            Outcome::Unknown => "unknown",
        }
    }
}

impl Ingest {
    /// On the heap: all of ingestion is inside, and everything that leads here would carry it on its stack.
    pub(super) fn look(&self, tenant: TenantId, document: Uuid, source: Source) -> BoxFuture<'_, Result<Outcome>> {
        Box::pin(async move {
            let outcome = self.look_now(tenant, document, source).await;
            self.app.telemetry.document(outcome.as_ref().map(Outcome::as_str), &self.app.tasks);
            outcome
        })
    }

    async fn look_now(&self, tenant: TenantId, document: Uuid, source: Source) -> Result<Outcome> {
        for _ in 0..MOST_LOOKS {
            let found = {
                let tx = self.app.db.tenant(tenant).await?;
                tx.finish(store::find(&tx, document)).await?
            };
            let Some(found) = found else { return Ok(Outcome::Unknown) };
            if found.pending {
                match documents::arrive(&self.app, &self.objects, tenant, document).await {
                    Ok(true) => continue,
                    Ok(false) => {}
                    Err(error) => return Err(self.put_off(&found, source, error).await),
                }
            }
            let head = match self.head(&found).await {
                Ok(head) => head,
                Err(error) => return Err(self.put_off(&found, source, error).await),
            };
            if Ingest::pulls(&found, head.is_some()) {
                let outcome = match Box::pin(self.pull(&found, source)).await? {
                    Pulled::Again => continue,
                    Pulled::Later => Outcome::Busy,
                    Pulled::Failed => Outcome::Failed,
                };
                self.consume(&found, outcome, source, 0).await?;
                return Ok(outcome);
            }
            let mut pause = 0;
            let outcome = match (decide(&found.state, head.as_ref(), self.most(&found)), &head) {
                (Decision::Build, Some(head)) => match self.build(&found, head).await {
                    Err(Stop::Changed) => continue,
                    Err(Stop::Fenced) => Outcome::Fenced,
                    Err(Stop::Paused) => Outcome::Paused,
                    Err(Stop::Later(seconds, _)) => {
                        pause = seconds;
                        Outcome::Paused
                    }
                    Err(Stop::Failed(error)) => return Err(error),
                    Ok(outcome) => outcome,
                },
                (decision, head) => self.settle(&found, decision, head.as_ref()).await?,
            };
            failpoint(failpoint::BEFORE_CONSUME);
            self.consume(&found, outcome, source, pause).await?;
            failpoint(failpoint::AFTER_CONSUME);
            tracing::info!(tenant = %tenant.uuid(), %document, ?outcome, "ingest.document looked at");
            return Ok(outcome);
        }
        self.hint(tenant, &documents::object_key(tenant, document), source, PAUSES[0]).await?;
        Err(Error::new(Kind::StorageUnavailable, "The file keeps changing while it is read."))
    }

    /// What the bucket holds. A HEAD has no body, so that a bucket that is not there looks like a file that is not, and
    /// before a document that people read goes, its bucket is asked a second way.
    async fn head(&self, found: &Found) -> Result<Option<Head>> {
        let head = self.objects.head(&found.key).await?;
        if head.is_none() && found.state.current_etag.is_some() && found.state.status != Status::Deleted {
            let listing = self.objects.list(&found.key, &From::Start).await?;
            if listing.objects.iter().any(|object| object.key == found.key) {
                let detail = "The bucket says both that a file is there and that it is not.";
                return Err(Error::new(Kind::StorageUnavailable, detail));
            }
        }
        Ok(head)
    }

    /// Nobody could look: the hint stays, and a document in work is not stuck but postponed.
    async fn put_off(&self, found: &Found, source: Source, error: Error) -> Error {
        let later = async {
            self.hint(found.tenant, &found.key, source, PAUSES[1]).await?;
            if found.state.leased {
                return Ok(());
            }
            let tx = self.app.db.tenant(found.tenant).await?;
            tx.finish(store::pause(&tx, found.document, found.epoch, PAUSES[1], true)).await.map(|_| ())
        };
        if let Err(cause) = later.await {
            tracing::warn!(document = %found.document, ?cause, "ingest.document could not be put off; its lease runs out instead");
        }
        error
    }

    fn most(&self, found: &Found) -> u64 {
        self.app.limits.file_bytes(&found.filename, found.content_type.as_deref())
    }

    /// Everything that needs no bytes.
    async fn settle(&self, found: &Found, decision: Decision, head: Option<&Head>) -> Result<Outcome> {
        let etag = head.map(|head| head.etag.as_str()).unwrap_or_default();
        let failure = match decision {
            Decision::Nothing | Decision::Build => return Ok(Outcome::Nothing),
            Decision::Busy => return Ok(Outcome::Busy),
            Decision::Tombstone => {
                failpoint(failpoint::BEFORE_TOMBSTONE);
                let deleted = documents::delete(&self.app, found.tenant, found.document).await;
                failpoint(failpoint::AFTER_TOMBSTONE);
                return match deleted {
                    Err(error) if error.kind != Kind::NotFound => Err(error),
                    _ => Ok(Outcome::Deleted),
                };
            }
            Decision::Wait => {
                let tx = self.app.db.tenant(found.tenant).await?;
                tx.finish(store::wait(&tx, found.document, found.epoch)).await?;
                return Ok(Outcome::Waiting);
            }
            Decision::TooLarge => build::too_large(self.most(found)),
            Decision::GiveUp => Error::new(
                Kind::Document(STALLED),
                format!("Reading the document was begun {MOST_ATTEMPTS} times and never ended."),
            )
            .hint("Simplify or split the document and upload it again, or complete the upload again to retry."),
        };
        let tx = self.app.db.tenant(found.tenant).await?;
        match tx.finish(store::fail(&tx, found.document, found.epoch, etag, &failure)).await? {
            true => Ok(Outcome::Failed),
            false => Ok(Outcome::Fenced),
        }
    }

    /// A hint is consumed when its question was answered; a new one is left when somebody must look again.
    async fn consume(&self, found: &Found, outcome: Outcome, source: Source, pause: i32) -> Result<()> {
        match outcome {
            Outcome::Busy => self.hint(found.tenant, &found.key, source, found.wait + 1).await.map(|_| ()),
            Outcome::Paused => self.hint(found.tenant, &found.key, source, pause).await.map(|_| ()),
            _ => {
                if found.hints.is_empty() {
                    return Ok(());
                }
                let tx = self.app.db.tenant(found.tenant).await?;
                tx.finish(store::consume_hints(&tx, &found.hints)).await
            }
        }
    }

    /// Takes the lease, builds, and says in the row how it ended.
    async fn build(&self, found: &Found, head: &Head) -> Result<Outcome, Stop> {
        let seconds = self.settings.lease_seconds;
        let claim = Claim { document: found.document, epoch: found.epoch, owner: self.app.clock.uuid(), seconds, head };
        let lease = {
            let tx = self.app.db.tenant(found.tenant).await?;
            tx.finish(store::lease(&tx, claim)).await?
        };
        let lease = lease.ok_or(Stop::Fenced)?;
        failpoint(failpoint::AFTER_LEASE);
        match self.revision(&lease, &found.key).await {
            Ok(()) => Ok(Outcome::Ready),
            Err(Stop::Fenced) => Err(Stop::Fenced),
            Err(stop) => {
                failpoint(failpoint::BEFORE_END);
                let ended = self.stopped(&lease, stop).await;
                failpoint(failpoint::AFTER_END);
                ended
            }
        }
    }

    /// Says in the row why a build ended without a revision, and gives the lease back.
    async fn stopped(&self, lease: &Lease, stop: Stop) -> Result<Outcome, Stop> {
        let tx = self.app.db.tenant(lease.tenant).await?;
        let pause = match &stop {
            Stop::Failed(error) if lasting(error) => None,
            Stop::Failed(_) => Some(PAUSES[usize::from(lease.attempts > 1)]),
            Stop::Later(seconds, _) => Some(*seconds),
            Stop::Fenced | Stop::Changed | Stop::Paused => Some(0),
        };
        // Whoever only waited for a pace that others had used up has not tried yet.
        let tried = !matches!(stop, Stop::Later(_, None));
        if let Some(seconds) = pause {
            let attempts = store::pause(&tx, lease.document, lease.epoch, seconds, tried).await?;
            // What was stored meanwhile is progress, after which the counting begins anew.
            let spent = attempts.is_some_and(|attempts| attempts >= MOST_ATTEMPTS);
            if !spent || !matches!(stop, Stop::Failed(_) | Stop::Later(_, Some(_))) {
                tx.commit().await?;
                return Err(stop);
            }
        }
        let (Stop::Failed(error) | Stop::Later(_, Some(error))) = stop else { return Err(stop) };
        tracing::info!(document = %lease.document, code = error.code(), cause = ?error, "ingest.document failed");
        let kept = store::fail(&tx, lease.document, lease.epoch, &lease.head.etag, &error).await?;
        tx.commit().await?;
        if kept { Ok(Outcome::Failed) } else { Err(Stop::Fenced) }
    }
}

/// Whether the same bytes would fail the same way again.
fn lasting(error: &Error) -> bool {
    match &error.kind {
        Kind::Document(code) => *code != STALLED,
        Kind::PayloadTooLarge | Kind::UnsupportedType | Kind::SpendCap | Kind::NotConfigured => true,
        Kind::Provider(_) => !error.retryable(),
        _ => false,
    }
}
