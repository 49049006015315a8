//! Which format a file really has: its content decides, its name and declared type only where content is silent.

use serde::{Deserialize, Serialize};

use crate::charset;
use crate::error::{Error, ErrorKind};
use crate::formats::archive;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    Pdf,
    Docx,
    Pptx,
    Xlsx,
    Epub,
    Eml,
    Markdown,
    Html,
    Text,
    Csv,
    Tsv,
    Json,
    JsonLines,
}

impl Format {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Docx => "docx",
            Self::Pptx => "pptx",
            Self::Xlsx => "xlsx",
            Self::Epub => "epub",
            Self::Eml => "eml",
            Self::Markdown => "markdown",
            Self::Html => "html",
            Self::Text => "text",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Json => "json",
            Self::JsonLines => "json_lines",
        }
    }

    /// Whether every file of the format begins with the same bytes, so that a name alone means nothing.
    fn has_a_mark(self) -> bool {
        matches!(self, Self::Pdf | Self::Docx | Self::Pptx | Self::Xlsx | Self::Epub)
    }

    /// Whether it is read piece by piece, so that a file may be larger than memory.
    pub fn streams(self) -> bool {
        matches!(self, Self::Text | Self::Csv | Self::Tsv | Self::JsonLines)
    }
}

/// How far into the file its nature is looked for.
pub(crate) const SNIFF_BYTES: usize = 8192;
/// Readers accept a PDF header anywhere in the first kilobyte.
const PDF_HEADER_BYTES: usize = 1024;

/// Finds the format of a file. `declared` is the content type that came with it, if any.
pub fn detect(name: &str, declared: Option<&str>, bytes: &[u8]) -> Result<Format, Error> {
    let head = &bytes[..bytes.len().min(SNIFF_BYTES)];
    if let Some(format) = of_head(name, declared, head, bytes.len() as u64)? {
        return Ok(format);
    }
    if is_zip(head) {
        return detect_zip(bytes);
    }
    if head.starts_with(COMPOUND_FILE) {
        return Err(compound_file(bytes));
    }
    Ok(if looks_like_json(bytes) { Format::Json } else { Format::Text })
}

/// Finds the format by the first [`SNIFF_BYTES`] of a file of `length` bytes; nothing when that takes the whole file.
pub(crate) fn of_head(name: &str, declared: Option<&str>, head: &[u8], length: u64) -> Result<Option<Format>, Error> {
    if charset::without_mark(head).iter().all(u8::is_ascii_whitespace) && length <= SNIFF_BYTES as u64 {
        return Err(Error::new(ErrorKind::EmptyFile, "The file is empty."));
    }
    if contains(&head[..head.len().min(PDF_HEADER_BYTES)], b"%PDF-") {
        return Ok(Some(Format::Pdf));
    }
    if is_zip(head) || head.starts_with(COMPOUND_FILE) {
        return Ok(None);
    }
    if let Some(kind) = foreign_magic(head) {
        return Err(unsupported(format!("The file is {kind}.")));
    }
    if looks_like_html(head) {
        return Ok(Some(Format::Html));
    }
    let promised = by_extension(name).or_else(|| declared.and_then(by_media_type));
    match promised {
        Some(format) if format.has_a_mark() => {
            Err(Error::corrupt(format!("The file claims to be {} but its content is not.", format.name())))
        }
        Some(Format::Json) => Ok(Some(Format::Json)),
        _ if is_binary(head) => Err(unsupported("The file is not text and no format that can be read.")),
        Some(format) => Ok(Some(format)),
        None if extension(name).is_none() && looks_like_json_lines(head) => Ok(Some(Format::JsonLines)),
        None if extension(name).is_none() && begins_like_json(head) => Ok(None),
        None if looks_like_mail(head) => Ok(Some(Format::Eml)),
        None => Ok(Some(Format::Text)),
    }
}

/// The container of old Office files and of password-protected new ones.
const COMPOUND_FILE: &[u8] = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1";

fn is_zip(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06")
}

fn unsupported(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::UnsupportedType, message)
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn detect_zip(bytes: &[u8]) -> Result<Format, Error> {
    let archive = archive::open(bytes)?;
    const MAIN_PARTS: [(&str, Format); 4] = [
        ("word/document.xml", Format::Docx),
        ("ppt/presentation.xml", Format::Pptx),
        ("xl/workbook.xml", Format::Xlsx),
        ("META-INF/container.xml", Format::Epub),
    ];
    let found = MAIN_PARTS.iter().find(|(part, _)| archive.has(part));
    found
        .map(|&(_, format)| format)
        .ok_or_else(|| unsupported("The file is a zip archive, but no document that can be read."))
}

fn compound_file(bytes: &[u8]) -> Error {
    let stream_name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    if contains(bytes, &stream_name) {
        return Error::new(ErrorKind::Encrypted, "The document is protected by a password.");
    }
    unsupported("The file is an old Office document; save it as DOCX or PDF.")
}

