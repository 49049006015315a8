//! PDF by way of `unpdf`, page by page, with its words repaired and its panics contained.

use std::ops::{ControlFlow, Range};
use std::panic::{AssertUnwindSafe, catch_unwind};

use unpdf::{Block, PageSelection, PageStreamOptions, ParseEvent, ParseOptions, PdfParser};

use super::pdf_guard;
use super::pdf_repair::{self, Vocabulary};
use super::pdf_windows::Windows;
use super::table;
use crate::budget::limits;
use crate::error::{Error, ErrorKind};
use crate::writer::Writer;

pub(crate) fn read(bytes: &[u8], writer: &mut Writer) -> Result<(), Error> {
    let known = pdf_guard::check(bytes, &writer.meter)?;
    // A parser of this size has bugs; one broken document must not end the process that serves everybody.
    let collected = catch_unwind(AssertUnwindSafe(|| collect(bytes, known, writer)))
        .map_err(|_| Error::corrupt("The PDF is too damaged to be read."))??;
    write(collected, writer)
}

/// What is kept of a page until all pages are known: hyphens are judged by the words of the whole document.
struct Page {
    number: u32,
    parts: Vec<Part>,
}

enum Part {
    Heading(u8, String),
    Text(String),
    Table(Vec<Vec<String>>),
}

fn collect(bytes: &[u8], known: pdf_guard::Pages, writer: &mut Writer) -> Result<Vec<Page>, Error> {
    let whole = open(bytes)?;
    let count = whole.page_count();
    if count > limits::PDF_PAGES {
        return Err(Error::limit(format!("The PDF has more than {} pages.", limits::PDF_PAGES)));
    }
    writer.title = title(&whole);
    let mut found = Found::default();
    match Windows::of(bytes, known).filter(|windows| windows.pages() == count) {
        None => found.read(&whole, PageSelection::All, 0, writer)?,
        Some(mut windows) => {
            drop(whole);
            for Range { start, end } in windows.all() {
                // Whatever the parser makes of an update, no page may be lost by it.
                match open(windows.file(start..end)).ok().filter(|short| short.page_count() == end - start) {
                    Some(short) => found.read(&short, PageSelection::All, start, writer)?,
                    None => found.read(&open(bytes)?, PageSelection::Range(start + 1..=end), 0, writer)?,
                }
            }
        }
    }
    note_pages(writer, "could not be read", &found.failed);
    let unreadable = "have text in a font without a usable character map, which was left out";
    note_pages(writer, unreadable, &found.unreadable);
    Ok(found.pages)
}

fn open(bytes: &[u8]) -> Result<PdfParser, Error> {
    PdfParser::from_bytes_with_options(bytes, ParseOptions::new()).map_err(translate)
}

fn title(parser: &PdfParser) -> Option<String> {
    let mut title = None;
    let begun = parser.for_each_page(PageStreamOptions::default(), |event| {
        if let ParseEvent::DocumentStart { metadata, .. } = event {
            title = metadata.title.and_then(real_title);
        }
        ControlFlow::Break(())
    });
    begun.ok().and(title)
}

/// What the pages hold, and which of them could not be read as they should.
#[derive(Default)]
struct Found {
    pages: Vec<Page>,
    failed: Vec<u32>,
    unreadable: Vec<u32>,
    output: usize,
}

impl Found {
    /// Reads the selected pages, whose numbers in the whole file are greater by `before`.
    fn read(
        &mut self,
        parser: &PdfParser,
        pages: PageSelection,
        before: u32,
        writer: &mut Writer,
    ) -> Result<(), Error> {
        let options = PageStreamOptions { pages, parallel: false, ..PageStreamOptions::default() };
        let mut failure = None;
        let streamed = parser.for_each_page(options, |event| {
            self.keep(event, before);
            match writer.meter.time().and_then(|()| writer.meter.output(self.output)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failure = Some(error);
                    ControlFlow::Break(())
                }
            }
        });
        failure.map_or(Ok(()), Err)?;
        streamed.map_err(translate).map(|_| ())
    }

    fn keep(&mut self, event: ParseEvent, before: u32) {
        match event {
            ParseEvent::PageFailed { page, .. } => {
                self.failed.push(before + page);
                self.pages.push(Page { number: before + page, parts: Vec::new() });
            }
            ParseEvent::PageParsed(page) => {
                let number = before + page.number;
                if page.suppressed_text_runs > 0 {
                    self.unreadable.push(number);
                }
                let parts: Vec<Part> = page.elements.iter().filter_map(part).collect();
                self.output += parts.iter().map(Part::len).sum::<usize>();
                self.pages.push(Page { number, parts });
            }
            ParseEvent::DocumentStart { .. } | ParseEvent::Progress { .. } | ParseEvent::DocumentEnd { .. } => {}
        }
    }
}

