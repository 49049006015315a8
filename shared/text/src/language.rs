//! Which stemmer fits: by script where that decides, else by the commonest small words.

use rust_stemmers::Algorithm;

/// Small words by language. They name the language, and they carry no meaning for a bag of words.
const SMALL_WORDS: [(Algorithm, &[&str]); 9] = [
    (
        Algorithm::English,
        &[
            "the", "of", "and", "to", "in", "is", "that", "for", "it", "was", "on", "with", "as", "are", "be", "by",
            "at", "this", "from", "or", "an", "a", "what", "which", "how", "who", "when", "where", "why", "did",
            "does", "do", "has", "have", "had", "not", "were", "can", "its", "their", "they", "he", "she", "we", "you",
            "i",
        ],
    ),
    (
        Algorithm::German,
        &[
            "der", "die", "das", "und", "ist", "nicht", "ein", "eine", "zu", "den", "von", "mit", "für", "auf", "im",
            "dem", "des", "sich", "wie", "wer", "welche", "wann", "wurde", "werden", "auch", "es", "ich", "wir", "war",
        ],
    ),
    (
        Algorithm::French,
        &[
            "le", "la", "les", "des", "et", "est", "une", "un", "du", "que", "qui", "dans", "pour", "pas", "sur", "au",
            "avec", "quel", "quelle", "sont", "par", "ce", "il", "elle", "nous", "vous", "je", "aux",
        ],
    ),
    (
        Algorithm::Spanish,
        &[
            "el", "la", "los", "las", "de", "y", "que", "en", "un", "una", "es", "por", "con", "para", "del", "se",
            "no", "qué", "cuál", "cómo", "quién", "fue", "su", "al", "más", "cuándo", "dónde",
        ],
    ),
    (
        Algorithm::Italian,
        &[
            "il", "lo", "gli", "di", "che", "è", "e", "un", "una", "per", "non", "con", "del", "della", "sono", "nel",
            "dei", "delle", "alla", "quale", "come", "chi", "si", "da",
        ],
    ),
    (
        Algorithm::Portuguese,
        &[
            "o", "os", "as", "de", "e", "que", "em", "um", "uma", "para", "com", "não", "do", "da", "dos", "das", "no",
            "na", "por", "qual", "são", "foi", "é", "ao", "mais",
        ],
    ),
    (
        Algorithm::Dutch,
        &[
            "de", "het", "een", "en", "van", "is", "dat", "niet", "op", "te", "zijn", "voor", "met", "aan", "wat",
            "hoe", "wie", "door", "werd", "ook", "naar", "bij",
        ],
    ),
    (
        Algorithm::Romanian,
        &[
            "și", "în", "de", "la", "care", "este", "cu", "pe", "un", "o", "nu", "din", "pentru", "ce", "sunt", "fost",
            "mai", "cât", "unde", "când", "cine", "al", "ale", "lui",
        ],
    ),
    (
        Algorithm::Turkish,
        &[
            "ve", "bir", "bu", "için", "ile", "da", "de", "ne", "olarak", "olan", "hangi", "kim", "kaç", "nedir",
            "daha", "çok", "en", "gibi", "nasıl",
        ],
    ),
];

/// Their codes (ISO 639-1), in the same order.
const CODES: [&str; LANGUAGES] = ["en", "de", "fr", "es", "it", "pt", "nl", "ro", "tr"];

/// Where English stands among them.
pub(crate) const ENGLISH: usize = 0;

/// How many languages are told apart.
pub(crate) const LANGUAGES: usize = SMALL_WORDS.len();

/// A set of them, one bit each.
pub(crate) type Languages = u16;

/// Only so many words are looked at: a language shows itself soon.
const LOOKED_AT: usize = 200;

/// The languages in which a word is too common to say what a text is about.
pub(crate) fn small_in(word: &str) -> Languages {
    let holds = |(index, (_, small)): (usize, &(Algorithm, &[&str]))| Languages::from(small.contains(&word)) << index;
    SMALL_WORDS.iter().enumerate().map(holds).sum()
}

/// The language of a Latin text by its words' [`small_in`]: English unless another is clearly likelier.
pub(crate) fn likeliest(words: impl Iterator<Item = Languages>) -> usize {
    let mut scores = [0u32; LANGUAGES];
    for small in words.take(LOOKED_AT).filter(|small| *small != 0) {
        for (index, score) in scores.iter_mut().enumerate() {
            *score += u32::from(small >> index & 1);
        }
    }
    // The first of the best: English stands first.
    let best = scores.iter().enumerate().rev().max_by_key(|(_, score)| **score);
    best.map_or(0, |(index, _)| index)
}

