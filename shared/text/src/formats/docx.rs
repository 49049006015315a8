//! Word documents: the zip parts that hold text, and the styles that say which paragraph is a heading.

use std::collections::HashMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::archive;
use super::docx_body::Body;
use crate::error::Error;
use crate::writer::Writer;

pub(crate) fn read(bytes: &[u8], writer: &mut Writer) -> Result<(), Error> {
    let mut archive = archive::open(bytes)?;
    let core = archive::text(&mut archive, "docProps/core.xml", &writer.meter)?;
    let styles = archive::text(&mut archive, "word/styles.xml", &writer.meter)?;
    let styles = styles.map_or_else(|| Ok(HashMap::new()), |xml| heading_styles(&xml, writer))?;
    // A broken properties part costs only the title.
    writer.title = core.and_then(|xml| document_title(&xml, writer).ok().flatten());
    let Some(main) = archive::text(&mut archive, "word/document.xml", &writer.meter)? else {
        return Err(Error::corrupt("The Word document has no main part."));
    };
    Body::new(&styles).read(&main, writer)?;
    for part in ["word/footnotes.xml", "word/endnotes.xml"] {
        if let Some(xml) = archive::text(&mut archive, part, &writer.meter)? {
            Body::new(&styles).read(&xml, writer)?;
        }
    }
    Ok(())
}

/// The next event of a part. Document types are refused: entity definitions have no business in an office file.
pub(crate) fn next_event<'x>(reader: &mut Reader<&'x [u8]>, writer: &mut Writer) -> Result<Event<'x>, Error> {
    writer.meter.node()?;
    match reader.read_event() {
        Ok(Event::DocType(_)) => Err(Error::corrupt("The Word document contains a document type definition.")),
        Ok(event) => Ok(event),
        Err(_) => Err(Error::corrupt("The Word document contains broken XML.")),
    }
}

/// The value of an attribute, whatever prefix its name has.
pub(crate) fn attribute(element: &BytesStart, name: &str) -> Option<String> {
    let found = element.attributes().with_checks(false).flatten().find(|found| found.key.local_name().as_ref() == name);
    found.map(|found| found.value.into_owned())
}

/// The character that `&name;` or `&#number;` stands for; nothing is known beyond what XML itself defines.
pub(crate) fn resolve(reference: &quick_xml::events::BytesRef) -> String {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return character.to_string();
    }
    let name: &str = reference;
    quick_xml::escape::resolve_xml_entity(name).map_or_else(|| format!("&{name};"), str::to_owned)
}

/// Style id to heading level. The id is translated in localised versions of Word; the name never is.
fn heading_styles(xml: &str, writer: &mut Writer) -> Result<HashMap<String, u8>, Error> {
    let mut reader = Reader::from_str(xml);
    let mut levels = HashMap::new();
    let mut style = String::new();
    loop {
        match next_event(&mut reader, writer)? {
            Event::Start(element) | Event::Empty(element) => match element.local_name().as_ref() {
                "style" => style = attribute(&element, "styleId").unwrap_or_default(),
                "name" => {
                    let name = attribute(&element, "val").unwrap_or_default().to_lowercase();
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
            Event::Eof => return Ok(levels),
            _ => {}
        }
    }
}

pub(crate) fn outline_level(element: &BytesStart) -> Option<u8> {
    let level: u8 = attribute(element, "val")?.parse().ok()?;
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

fn document_title(xml: &str, writer: &mut Writer) -> Result<Option<String>, Error> {
    let mut reader = Reader::from_str(xml);
    let mut title: Option<String> = None;
    loop {
        match next_event(&mut reader, writer)? {
            Event::Start(element) if element.local_name().as_ref() == "title" => title = Some(String::new()),
            Event::Text(text) => {
                if let Some(title) = &mut title {
                    title.push_str(&text);
                }
            }
            Event::GeneralRef(reference) => {
                if let Some(title) = &mut title {
                    title.push_str(&resolve(&reference));
                }
            }
            Event::End(element) if element.local_name().as_ref() == "title" => return Ok(title),
            Event::Eof => return Ok(None),
            _ => {}
        }
    }
}
