//! Newline-delimited JSON, cut into capped lines. A line that the stream's end leaves open is never handed out.

use crate::Error;

/// The longest line, without its end. A chat line carries a few words.
pub(crate) const MAX_LINE: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Decoder {
    line: Vec<u8>,
}

impl Decoder {
    /// Appends every line that these bytes complete; empty lines are dropped.
    pub(crate) fn push(&mut self, bytes: &[u8], lines: &mut Vec<String>) -> Result<(), Error> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            if self.line.len() + text.len() > MAX_LINE {
                return Err(Error::protocol("A line of the provider's stream is longer than 64 KiB."));
            }
            self.line.extend_from_slice(text);
            if text.len() < part.len() {
                let line = String::from_utf8(std::mem::take(&mut self.line))
                    .map_err(|_| Error::protocol("A line of the provider's stream is not UTF-8."))?;
                if !line.trim().is_empty() {
                    lines.push(line);
                }
            }
        }
        Ok(())
    }

    /// Whether no line is open.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.line.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_survive_any_split_and_an_open_one_is_kept_back() {
        let wire = b"{\"a\":1}\r\n\n{\"b\":\"\xc3\xa9\"}\n{\"open\"";
        for cut in 0..=wire.len() {
            let (mut decoder, mut lines) = (Decoder::default(), Vec::new());
            decoder.push(&wire[..cut], &mut lines).unwrap();
            decoder.push(&wire[cut..], &mut lines).unwrap();
            assert_eq!(lines, ["{\"a\":1}\r", "{\"b\":\"é\"}"], "cut at {cut}");
        }
    }

    #[test]
    fn a_line_is_capped_to_the_byte() {
        let mut exact = vec![b'1'; MAX_LINE];
        exact.push(b'\n');
        assert_eq!(Decoder::default().push(&exact, &mut Vec::new()), Ok(()));
        exact.insert(0, b'1');
        let error = Decoder::default().push(&exact, &mut Vec::new()).unwrap_err();
        assert_eq!(error.code(), "provider_protocol");
    }

    #[test]
    fn bytes_that_are_not_text_are_refused() {
        assert!(Decoder::default().push(b"\xff\n", &mut Vec::new()).is_err());
    }
}
