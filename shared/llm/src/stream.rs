//! The stream of one answer: ends after `Finish` or after one error, never without either.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};

use crate::decode::AnswerDecoder;
use crate::{Error, ErrorKind, Event, StopReason};

/// Dropping it cancels the provider's work by closing the connection.
pub struct ChatStream {
    /// `None` once the answer is over, so the connection goes as soon as it is of no use.
    source: Option<(BoxStream<'static, Result<Bytes, Error>>, AnswerDecoder)>,
    ready: VecDeque<Event>,
    failure: Option<Error>,
}

impl ChatStream {
    pub(crate) fn new(bytes: BoxStream<'static, Result<Bytes, Error>>, decoder: AnswerDecoder) -> Self {
        Self { source: Some((bytes, decoder)), ready: VecDeque::new(), failure: None }
    }

    /// Reads on until there is something to show. An error here means that nothing was: no word, and no end.
    pub(crate) async fn begun(mut self) -> Result<Self, Error> {
        while !self.ready.iter().any(is_something) {
            let Some((bytes, _)) = &mut self.source else { break };
            let arrived = bytes.next().await;
            self.take_in(arrived);
        }
        match (self.failure, self.ready.iter().find(|event| is_something(event))) {
            (Some(error), None) => Err(error),
            // A reason why there is no more is something; that all was said is not.
            (_, Some(Event::Finish(StopReason::Stop))) => Err(ErrorKind::Empty.into()),
            (failure, _) => Ok(Self { failure, ..self }),
        }
    }

    fn take_in(&mut self, arrived: Option<Result<Bytes, Error>>) {
        let Some((_, decoder)) = &mut self.source else { return };
        let mut events = Vec::new();
        let outcome = match arrived {
            Some(Ok(bytes)) => decoder.push(&bytes, &mut events),
            Some(Err(error)) => Err(error),
            None => decoder.end(&mut events),
        };
        let finished = matches!(events.last(), Some(Event::Finish(_)));
        self.ready.extend(events);
        self.failure = outcome.err();
        if finished || self.failure.is_some() {
            self.source = None;
        }
    }
}

/// Counts are not shown to anybody, and blanks say nothing.
fn is_something(event: &Event) -> bool {
    match event {
        Event::Usage(_) => false,
        Event::Delta(text) => !text.trim().is_empty(),
        Event::Finish(_) => true,
    }
}

impl Stream for ChatStream {
    type Item = Result<Event, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(event)));
            }
            if let Some(error) = self.failure.take() {
                return Poll::Ready(Some(Err(error)));
            }
            let Some((bytes, _)) = &mut self.source else { return Poll::Ready(None) };
            match bytes.as_mut().poll_next(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(arrived) => self.take_in(arrived),
            }
        }
    }
}

impl fmt::Debug for ChatStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ChatStream").field("over", &self.source.is_none()).finish_non_exhaustive()
    }
}
