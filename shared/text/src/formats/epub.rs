//! E-books: the chapters in reading order, each under its heading or, without one, its entry in the table of contents.

use std::collections::{HashMap, HashSet};

use super::archive::{self, Archive};
use super::epub_contents;
use super::epub_package::Package;
use super::html;
use super::xml::Token;
use crate::error::{Error, ErrorKind};
use crate::writer::Writer;

const CONTAINER: &str = "META-INF/container.xml";
const ENCRYPTION: &str = "META-INF/encryption.xml";
/// These hide fonts from copying; every word of the book is still in the clear.
const FONT_METHODS: [&str; 2] = ["http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"];

pub(crate) fn read(bytes: &[u8], writer: &mut Writer) -> Result<(), Error> {
    let mut archive = archive::open(bytes)?;
    refuse_encrypted(&mut archive, writer)?;
    let main = package_path(&mut archive, writer)?;
    let package = Package::read(&mut archive, &main, writer)?;
    writer.title.clone_from(&package.title);
    let contents = match &package.contents {
        Some(path) => epub_contents::read(&mut archive, path, writer)?,
        None => HashMap::new(),
    };
    // A chapter is read once, however often a file made to hurt lists it.
    let mut seen = HashSet::new();
    for chapter in package.chapters.iter().filter(|chapter| seen.insert(chapter.as_str())) {
        let Some(page) = archive.bytes(chapter, &writer.meter)? else { continue };
        let (page, _, _) = encoding_rs::UTF_8.decode(&page);
        writer.blank();
        if let Some(label) = contents.get(chapter).filter(|_| !has_heading(&page)) {
            writer.heading(1, label)?;
        }
        html::write_strict(&page, writer)?;
        writer.pause()?;
    }
    Ok(())
}

fn refuse_encrypted(archive: &mut Archive, writer: &mut Writer) -> Result<(), Error> {
    let Some(mut xml) = archive.index(ENCRYPTION, &writer.meter)? else { return Ok(()) };
    loop {
        match xml.next(writer)? {
            Token::Open(element) if element.name == "EncryptionMethod" && element.parent == "EncryptedData" => {
                let method = element.attribute("Algorithm").unwrap_or_default();
                if !FONT_METHODS.contains(&method.as_str()) {
                    return Err(Error::new(ErrorKind::Encrypted, "The book is protected against copying (DRM)."));
                }
            }
            Token::End => return Ok(()),
            _ => {}
        }
    }
}

fn package_path(archive: &mut Archive, writer: &mut Writer) -> Result<String, Error> {
    let missing = || Error::corrupt("The book does not say where its content is.");
    let mut xml = archive.index(CONTAINER, &writer.meter)?.ok_or_else(missing)?;
    loop {
        match xml.next(writer)? {
            Token::Open(element) if element.name == "rootfile" => {
                return element.attribute("full-path").ok_or_else(missing);
            }
            Token::End => return Err(missing()),
            _ => {}
        }
    }
}

fn has_heading(page: &str) -> bool {
    let bytes = page.as_bytes();
    bytes.windows(3).any(|tag| tag[0] == b'<' && tag[1].eq_ignore_ascii_case(&b'h') && (b'1'..=b'6').contains(&tag[2]))
}
