//! A decoder for server-sent events that trusts nobody: lines and events are capped, any split of the bytes is equal.
//! Follows the parsing rules of <https://html.spec.whatwg.org/multipage/server-sent-events.html>.

use crate::Error;

/// The longest line, without its end. Providers stay below 10 KiB.
pub const MAX_LINE: usize = 64 * 1024;
/// The most data that one event may collect from its lines.
pub const MAX_EVENT: usize = 1024 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A dispatched event. `id` and `retry` are read over: nothing here reconnects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Empty when the stream did not name the event.
    pub name: String,
    pub data: String,
}

#[derive(Debug, Default)]
pub struct Decoder {
    line: Vec<u8>,
    event: Event,
    has_data: bool,
    after_carriage_return: bool,
    past_first_line: bool,
}

impl Decoder {
    /// Appends every event that these bytes complete. After an error the stream is worthless and must be dropped.
    ///
    /// An event that is still open when the stream ends is never dispatched, as the standard demands.
    pub fn push(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), Error> {
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            if self.after_carriage_return {
                self.after_carriage_return = false;
                if *first == b'\n' {
                    rest = &rest[1..];
                    continue;
                }
            }
            let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let part = &rest[..end.unwrap_or(rest.len())];
            if self.line.len() + part.len() > MAX_LINE {
                return Err(Error::protocol("A line of the provider's stream is longer than 64 KiB."));
            }
            self.line.extend_from_slice(part);
            let Some(end) = end else { break };
            self.after_carriage_return = rest[end] == b'\r';
            rest = &rest[end + 1..];
            self.end_line(events)?;
        }
        Ok(())
    }

    /// Whether no line and no event is open. What an open one holds is lost when the stream ends.
    pub fn is_at_rest(&self) -> bool {
        self.line.is_empty() && !self.has_data
    }

    fn end_line(&mut self, events: &mut Vec<Event>) -> Result<(), Error> {
        let bytes = std::mem::take(&mut self.line);
        let mut line = bytes.as_slice();
        if !self.past_first_line {
            self.past_first_line = true;
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        }
        if line.is_empty() {
            self.dispatch(events);
        } else {
            self.field(line)?;
        }
        self.line = bytes;
        self.line.clear();
        Ok(())
    }

    fn field(&mut self, line: &[u8]) -> Result<(), Error> {
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = match colon {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &[][..]),
        };
        let value = String::from_utf8_lossy(value.strip_prefix(b" ").unwrap_or(value));
        match name {
            b"data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.has_data = true;
                if self.event.data.len() + value.len() > MAX_EVENT {
                    return Err(Error::protocol("An event of the provider's stream is larger than 1 MiB."));
                }
                self.event.data.push_str(&value);
            }
            b"event" => self.event.name = value.into_owned(),
            // A comment has an empty name; `id`, `retry` and what nobody knows change nothing here.
            _ => {}
        }
        Ok(())
    }

    fn dispatch(&mut self, events: &mut Vec<Event>) {
        let event = std::mem::take(&mut self.event);
        if std::mem::take(&mut self.has_data) {
            events.push(event);
        }
    }
}
