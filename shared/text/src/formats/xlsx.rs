//! Workbooks: every sheet is a page under its name, every row a line in which each value stands with its header.

use std::collections::HashSet;

use super::archive::{self, Archive};
use super::opc::{self, Relation};
use super::xlsx_formats::Formats;
use super::xlsx_sheet;
use super::xlsx_strings::Strings;
use super::xml::Token;
use crate::error::Error;
use crate::writer::Writer;

const MAIN: &str = "xl/workbook.xml";

/// What the cells of all sheets refer to.
pub(crate) struct Shared {
    pub(crate) strings: Strings,
    pub(crate) formats: Formats,
}

pub(crate) fn read(bytes: &[u8], writer: &mut Writer) -> Result<(), Error> {
    let mut archive = archive::open(bytes)?;
    writer.title = opc::title(&mut archive, writer);
    let relations = opc::relations(&mut archive, MAIN, writer)?;
    let workbook = Workbook::read(&mut archive, writer)?;
    let part =
        |kind: &str| relations.values().find(|relation| relation.kind == kind).map(|found| found.target.as_str());
    let strings = Strings::read(&mut archive, part("sharedStrings").unwrap_or("xl/sharedStrings.xml"), writer)?;
    let mut formats = Formats::read(&mut archive, part("styles").unwrap_or("xl/styles.xml"), writer)?;
    formats.since_1904 = workbook.since_1904;
    let shared = Shared { strings, formats };
    // A sheet is read once, however often a file made to hurt lists it.
    let mut seen = HashSet::new();
    let mut hidden = 0u64;
    for (number, sheet) in (1u32..).zip(&workbook.sheets) {
        let Some(Relation { kind, target }) = relations.get(&sheet.id) else { continue };
        if sheet.hidden || kind != "worksheet" || !seen.insert(target) {
            hidden += u64::from(sheet.hidden);
            continue;
        }
        let Some(mut xml) = archive.xml(target, &writer.meter)? else { continue };
        writer.begin_page(number);
        xlsx_sheet::read(&mut xml, &sheet.name, &shared, writer)?;
        writer.end_page();
    }
    if hidden > 0 {
        writer.note(format!("{hidden} hidden sheets were left out."));
    }
    Ok(())
}

struct Sheet {
    name: String,
    id: String,
    hidden: bool,
}

#[derive(Default)]
struct Workbook {
    sheets: Vec<Sheet>,
    since_1904: bool,
}

impl Workbook {
    fn read(archive: &mut Archive, writer: &mut Writer) -> Result<Self, Error> {
        let Some(mut xml) = archive.index(MAIN, &writer.meter)? else {
            return Err(Error::corrupt("The workbook has no main part."));
        };
        let mut workbook = Self::default();
        loop {
            match xml.next(writer)? {
                Token::Open(element) if element.name == "sheet" => workbook.sheets.push(Sheet {
                    name: element.attribute("name").unwrap_or_default(),
                    id: element.prefixed("id").unwrap_or_default(),
                    hidden: element.attribute("state").is_some_and(|state| state != "visible"),
                }),
                Token::Open(element) if element.name == "workbookPr" => {
                    workbook.since_1904 = element.attribute("date1904").is_some_and(|on| on == "1" || on == "true");
                }
                Token::End => return Ok(workbook),
                _ => {}
            }
        }
    }
}
