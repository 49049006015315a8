//! Mail: its subject, people and date, then what a reader sees of its body. Attachments are named and not read.

use std::borrow::Cow;

use encoding_rs::Encoding;

use super::eml_encodings::transfer_decoded;
use super::eml_headers::{Headers, Value};
use super::html;
use crate::budget::limits;
use crate::charset;
use crate::error::Error;
use crate::writer::Writer;

/// The most attachments that the note lists.
const LISTED: usize = 20;
const SHOWN_HEADERS: [(&str, &str); 5] =
    [("subject", "Subject: "), ("from", "From: "), ("to", "To: "), ("cc", "Cc: "), ("date", "Date: ")];

pub(crate) fn read(bytes: &[u8], writer: &mut Writer) -> Result<(), Error> {
    let mut mail = Mail { attachments: Vec::new() };
    let entity = Entity::new(bytes, "text/plain", writer)?;
    if entity.headers.is_empty() {
        return Err(Error::corrupt("The mail has no headers."));
    }
    writer.title = entity.headers.get("subject").map(|subject| subject.into_owned());
    mail.message(&entity, 1, writer)?;
    if !mail.attachments.is_empty() {
        let (listed, more) = mail.attachments.split_at(mail.attachments.len().min(LISTED));
        let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
        writer.note(format!("Attachments that were not read: {}{more}.", listed.join(", ")));
    }
    Ok(())
}

struct Mail {
    attachments: Vec<String>,
}

/// A message or a part of one: headers, and a body of the kind that they say.
struct Entity<'m> {
    headers: Headers,
    body: &'m [u8],
    kind: Value,
}

impl<'m> Entity<'m> {
    fn new(bytes: &'m [u8], default_kind: &str, writer: &mut Writer) -> Result<Self, Error> {
        let (headers, body) = Headers::split(bytes, writer)?;
        let kind = headers.get("content-type").unwrap_or(Cow::Borrowed(default_kind));
        let kind = Value::parse(&kind);
        Ok(Self { headers, body, kind })
    }

    fn main(&self) -> &str {
        self.kind.main()
    }

    fn text(&self) -> Cow<'m, [u8]> {
        transfer_decoded(self.body, &self.headers.get("content-transfer-encoding").unwrap_or_default())
    }

    /// The name under which a part is attached; nothing for a part that is shown where it stands.
    fn attached(&self) -> Option<String> {
        let disposition = Value::parse(&self.headers.get("content-disposition").unwrap_or_default());
        let name = disposition.parameter("filename").or_else(|| self.kind.parameter("name"));
        let shown = matches!(self.main(), "text/plain" | "text/html" | "message/rfc822") || self.is_multipart();
        // Pictures within a page are part of it.
        let embedded = disposition.main() != "attachment" && self.headers.get("content-id").is_some();
        if disposition.main() == "attachment" || (!shown && !embedded) {
            return Some(name.map_or_else(|| self.main().to_owned(), |name| name.to_owned()));
        }
        None
    }

    fn is_multipart(&self) -> bool {
        self.main().starts_with("multipart/")
    }
}

impl Mail {
    fn message(&mut self, message: &Entity, depth: usize, writer: &mut Writer) -> Result<(), Error> {
        writer.blank();
        for (name, label) in SHOWN_HEADERS {
            if let Some(value) = message.headers.get(name).filter(|value| !value.trim().is_empty()) {
                writer.line();
                writer.push(label)?;
                writer.push_words(&value)?;
            }
        }
        writer.blank();
        self.entity(message, depth, writer)
    }

