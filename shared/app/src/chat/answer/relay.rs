//! A model's answer, passed on as it comes; and another model's, when the first cannot begin.

use std::pin::pin;
use std::time::Duration;

use docent_llm::{ChatStream, Event};
use futures_util::StreamExt;
use tokio::time::sleep_until;

use super::answerer::{Answerer, How};
use super::said::{Said, finish_reason};
use super::{Ask, MOST_ANSWER_TOKENS, deadline};
use crate::chat::filter::{Allowed, Filter};
use crate::chat::out::Out;
use crate::chat::prompt;
use crate::chat::ui_stream::{Chunk, TEXT};
use crate::error::{Error, Result};
use crate::telemetry::{self, Part, Step, Used};

/// A model that does not stop is stopped here: the text is stored, and read again with every later question.
const LONGEST_ANSWER: usize = 256 * 1024;
/// So long before an answer's time is over it hears no more, and what its filter holds back is shown and stored.
const LAST_WORDS: Duration = Duration::from_millis(20);

impl Ask {
    /// Asks one after the other until one begins. Once a word was said, nobody is asked in his place: two halves of two
    /// answers make none.
    pub(super) async fn ask(&self, out: &Out, said: &mut Said) -> Result<()> {
        for (place, answerer) in self.answerers.iter().enumerate() {
            let last = place + 1 == self.answerers.len();
            said.by = Some(place);
            match self.begin(answerer, said).await {
                Ok(Begun::Quote) => {
                    self.quote(out, said).await;
                    return Ok(());
                }
                Ok(Begun::Model(events, mut step)) => {
                    let outcome = self.relay(events, out, said).await;
                    step.used(Used { input_tokens: said.usage.input_tokens, output_tokens: said.usage.output_tokens });
                    match &outcome {
                        Ok(()) => step.finished(said.reason),
                        Err(error) => step.failed(error.code()),
                    }
                    return outcome;
                }
                Err(error) if last => return Err(error),
                Err(error) => {
                    tracing::warn!(answerer = answerer.label, cause = ?error, "chat.answer falls back");
                    said.passed.push((place, error));
                }
            }
        }
        Err(Error::internal("there is nobody to answer"))
    }

    async fn begin(&self, answerer: &Answerer, said: &mut Said) -> Result<Begun> {
        let How::Model(account) = &answerer.how else { return Ok(Begun::Quote) };
        let mut request = prompt::build(&self.bot, &self.history, &self.question, &self.hits);
        request.model.clone_from(&answerer.model);
        request.max_tokens = self.capped.then_some(MOST_ANSWER_TOKENS);
        said.sent = prompt::bytes(&request);
        let provider = answerer.label.split_once('/').map_or("", |(provider, _)| provider);
        let mut step = telemetry::model(Part::Provider, provider, &answerer.model);
        let events = step.call(self.app.llm.transport.chat(&account.endpoint, &request)).await?;
        // With its first word: what comes is told of the call, and counts as nobody's waiting.
        step.counted();
        Ok(Begun::Model(Box::new(events), step))
    }

    async fn relay(&self, mut events: Box<ChatStream>, out: &Out, said: &mut Said) -> Result<()> {
        out.send(Chunk::TextStart { id: TEXT }).await;
        let mut filter = Filter::new(self.allowed());
        let mut over = pin!(sleep_until(self.until.checked_sub(LAST_WORDS).unwrap_or(self.until)));
        let failure = loop {
            let event = tokio::select! {
                biased;
                event = events.next() => event,
                () = &mut over => break Some(deadline()),
            };
            match event {
                None => break None,
                Some(Ok(Event::Delta(delta))) if said.heard + delta.len() > LONGEST_ANSWER => {
                    said.reason = "length";
                    break None;
                }
                Some(Ok(Event::Delta(delta))) => {
                    said.heard += delta.len();
                    show(out, said, &filter.push(&delta)).await;
                }
                Some(Ok(Event::Usage(usage))) => said.usage = usage,
                Some(Ok(Event::Finish(reason))) => said.reason = finish_reason(reason),
                Some(Err(error)) => break Some(error.into()),
            }
        };
        show(out, said, &filter.finish()).await;
        said.taken.markup = filter.removed();
        if let Some(error) = failure {
            return Err(error);
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
}

enum Begun {
    /// The documents' own sentences.
    Quote,
    Model(Box<ChatStream>, Step),
}

/// Remembers a delta and sends it: what is stored is what was shown, also when its reader has left.
async fn show(out: &Out, said: &mut Said, delta: &str) {
    if !delta.is_empty() {
        said.text.push_str(delta);
        out.send(Chunk::TextDelta { id: TEXT, delta }).await;
    }
}
