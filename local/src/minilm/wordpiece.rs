//! BERT's uncased WordPiece: text becomes numbers of known word parts, the longest known part first.
use super::Error;
use std::collections::HashMap;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// What the model was trained to read, the two marks at the ends included. The rest of a text is not seen.
pub(super) const MOST_TOKENS: usize = 256;
/// A longer word is unknown as a whole.
const LONGEST_WORD: usize = 100;

pub(super) struct Vocabulary {
    starts: HashMap<String, u32>,
    continuations: HashMap<String, u32>,
    first: u32,
    last: u32,
    unknown: u32,
}

impl Vocabulary {
    /// One part per line, numbered from zero; `##` marks a part that continues a word.
    pub(super) fn parse(lines: &str) -> Result<Self, Error> {
        let (mut starts, mut continuations) = (HashMap::new(), HashMap::new());
        for (id, part) in (0_u32..).zip(lines.lines()) {
            match part.strip_prefix("##") {
                Some(rest) if !rest.is_empty() => continuations.insert(rest.to_owned(), id),
                _ => starts.insert(part.to_owned(), id),
            };
        }
        let mark = |name: &str| starts.get(name).copied().ok_or_else(|| Error::Malformed(format!("no {name}")));
        let (first, last, unknown) = (mark("[CLS]")?, mark("[SEP]")?, mark("[UNK]")?);
        Ok(Self { starts, continuations, first, last, unknown })
    }

    pub(super) fn tokens(&self, text: &str) -> Vec<u32> {
        let mut ids = vec![self.first];
        let mut word = Vec::new();
        let letters = text.chars().filter(|letter| !is_noise(*letter)).nfd().filter(|letter| !is_accent(*letter));
        for letter in letters.flat_map(char::to_lowercase) {
            if letter.is_whitespace() {
                self.add_word(&mut word, &mut ids);
            } else if stands_alone(letter) {
                self.add_word(&mut word, &mut ids);
                word.push(letter);
                self.add_word(&mut word, &mut ids);
            } else if word.len() <= LONGEST_WORD {
                word.push(letter);
            }
            if ids.len() >= MOST_TOKENS {
                break;
            }
        }
        self.add_word(&mut word, &mut ids);
        ids.truncate(MOST_TOKENS - 1);
        ids.push(self.last);
        ids
    }

    fn add_word(&self, word: &mut Vec<char>, ids: &mut Vec<u32>) {
        let known = ids.len();
        let mut rest = word.as_slice();
        while !rest.is_empty() {
            match self.longest_part(rest, rest.len() == word.len()).filter(|_| word.len() <= LONGEST_WORD) {
                Some((length, id)) => {
                    ids.push(id);
                    rest = rest.get(length..).unwrap_or_default();
                }
                None => {
                    ids.truncate(known);
                    ids.push(self.unknown);
                    break;
                }
            }
        }
        word.clear();
    }

    fn longest_part(&self, letters: &[char], starts_word: bool) -> Option<(usize, u32)> {
        let parts = if starts_word { &self.starts } else { &self.continuations };
        let mut candidate: String = letters.iter().collect();
        for length in (1..=letters.len()).rev() {
            if let Some(id) = parts.get(&candidate) {
                return Some((length, *id));
            }
            candidate.pop();
        }
        None
    }
}

fn is_noise(letter: char) -> bool {
    use GeneralCategory::{Control, Format, PrivateUse};
    match letter {
        '\t' | '\n' | '\r' => false,
        '\0' | char::REPLACEMENT_CHARACTER => true,
        _ if letter.is_ascii() => letter.is_ascii_control(),
        _ => matches!(letter.general_category(), Control | Format | PrivateUse),
    }
}

fn is_accent(letter: char) -> bool {
    !letter.is_ascii() && letter.general_category() == GeneralCategory::NonspacingMark
}

fn stands_alone(letter: char) -> bool {
    if letter.is_ascii() {
        return letter.is_ascii_punctuation();
    }
    letter.general_category_group() == GeneralCategoryGroup::Punctuation || is_ideograph(letter)
}

/// The blocks that BERT's own tokenizer splits; the gap before U+2B920 is part of what the model was trained with.
fn is_ideograph(letter: char) -> bool {
    matches!(letter,
        '\u{4E00}'..='\u{9FFF}' | '\u{3400}'..='\u{4DBF}' | '\u{20000}'..='\u{2A6DF}' | '\u{2A700}'..='\u{2B73F}'
        | '\u{2B740}'..='\u{2B81F}' | '\u{2B920}'..='\u{2CEAF}' | '\u{F900}'..='\u{FAFF}' | '\u{2F800}'..='\u{2FA1F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTS: &str = "[UNK]\n[CLS]\n[SEP]\ncafe\nun\n##aff\n##able\n,\n中\n文\n[\ncls\n]\n##\na\n##a";

    fn words(text: &str) -> Vec<&'static str> {
        let all: Vec<&str> = PARTS.lines().collect();
        let ids = Vocabulary::parse(PARTS).unwrap().tokens(text);
        let inner = ids.get(1..ids.len() - 1).unwrap();
        inner.iter().map(|id| *all.get(*id as usize).unwrap()).collect()
    }

    #[test]
    fn text_becomes_the_longest_known_parts() {
        for (text, expected) in [
            ("", &[][..]),
            (" CAFÉ,cafe\u{301}\u{a0}café", &["cafe", ",", "cafe", "cafe"]),
            ("unaffable", &["un", "##aff", "##able"]),
            ("unaffablex un", &["[UNK]", "un"]),
            ("中文cafe", &["中", "文", "cafe"]),
            ("ca\u{200b}f\u{0}e", &["cafe"]),
            ("a\u{85}a", &["a", "##a"]),
            ("「a」", &["[UNK]", "a", "[UNK]"]),
        ] {
            assert_eq!(words(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_mark_in_the_text_is_only_text() {
        assert_eq!(words("[CLS]"), ["[", "cls", "]"]);
    }

    #[test]
    fn a_text_is_cut_at_the_models_length_and_a_word_at_its_own() {
        let vocabulary = Vocabulary::parse(PARTS).unwrap();
        let ids = vocabulary.tokens(&"a ".repeat(5000));
        assert_eq!((ids.len(), ids.first(), ids.last()), (MOST_TOKENS, Some(&1), Some(&2)));
        assert_eq!(vocabulary.tokens(&"a ".repeat(254)).len(), 256);
        assert_eq!(vocabulary.tokens(&"a ".repeat(253)).len(), 255);
        assert_eq!(words(&"a".repeat(LONGEST_WORD)).len(), LONGEST_WORD);
        assert_eq!(words(&"a".repeat(LONGEST_WORD + 1)), ["[UNK]"]);
        assert_eq!(words(&"a".repeat(100_000)), ["[UNK]"]);
    }

    #[test]
    fn a_vocabulary_without_its_marks_is_refused() {
        assert_eq!(Vocabulary::parse("a\nb").err().unwrap().code(), "model_malformed");
    }
}
