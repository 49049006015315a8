//! Tables as text: a row names its columns, so that a chunk cut from the middle still says what a number means.

use crate::budget::limits;
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

/// Whether a first row can be said again in every other: what is longer than a name is text of its own, and a table of
/// short rows would grow a thousandfold by it.
pub(crate) fn are_headers<T: AsRef<str>>(cells: impl IntoIterator<Item = T>) -> bool {
    cells.into_iter().all(|cell| cell.as_ref().len() <= limits::TABLE_HEADER_BYTES)
}

/// Writes rows of which the first is the header row, unless there is only one.
pub(crate) fn rows(rows: Vec<Vec<String>>, writer: &mut Writer) -> Result<(), Error> {
    let mut table = Table::default();
    for cells in rows {
        table.cells = cells;
        table.end_row(writer)?;
    }
    table.finish(writer)
}

/// A table that is still being read: nothing is kept but its headers and the row at hand.
pub(crate) struct Table {
    /// The first row, until a second one makes it the headers; then the headers, which may be none.
    headers: Option<Vec<String>>,
    /// Whether the first row can hold headers.
    named: bool,
    decided: bool,
    in_row: bool,
    cells: Vec<String>,
}

impl Default for Table {
    fn default() -> Self {
        Self { headers: None, named: true, decided: false, in_row: false, cells: Vec::new() }
    }
}

impl Table {
    /// A table whose first row holds headers only if it says so.
    pub(crate) fn unnamed() -> Self {
        Self { named: false, ..Self::default() }
    }

    /// Says of the row at hand that it holds headers, which only the first can.
    pub(crate) fn names(&mut self) {
        self.named |= self.headers.is_none();
    }

    pub(crate) fn begin_row(&mut self) {
        self.in_row = true;
    }

    /// A cell outside all rows is none.
    pub(crate) fn begin_cell(&mut self) -> Result<(), Error> {
        if self.cells.len() >= limits::TABLE_COLUMNS {
            return Err(Error::limit(format!("A table has more than {} columns.", limits::TABLE_COLUMNS)));
        }
        if self.in_row {
            self.cells.push(String::new());
        }
        Ok(())
    }

    /// The cell at hand.
    pub(crate) fn cell(&mut self) -> Option<&mut String> {
        self.cells.last_mut()
    }

    /// Ends the row at hand and gives its cells away.
    pub(crate) fn take_row(&mut self) -> Vec<String> {
        self.in_row = false;
        std::mem::take(&mut self.cells)
    }

    pub(crate) fn end_row(&mut self, writer: &mut Writer) -> Result<(), Error> {
        let cells = self.take_row();
        if cells.is_empty() {
            return Ok(());
        }
        let Some(headers) = &mut self.headers else {
            self.headers = Some(cells);
            return Ok(());
        };
        if !std::mem::replace(&mut self.decided, true) && (!self.named || headers.len() < 2 || !are_headers(&*headers))
        {
            let first = std::mem::take(headers);
            row(&[], first, writer)?;
        }
        row(headers, cells, writer)?;
        writer.pause()
    }

    pub(crate) fn finish(mut self, writer: &mut Writer) -> Result<(), Error> {
        self.end_row(writer)?;
        match self.headers {
            Some(only) if !self.decided => row(&[], only, writer),
            _ => Ok(()),
        }
    }
}
