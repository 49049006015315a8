//! Where every format writes its text: one place that cleans characters, spaces paragraphs and watches the budget.

use crate::budget::Meter;
use crate::detect::Format;
use crate::error::Error;
use crate::extract::{Extract, Heading, Page};

pub(crate) struct Writer<'a> {
    pub(crate) meter: Meter<'a>,
    pub(crate) title: Option<String>,
    pub(crate) charset: Option<&'static str>,
    text: String,
    pages: Vec<Page>,
    headings: Vec<Heading>,
    notes: Vec<String>,
    nulls: u64,
    tags: u64,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(meter: Meter<'a>) -> Self {
        Self {
            meter,
            title: None,
            charset: None,
            text: String::new(),
            pages: Vec::new(),
            headings: Vec::new(),
            notes: Vec::new(),
            nulls: 0,
            tags: 0,
        }
    }

    /// Appends text as it is, but for characters that no reader sees and that do harm further on.
    pub(crate) fn push(&mut self, text: &str) -> Result<(), Error> {
        self.meter.output(self.text.len() + text.len())?;
        let mut clean_from = 0;
        for (at, character) in text.char_indices() {
            if !is_dropped(character) {
                continue;
            }
            // A lone carriage return is a line end of old; one before a line feed is half of it.
            let lone_return = character == '\r' && text.as_bytes().get(at + 1) != Some(&b'\n');
            self.text.push_str(&text[clean_from..at]);
            clean_from = at + character.len_utf8();
            match character {
                '\0' => self.nulls += 1,
                '\u{E0000}'..='\u{E007F}' => self.tags += 1,
                _ if lone_return => self.text.push('\n'),
                _ => {}
            }
        }
        self.text.push_str(&text[clean_from..]);
        Ok(())
    }

    /// Appends text as one line: runs of white space become one space.
    pub(crate) fn push_words(&mut self, text: &str) -> Result<(), Error> {
        let mut begun = false;
        for word in text.split_whitespace() {
            let before = self.text.len();
            if begun {
                self.text.push(' ');
            }
            let spaced = self.text.len();
            self.push(word)?;
            if self.text.len() == spaced {
                // Nothing of the word was visible, so nothing must be seen of its space.
                self.text.truncate(before);
            } else {
                begun = true;
            }
        }
        Ok(())
    }

    /// Ends the current line, if one was begun.
    pub(crate) fn line(&mut self) {
        self.trim_spaces();
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }

    /// Ends the current line, unless it holds nothing but a list marker waiting for its text.
    pub(crate) fn line_unless_marker(&mut self) {
        let begun = self.text.rsplit('\n').next().unwrap_or_default().trim();
        let number = begun.strip_suffix('.').is_some_and(|number| number.parse::<u64>().is_ok());
        if begun != "-" && !number {
            self.line();
        }
    }

    /// Leaves exactly one blank line before what comes next.
    pub(crate) fn blank(&mut self) {
        self.line();
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// A single space, unless the text already ends in white space.
    pub(crate) fn space(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with(char::is_whitespace) {
            self.text.push(' ');
        }
    }

    /// Writes a heading as a paragraph of its own.
    pub(crate) fn heading(&mut self, level: u8, title: &str) -> Result<(), Error> {
        self.blank();
        let start = self.text.len();
        self.push_words(title)?;
        let title = self.text[start..].to_owned();
        if !title.is_empty() {
            self.headings.push(Heading { level, title, start });
            self.blank();
        }
        Ok(())
    }

    pub(crate) fn position(&self) -> usize {
        self.text.len()
    }

    pub(crate) fn at_line_start(&self) -> bool {
        self.text.is_empty() || self.text.ends_with('\n')
    }

    pub(crate) fn page(&mut self, number: u32, start: usize) {
        let end = start + self.text.get(start..).map_or(0, |text| text.trim_end().len());
        self.pages.push(Page { number, start, end });
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    pub(crate) fn finish(mut self, format: Format) -> Result<Extract, Error> {
        self.meter.output(self.text.len())?;
        self.text.truncate(self.text.trim_end().len());
        let length = self.text.len();
        for page in &mut self.pages {
            page.start = page.start.min(length);
            page.end = page.end.min(length);
        }
        if self.nulls > 0 {
            self.notes.push(format!("{} null characters (U+0000) were removed.", self.nulls));
        }
        if self.tags > 0 {
            self.notes.push(format!("{} invisible tag characters were removed.", self.tags));
        }
        let title = self.title.map(|title| clean_title(&title)).filter(|title| !title.is_empty());
        let title = title.or_else(|| self.headings.first().map(|heading| heading.title.clone()));
        Ok(Extract {
            format,
            title,
            text: self.text,
            pages: self.pages,
            headings: self.headings,
            charset: self.charset,
            notes: self.notes,
        })
    }

    fn trim_spaces(&mut self) {
        let length = self.text.trim_end_matches([' ', '\t']).len();
        self.text.truncate(length);
    }
}

/// Nulls (Postgres refuses them), byte order marks, soft hyphens (they hide inside words) and the tag block
/// (invisible text, a known way to smuggle instructions past a human reader).
fn is_dropped(character: char) -> bool {
    matches!(character, '\0' | '\r' | '\u{AD}' | '\u{FEFF}' | '\u{E0000}'..='\u{E007F}')
}

/// Longer titles are body text that a program put in the wrong field.
const TITLE_CHARACTERS: usize = 300;

fn clean_title(title: &str) -> String {
    let clean: String = title.chars().filter(|&character| !is_dropped(character)).collect();
    let words: Vec<&str> = clean.split_whitespace().collect();
    words.join(" ").chars().take(TITLE_CHARACTERS).collect()
}
