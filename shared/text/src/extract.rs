//! The one verb from bytes to text, and the shape of its result.

use std::io::{Cursor, Read, Seek};

use crate::budget::{Budget, Meter};
use crate::charset::Decoding;
use crate::detect::{Format, detect};
use crate::error::Error;
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
    let mut meter = Meter::new(budget);
    let format = match detect(name, declared, bytes) {
        Ok(format) if format.streams() => {
            meter = Meter::streaming(budget);
            format
        }
        Ok(format) => format,
        // What is too large is not worth another word, whatever it is.
        Err(error) => return Err(meter.input(bytes.len() as u64).err().unwrap_or(error)),
    };
    meter.input(bytes.len() as u64)?;
    let mut writer = Writer::new(meter);
    if format.streams() {
        stream(Cursor::new(bytes), format, declared, &mut writer)?;
    } else {
        whole(bytes, format, declared, &mut writer)?;
    }
    writer.finish(format)
}

/// Reads a document that is held in memory as a whole.
pub(crate) fn whole(bytes: &[u8], format: Format, declared: Option<&str>, writer: &mut Writer) -> Result<(), Error> {
    match format {
        Format::Pdf => formats::pdf::read(bytes, writer),
        Format::Docx => formats::docx::read(bytes, writer),
        Format::Pptx => formats::pptx::read(bytes, writer),
        Format::Xlsx => formats::xlsx::read(bytes, writer),
        Format::Epub => formats::epub::read(bytes, writer),
        Format::Eml => formats::eml::read(bytes, writer),
        Format::Markdown => formats::markdown::read(bytes, writer),
        Format::Html => formats::html::read(bytes, declared, writer),
        Format::Json => formats::json::read(bytes, writer),
        Format::Text | Format::Csv | Format::Tsv | Format::JsonLines => {
            stream(Cursor::new(bytes), format, declared, writer)
        }
    }
}

/// Reads a document piece by piece.
pub(crate) fn stream(
    source: impl Read + Seek,
    format: Format,
    declared: Option<&str>,
    writer: &mut Writer,
) -> Result<(), Error> {
    let mut source = Decoding::new(source, declared, writer)?;
    match format {
        Format::Csv => formats::csv::read(&mut source, b',', writer)?,
        Format::Tsv => formats::csv::read(&mut source, b'\t', writer)?,
        Format::JsonLines => formats::json_lines::read(&mut source, writer)?,
        _ => formats::text::read(&mut source, writer)?,
    }
    source.report(writer);
    Ok(())
}
