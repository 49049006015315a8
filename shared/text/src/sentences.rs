//! Sentence bounds by the Unicode rules (UAX 29), corrected for hard-wrapped lines and common abbreviations.

use std::ops::Range;

use crate::pauses::sentence_ends;

/// The sentences of a text as trimmed byte ranges, in order. Everything that is not white space lies in one.
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let unwrapped = unwrap_lines(text);
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut joins_next = false;
    let mut from = 0;
    sentence_ends(&unwrapped, |end| {
        let start = std::mem::replace(&mut from, end);
        let Some(sentence) = unwrapped.get(start..end) else { return };
        let trimmed = sentence.trim();
        if trimmed.is_empty() {
            joins_next &= !sentence.contains('\n');
            return;
        }
        let start = start + (sentence.len() - sentence.trim_start().len());
        let end = start + trimmed.len();
        match found.last_mut() {
            Some(last) if joins_next => last.end = end,
            _ => found.push(start..end),
        }
        joins_next = !sentence.ends_with('\n') && ends_in_abbreviation(trimmed);
    });
    found
}

/// Turns line ends within a sentence into spaces. One byte replaces one byte, so offsets stay true.
fn unwrap_lines(text: &str) -> String {
    let mut unwrapped = String::with_capacity(text.len());
    let mut lines = text.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        // Prose that was wrapped goes on in lower case; list items, rows and headings do not.
        let wrapped = lines.peek().is_some_and(|next| next.starts_with(char::is_lowercase));
        match line.strip_suffix('\n') {
            Some(content) if wrapped && !content.trim().is_empty() => {
                unwrapped.push_str(content);
                unwrapped.push(' ');
            }
            _ => unwrapped.push_str(line),
        }
    }
    unwrapped
}

/// Abbreviations that a capital letter or number commonly follows.
const ABBREVIATIONS: [&str; 26] = [
    "mr", "mrs", "ms", "dr", "prof", "st", "vs", "fig", "figs", "eq", "no", "nos", "vol", "pp", "ed", "cf", "e.g",
    "i.e", "al", "bzw", "ca", "nr", "abb", "art", "sr", "jr",
];

fn ends_in_abbreviation(sentence: &str) -> bool {
    let Some(body) = sentence.strip_suffix('.') else { return false };
    let word = body.rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default();
    let initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    initial || ABBREVIATIONS.contains(&word.to_lowercase().as_str())
}
