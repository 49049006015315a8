//! What a character means to the end of a sentence (UAX 29, Sentence_Break). The tables belong to the segmentation crate,
//! which keeps them to itself but answers questions: a character is what it does between others.

use std::sync::LazyLock;

use unicode_segmentation::UnicodeSegmentation;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Other,
    /// Marks and invisible characters that belong to the one before them.
    Ignored,
    /// The end of a line or paragraph.
    Sep,
    Space,
    Lower,
    Upper,
    /// A letter without case.
    Letter,
    Number,
    /// A full stop, which may also end an abbreviation.
    Stop,
    /// A mark that ends a sentence and does nothing else.
    Term,
    /// A comma and its like: the sentence goes on.
    Continue,
    /// Quotes and brackets, opening ones too.
    Close,
}

static ASCII: LazyLock<[Class; 128]> =
    LazyLock::new(|| std::array::from_fn(|code| classify(char::from_u32(code as u32).unwrap_or_default())));

/// How many characters beyond ASCII are remembered; a text uses few.
const REMEMBERED: usize = 2048;

pub(super) struct Classes {
    ascii: &'static [Class; 128],
    others: Vec<(char, Class)>,
}

impl Classes {
    pub(super) fn new() -> Self {
        Self { ascii: &ASCII, others: Vec::new() }
    }

    pub(super) fn ascii(&self, byte: u8) -> Class {
        self.ascii[usize::from(byte & 0x7F)]
    }

    pub(super) fn of(&mut self, character: char) -> Class {
        if character.is_ascii() {
            return self.ascii(character as u8);
        }
        if self.others.is_empty() {
            self.others = vec![('\0', Class::Other); REMEMBERED];
        }
        let place = &mut self.others[character as usize % REMEMBERED];
        if place.0 != character {
            *place = (character, classify(character));
        }
        place.1
    }
}

fn classify(character: char) -> Class {
    let parted = |before: &str, after: &str, at: usize| {
        let text = format!("{before}{character}{after}");
        text.split_sentence_bound_indices().any(|(start, _)| start == at)
    };
    let length = character.len_utf8();
    if parted("a", " ", 1 + length) {
        return Class::Sep;
    }
    if parted("a", " A", 2 + length) {
        return if parted("a", " b", 2 + length) { Class::Term } else { Class::Stop };
    }
    match (parted("a!", "", 2), parted("a! ", "", 3)) {
        (false, false) if !parted("a! ", "B", 3 + length) => Class::Continue,
        (false, false) if parted("a!", "(", 2 + length) => Class::Space,
        (false, false) => Class::Ignored,
        (false, true) => Class::Close,
        _ if !parted("a. ", "", 3) => Class::Lower,
        _ if parted("a.", "B", 2) => {
            if parted("a. ", "b", 3) {
                Class::Letter
            } else {
                Class::Other
            }
        }
        _ if parted("1.", "B", 2) => Class::Upper,
        _ => Class::Number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_what_the_standard_says() {
        let cases = [
            ("\n\r\u{85}\u{2028}\u{2029}", Class::Sep),
            (" \t\u{A0}\u{3000}", Class::Space),
            ("aßé", Class::Lower),
            ("AÉЖ", Class::Upper),
            ("א東あ", Class::Letter),
            ("05٣", Class::Number),
            (".\u{2024}\u{FF0E}", Class::Stop),
            ("!?。！؟।", Class::Term),
            (",-:、", Class::Continue),
            ("\"'()[]{}“«」", Class::Close),
            ("\u{301}\u{AD}\u{200D}", Class::Ignored),
            ("+*/€", Class::Other),
        ];
        let mut classes = Classes::new();
        for (characters, expected) in cases {
            for character in characters.chars() {
                assert_eq!(classes.of(character), expected, "{character:?}");
            }
        }
    }
}
