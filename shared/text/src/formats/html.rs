//! HTML as a reader sees it: title, headings, paragraphs, lists and tables; no scripts, menus or hidden text.

use super::html_attributes::{attribute, is_hidden};
use super::html_tokens::{Token, Tokens, decode_references};
use super::table;
use crate::budget::limits;
use crate::charset;
use crate::error::Error;
use crate::writer::Writer;

/// A page must name its character set within its first kilobyte.
const META_BYTES: usize = 1024;

pub(crate) fn read(bytes: &[u8], declared: Option<&str>, writer: &mut Writer) -> Result<(), Error> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(META_BYTES)]).into_owned();
    let declared = declared.filter(|declared| charset::declared_encoding(declared).is_some());
    let html = charset::decode(bytes, Some(declared.unwrap_or(&head)), writer)?;
    write(&html, writer)
}

/// Writes a page, or a fragment of one, as text.
pub(crate) fn write(html: &str, writer: &mut Writer) -> Result<(), Error> {
    walk(html, Page { strict: html.trim_start().starts_with("<?xml"), ..Page::default() }, writer)
}

/// Writes a page of XHTML.
pub(crate) fn write_strict(html: &str, writer: &mut Writer) -> Result<(), Error> {
    walk(html, Page { strict: true, ..Page::default() }, writer)
}

fn walk(html: &str, mut page: Page, writer: &mut Writer) -> Result<(), Error> {
    for token in Tokens::new(html) {
        writer.meter.node()?;
        match token {
            Token::Text(text) => page.text(text, writer)?,
            Token::Open { name, attributes, closed } => page.open(&name, attributes, closed, writer)?,
            Token::Close(name) => page.close(&name, writer)?,
        }
    }
    page.close_to(0, writer)
}

/// Content that is not for readers of the text.
const DROPPED: [&str; 17] = [
    "script", "style", "nav", "template", "svg", "math", "iframe", "object", "canvas", "noscript", "select", "button",
    "dialog", "audio", "video", "noembed", "noframes",
];
const VOID: [&str; 14] =
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"];
/// Elements whose next sibling closes them when their own end tag is left out.
const IMPLIED_END: [&str; 9] = ["p", "li", "dt", "dd", "tr", "td", "th", "option", "thead"];
const PARAGRAPHS: [&str; 12] =
    ["p", "ul", "ol", "dl", "table", "pre", "blockquote", "section", "article", "main", "figure", "details"];
const LINES: [&str; 15] = [
    "div",
    "li",
    "dt",
    "dd",
    "tr",
    "header",
    "footer",
    "aside",
    "address",
    "summary",
    "figcaption",
    "caption",
    "form",
    "fieldset",
    "body",
];

#[derive(Default)]
struct Table {
    rows: Vec<Vec<String>>,
    has_headers: bool,
}

#[derive(Default)]
struct Page {
    /// Whether any element may end itself, as in XHTML.
    strict: bool,
    open: Vec<String>,
    dropped_from: Option<usize>,
    heading: Option<(u8, String)>,
    tables: Vec<Table>,
    lists: Vec<Option<u64>>,
}

impl Page {
    fn inside(&self, name: &str) -> bool {
        self.open.iter().any(|open| open == name)
    }

    fn cell(&mut self) -> Option<&mut String> {
        self.tables.last_mut()?.rows.last_mut()?.last_mut()
    }

    fn text(&mut self, text: &str, writer: &mut Writer) -> Result<(), Error> {
        if self.open.last().is_some_and(|open| open == "title") {
            if writer.title.is_none() && !self.inside("svg") {
                writer.title = Some(decode_references(text).into_owned());
            }
            return Ok(());
        }
        if self.dropped_from.is_some() {
            return Ok(());
        }
        let text = decode_references(text);
        let held = self.heading.as_mut().map(|(_, title)| title);
        if let Some(held) = held {
            held.push_str(&text);
            return writer.meter.output(held.len());
        }
        if let Some(cell) = self.cell() {
            cell.push_str(&text);
            return writer.meter.output(cell.len());
        }
        if self.inside("pre") {
            return writer.push(&text);
        }
        if text.starts_with(char::is_whitespace) && !writer.at_line_start() {
            writer.space();
        }
        writer.push_words(&text)?;
        if text.ends_with(char::is_whitespace) && !writer.at_line_start() {
            writer.space();
        }
        Ok(())
    }

    fn open(&mut self, name: &str, attributes: &str, closed: bool, writer: &mut Writer) -> Result<(), Error> {
        if VOID.contains(&name) || (closed && self.dropped_from.is_some()) {
            return self.void(name, attributes, writer);
        }
        if IMPLIED_END.contains(&name) {
            self.imply_end(name, writer)?;
        }
        if self.dropped_from.is_none() {
            if DROPPED.contains(&name) || is_hidden(attributes) {
                self.dropped_from = Some(self.open.len());
            } else {
                self.begin(name, writer)?;
            }
        }
        self.open.push(name.to_owned());
        if closed && self.strict {
            return self.close_to(self.open.len() - 1, writer);
        }
        writer.meter.depth(self.open.len(), limits::HTML_DEPTH)
    }

