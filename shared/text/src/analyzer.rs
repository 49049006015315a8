//! Many texts to terms: a word that came before costs one look-up, and words come again and again.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

use crate::language::{self, LANGUAGES, Languages};
use crate::terms::{self, Stemming, is_unspaced};

/// Words that are remembered at most; a text in which nothing comes again must not fill the memory.
const REMEMBERED_WORDS: usize = 50_000;

/// How often each term stands in a text, and how many there are in all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TermCounts {
    pub counts: BTreeMap<String, u32>,
    pub length: u32,
}

/// Makes the terms of many texts, each as if it were the only one.
#[derive(Debug, Default)]
pub struct Analyzer {
    words: HashMap<String, Word>,
}

/// What is known of a word, as it stands in a text.
#[derive(Debug, Default)]
struct Word {
    small_in: Languages,
    /// By the language of the text around it, as far as it was asked for.
    terms: [Option<Vec<Term>>; LANGUAGES],
}

/// The words of a text with their terms, and the index of its language.
pub(crate) struct Words {
    pub(crate) words: Vec<(String, Vec<String>)>,
    pub(crate) language: usize,
}

#[derive(Debug)]
struct Term {
    text: String,
    small: bool,
}

/// The terms of a text in order: stems of words, identifiers whole and in parts, and pairs of characters for scripts that
/// do not separate words.
pub fn terms(text: &str) -> Vec<String> {
    Analyzer::default().terms(text)
}

/// The same, counted.
pub fn term_counts(text: &str) -> TermCounts {
    Analyzer::default().counts(text)
}

impl Analyzer {
    pub fn terms(&mut self, text: &str) -> Vec<String> {
        self.analyze(text).into_iter().map(|(term, _)| term.into_owned()).collect()
    }

    pub fn counts(&mut self, text: &str) -> TermCounts {
        let mut terms = self.analyze(text);
        let length = u32::try_from(terms.len()).unwrap_or(u32::MAX);
        terms.sort_unstable();
        let same = terms.chunk_by(|(left, _), (right, _)| left == right);
        let counts = same.filter_map(|run| Some((run.first()?.0.to_string(), u32::try_from(run.len()).ok()?)));
        TermCounts { counts: counts.collect(), length }
    }

    /// Each word of a text with its terms, a run of a script without spaces as one word.
    pub(crate) fn words(&mut self, text: &str) -> Words {
        let text = normal(text);
        let words: Vec<&str> = text.unicode_words().map(str::trim_start).collect();
        let language = self.learn(&words);
        let mut found = Vec::with_capacity(words.len());
        let mut run = Run::default();
        let close = |run: &mut Run, found: &mut Vec<(String, Vec<String>)>| {
            let mut pairs = Vec::new();
            run.flush(&mut pairs);
            if !pairs.is_empty() {
                found.push((String::new(), pairs.into_iter().map(|(pair, _)| pair.into_owned()).collect()));
            }
        };
        for word in words {
            let start = word.as_ptr().addr() - text.as_ptr().addr();
            if start != run.end {
                close(&mut run, &mut found);
            }
            if word.starts_with(is_unspaced) {
                run.characters.extend(word.chars());
                run.end = start + word.len();
                continue;
            }
            close(&mut run, &mut found);
            let known = self.words.get(word).and_then(|word| word.terms[language].as_deref()).unwrap_or_default();
            found.push((word.to_owned(), known.iter().map(|term| term.text.clone()).collect()));
        }
        close(&mut run, &mut found);
        Words { words: found, language }
    }

    /// Each term in order, and whether it is too common to say what a text is about.
    pub(crate) fn analyze(&mut self, text: &str) -> Vec<(Cow<'_, str>, bool)> {
        let text = normal(text);
        // A mark without a letter to stand on takes the space before it into its word.
        let words: Vec<&str> = text.unicode_words().map(str::trim_start).collect();
        let language = self.learn(&words);
        let mut found = Vec::with_capacity(words.len() + words.len() / 4);
        let mut run = Run::default();
        for word in words {
            let start = word.as_ptr().addr() - text.as_ptr().addr();
            if start != run.end {
                run.flush(&mut found);
            }
            if word.starts_with(is_unspaced) {
                run.characters.extend(word.chars());
                run.end = start + word.len();
                continue;
            }
            run.flush(&mut found);
            let known = self.words.get(word).and_then(|word| word.terms[language].as_deref());
            found.extend(known.unwrap_or_default().iter().map(|term| (Cow::Borrowed(term.text.as_str()), term.small)));
        }
        run.flush(&mut found);
        found
    }

    /// Sees to it that all words are known in the language of their text, which it returns.
    fn learn(&mut self, words: &[&str]) -> usize {
        if self.words.len() > REMEMBERED_WORDS {
            self.words.clear();
        }
        for word in words {
            // Asked first, because an entry would need a copy of the word.
            if !self.words.contains_key(*word) {
                let small_in = language::small_in(&word.to_lowercase());
                self.words.insert((*word).to_owned(), Word { small_in, ..Word::default() });
            }
        }
        let small = words.iter().filter_map(|word| self.words.get(*word)).map(|word| word.small_in);
        let language = language::likeliest(small);
        let mut stemming = None;
        for word in words {
            if let Some(known) = self.words.get_mut(*word)
                && known.terms[language].is_none()
            {
                let stemming = stemming.get_or_insert_with(|| Stemming::new(language::algorithm(language)));
                let term = |text: String| Term { small: language::small_in(&text) != 0, text };
                known.terms[language] = Some(terms::of_word(word, stemming).into_iter().map(term).collect());
            }
        }
        language
    }
}

/// Compatibility forms made one, and one kind of apostrophe.
fn normal(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.nfkc().map(|c| if c == '\u{2019}' { '\'' } else { c }).collect())
}

/// Neighbouring characters of a script without spaces.
#[derive(Default)]
struct Run {
    characters: Vec<char>,
    end: usize,
}

impl Run {
    fn flush(&mut self, found: &mut Vec<(Cow<'_, str>, bool)>) {
        let mut push = |text: String| found.push((Cow::Owned(text), false));
        if let [only] = self.characters.as_slice() {
            push(only.to_string());
        }
        self.characters.windows(2).for_each(|pair| push(pair.iter().collect()));
        self.characters.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_changes_nothing() {
        let texts = [
            "The running dogs of getUserName",
            "Die Verträge der Kunden und die Häuser sind nicht verkauft",
            "die running Kunden",
            "東京 大阪 the books",
            "l'homme et la femme dans le café",
        ];
        let mut analyzer = Analyzer::default();
        for round in 0..2 {
            for text in texts {
                assert_eq!(analyzer.terms(text), terms(text), "{round} {text}");
                assert_eq!(analyzer.counts(text), term_counts(text), "{round} {text}");
            }
        }
    }

    #[test]
    fn memory_of_words_is_bounded() {
        let mut analyzer = Analyzer::default();
        for text in 0..60 {
            let words: Vec<String> = (0..1000).map(|word| format!("w{text}x{word}")).collect();
            analyzer.terms(&words.join(" "));
        }
        assert!(analyzer.words.len() <= REMEMBERED_WORDS + 1000, "{}", analyzer.words.len());
        assert_eq!(analyzer.terms("the dogs"), ["the", "dog"]);
    }
}
