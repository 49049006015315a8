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
