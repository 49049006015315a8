//! A decoder for server-sent events that trusts nobody: lines and events are capped, any split of the bytes is equal.
//! Follows the parsing rules of <https://html.spec.whatwg.org/multipage/server-sent-events.html>.

use crate::Error;

/// The longest line, without its end. Providers stay below 10 KiB.
pub const MAX_LINE: usize = 64 * 1024;
/// The most data that one event may collect from its lines; no provider cuts an event into several.
pub const MAX_EVENT: usize = 128 * 1024;
/// The longest name of an event. Real ones are a word or two.
pub const MAX_NAME: usize = 1024;

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
        self.each(bytes, &mut |event| {
            events.push(event.clone());
            Ok(())
        })
    }

    /// Shows every event that these bytes complete, and stops at the first that is not wanted. An event is lent: a
    /// packet of a thousand small ones costs no more memory than one of them.
    pub(crate) fn each(
        &mut self,
        bytes: &[u8],
        show: &mut dyn FnMut(&Event) -> Result<(), Error>,
    ) -> Result<(), Error> {
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
            self.end_line(show)?;
        }
        Ok(())
    }

    /// Whether no line and no event is open. What an open one holds is lost when the stream ends.
    pub fn is_at_rest(&self) -> bool {
        self.line.is_empty() && !self.has_data
    }

    /// Bytes that are kept until more of the stream has come.
    pub(crate) fn held(&self) -> usize {
        self.line.capacity() + self.event.name.capacity() + self.event.data.capacity()
    }

    fn end_line(&mut self, show: &mut dyn FnMut(&Event) -> Result<(), Error>) -> Result<(), Error> {
        let bytes = std::mem::take(&mut self.line);
        let mut line = bytes.as_slice();
        if !self.past_first_line {
            self.past_first_line = true;
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        }
        let outcome = if line.is_empty() { self.dispatch(show) } else { self.field(line) };
        self.line = bytes;
        self.line.clear();
        outcome
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
                    return Err(Error::protocol("An event of the provider's stream is larger than 128 KiB."));
                }
                self.event.data.push_str(&value);
            }
            b"event" => {
                if value.len() > MAX_NAME {
                    return Err(Error::protocol("An event of the provider's stream has a name of more than 1 KiB."));
                }
                self.event.name.clear();
                self.event.name.push_str(&value);
            }
            // A comment has an empty name; `id`, `retry` and what nobody knows change nothing here.
            _ => {}
        }
        Ok(())
    }

    fn dispatch(&mut self, show: &mut dyn FnMut(&Event) -> Result<(), Error>) -> Result<(), Error> {
        let outcome = if std::mem::take(&mut self.has_data) { show(&self.event) } else { Ok(()) };
        self.event.name.clear();
        self.event.data.clear();
        outcome
    }
}
