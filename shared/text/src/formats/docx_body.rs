//! The walk through a Word part: paragraphs, headings, list items and tables, in reading order.

use std::collections::HashMap;
use std::io::BufRead;

use super::docx::{level_by_name, outline_level};
use super::table;
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

#[derive(Default)]
struct Table {
    rows: Vec<Vec<String>>,
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
                Token::Open(element) => self.start(&element),
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

    fn start(&mut self, element: &Element) {
        let inside_run = element.parent == "r";
        match element.name {
            "p" => self.paragraphs.push(Paragraph::default()),
            "tbl" => self.tables.push(Table::default()),
            "tr" => self.tables.iter_mut().last().into_iter().for_each(|table| table.rows.push(Vec::new())),
            "tc" => self.row().into_iter().for_each(|row| row.push(String::new())),
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
    }

    fn row(&mut self) -> Option<&mut Vec<String>> {
        self.tables.last_mut()?.rows.last_mut()
    }

    fn end(&mut self, name: &str, writer: &mut Writer) -> Result<(), Error> {
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