fn write(mut pages: Vec<Page>, writer: &mut Writer) -> Result<(), Error> {
    if pages.is_empty() {
        return Err(Error::corrupt("The PDF has no pages."));
    }
    pages.iter_mut().flat_map(|page| &mut page.parts).for_each(Part::clean);
    let mut vocabulary = Vocabulary::default();
    pages.iter().flat_map(|page| &page.parts).for_each(|part| vocabulary.learn(part.text()));
    let count = pages.len();
    let mut blank = Vec::new();
    for page in pages {
        writer.begin_page(page.number);
        for part in page.parts {
            writer.meter.node()?;
            match part {
                Part::Heading(level, title) => writer.heading(level, &vocabulary.join_hyphens(&title))?,
                Part::Text(text) => {
                    writer.blank();
                    writer.push(vocabulary.join_hyphens(&text).trim_matches(['\n', '\r']))?;
                }
                Part::Table(rows) => {
                    writer.blank();
                    table::rows(rows, writer)?;
                }
            }
        }
        if !writer.end_page() {
            blank.push(page.number);
        }
        writer.pause()?;
    }
    if blank.len() == count {
        return Err(Error::new(ErrorKind::NoTextLayer, "The PDF has pages but no text: it is a scan or drawing."));
    }
    note_pages(writer, "have no text layer", &blank);
    writer.pages_without_text = blank;
    Ok(())
}

fn part(block: &Block) -> Option<Part> {
    let part = match block {
        Block::Paragraph(paragraph) => match paragraph.heading_level() {
            Some(level) => Part::Heading(level, paragraph.plain_text()),
            None => Part::Text(paragraph.plain_text()),
        },
        Block::Table(table) => {
            let cells = |row: &unpdf::TableRow| row.cells.iter().map(unpdf::TableCell::plain_text).collect();
            Part::Table(table.rows.iter().map(cells).collect())
        }
        Block::Code { content } | Block::Raw { content } => Part::Text(content.clone()),
        _ => return None,
    };
    (part.len() > 0).then_some(part)
}

impl Part {
    fn clean(&mut self) {
        match self {
            Self::Heading(_, text) | Self::Text(text) => *text = pdf_repair::repaired(text),
            Self::Table(rows) => {
                rows.iter_mut().flatten().for_each(|cell| *cell = pdf_repair::repaired(cell));
            }
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Heading(_, text) | Self::Text(text) => text,
            Self::Table(_) => "",
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Heading(_, text) | Self::Text(text) => text.trim().len(),
            Self::Table(rows) => rows.iter().flatten().map(|cell| cell.trim().len()).sum(),
        }
    }
}

fn translate(error: unpdf::Error) -> Error {
    match error.kind() {
        unpdf::ErrorKind::Encrypted | unpdf::ErrorKind::InvalidPassword => {
            Error::new(ErrorKind::Encrypted, "The PDF is protected by a password.")
        }
        _ => Error::corrupt("The PDF is damaged and cannot be read."),
    }
}

/// Programs write file names and placeholders into the title field.
fn real_title(title: String) -> Option<String> {
    let title = title.trim();
    let title = title.strip_prefix("Microsoft Word - ").unwrap_or(title);
    let lower = title.to_lowercase();
    let file_name = [".doc", ".docx", ".dvi", ".tex", ".indd", ".qxd", ".pdf"].iter().any(|end| lower.ends_with(end));
    let placeholder = lower.is_empty() || lower == "untitled" || lower.starts_with("untitled document");
    (!file_name && !placeholder).then(|| title.to_owned())
}

/// The most page numbers that one note lists.
const LISTED_PAGES: usize = 20;

fn note_pages(writer: &mut Writer, what: &str, pages: &[u32]) {
    if pages.is_empty() {
        return;
    }
    let listed: Vec<String> = pages.iter().take(LISTED_PAGES).map(u32::to_string).collect();
    let more =
        if pages.len() > LISTED_PAGES { format!(" and {} more", pages.len() - LISTED_PAGES) } else { String::new() };
    writer.note(format!("Pages that {what}: {}{more}.", listed.join(", ")));
}
