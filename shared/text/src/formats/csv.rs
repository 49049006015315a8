//! CSV and TSV: one line per row, every value with its header.

use csv::{ReaderBuilder, StringRecord};

use super::table;
use crate::budget::limits;
use crate::charset;
use crate::error::Error;
use crate::writer::Writer;

pub(crate) fn read(bytes: &[u8], declared: Option<&str>, writer: &mut Writer) -> Result<(), Error> {
    let text = charset::decode(bytes, declared, writer)?;
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter(&text)).from_reader(text.as_bytes());
    let mut record = StringRecord::new();
    let mut headers: Option<Vec<String>> = None;
    let mut rows = 0u64;
    while reader.read_record(&mut record).map_err(|_| Error::corrupt("The table cannot be read as CSV."))? {
        let cells = cells(&record)?;
        match &headers {
            None => headers = Some(cells),
            Some(headers) => {
                rows += 1;
                table::row(headers, &cells, writer)?;
            }
        }
    }
    match headers {
        Some(only) if rows == 0 => table::row(&[], &only, writer),
        _ => Ok(()),
    }
}

fn cells(record: &StringRecord) -> Result<Vec<String>, Error> {
    if record.iter().any(|field| field.len() > limits::CSV_FIELD_BYTES) {
        return Err(Error::limit(format!(
            "A table field is longer than {} bytes; a closing quote may be missing.",
            limits::CSV_FIELD_BYTES
        )));
    }
    Ok(record.iter().map(str::to_owned).collect())
}

/// The candidate that stands most often in the first line, outside quotes.
fn delimiter(text: &str) -> u8 {
    let mut counts = [(b',', 0u32), (b';', 0), (b'\t', 0), (b'|', 0)];
    let mut quoted = false;
    for byte in text.bytes() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => break,
            _ if !quoted => counts.iter_mut().filter(|(candidate, _)| *candidate == byte).for_each(|(_, n)| *n += 1),
            _ => {}
        }
    }
    // The comma wins ties because it stands first and only a strictly greater count replaces it.
    counts.iter().fold((b',', 0), |best, &candidate| if candidate.1 > best.1 { candidate } else { best }).0
}
