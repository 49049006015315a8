//! What waits to be taken up: hints whose time has come and documents whose worker is gone. Several at once, so that a
//! slow document blocks nobody, and never all of one tenant.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use futures_util::stream::{self, FuturesUnordered, StreamExt};
use tokio::time::sleep;
use uuid::Uuid;

use super::events::{self, Seen};
use super::failpoint::{self, failpoint};
use super::{Ingest, Outcome, Source, store};
use crate::auth::TenantId;
use crate::db::Control;
use crate::error::{Error, Result};

/// Hints and stuck documents that are asked for at once.
pub const DUE_PAGE: i32 = 16;
/// The longest pause before a hint that leads nowhere is tried again.
pub const LONGEST_PAUSE: i32 = 3600;
/// Documents in work at the same time in one process: reading one is processor time, embedding it is waiting.
pub const AT_ONCE: usize = 3;
/// Of those, how many may be one tenant's.
pub const AT_ONCE_OF_TENANT: usize = AT_ONCE - 1;
/// How long a migration holds its place: new documents wait for it no longer than that.
const MIGRATION_SLICE: Duration = Duration::from_secs(20);
/// How often what is due is asked for when there was nothing to do.
const IDLE: Duration = Duration::from_secs(2);

/// Something to take up, by its tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Hint(TenantId, Uuid),
    Document(TenantId, Uuid),
    Migration(TenantId),
}

impl Due {
    fn tenant(self) -> TenantId {
        match self {
            Due::Hint(tenant, _) | Due::Document(tenant, _) | Due::Migration(tenant) => tenant,
        }
    }
}

impl Ingest {
    /// Takes up hints that are due and documents whose worker is gone; gives how many came to an end. Call it again
    /// until that is none.
    pub async fn due(&self) -> Result<usize> {
        let hints = self.take_up(self.due_hints().await?).await;
        // Asked for afterwards: what a hint has led to is stuck no longer.
        let stuck = self.take_up(self.stuck_documents().await?).await;
        let migrations = self.take_up(self.due_migrations().await?).await;
        Ok(hints + stuck + migrations + self.deliver().await?)
    }

    /// The same until it is time to leave; what is in work then is worked to its end. An endpoint that is slow to hear
    /// holds up no document.
    pub async fn keep_up(&self, leave: impl Future<Output = ()>) {
        tokio::select! {
            () = self.keep_working(leave) => {}
            never = self.keep_telling() => match never {},
        }
    }

    async fn keep_telling(&self) -> Infallible {
        loop {
            match self.deliver().await {
                Ok(told) if told > 0 => {}
                Ok(_) => tokio::time::sleep(IDLE).await,
                Err(error) => {
                    tracing::warn!(cause = ?error, "ingest.deliver failed");
                    tokio::time::sleep(IDLE).await;
                }
            }
        }
    }

    /// Each place that becomes free is given to whatever is due then.
    async fn keep_working(&self, leave: impl Future<Output = ()>) {
        let mut running = FuturesUnordered::new();
        let mut held: HashMap<TenantId, usize> = HashMap::new();
        let (mut leave, mut leaving) = (pin!(leave), false);
        while !leaving || !running.is_empty() {
            let mut found = 0;
            if running.len() < AT_ONCE && !leaving {
                for due in choose(&held, AT_ONCE - running.len(), self.everything_due().await) {
                    found += 1;
                    *held.entry(due.tenant()).or_default() += 1;
                    running.push(async move {
                        let outcome = self.one(due).await;
                        let failed = outcome.is_err();
                        settled(outcome);
                        // What fails before it could be put off is due again at once: no haste with that.
                        if failed {
                            tokio::time::sleep(IDLE).await;
                        }
                        due.tenant()
                    });
                }
            }
            let idle = found == 0 && running.is_empty();
            tokio::select! {
                biased;
                () = &mut leave, if !leaving => leaving = true,
                Some(tenant) = running.next() => {
                    let left = held.get(&tenant).map_or(0, |held| held.saturating_sub(1));
                    match left {
                        0 => held.remove(&tenant),
                        left => held.insert(tenant, left),
                    };
                }
                () = sleep(IDLE), if idle || !leaving => {}
            }
        }
    }

