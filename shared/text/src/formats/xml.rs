//! XML as office files hold it, a tag or a text at a time. Nothing in it can be made to unfold: no document types, and no
//! entities but those of XML itself.

use std::borrow::Cow;
use std::io::BufRead;

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

use crate::budget::limits;
use crate::error::Error;
use crate::leash::Leash;
use crate::writer::Writer;

pub(crate) struct Xml<R> {
    reader: Reader<Leash<R>>,
    buffer: Vec<u8>,
    open: Open,
}

pub(crate) enum Token<'x> {
    Open(Element<'x>),
    Text {
        text: Cow<'x, str>,
        parent: &'x str,
    },
    /// The local name of the element that ends; one that is empty ends right after it began.
    Close(&'x str),
    End,
}

/// An element that begins. Its names are local: every program chooses prefixes of its own.
pub(crate) struct Element<'x> {
    pub(crate) name: &'x str,
    pub(crate) parent: &'x str,
    tag: BytesStart<'x>,
}

/// The local names of the elements around, without an allocation each.
#[derive(Default)]
struct Open {
    names: String,
    starts: Vec<usize>,
    /// Where the name of an element stands that was closed by the last token.
    closed: Option<usize>,
}

impl<R: BufRead> Xml<R> {
    pub(crate) fn new(source: R) -> Self {
        let too_long = Error::limit(format!("A piece of XML is longer than {} bytes.", limits::XML_PIECE_BYTES));
        let mut reader = Reader::from_reader(Leash::new(source, limits::XML_PIECE_BYTES, too_long));
        reader.config_mut().expand_empty_elements = true;
        Self { reader, buffer: Vec::new(), open: Open::default() }
    }

    pub(crate) fn next(&mut self, writer: &mut Writer) -> Result<Token<'_>, Error> {
        self.reader.get_ref().slacken();
        self.buffer.clear();
        self.open.forget();
        let event = self.reader.read_event_into(&mut self.buffer).map_err(broken)?;
        // An end and a text come with something that was counted.
        if !matches!(event, Event::End(_) | Event::Text(_)) {
            writer.meter.node()?;
        }
        match event {
            Event::Start(tag) | Event::Empty(tag) => {
                self.open.push(tag.local_name().as_ref());
                writer.meter.depth(self.open.starts.len(), limits::XML_DEPTH)?;
                check_attributes(&tag)?;
                Ok(Token::Open(Element { name: self.open.name(0), parent: self.open.name(1), tag }))
            }
            Event::End(_) => Ok(Token::Close(self.open.close())),
            Event::Text(text) => Ok(Token::Text { text: text.into_inner(), parent: self.open.name(0) }),
            Event::CData(text) => Ok(Token::Text { text: text.into_inner(), parent: self.open.name(0) }),
            Event::GeneralRef(reference) => {
                Ok(Token::Text { text: Cow::Owned(resolve(&reference)), parent: self.open.name(0) })
            }
            // What is no text is as good as an empty one.
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {
                Ok(Token::Text { text: Cow::Borrowed(""), parent: self.open.name(0) })
            }
            Event::DocType(_) => Err(Error::corrupt("The document contains a document type definition.")),
            Event::Eof if self.open.starts.is_empty() => Ok(Token::End),
            Event::Eof => Err(Error::corrupt("The document ends in the middle of its XML.")),
        }
    }
}

impl Element<'_> {
    /// The value of an attribute, whatever prefix its name has.
    pub(crate) fn attribute(&self, name: &str) -> Option<String> {
        let mut attributes = self.tag.attributes();
        let found = attributes.with_checks(false).flatten().find(|found| found.key.local_name().as_ref() == name);
        let value = found?.value;
        let plain = quick_xml::escape::unescape(&value).map(Cow::into_owned);
        Some(plain.unwrap_or_else(|_| value.into_owned()))
    }

    /// The value of an attribute with this prefix, where the same name stands without one too.
    pub(crate) fn prefixed(&self, name: &str) -> Option<String> {
        let mut attributes = self.tag.attributes();
        let mut prefixed = attributes.with_checks(false).flatten().filter(|found| found.key.prefix().is_some());
        prefixed.find(|found| found.key.local_name().as_ref() == name).map(|found| found.value.into_owned())
    }
}

impl Open {
    fn push(&mut self, name: &str) {
        self.starts.push(self.names.len());
        self.names.push_str(name);
    }

    fn forget(&mut self) {
        if let Some(start) = self.closed.take() {
            self.names.truncate(start);
        }
    }

    fn close(&mut self) -> &str {
        self.closed = self.starts.pop();
        self.closed.and_then(|start| self.names.get(start..)).unwrap_or_default()
    }

    /// The name of the element so many levels above the innermost one.
    fn name(&self, above: usize) -> &str {
        let Some(at) = self.starts.len().checked_sub(above + 1) else { return "" };
        let end = self.starts.get(at + 1).copied().unwrap_or(self.names.len());
        self.starts.get(at).and_then(|&start| self.names.get(start..end)).unwrap_or_default()
    }
}

/// The shortest attribute there is, `a=""` and a space, has this length.
const SHORTEST_ATTRIBUTE: usize = 5;

fn check_attributes(tag: &BytesStart) -> Result<(), Error> {
    let short = tag.len() <= limits::XML_ATTRIBUTES * SHORTEST_ATTRIBUTE;
    if short || tag.attributes().with_checks(false).take(limits::XML_ATTRIBUTES + 1).count() <= limits::XML_ATTRIBUTES {
        return Ok(());
    }
    Err(Error::limit(format!("An XML element has more than {} attributes.", limits::XML_ATTRIBUTES)))
}

/// The character that `&name;` or `&#number;` stands for; nothing is known beyond what XML itself defines.
fn resolve(reference: &BytesRef) -> String {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return character.to_string();
    }
    let name: &str = reference;
    quick_xml::escape::resolve_xml_entity(name).map_or_else(|| format!("&{name};"), str::to_owned)
}

fn broken(error: quick_xml::Error) -> Error {
    match error {
        quick_xml::Error::Io(error) => Error::carried(&error),
        _ => Error::corrupt("The document contains broken XML."),
    }
}
