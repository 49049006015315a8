//! What is looked for in conversations: words in any language, whatever their case, and where a message has them. Pure.
//!
//! Words are looked for as parts of the text, so that scripts without spaces need no dictionary; the database's locale,
//! by which its own `ilike` tells small letters from capitals, does not matter.

use crate::error::{Error, Result};

/// Characters of a search.
pub const QUERY_LIMIT: usize = 200;
/// Words of one, all of which a message must have.
pub const MOST_WORDS: usize = 8;
/// Conversations that one page of a search looks into, and the newest messages of each; the next page goes on behind.
pub const SEARCHED_CONVERSATIONS: i64 = 100;
pub const SEARCHED_MESSAGES: i64 = 500;
/// Characters of each message, from its beginning.
pub const SEARCHED_CHARS: i32 = 8_000;
/// Messages that are shown of each conversation, the newest first.
pub const MOST_MATCHES: i64 = 3;

/// Characters that are shown on either side of what was found.
const AROUND: usize = 60;

/// The words of a search.
#[derive(Debug)]
pub struct Words(Vec<String>);

/// A message's text around the first of the words: before it, the word as it stands there, behind it.
#[derive(Debug, PartialEq, Eq)]
pub struct Snippet {
    pub before: String,
    pub found: String,
    pub after: String,
}

impl Words {
    pub fn read(query: &str) -> Result<Words> {
        let words: Vec<String> = query.split_whitespace().map(str::to_owned).collect();
        if words.is_empty() || query.chars().count() > QUERY_LIMIT || query.contains('\0') {
            return Err(Error::invalid(format!("`q` holds 1 to {QUERY_LIMIT} characters of what is looked for.")));
        }
        if words.len() > MOST_WORDS {
            return Err(Error::invalid(format!("`q` holds more than {MOST_WORDS} words.")));
        }
        Ok(Words(words))
    }

    /// One regular expression of Postgres for each word: every letter in its cases, everything else as itself
    /// (<https://www.postgresql.org/docs/17/functions-matching.html#POSIX-ESCAPE-SEQUENCES>).
    pub fn patterns(&self) -> Vec<String> {
        self.0.iter().map(|word| word.chars().map(pattern).collect()).collect()
    }

    /// Where a text that has all words has the first of them.
    pub fn snippet(&self, text: &str) -> Snippet {
        let letters: Vec<char> = text.chars().collect();
        let folded: Vec<char> = letters.iter().copied().map(fold).collect();
        let places = self.0.iter().filter_map(|word| {
            let word: Vec<char> = word.chars().map(fold).collect();
            folded.windows(word.len()).position(|window| window == word).map(|at| (at, word.len()))
        });
        let (at, length) = places.min().unwrap_or((0, 0));
        let (from, to) = (at.saturating_sub(AROUND), (at + length + AROUND).min(letters.len()));
        let part = |range: &[char]| range.iter().map(|c| if c.is_whitespace() { ' ' } else { *c }).collect::<String>();
        let (mut before, mut after) = (part(&letters[from..at]), part(&letters[at + length..to]));
        if from > 0 {
            before.insert(0, '…');
        }
        if to < letters.len() {
            after.push('…');
        }
        Snippet { before, found: part(&letters[at..at + length]), after }
    }
}

fn pattern(letter: char) -> String {
    let mut cases = vec![letter];
    for other in
        [single(letter.to_lowercase()), single(letter.to_uppercase()), Some(fold(letter))].into_iter().flatten()
    {
        if !cases.contains(&other) {
            cases.push(other);
        }
    }
    match cases.as_slice() {
        [only] if only.is_ascii_punctuation() => format!("\\{only}"),
        [only] => only.to_string(),
        cases => format!("[{}]", cases.iter().collect::<String>()),
    }
}

/// The same for every case of a letter.
fn fold(letter: char) -> char {
    let upper = single(letter.to_uppercase()).unwrap_or(letter);
    single(upper.to_lowercase()).unwrap_or(upper)
}

/// `ß` has a capital of two letters, which is no other case of the one.
fn single(mut letters: impl Iterator<Item = char>) -> Option<char> {
    letters.next().filter(|_| letters.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_its_letters_in_any_case_and_nothing_more() {
        for (query, patterns) in [
            ("Mond", vec!["[Mm][oO][nN][dD]"]),
            ("ÉTÉ 10.5%", vec!["[Éé][Tt][Éé]", "10\\.5\\%"]),
            ("a_b .* [x] \\d (", vec!["[aA]\\_[bB]", "\\.\\*", "\\[[xX]\\]", "\\\\[dD]", "\\("]),
            ("東京タワー", vec!["東京タワー"]),
            ("ΣΑΣ ς ß", vec!["[Σσ][Αα][Σσ]", "[ςΣσ]", "ß"]),
            ("***=x", vec!["\\*\\*\\*\\=[xX]"]),
        ] {
            assert_eq!(Words::read(query).unwrap().patterns(), patterns, "{query}");
        }
    }

    #[test]
    fn a_snippet_shows_the_first_place() {
        let snippet = |query: &str, text: &str| Words::read(query).unwrap().snippet(text);
        let plain = |before: &str, found: &str, after: &str| Snippet {
            before: before.to_owned(),
            found: found.to_owned(),
            after: after.to_owned(),
        };
        assert_eq!(snippet("MOON tides", "Tides and\nthe Moon"), plain("", "Tides", " and the Moon"));
        assert_eq!(snippet("タワー", "東京タワーは高い"), plain("東京", "タワー", "は高い"));
        assert_eq!(snippet("x", "y"), plain("", "", "y"), "found by the database alone");
        let long = format!("{}needle{}", "a ".repeat(200), " b".repeat(200));
        let found = snippet("NEEDLE", &long);
        assert_eq!(found.found, "needle");
        assert!(found.before.starts_with('…') && found.after.ends_with('…'));
        assert_eq!((found.before.chars().count(), found.after.chars().count()), (AROUND + 1, AROUND + 1));
    }

    #[test]
    fn limits_hold_at_their_edges() {
        for (query, lawful) in [
            ("", false),
            (" \n", false),
            ("a\0", false),
            (&"é".repeat(QUERY_LIMIT), true),
            (&"é".repeat(QUERY_LIMIT + 1), false),
            (&"é ".repeat(MOST_WORDS), true),
            (&"é ".repeat(MOST_WORDS + 1), false),
        ] {
            assert_eq!(Words::read(query).is_ok(), lawful, "{query}");
        }
    }
}
