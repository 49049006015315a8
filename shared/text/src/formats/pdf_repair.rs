//! Words as their author wrote them: ligatures taken apart and line-end hyphens joined.

use std::borrow::Cow;
use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization;

/// Everything that can be repaired without knowing the rest of the document.
pub(crate) fn repaired(text: &str) -> String {
    let letters = presentation_forms(text);
    match sentence_spaces(&letters) {
        Cow::Owned(spaced) => spaced,
        Cow::Borrowed(_) => letters,
    }
}

/// Replaces glyph shapes (Latin ligatures, Arabic presentation forms, width variants) by the letters they stand
/// for. Not full NFKC, which would also turn `x²` into `x2` and `½` into three characters.
fn presentation_forms(text: &str) -> String {
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

/// Puts back the space that was lost where a sentence ended with its line, or where a link begins: `end.Next` is
/// `end. Next`. Names of hosts and files, which hold a point for good, have another one or go on otherwise.
fn sentence_spaces(text: &str) -> Cow<'_, str> {
    let mut spaced = String::new();
    let mut copied = 0;
    for (at, _) in text.match_indices(['.', '!', '?']) {
        let before = word_end(&text[..at]);
        let next = &text[at + 1..];
        let after = &next[..next.find(|c: char| !c.is_alphabetic()).unwrap_or(next.len())];
        let small =
            |word: &str, least: usize| word.chars().all(char::is_lowercase) && word.chars().nth(least - 1).is_some();
        let mut letters = after.chars();
        let begins = letters.next().is_some_and(char::is_uppercase) && small(letters.as_str(), 2);
        if !begins || !small(before, 3) || is_part_of_a_name(text, at - before.len(), at + 1 + after.len()) {
            continue;
        }
        spaced.push_str(&text[copied..=at]);
        spaced.push(' ');
        copied = at + 1;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    spaced.push_str(&text[copied..]);
    Cow::Owned(spaced)
}

/// Whether what stands right around two words makes them parts of one name, as in `www.Example.com` and `a/b.Next`.
fn is_part_of_a_name(text: &str, start: usize, end: usize) -> bool {
    let before = text[..start].chars().next_back();
    let mut after = text[end..].chars();
    let (next, second) = (after.next(), after.next());
    before.is_some_and(|c| c.is_alphanumeric() || "./@_-:\\#".contains(c))
        || next.is_some_and(|c| "/@_(\\".contains(c) || c.is_numeric())
        || (next == Some('.') && second.is_some_and(char::is_alphanumeric))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_spaces_come_back_and_names_keep_their_points() {
        for (text, expected) in [
            ("at the end.Next comes", "at the end. Next comes"),
            ("(vgl.Abbildung 2.8)", "(vgl. Abbildung 2.8)"),
            ("wirklich?Nein. ende.Über", "wirklich? Nein. ende. Über"),
            ("one.Two.", "one. Two."),
        ] {
            assert_eq!(sentence_spaces(text), expected);
        }
        for text in [
            "www.Example.com",
            "see a/path.Next",
            "node.JS",
            "System.Out",
            "e.g.Then",
            "file.Name(x)",
            "3.Five",
            "mail@host.Com",
            "U.S.Army",
            "list.Add(x)",
            "plain. Text",
        ] {
            assert_eq!(sentence_spaces(text), text);
        }
    }
}
