//! One batch on its way: embedded within what the provider takes at once and at the pace that it allows, then stored.

use std::sync::Arc;
use std::time::Duration;

use docent_llm::{EmbedLimits, ErrorKind, likely_tokens};
use pgvector::Vector;
use tokio::time::{Instant, sleep};

use super::Ingest;
use super::batch::{self, Asked, Batch};
use super::build::{Held, Stop};
use super::failpoint::{self, failpoint};
use super::plan::{Plan, Row};
use super::store::{self, Lease};
use crate::auth::TenantId;
use crate::embedder::{self, Embedder, Inputs};
use crate::error::{Error, Kind, Result};
use crate::limits;
use crate::usage::{Bill, Spender};
use crate::vectors::{Place, Point, Set};

/// The wait after a first refusal that does not say for how long; doubled after each further one.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// When another store of vectors does not answer, in seconds.
const STORE_PAUSE: i32 = 60;
/// What a pace is counted over, in microseconds.
const MINUTE: i64 = 60_000_000;

/// How one document is fed to its model.
pub struct Feed {
    embedder: Embedder,
    /// What the model takes at once; less, when it has refused as much.
    pub limits: EmbedLimits,
    /// Chunks that one batch has at most.
    most: usize,
    until: Instant,
    /// How often in a row the provider asked to wait.
    refusals: u32,
    pub spent: Spent,
}

/// Where the time of a document's batches went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// Rows read back, their words counted, the cache asked.
    pub gather: Duration,
    /// The model, with every wait for it.
    pub embed: Duration,
    pub store: Duration,
}

impl Feed {
    pub fn new(embedder: Embedder, most: usize, until: Instant) -> Feed {
        let limits = embedder.limits();
        Feed { embedder, limits, most, until, refusals: 0, spent: Spent::default() }
    }

    /// Rows that one batch has at most: many of them may cost nothing.
    pub fn rows(&self) -> usize {
        self.most.min(self.limits.inputs)
    }

    /// Half of what was refused is tried next, and no more for the rest of the document.
    fn halve(&mut self, inputs: usize) {
        self.limits.inputs = inputs.div_ceil(2).max(1);
    }

    /// How far so many inputs move the bucket of the pace, and its span.
    fn cost(&self, tokens: usize) -> Option<[i64; 2]> {
        let pace = self.limits.pace?;
        let tokens = i64::try_from(tokens).unwrap_or(i64::MAX / MINUTE).min(i64::MAX / MINUTE);
        Some([(MINUTE / i64::from(pace.requests)).max(tokens * MINUTE / i64::from(pace.tokens)).min(MINUTE), MINUTE])
    }

    fn wait(&self, told: Option<Duration>) -> Duration {
        let own = FIRST_WAIT.saturating_mul(2u32.saturating_pow(self.refusals.min(16))).min(LONGEST_WAIT);
        told.unwrap_or(own).max(FIRST_WAIT)
    }
}

impl Ingest {
    /// Embeds and stores the next batch; gives how many chunks it had. What is too large is tried in halves, what comes
    /// too early waits, and what is stored stays stored whatever becomes of the rest.
    pub(super) async fn batch(
        &self,
        lease: &Lease,
        plan: &Arc<Plan>,
        feed: &mut Feed,
        from: usize,
    ) -> Result<usize, Stop> {
        loop {
            let begun = Instant::now();
            let (rows, asked) = self.gather(lease, plan, feed, from).await?;
            feed.spent.gather += begun.elapsed();
            let begun = Instant::now();
            let count = rows.len();
            let answered = self.answers(lease, feed, asked.inputs(&rows)).await?;
            feed.spent.embed += begun.elapsed();
            let Some((answers, bill)) = answered else { continue };
            let begun = Instant::now();
            self.keep(lease, asked.with(rows, answers), bill.as_ref()).await?;
            feed.spent.store += begun.elapsed();
            return Ok(count);
        }
    }

    /// Asks the model, when it is this tenant's turn. `None`: it refused in a way that a smaller or a later try may pass,
    /// and this is the time for it.
    pub(super) async fn answers(
        &self,
        held: &impl Held,
        feed: &mut Feed,
        inputs: Vec<String>,
    ) -> Result<Option<(Vec<Vec<f32>>, Option<Bill>)>, Stop> {
        if inputs.is_empty() {
            return Ok(Some((Vec::new(), None)));
        }
        let (fresh, tokens) = (inputs.len(), inputs.iter().map(|input| likely_tokens(input)).sum());
        // The operator's store is down, which is no fault of the document's.
        self.alive(held, self.app.vectors.answer()).await?.map_err(|_| Stop::Later(STORE_PAUSE, None))?;
        self.in_turn(held, feed, tokens).await?;
        let by = Spender::documents(held.tenant());
        match self.alive(held, feed.embedder.embed_metered(&self.app, by, true, Inputs::Documents(inputs))).await? {
            Ok(answered) => {
                feed.refusals = 0;
                Ok(Some(answered))
            }
            Err(error) => self.refused(held, feed, (fresh, tokens), error).await.map(|()| None),
        }
    }

