//! What all office files of the newer kind share: a title among their properties, and parts that refer to other parts.

use std::collections::HashMap;

use super::archive::Archive;
use super::xml::Token;
use crate::error::Error;
use crate::writer::Writer;

/// The title from the properties. A broken properties part costs only the title.
pub(crate) fn title(archive: &mut Archive, writer: &mut Writer) -> Option<String> {
    let mut xml = archive.index("docProps/core.xml", &writer.meter).ok()??;
    let mut title = String::new();
    loop {
        match xml.next(writer).ok()? {
            Token::Text { text, parent: "title" } => title.push_str(&text),
            Token::Close("title") => return Some(title),
            Token::End => return None,
            _ => {}
        }
    }
}

/// Another part that a part refers to.
pub(crate) struct Relation {
    /// The last word of its kind's address, such as `slide`.
    pub(crate) kind: String,
    pub(crate) target: String,
}

/// What a part refers to, by the ids that stand in it.
pub(crate) fn relations(
    archive: &mut Archive,
    part: &str,
    writer: &mut Writer,
) -> Result<HashMap<String, Relation>, Error> {
    let (folder, file) = part.rsplit_once('/').unwrap_or(("", part));
    let mut relations = HashMap::new();
    let Some(mut xml) = archive.index(&join(folder, &format!("_rels/{file}.rels")), &writer.meter)? else {
        return Ok(relations);
    };
    loop {
        match xml.next(writer)? {
            Token::Open(element) if element.name == "Relationship" => {
                let (Some(id), Some(target)) = (element.attribute("Id"), element.attribute("Target")) else { continue };
                let kind = element.attribute("Type").unwrap_or_default();
                let kind = kind.rsplit('/').next().unwrap_or_default().to_owned();
                relations.insert(id, Relation { kind, target: join(folder, &target) });
            }
            Token::End => return Ok(relations),
            _ => {}
        }
    }
}

/// A path as it is written in a file of `folder`, from the root of the archive.
pub(crate) fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = if path.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
    for part in path.split('/') {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.retain(|part| !part.is_empty() && *part != ".");
    parts.join("/")
}
