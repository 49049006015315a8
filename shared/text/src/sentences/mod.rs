//! Sentence bounds by the Unicode rules (UAX 29), corrected for hard-wrapped lines and common abbreviations.

mod breaks;
mod classes;

use std::ops::Range;

use breaks::Breaks;

/// The sentences of a text as trimmed byte ranges, in order. Everything that is not white space lies in one.
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut joins_next = false;
    let mut from = 0;
    for end in Breaks::new(text) {
        let sentence = &text[from..end.at];
        let trimmed = sentence.trim();
        if trimmed.is_empty() {
            joins_next &= !end.line;
        } else {
            let start = from + (sentence.len() - sentence.trim_start().len());
            let range = start..start + trimmed.len();
            match found.last_mut() {
                Some(last) if joins_next => last.end = range.end,
                _ => found.push(range),
            }
            joins_next = !end.line && ends_in_abbreviation(trimmed);
        }
        from = end.at;
    }
    found
}

/// Abbreviations that a capital letter or number commonly follows.
const ABBREVIATIONS: [&str; 26] = [
    "mr", "mrs", "ms", "dr", "prof", "st", "vs", "fig", "figs", "eq", "no", "nos", "vol", "pp", "ed", "cf", "e.g",
    "i.e", "al", "bzw", "ca", "nr", "abb", "art", "sr", "jr",
];

fn ends_in_abbreviation(sentence: &str) -> bool {
    let Some(body) = sentence.strip_suffix('.') else { return false };
    let word = body.rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default();
    let mut letters = word.chars();
    if let (Some(only), None) = (letters.next(), letters.next()) {
        return only.is_uppercase() || ABBREVIATIONS.iter().any(|known| word.eq_ignore_ascii_case(known));
    }
    if word.is_ascii() {
        return ABBREVIATIONS.iter().any(|known| word.eq_ignore_ascii_case(known));
    }
    ABBREVIATIONS.contains(&word.to_lowercase().as_str())
}

#[cfg(test)]
mod tests;
