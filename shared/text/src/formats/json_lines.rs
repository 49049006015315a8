//! JSON Lines: every line is a JSON text of its own, written like a JSON file and set off by a blank line.

use std::io::{BufRead, Read};

use super::json;
use crate::budget::limits;
use crate::error::Error;
use crate::writer::Writer;

pub(crate) fn read(source: &mut impl BufRead, writer: &mut Writer) -> Result<(), Error> {
    let mut line = Vec::new();
    let mut number = 0u64;
    loop {
        line.clear();
        number += 1;
        writer.meter.node()?;
        // Its end does not count as part of the line, so one byte more is read than a line may have.
        let limit = limits::JSON_LINE_BYTES + 1;
        if source.by_ref().take(limit as u64).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.len() == limit && !line.ends_with(b"\n") {
            let limit = limits::JSON_LINE_BYTES;
            return Err(Error::limit(format!("Line {number} is longer than {limit} bytes.")));
        }
        let text = String::from_utf8_lossy(&line);
        if text.trim().is_empty() {
            continue;
        }
        writer.blank();
        json::value(&text, writer, |_, column| format!("Line {number} is not valid JSON (column {column})."))?;
        writer.pause()?;
    }
}
