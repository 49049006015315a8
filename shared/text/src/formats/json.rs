//! JSON as lines of `path: value`, written while parsing: no tree is ever built.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;

use crate::budget::limits;
use crate::charset;
use crate::error::Error;
use crate::writer::Writer;

pub(crate) fn read(bytes: &[u8], writer: &mut Writer) -> Result<(), Error> {
    let text = match encoding_rs::Encoding::for_bom(bytes) {
        // RFC 8259 wants UTF-8, and a guess would turn a broken file into a wrong one; only a mark is believed.
        Some(_) => charset::decode(bytes, None, writer)?,
        None => {
            writer.charset = Some("UTF-8");
            std::str::from_utf8(bytes).map_err(|_| Error::corrupt("The JSON is not valid UTF-8."))?.into()
        }
    };
    value(&text, writer, |line, column| format!("The JSON is broken at line {line}, column {column}."))
}

/// Writes one JSON text. `broken` says where one stands that is none.
pub(crate) fn value(text: &str, writer: &mut Writer, broken: impl FnOnce(usize, usize) -> String) -> Result<(), Error> {
    let lines = RefCell::new(Lines { writer, path: String::new(), depth: 0, failure: None });
    let mut parser = serde_json::Deserializer::from_str(text);
    // The parser recurses once per level; its own guard stops one level after ours could.
    let result = Node(&lines).deserialize(&mut parser).and_then(|()| parser.end());
    let failure = lines.into_inner().failure;
    match (failure, result) {
        (Some(error), _) => Err(error),
        (None, Ok(())) => Ok(()),
        (None, Err(error)) if error.classify() == Category::Syntax && is_depth(&error) => Err(too_deep()),
        (None, Err(error)) => Err(Error::corrupt(broken(error.line(), error.column()))),
    }
}

/// The parser has no code for its recursion limit; this text is its only mark.
fn is_depth(error: &serde_json::Error) -> bool {
    error.to_string().starts_with("recursion limit exceeded")
}

fn too_deep() -> Error {
    Error::limit(format!("The JSON is nested deeper than {} levels.", limits::JSON_DEPTH))
}

struct Lines<'w, 'a> {
    writer: &'w mut Writer<'a>,
    path: String,
    depth: usize,
    failure: Option<Error>,
}

impl Lines<'_, '_> {
    fn value(&mut self, value: &str) -> Result<(), Error> {
        self.writer.meter.node()?;
        self.writer.line();
        if !self.path.is_empty() {
            self.writer.push(&self.path)?;
            self.writer.push(": ")?;
        }
        self.writer.push(if value.trim().is_empty() { "\"\"" } else { value })?;
        self.writer.line();
        self.writer.pause()
    }

    fn enter(&mut self) -> Result<(), Error> {
        self.depth += 1;
        self.writer.meter.depth(self.depth, limits::JSON_DEPTH)
    }
}

struct Node<'l, 'w, 'a>(&'l RefCell<Lines<'w, 'a>>);

impl Node<'_, '_, '_> {
    /// Keeps the typed error aside, since the parser's own error type can only carry text.
    fn keep<E: serde::de::Error>(&self, step: impl FnOnce(&mut Lines) -> Result<(), Error>) -> Result<(), E> {
        let mut lines = self.0.borrow_mut();
        step(&mut lines).map_err(|error| {
            lines.failure.get_or_insert(error);
            E::custom("stopped")
        })
    }

    fn descend<E: serde::de::Error>(&self, segment: &str) -> Result<usize, E> {
        let length = self.0.borrow().path.len();
        self.keep(|lines| {
            // A path repeats on every line, so a long key is paid for many times over.
            lines.writer.meter.output(lines.path.len() + segment.len())?;
            lines.path.push_str(segment);
            Ok(())
        })?;
        Ok(length)
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.keep(|lines| lines.value(if value { "true" } else { "false" }))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.keep(|lines| lines.value(&value.to_string()))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.keep(|lines| lines.value(&value.to_string()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.keep(|lines| lines.value(&value.to_string()))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.keep(|lines| lines.value(value))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.keep(|lines| lines.value("null"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.keep(|lines| lines.enter())?;
        let mut index = 0usize;
        loop {
            let length = self.descend(&format!("[{index}]"))?;
            let more = items.next_element_seed(Node(self.0))?.is_some();
            self.0.borrow_mut().path.truncate(length);
            if !more {
                break;
            }
            index += 1;
        }
        self.0.borrow_mut().depth -= 1;
        if index == 0 { self.keep(|lines| lines.value("[]")) } else { Ok(()) }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.keep(|lines| lines.enter())?;
        let mut empty = true;
        while let Some(key) = entries.next_key::<String>()? {
            empty = false;
            let dotted = !self.0.borrow().path.is_empty();
            let length = self.descend(&format!("{}{key}", if dotted { "." } else { "" }))?;
            entries.next_value_seed(Node(self.0))?;
            self.0.borrow_mut().path.truncate(length);
        }
        self.0.borrow_mut().depth -= 1;
        if empty { self.keep(|lines| lines.value("{}")) } else { Ok(()) }
    }
}
