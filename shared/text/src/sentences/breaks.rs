//! Sentence breaks by the rules SB1 to SB998 of UAX 29, in one pass. Only marks that may end a sentence and ends of lines
//! are looked at closely; everything between them is passed over byte by byte.

use super::classes::{Class, Classes};

/// The first bytes of all characters that end a sentence or a line.
const NOTABLE: [bool; 256] = {
    let mut notable = [false; 256];
    let short = [b'\n', b'\r', b'.', b'!', b'?', 0xC2, 0xD6, 0xD8, 0xDB, 0xDC, 0xDF];
    let mut at = 0;
    while at < short.len() {
        notable[short[at] as usize] = true;
        at += 1;
    }
    let mut at = 0;
    while at < PAIRS.len() {
        notable[PAIRS[at].0 as usize] = true;
        at += 1;
    }
    notable
};

/// Of longer characters the first byte, and a bit for each second byte that can follow it in such a mark.
const PAIRS: [(u8, u64); 7] = [
    (0xE0, 0x0000_0021_0000_0000),
    (0xE1, 0x0003_2421_9200_2002),
    (0xE2, 0x0308_0000_0000_0003),
    (0xE3, 0x0000_0000_0000_0001),
    (0xEA, 0x0000_8A9A_0908_0000),
    (0xEF, 0x3300_0000_0000_0000),
    (0xF0, 0x0000_0000_2843_0000),
];

/// Passes over a character that a glance at its second byte clears.
fn is_cleared(bytes: &[u8], at: usize) -> bool {
    let Some((_, seconds)) = PAIRS.iter().find(|(first, _)| *first == bytes[at]) else { return false };
    bytes.get(at + 1).is_some_and(|second| seconds >> (second & 0x3F) & 1 == 0)
}

/// Where a sentence ends, and whether it is the end of a line that ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Break {
    pub(super) at: usize,
    pub(super) line: bool,
}

pub(super) struct Breaks<'t> {
    text: &'t str,
    at: usize,
    classes: Classes,
}

enum Step {
    Break(Break),
    GoOn(usize),
}

impl<'t> Breaks<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0, classes: Classes::new() }
    }

    /// The class of the character at a place, and its length.
    fn class(&mut self, at: usize) -> (Class, usize) {
        match self.text.as_bytes()[at] {
            b'\n' if is_wrapped(self.text, at) => (Class::Space, 1),
            byte if byte < 0x80 => (self.classes.ascii(byte), 1),
            _ => {
                let character = self.text[at..].chars().next().unwrap_or_default();
                (self.classes.of(character), character.len_utf8().max(1))
            }
        }
    }

    /// What a mark that may end a sentence does.
    fn after_mark(&mut self, at: usize, mark: Class, length: usize) -> Step {
        let mut mark = mark;
        let mut after_letter = mark == Class::Stop && self.follows_cased_letter(at);
        // Right after the mark, after quotes, after spaces.
        let mut phase = 0;
        let mut next = at + length;
        while next < self.text.len() {
            let (class, length) = self.class(next);
            match class {
                Class::Ignored => {}
                Class::Number if phase == 0 && mark == Class::Stop => return Step::GoOn(next + length),
                Class::Upper if phase == 0 && after_letter => return Step::GoOn(next + length),
                Class::Stop | Class::Term => (mark, phase, after_letter) = (class, 0, false),
                Class::Continue => return Step::GoOn(next + length),
                Class::Close if phase < 2 => phase = 1,
                Class::Space => phase = 2,
                Class::Sep => return Step::GoOn(next),
                _ if mark == Class::Stop && self.goes_on_in_lower_case(next) => return Step::GoOn(next + length),
                _ => return Step::Break(Break { at: next, line: false }),
            }
            next += length;
        }
        Step::Break(Break { at: next, line: false })
    }

    fn follows_cased_letter(&mut self, at: usize) -> bool {
        for character in self.text[self.at..at].chars().rev() {
            match self.classes.of(character) {
                Class::Ignored => {}
                class => return matches!(class, Class::Upper | Class::Lower),
            }
        }
        false
    }

    /// Whether the first letter from here on is a small one.
    fn goes_on_in_lower_case(&mut self, from: usize) -> bool {
        let mut at = from;
        while at < self.text.len() {
            let (class, length) = self.class(at);
            match class {
                Class::Lower => return true,
                Class::Letter | Class::Upper | Class::Sep | Class::Term | Class::Stop => return false,
                _ => at += length,
            }
        }
        false
    }
}

impl Iterator for Breaks<'_> {
    type Item = Break;

    fn next(&mut self) -> Option<Break> {
        let bytes = self.text.as_bytes();
        if self.at >= bytes.len() {
            return None;
        }
        let mut at = self.at;
        let found = loop {
            at += bytes[at..].iter().position(|&byte| NOTABLE[usize::from(byte)]).unwrap_or(bytes.len() - at);
            if at >= bytes.len() {
                break Break { at: bytes.len(), line: false };
            }
            if bytes[at] >= 0xE0 && is_cleared(bytes, at) {
                at += 2;
                continue;
            }
            let (class, length) = self.class(at);
            match class {
                Class::Sep => {
                    let pair =
                        bytes[at] == b'\r' && bytes.get(at + 1) == Some(&b'\n') && !is_wrapped(self.text, at + 1);
                    let end = at + length + usize::from(pair);
                    break Break { at: end, line: bytes[end - 1] == b'\n' };
                }
                Class::Stop | Class::Term => match self.after_mark(at, class, length) {
                    Step::Break(found) => break found,
                    Step::GoOn(next) => at = next,
                },
                _ => at += length,
            }
        };
        self.at = found.at;
        Some(found)
    }
}

/// Whether the end of a line is only where a line grew too long: prose that was wrapped goes on in lower case; list items,
/// rows and headings do not.
fn is_wrapped(text: &str, at: usize) -> bool {
    let goes_on = match text.as_bytes().get(at + 1) {
        Some(byte) if byte.is_ascii() => byte.is_ascii_lowercase(),
        Some(_) => text[at + 1..].starts_with(char::is_lowercase),
        None => false,
    };
    let line = || text[..at].trim_end_matches(|character: char| character != '\n' && character.is_whitespace());
    goes_on
        && line().chars().next_back().is_some_and(|character| character != '\n')
        && !begins_as_the_line_before(text, at)
}

/// A column's name is looked for in so much of a line.
const NAME_BYTES: usize = 128;

/// Rows of a table, as docent-text writes them, begin with the name of the same column, in small letters or not.
fn begins_as_the_line_before(text: &str, at: usize) -> bool {
    let next = &text[at + 1..];
    let end = next.bytes().take(NAME_BYTES).position(|byte| matches!(byte, b':' | b'\n'));
    let Some(name) = end.filter(|end| next[*end..].starts_with(": ")).map(|end| &next[..end + 2]) else { return false };
    let begin = text[..at].rfind('\n').map_or(0, |before| before + 1);
    text[begin..at].starts_with(name)
}
