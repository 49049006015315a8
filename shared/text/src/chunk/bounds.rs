//! The places where a text may be cut, and how good each is.

use super::View;
use crate::sentences::sentences;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Strength {
    Character,
    Word,
    Sentence,
    Line,
    Paragraph,
    Heading,
    /// No chunk crosses it: a citation names one page, and its words must stand there.
    Page,
}

impl Strength {
    /// What a pause is worth, in percent of the aimed length that a chunk may deviate for it.
    pub(super) fn worth(self) -> i64 {
        match self {
            Self::Character => -400,
            Self::Word => -200,
            Self::Sentence => 0,
            Self::Line => 5,
            Self::Paragraph => 35,
            Self::Heading | Self::Page => 80,
        }
    }
}

/// A place to cut: its byte offset, the characters before it and its strength.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    pub(super) at: usize,
    pub(super) chars: usize,
    pub(super) strength: Strength,
}

/// All bounds in order, from the start of the text to its end. No two neighbours are further apart than
/// `max_chars`.
pub(super) fn find(view: &View, max_chars: usize) -> Vec<Bound> {
    let text = view.text;
    let mut finder = Finder { text, max_chars, bounds: vec![Bound { at: 0, chars: 0, strength: Strength::Heading }] };
    let mut headings = view.headings.iter().peekable();
    let mut pages = view.pages.iter().skip_while(|page| page.start == 0).peekable();
    let mut title_end = None;
    let mut previous_end = 0;
    for sentence in sentences(text) {
        while headings.next_if(|heading| heading.start < sentence.start).is_some() {}
        let heading = headings.next_if(|heading| heading.start == sentence.start);
        let gap = &text[previous_end..sentence.start];
        let mut turned = false;
        while pages.next_if(|page| page.start <= sentence.start).is_some() {
            turned = true;
        }
        let strength = match (heading, title_end) {
            _ if turned => Strength::Page,
            (Some(_), _) => Strength::Heading,
            // A heading must not be parted from what it heads.
            (None, Some(end)) if previous_end <= end => Strength::Word,
            _ => gap_strength(gap),
        };
        match heading {
            Some(heading) => title_end = Some(heading.start + heading.title.len()),
            None if title_end.is_some_and(|end| sentence.start >= end) => title_end = None,
            None => {}
        }
        finder.advance(sentence.start, strength);
        previous_end = sentence.end;
    }
    finder.advance(text.len(), Strength::Heading);
    finder.bounds
}

fn gap_strength(gap: &str) -> Strength {
    match gap.bytes().filter(|&byte| byte == b'\n').count() {
        0 => Strength::Sentence,
        1 => Strength::Line,
        _ => Strength::Paragraph,
    }
}

struct Finder<'t> {
    text: &'t str,
    max_chars: usize,
    bounds: Vec<Bound>,
}

impl Finder<'_> {
    /// Adds a bound at `at`, and weaker ones on the way there when it lies too far off.
    fn advance(&mut self, at: usize, strength: Strength) {
        let Some(&last) = self.bounds.last() else { return };
        if at <= last.at {
            return;
        }
        let piece = &self.text[last.at..at];
        let chars = char_count(piece);
        if chars > self.max_chars {
            self.split(last, piece);
        }
        self.bounds.push(Bound { at, chars: last.chars + chars, strength });
    }

    fn split(&mut self, from: Bound, piece: &str) {
        // Small enough that some bound always lies near the aimed length.
        let step = (self.max_chars / 8).max(1);
        let mut last = (0, 0);
        // Nothing is cut within a step from the last bound.
        while let Some(length) = length_of(&piece[last.0..], step) {
            let (at, chars) = (last.0 + length, last.1 + step);
            let mut previous_blank = piece[..at].ends_with(char::is_whitespace);
            let mut found = None;
            for (since, (offset, character)) in (step..).zip(piece[at..].char_indices()) {
                let due = previous_blank || !is_mark(character);
                // Text without spaces, or a heap of combining marks, is cut all the same before it grows too long.
                let due = due && (previous_blank || since >= step * 2) || since >= step * 4 || since >= self.max_chars;
                if due {
                    let strength = if previous_blank { Strength::Word } else { Strength::Character };
                    found = Some((at + offset, chars + since - step, strength));
                    break;
                }
                previous_blank = character.is_whitespace();
            }
            let Some((at, chars, strength)) = found else { return };
            self.bounds.push(Bound { at: from.at + at, chars: from.chars + chars, strength });
            last = (at, chars);
        }
    }
}

/// The length of so many characters; nothing where there are fewer, or none after them.
fn length_of(text: &str, chars: usize) -> Option<usize> {
    match text.as_bytes().get(..chars) {
        Some(start) if start.is_ascii() => Some(chars),
        Some(_) => text.char_indices().nth(chars).map(|(at, _)| at),
        None => None,
    }
}

fn char_count(piece: &str) -> usize {
    if piece.is_ascii() {
        return piece.len();
    }
    // As many as there are first bytes.
    piece.bytes().filter(|&byte| byte & 0xC0 != 0x80).count()
}

/// Characters that belong to the one before them.
fn is_mark(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36F}' | '\u{200D}' | '\u{FE00}'..='\u{FE0F}' | '\u{1F3FB}'..='\u{1F3FF}'
        | '\u{20D0}'..='\u{20FF}' | '\u{E31}' | '\u{E34}'..='\u{E3A}' | '\u{E47}'..='\u{E4E}'
        | '\u{93A}'..='\u{94F}')
}
