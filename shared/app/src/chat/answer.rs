//! One question answered: who asks, what is found, who answers, and what is left behind.

use docent_llm::{ChatRequest, Endpoint, Event, StopReason, Turn, Usage};
use futures_util::StreamExt;
use futures_util::future::{join3, join5, try_join3};
use serde_json::{Value, json};
use uuid::Uuid;

use super::citations::{Citation, cited, supported};
use super::filter::{Allowed, Filter};
use super::out::Out;
use super::store::{self, Closing, Opening};
use super::ui_stream::{Chunk, TEXT};
use super::{Question, conversations, extractive, followup, prompt};
use crate::App;
use crate::auth::{Caller, Credential, Scope, TenantId};
use crate::bots::{self, Bot};
use crate::db::TenantTx;
use crate::embedder::Embedder;
use crate::error::{Error, Result};
use crate::keys::{self, Account, Sealed};
use crate::search::{self, Hit};
use crate::usage::{self, Call, PaidBy, Spender, Spending, Used};

/// Everything that an answer needs, gathered in two round trips. Nothing has been sent yet: what fails until here is
/// an HTTP error and not a broken stream.
pub struct Prepared {
    app: App,
    caller: Caller,
    bot: Bot,
    answerer: Answerer,
    /// The provider key that a model is asked with.
    key: Option<Uuid>,
    question: String,
    history: Vec<Turn>,
    hits: Vec<Hit>,
    conversation: Uuid,
    message: Uuid,
    /// What asking the model may cost; none for answers that no provider gives.
    spending: Option<Spending>,
    /// Some cap binds it, so the answer must keep within what was reserved.
    capped: bool,
}

enum Answerer {
    Extractive,
    Model(Account),
    /// Nothing that was found answers the question: no model is asked, nothing is spent.
    Refusal,
}

pub async fn prepare(app: App, credential: Credential, question: Question) -> Result<Prepared> {
    let tenant = credential.tenant();
    let (wanted, name) = credential.bot_or_name(question.bot, question.bot_name.as_deref())?;
    let owner = credential.owner();
    let thread = store::Thread { owner: &owner, client_id: &question.conversation };
    let tx = app.db.tenant(tenant).await?;
    let together = join5(
        credential.verify(&tx, Scope::Chat),
        bots::find(&tx, wanted, name),
        keys::all(&tx),
        store::history(&tx, thread, question.regenerate),
        usage::capped(&tx),
    );
    let (caller, bot, keys, history, capped) = tx.finish(async { Ok(together.await) }).await?;
    let caller = caller?;
    let bot = bot?.ok_or_else(|| Error::not_found("bot"))?;
    let keys = keys?;
    let chosen = answerer(&app, &caller, &bot, &keys)?;
    let key = keys.iter().find(|key| key.provider == bot.provider).map(|key| key.id);
    let embedder = Embedder::resolve(&app, tenant, &bot.embedding_model, &keys)?;
    let history = followup::recalled(question.earlier.unwrap_or(history?), bot.manner.history_length);
    let earlier = followup::earlier(&question.text, &history);
    let asked = search::Asked::plain(&question.text, &bot, &embedder, Spender::of(&caller));
    let mut query = search::Query::new(&app, search::Asked { earlier: &earlier, capped: capped?, ..asked }).await?;
    let most_input = prompt::most_tokens(&bot, &history, &question.text);
    let spending = spending(&app, &caller, &bot, &chosen, most_input);

    let title = conversations::of_question(&question.text);
    let conversation = app.clock.uuid();
    // Messages are read in the order of their ids, and two of one millisecond are ordered by chance.
    let mut ids = [app.clock.uuid(), app.clock.uuid()];
    ids.sort_unstable();
    let [user_message, message] = ids;
    let opening = Opening {
        conversation,
        thread,
        bot: bot.id,
        title: &title,
        user_message,
        answer: message,
        question: &question.text,
        regenerate: question.regenerate,
    };
    let tx = app.db.tenant(tenant).await?;
    let reserve = async {
        match &spending {
            Some(spending) => spending.reserve(&tx).await,
            None => Ok(false),
        }
    };
    let together = join3(search::hybrid(&tx, &query), store::open(&tx, &opening), reserve);
    let (found, conversation, capped) = tx.finish(async { Ok(together.await) }).await?;
    let (found, conversation) = (found?, conversation?);
    let capped = match capped {
        Ok(capped) => capped,
        Err(error) => return Err(turned_away(&app, tenant, [conversation, message], error).await),
    };
    let hits = search::complete(&app, tenant, &mut query, found).await;
    let answerer = if search::relevant(&hits, embedder.relevance_floor()) { chosen } else { Answerer::Refusal };
    let question = question.text;
    Ok(Prepared { app, caller, bot, answerer, key, question, history, hits, conversation, message, spending, capped })
}

