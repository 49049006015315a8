//! The headers of mail: folded lines, encoded words (RFC 2047) and values with parameters (RFC 2231).

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

use super::eml_encodings::{base64, quoted_printable};
use super::percent::percent_decoded;
use crate::budget::limits;
use crate::error::Error;
use crate::writer::Writer;

/// Names in lower case, with their values as one line each.
pub(crate) struct Headers(Vec<(String, String)>);

impl Headers {
    /// Parts the headers from the body that follows the first blank line.
    pub(crate) fn split<'m>(bytes: &'m [u8], writer: &mut Writer) -> Result<(Self, &'m [u8]), Error> {
        let mut headers: Vec<(String, String)> = Vec::new();
        let mut at = 0;
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            writer.meter.node()?;
            let content = line.trim_ascii_end();
            let folded = line.starts_with(b" ") || line.starts_with(b"\t");
            // Mailboxes put a line of their own before a message.
            let envelope = at == 0 && line.starts_with(b"From ");
            let header = if content.is_empty() || envelope { None } else { header(content) };
            match (folded, header) {
                _ if content.is_empty() || envelope => {}
                (true, _) => headers.iter_mut().last().into_iter().for_each(|(_, value)| {
                    value.push(' ');
                    value.push_str(&text(content.trim_ascii()));
                }),
                (false, Some(header)) => headers.push(header),
                // Someone forgot the blank line.
                (false, None) => break,
            }
            at += line.len();
            if headers.len() > limits::EML_HEADERS {
                return Err(Error::limit(format!("A part of the mail has more than {} headers.", limits::EML_HEADERS)));
            }
            if at > limits::EML_HEADER_BYTES {
                let limit = limits::EML_HEADER_BYTES;
                return Err(Error::limit(format!("The headers of the mail are longer than {limit} bytes.")));
            }
            if content.is_empty() {
                break;
            }
        }
        Ok((Self(headers), &bytes[at..]))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first header of this name, with its encoded words decoded.
    pub(crate) fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| words_decoded(value))
    }
}

/// A name, a colon and a value.
fn header(line: &[u8]) -> Option<(String, String)> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let name = line[..colon].trim_ascii_end();
    let named = !name.is_empty() && name.iter().all(|byte| byte.is_ascii_graphic());
    named.then(|| {
        (String::from_utf8_lossy(name).to_ascii_lowercase(), text(line[colon + 1..].trim_ascii()).into_owned())
    })
}

/// Headers should be ASCII; older programs wrote what they had.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| WINDOWS_1252.decode_without_bom_handling(bytes).0, Cow::Borrowed)
}

/// `=?utf-8?Q?Gr=C3=BC=C3=9Fe?=` is `Grüße`.
fn words_decoded(value: &str) -> Cow<'_, str> {
    if !value.contains("=?") {
        return Cow::Borrowed(value);
    }
    let mut decoded = String::new();
    // A character may begin in one word and end in the next.
    let mut run: Option<(&'static Encoding, Vec<u8>)> = None;
    let mut rest = value;
    while let Some(start) = rest.find("=?") {
        let Some((encoding, bytes, length)) = encoded_word(&rest[start..]) else {
            flush(&mut run, &mut decoded);
            decoded.push_str(&rest[..start + 2]);
            rest = &rest[start + 2..];
            continue;
        };
        // Space between two encoded words parts only the words, not the text.
        let between = &rest[..start];
        if run.is_none() || !between.trim().is_empty() {
            flush(&mut run, &mut decoded);
            decoded.push_str(between);
        }
        match &mut run {
            Some((same, gathered)) if *same == encoding => gathered.extend(bytes),
            _ => {
                flush(&mut run, &mut decoded);
                run = Some((encoding, bytes));
            }
        }
        rest = &rest[start + length..];
    }
    flush(&mut run, &mut decoded);
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

fn flush(run: &mut Option<(&'static Encoding, Vec<u8>)>, decoded: &mut String) {
    if let Some((encoding, bytes)) = run.take() {
        decoded.push_str(&encoding.decode_without_bom_handling(&bytes).0);
    }
}

/// The character set, the bytes and the length of the encoded word that the text begins with.
fn encoded_word(text: &str) -> Option<(&'static Encoding, Vec<u8>, usize)> {
    /// Longer ones are none; so no text is searched twice.
    const LONGEST: usize = 1_000;
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut parts = text[..end].strip_prefix("=?")?.splitn(3, '?');
    let (label, method, content) = (parts.next()?, parts.next()?, parts.next()?);
    let content = &content[..content.find("?=")?];
    let length = 2 + label.len() + 1 + method.len() + 1 + content.len() + 2;
    let encoding = Encoding::for_label(label.split('*').next()?.as_bytes()).unwrap_or(UTF_8);
    let bytes = match method {
        "B" | "b" => base64(content.as_bytes()),
        "Q" | "q" => quoted_printable(content.replace('_', " ").as_bytes()),
        _ => return None,
    };
    Some((encoding, bytes, length))
}

/// A value such as `text/plain; charset="utf-8"`.
pub(crate) struct Value {
    main: String,
    parameters: Vec<(String, String)>,
}

impl Value {
    pub(crate) fn parse(text: &str) -> Self {
        let (main, mut rest) = text.split_once(';').unwrap_or((text, ""));
        let mut parameters = Vec::new();
        while let Some((name, after)) = rest.split_once('=') {
            let name = name.trim_start_matches([';', ' ', '\t']).trim_end().to_ascii_lowercase();
            let (value, after) = parameter_value(after.trim_start());
            parameters.push((name, value));
            rest = after;
        }
        Self { main: main.trim().to_ascii_lowercase(), parameters }
    }

    pub(crate) fn main(&self) -> &str {
        &self.main
    }

    /// A parameter's value, put together from pieces and decoded where RFC 2231 has it so.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let plain = self.parameters.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone());
        plain.or_else(|| {
            let mut bytes = Vec::new();
            let mut encoding = UTF_8;
            let pieces = self.parameters.iter().filter_map(|(found, value)| {
                found.strip_prefix(name).and_then(|rest| rest.strip_prefix('*')).map(|rest| (rest, value))
            });
            for (rest, value) in pieces {
                let encoded = rest.is_empty() || rest.ends_with('*');
                let mut quoted = value.splitn(3, '\'');
                match (encoded, quoted.next(), quoted.next(), quoted.next()) {
                    (true, Some(label), Some(_), Some(content)) if bytes.is_empty() => {
                        encoding = Encoding::for_label(label.as_bytes()).unwrap_or(UTF_8);
                        bytes.extend(percent_decoded(content));
                    }
                    (true, ..) => bytes.extend(percent_decoded(value)),
                    (false, ..) => bytes.extend(value.bytes()),
                }
            }
            (!bytes.is_empty()).then(|| encoding.decode_without_bom_handling(&bytes).0.into_owned())
        })
    }
}

/// A value in quotes or up to the next semicolon, and what follows it.
fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_once(';').unwrap_or((text, ""));
        return (value.trim().to_owned(), rest);
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, quoted[at + 1..].trim_start().trim_start_matches(';')),
            '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
            _ => value.push(letter),
        }
    }
    (value, "")
}
