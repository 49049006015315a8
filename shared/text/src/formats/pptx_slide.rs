//! The walk through one slide: its title, the lines of its shapes and its tables.

use std::io::BufRead;

use super::xml::{Element, Token, Xml};
use crate::error::Error;
use crate::writer::Writer;

/// A copy of a shape for programs that cannot show the shape.
const FALLBACK: &str = "Fallback";
/// Placeholders that say the same on every slide, or nothing.
const REPEATED: [&str; 5] = ["sldNum", "dt", "ftr", "hdr", "sldImg"];

pub(crate) enum Block {
    /// Where a shape begins: its lines belong together.
    Shape,
    Line(String),
    Table(Vec<Vec<String>>),
}

#[derive(Default)]
pub(crate) struct Slide {
    pub(crate) title: String,
    pub(crate) blocks: Vec<Block>,
    /// The lines that a page of notes adds to the picture of its slide.
    pub(crate) notes: Vec<String>,
    pub(crate) hidden: bool,
    placeholder: Option<String>,
    line: Option<String>,
    table: Option<Vec<Vec<String>>>,
    /// How many elements are open within one whose content is skipped, itself included.
    skipped: usize,
}

impl Slide {
    pub(crate) fn read(xml: &mut Xml<impl BufRead>, writer: &mut Writer) -> Result<Self, Error> {
        let mut slide = Self::default();
        let mut held = 0;
        loop {
            match xml.next(writer)? {
                Token::Open(element) if slide.skipped > 0 || is_skipped(&element) => slide.skipped += 1,
                Token::Open(element) => slide.open(&element),
                Token::Close(_) if slide.skipped > 0 => slide.skipped -= 1,
                Token::Close(name) => slide.close(name),
                Token::Text { text, parent: "t" } if slide.skipped == 0 => {
                    held += text.len();
                    writer.meter.output(held)?;
                    slide.line.iter_mut().for_each(|line| line.push_str(&text));
                }
                Token::Text { .. } => {}
                Token::End => return Ok(slide),
            }
        }
    }

    fn open(&mut self, element: &Element) {
        match element.name {
            "sld" => self.hidden = element.attribute("show").is_some_and(|show| matches!(show.as_str(), "0" | "false")),
            "sp" | "graphicFrame" | "pt" => {
                self.placeholder = None;
                self.blocks.push(Block::Shape);
            }
            "ph" => self.placeholder = element.attribute("type"),
            "p" => self.line = Some(String::new()),
            "br" if element.parent == "p" => self.line.iter_mut().for_each(|line| line.push('\n')),
            "tbl" => self.table = Some(Vec::new()),
            "tr" => self.table.iter_mut().for_each(|rows| rows.push(Vec::new())),
            "tc" => self.row().into_iter().for_each(|row| row.push(String::new())),
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "p" => {
                if let Some(line) = self.line.take().filter(|line| !line.trim().is_empty()) {
                    self.finish(line.trim());
                }
            }
            "tbl" => self.blocks.extend(self.table.take().map(Block::Table)),
            _ => {}
        }
    }

    fn row(&mut self) -> Option<&mut Vec<String>> {
        self.table.as_mut()?.last_mut()
    }

    fn finish(&mut self, line: &str) {
        if let Some(cell) = self.row().and_then(|row| row.last_mut()) {
            append(cell, line);
            return;
        }
        match self.placeholder.as_deref() {
            Some("title" | "ctrTitle") => append(&mut self.title, line),
            Some(kind) if REPEATED.contains(&kind) => {}
            kind => {
                if kind == Some("body") {
                    self.notes.push(line.to_owned());
                }
                self.blocks.push(Block::Line(line.to_owned()));
            }
        }
    }
}

fn append(text: &mut String, more: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(more);
}

/// Fields hold numbers and dates that the program fills in.
fn is_skipped(element: &Element) -> bool {
    let counted = |kind: String| kind.starts_with("slidenum") || kind.starts_with("datetime");
    element.name == FALLBACK || (element.name == "fld" && element.attribute("type").is_some_and(counted))
}