/// What asking a model may cost; nothing where no model is asked.
fn spending(app: &App, caller: &Caller, bot: &Bot, chosen: &Answerer, most_input: u64) -> Option<Spending> {
    let Answerer::Model(account) = chosen else { return None };
    let call = Call {
        kind: usage::Kind::Chat,
        provider: &bot.provider,
        model: &bot.model,
        paid_by: PaidBy::of(account.of_operator),
        most_input,
        most_output: u64::from(MOST_ANSWER_TOKENS),
    };
    Some(Spending::new(app, Spender::of(caller), &call))
}

/// Says in the conversation, too, that a cap left no room for the answer.
async fn turned_away(app: &App, tenant: TenantId, [conversation, answer]: [Uuid; 2], error: Error) -> Error {
    let closing = Closing {
        conversation,
        answer,
        text: "",
        citations: json!([]),
        usage: usage_wire(Usage::default(), Taken::default()),
        state: "error",
        error_code: Some(error.code()),
    };
    let closed = async {
        let tx = app.db.tenant(tenant).await?;
        tx.finish(store::close(&tx, &closing)).await
    };
    if let Err(cause) = closed.await {
        tracing::warn!(?cause, "chat.store failed to close a refused answer; its lease runs out instead");
    }
    error
}

fn answerer(app: &App, caller: &Caller, bot: &Bot, keys: &[Sealed]) -> Result<Answerer> {
    if bot.provider == extractive::LABEL {
        return Ok(Answerer::Extractive);
    }
    Ok(Answerer::Model(keys::account(app, caller.tenant, &bot.provider, keys)?))
}

/// A model that does not stop is stopped here: the text is stored, and read again with every later question.
const LONGEST_ANSWER: usize = 256 * 1024;
/// How much a model may say where a cap on spend must hold: what it may cost is reserved before it begins.
pub const MOST_ANSWER_TOKENS: u32 = 4096;

/// What was said, and how it ended.
#[derive(Default)]
struct Said {
    text: String,
    citations: Vec<Citation>,
    usage: Usage,
    /// Bytes that the model said, of which the filter may have taken some away.
    heard: usize,
    taken: Taken,
    /// Bytes that the model was sent.
    sent: usize,
    reason: &'static str,
    refused: bool,
}

/// An answer that nobody saw before it was whole.
pub struct Whole {
    pub message: Uuid,
    pub text: String,
    pub refused: bool,
    /// As in the stream's `data-citations`.
    pub citations: Vec<Value>,
    pub usage: Value,
    pub reason: &'static str,
}

/// What a model said and nobody is shown, so that operators see a model that obeys its documents.
#[derive(Clone, Copy, Default)]
struct Taken {
    /// Links, images, tags and hidden characters.
    markup: u32,
    citations: usize,
}

