//! Newline-delimited JSON, cut into capped lines. A line that the stream's end leaves open is never handed out.

use crate::Error;

/// The longest line, without its end. A chat line carries a few words.
pub(crate) const MAX_LINE: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Decoder {
    line: Vec<u8>,
}

impl Decoder {
    /// Shows every line that these bytes complete, and stops at the first that is not wanted; empty lines are dropped.
    pub(crate) fn each(&mut self, bytes: &[u8], show: &mut dyn FnMut(&str) -> Result<(), Error>) -> Result<(), Error> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            if self.line.len() + text.len() > MAX_LINE {
                return Err(Error::protocol("A line of the provider's stream is longer than 64 KiB."));
            }
            self.line.extend_from_slice(text);
            if text.len() < part.len() {
                let line = std::str::from_utf8(&self.line)
                    .map_err(|_| Error::protocol("A line of the provider's stream is not UTF-8."))?;
                if !line.trim().is_empty() {
                    show(line)?;
                }
                self.line.clear();
            }
        }
        Ok(())
    }

    /// Bytes that are kept until more of the stream has come.
    pub(crate) fn held(&self) -> usize {
        self.line.capacity()
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
            let mut keep = |line: &str| {
                lines.push(line.to_owned());
                Ok(())
            };
            decoder.each(&wire[..cut], &mut keep).unwrap();
            decoder.each(&wire[cut..], &mut keep).unwrap();
            assert_eq!(lines, ["{\"a\":1}\r", "{\"b\":\"é\"}"], "cut at {cut}");
        }
    }

    #[test]
    fn a_line_is_capped_to_the_byte() {
        let mut exact = vec![b'1'; MAX_LINE];
        exact.push(b'\n');
        assert_eq!(Decoder::default().each(&exact, &mut |_| Ok(())), Ok(()));
        exact.insert(0, b'1');
        let error = Decoder::default().each(&exact, &mut |_| Ok(())).unwrap_err();
        assert_eq!(error.code(), "provider_protocol");
    }

    #[test]
    fn bytes_that_are_not_text_are_refused() {
        assert!(Decoder::default().each(b"\xff\n", &mut |_| Ok(())).is_err());
    }
}
