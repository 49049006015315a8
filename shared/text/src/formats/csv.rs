//! CSV and TSV: one line per row, every value with its header.

use std::io::BufRead;

use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};

use super::table;
use crate::budget::limits;
use crate::error::Error;
use crate::leash::Leash;
use crate::writer::Writer;

/// How much the parser reads ahead.
const BUFFER_BYTES: usize = 64 * 1024;

/// Reads a table whose columns are parted by `expected`, unless its first line clearly says otherwise.
pub(crate) fn read(source: &mut impl BufRead, expected: u8, writer: &mut Writer) -> Result<(), Error> {
    let delimiter = delimiter(source.fill_buf()?, expected);
    let source = Leash::new(source, limits::CSV_ROW_BYTES + BUFFER_BYTES, row_too_long());
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .buffer_capacity(BUFFER_BYTES)
        .from_reader(source);
    let mut record = StringRecord::new();
    let mut headers: Option<Vec<String>> = None;
    let mut rows = 0u64;
    while next(&mut reader, &mut record)? {
        match &headers {
            None if table::are_headers(&record) => headers = Some(record.iter().map(str::to_owned).collect()),
            None => {
                headers = Some(Vec::new());
                table::row(&[], &record, writer)?;
            }
            Some(headers) => {
                rows += 1;
                table::row(headers, &record, writer)?;
                writer.pause()?;
            }
        }
    }
    match headers {
        Some(only) if rows == 0 => table::row(&[], &only, writer),
        _ => Ok(()),
    }
}

fn next(reader: &mut Reader<Leash<impl BufRead>>, record: &mut StringRecord) -> Result<bool, Error> {
    let before = reader.position().byte();
    let found = reader.read_record(record).map_err(|error| match error.into_kind() {
        ErrorKind::Io(error) => Error::from(error),
        _ => Error::corrupt("The table cannot be read as CSV."),
    })?;
    reader.get_ref().slacken();
    if reader.position().byte() - before > limits::CSV_ROW_BYTES as u64 {
        return Err(row_too_long());
    }
    if record.iter().any(|field| field.len() > limits::CSV_FIELD_BYTES) {
        return Err(Error::limit(format!(
            "A table field is longer than {} bytes; a closing quote may be missing.",
            limits::CSV_FIELD_BYTES
        )));
    }
    Ok(found)
}

fn row_too_long() -> Error {
    Error::limit(format!("A table row is longer than {} bytes; a closing quote may be missing.", limits::CSV_ROW_BYTES))
}

/// The candidate that stands most often in the first line, outside quotes; `expected` wins ties.
fn delimiter(text: &[u8], expected: u8) -> u8 {
    let mut counts = [(expected, 0u32), (b',', 0), (b';', 0), (b'\t', 0), (b'|', 0)];
    let mut quoted = false;
    for &byte in text {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => break,
            _ if !quoted => counts.iter_mut().filter(|(candidate, _)| *candidate == byte).for_each(|(_, n)| *n += 1),
            _ => {}
        }
    }
    counts.iter().fold((expected, 0), |best, &candidate| if candidate.1 > best.1 { candidate } else { best }).0
}
