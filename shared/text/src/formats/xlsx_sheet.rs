//! The walk through one sheet, row by row. Nothing is kept but the row at hand and the headers.

use std::io::BufRead;

use super::table;
use super::xlsx::Shared;
use super::xml::{Element, Token, Xml};
use crate::budget::limits;
use crate::error::Error;
use crate::writer::Writer;

/// The filled cells of a row, by column.
type Row = Vec<(u32, String)>;

struct Sheet<'s> {
    shared: &'s Shared,
    /// The first row that fills two columns; what stands above it is a title.
    headers: Option<Row>,
    row: Row,
    /// How much text the row at hand holds.
    held: usize,
    cell: Cell,
    rows: u64,
}

#[derive(Default)]
struct Cell {
    column: u32,
    kind: String,
    style: usize,
    value: String,
}

pub(crate) fn read(xml: &mut Xml<impl BufRead>, name: &str, shared: &Shared, writer: &mut Writer) -> Result<(), Error> {
    let mut sheet = Sheet { shared, headers: None, row: Row::new(), held: 0, cell: Cell::default(), rows: 0 };
    let mut named = false;
    loop {
        match xml.next(writer)? {
            Token::Open(element) if element.name == "c" => sheet.begin_cell(&element)?,
            Token::Text { text, parent: "v" | "t" } => {
                sheet.cell.value.push_str(&text);
                writer.meter.output(sheet.held + sheet.cell.value.len())?;
            }
            Token::Close("c") => sheet.end_cell(),
            Token::Close("row") if !sheet.row.is_empty() => {
                // An empty sheet needs no name.
                if !std::mem::replace(&mut named, true) {
                    writer.heading(1, name)?;
                }
                sheet.end_row(writer)?;
                writer.pause()?;
            }
            Token::End => break,
            _ => {}
        }
    }
    match sheet.headers {
        Some(only) if sheet.rows == 0 => table::labelled(only.iter().map(|(_, cell)| ("", cell)), writer),
        _ => Ok(()),
    }
}

impl Sheet<'_> {
    fn begin_cell(&mut self, element: &Element) -> Result<(), Error> {
        let column = match element.attribute("r") {
            Some(place) => column(&place),
            None => Some(self.cell.column + 1),
        };
        let column = column.filter(|column| *column <= limits::XLSX_COLUMNS);
        self.cell = Cell {
            column: column.ok_or_else(|| {
                Error::limit(format!("A sheet has a cell outside its {} columns.", limits::XLSX_COLUMNS))
            })?,
            kind: element.attribute("t").unwrap_or_default(),
            style: element.attribute("s").and_then(|style| style.parse().ok()).unwrap_or_default(),
            value: String::new(),
        };
        Ok(())
    }

    fn end_cell(&mut self) {
        let Cell { column, kind, style, value } = std::mem::take(&mut self.cell);
        self.cell.column = column;
        let shown = match kind.as_str() {
            "s" => value.trim().parse().ok().and_then(|number| self.shared.strings.get(number)).map(str::to_owned),
            "b" => Some(if value.trim() == "1" { "TRUE" } else { "FALSE" }.to_owned()),
            "str" | "inlineStr" | "e" => Some(value),
            // Dates in the newer notation are readable as they are.
            "d" => Some(value.trim_end_matches("T00:00:00").to_owned()),
            _ => Some(self.shared.formats.show(value.trim(), style)),
        };
        if let Some(shown) = shown.filter(|shown| !shown.trim().is_empty()) {
            self.held += shown.len();
            self.row.push((column, shown));
        }
    }

    fn end_row(&mut self, writer: &mut Writer) -> Result<(), Error> {
        let row = std::mem::take(&mut self.row);
        (self.held, self.cell.column) = (0, 0);
        match &self.headers {
            Some(headers) => {
                self.rows += 1;
                let header = |column: u32| {
                    let found = headers.binary_search_by_key(&column, |&(column, _)| column);
                    found.ok().and_then(|at| headers.get(at)).map_or("", |(_, header)| header)
                };
                table::labelled(row.iter().map(|(column, cell)| (header(*column), cell)), writer)
            }
            None if row.len() > 1 => {
                self.headers = Some(row);
                Ok(())
            }
            None => table::labelled(row.iter().map(|(_, cell)| ("", cell)), writer),
        }
    }
}

/// The number of the column that a place such as `AB12` lies in.
fn column(place: &str) -> Option<u32> {
    let mut column = 0u32;
    for letter in place.bytes().take_while(u8::is_ascii_alphabetic) {
        column = column.checked_mul(26)?.checked_add(u32::from(letter.to_ascii_uppercase() - b'A') + 1)?;
    }
    Some(column)
}