    /// The rows of one batch, and which of them the model must be asked about.
    async fn gather(
        &self,
        lease: &Lease,
        plan: &Arc<Plan>,
        feed: &Feed,
        from: usize,
    ) -> Result<(Vec<Row>, Asked), Stop> {
        let until = from.saturating_add(feed.rows());
        let plan = plan.clone();
        // Counting the words of a thousand chunks would hold up every other request of this thread.
        let work = tokio::task::spawn_blocking(move || {
            let rows = plan.rows(from..until)?;
            let hashes = batch::hashes(&rows);
            Ok::<_, Error>((rows, hashes))
        });
        let (mut rows, hashes) = work.await.map_err(Error::internal)??;
        let cached = {
            let tx = self.app.db.tenant(lease.tenant).await?;
            tx.finish(store::batch::cached(&tx, feed.embedder.name(), &hashes)).await?
        };
        let asked = Asked::new(hashes, cached);
        rows.truncate(asked.fill(&rows, &feed.limits));
        let asked = asked.first(rows.len());
        Ok((rows, asked))
    }

    /// Waits until the pace that all workers of a tenant share has room for this batch.
    async fn in_turn(&self, held: &impl Held, feed: &Feed, tokens: usize) -> Result<(), Stop> {
        let (Some(bucket), Some([cost, span])) = (feed.embedder.bucket(), feed.cost(tokens)) else { return Ok(()) };
        loop {
            let wait = {
                let tx = self.app.db.tenant(held.tenant()).await?;
                tx.finish(limits::take(&tx, &bucket, cost, span)).await?
            };
            let Some(wait) = wait else { return Ok(()) };
            if Instant::now() + wait >= feed.until {
                return Err(Stop::Later(seconds(wait), None));
            }
            self.alive(held, sleep(wait)).await?;
        }
    }

    /// What follows from a refusal: another try that may fare better, or the end of this build.
    async fn refused(
        &self,
        held: &impl Held,
        feed: &mut Feed,
        (inputs, tokens): (usize, usize),
        error: Error,
    ) -> Result<(), Stop> {
        let told = match embedder::refusal(&error) {
            Some(ErrorKind::TooLarge) if inputs > 1 => {
                feed.halve(inputs);
                return Ok(());
            }
            Some(ErrorKind::RateLimited { retry_after }) => retry_after,
            _ => return Err(Stop::Failed(once_more(error))),
        };
        let wait = feed.wait(told);
        feed.refusals += 1;
        // Again although it was waited for: as much may be more than a minute admits.
        if feed.refusals > 1 && inputs > 1 {
            feed.halve(inputs);
        }
        if let (Some(bucket), Some(cost)) = (feed.embedder.bucket(), feed.cost(tokens)) {
            let tx = self.app.db.tenant(held.tenant()).await?;
            tx.finish(limits::hold(&tx, &bucket, cost, wait)).await?;
        }
        tracing::info!(tenant = %held.tenant().uuid(), ?wait, "ingest.embed waits: the provider asks for fewer requests");
        if Instant::now() + wait >= feed.until {
            return Err(Stop::Later(seconds(wait), Some(error)));
        }
        self.alive(held, sleep(wait)).await
    }

    /// Stores a batch, and books what it cost in the same transaction.
    async fn keep(&self, lease: &Lease, batch: Result<Batch>, bill: Option<&Bill>) -> Result<(), Stop> {
        let stored = self.store(lease, batch, bill).await;
        if stored.is_err()
            && let Some(bill) = bill
        {
            // What a provider embeds is spent, whatever becomes of the document.
            let tx = self.app.db.tenant(lease.tenant).await?;
            tx.finish(bill.book(&tx)).await?;
        }
        stored
    }

    /// Before Postgres says that the batch is stored: whoever is killed in between leaves points that nobody reads, and
    /// that the next worker writes again under the same ids.
    pub(super) async fn copy(&self, tenant: TenantId, model: &str, points: Vec<Point<'_>>) -> Result<()> {
        let Some(first) = points.first() else { return Ok(()) };
        let set = Set::new(model, first.vector.len());
        self.app.vectors.keep(tenant, &set, &points).await
    }

    async fn store(&self, lease: &Lease, batch: Result<Batch>, bill: Option<&Bill>) -> Result<(), Stop> {
        let batch = batch?;
        let points = batch.rows.iter().zip(batch.vectors()).map(|(row, vector)| point(lease, row, vector)).collect();
        self.alive(lease, self.copy(lease.tenant, &lease.embedding_model, points)).await??;
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
}

/// A chunk's vector on its way into another store than Postgres.
fn point<'a>(lease: &Lease, row: &Row, vector: &'a Vector) -> Point<'a> {
    let place = Place { document: lease.document, revision: lease.revision, ordinal: row.ordinal };
    Point { place, vector: vector.as_slice() }
}

fn seconds(wait: Duration) -> i32 {
    i32::try_from(wait.as_secs()).unwrap_or(i32::MAX - 1) + 1
}

/// A document does not try again by itself, so the hint says what to do when the cap allows it.
fn once_more(error: Error) -> Error {
    if error.kind != Kind::SpendCap {
        return error;
    }
    let hint = format!("{} Then complete the upload again.", error.hint);
    error.hint(hint)
}
