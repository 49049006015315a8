//! Markdown as a reader sees it: headings, code, lists and tables keep their shape, markup goes.

use pulldown_cmark::{CodeBlockKind, Event, MetadataBlockKind, Options, Parser, Tag, TagEnd};

use super::html;
use super::markdown_pieces::pieces;
use super::table::Table;
use crate::budget::limits;
use crate::charset;
use crate::error::Error;
use crate::writer::Writer;

pub(crate) fn read(bytes: &[u8], writer: &mut Writer) -> Result<(), Error> {
    let text = charset::decode(bytes, None, writer)?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(&text);
    let mut options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    for piece in pieces(text)? {
        write(piece, options, writer)?;
        // Front matter stands in front.
        options.remove(Options::ENABLE_YAML_STYLE_METADATA_BLOCKS);
    }
    Ok(())
}

fn write(text: &str, options: Options, writer: &mut Writer) -> Result<(), Error> {
    writer.meter.time()?;
    let mut page = Markdown::default();
    for event in Parser::new_ext(text, options) {
        writer.meter.node()?;
        match event {
            Event::Start(tag) => {
                page.depth += 1;
                writer.meter.depth(page.depth, limits::MARKDOWN_DEPTH)?;
                page.start(tag, writer)?;
            }
            Event::End(tag) => {
                page.depth = page.depth.saturating_sub(1);
                page.end(tag, writer)?;
            }
            event => page.inline(event, writer)?,
        }
    }
    Ok(())
}

#[derive(Default)]
struct Markdown {
    depth: usize,
    /// Text that is not written before its element ends: a heading, a table cell, front matter, HTML.
    held: Option<String>,
    table: Table,
    lists: Vec<Option<u64>>,
    /// Addresses of open links, with the place where their text began.
    links: Vec<(String, String)>,
    tight_start: bool,
}

impl Markdown {
    fn push(&mut self, text: &str, writer: &mut Writer) -> Result<(), Error> {
        if let Some((_, label)) = self.links.last_mut() {
            label.push_str(text);
        }
        self.tight_start = false;
        match &mut self.held {
            Some(held) => {
                held.push_str(text);
                writer.meter.output(held.len())
            }
            None => writer.push(text),
        }
    }

    fn start(&mut self, tag: Tag, writer: &mut Writer) -> Result<(), Error> {
        match tag {
            Tag::Heading { .. } | Tag::HtmlBlock | Tag::MetadataBlock(_) | Tag::TableCell => {
                self.held = Some(String::new());
            }
            Tag::Table(_) => {
                writer.blank();
                self.table = Table::default();
            }
            Tag::TableHead | Tag::TableRow => self.table.begin_row(),
            Tag::List(first) => {
                if self.lists.is_empty() {
                    writer.blank()
                } else {
                    writer.line()
                }
                self.lists.push(first);
            }
            Tag::Item => self.item(writer)?,
            // The first paragraph of a list item stands on the marker's line.
            Tag::Paragraph if !self.tight_start => writer.blank(),
            Tag::CodeBlock(kind) => {
                writer.blank();
                if let CodeBlockKind::Fenced(info) = kind
                    && info.contains('=')
                {
                    // An info string with attributes usually names the file.
                    writer.push_words(&info)?;
                    writer.line();
                }
            }
            Tag::FootnoteDefinition(label) => {
                writer.blank();
                writer.push(&format!("[{label}] "))?;
                self.tight_start = true;
            }
            Tag::Link { dest_url, .. } => self.links.push((dest_url.into_string(), String::new())),
            _ => {}
        }
        Ok(())
    }

    fn item(&mut self, writer: &mut Writer) -> Result<(), Error> {
        writer.line();
        writer.push(&"  ".repeat(self.lists.len().saturating_sub(1).min(8)))?;
        match self.lists.last_mut() {
            Some(Some(number)) => {
                writer.push(&format!("{number}. "))?;
                *number += 1;
            }
            _ => writer.push("- ")?,
        }
        self.tight_start = true;
        Ok(())
    }

    fn end(&mut self, tag: TagEnd, writer: &mut Writer) -> Result<(), Error> {
        match tag {
            TagEnd::Heading(level) => writer.heading(level as u8, &self.held.take().unwrap_or_default())?,
            TagEnd::HtmlBlock => html::write(&self.held.take().unwrap_or_default(), writer)?,
            TagEnd::MetadataBlock(kind) => self.metadata(kind, writer),
            TagEnd::TableCell => {
                let text = self.held.take().unwrap_or_default();
                self.table.begin_cell()?;
                self.table.cell().into_iter().for_each(|cell| cell.clone_from(&text));
            }
            TagEnd::TableHead | TagEnd::TableRow => self.table.end_row(writer)?,
            TagEnd::Table => {
                std::mem::take(&mut self.table).finish(writer)?;
                writer.blank();
            }
            TagEnd::List(_) => {
                self.lists.pop();
                if self.lists.is_empty() {
                    writer.blank();
                }
            }
            TagEnd::Item | TagEnd::CodeBlock => {
                writer.line();
                self.tight_start = false;
            }
            TagEnd::Paragraph => {
                if self.lists.is_empty() {
                    writer.blank()
                } else {
                    writer.line()
                }
                writer.pause()?;
            }
            TagEnd::Link => {
                if let Some((address, label)) = self.links.pop()
                    && address.starts_with("http")
                    && address != label
                {
                    self.push(&format!(" ({address})"), writer)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn inline(&mut self, event: Event, writer: &mut Writer) -> Result<(), Error> {
        match event {
            Event::Text(text) | Event::Code(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                self.push(&text, writer)
            }
            Event::Html(text) => self.push(&text, writer),
            Event::InlineHtml(tag) if tag.to_ascii_lowercase().starts_with("<br") => self.push("\n", writer),
            Event::SoftBreak | Event::HardBreak => self.push("\n", writer),
            Event::FootnoteReference(label) => self.push(&format!("[{label}]"), writer),
            Event::TaskListMarker(done) => self.push(if done { "[x] " } else { "[ ] " }, writer),
            Event::Rule => {
                writer.blank();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Only the title of front matter is for readers.
    fn metadata(&mut self, kind: MetadataBlockKind, writer: &mut Writer) {
        let block = self.held.take().unwrap_or_default();
        if kind == MetadataBlockKind::YamlStyle {
            let title = block.lines().find_map(|line| line.strip_prefix("title:"));
            writer.title = title.map(|title| title.trim().trim_matches(['"', '\'']).to_owned());
        }
    }
}
