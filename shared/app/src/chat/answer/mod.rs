//! One question answered: who asks, what is found, who answers, and what is left behind.

mod answerer;
mod ending;
mod logged;
mod opening;
mod relay;
mod said;
mod stored;
mod tell;

use docent_llm::Turn;
use futures_util::future::{join, join5};
use tokio::time::{Instant, timeout_at};

pub use said::Whole;
use stored::Settled;
pub use stored::Stored;

use super::log::Reader;
use super::store::{self, twin};
use super::{Question, followup, prompt};
use crate::App;
use crate::auth::{Credential, Scope};
use crate::bots::{self, Bot};
use crate::embedder::Embedder;
use crate::error::{Error, Kind, Result};
use crate::http::Invocation;
use crate::keys;
use crate::search::{self, Hit};
use crate::telemetry;
use crate::usage::{self, Spender};
use answerer::{Answerer, Asked};
use ending::Open;
use opening::Known;

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
    let floor = embedder.relevance_floor();
    Known { app, until, tenant, owner, question, bot, answerers, history, query, floor, twin }.open().await
}
