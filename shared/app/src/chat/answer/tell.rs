//! An answer told: piece by piece to whoever reads streams, or in one piece.

use serde_json::json;
use tokio::time::timeout_at;

use super::answerer::How;
use super::ending::Ending;
use super::said::{Said, Whole};
use super::{Ask, Prepared, deadline};
use crate::chat::citations::{cited, supported};
use crate::chat::out::Out;
use crate::chat::ui_stream::{Chunk, TEXT};
use crate::chat::{extractive, followup, log};
use crate::error::{Error, Kind, Result};
use crate::telemetry;

impl Prepared {
    /// Streams the answer. The last chunk before `[DONE]` is `finish` or `error`, whatever happens in between; the
    /// answer is stored before that chunk is sent, so a client that saw the end can rely on the history.
    pub async fn stream(self, request_id: String, out: Out) {
        let Prepared { ask, mut open, .. } = self;
        let metadata = json!({ "requestId": request_id, "answerer": ask.label(open.said()) });
        out.send(Chunk::Start { message_id: open.place().message, message_metadata: metadata }).await;
        out.send(Chunk::StartStep).await;
        let at = (open.tenant(), open.place());
        let outcome = log::living(&ask.app, at, false, ask.within(&out, open.said())).await;
        let ending = Ending::of(&outcome, open.said());
        let stored = open.close(ending).await.and_then(kept);
        if let Err(error) = &stored {
            tracing::error!(request_id, cause = ?error, "chat.store failed");
        }
        match outcome.and(stored) {
            Ok(()) => {
                out.send(Chunk::FinishStep).await;
                let said = open.said();
                let metadata = json!({ "usage": said.usage_wire(), "answerer": ask.label(said) });
                out.send(Chunk::Finish { finish_reason: said.reason, message_metadata: metadata }).await;
            }
            Err(error) => {
                tracing::warn!(request_id, cause = ?error, "chat.answer failed");
                telemetry::failed(error.code(), Some(&error));
                out.send(Chunk::error(&error)).await;
            }
        }
        out.done().await;
    }

    /// The same in one piece, for whoever does not read streams. What fails on the way is stored, and an error here.
    pub async fn whole(self, request_id: String) -> Result<Whole> {
        let Prepared { ask, mut open, .. } = self;
        let at = (open.tenant(), open.place());
        let outcome = log::living(&ask.app, at, false, ask.within(&Out::Nowhere, open.said())).await;
        let ending = Ending::of(&outcome, open.said());
        let stored = open.close(ending).await.and_then(kept);
        if let Err(error) = outcome.as_ref().and(stored.as_ref()) {
            tracing::warn!(request_id, cause = ?error, "chat.answer failed");
        }
        outcome.and(stored)?;
        let message = open.place().message;
        let said = std::mem::take(open.said());
        let citations = match Chunk::citations(&said.citations, &ask.hits, &said.text) {
            Chunk::DataCitations { data, .. } => data,
            _ => Vec::new(),
        };
        let usage = said.usage_wire();
        Ok(Whole { message, text: said.text, refused: said.refused, citations, usage, reason: said.reason })
    }
}

/// What is told as whole lies in the history: an answer that others took for dead, and ended, does not.
fn kept(closed: bool) -> Result<()> {
    let lost = || Error::new(Kind::ProducerLost, "This answer was given up before it was whole. Ask again.");
    closed.then_some(()).ok_or_else(lost)
}

impl Ask {
    /// Who answers, as far as it is known.
    pub(super) fn label(&self, said: &Said) -> &str {
        let answerer = self.answerers.get(said.by.unwrap_or_default());
        answerer.map_or("", |answerer| answerer.label.as_str())
    }

    /// What was said until the time is over stays said.
    pub(super) async fn within(&self, out: &Out, said: &mut Said) -> Result<()> {
        timeout_at(self.until, self.say(out, said)).await.unwrap_or_else(|_| Err(deadline()))
    }

    async fn say(&self, out: &Out, said: &mut Said) -> Result<()> {
        said.reason = "stop";
        if self.answerers.iter().any(|answerer| matches!(answerer.how, How::Refusal)) {
            self.refuse(out, said).await;
            return Ok(());
        }
        for (index, hit) in self.hits.iter().enumerate() {
            out.send(Chunk::source(index + 1, hit)).await;
        }
        self.ask(out, said).await?;
        self.cite(said);
        out.send(Chunk::citations(&said.citations, &self.hits, &said.text)).await;
        Ok(())
    }

    fn cite(&self, said: &mut Said) {
        said.citations = cited(&said.text, &self.hits);
        // The extractive answerer's text is the documents' own, and so are its citations.
        let by = said.by.and_then(|place| self.answerers.get(place));
        if by.is_some_and(|answerer| matches!(answerer.how, How::Model(_))) {
            let found = said.citations.len();
            said.citations = supported(&said.text, &self.hits);
            said.taken.citations = found - said.citations.len();
        }
        let stored = said.citations.iter().map(|citation| {
            let hit = &self.hits[citation.number - 1];
            json!({ "n": citation.number, "documentId": hit.document, "revision": hit.revision, "ordinal": hit.ordinal,
                    "filename": hit.filename, "page": citation.page, "quote": citation.quote })
        });
        said.stored_citations = stored.collect();
    }

    async fn refuse(&self, out: &Out, said: &mut Said) {
        said.refused = true;
        said.text.clone_from(&self.bot.refusal);
        self.text(out, &said.text).await;
        out.send(Chunk::refusal()).await;
    }

    pub(super) async fn quote(&self, out: &Out, said: &mut Said) {
        said.text = extractive::answer(&self.question, &followup::earlier(&self.question, &self.history), &self.hits);
        self.text(out, &said.text).await;
    }

    async fn text(&self, out: &Out, text: &str) {
        out.send(Chunk::TextStart { id: TEXT }).await;
        for delta in text.split_inclusive("\n\n") {
            out.send(Chunk::TextDelta { id: TEXT, delta }).await;
        }
        out.send(Chunk::TextEnd { id: TEXT }).await;
    }
}
