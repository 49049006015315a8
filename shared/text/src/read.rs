//! From a file to its chunks in bounded memory: text is handed out and forgotten while the file is still being read.

use std::io::{Read, Seek, SeekFrom};

use serde::{Deserialize, Serialize};

use crate::budget::{Budget, Meter};
use crate::chunk::ChunkOptions;
use crate::detect::{self, Format};
use crate::drain::Drain;
use crate::error::Error;
use crate::extract;
use crate::writer::Writer;

/// What a document may cost, and how long its chunks shall be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadOptions {
    pub budget: Budget,
    pub chunks: ChunkOptions,
}

/// One chunk with its text. `start` and `end` are byte offsets into the whole extracted text, of which this is a slice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    pub ordinal: u32,
    pub text: String,
    pub start: u64,
    pub end: u64,
    pub page_first: Option<u32>,
    pub page_last: Option<u32>,
    /// Titles of the headings above, outermost first.
    pub heading_path: Vec<String>,
    /// An estimate, see [`crate::estimate_tokens`].
    pub tokens: u32,
}

/// What is known of a document once all of it has been read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub format: Format,
    pub title: Option<String>,
    /// How many pages, slides or sheets, in formats that have any.
    pub pages: Option<u32>,
    /// The pages of a PDF that are pictures only: what a reader of pictures (OCR) would be asked for. Where all are, the
    /// document ends in `no_text_layer` and all its pages are meant.
    #[serde(default)]
    pub pages_without_text: Vec<u32>,
    pub charset: Option<String>,
    pub notes: Vec<String>,
    pub chunks: u32,
    pub text_bytes: u64,
}

/// Reads a document and hands its chunks to `sink` in order: the chunks that [`crate::extract`] and [`crate::chunk`] would
/// make. Text leaves memory as soon as it is cut; only formats that need their whole file hold that. A failure can come
/// after pieces have been handed out, which are then worth nothing.
pub fn read<S: Read + Seek>(
    mut source: S,
    name: &str,
    declared: Option<&str>,
    options: &ReadOptions,
    sink: &mut dyn FnMut(Piece) -> Result<(), Error>,
) -> Result<Summary, Error> {
    let length = source.seek(SeekFrom::End(0))?;
    let drain = Drain::new(options.chunks, sink);
    let by_head = detect::of_head(name, declared, &head(&mut source)?, length);
    if let Some(format) = by_head.as_ref().ok().copied().flatten().filter(|format| format.streams()) {
        let meter = Meter::streaming(&options.budget);
        meter.input(length)?;
        let mut writer = Writer::draining(meter, drain);
        extract::stream(source, format, declared, &mut writer)?;
        return writer.close(format);
    }
    let meter = Meter::new(&options.budget);
    meter.input(length)?;
    let bytes = whole(&mut source, length)?;
    let format = match by_head? {
        Some(format) => format,
        None => detect::detect(name, declared, &bytes)?,
    };
    let mut writer = Writer::draining(meter, drain);
    extract::whole(&bytes, format, declared, &mut writer)?;
    drop(bytes);
    writer.close(format)
}

fn head(source: &mut (impl Read + Seek)) -> Result<Vec<u8>, Error> {
    source.seek(SeekFrom::Start(0))?;
    let mut head = Vec::with_capacity(detect::SNIFF_BYTES);
    source.take(detect::SNIFF_BYTES as u64).read_to_end(&mut head)?;
    Ok(head)
}

fn whole(source: &mut (impl Read + Seek), length: u64) -> Result<Vec<u8>, Error> {
    source.seek(SeekFrom::Start(0))?;
    // With the length known the buffer does not grow to twice what is needed.
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    source.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
