//! The walk through a Word part: paragraphs, headings, list items and tables, in reading order.

use std::collections::HashMap;
use std::io::BufRead;

use super::docx::{level_by_name, outline_level};
use super::table::Table;
use super::xml::{Element, Token, Xml};
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

pub(crate) struct Body<'s> {
    styles: &'s HashMap<String, u8>,
    /// Text boxes put paragraphs inside paragraphs.
    paragraphs: Vec<Paragraph>,
    tables: Vec<Table>,
    /// How many elements are open within one whose content is skipped, itself included.
    skipped: usize,
    last_was_list: bool,
}

impl<'s> Body<'s> {
    pub(crate) fn new(styles: &'s HashMap<String, u8>) -> Self {
        Self { styles, paragraphs: Vec::new(), tables: Vec::new(), skipped: 0, last_was_list: false }
    }

    pub(crate) fn read(mut self, xml: &mut Xml<impl BufRead>, writer: &mut Writer) -> Result<(), Error> {
        loop {
            match xml.next(writer)? {
                Token::Open(element) if self.skipped > 0 || SKIPPED.contains(&element.name) => self.skipped += 1,
                Token::Open(element) => self.start(&element, writer)?,
                Token::Close(_) if self.skipped > 0 => self.skipped -= 1,
                Token::Close(name) => self.end(name, writer)?,
                Token::Text { text, parent: "t" } if self.skipped == 0 => self.append(&text),
                Token::Text { .. } => {}
                Token::End => return Ok(()),
            }
        }
    }

    fn append(&mut self, text: &str) {
        if let Some(paragraph) = self.paragraphs.last_mut() {
            paragraph.text.push_str(text);
        }
    }

    fn start(&mut self, element: &Element, writer: &mut Writer) -> Result<(), Error> {
        let inside_run = element.parent == "r";
        match element.name {
            "p" => self.paragraphs.push(Paragraph::default()),
            "tbl" => {
                if self.tables.is_empty() {
                    writer.blank();
                }
                self.last_was_list = false;
                self.tables.push(Table::default());
            }
            "tr" => self.tables.iter_mut().last().into_iter().for_each(Table::begin_row),
            "tc" => self.tables.iter_mut().last().map_or(Ok(()), Table::begin_cell)?,
            // A tab in paragraph properties is a tab stop, not a character.
            "tab" | "ptab" if inside_run => self.append("\t"),
            "br" | "cr" if inside_run => self.append("\n"),
            "noBreakHyphen" => self.append("-"),
            "pStyle" => {
                let style = element.attribute("val").unwrap_or_default();
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
        Ok(())
    }

    fn cell(&mut self) -> Option<&mut String> {
        self.tables.last_mut()?.cell()
    }

    fn end(&mut self, name: &str, writer: &mut Writer) -> Result<(), Error> {
        match name {
            "p" => self.paragraphs.pop().map_or(Ok(()), |paragraph| self.write(&paragraph, writer)),
            "tr" => self.end_row(writer),
            "tbl" => {
                self.end_row(writer)?;
                match self.tables.pop() {
                    Some(table) if self.tables.is_empty() => {
                        table.finish(writer)?;
                        writer.blank();
                        Ok(())
                    }
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    fn write(&mut self, paragraph: &Paragraph, writer: &mut Writer) -> Result<(), Error> {
        let text = paragraph.text.trim();
        if text.is_empty() {
            return Ok(());
        }
        if let Some(cell) = self.cell() {
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
        writer.pause()
    }

    /// A row of a table within a cell becomes part of the cell's text.
    fn end_row(&mut self, writer: &mut Writer) -> Result<(), Error> {
        let nested = self.tables.len() > 1;
        let Some(table) = self.tables.last_mut() else { return Ok(()) };
        if !nested {
            return table.end_row(writer);
        }
        let cells = table.take_row();
        let outer = self.tables.len() - 2;
        let Some(cell) = self.tables.get_mut(outer).and_then(Table::cell) else { return Ok(()) };
        for words in cells.iter().flat_map(|cell| cell.split_whitespace()) {
            cell.push(' ');
            cell.push_str(words);
        }
        writer.meter.output(cell.len())
    }
}
