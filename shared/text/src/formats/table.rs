//! Tables as text: a row names its columns, so that a chunk cut from the middle still says what a number means.

use crate::error::Error;
use crate::writer::Writer;

/// Writes one data row as `header: cell; header: cell`. Without a header for a cell the cell stands alone.
pub(crate) fn row<T: AsRef<str>>(
    headers: &[String],
    cells: impl IntoIterator<Item = T>,
    writer: &mut Writer,
) -> Result<(), Error> {
    let header = |index: usize| headers.get(index).map_or("", String::as_str);
    labelled(cells.into_iter().enumerate().map(|(index, cell)| (header(index), cell)), writer)
}

/// Writes one row of cells, each with its header or an empty one.
pub(crate) fn labelled<'h, T: AsRef<str>>(
    cells: impl Iterator<Item = (&'h str, T)>,
    writer: &mut Writer,
) -> Result<(), Error> {
    writer.line();
    let mut written = false;
    for (header, cell) in cells {
        let cell = cell.as_ref();
        writer.meter.node()?;
        if cell.trim().is_empty() {
            continue;
        }
        if written {
            writer.push("; ")?;
        }
        written = true;
        if !header.trim().is_empty() {
            writer.push_words(header)?;
            writer.push(": ")?;
        }
        writer.push_words(cell)?;
    }
    writer.line();
    Ok(())
}

/// Writes rows of which the first is the header row, unless there is only one.
pub(crate) fn rows(rows: &[Vec<String>], writer: &mut Writer) -> Result<(), Error> {
    let Some((headers, data)) = rows.split_first() else { return Ok(()) };
    if data.is_empty() || headers.len() < 2 {
        for cells in rows {
            row(&[], cells, writer)?;
        }
        return Ok(());
    }
    data.iter().try_for_each(|cells| row(headers, cells, writer))
}
