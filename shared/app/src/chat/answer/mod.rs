//! One question answered: who asks, what is found, who answers, and what is left behind.

mod answerer;
mod ending;
mod logged;
mod relay;
mod said;
mod stored;
mod tell;

use std::time::Duration;

use docent_llm::Turn;
use futures_util::future::{join, join4, join5};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

pub use said::Whole;
use stored::Settled;
pub use stored::Stored;

use super::log::Reader;
use super::store::log::Place;
use super::store::{self, Opening, twin};
use super::{Question, conversations, followup, prompt};
use crate::App;
use crate::auth::{Credential, Scope, TenantId};
use crate::bots::{self, Bot};
use crate::db::TenantTx;
use crate::embedder::Embedder;
use crate::error::{Error, Kind, Result};
use crate::http::Invocation;
use crate::keys;
use crate::search::{self, Hit};
use crate::telemetry;
use crate::usage::{self, Spender, Spending};
use answerer::{Answerer, Asked};
use ending::Open;

/// How much a model may say where a cap on spend must hold: what it may cost is reserved before it begins.
pub const MOST_ANSWER_TOKENS: u32 = 4096;

/// Everything that an answer needs, gathered in two round trips. Nothing has been sent yet: what fails until here is
/// an HTTP error and not a broken stream. Dropped unheard, it ends in the database as an answer does whose client left.
pub struct Prepared {
    ask: Ask,
    open: Open,
    /// It can be read again while it is made, and so must be told through the log.
    logged: bool,
}

/// What becomes of a question.
pub enum Begun {
    /// It is going to be answered to whoever asked.
    Fresh(Box<Prepared>),
    /// It is being answered now, whoever reads it.
    Logged(Box<Reader>),
    /// It was answered before.
    Stored(Box<Stored>),
    /// An earlier request is being answered, and the log tells how.
    Live(Box<Reader>),
}

impl Begun {
    /// For those whose questions are never the same twice.
    pub fn fresh(self) -> Result<Prepared> {
        match self {
            Begun::Fresh(prepared) => Ok(*prepared),
            Begun::Logged(_) | Begun::Stored(_) | Begun::Live(_) => {
                Err(Error::internal("a question without a name was asked before, or is logged"))
            }
        }
    }
}

/// An answer that nobody logs and that is not closed so long after its time is lost.
const TO_CLOSE: Duration = Duration::from_secs(30);

/// When to ask again what is being answered.
const RETRY_SECONDS: u64 = 5;

/// What is asked, of whom, and what was found.
struct Ask {
    app: App,
    bot: Bot,
    /// Who is to answer, and then who answers in his place.
    answerers: Vec<Answerer>,
    question: String,
    history: Vec<Turn>,
    hits: Vec<Hit>,
    /// Some cap binds it, so the answer must keep within what was reserved.
    capped: bool,
    until: Instant,
}

/// Prepares an answer. A client that leaves meanwhile does not stop it half way: what was opened is closed, too.
pub async fn prepare(
    invocation: Invocation,
    credential: Credential,
    question: Question,
    request_id: &str,
) -> Result<Begun> {
    let (tasks, until, request_id) = (invocation.app.tasks.clone(), invocation.until, request_id.to_owned());
    let prepared = tasks.run(async move {
        match gather(invocation, credential, question).await? {
            Begun::Fresh(prepared) if prepared.logged => Ok(Begun::Logged(Box::new(prepared.produce(request_id)))),
            begun => Ok(begun),
        }
    });
    timeout_at(until, prepared).await.map_err(|_| deadline())?.map_err(Error::internal)?
}

fn in_progress() -> Error {
    Error::new(Kind::AnswerInProgress, "This question is being answered for another request.")
        .retry_after(RETRY_SECONDS)
}

/// What an answer ends with that took as long as it may.
fn deadline() -> Error {
    Error::new(Kind::Deadline, "The answer took longer than one may here.")
}

