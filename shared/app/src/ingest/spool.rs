//! What reading a document leaves behind: a file with one record on each line, the last of which says how it ended. A
//! file without that last record is worth nothing, however long it is.

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};

use docent_text::{ErrorKind, Piece, Summary};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};

/// A chunk has at most a few thousand bytes; what makes a record this long are headings without end.
pub const LONGEST_RECORD: u64 = 4 * 1024 * 1024;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    Piece(Piece),
    End(Summary),
    Refused(Refusal),
}

/// Why a document did not become text.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    code: String,
    message: String,
    hint: String,
}

impl Refusal {
    pub fn new(code: &str, message: impl Into<String>, hint: &str) -> Refusal {
        Refusal { code: code.to_owned(), message: message.into(), hint: hint.to_owned() }
    }

    fn error(self) -> Error {
        let kind = ErrorKind::ALL.into_iter().find(|kind| kind.code() == self.code);
        match kind {
            // Nothing about the document: another attempt may well succeed.
            None | Some(ErrorKind::Interrupted) => Error::internal(self.message),
            Some(kind) => Error::new(Kind::Document(kind.code()), self.message).hint(self.hint),
        }
    }
}

impl From<docent_text::Error> for Refusal {
    fn from(error: docent_text::Error) -> Refusal {
        Refusal::new(error.code(), error.to_string(), error.hint())
    }
}

/// Writes records, up to a number of bytes.
pub struct Writer<W: Write> {
    out: BufWriter<W>,
    left: u64,
    full: bool,
}

impl<W: Write> Writer<W> {
    pub fn new(out: W, most: u64) -> Writer<W> {
        Writer { out: BufWriter::with_capacity(64 * 1024, out), left: most, full: false }
    }

    /// Postgres stores no zero bytes; a space is as long, so that every offset stays true.
    pub fn piece(&mut self, mut piece: Piece) -> Result<(), docent_text::Error> {
        for text in piece.heading_path.iter_mut().chain([&mut piece.text]) {
            if text.contains('\0') {
                *text = text.replace('\0', " ");
            }
        }
        self.record(&Record::Piece(piece)).map_err(|error| docent_text::Error::interrupted(error.to_string()))
    }

    /// The last record: the end of the document, or why there is none.
    pub fn end(mut self, outcome: Result<Summary, Refusal>) -> io::Result<()> {
        let last = match outcome {
            _ if self.full => Record::Refused(Refusal::new(
                ErrorKind::LimitExceeded.code(),
                "The document's text takes more room than its file may.",
                "Split the document into smaller files, then upload them.",
            )),
            Ok(summary) => Record::End(summary),
            Err(refusal) => Record::Refused(refusal),
        };
        (self.left, self.full) = (LONGEST_RECORD, false);
        self.record(&last)?;
        self.out.flush()
    }

    fn record(&mut self, record: &Record) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        let length = line.len() as u64;
        if length > LONGEST_RECORD || length > self.left {
            self.full = true;
            return Err(io::Error::other("the spool is full"));
        }
        self.left -= length;
        self.out.write_all(&line)
    }
}

/// The records of a spool, one after the other.
pub struct Records<R> {
    input: BufReader<R>,
    line: Vec<u8>,
}

impl<R: Read> Records<R> {
    pub fn new(input: R) -> Records<R> {
        Records { input: BufReader::with_capacity(64 * 1024, input), line: Vec::new() }
    }

    /// The next line with its end, or nothing after the last.
    pub fn line(&mut self) -> Result<Option<&[u8]>> {
        self.line.clear();
        let mut rest = (&mut self.input).take(LONGEST_RECORD);
        rest.read_until(b'\n', &mut self.line).map_err(Error::internal)?;
        match self.line.last() {
            None => Ok(None),
            Some(b'\n') => Ok(Some(&self.line)),
            Some(_) => Err(broken()),
        }
    }
}

pub fn record(line: &[u8]) -> Result<Record> {
    serde_json::from_slice(line).map_err(|cause| broken().because(cause))
}

