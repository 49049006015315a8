//! One question answered: who asks, what is found, who answers, and what is left behind.

use docent_llm::{ChatRequest, Endpoint, Event, StopReason, Turn, Usage};
use futures_util::StreamExt;
use futures_util::future::{join, join4};
use serde_json::{Value, json};
use uuid::Uuid;

use super::citations::{Citation, cited};
use super::store::{self, Closing, Opening};
use super::ui_stream::{Chunk, DONE, TEXT};
use super::{Question, extractive, prompt};
use crate::App;
use crate::auth::{Caller, Credential, Scope};
use crate::bots::{self, Bot};
use crate::embedder::Embedder;
use crate::error::{Error, Result};
use crate::http::sse::Frames;
use crate::keys::{self, Sealed};
use crate::search::{self, Hit};
use crate::usage;

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
}

enum Answerer {
    Extractive,
    Model(Endpoint),
    /// Nothing that was found answers the question: no model is asked, nothing is spent.
    Refusal,
}

pub async fn prepare(app: App, credential: Credential, question: Question) -> Result<Prepared> {
    let tenant = credential.tenant();
    let (wanted, owner) = (credential.bot(question.bot)?, credential.owner());
    let thread = store::Thread { owner: &owner, client_id: &question.conversation };
    let tx = app.db.tenant(tenant).await?;
    let together = join4(
        credential.verify(&tx, Scope::Chat),
        bots::find(&tx, wanted),
        keys::all(&tx),
        store::history(&tx, thread, question.regenerate),
    );
    let (caller, bot, keys, history) = tx.finish(async { Ok(together.await) }).await?;
    let caller = caller?;
    let bot = bot?.ok_or_else(|| Error::not_found("bot"))?;
    let keys = keys?;
    let chosen = answerer(&app, &caller, &bot, &keys)?;
    let key = keys.iter().find(|key| key.provider == bot.provider).map(|key| key.id);
    let embedder = Embedder::resolve(&app, tenant, &bot.embedding_model, &keys)?;
    let query = search::Query::new(&question.text, &bot, &embedder, search::DEFAULT_LIMIT).await?;

    let title: String = question.text.chars().take(80).collect();
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
    let together = join(search::hybrid(&tx, &query), store::open(&tx, &opening));
    let (hits, conversation) = tx.finish(async { Ok(together.await) }).await?;
    let (hits, conversation) = (hits?, conversation?);
    let answerer = if search::relevant(&hits, embedder.relevance_floor()) { chosen } else { Answerer::Refusal };
    let question = question.text;
    Ok(Prepared { app, caller, bot, answerer, key, question, history: history?, hits, conversation, message })
}

fn answerer(app: &App, caller: &Caller, bot: &Bot, keys: &[Sealed]) -> Result<Answerer> {
    if bot.provider == extractive::LABEL {
        return Ok(Answerer::Extractive);
    }
    let sealed = keys.iter().find(|key| key.provider == bot.provider);
    let sealed = sealed.ok_or_else(|| {
        Error::new(
            crate::error::Kind::Provider("provider_auth"),
            format!("There is no key for the provider `{}`.", bot.provider),
        )
        .hint(format!("Save one with PUT /api/keys/{}, or set the bot's provider to `extractive`.", bot.provider))
    })?;
    Ok(Answerer::Model(keys::endpoint(app, caller.tenant, sealed)?))
}

/// A model that does not stop is stopped here: the text is stored, and read again with every later question.
const LONGEST_ANSWER: usize = 256 * 1024;

/// What was said, and how it ended.
#[derive(Default)]
struct Said {
    text: String,
    citations: Vec<Citation>,
    usage: Usage,
    reason: &'static str,
    refused: bool,
}

impl Prepared {
    /// Streams the answer. The last chunk before `[DONE]` is `finish` or `error`, whatever happens in between; the
    /// answer is stored before that chunk is sent, so a client that saw the end can rely on the history.
    pub async fn stream(self, request_id: String, frames: Frames) {
        let metadata = json!({ "requestId": request_id, "answerer": self.label() });
        frames.send(Chunk::Start { message_id: self.message, message_metadata: metadata }.frame()).await;
        frames.send(Chunk::StartStep.frame()).await;
        let mut said = Said::default();
        let outcome = self.say(&frames, &mut said).await;
        let stored = self.store(&said, outcome.as_ref().err()).await;
        if let Err(error) = &stored {
            tracing::error!(request_id, cause = ?error, "chat.store failed");
        }
        match outcome.and(stored) {
            Ok(()) => {
                frames.send(Chunk::FinishStep.frame()).await;
                let metadata = json!({ "usage": usage_wire(said.usage), "answerer": self.label() });
                frames.send(Chunk::Finish { finish_reason: said.reason, message_metadata: metadata }.frame()).await;
            }
            Err(error) => {
                tracing::warn!(request_id, cause = ?error, "chat.answer failed");
                frames.send(Chunk::error(&error)).await;
            }
        }
        frames.send(DONE.to_owned()).await;
    }

