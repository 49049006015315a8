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

/// So much of a packet is decoded before what it says is handed on: a packet of 400 KiB that is full of single letters
/// would be many times as large in memory.
const SLICE: usize = 8 * 1024;

/// Counts are of the whole answer so far, and come before the first word: of more than so many, the last one is kept. A
/// provider that sends nothing else would fill the memory with them.
const COUNTS: usize = 16;

/// Dropping it cancels the provider's work by closing the connection.
pub struct ChatStream {
    /// `None` once the answer is over, so the connection goes as soon as it is of no use.
    source: Option<Source>,
    ready: VecDeque<Event>,
    failure: Option<Error>,
}

/// Bytes of blanks before the first word; whoever sends more says nothing.
pub const MOST_BLANK: usize = 4096;

struct Source {
    packets: BoxStream<'static, Result<Bytes, Error>>,
    /// What is not decoded yet of the last one.
    packet: Bytes,
    decoder: AnswerDecoder,
}

impl ChatStream {
    pub(crate) fn new(packets: BoxStream<'static, Result<Bytes, Error>>, decoder: AnswerDecoder) -> Self {
        let source = Source { packets, packet: Bytes::new(), decoder };
        Self { source: Some(source), ready: VecDeque::new(), failure: None }
    }

    /// Reads on until there is something to show. An error here means that nothing was: no word, and no end.
    pub(crate) async fn begun(mut self) -> Result<Self, Error> {
        while !self.ready.iter().any(is_something) {
            let Some(source) = &mut self.source else { break };
            if self.ready.iter().map(blank).sum::<usize>() > MOST_BLANK {
                return Err(ErrorKind::Empty.into());
            }
            if source.packet.is_empty() {
                let arrived = source.packets.next().await;
                self.take_in(arrived);
            } else {
                self.decode();
            }
        }
        match (self.failure, self.ready.iter().find(|event| is_something(event))) {
            (Some(error), None) => Err(error),
            // A reason why there is no more is something; that all was said is not.
            (_, Some(Event::Finish(StopReason::Stop))) => Err(ErrorKind::Empty.into()),
            (failure, _) => Ok(Self { failure, ..self }),
        }
    }

    fn take_in(&mut self, arrived: Option<Result<Bytes, Error>>) {
        let Some(source) = &mut self.source else { return };
        let mut events = Vec::new();
        let outcome = match arrived {
            Some(Ok(packet)) => {
                source.packet = packet;
                return;
            }
            Some(Err(error)) => Err(error),
            None => source.decoder.end(&mut events),
        };
        self.say(events, outcome);
        self.source = None;
    }

    fn decode(&mut self) {
        let Some(Source { packet, decoder, .. }) = &mut self.source else { return };
        let mut events = Vec::new();
        let slice = packet.split_to(SLICE.min(packet.len()));
        let outcome = decoder.push(&slice, &mut events);
        if outcome.is_err() || matches!(events.last(), Some(Event::Finish(_))) {
            self.source = None;
        }
        self.say(events, outcome);
    }

    fn say(&mut self, events: Vec<Event>, outcome: Result<(), Error>) {
        for event in events {
            let crowded = self.ready.len() >= COUNTS;
            match (self.ready.back_mut(), event) {
                (Some(Event::Usage(counts)), Event::Usage(newer)) if crowded => *counts = newer,
                (_, event) => self.ready.push_back(event),
            }
        }
        self.failure = outcome.err();
    }
}

fn blank(event: &Event) -> usize {
    if let Event::Delta(text) = event { text.len() } else { 0 }
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
            let Some(source) = &mut self.source else { return Poll::Ready(None) };
            if !source.packet.is_empty() {
                self.decode();
                continue;
            }
            match source.packets.as_mut().poll_next(context) {
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

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;
    use crate::{Dialect, Usage};

    #[tokio::test]
    async fn a_packet_is_handed_on_slice_by_slice_and_of_counts_only_the_last() {
        let count = |tokens: usize| format!("data: {{\"usage\":{{\"prompt_tokens\":{tokens}}}}}\n\n");
        let letter = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
        let counts: String = (0..=100_000).map(count).collect();
        let packets = [counts, letter.repeat(8_000)].map(|packet| Ok(Bytes::from(packet)));
        let stream = ChatStream::new(stream::iter(packets).boxed(), Dialect::OpenAi.answer());
        let mut stream = stream.begun().await.unwrap();
        let (mut said, mut counted) = (0, Usage::default());
        while let Some(event) = stream.next().await {
            assert!(stream.ready.len() <= COUNTS + SLICE / letter.len(), "{} events wait", stream.ready.len());
            match event {
                Ok(Event::Usage(usage)) => counted = usage,
                Ok(Event::Delta(_)) => said += 1,
                other => assert_eq!((other.map_err(|error| error.code()), said), (Err("upstream_truncated"), 8_000)),
            }
        }
        assert_eq!((said, counted.input_tokens), (8_000, 100_000));
    }

    #[tokio::test]
    async fn blanks_without_end_are_no_answer() {
        let blank = "data: {\"choices\":[{\"delta\":{\"content\":\" \"}}]}\n\n".repeat(64);
        // It would never end by itself.
        let packets = stream::repeat_with(move || Ok(Bytes::from(blank.clone())));
        let stream = ChatStream::new(packets.boxed(), Dialect::OpenAi.answer());
        assert_eq!(stream.begun().await.err().map(|error| error.code()), Some("provider_empty"));
    }
}