/// Small words of other languages that stand in English texts, too.
const ENGLISH_TOO: [&str; 20] = [
    "also", "art", "bald", "con", "do", "door", "hat", "man", "mine", "no", "note", "per", "plus", "pour", "rot",
    "see", "son", "van", "war", "was",
];

/// A language that none of the lists or scripts names.
const OTHER: &str = "other";

/// The language that a short text shows: by its letters, else by its small words; nothing where it shows none.
pub(crate) fn shown(text: &str) -> Option<&'static str> {
    let letters = |of: &dyn Fn(char) -> bool| text.chars().filter(|character| of(*character)).count();
    let all = letters(&char::is_alphabetic);
    let latin = letters(&|character| character.is_alphabetic() && is_latin(character));
    // Names in Latin letters stand in questions of every language.
    if all > latin && (all - latin) * 3 >= all {
        return Some(
            text.chars().filter(|character| !is_latin(*character)).find_map(code_of_script(text)).unwrap_or(OTHER),
        );
    }
    let mut scores = [0_usize; LANGUAGES];
    let mut foreign = false;
    for word in text.to_lowercase().split(|character: char| !character.is_alphanumeric()) {
        let small = small_in(word);
        foreign |= small != 0 && small >> ENGLISH & 1 == 0 && !ENGLISH_TOO.contains(&word);
        for (index, score) in scores.iter_mut().enumerate() {
            *score += usize::from(small >> index & 1 == 1);
        }
    }
    let best = scores.iter().copied().max().unwrap_or(0);
    let accents = letters(&|character| character.is_alphabetic() && !character.is_ascii());
    // The last of the best: "was" and "die" stand in two lists, and English is named only where it alone fits. One
    // small word alone shows another language only if it is no English word.
    match scores.iter().rposition(|score| *score == best) {
        Some(ENGLISH) if best > 0 && accents * 8 < all => CODES.get(ENGLISH).copied(),
        Some(index) if index != ENGLISH && best > 0 && (best > 1 || accents > 0 || foreign) => {
            CODES.get(index).copied()
        }
        _ if accents > 0 => Some(OTHER),
        _ => None,
    }
}

fn is_latin(character: char) -> bool {
    character < '\u{250}' || matches!(character, '\u{1E00}'..='\u{1EFF}' | '\u{300}'..='\u{36F}')
}

/// What a letter beyond the Latin ones says of its text's language.
fn code_of_script(text: &str) -> impl Fn(char) -> Option<&'static str> {
    let kana = text.chars().any(|character| matches!(character, '\u{3040}'..='\u{30FF}'));
    move |character| match character {
        '\u{0370}'..='\u{03FF}' | '\u{1F00}'..='\u{1FFF}' => Some("el"),
        '\u{0400}'..='\u{052F}' => Some("ru"),
        '\u{0590}'..='\u{05FF}' => Some("he"),
        '\u{0600}'..='\u{06FF}' => Some("ar"),
        '\u{0900}'..='\u{097F}' => Some("hi"),
        '\u{0B80}'..='\u{0BFF}' => Some("ta"),
        '\u{0E00}'..='\u{0E7F}' => Some("th"),
        '\u{AC00}'..='\u{D7AF}' => Some("ko"),
        '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' => {
            Some(if kana { "ja" } else { "zh" })
        }
        _ => None,
    }
}

pub(crate) fn algorithm(language: usize) -> Algorithm {
    SMALL_WORDS.get(language).map_or(Algorithm::English, |(algorithm, _)| *algorithm)
}

/// The stemmer that a script implies.
pub(crate) fn of_script(first: char) -> Option<Algorithm> {
    match first {
        '\u{0370}'..='\u{03FF}' | '\u{1F00}'..='\u{1FFF}' => Some(Algorithm::Greek),
        '\u{0400}'..='\u{052F}' => Some(Algorithm::Russian),
        '\u{0600}'..='\u{06FF}' => Some(Algorithm::Arabic),
        '\u{0B80}'..='\u{0BFF}' => Some(Algorithm::Tamil),
        _ => None,
    }
}
