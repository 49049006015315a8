//! The second trip: searches, reserves what the answer may cost, and opens it in the database.

use std::time::Duration;

use docent_llm::Turn;
use futures_util::future::{join, join4};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::answerer::{self, Answerer};
use super::ending::{Ending, Open};
use super::{Ask, Begun, Prepared, in_progress};
use crate::App;
use crate::auth::TenantId;
use crate::bots::Bot;
use crate::chat::store::log::Place;
use crate::chat::store::{self, Opening, Thread, twin};
use crate::chat::{Question, conversations, log};
use crate::db::TenantTx;
use crate::error::{Error, Kind, Result};
use crate::search;
use crate::usage::Spending;

/// When to look for what a commit without an answer may have opened: its server may still be at it.
/// Within what a function has left at its end.
const LOOKS: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(2)];

/// All that is known before the question is opened: what the first trip and the embedder told.
pub struct Known {
    pub app: App,
    pub until: Instant,
    pub tenant: TenantId,
    pub owner: String,
    pub question: Question,
    pub bot: Bot,
    pub answerers: Vec<Answerer>,
    pub history: Vec<Turn>,
    pub query: search::Query,
    /// What is found below it answers nothing.
    pub floor: Option<f64>,
    /// An answer to the same request that another takes the place of.
    pub twin: Option<twin::Replaced>,
}

/// What the trip gave.
struct Trip {
    found: Result<search::Found>,
    place: Place,
    /// False: the same request is being answered meanwhile, and nothing stands at the place.
    opened: bool,
    reserved: Vec<(Uuid, Result<bool>)>,
}

impl Known {
    pub async fn open(self) -> Result<Begun> {
        let logged = self.question.resumable.unwrap_or(self.bot.resumable);
        let Trip { found, place, opened, reserved } = self.trip(logged).await?;
        let Known { app, until, tenant, question, bot, answerers, history, mut query, floor, twin, .. } = self;
        let (mut answerers, capped) = afford(answerers, reserved);
        let mut open = Open::new(&app, tenant, place, answerer::books(&answerers));
        if !opened {
            return Err(open.turn_away(in_progress()).await);
        }
        let replaces = question.regenerate;
        let ready = match found.and_then(|found| Ok((found, capped?))) {
            Ok(ready) if replaces => replace(&app, tenant, place).await.map(|()| ready),
            ready => ready,
        };
        let (found, capped) = match ready {
            Ok(ready) => ready,
            Err(error) => {
                let error = open.turn_away(error).await;
                if replaces && twin.is_none_or(|twin| twin.whole) {
                    withdraw(&app, tenant, place).await;
                }
                return Err(error);
            }
        };
        let hits = log::living(&app, (tenant, place), logged, search::complete(&app, tenant, &mut query, found)).await;
        if !search::relevant(&hits, floor) {
            answerers = vec![Answerer::refusal()];
        }
        let question = question.text;
        let ask = Ask { app, bot, answerers, question, history, hits, capped, until };
        Ok(Begun::Fresh(Box::new(Prepared { ask, open, logged })))
    }

    async fn trip(&self, logged: bool) -> Result<Trip> {
        let Known { app, tenant, question, bot, query, answerers, twin, .. } = self;
        let (user_message, answer) = self.ids();
        let opening = Opening {
            conversation: app.clock.uuid(),
            thread: self.thread(),
            bot: bot.id,
            title: &conversations::of_question(&question.text),
            user_message,
            answer,
            question: &question.text,
            regenerate: question.regenerate,
            logged,
            lease: log::lease(app, logged),
            client_id: question.asking.as_ref().map(|asking| asking.message.as_str()),
            request: question.request(),
            again: twin.is_some(),
        };
        let tx = app.db.tenant(*tenant).await?;
        let forget = twin::forget(&tx, twin.map(|twin| twin.place));
        let together = join4(search::hybrid(&tx, query), forget, store::open(&tx, &opening), reserve(&tx, answerers));
        match tx.finish(async { Ok(together.await) }).await {
            Ok((found, forgotten, opened, reserved)) => {
                forgotten?;
                let opened = opened?;
                let place = Place { conversation: opened.unwrap_or(opening.conversation), message: answer };
                Ok(Trip { found, place, opened: opened.is_some(), reserved })
            }
            Err(error) => {
                self.disown(answer, &error);
                Err(error)
            }
        }
    }

