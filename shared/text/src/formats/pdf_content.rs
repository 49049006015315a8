//! What drawing a page costs the parser, counted by its operators without drawing it.

use super::pdf_scan::{Nesting, find, is_blank};
use crate::budget::limits;
use crate::error::Error;

#[derive(Clone, Copy, Default)]
pub(super) struct Cost {
    pub(super) bytes: u64,
    /// Operators that show text.
    pub(super) runs: u64,
    /// Bytes of the strings that they show.
    pub(super) shown: u64,
    /// Upright and level lines, which the parser compares with each other to find tables.
    pub(super) rules: u64,
}

impl Cost {
    pub(super) fn add(&mut self, other: Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.runs = self.runs.saturating_add(other.runs);
        self.shown = self.shown.saturating_add(other.shown);
        self.rules = self.rules.saturating_add(other.rules);
    }

    /// Checks the sum of one page.
    pub(super) fn check(self) -> Result<(), Error> {
        let limits = [
            (self.runs, limits::PDF_PAGE_RUNS, "pieces of text"),
            (self.shown, limits::PDF_PAGE_TEXT_BYTES, "bytes of text"),
            (self.rules, limits::PDF_PAGE_RULES, "ruled lines"),
        ];
        match limits.iter().find(|(count, limit, _)| count > limit) {
            Some((_, limit, what)) => Err(Error::limit(format!("A page of the PDF has more than {limit} {what}."))),
            None => Ok(()),
        }
    }
}

/// ISO 32000-1 §7.8.2: operands, then their operator. Counts the operators of a stream, and lists the names of the forms
/// that it draws, each as often as it does.
pub(super) fn read(data: &[u8]) -> Result<(Cost, Vec<&[u8]>), Error> {
    let mut drawn = Vec::new();
    let mut cost = Cost { bytes: data.len() as u64, ..Cost::default() };
    let mut nesting = Nesting::default();
    let mut saved = 0usize;
    let mut point: [&[u8]; 2] = [b"", b""];
    let mut at = 0;
    while at < data.len() {
        let rest = &data[at..];
        if rest[0].is_ascii_alphabetic() || matches!(rest[0], b'\'' | b'"') {
            let length = rest
                .iter()
                .take_while(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'*' | b'\'' | b'"'))
                .count();
            at += length;
            match &rest[..length] {
                // The samples of an inline image are bytes of any kind.
                b"ID" => at += find(&data[at..], b"EI").unwrap_or(0),
                b"Tj" | b"TJ" | b"'" | b"\"" => cost.runs += 1,
                b"Do" => drawn.push(operands(&data[..at - length])[1]),
                b"q" => saved += 1,
                b"Q" => saved = saved.saturating_sub(1),
                b"re" => cost.rules += 1,
                b"m" => point = operands(&data[..at - length]),
                b"l" => {
                    let to = operands(&data[..at - length]);
                    cost.rules += u64::from(to[0] == point[0] || to[1] == point[1]);
                    point = to;
                }
                _ => {}
            }
            if saved > limits::PDF_DEPTH {
                return Err(Error::limit(format!("A page of the PDF saves more than {} states.", limits::PDF_DEPTH)));
            }
            continue;
        }
        let length = match rest[0] {
            b'/' => super::pdf_scan::name_length(rest),
            _ => nesting.step(rest, b"")?,
        };
        if rest[0] == b'(' || rest[0] == b'<' {
            cost.shown += length as u64;
        }
        at += length;
    }
    Ok((cost, drawn))
}

/// The last two operands before an operator, as they are written.
fn operands(before: &[u8]) -> [&[u8]; 2] {
    // Numbers of more digits than a page has room for are compared by their end.
    let before = &before[before.len().saturating_sub(64)..];
    let mut words = before.rsplit(|&byte| is_blank(byte)).filter(|word| !word.is_empty());
    let last = words.next().unwrap_or_default();
    [words.next().unwrap_or_default(), last]
}
