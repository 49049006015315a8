//! Where every format writes its text: one place that cleans characters, spaces paragraphs and watches the budget.

use crate::budget::Meter;
use crate::detect::Format;
use crate::drain::Drain;
use crate::error::{Error, ErrorKind};
use crate::extract::{Extract, Heading, Page};
use crate::read::Summary;

pub(crate) struct Writer<'a> {
    pub(crate) meter: Meter<'a>,
    pub(crate) title: Option<String>,
    pub(crate) charset: Option<&'static str>,
    /// Where finished text goes before the document ends; without one it all stays here.
    drain: Option<Drain<'a>>,
    text: String,
    pages: Vec<Page>,
    headings: Vec<Heading>,
    first_heading: Option<String>,
    open_page: Option<OpenPage>,
    page_count: u32,
    pub(crate) pages_without_text: Vec<u32>,
    notes: Vec<String>,
    nulls: u64,
    tags: u64,
}

/// A page that is still being written.
struct OpenPage {
    number: u32,
    start: usize,
    /// Whether some of its text is gone already.
    drained: bool,
}

impl OpenPage {
    fn so_far(&self, text: &str) -> Page {
        let written = text.get(self.start..).map_or(0, |text| text.trim_end().len());
        Page { number: self.number, start: self.start, end: self.start + written }
    }
}

impl<'a> Writer<'a> {
    pub(crate) fn new(meter: Meter<'a>) -> Self {
        Self {
            meter,
            title: None,
            charset: None,
            drain: None,
            text: String::new(),
            pages: Vec::new(),
            headings: Vec::new(),
            first_heading: None,
            open_page: None,
            page_count: 0,
            pages_without_text: Vec::new(),
            notes: Vec::new(),
            nulls: 0,
            tags: 0,
        }
    }

    pub(crate) fn draining(meter: Meter<'a>, drain: Drain<'a>) -> Self {
        Self { drain: Some(drain), ..Self::new(meter) }
    }

    /// A place where the text may be cut and let go: no position in it is remembered by whoever writes it.
    pub(crate) fn pause(&mut self) -> Result<(), Error> {
        let Some(drain) = self.drain.as_mut().filter(|drain| drain.is_due(self.text.len())) else { return Ok(()) };
        self.meter.time()?;
        let open = self.open_page.take();
        self.pages.extend(open.as_ref().map(|open| open.so_far(&self.text)));
        let gone = drain.segment(&mut self.text, &mut self.pages, &mut self.headings)?;
        self.open_page = open.map(|open| {
            let kept = self.pages.pop_if(|page| page.number == open.number);
            OpenPage { start: kept.map_or(self.text.len(), |page| page.start), drained: true, ..open }
        });
        self.meter.drained(gone);
        Ok(())
    }

    /// Appends text as it is, but for characters that no reader sees and that do harm further on.
    pub(crate) fn push(&mut self, text: &str) -> Result<(), Error> {
        self.meter.output(self.text.len() + text.len())?;
        if !text.bytes().any(may_begin_dropped) {
            self.text.push_str(text);
            return Ok(());
        }
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
            self.first_heading.get_or_insert_with(|| title.clone());
            self.headings.push(Heading { level, title, start });
            self.blank();
        }
        Ok(())
    }

    pub(crate) fn at_line_start(&self) -> bool {
        self.text.is_empty() || self.text.ends_with('\n')
    }

    /// What follows stands on this page, up to `end_page`.
    pub(crate) fn begin_page(&mut self, number: u32) {
        self.blank();
        self.open_page = Some(OpenPage { number, start: self.text.len(), drained: false });
    }

    /// Says whether the page has any text.
    pub(crate) fn end_page(&mut self) -> bool {
        let Some(open) = self.open_page.take() else { return false };
        let page = open.so_far(&self.text);
        self.page_count += 1;
        self.pages.push(page);
        open.drained || page.end > page.start
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// The document as one text.
    pub(crate) fn finish(mut self, format: Format) -> Result<Extract, Error> {
        self.end()?;
        if self.text.is_empty() {
            return Err(no_text());
        }
        Ok(Extract {
            format,
            title: self.title,
            text: self.text,
            pages: self.pages,
            headings: self.headings,
            charset: self.charset,
            notes: self.notes,
        })
    }

    /// Lets the rest of the text go, and says what all of it was.
    pub(crate) fn close(mut self, format: Format) -> Result<Summary, Error> {
        self.end()?;
        let text_bytes = self.meter.drained_bytes() + self.text.len() as u64;
        let drained = self.drain.map(|drain| drain.rest(&self.text, &self.pages, &self.headings)).transpose()?;
        let chunks = drained.unwrap_or_default();
        if chunks == 0 {
            return Err(no_text());
        }
        Ok(Summary {
            format,
            title: self.title,
            pages: (self.page_count > 0).then_some(self.page_count),
            pages_without_text: self.pages_without_text,
            charset: self.charset.map(str::to_owned),
            notes: self.notes,
            chunks,
            text_bytes,
        })
    }

    fn end(&mut self) -> Result<(), Error> {
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
        let title = self.title.take().map(|title| clean_title(&title)).filter(|title| !title.is_empty());
        self.title = title.or_else(|| self.first_heading.take());
        Ok(())
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

/// Whether a byte can be the first of a dropped character: cheap enough to ask of every byte.
fn may_begin_dropped(byte: u8) -> bool {
    matches!(byte, 0 | b'\r' | 0xC2 | 0xEF | 0xF3)
}

fn no_text() -> Error {
    Error::new(ErrorKind::EmptyFile, "The document holds no text.")
}

/// Longer titles are body text that a program put in the wrong field.
const TITLE_CHARACTERS: usize = 300;

fn clean_title(title: &str) -> String {
    let clean: String = title.chars().filter(|&character| !is_dropped(character)).collect();
    let words: Vec<&str> = clean.split_whitespace().collect();
    words.join(" ").chars().take(TITLE_CHARACTERS).collect()
}
