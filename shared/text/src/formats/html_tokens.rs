//! HTML cut into tags and text in one linear pass: no tree, so nothing to overflow or to drop recursively.

use std::borrow::Cow;

/// One piece of a page. Text still holds its character references, except that scripts and styles are raw.
pub(crate) enum Token<'t> {
    Text(&'t str),
    Open { name: String, attributes: &'t str, closed: bool },
    Close(String),
}

/// Elements whose content is not markup, up to their own end tag.
const RAW: [&str; 8] = ["script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes"];

pub(crate) struct Tokens<'t> {
    rest: &'t str,
    raw: Option<String>,
}

impl<'t> Tokens<'t> {
    pub(crate) fn new(html: &'t str) -> Self {
        Self { rest: html, raw: None }
    }

    fn take(&mut self, length: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    fn skip_past(&mut self, end: &str, from: usize) {
        let found = self.rest.get(from..).and_then(|rest| rest.find(end));
        let length = found.map_or(self.rest.len(), |at| from + at + end.len());
        self.take(length);
    }

    fn tag(&mut self) -> Token<'t> {
        let closing = self.rest.starts_with("</");
        let body_start = if closing { 2 } else { 1 };
        let length = tag_length(self.rest.as_bytes());
        let tag = self.take(length);
        let body = tag[body_start..].trim_end_matches('>');
        let name_end = body.find(|c: char| c.is_ascii_whitespace() || c == '/').unwrap_or(body.len());
        let name = body[..name_end].to_ascii_lowercase();
        if closing {
            return Token::Close(name);
        }
        let attributes = &body[name_end..];
        let closed = attributes.ends_with('/');
        if RAW.contains(&name.as_str()) && !closed {
            self.raw = Some(name.clone());
        }
        Token::Open { name, attributes, closed }
    }
}

impl<'t> Iterator for Tokens<'t> {
    type Item = Token<'t>;

    fn next(&mut self) -> Option<Token<'t>> {
        if let Some(name) = self.raw.take() {
            let length = raw_length(self.rest.as_bytes(), name.as_bytes());
            return Some(Token::Text(self.take(length)));
        }
        loop {
            let bytes = self.rest.as_bytes();
            match (bytes.first()?, bytes.get(1)) {
                (b'<', Some(b'!')) if self.rest.starts_with("<!--") => self.skip_past("-->", 2),
                (b'<', Some(b'!' | b'?')) => self.skip_past(">", 2),
                (b'<', Some(b'/')) if !bytes.get(2).is_some_and(u8::is_ascii_alphabetic) => self.skip_past(">", 2),
                (b'<', Some(next)) if next.is_ascii_alphabetic() || *next == b'/' => return Some(self.tag()),
                _ => {
                    let length = bytes.iter().skip(1).position(|&byte| byte == b'<').map_or(bytes.len(), |at| at + 1);
                    return Some(Token::Text(self.take(length)));
                }
            }
        }
    }
}

/// Up to and with the `>` that ends a tag; one within a quoted attribute value does not.
fn tag_length(bytes: &[u8]) -> usize {
    let mut quote = None;
    let mut value_follows = false;
    for (at, &byte) in bytes.iter().enumerate().skip(1) {
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'>') => return at + 1,
            (None, b'"' | b'\'') if value_follows => quote = Some(byte),
            (None, _) => {}
        }
        value_follows = byte == b'=' || (value_follows && byte.is_ascii_whitespace());
    }
    bytes.len()
}

fn raw_length(bytes: &[u8], name: &[u8]) -> usize {
    let end = bytes
        .windows(name.len() + 2)
        .position(|window| window.starts_with(b"</") && window[2..].eq_ignore_ascii_case(name));
    end.unwrap_or(bytes.len())
}

/// The longest name of a character reference in the HTML standard has 31 letters.
const REFERENCE_LENGTH: usize = 33;

/// Replaces character references by what they stand for.
pub(crate) fn decode_references(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut decoded = String::with_capacity(text.len());
    let mut parts = text.split('&');
    decoded.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let end = part.bytes().take(REFERENCE_LENGTH).position(|byte| !byte.is_ascii_alphanumeric() && byte != b'#');
        let end = end.unwrap_or(part.len().min(REFERENCE_LENGTH));
        let (reference, rest) = part.split_at_checked(end).unwrap_or((part, ""));
        match resolve(reference, rest.starts_with(';')) {
            Some(characters) => {
                decoded.push_str(&characters);
                decoded.push_str(rest.strip_prefix(';').unwrap_or(rest));
            }
            None => {
                decoded.push('&');
                decoded.push_str(part);
            }
        }
    }
    Cow::Owned(decoded)
}

fn resolve(reference: &str, terminated: bool) -> Option<String> {
    if let Some(number) = reference.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok()?,
            None => number.parse().ok()?,
        };
        // Pages mean windows-1252 when they number the C1 control characters.
        return match u8::try_from(code) {
            Ok(byte @ 0x80..=0x9F) => Some(encoding_rs::WINDOWS_1252.decode(&[byte]).0.into_owned()),
            _ => char::from_u32(code).map(String::from),
        };
    }
    let common = match reference {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "nbsp" => " ",
        "copy" => "©",
        "reg" => "®",
        _ if !terminated || reference.is_empty() => return None,
        // The Markdown parser brings the whole table of names; asking it saves a second one.
        _ => return named(reference),
    };
    Some(common.to_owned())
}

fn named(reference: &str) -> Option<String> {
    let source = format!("&{reference};");
    let mut events = pulldown_cmark::Parser::new(&source);
    let text = events.find_map(|event| match event {
        pulldown_cmark::Event::Text(text) => Some(text.into_string()),
        _ => None,
    })?;
    (!text.starts_with('&')).then_some(text)
}
