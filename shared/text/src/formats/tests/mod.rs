//! What each of the newer formats makes of small documents, and where its limits are.

use std::io::{Cursor, Write};

use zip::write::{SimpleFileOptions, ZipWriter};

use crate::budget::Budget;
use crate::error::Error;
use crate::extract::{Extract, extract};

mod deadlines;
mod eml;
mod epub;
mod markdown;
pub(crate) mod pdf;
mod pptx;
mod tables;
pub(crate) mod xlsx;
mod xml;

fn read(name: &str, bytes: impl AsRef<[u8]>) -> Result<Extract, Error> {
    extract(bytes.as_ref(), name, None, &Budget::default())
}

fn code(name: &str, bytes: impl AsRef<[u8]>) -> &'static str {
    read(name, bytes).map_or_else(|error| error.code(), |_| "ok")
}

pub(crate) fn archive<T: AsRef<[u8]>>(entries: &[(&str, T)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content.as_ref()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// The part that says what `part` refers to: ids, kinds and targets.
fn relations(given: &[(&str, &str, &str)]) -> String {
    let each = |(id, kind, target): &(&str, &str, &str)| {
        format!(r#"<Relationship Id="{id}" Type="http://schemas/relationships/{kind}" Target="{target}"/>"#)
    };
    format!("<Relationships>{}</Relationships>", given.iter().map(each).collect::<String>())
}

/// The text of every page.
fn pages(extract: &Extract) -> Vec<(u32, &str)> {
    extract.pages.iter().map(|page| (page.number, &extract.text[page.start..page.end])).collect()
}
