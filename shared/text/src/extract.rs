//! The one verb from bytes to text, and the shape of its result.

use crate::budget::{Budget, Meter};
use crate::detect::{Format, detect};
use crate::error::{Error, ErrorKind};
use crate::formats;
use crate::writer::Writer;

/// A document as text. Offsets are bytes into `text`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extract {
    pub format: Format,
    pub title: Option<String>,
    pub text: String,
    /// In order and without overlap; empty when the format has no pages.
    pub pages: Vec<Page>,
    pub headings: Vec<Heading>,
    /// The character set the bytes were decoded from, for formats that do not fix one.
    pub charset: Option<&'static str>,
    /// What was left out or repaired, in sentences for the document's owner.
    pub notes: Vec<String>,
}

/// One page's slice of the text. A page without text has an empty one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    pub number: u32,
    pub start: usize,
    pub end: usize,
}

/// A heading stands in the text at `start`, spelled exactly like `title`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    pub level: u8,
    pub title: String,
    pub start: usize,
}

/// Reads a document of any supported format within its budget.
pub fn extract(bytes: &[u8], name: &str, declared: Option<&str>, budget: &Budget) -> Result<Extract, Error> {
    if bytes.len() > budget.input_bytes {
        return Err(Error::new(ErrorKind::TooLarge, format!("The file is larger than {} bytes.", budget.input_bytes)));
    }
    let format = detect(name, declared, bytes)?;
    let mut writer = Writer::new(Meter::new(budget));
    match format {
        Format::Pdf => formats::pdf::read(bytes, &mut writer)?,
        Format::Docx => formats::docx::read(bytes, &mut writer)?,
        Format::Markdown => formats::markdown::read(bytes, &mut writer)?,
        Format::Html => formats::html::read(bytes, declared, &mut writer)?,
        Format::Text => formats::text::read(bytes, declared, &mut writer)?,
        Format::Csv => formats::csv::read(bytes, declared, &mut writer)?,
        Format::Json => formats::json::read(bytes, &mut writer)?,
    }
    let extract = writer.finish(format)?;
    if extract.text.trim().is_empty() {
        return Err(Error::new(ErrorKind::EmptyFile, "The document holds no text."));
    }
    Ok(extract)
}
