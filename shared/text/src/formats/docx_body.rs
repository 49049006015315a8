//! The walk through a Word part: paragraphs, headings, list items and tables, in reading order.

use std::collections::HashMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::docx::{attribute, level_by_name, next_event, outline_level, resolve};
use super::table;
use crate::budget::limits;
use crate::error::Error;
use crate::writer::Writer;

/// Copies of text that stand elsewhere (a drawing's fallback) or no longer stand at all (the origin of a move).
const SKIPPED: [&str; 3] = ["Fallback", "moveFrom", "instrText"];

#[derive(Default)]
struct Paragraph {
    text: String,
    level: Option<u8>,
    list: bool,
}

#[derive(Default)]
struct Table {
    rows: Vec<Vec<String>>,
}

pub(crate) struct Body<'s> {
    styles: &'s HashMap<String, u8>,
    open: Vec<String>,
    /// Text boxes put paragraphs inside paragraphs.
    paragraphs: Vec<Paragraph>,
    tables: Vec<Table>,
    /// How deep the element lies whose content is skipped.
    skipped_from: Option<usize>,
    last_was_list: bool,
}

impl<'s> Body<'s> {
    pub(crate) fn new(styles: &'s HashMap<String, u8>) -> Self {
        Self {
            styles,
            open: Vec::new(),
            paragraphs: Vec::new(),
            tables: Vec::new(),
            skipped_from: None,
            last_was_list: false,
        }
    }

    pub(crate) fn read(mut self, xml: &str, writer: &mut Writer) -> Result<(), Error> {
        let mut reader = Reader::from_str(xml);
        loop {
            match next_event(&mut reader, writer)? {
                Event::Start(element) => {
                    self.start(&element);
                    self.open.push(element.local_name().as_ref().to_owned());
                    writer.meter.depth(self.open.len(), limits::XML_DEPTH)?;
                }
                Event::Empty(element) => {
                    self.start(&element);
                    self.end(element.local_name().as_ref(), writer)?;
                }
                Event::End(element) => {
                    self.open.pop();
                    if self.skipped_from.is_some_and(|depth| self.open.len() <= depth) {
                        self.skipped_from = None;
                    } else {
                        self.end(element.local_name().as_ref(), writer)?;
                    }
                }
                Event::Text(text) => self.text(&text),
                Event::CData(text) => self.text(&text),
                Event::GeneralRef(reference) => self.text(&resolve(&reference)),
                Event::Eof if self.open.is_empty() => return Ok(()),
                Event::Eof => return Err(Error::corrupt("The Word document ends in the middle.")),
                _ => {}
            }
        }
    }

    fn parent(&self) -> &str {
        self.open.last().map_or("", String::as_str)
    }

    fn text(&mut self, text: &str) {
        if self.skipped_from.is_none() && self.parent() == "t" {
            self.append(text);
        }
    }

    fn append(&mut self, text: &str) {
        if let Some(paragraph) = self.paragraphs.last_mut() {
            paragraph.text.push_str(text);
        }
    }

    fn start(&mut self, element: &BytesStart) {
        let name = element.local_name();
        let name = name.as_ref();
        if self.skipped_from.is_some() {
            return;
        }
        if SKIPPED.contains(&name) {
            self.skipped_from = Some(self.open.len());
            return;
        }
        match name {
            "p" => self.paragraphs.push(Paragraph::default()),
            "tbl" => self.tables.push(Table::default()),
            "tr" => self.tables.iter_mut().last().into_iter().for_each(|table| table.rows.push(Vec::new())),
            "tc" => self.row().into_iter().for_each(|row| row.push(String::new())),
            // A tab in paragraph properties is a tab stop, not a character.
            "tab" | "ptab" if self.parent() == "r" => self.append("\t"),
            "br" | "cr" if self.parent() == "r" => self.append("\n"),
            "noBreakHyphen" => self.append("-"),
            "pStyle" => {
                let style = attribute(element, "val").unwrap_or_default();
                let level = self.styles.get(&style).copied().or_else(|| level_by_name(&style));
                self.paragraphs.iter_mut().last().into_iter().for_each(|paragraph| paragraph.level = level);
            }
            "outlineLvl" => {
                let level = outline_level(element);
                self.paragraphs.iter_mut().last().into_iter().for_each(|paragraph| paragraph.level = level);
            }
            "numPr" => self.paragraphs.iter_mut().last().into_iter().for_each(|paragraph| paragraph.list = true),
            _ => {}
        }
    }

    fn row(&mut self) -> Option<&mut Vec<String>> {
        self.tables.last_mut()?.rows.last_mut()
    }

    fn end(&mut self, name: &str, writer: &mut Writer) -> Result<(), Error> {
        if self.skipped_from.is_some_and(|depth| self.open.len() <= depth) {
            // An empty element that would have been skipped ends at once.
            self.skipped_from = None;
            return Ok(());
        }
        if self.skipped_from.is_some() {
            return Ok(());
        }
        match name {
            "p" => self.paragraphs.pop().map_or(Ok(()), |paragraph| self.write(&paragraph, writer)),
            "tbl" => self.tables.pop().map_or(Ok(()), |table| self.write_table(table, writer)),
            _ => Ok(()),
        }
    }

    fn write(&mut self, paragraph: &Paragraph, writer: &mut Writer) -> Result<(), Error> {
        let text = paragraph.text.trim();
        if text.is_empty() {
            return Ok(());
        }
        if let Some(cell) = self.row().and_then(|row| row.last_mut()) {
            if !cell.is_empty() {
                cell.push(' ');
            }
            cell.push_str(text);
            return Ok(());
        }
        if let Some(level) = paragraph.level {
            self.last_was_list = false;
            return writer.heading(level, text);
        }
        if paragraph.list && self.last_was_list {
            writer.line()
        } else {
            writer.blank()
        }
        if paragraph.list {
            writer.push("- ")?;
        }
        self.last_was_list = paragraph.list;
        writer.push(text)?;
        writer.line();
        Ok(())
    }

    fn write_table(&mut self, table: Table, writer: &mut Writer) -> Result<(), Error> {
        self.last_was_list = false;
        if let Some(cell) = self.row().and_then(|row| row.last_mut()) {
            // A table within a cell becomes part of the cell's text.
            for words in table.rows.iter().flatten().flat_map(|cell| cell.split_whitespace()) {
                cell.push(' ');
                cell.push_str(words);
            }
            return Ok(());
        }
        writer.blank();
        table::rows(&table.rows, writer)?;
        writer.blank();
        Ok(())
    }
}