    fn label(&self) -> String {
        match self.answerer {
            Answerer::Extractive => extractive::LABEL.to_owned(),
            Answerer::Model(_) => format!("{}/{}", self.bot.provider, self.bot.model),
            Answerer::Refusal => "refusal".to_owned(),
        }
    }

    async fn say(&self, frames: &Frames, said: &mut Said) -> Result<()> {
        said.reason = "stop";
        match &self.answerer {
            Answerer::Refusal => self.refuse(frames, said).await,
            Answerer::Extractive => {
                self.sources(frames).await;
                self.quote(frames, said).await;
            }
            Answerer::Model(endpoint) => {
                self.sources(frames).await;
                let request = prompt::build(&self.bot, &self.history, &self.question, &self.hits);
                self.relay(endpoint, &request, frames, said).await?;
            }
        }
        said.citations = cited(&said.text, &self.hits);
        if !said.refused {
            frames.send(Chunk::citations(&said.citations)).await;
        }
        Ok(())
    }

    async fn refuse(&self, frames: &Frames, said: &mut Said) {
        said.refused = true;
        said.text.clone_from(&self.bot.refusal);
        self.text(frames, &said.text).await;
        let data = json!({ "code": "nothing_found", "hint": "Ask with words that stand in the documents, or upload one that answers." });
        frames.send(Chunk::DataRefusal { id: "refusal", data }.frame()).await;
    }

    async fn quote(&self, frames: &Frames, said: &mut Said) {
        said.text = extractive::answer(&self.question, &self.hits);
        self.text(frames, &said.text).await;
    }

    async fn text(&self, frames: &Frames, text: &str) {
        frames.send(Chunk::TextStart { id: TEXT }.frame()).await;
        for delta in text.split_inclusive("\n\n") {
            frames.send(Chunk::TextDelta { id: TEXT, delta }.frame()).await;
        }
        frames.send(Chunk::TextEnd { id: TEXT }.frame()).await;
    }

    async fn sources(&self, frames: &Frames) {
        for (index, hit) in self.hits.iter().enumerate() {
            frames.send(Chunk::source(index + 1, hit)).await;
        }
    }

    async fn relay(&self, endpoint: &Endpoint, request: &ChatRequest, frames: &Frames, said: &mut Said) -> Result<()> {
        let mut events = self.app.llm.transport.chat(endpoint, request).await?;
        frames.send(Chunk::TextStart { id: TEXT }.frame()).await;
        while let Some(event) = events.next().await {
            match event? {
                Event::Delta(delta) if said.text.len() + delta.len() > LONGEST_ANSWER => {
                    said.reason = "length";
                    break;
                }
                Event::Delta(delta) => {
                    frames.send(Chunk::TextDelta { id: TEXT, delta: &delta }.frame()).await;
                    said.text.push_str(&delta);
                }
                Event::Usage(usage) => said.usage = usage,
                Event::Finish(reason) => said.reason = finish_reason(reason),
            }
        }
        frames.send(Chunk::TextEnd { id: TEXT }.frame()).await;
        Ok(())
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
            usage: usage_wire(said.usage),
            state,
            error_code: failure.map(Error::code),
        };
        let tx = self.app.db.tenant(self.caller.tenant).await?;
        store::close(&tx, &closing).await?;
        if let (Some(key), Some(failure)) = (self.key, failure) {
            keys::flag(&tx, key, failure).await?;
        }
        if matches!(self.answerer, Answerer::Model(_)) {
            usage::record(&tx, self.entry(said.usage)).await?;
        }
        tx.commit().await
    }

    fn entry(&self, spent: Usage) -> usage::Entry<'_> {
        usage::Entry {
            id: self.app.clock.uuid(),
            token: self.caller.token,
            kind: usage::Kind::Chat,
            provider: &self.bot.provider,
            model: &self.bot.model,
            input_tokens: i64::try_from(spent.input_tokens).unwrap_or(i64::MAX),
            output_tokens: i64::try_from(spent.output_tokens).unwrap_or(i64::MAX),
            paid_by: usage::PaidBy::Tenant,
        }
    }
}

fn usage_wire(usage: Usage) -> Value {
    json!({ "inputTokens": usage.input_tokens, "outputTokens": usage.output_tokens })
}

fn finish_reason(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Stop => "stop",
        StopReason::Length => "length",
        StopReason::ContentFilter => "content-filter",
        StopReason::Other => "other",
    }
}
