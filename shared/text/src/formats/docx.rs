//! Word documents: the zip parts that hold text, and the styles that say which paragraph is a heading.

use std::collections::HashMap;
use std::io::BufRead;

use super::archive;
use super::docx_body::Body;
use super::opc;
use super::xml::{Element, Token, Xml};
use crate::error::Error;
use crate::writer::Writer;

pub(crate) fn read(bytes: &[u8], writer: &mut Writer) -> Result<(), Error> {
    let mut archive = archive::open(bytes)?;
    writer.title = opc::title(&mut archive, writer);
    let styles = match archive.index("word/styles.xml", &writer.meter)? {
        Some(mut xml) => heading_styles(&mut xml, writer)?,
        None => HashMap::new(),
    };
    let Some(mut main) = archive.xml("word/document.xml", &writer.meter)? else {
        return Err(Error::corrupt("The Word document has no main part."));
    };
    Body::new(&styles).read(&mut main, writer)?;
    drop(main);
    for part in ["word/footnotes.xml", "word/endnotes.xml"] {
        if let Some(mut xml) = archive.xml(part, &writer.meter)? {
            Body::new(&styles).read(&mut xml, writer)?;
        }
    }
    Ok(())
}

/// Style id to heading level. The id is translated in localised versions of Word; the name never is.
fn heading_styles(xml: &mut Xml<impl BufRead>, writer: &mut Writer) -> Result<HashMap<String, u8>, Error> {
    let mut levels = HashMap::new();
    let mut style = String::new();
    loop {
        match xml.next(writer)? {
            Token::Open(element) => match element.name {
                "style" => style = element.attribute("styleId").unwrap_or_default(),
                "name" => {
                    let name = element.attribute("val").unwrap_or_default().to_lowercase();
                    if let Some(level) = level_by_name(&name) {
                        levels.insert(style.clone(), level);
                    }
                }
                "outlineLvl" => {
                    if let Some(level) = outline_level(&element) {
                        levels.entry(style.clone()).or_insert(level);
                    }
                }
                _ => {}
            },
            Token::End => return Ok(levels),
            _ => {}
        }
    }
}

pub(crate) fn outline_level(element: &Element) -> Option<u8> {
    let level: u8 = element.attribute("val")?.parse().ok()?;
    (level < 9).then_some(level + 1)
}

/// `heading 2`, `Heading2` and `Title` by name or, for documents without a styles part, by id.
pub(crate) fn level_by_name(name: &str) -> Option<u8> {
    let lower = name.to_lowercase();
    if lower == "title" {
        return Some(1);
    }
    let level: u8 = lower.strip_prefix("heading")?.trim().parse().ok()?;
    (1..=9).contains(&level).then_some(level)
}
