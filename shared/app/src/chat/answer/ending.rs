//! How an answer ends in the database: exactly once, whoever is left to do it.

use std::time::Duration;

use docent_llm::Usage;
use futures_util::future::{join, join_all, try_join4};
use uuid::Uuid;

use super::answerer::{Book, distinct};
use super::said::Said;
use crate::App;
use crate::auth::TenantId;
use crate::chat::store::log::{self, Batch, Place};
use crate::chat::store::{self, Closing};
use crate::db::TenantTx;
use crate::error::{Error, Result};
use crate::keys;
use crate::telemetry;
use crate::usage::{Spending, Used};

/// Pauses between the tries of who has nobody to tell that the database did not answer.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(20)];

/// An answer that stands open in the database, with its reservation. Dropped so, because its client left or because it
/// could not be closed, it is closed by a task that the platform waits for.
pub struct Open {
    kept: Kept,
    over: bool,
}

/// All that the end needs.
struct Kept {
    app: App,
    tenant: TenantId,
    conversation: Uuid,
    message: Uuid,
    books: Vec<Book>,
    said: Said,
    ending: Ending,
    /// What ends the stream, where it is logged.
    tail: Option<Batch>,
}

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    state: &'static str,
    code: Option<&'static str>,
    /// What its failure said about the key of who was asked last.
    blamed: Option<keys::Status>,
}

impl Ending {
    /// Nobody waits for it any more.
    const LEFT: Ending = Ending::interrupted("client_gone");
    /// Its client wanted no more.
    pub const STOPPED: Ending = Ending::interrupted("stopped");
    /// Others think that its producer is dead.
    pub const LOST: Ending = Ending::interrupted("producer_lost");

    const fn interrupted(code: &'static str) -> Ending {
        Ending { state: "interrupted", code: Some(code), blamed: None }
    }

    pub fn failed(error: &Error) -> Ending {
        // Whoever stores the end later knows the code alone.
        telemetry::failed(error.code(), Some(error));
        Ending { state: "error", code: Some(error.code()), blamed: keys::blamed(error) }
    }

    pub fn of(outcome: &Result<()>, said: &Said) -> Ending {
        match outcome {
            Err(error) => Ending::failed(error),
            Ok(()) => Ending { state: if said.refused { "refused" } else { "complete" }, code: None, blamed: None },
        }
    }
}

impl Open {
    pub fn new(app: &App, tenant: TenantId, place: Place, books: Vec<Book>) -> Open {
        let Place { conversation, message } = place;
        let (app, said) = (app.clone(), Said::default());
        Open {
            kept: Kept { app, tenant, conversation, message, books, said, ending: Ending::LEFT, tail: None },
            over: false,
        }
    }

    pub fn place(&self) -> Place {
        Place { conversation: self.kept.conversation, message: self.kept.message }
    }

    pub fn tenant(&self) -> TenantId {
        self.kept.tenant
    }

    pub fn said(&mut self) -> &mut Said {
        &mut self.kept.said
    }

    /// Closes it; false when it is over already or was never there. What cannot be stored now is tried again when this is
    /// dropped.
    pub async fn close(&mut self, ending: Ending) -> Result<bool> {
        self.kept.ending = ending;
        let closed = self.kept.close().await?;
        self.over = true;
        Ok(closed)
    }

    /// Closes it with the end of its log, and tries again itself: the answer's readers wait for that end. False: it was
    /// over before, or the database never answered.
    pub async fn close_logged(&mut self, ending: Ending, tail: Option<Batch>) -> bool {
        (self.kept.ending, self.kept.tail) = (ending, tail);
        let closed = self.kept.insist().await;
        self.over = true;
        closed
    }

    /// Says in the conversation, too, that nobody is going to be asked, and gives back what was reserved.
    pub async fn turn_away(&mut self, error: Error) -> Error {
        if let Err(cause) = self.close(Ending::failed(&error)).await {
            tracing::warn!(?cause, "chat.store failed to close a refused answer; it is tried again");
        }
        error
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // Without a runtime the process ends, and what is open ends with its lease.
        if self.over || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let Kept { tenant, conversation, message, ending, .. } = self.kept;
        let (books, said) = (std::mem::take(&mut self.kept.books), std::mem::take(&mut self.kept.said));
        let kept = Kept { app: self.kept.app.clone(), tenant, conversation, message, books, said, ending, tail: None };
        drop(self.kept.app.tasks.run(async move { kept.insist().await }));
    }
}

impl Kept {
    /// Tries until it is stored or there is no sense in it.
    async fn insist(&self) -> bool {
        for pause in PAUSES.map(Some).into_iter().chain([None]) {
            match self.close().await {
                Ok(closed) => return closed,
                Err(cause) => tracing::warn!(
                    message = telemetry::hashed(self.message),
                    ?cause,
                    "chat.store failed to close an answer"
                ),
            }
            let Some(pause) = pause else { break };
            tokio::time::sleep(pause).await;
        }
        false
    }

    async fn close(&self) -> Result<bool> {
        let closing = Closing {
            conversation: self.conversation,
            answer: self.message,
            text: &self.said.text.replace('\0', ""),
            citations: self.said.stored_citations.clone().into(),
            usage: self.said.usage_wire(),
            state: self.ending.state,
            error_code: self.ending.code,
        };
        let tx = self.app.db.tenant(self.tenant).await?;
        let place = Place { conversation: self.conversation, message: self.message };
        let end = async {
            match &self.tail {
                Some(tail) => log::end(&tx, place, tail).await,
                None => Ok(()),
            }
        };
        if let Some(code) = self.ending.code {
            telemetry::failed(code, None);
        }
        let closed = store::close(&tx, &closing);
        let all = try_join4(end, closed, self.flag(&tx), self.book(&tx));
        tx.finish(all).await.map(|(_, closed, ..)| closed)
    }

    /// Marks the keys that their providers refused.
    async fn flag(&self, tx: &TenantTx) -> Result<()> {
        let passed = self.said.passed.iter().filter_map(|(place, error)| Some((*place, keys::blamed(error)?)));
        let all = passed.chain(self.said.by.zip(self.ending.blamed));
        let flags = all.filter_map(|(place, status)| Some(keys::flag(tx, self.books.get(place)?.key?, status)));
        join_all(flags).await.into_iter().collect()
    }

    /// Settles what was reserved, also for an answer that broke off; what nobody was asked for is given back.
    async fn book(&self, tx: &TenantTx) -> Result<()> {
        let asked = self.said.by.and_then(|place| self.books.get(place)?.spending.as_ref());
        let used = self.used();
        let mut all = distinct(self.books.iter().filter_map(|book| book.spending.as_ref()));
        let end = async |spending: Option<&Spending>| match (spending, asked) {
            (Some(spending), Some(asked)) if asked.id() == spending.id() => asked.settle(tx, used).await,
            (Some(spending), _) => spending.release(tx).await,
            (None, _) => Ok(()),
        };
        let (first, second) = join(end(all.next()), end(all.next())).await;
        first.and(second)
    }

    fn used(&self) -> Used {
        let Said { usage, sent, heard, .. } = &self.said;
        match self.ending {
            Ending { state: "error", code: Some(code), .. } if *heard == 0 && *usage == Usage::default() => {
                Used::failed(code, *sent)
            }
            _ => Used::counted(usage.input_tokens, usage.output_tokens, *sent, *heard),
        }
    }
}
