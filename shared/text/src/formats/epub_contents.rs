//! The table of contents of an e-book, new (a page of links) or old (NCX): which file is which chapter.

use std::collections::HashMap;

use super::archive::Archive;
use super::epub_package::locate;
use super::html_attributes::attribute;
use super::html_tokens::{Token, Tokens, decode_references};
use crate::error::Error;
use crate::writer::Writer;

/// The names of chapters by their paths.
pub(crate) fn read(archive: &mut Archive, path: &str, writer: &mut Writer) -> Result<HashMap<String, String>, Error> {
    let Some(source) = archive.bytes(path, &writer.meter)? else { return Ok(HashMap::new()) };
    let (source, _, _) = encoding_rs::UTF_8.decode(&source);
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    entries(&source, folder, writer)
}

/// Both kinds of table name a document type, which XML proper refuses here; read as HTML it does no harm.
fn entries(source: &str, folder: &str, writer: &mut Writer) -> Result<HashMap<String, String>, Error> {
    let mut entries = HashMap::new();
    let mut link = None;
    let mut label = String::new();
    for token in Tokens::new(source) {
        writer.meter.node()?;
        match token {
            Token::Open { name, attributes, .. } => match name.as_str() {
                "a" => {
                    link = attribute(attributes, "href");
                    label.clear();
                }
                "navlabel" => label.clear(),
                "content" => add(attribute(attributes, "src"), folder, &mut label, &mut entries),
                _ => {}
            },
            Token::Close(name) if name == "a" => add(link.take(), folder, &mut label, &mut entries),
            Token::Close(_) => {}
            Token::Text(text) => label.push_str(&decode_references(text)),
        }
    }
    Ok(entries)
}

/// The first entry of a file names it; later ones point into it.
fn add(link: Option<String>, folder: &str, label: &mut String, entries: &mut HashMap<String, String>) {
    let label = std::mem::take(label);
    let Some(path) = link.map(|link| locate(folder, &link)) else { return };
    let label = label.split_whitespace().collect::<Vec<_>>().join(" ");
    if !label.is_empty() {
        entries.entry(path).or_insert(label);
    }
}