    fn void(&mut self, name: &str, attributes: &str, writer: &mut Writer) -> Result<(), Error> {
        match name {
            _ if self.dropped_from.is_some() => Ok(()),
            "br" if self.heading.is_none() && self.tables.is_empty() => {
                writer.line();
                Ok(())
            }
            "br" => self.text(" ", writer),
            "hr" => {
                writer.blank();
                Ok(())
            }
            "img" => match attribute(attributes, "alt") {
                Some(alternative) => self.text(&format!(" {alternative} "), writer),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// `<li>` ends the `<li>` before it, unless a list of its own stands between them.
    fn imply_end(&mut self, name: &str, writer: &mut Writer) -> Result<(), Error> {
        let same = |open: &str| match name {
            "td" | "th" => matches!(open, "td" | "th"),
            "dt" | "dd" => matches!(open, "dt" | "dd"),
            _ => open == name,
        };
        let barrier = |open: &str| matches!(open, "ul" | "ol" | "dl" | "table" | "div" | "section" | "blockquote");
        for at in (0..self.open.len()).rev() {
            if same(&self.open[at]) {
                return self.close_to(at, writer);
            }
            if barrier(&self.open[at]) {
                break;
            }
        }
        Ok(())
    }

    fn begin(&mut self, name: &str, writer: &mut Writer) -> Result<(), Error> {
        match name {
            "table" => self.tables.push(Table::default()),
            "tr" => self.tables.iter_mut().last().into_iter().for_each(|table| table.rows.push(Vec::new())),
            "td" | "th" => self.begin_cell(name),
            "ul" => self.lists.push(None),
            "ol" => self.lists.push(Some(1)),
            _ => {}
        }
        if let Some(level) = heading_level(name) {
            if self.tables.is_empty() {
                self.heading.get_or_insert((level, String::new()));
            }
            return Ok(());
        }
        self.separate(name, writer)?;
        if name == "li" && self.tables.is_empty() && self.heading.is_none() {
            let marker = match self.lists.last_mut() {
                Some(Some(number)) => {
                    *number += 1;
                    format!("{}. ", *number - 1)
                }
                _ => "- ".to_owned(),
            };
            writer.push(&marker)?;
        }
        Ok(())
    }

    fn begin_cell(&mut self, name: &str) {
        let Some(table) = self.tables.last_mut() else { return };
        table.has_headers |= name == "th" && table.rows.len() == 1;
        if let Some(row) = table.rows.last_mut() {
            row.push(String::new());
        }
    }

    /// The white space that a block puts before and after itself.
    fn separate(&mut self, name: &str, writer: &mut Writer) -> Result<(), Error> {
        let paragraph = PARAGRAPHS.contains(&name);
        if !paragraph && !LINES.contains(&name) {
            return Ok(());
        }
        if self.heading.is_some() || !self.tables.is_empty() {
            return self.text(" ", writer);
        }
        let nested_list = matches!(name, "ul" | "ol") && self.lists.len() > 1;
        let after_marker = name == "p" && self.inside("li");
        if after_marker || nested_list || !paragraph {
            writer.line_unless_marker()
        } else {
            writer.blank()
        }
        Ok(())
    }

    fn close(&mut self, name: &str, writer: &mut Writer) -> Result<(), Error> {
        match self.open.iter().rposition(|open| open == name) {
            Some(at) => self.close_to(at, writer),
            None => Ok(()),
        }
    }

    fn close_to(&mut self, depth: usize, writer: &mut Writer) -> Result<(), Error> {
        while self.open.len() > depth {
            let Some(name) = self.open.pop() else { break };
            match self.dropped_from {
                Some(from) if self.open.len() <= from => self.dropped_from = None,
                Some(_) => {}
                None => self.finish(&name, writer)?,
            }
        }
        Ok(())
    }

    fn finish(&mut self, name: &str, writer: &mut Writer) -> Result<(), Error> {
        if heading_level(name).is_some() {
            return self.heading.take().map_or(Ok(()), |(level, title)| writer.heading(level, &title));
        }
        if name == "table"
            && let Some(table) = self.tables.pop()
        {
            return self.finish_table(&table, writer);
        }
        self.separate(name, writer)?;
        if matches!(name, "ul" | "ol") {
            self.lists.pop();
        }
        Ok(())
    }

    fn finish_table(&mut self, table: &Table, writer: &mut Writer) -> Result<(), Error> {
        if let Some(cell) = self.cell() {
            for inner in table.rows.iter().flatten() {
                cell.push(' ');
                cell.push_str(inner);
            }
            return writer.meter.output(cell.len());
        }
        writer.blank();
        if table.has_headers {
            table::rows(&table.rows, writer)?;
        } else {
            table.rows.iter().try_for_each(|row| table::row(&[], row, writer))?;
        }
        writer.blank();
        Ok(())
    }
}

fn heading_level(name: &str) -> Option<u8> {
    match name.as_bytes() {
        [b'h', level @ b'1'..=b'6'] => Some(level - b'0'),
        _ => None,
    }
}
