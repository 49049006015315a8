//! From bytes to events: a framing cuts the bytes, a dialect reads each frame.

use std::fmt;

use crate::{Error, ErrorKind, Event, ndjson, sse};

/// How one dialect reads the frames of one answer. Pure: the state of the answer is all it holds.
pub(crate) trait FrameDecoder: Send {
    /// Appends what this frame says. `Event::Finish` only when the full end marker was read.
    fn frame(&mut self, frame: &str, events: &mut Vec<Event>) -> Result<(), Error>;

    /// What the clean end of the body means: a broken answer, unless the provider has no other end marker.
    fn end(&mut self, _events: &mut Vec<Event>) -> Result<(), Error> {
        Err(ErrorKind::Truncated.into())
    }
}

/// How the provider separates frames.
#[derive(Debug)]
pub(crate) enum Framing {
    Sse(sse::Decoder),
    Lines(ndjson::Decoder),
}

impl Framing {
    pub(crate) fn media_type(&self) -> &'static str {
        match self {
            Self::Sse(_) => "text/event-stream",
            Self::Lines(_) => "application/x-ndjson",
        }
    }

    /// Whether no frame is half read.
    fn is_at_rest(&self) -> bool {
        match self {
            Self::Sse(decoder) => decoder.is_at_rest(),
            Self::Lines(decoder) => decoder.is_at_rest(),
        }
    }

    fn held(&self) -> usize {
        match self {
            Self::Sse(decoder) => decoder.held(),
            Self::Lines(decoder) => decoder.held(),
        }
    }

    fn each(&mut self, bytes: &[u8], show: &mut dyn FnMut(&str) -> Result<(), Error>) -> Result<(), Error> {
        match self {
            Self::Lines(decoder) => decoder.each(bytes, show),
            Self::Sse(decoder) => decoder.each(bytes, &mut |event| show(&event.data)),
        }
    }
}

/// One answer on its way in. Pure: any way to cut the same bytes gives the same events.
pub struct AnswerDecoder {
    pub(crate) framing: Framing,
    pub(crate) frames: Box<dyn FrameDecoder>,
}

impl AnswerDecoder {
    /// Appends the events of these bytes. On an error the events before it are still appended, so that the
    /// network's way of cutting packets never decides which words are shown.
    pub fn push(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), Error> {
        let Self { framing, frames } = self;
        let mut over = false;
        let outcome = framing.each(bytes, &mut |frame| {
            if !over {
                frames.frame(frame, events)?;
                over = matches!(events.last(), Some(Event::Finish(_)));
            }
            Ok(())
        });
        // What follows the end is nobody's business.
        if over { Ok(()) } else { outcome }
    }

    /// Bytes that it keeps until more of the answer has come: less than half a MiB, whatever comes.
    pub fn held(&self) -> usize {
        self.framing.held()
    }

    /// To be called when the body ended as its transport says it must, and no `Event::Finish` came.
    pub fn end(&mut self, events: &mut Vec<Event>) -> Result<(), Error> {
        if !self.framing.is_at_rest() {
            return Err(ErrorKind::Truncated.into());
        }
        self.frames.end(events)
    }
}

impl fmt::Debug for AnswerDecoder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AnswerDecoder")
    }
}

#[cfg(test)]
mod tests {
    use crate::{Dialect, Event};

    #[test]
    fn words_before_a_broken_frame_are_kept_and_the_fault_is_told() {
        let word = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
        let endless = "a".repeat(crate::sse::MAX_LINE + 1);
        for fault in ["data: {\n\n", &endless] {
            let mut events = Vec::new();
            let outcome = Dialect::OpenAi.answer().push(format!("{word}{fault}").as_bytes(), &mut events);
            assert_eq!(events, [Event::Delta("a".into())]);
            assert!(outcome.is_err());
        }
    }
}
