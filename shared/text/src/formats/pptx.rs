//! Presentations: every slide is a page, headed by its title, with its tables as rows and its speaker's notes.

use std::collections::{HashMap, HashSet};

use super::archive::{self, Archive};
use super::opc::{self, Relation};
use super::pptx_slide::{Block, Slide};
use super::table;
use super::xml::Token;
use crate::error::Error;
use crate::writer::Writer;

const MAIN: &str = "ppt/presentation.xml";

pub(crate) fn read(bytes: &[u8], writer: &mut Writer) -> Result<(), Error> {
    let mut archive = archive::open(bytes)?;
    writer.title = opc::title(&mut archive, writer);
    let relations = opc::relations(&mut archive, MAIN, writer)?;
    let ids = slide_ids(&mut archive, writer)?;
    // A slide is shown once, however often a file made to hurt lists it.
    let mut seen = HashSet::new();
    let mut hidden = 0u64;
    for (number, id) in (1u32..).zip(&ids) {
        let Some(Relation { target, .. }) = relations.get(id) else { continue };
        let Some(slide) = slide(&mut archive, target, &mut seen, writer)? else { continue };
        if slide.hidden {
            hidden += 1;
            continue;
        }
        let relations = opc::relations(&mut archive, target, writer)?;
        let diagrams = parts(&relations, "diagramData");
        writer.begin_page(number);
        write(&slide, writer)?;
        for target in diagrams {
            if let Some(diagram) = self::slide(&mut archive, target, &mut seen, writer)? {
                write(&diagram, writer)?;
            }
        }
        for target in parts(&relations, "notesSlide") {
            if let Some(notes) = self::slide(&mut archive, target, &mut seen, writer)? {
                write_notes(&notes, writer)?;
            }
        }
        writer.end_page();
        writer.pause()?;
    }
    if hidden > 0 {
        writer.note(format!("{hidden} hidden slides were left out."));
    }
    Ok(())
}

fn slide_ids(archive: &mut Archive, writer: &mut Writer) -> Result<Vec<String>, Error> {
    let Some(mut xml) = archive.index(MAIN, &writer.meter)? else {
        return Err(Error::corrupt("The presentation has no main part."));
    };
    let mut ids = Vec::new();
    loop {
        match xml.next(writer)? {
            Token::Open(element) if element.name == "sldId" => ids.extend(element.prefixed("id")),
            Token::End => return Ok(ids),
            _ => {}
        }
    }
}

/// The parts of a kind that a slide refers to, in a stable order.
fn parts<'r>(relations: &'r HashMap<String, Relation>, kind: &str) -> Vec<&'r String> {
    let mut targets: Vec<&String> =
        relations.values().filter(|relation| relation.kind == kind).map(|relation| &relation.target).collect();
    targets.sort();
    targets
}

fn slide(
    archive: &mut Archive,
    part: &str,
    seen: &mut HashSet<String>,
    writer: &mut Writer,
) -> Result<Option<Slide>, Error> {
    if !seen.insert(part.to_owned()) {
        return Ok(None);
    }
    let Some(mut xml) = archive.xml(part, &writer.meter)? else { return Ok(None) };
    Slide::read(&mut xml, writer).map(Some)
}

fn write(slide: &Slide, writer: &mut Writer) -> Result<(), Error> {
    if !slide.title.is_empty() {
        writer.heading(1, &slide.title)?;
    }
    for block in &slide.blocks {
        match block {
            Block::Shape => writer.blank(),
            Block::Line(text) => {
                writer.line();
                writer.push(text)?;
            }
            Block::Table(rows) => {
                writer.blank();
                table::rows(rows, writer)?;
                writer.blank();
            }
        }
    }
    Ok(())
}

fn write_notes(notes: &Slide, writer: &mut Writer) -> Result<(), Error> {
    writer.blank();
    for (at, line) in notes.notes.iter().enumerate() {
        writer.line();
        if at == 0 {
            writer.push("Notes: ")?;
        }
        writer.push(line)?;
    }
    Ok(())
}