    fn entity(&mut self, entity: &Entity, depth: usize, writer: &mut Writer) -> Result<(), Error> {
        writer.meter.depth(depth, limits::EML_DEPTH)?;
        if depth > 1
            && let Some(name) = entity.attached()
        {
            self.attachments.push(name);
            return Ok(());
        }
        match entity.main() {
            "text/plain" => {
                writer.blank();
                let text = decoded(entity, writer)?;
                let flowed =
                    entity.kind.parameter("format").is_some_and(|format| format.eq_ignore_ascii_case("flowed"));
                write_lines(&text, flowed, writer)
            }
            "text/html" => {
                writer.blank();
                let text = decoded(entity, writer)?;
                html::write(&text, writer)
            }
            "message/rfc822" => match entity.text() {
                Cow::Borrowed(body) => self.message(&Entity::new(body, "text/plain", writer)?, depth + 1, writer),
                // No message within a message may be encoded, and unpacking one in another would add up.
                Cow::Owned(_) => {
                    self.attachments.push(entity.main().to_owned());
                    Ok(())
                }
            },
            _ if entity.is_multipart() => self.parts(entity, depth, writer),
            _ => Ok(()),
        }
    }

    fn parts(&mut self, entity: &Entity, depth: usize, writer: &mut Writer) -> Result<(), Error> {
        let Some(boundary) = entity.kind.parameter("boundary").filter(|boundary| !boundary.is_empty()) else {
            return Err(Error::corrupt("The mail does not say where its parts end."));
        };
        let default_kind = if entity.main() == "multipart/digest" { "message/rfc822" } else { "text/plain" };
        let mut parts = split(entity.body, &boundary, writer)?;
        if entity.main() == "multipart/alternative" {
            let mut best = None;
            for part in parts {
                let rank = rank(&Entity::new(part, default_kind, writer)?);
                if best.is_none_or(|(least, _)| rank < least) {
                    best = Some((rank, part));
                }
            }
            parts = best.map(|(_, part)| part).into_iter().collect();
        }
        for part in parts {
            self.entity(&Entity::new(part, default_kind, writer)?, depth + 1, writer)?;
        }
        Ok(())
    }
}

/// The alternative that reads best: plain text, unless there is none in it.
fn rank(part: &Entity) -> u8 {
    match part.main() {
        "text/plain" if !part.text().trim_ascii().is_empty() => 0,
        "text/html" => 1,
        _ if part.is_multipart() => 2,
        "text/plain" => 3,
        _ => 4,
    }
}

/// The parts between the lines that name the boundary.
fn split<'m>(body: &'m [u8], boundary: &str, writer: &mut Writer) -> Result<Vec<&'m [u8]>, Error> {
    let mut parts = Vec::new();
    let mut from = None;
    let mut at = 0;
    for line in body.split_inclusive(|&byte| byte == b'\n') {
        writer.meter.node()?;
        let rest = line.strip_prefix(b"--").and_then(|line| line.strip_prefix(boundary.as_bytes()));
        let rest = rest.map(<[u8]>::trim_ascii_end);
        if matches!(rest, Some(b"" | b"--")) {
            parts.extend(from.and_then(|from| body.get(from..at)));
            if parts.len() > limits::EML_PARTS {
                return Err(Error::limit(format!("The mail has more than {} parts.", limits::EML_PARTS)));
            }
            from = (rest == Some(b"")).then_some(at + line.len());
        }
        at += line.len();
        if rest == Some(b"--") {
            break;
        }
    }
    parts.extend(from.and_then(|from| body.get(from..)));
    Ok(parts)
}

fn decoded(entity: &Entity, writer: &mut Writer) -> Result<String, Error> {
    let bytes = entity.text();
    writer.meter.output(bytes.len())?;
    let declared = entity.kind.parameter("charset").and_then(|label| Encoding::for_label(label.as_bytes()));
    if let Some(encoding) = declared {
        let (text, encoding, replaced) = encoding.decode(&bytes);
        if !replaced {
            writer.charset.get_or_insert(encoding.name());
            return Ok(text.into_owned());
        }
    }
    charset::decode(&bytes, None, writer)
}

/// A line of flowed text that ends in a space goes on in the next.
fn write_lines(text: &str, flowed: bool, writer: &mut Writer) -> Result<(), Error> {
    for line in text.split_inclusive('\n') {
        writer.meter.node()?;
        let content = line.trim_end_matches(['\r', '\n']);
        // Two hyphens and a space set off a signature.
        if flowed && content.ends_with(' ') && content != "-- " {
            writer.push(content)?;
        } else {
            writer.push(line)?;
            writer.pause()?;
        }
    }
    Ok(())
}