async fn gather(invocation: Invocation, credential: Credential, mut question: Question) -> Result<Begun> {
    let Invocation { app, until } = invocation;
    let tenant = credential.tenant();
    let (wanted, name) = credential.bot_or_name(question.bot, question.bot_name.as_deref())?;
    let owner = credential.owner();
    let thread = store::Thread { owner: &owner, client_id: &question.conversation };
    let tx = app.db.tenant(tenant).await?;
    let together = join5(
        credential.verify(&tx, Scope::Chat),
        bots::find(&tx, wanted, name),
        keys::all(&tx),
        store::history(&tx, thread, question.again()),
        join(usage::capped(&tx), twin::find(&tx, thread, question.request())),
    );
    let (caller, bot, keys, history, (capped, twin)) = tx.finish(async { Ok(together.await) }).await?;
    let caller = caller?;
    let bot = bot?.ok_or_else(|| Error::not_found("bot"))?;
    telemetry::bot(bot.id);
    let twin = match stored::settled(twin?, &question)? {
        Settled::Stored(stored) => return Ok(Begun::Stored(stored)),
        Settled::Live(place) => return Ok(Begun::Live(Box::new(Reader::new(app, tenant, place, until)))),
        Settled::Nothing(replaced) => replaced,
    };
    let keys = keys?;
    let history = followup::recalled(question.earlier.take().unwrap_or(history?), bot.manner.history_length);
    let most_input = prompt::most_tokens(&bot, &history, &question.text);
    let answerers = answerer::chosen(&app, &Asked { caller: &caller, bot: &bot, keys: &keys, most_input })?;
    let embedder = Embedder::resolve(&app, tenant, &bot.embedding_model, &keys)?;
    let earlier = followup::earlier(&question.text, &history);
    let asked = search::Asked::plain(&question.text, &bot, &embedder, Spender::of(&caller));
    let query = search::Query::new(&app, search::Asked { earlier: &earlier, capped: capped?, ..asked }).await?;
    Known {
        app,
        until,
        tenant,
        owner,
        question,
        bot,
        answerers,
        history,
        query,
        floor: embedder.relevance_floor(),
        twin,
    }
    .open()
    .await
}

/// All that is known before the question is opened: what the first trip and the embedder told.
struct Known {
    app: App,
    until: Instant,
    tenant: TenantId,
    owner: String,
    question: Question,
    bot: Bot,
    answerers: Vec<Answerer>,
    history: Vec<Turn>,
    query: search::Query,
    /// What is found below it answers nothing.
    floor: Option<f64>,
    /// An answer to the same request that came to nothing.
    twin: Option<Place>,
}

impl Known {
    /// The second trip: searches, reserves, and opens the answer.
    async fn open(self) -> Result<Begun> {
        let Known { app, until, tenant, owner, question, bot, mut answerers, history, mut query, floor, twin } = self;
        let title = conversations::of_question(&question.text);
        let conversation = app.clock.uuid();
        // Messages are read in the order of their ids, and two of one millisecond are ordered by chance.
        let mut ids = [app.clock.uuid(), app.clock.uuid()];
        ids.sort_unstable();
        let [user_message, message] = ids;
        let logged = question.resumable.unwrap_or(bot.resumable);
        let opening = Opening {
            conversation,
            thread: store::Thread { owner: &owner, client_id: &question.conversation },
            bot: bot.id,
            title: &title,
            user_message,
            answer: message,
            question: &question.text,
            regenerate: question.regenerate,
            logged,
            lease: if logged { app.limits.answers.lease } else { (until - Instant::now()) + TO_CLOSE },
            client_id: question.asking.as_ref().map(|asking| asking.message.as_str()),
            request: question.request(),
            again: twin.is_some(),
        };
        let tx = app.db.tenant(tenant).await?;
        let forget = twin::forget(&tx, twin);
        let together = join4(search::hybrid(&tx, &query), forget, store::open(&tx, &opening), reserve(&tx, &answerers));
        let (found, forgotten, opened, reserved) = tx.finish(async { Ok(together.await) }).await?;
        forgotten?;
        let opened = opened?;
        let place = Place { conversation: opened.unwrap_or(conversation), message };
        let (affordable, capped) = afford(answerers, reserved);
        answerers = affordable;
        let mut open = Open::new(&app, tenant, place, answerer::books(&answerers));
        if opened.is_none() {
            return Err(open.turn_away(in_progress()).await);
        }
        let (found, capped) = match found.and_then(|found| Ok((found, capped?))) {
            Ok(both) => both,
            Err(error) => return Err(open.turn_away(error).await),
        };
        let hits = search::complete(&app, tenant, &mut query, found).await;
        if !search::relevant(&hits, floor) {
            answerers = vec![Answerer::refusal()];
        }
        let question = question.text;
        let ask = Ask { app, bot, answerers, question, history, hits, capped, until };
        Ok(Begun::Fresh(Box::new(Prepared { ask, open, logged })))
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

/// Those whose purse has room. One that is used up silences its own answerer alone.
fn afford(mut answerers: Vec<Answerer>, reserved: Vec<(Uuid, Result<bool>)>) -> (Vec<Answerer>, Result<bool>) {
    let (mut capped, mut refused) = (false, None);
    for (purse, outcome) in reserved {
        match outcome {
            Ok(binds) => capped |= binds,
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
