//! Where sentences end by the Unicode rules (UAX 29 SB4–SB11), in one pass over text of Latin letters: the general
//! segmenter looks up every character, although only those around a full stop decide.
//! <https://www.unicode.org/reports/tr29/#Sentence_Boundary_Rules>

use memchr::memchr3;
use unicode_segmentation::UnicodeSegmentation;

/// Calls `found` with the end of each sentence of a text, in order; the last one is the end of the text.
pub(crate) fn sentence_ends(text: &str, mut found: impl FnMut(usize)) {
    let mut base = 0;
    // No sentence goes on behind a line's end (SB4).
    for line in text.split_inclusive('\n') {
        if line.is_ascii() && !line.contains('\r') || line.chars().all(is_simple) {
            simple_ends(line, |end| found(base + end));
        } else {
            line.split_sentence_bound_indices().for_each(|(start, sentence)| found(base + start + sentence.len()));
        }
        base += line.len();
    }
}

/// What the rules ask of a character.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Lower,
    Upper,
    Numeric,
    Space,
    Stop,
    Close,
    Continue,
    Other,
}

fn class(character: char) -> Class {
    match character {
        'a'..='z' => Class::Lower,
        'A'..='Z' => Class::Upper,
        '0'..='9' => Class::Numeric,
        ' ' | '\t' | '\u{B}' | '\u{C}' => Class::Space,
        '.' | '!' | '?' => Class::Stop,
        '"' | '\'' | '(' | ')' | '[' | ']' | '{' | '}' | '\u{2018}'..='\u{201F}' => Class::Close,
        ',' | '-' | ':' | ';' | '\u{2013}' | '\u{2014}' => Class::Continue,
        '\u{C0}'.. if character.is_lowercase() => Class::Lower,
        '\u{C0}'.. if character.is_uppercase() => Class::Upper,
        _ => Class::Other,
    }
}

/// Characters whose class is known here, none of them a stop beyond ASCII's.
fn is_simple(character: char) -> bool {
    matches!(character, '\0'..='\u{C}' | '\u{E}'..='\u{7F}' | '\u{C0}'..='\u{17F}' | '\u{2013}' | '\u{2014}' | '\u{2018}'..='\u{201D}')
}

fn simple_ends(line: &str, mut found: impl FnMut(usize)) {
    let mut from = 0;
    while let Some(stop) = memchr3(b'.', b'!', b'?', &line.as_bytes()[from..]).map(|at| from + at) {
        let after = stop + 1;
        let rest = &line[after..];
        let next = rest.chars().next().map(class);
        let full_stop = line.as_bytes()[stop] == b'.';
        let between =
            |before: Option<Class>| matches!(before, Some(Class::Upper | Class::Lower)) && next == Some(Class::Upper);
        // SB6 and SB7: `3.4`, `U.S.`
        if full_stop && (next == Some(Class::Numeric) || between(line[..stop].chars().next_back().map(class))) {
            from = after;
            continue;
        }
        let closed = rest.trim_start_matches(|c| class(c) == Class::Close);
        let spaced = closed.trim_start_matches(|c| class(c) == Class::Space);
        from = line.len() - spaced.len();
        let goes_on = match spaced.chars().next() {
            // The line's end belongs to the sentence (SB9, SB10).
            None | Some('\n') => true,
            Some(next) => matches!(class(next), Class::Continue | Class::Stop) || full_stop && lower_follows(spaced),
        };
        if !goes_on {
            found(from);
        }
    }
    found(line.len());
}

/// SB8: `e.g. (2) this` goes on.
fn lower_follows(text: &str) -> bool {
    let telling = |&c: &Class| matches!(c, Class::Lower | Class::Upper | Class::Stop);
    text.chars().take_while(|c| *c != '\n').map(class).find(telling) == Some(Class::Lower)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ends(text: &str) -> Vec<usize> {
        let mut ends = Vec::new();
        sentence_ends(text, |end| ends.push(end));
        ends
    }

    fn general(text: &str) -> Vec<usize> {
        text.split_sentence_bound_indices().map(|(start, sentence)| start + sentence.len()).collect()
    }

    #[test]
    fn a_sentence_ends_where_a_reader_pauses() {
        for (text, sentences) in [
            ("", 0),
            ("One. Two! Three?", 3),
            ("It cost 3.4 in the U.S. yesterday.", 1),
            ("See e.g. (2) this.", 1),
            ("He said “No.” She left.", 2),
            ("Wait?! Yes", 2),
            ("line\nline\n", 2),
            ("日本。語", 2),
        ] {
            assert_eq!(ends(text).len(), sentences, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn the_fast_way_ends_sentences_where_the_general_one_does(
            text in "[aB1.!? \t\"'(),:;\n\u{b}\u{c}éÉß“”‘’–—…Ğı#*&\r。\u{301}\u{0}-]{0,16}"
        ) {
            prop_assert_eq!(ends(&text), general(&text), "{:?}", text);
        }
    }
}
