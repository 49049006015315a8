//! The package of an e-book: its title, its chapters in reading order, and where its table of contents is.

use std::collections::HashMap;
use std::io::BufRead;

use super::archive::Archive;
use super::opc::join;
use super::percent::percent_decoded;
use super::xml::{Element, Token, Xml};
use crate::error::Error;
use crate::writer::Writer;

#[derive(Default)]
pub(crate) struct Package {
    pub(crate) title: Option<String>,
    pub(crate) chapters: Vec<String>,
    pub(crate) contents: Option<String>,
}

#[derive(Default)]
struct Manifest {
    folder: String,
    /// Paths by id, for what is a page.
    pages: HashMap<String, String>,
    navigation: Option<String>,
    /// The table of contents of older books.
    ncx: Option<String>,
}

impl Package {
    pub(crate) fn read(archive: &mut Archive, path: &str, writer: &mut Writer) -> Result<Self, Error> {
        let Some(mut xml) = archive.index(path, &writer.meter)? else {
            return Err(Error::corrupt("The book has no package document."));
        };
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        Self::walk(&mut xml, Manifest { folder, ..Manifest::default() }, writer)
    }

    fn walk(xml: &mut Xml<impl BufRead>, mut manifest: Manifest, writer: &mut Writer) -> Result<Self, Error> {
        let mut package = Self::default();
        let mut title = String::new();
        loop {
            match xml.next(writer)? {
                Token::Open(element) if element.name == "item" => manifest.add(&element),
                Token::Open(element) if element.name == "itemref" => {
                    let page = element.attribute("idref").and_then(|id| manifest.pages.get(&id));
                    package.chapters.extend(page.cloned());
                }
                Token::Text { text, parent: "title" } => title.push_str(&text),
                Token::Close("title") if package.title.is_none() => package.title = Some(std::mem::take(&mut title)),
                Token::End => break,
                _ => {}
            }
        }
        package.contents = manifest.navigation.or(manifest.ncx);
        Ok(package)
    }
}

impl Manifest {
    fn add(&mut self, element: &Element) {
        let (Some(id), Some(path)) = (element.attribute("id"), element.attribute("href")) else { return };
        let path = locate(&self.folder, &path);
        let properties = element.attribute("properties").unwrap_or_default();
        if properties.split_whitespace().any(|property| property == "nav") {
            // A list of links to the chapters says nothing that they do not say themselves.
            self.navigation = Some(path);
            return;
        }
        match element.attribute("media-type").as_deref() {
            Some("application/xhtml+xml" | "text/html") => {
                self.pages.insert(id, path);
            }
            Some("application/x-dtbncx+xml") => self.ncx = Some(path),
            _ => {}
        }
    }
}

/// The entry of the archive that a link in a file of `folder` points to.
pub(crate) fn locate(folder: &str, link: &str) -> String {
    let path = percent_decoded(link.split('#').next().unwrap_or_default());
    join(folder, &String::from_utf8_lossy(&path))
}
