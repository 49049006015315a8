//! Text to the terms of a lexical index. Documents and questions go through the same rules.

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::language;

/// Longer words are data, not language, and an index key has a limit.
const TERM_CHARACTERS: usize = 64;

/// Han, Kana, Thai, Lao, Burmese and Khmer are written without spaces between words.
pub(crate) fn is_unspaced(character: char) -> bool {
    matches!(character,
        '\u{0E00}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' | '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{3FFFF}')
}

/// The terms of one word of a text in the given language.
pub(crate) fn of_word(word: &str, stemming: &Stemming) -> Vec<String> {
    let mut terms = Vec::new();
    if word.chars().nth(TERM_CHARACTERS).is_some() {
        return terms;
    }
    let parts = identifier_parts(word);
    if parts.len() > 1 {
        terms.push(fold(&word.to_lowercase()));
        for part in parts {
            stemming.push(&part.to_lowercase(), &mut terms);
        }
    } else {
        stemming.push(&word.to_lowercase(), &mut terms);
    }
    // Of a mark that stands alone, folding and stemming leave nothing.
    terms.retain(|term| !term.is_empty());
    terms
}

/// `getUserName`, `snake_case`, `foo.bar` and `utf8` in their parts; an ordinary word is one part.
fn identifier_parts(word: &str) -> Vec<&str> {
    // `3.14` and `1,000` are numbers, not paths.
    if word.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | '\'' | '_')) {
        return vec![word];
    }
    let mut parts = Vec::new();
    for piece in word.split(['_', '.', ':', '\u{203F}']).filter(|piece| !piece.is_empty()) {
        let characters: Vec<(usize, char)> = piece.char_indices().collect();
        let mut start = 0;
        for index in 1..characters.len() {
            let (at, current) = characters[index];
            let previous = characters[index - 1].1;
            let next = characters.get(index + 1).map(|&(_, next)| next);
            let hump = previous.is_lowercase() && current.is_uppercase();
            let acronym_end = previous.is_uppercase() && current.is_uppercase() && next.is_some_and(char::is_lowercase);
            let digits = previous.is_ascii_digit() != current.is_ascii_digit() && piece.is_ascii();
            if hump || acronym_end || digits {
                parts.push(&piece[start..at]);
                start = at;
            }
        }
        parts.push(&piece[start..]);
    }
    parts
}

pub(crate) struct Stemming {
    english: Stemmer,
    /// The language of the text, when it is not English. Its stem is added to the English one, so that a question
    /// too short to show its language still meets the document.
    other: Option<Stemmer>,
}

impl Stemming {
    pub(crate) fn new(language: Algorithm) -> Self {
        let other = (language != Algorithm::English).then(|| Stemmer::create(language));
        Self { english: Stemmer::create(Algorithm::English), other }
    }

    fn push(&self, word: &str, terms: &mut Vec<String>) {
        if let Some(language) = word.chars().next().and_then(language::of_script) {
            terms.push(fold(&Stemmer::create(language).stem(word)));
            return;
        }
        // `l'homme` and `d'une`: the elided article is not part of the word.
        let word = match word.split_once('\'') {
            Some((article, rest)) if article.len() <= 2 && rest.chars().count() > 2 => rest,
            _ => word,
        };
        let english = fold(&self.english.stem(word));
        if let Some(other) = &self.other {
            let stem = fold(&other.stem(word));
            if stem != english {
                terms.push(stem);
            }
        }
        terms.push(english);
    }
}

/// Drops the accents of Latin, Greek and Cyrillic letters, which questions often leave out. Marks of other
/// scripts are letters in their own right.
fn fold(word: &str) -> String {
    if word.is_ascii() {
        return word.to_owned();
    }
    word.nfd().filter(|&c| !(is_combining_mark(c) && matches!(c, '\u{300}'..='\u{36F}'))).nfc().collect()
}