impl Prepared {
    /// Streams the answer. The last chunk before `[DONE]` is `finish` or `error`, whatever happens in between; the
    /// answer is stored before that chunk is sent, so a client that saw the end can rely on the history.
    pub async fn stream(self, request_id: String, out: Out) {
        let metadata = json!({ "requestId": request_id, "answerer": self.label() });
        out.send(Chunk::Start { message_id: self.message, message_metadata: metadata }).await;
        out.send(Chunk::StartStep).await;
        let mut said = Said::default();
        let outcome = self.say(&out, &mut said).await;
        let stored = self.store(&said, outcome.as_ref().err()).await;
        if let Err(error) = &stored {
            tracing::error!(request_id, cause = ?error, "chat.store failed");
        }
        match outcome.and(stored) {
            Ok(()) => {
                out.send(Chunk::FinishStep).await;
                let metadata = json!({ "usage": usage_wire(said.usage, said.taken), "answerer": self.label() });
                out.send(Chunk::Finish { finish_reason: said.reason, message_metadata: metadata }).await;
            }
            Err(error) => {
                tracing::warn!(request_id, cause = ?error, "chat.answer failed");
                out.send(Chunk::error(&error)).await;
            }
        }
        out.done().await;
    }

    /// The same in one piece, for whoever does not read streams. What fails on the way is stored, and an error here.
    pub async fn whole(self, request_id: String) -> Result<Whole> {
        let mut said = Said::default();
        let outcome = self.say(&Out::Nowhere, &mut said).await;
        let stored = self.store(&said, outcome.as_ref().err()).await;
        if let Err(error) = outcome.as_ref().and(stored.as_ref()) {
            tracing::warn!(request_id, cause = ?error, "chat.answer failed");
        }
        outcome.and(stored)?;
        let citations = match Chunk::citations(&said.citations, &self.hits, &said.text) {
            Chunk::DataCitations { data, .. } => data,
            _ => Vec::new(),
        };
        let Said { text, usage, reason, refused, taken, .. } = said;
        Ok(Whole { message: self.message, text, refused, citations, usage: usage_wire(usage, taken), reason })
    }

    fn label(&self) -> String {
        match self.answerer {
            Answerer::Extractive => extractive::LABEL.to_owned(),
            Answerer::Model(_) => format!("{}/{}", self.bot.provider, self.bot.model),
            Answerer::Refusal => "refusal".to_owned(),
        }
    }

    async fn say(&self, out: &Out, said: &mut Said) -> Result<()> {
        said.reason = "stop";
        match &self.answerer {
            Answerer::Refusal => self.refuse(out, said).await,
            Answerer::Extractive => {
                self.sources(out).await;
                self.quote(out, said).await;
            }
            Answerer::Model(account) => {
                self.sources(out).await;
                let mut request = prompt::build(&self.bot, &self.history, &self.question, &self.hits);
                request.max_tokens = self.capped.then_some(MOST_ANSWER_TOKENS);
                said.sent = prompt::bytes(&request);
                self.relay(&account.endpoint, &request, out, said).await?;
            }
        }
        said.citations = cited(&said.text, &self.hits);
        // The extractive answerer's text is the documents' own, and so are its citations.
        if let Answerer::Model(_) = self.answerer {
            let found = said.citations.len();
            said.citations = supported(&said.text, &self.hits);
            said.taken.citations = found - said.citations.len();
        }
        if !said.refused {
            out.send(Chunk::citations(&said.citations, &self.hits, &said.text)).await;
        }
        Ok(())
    }

    async fn refuse(&self, out: &Out, said: &mut Said) {
        said.refused = true;
        said.text.clone_from(&self.bot.refusal);
        self.text(out, &said.text).await;
        let data = json!({ "code": "nothing_found", "hint": "Ask with words that stand in the documents, or upload one that answers." });
        out.send(Chunk::DataRefusal { id: "refusal", data }).await;
    }

    async fn quote(&self, out: &Out, said: &mut Said) {
        let earlier = followup::earlier(&self.question, &self.history);
        said.text = extractive::answer(&self.question, &earlier, &self.hits);
        self.text(out, &said.text).await;
    }

    async fn text(&self, out: &Out, text: &str) {
        out.send(Chunk::TextStart { id: TEXT }).await;
        for delta in text.split_inclusive("\n\n") {
            out.send(Chunk::TextDelta { id: TEXT, delta }).await;
        }
        out.send(Chunk::TextEnd { id: TEXT }).await;
    }

    async fn sources(&self, out: &Out) {
        for (index, hit) in self.hits.iter().enumerate() {
            out.send(Chunk::source(index + 1, hit)).await;
        }
    }

