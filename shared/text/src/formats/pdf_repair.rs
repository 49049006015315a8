//! Words as their author wrote them: ligatures taken apart and line-end hyphens joined.

use std::borrow::Cow;
use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization;

/// Replaces glyph shapes (Latin ligatures, Arabic presentation forms, width variants) by the letters they stand
/// for. Not full NFKC, which would also turn `x²` into `x2` and `½` into three characters.
pub(crate) fn presentation_forms(text: &str) -> String {
    let mut repaired = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\u{FB00}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}' | '\u{FF01}'..='\u{FF9F}' => {
                repaired.extend(std::iter::once(character).nfkc());
            }
            _ => repaired.push(character),
        }
    }
    repaired.nfc().collect()
}

/// The words of a document, to tell a hyphen that breaks a line from one that belongs to its word.
#[derive(Default)]
pub(crate) struct Vocabulary {
    words: HashSet<String>,
}

/// `pre- and post-war`: the second half is a word of its own.
const JOINING_WORDS: [&str; 14] =
    ["and", "or", "to", "und", "oder", "bis", "et", "ou", "y", "o", "e", "en", "of", "sowie"];

impl Vocabulary {
    pub(crate) fn learn(&mut self, text: &str) {
        for word in text.split(|c: char| !(c.is_alphanumeric() || c == '-')) {
            if !word.is_empty() && !word.ends_with('-') {
                self.words.insert(word.to_lowercase());
            }
        }
    }

    /// Joins `com- pile` and `com-⏎pile`, keeps the hyphen of `well-⏎known` where the document writes it elsewhere,
    /// and leaves `pre- and post-war` alone.
    pub(crate) fn join_hyphens<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut joined = String::new();
        let mut copied = 0;
        for (at, mark) in text.match_indices(['-', '\u{2010}', '\u{AD}']) {
            let Some((resume, keep)) = self.judge(text, at, mark) else { continue };
            joined.push_str(&text[copied..at]);
            if keep {
                joined.push('-');
            }
            copied = resume;
        }
        if copied == 0 {
            return Cow::Borrowed(text);
        }
        joined.push_str(&text[copied..]);
        Cow::Owned(joined)
    }

    /// Where the text goes on after a line-end hyphen, and whether the hyphen stays. `None`: not a line end.
    fn judge(&self, text: &str, at: usize, mark: &str) -> Option<(usize, bool)> {
        let after = &text[at + mark.len()..];
        let gap = after.len() - after.trim_start().len();
        let resume = at + mark.len() + gap;
        let next = &text[resume..];
        let tail = word_end(&text[..at]);
        let head: &str = &next[..next.find(|c: char| !c.is_alphabetic()).unwrap_or(next.len())];
        if gap == 0 || gap > 2 || tail.chars().count() < 2 || !head.starts_with(char::is_lowercase) {
            return None;
        }
        if JOINING_WORDS.contains(&head) {
            return None;
        }
        let whole = format!("{tail}{head}").to_lowercase();
        let hyphened = format!("{tail}-{head}").to_lowercase();
        Some((resume, !self.words.contains(&whole) && self.words.contains(&hyphened)))
    }
}

fn word_end(text: &str) -> &str {
    let start = text.char_indices().rev().take_while(|(_, c)| c.is_alphabetic()).last();
    start.map_or("", |(at, _)| &text[at..])
}