fn foreign_magic(head: &[u8]) -> Option<&'static str> {
    const MAGIC: [(&[u8], &str); 15] = [
        (b"\x89PNG\r\n", "a PNG image"),
        (b"\xFF\xD8\xFF", "a JPEG image"),
        (b"GIF8", "a GIF image"),
        (b"II*\0", "a TIFF image"),
        (b"MM\0*", "a TIFF image"),
        (b"\x7FELF", "a program"),
        (b"MZ\x90", "a program"),
        (b"\x1F\x8B", "a gzip archive"),
        (b"BZh9", "a bzip2 archive"),
        (b"7z\xBC\xAF", "a 7z archive"),
        (b"\xFD7zXZ\0", "an xz archive"),
        (b"Rar!\x1A", "a RAR archive"),
        (b"{\\rtf", "a rich text (RTF) document; save it as DOCX or PDF"),
        (b"SQLite format 3\0", "a database"),
        (b"OggS", "a sound recording"),
    ];
    MAGIC.iter().find(|(magic, _)| head.starts_with(magic)).map(|&(_, kind)| kind)
}

fn extension(name: &str) -> Option<String> {
    let file = name.rsplit(['/', '\\']).next()?;
    let (stem, extension) = file.rsplit_once('.')?;
    (!stem.is_empty() && !extension.is_empty()).then(|| extension.to_ascii_lowercase())
}

fn by_extension(name: &str) -> Option<Format> {
    Some(match extension(name)?.as_str() {
        "pdf" => Format::Pdf,
        "docx" | "docm" => Format::Docx,
        "pptx" | "pptm" | "ppsx" => Format::Pptx,
        "xlsx" | "xlsm" => Format::Xlsx,
        "epub" => Format::Epub,
        "eml" => Format::Eml,
        "md" | "markdown" | "mdown" | "mkd" | "mdx" => Format::Markdown,
        "html" | "htm" | "xhtml" => Format::Html,
        "csv" => Format::Csv,
        "tsv" | "tab" => Format::Tsv,
        "json" | "geojson" | "ipynb" => Format::Json,
        "jsonl" | "ndjson" => Format::JsonLines,
        "txt" | "text" | "log" | "rst" => Format::Text,
        _ => return None,
    })
}

fn by_media_type(declared: &str) -> Option<Format> {
    let essence = declared.split(';').next()?.trim().to_ascii_lowercase();
    Some(match essence.as_str() {
        "application/pdf" => Format::Pdf,
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => Format::Docx,
        "application/vnd.openxmlformats-officedocument.presentationml.presentation" => Format::Pptx,
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => Format::Xlsx,
        "application/epub+zip" => Format::Epub,
        "message/rfc822" => Format::Eml,
        "text/markdown" | "text/x-markdown" => Format::Markdown,
        "text/html" | "application/xhtml+xml" => Format::Html,
        "text/csv" => Format::Csv,
        "text/tab-separated-values" => Format::Tsv,
        "application/json" | "text/json" => Format::Json,
        "application/jsonl" | "application/x-jsonlines" | "application/x-ndjson" | "application/ndjson" => {
            Format::JsonLines
        }
        essence if essence.ends_with("+json") => Format::Json,
        "text/plain" => Format::Text,
        _ => return None,
    })
}

fn looks_like_html(head: &[u8]) -> bool {
    let (text, _, _) = charset::decode_head(head).decode(head);
    let mut rest = text.trim_start();
    // Comments and an XML declaration may stand before the first tag.
    while rest.starts_with("<!--") || rest.starts_with("<?") {
        let close = if rest.starts_with("<?") { "?>" } else { "-->" };
        let Some(end) = rest.find(close) else { return false };
        rest = rest[end + close.len()..].trim_start();
    }
    let start: String = rest.chars().take(16).collect::<String>().to_ascii_lowercase();
    start.starts_with("<!doctype html") || start.starts_with("<html") || start.starts_with("<head>")
}

fn looks_like_json(bytes: &[u8]) -> bool {
    let trimmed = charset::without_mark(bytes).trim_ascii();
    matches!((trimmed.first(), trimmed.last()), (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']')))
}

fn begins_like_json(head: &[u8]) -> bool {
    matches!(charset::without_mark(head).trim_ascii_start().first(), Some(b'{' | b'['))
}

/// Two objects on a line each; a JSON file ends with the first.
fn looks_like_json_lines(head: &[u8]) -> bool {
    let mut lines = charset::without_mark(head).trim_ascii_start().splitn(2, |&byte| byte == b'\n');
    let (Some(first), Some(rest)) = (lines.next(), lines.next()) else { return false };
    first.starts_with(b"{")
        && rest.trim_ascii_start().starts_with(b"{")
        && serde_json::from_slice::<serde::de::IgnoredAny>(first).is_ok()
}

/// Headers from the first line on, among them some that every mail has.
fn looks_like_mail(head: &[u8]) -> bool {
    const USUAL: [&[u8]; 7] = [b"from", b"to", b"subject", b"date", b"message-id", b"received", b"mime-version"];
    let mut usual = 0;
    for line in head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end).take_while(|line| !line.is_empty()) {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        usual += usize::from(USUAL.iter().any(|name| name.eq_ignore_ascii_case(&line[..colon])));
    }
    let named = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    head.iter().find(|byte| !named(byte)) == Some(&b':') && usual >= 3
}

/// Text has next to no control characters once its character set is known.
fn is_binary(head: &[u8]) -> bool {
    let (text, _, _) = charset::decode_head(head).decode(head);
    let mut total = 0usize;
    let mut odd = 0usize;
    for character in text.chars() {
        total += 1;
        let common = matches!(character, '\t' | '\n' | '\r' | '\u{C}' | '\u{1B}' | '\u{1A}');
        odd += usize::from((character.is_control() && !common) || character == '\u{FFFD}');
    }
    odd * 10 > total
}