    async fn relay(&self, endpoint: &Endpoint, request: &ChatRequest, out: &Out, said: &mut Said) -> Result<()> {
        let mut events = self.app.llm.transport.chat(endpoint, request).await?;
        out.send(Chunk::TextStart { id: TEXT }).await;
        let mut filter = Filter::new(self.allowed());
        let mut failure = None;
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Delta(delta)) if said.heard + delta.len() > LONGEST_ANSWER => {
                    said.reason = "length";
                    break;
                }
                Ok(Event::Delta(delta)) => {
                    said.heard += delta.len();
                    show(out, said, &filter.push(&delta)).await;
                }
                Ok(Event::Usage(usage)) => said.usage = usage,
                Ok(Event::Finish(reason)) => said.reason = finish_reason(reason),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        show(out, said, &filter.finish()).await;
        said.taken.markup = filter.removed();
        if let Some(error) = failure {
            return Err(error.into());
        }
        out.send(Chunk::TextEnd { id: TEXT }).await;
        Ok(())
    }

    /// What people wrote: the passages, the question, and whoever keeps the bot. Not the history: a model wrote there, too.
    fn allowed(&self) -> Allowed {
        let mut allowed = Allowed::default();
        let own = [self.question.as_str(), self.bot.instructions.as_str()];
        self.hits.iter().map(|hit| hit.text.as_str()).chain(own).for_each(|text| allowed.read(text));
        allowed
    }

    async fn store(&self, said: &Said, failure: Option<&Error>) -> Result<()> {
        let state = match failure {
            Some(_) => "error",
            None if said.refused => "refused",
            None => "complete",
        };
        let citations = said.citations.iter().map(|citation| {
            let hit = &self.hits[citation.number - 1];
            json!({ "n": citation.number, "documentId": hit.document, "revision": hit.revision, "ordinal": hit.ordinal,
                    "filename": hit.filename, "page": citation.page, "quote": citation.quote })
        });
        let closing = Closing {
            conversation: self.conversation,
            answer: self.message,
            text: &said.text.replace('\0', ""),
            citations: Value::Array(citations.collect()),
            usage: usage_wire(said.usage, said.taken),
            state,
            error_code: failure.map(Error::code),
        };
        let tx = self.app.db.tenant(self.caller.tenant).await?;
        let flag = async {
            match (self.key, failure) {
                (Some(key), Some(failure)) => keys::flag(&tx, key, failure).await,
                _ => Ok(()),
            }
        };
        tx.finish(try_join3(store::close(&tx, &closing), flag, self.book(&tx, said, failure))).await.map(|_| ())
    }

    /// Settles what was reserved, also for an answer that broke off.
    async fn book(&self, tx: &TenantTx, said: &Said, failure: Option<&Error>) -> Result<()> {
        let Some(spending) = &self.spending else { return Ok(()) };
        let Usage { input_tokens, output_tokens } = said.usage;
        match (&self.answerer, failure) {
            (Answerer::Refusal, _) => spending.release(tx).await,
            (_, Some(error)) if said.heard == 0 && said.usage == Usage::default() => {
                spending.settle(tx, Used::failed(error, said.sent)).await
            }
            _ => spending.settle(tx, Used::counted(input_tokens, output_tokens, said.sent, said.heard)).await,
        }
    }
}

/// Sends a delta and remembers it: what is stored is what was shown.
async fn show(out: &Out, said: &mut Said, delta: &str) {
    if !delta.is_empty() {
        out.send(Chunk::TextDelta { id: TEXT, delta }).await;
        said.text.push_str(delta);
    }
}

/// What was taken away is told only where something was.
fn usage_wire(usage: Usage, taken: Taken) -> Value {
    let mut wire = json!({ "inputTokens": usage.input_tokens, "outputTokens": usage.output_tokens });
    if taken.markup > 0 {
        wire["markupRemoved"] = json!(taken.markup);
    }
    if taken.citations > 0 {
        wire["citationsDropped"] = json!(taken.citations);
    }
    wire
}

fn finish_reason(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Stop => "stop",
        StopReason::Length => "length",
        StopReason::ContentFilter => "content-filter",
        StopReason::Other => "other",
    }
}