/// How a finished spool ends.
pub fn ended(last: Option<Record>, pieces: usize) -> Result<Summary> {
    match last {
        Some(Record::End(summary)) if usize::try_from(summary.chunks) == Ok(pieces) => Ok(summary),
        Some(Record::Refused(refusal)) => Err(refusal.error()),
        _ => Err(broken()),
    }
}

/// Whoever was reading did not come to an end, and did not say why.
pub fn broken() -> Error {
    Error::internal("the spool of a document has no end")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(ordinal: u32, text: &str) -> Piece {
        let tokens = docent_text::estimate_tokens(text);
        let (start, end) = (0, text.len() as u64);
        let heading_path = vec!["Pumps\0".to_owned()];
        Piece { ordinal, text: text.to_owned(), start, end, page_first: None, page_last: None, heading_path, tokens }
    }

    fn summary(chunks: u32) -> Summary {
        Summary {
            format: docent_text::Format::Text,
            title: None,
            pages: None,
            charset: None,
            notes: Vec::new(),
            chunks,
            text_bytes: 0,
            pages_without_text: Vec::new(),
        }
    }

    fn written(most: u64, pieces: &[Piece], end: Result<Summary, Refusal>) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, most);
        for piece in pieces {
            let _ = writer.piece(piece.clone());
        }
        writer.end(end).unwrap();
        out
    }

    fn last(spool: &[u8]) -> Record {
        record(spool.split_inclusive(|byte| *byte == b'\n').next_back().unwrap()).unwrap()
    }

    #[test]
    fn records_come_back_line_by_line_and_without_zero_bytes() {
        let spool = written(1 << 20, &[piece(0, "a\0b"), piece(1, "c\nd")], Ok(summary(2)));
        let mut records = Records::new(&spool[..]);
        let mut texts = Vec::new();
        while let Some(line) = records.line().unwrap() {
            if let Record::Piece(piece) = record(line).unwrap() {
                texts.push((piece.text, piece.heading_path.concat()));
            }
        }
        assert_eq!(texts, [("a b", "Pumps "), ("c\nd", "Pumps ")].map(|(a, b)| (a.to_owned(), b.to_owned())));
        assert!(ended(Some(last(&spool)), 2).is_ok());
        assert_eq!(ended(Some(last(&spool)), 1).unwrap_err().code(), "internal", "a piece is missing");
    }

    #[test]
    fn a_line_that_was_cut_is_no_record() {
        let spool = written(1 << 20, &[piece(0, "whole")], Ok(summary(1)));
        for cut in 1..spool.len() {
            let mut records = Records::new(&spool[..cut]);
            let mut end = None;
            let outcome = loop {
                match records.line() {
                    Ok(Some(line)) => end = record(line).ok().filter(|record| matches!(record, Record::End(_))),
                    Ok(None) => break ended(end, 1).map(|_| ()),
                    Err(error) => break Err(error),
                }
            };
            assert_eq!(outcome.unwrap_err().code(), "internal", "cut at {cut}");
        }
    }

    #[test]
    fn a_spool_is_full_at_its_limit_and_says_so() {
        let pieces = [piece(0, "whole")];
        let whole = written(u64::MAX, &pieces, Ok(summary(1)));
        let one = whole.iter().position(|byte| *byte == b'\n').unwrap() as u64 + 1;
        assert_eq!(written(one, &pieces, Ok(summary(1))), whole);
        let full = written(one - 1, &pieces, Ok(summary(1)));
        assert_eq!(ended(Some(last(&full)), 0).unwrap_err().code(), "limit_exceeded");
        let long = piece(0, &"x".repeat(LONGEST_RECORD as usize));
        let full = written(u64::MAX, &[long], Ok(summary(1)));
        assert_eq!(ended(Some(last(&full)), 0).unwrap_err().code(), "limit_exceeded");
    }

    #[test]
    fn a_refusal_keeps_its_code_and_an_unknown_one_is_our_own_trouble() {
        for kind in ErrorKind::ALL.into_iter().filter(|kind| *kind != ErrorKind::Interrupted) {
            assert_eq!(Refusal::new(kind.code(), "Why.", "Next.").error().code(), kind.code());
        }
        for code in ["interrupted", "nonsense"] {
            assert_eq!(Refusal::new(code, "Why.", "Next.").error().code(), "internal");
        }
    }
}
