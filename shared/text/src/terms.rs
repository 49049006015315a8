//! Text to the terms of a lexical index. Documents and questions go through the same function.

use std::collections::BTreeMap;

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_segmentation::UnicodeSegmentation;

use crate::language;

/// How often each term stands in a text, and how many there are in all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TermCounts {
    pub counts: BTreeMap<String, u32>,
    pub length: u32,
}

pub fn term_counts(text: &str) -> TermCounts {
    let mut counted = TermCounts::default();
    for term in terms(text) {
        *counted.counts.entry(term).or_default() += 1;
        counted.length = counted.length.saturating_add(1);
    }
    counted
}

/// Longer words are data, not language, and an index key has a limit.
const TERM_CHARACTERS: usize = 64;

/// The terms of a text in order: stems of words, identifiers whole and in parts, and pairs of characters for
/// scripts that do not separate words.
pub fn terms(text: &str) -> Vec<String> {
    let text: String = text.nfkc().map(|c| if c == '\u{2019}' { '\'' } else { c }).collect();
    // A mark without a letter to stand on takes the space before it into its word.
    let words: Vec<&str> = text.unicode_words().map(str::trim_start).collect();
    let lower: Vec<String> = words.iter().take(400).map(|word| word.to_lowercase()).collect();
    let stemming = Stemming::new(language::of_latin(lower.iter().map(String::as_str)));
    let mut terms = Vec::with_capacity(words.len());
    let mut unspaced: Vec<char> = Vec::new();
    let mut unspaced_end = 0;
    for word in words {
        let start = word.as_ptr().addr() - text.as_ptr().addr();
        if !unspaced.is_empty() && start != unspaced_end {
            flush_pairs(&mut unspaced, &mut terms);
        }
        if word.starts_with(is_unspaced) {
            unspaced.extend(word.chars());
            unspaced_end = start + word.len();
            continue;
        }
        flush_pairs(&mut unspaced, &mut terms);
        push_word(word, &stemming, &mut terms);
    }
    flush_pairs(&mut unspaced, &mut terms);
    terms
}

/// Han, Kana, Thai, Lao, Burmese and Khmer are written without spaces between words.
fn is_unspaced(character: char) -> bool {
    matches!(character,
        '\u{0E00}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' | '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{3FFFF}')
}

fn flush_pairs(run: &mut Vec<char>, terms: &mut Vec<String>) {
    if run.len() == 1 {
        terms.extend(run.first().map(char::to_string));
    }
    terms.extend(run.windows(2).map(|pair| pair.iter().collect::<String>()));
    run.clear();
}

fn push_word(word: &str, stemming: &Stemming, terms: &mut Vec<String>) {
    if word.chars().nth(TERM_CHARACTERS).is_some() {
        return;
    }
    let parts = identifier_parts(word);
    if parts.len() > 1 {
        terms.push(fold(&word.to_lowercase()));
        for part in parts {
            stemming.push(&part.to_lowercase(), terms);
        }
    } else {
        stemming.push(&word.to_lowercase(), terms);
    }
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

struct Stemming {
    english: Stemmer,
    /// The language of the text, when it is not English. Its stem is added to the English one, so that a question
    /// too short to show its language still meets the document.
    other: Option<Stemmer>,
}

impl Stemming {
    fn new(language: Algorithm) -> Self {
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
            if stem != english && !stem.is_empty() {
                terms.push(stem);
            }
        }
        if !english.is_empty() {
            terms.push(english);
        }
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