    fn thread(&self) -> Thread<'_> {
        Thread { owner: &self.owner, client_id: &self.question.conversation }
    }

    /// The question's message and the answer's. Messages are read in the order of their ids, and two of one millisecond
    /// are ordered by chance. An answer in the place of another stands where that one stood, whatever was asked since:
    /// behind its id and, but for chance, before any of a later millisecond. It has an id of its own, so that a producer
    /// that was only slow finds its answer gone.
    fn ids(&self) -> (Uuid, Uuid) {
        let mut ids = [self.app.clock.uuid(), self.app.clock.uuid()];
        ids.sort_unstable();
        let [question, answer] = ids;
        let step = (answer.as_u128() & u128::from(u32::MAX)) + 1;
        let behind = |twin: twin::Replaced| Uuid::from_u128(twin.place.message.as_u128().wrapping_add(step));
        (question, self.twin.map_or(answer, behind))
    }

    /// Closes what a commit whose answer never came may have opened: nobody else knows of it before its lease is over.
    fn disown(&self, answer: Uuid, error: &Error) {
        let (app, tenant, ending) = (self.app.clone(), self.tenant, Ending::failed(error));
        let (owner, client_id) = (self.owner.clone(), self.question.conversation.clone());
        let books = answerer::books(&self.answerers);
        drop(self.app.tasks.run(async move {
            for pause in LOOKS {
                sleep(pause).await;
                match conversations::find(&app, tenant, Thread { owner: &owner, client_id: &client_id }).await {
                    Ok(Some(conversation)) => {
                        let place = Place { conversation, message: answer };
                        // What cannot be closed here is tried again when it is dropped.
                        if Open::new(&app, tenant, place, books.clone()).close(ending).await.unwrap_or(true) {
                            return;
                        }
                    }
                    Ok(None) => {}
                    Err(cause) => tracing::warn!(?cause, "chat.store does not tell whether an answer was opened"),
                }
            }
        }));
    }
}

/// Takes away the answers that a new one takes the place of, once nothing stands against that one any more.
async fn replace(app: &App, tenant: TenantId, place: Place) -> Result<()> {
    let tx = app.db.tenant(tenant).await?;
    tx.finish(store::replace(&tx, place)).await
}

/// What was to take another answer's place, and is not going to be made, leaves no trace beside it.
async fn withdraw(app: &App, tenant: TenantId, place: Place) {
    let withdrawn = async {
        let tx = app.db.tenant(tenant).await?;
        tx.finish(twin::forget(&tx, Some(place))).await
    };
    if let Err(cause) = withdrawn.await {
        tracing::warn!(?cause, "chat.store keeps an answer that was turned away beside the one that it was to replace");
    }
}

/// Reserves what the answer may cost, in one order everywhere: two purses are never taken crosswise. Of each purse,
/// whether some cap binds it.
async fn reserve(tx: &TenantTx, answerers: &[Answerer]) -> Vec<(Uuid, Result<bool>)> {
    let mut spendings = answerer::distinct(answerers.iter().filter_map(|answerer| answerer.spending.as_ref()));
    let reserve = async |spending: Option<&Spending>| match spending {
        Some(spending) => Some((spending.id(), spending.reserve(tx).await)),
        None => None,
    };
    // At once: they share their trip with the commit.
    let (first, second) = join(reserve(spendings.next()), reserve(spendings.next())).await;
    [first, second].into_iter().flatten().collect()
}

/// Those whose purse has room. One that is used up silences its own answerer alone; a database that failed says nothing of
/// any purse, and has undone what was opened.
fn afford(mut answerers: Vec<Answerer>, reserved: Vec<(Uuid, Result<bool>)>) -> (Vec<Answerer>, Result<bool>) {
    let (mut capped, mut refused) = (false, None);
    for (purse, outcome) in reserved {
        match outcome {
            Ok(binds) => capped |= binds,
            Err(error) if !matches!(error.kind, Kind::SpendCap) => return (answerers, Err(error)),
            Err(error) => {
                answerers.retain(|answerer| answerer.spending.as_ref().is_none_or(|spending| spending.id() != purse));
                refused = Some(error);
            }
        }
    }
    match refused {
        Some(error) if answerers.is_empty() => (answerers, Err(error)),
        _ => (answerers, Ok(capped)),
    }
}
