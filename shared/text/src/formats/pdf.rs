//! PDF by way of `unpdf`, page by page, with its words repaired and its panics contained.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use unpdf::{Block, PageStreamOptions, ParseEvent, ParseOptions, PdfParser};

use super::pdf_guard;
use super::pdf_repair::{self, Vocabulary};
use super::table;
use crate::budget::limits;
use crate::error::{Error, ErrorKind};
use crate::writer::Writer;

pub(crate) fn read(bytes: &[u8], writer: &mut Writer) -> Result<(), Error> {
    pdf_guard::check(bytes, &writer.meter)?;
    // A parser of this size has bugs; one broken document must not end the process that serves everybody.
    let collected = catch_unwind(AssertUnwindSafe(|| collect(bytes, writer)))
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

fn collect(bytes: &[u8], writer: &mut Writer) -> Result<Vec<Page>, Error> {
    let parser = PdfParser::from_bytes_with_options(bytes, ParseOptions::new()).map_err(translate)?;
    if parser.page_count() > limits::PDF_PAGES {
        return Err(Error::limit(format!("The PDF has more than {} pages.", limits::PDF_PAGES)));
    }
    let options = PageStreamOptions { parallel: false, ..PageStreamOptions::default() };
    let mut pages = Vec::new();
    let mut failed = Vec::new();
    let mut unreadable = Vec::new();
    let mut output = 0usize;
    let mut failure = None;
    let streamed = parser.for_each_page(options, |event| {
        match event {
            ParseEvent::DocumentStart { metadata, .. } => writer.title = metadata.title.and_then(real_title),
            ParseEvent::PageFailed { page, .. } => {
                failed.push(page);
                pages.push(Page { number: page, parts: Vec::new() });
            }
            ParseEvent::PageParsed(page) => {
                if page.suppressed_text_runs > 0 {
                    unreadable.push(page.number);
                }
                let parts: Vec<Part> = page.elements.iter().filter_map(part).collect();
                output += parts.iter().map(Part::len).sum::<usize>();
                pages.push(Page { number: page.number, parts });
            }
            ParseEvent::Progress { .. } | ParseEvent::DocumentEnd { .. } => {}
        }
        match writer.meter.time().and_then(|()| writer.meter.output(output)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        }
    });
    if let Some(error) = failure {
        return Err(error);
    }
    streamed.map_err(translate)?;
    note_pages(writer, "could not be read", &failed);
    note_pages(writer, "have text in a font without a usable character map, which was left out", &unreadable);
    Ok(pages)
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