    async fn take_up(&self, due: Vec<Due>) -> usize {
        let work = stream::iter(due).map(|due| async move { !self.late() && settled(self.one(due).await) });
        work.buffer_unordered(self.at_once).filter(|ended| std::future::ready(*ended)).count().await
    }

    async fn everything_due(&self) -> Vec<Due> {
        // New documents before the old ones' new vectors.
        let due = async {
            let all = [self.due_hints().await?, self.stuck_documents().await?, self.due_migrations().await?];
            Ok::<_, Error>(all.concat())
        };
        due.await.unwrap_or_else(|error| {
            tracing::warn!(cause = ?error, "ingest.due failed");
            Vec::new()
        })
    }

    async fn due_hints(&self) -> Result<Vec<Due>> {
        let rows = self.app.db.control(Control::DueHints(DUE_PAGE)).await?;
        Ok(rows.into_iter().filter_map(|(tenant, hint)| Some(Due::Hint(TenantId::stored(tenant), hint?))).collect())
    }

    async fn stuck_documents(&self) -> Result<Vec<Due>> {
        let rows = self.app.db.control(Control::StuckDocuments(DUE_PAGE)).await?;
        Ok(rows.into_iter().filter_map(|(tenant, id)| Some(Due::Document(TenantId::stored(tenant), id?))).collect())
    }

    async fn due_migrations(&self) -> Result<Vec<Due>> {
        let rows = self.app.db.control(Control::DueMigrations(DUE_PAGE)).await?;
        Ok(rows.into_iter().map(|(tenant, _)| Due::Migration(TenantId::stored(tenant))).collect())
    }

    async fn one(&self, due: Due) -> Result<Outcome> {
        match due {
            Due::Hint(tenant, hint) => self.hinted(tenant, hint).await,
            Due::Document(tenant, document) => self.document(tenant, document).await,
            Due::Migration(tenant) => Box::pin(self.briefly(MIGRATION_SLICE).migration(tenant)).await,
        }
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
}

/// What is begun next: no tenant holds every place while others wait.
fn choose(held: &HashMap<TenantId, usize>, free: usize, due: Vec<Due>) -> Vec<Due> {
    let mut held = held.clone();
    let mut chosen = Vec::new();
    for due in due {
        let place = held.entry(due.tenant()).or_default();
        if chosen.len() < free && *place < AT_ONCE_OF_TENANT {
            *place += 1;
            chosen.push(due);
        }
    }
    chosen
}

/// Whether something came to an end, as opposed to: it waits for its time, or for somebody else.
pub(super) fn settled(outcome: Result<Outcome, Error>) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(number: u128) -> TenantId {
        TenantId::stored(Uuid::from_u128(number))
    }

    fn hint(owner: u128, number: u128) -> Due {
        Due::Hint(tenant(owner), Uuid::from_u128(number))
    }

    #[test]
    fn no_tenant_holds_every_place() {
        let none = HashMap::new();
        let crowd: Vec<Due> = (0..16).map(|number| hint(1, number)).collect();
        assert_eq!(choose(&none, AT_ONCE, crowd.clone()), [hint(1, 0), hint(1, 1)]);
        let mixed = [crowd.clone(), vec![hint(2, 99)]].concat();
        assert_eq!(choose(&none, AT_ONCE, mixed.clone()), [hint(1, 0), hint(1, 1), hint(2, 99)]);
        let full = HashMap::from([(tenant(1), AT_ONCE_OF_TENANT)]);
        assert_eq!(choose(&full, 1, mixed.clone()), [hint(2, 99)]);
        assert!(choose(&full, 1, crowd).is_empty());
        assert!(choose(&none, 0, mixed).is_empty());
    }
}
