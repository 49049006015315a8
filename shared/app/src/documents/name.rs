//! What a file may be called and of which type it may be. Pure.

use crate::error::{Error, Kind, Result};

/// Characters of a file name.
pub const LONGEST_NAME: usize = 255;

/// Extensions of the formats that can be read. Content decides later what a file really is; this only refuses early
/// what can never work.
const EXTENSIONS: &[&str] = &[
    "pdf", "docx", "docm", "pptx", "pptm", "ppsx", "xlsx", "xlsm", "epub", "eml", "md", "markdown", "mdown", "mkd",
    "mdx", "html", "htm", "xhtml", "csv", "tsv", "json", "geojson", "ipynb", "txt", "text", "log", "rst", "jsonl",
    "ndjson",
];

const TYPES: &[&str] = &[
    "application/pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/epub+zip",
    "message/rfc822",
    "application/xhtml+xml",
    "application/json",
    "application/x-ndjson",
];

/// A name, or a path within a folder as `guide/start.md`, without characters that cannot be seen or that turn the reading
/// direction around. Of any other path the last part: where a file lies on somebody's machine is nobody's business.
pub fn clean(given: &str) -> Result<String> {
    let parts: Vec<String> = given.split(['/', '\\']).map(shown).collect();
    let last = parts.last().map(String::as_str).unwrap_or_default();
    let drive = parts.first().is_some_and(|part| part.len() == 2 && part.ends_with(':'));
    let within = !drive && !parts.iter().any(|part| dots(part));
    let name = if within { parts.join("/") } else { last.to_owned() };
    if dots(last) || name.chars().count() > LONGEST_NAME {
        return Err(Error::invalid(format!("`filename` holds 1 to {LONGEST_NAME} visible characters.")));
    }
    Ok(name)
}

fn shown(part: &str) -> String {
    let shown: String = part.chars().filter(|letter| !letter.is_control() && !invisible(*letter)).collect();
    shown.trim().to_owned()
}

/// Nothing, or the names of a folder itself and of the one above it.
fn dots(part: &str) -> bool {
    part.chars().all(|letter| letter == '.')
}

/// Refuses a file whose name and type promise nothing that can be read. A name without extension and without a type
/// promises nothing either way, so it may try.
pub fn accept(name: &str, content_type: Option<&str>) -> Result<()> {
    let essence = match content_type {
        Some(text) if !plain_header(text) => return Err(Error::invalid("`contentType` is not a media type.")),
        Some(text) => text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase(),
        None => String::new(),
    };
    let file = name.rsplit('/').next().unwrap_or_default();
    let extension = file.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let by_name = extension.as_deref().map(|extension| EXTENSIONS.contains(&extension));
    let by_type = TYPES.contains(&essence.as_str()) || essence.starts_with("text/") || essence.ends_with("+json");
    let undeclared = essence.is_empty() || essence == "application/octet-stream";
    if by_name == Some(true) || by_type || (by_name.is_none() && undeclared) {
        return Ok(());
    }
    Err(Error::new(Kind::UnsupportedType, "This type of file cannot be read."))
}

/// Refuses bytes whose origin says that they are of no type that can be read; an origin that says nothing may try.
pub fn accept_type(content_type: Option<&str>) -> Result<()> {
    let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let silent = essence.is_empty() || essence == "application/octet-stream";
    if silent || TYPES.contains(&essence.as_str()) || essence.starts_with("text/") || essence.ends_with("+json") {
        return Ok(());
    }
    Err(Error::new(Kind::UnsupportedType, "The address gives a type of file that cannot be read."))
}

/// It is going to be a header of the upload, so it must be one.
fn plain_header(text: &str) -> bool {
    (1..=LONGEST_NAME).contains(&text.len())
        && text.contains('/')
        && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

/// Marks that hide text or reverse its direction (Unicode TR 36, "bidirectional text spoofing").
fn invisible(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_what_cannot_be_seen_and_paths_that_are_not_within_a_folder() {
        for (given, expected) in [
            ("report.pdf", Some("report.pdf")),
            ("guide/start.md", Some("guide/start.md")),
            ("guide\\ start.md", Some("guide/start.md")),
            ("/home/me/start.md", Some("start.md")),
            ("Part 1:/start.md", Some("Part 1:/start.md")),
            ("guide//start.md", Some("start.md")),
            ("../../etc/passwd", Some("passwd")),
            ("C:\\Users\\me\\Résumé 日本.docx", Some("Résumé 日本.docx")),
            ("a\u{0}b\r\nc.txt", Some("abc.txt")),
            ("evil\u{202e}fdp.txt", Some("evilfdp.txt")),
            ("  spaced .md ", Some("spaced .md")),
            ("", None),
            ("dir/", None),
            ("..", None),
            ("\u{7}", None),
        ] {
            assert_eq!(clean(given).ok().as_deref(), expected, "{given:?}");
        }
        assert!(clean(&"é".repeat(LONGEST_NAME)).is_ok());
        assert_eq!(clean(&"é".repeat(LONGEST_NAME + 1)).unwrap_err().code(), "invalid_request");
    }

    #[test]
    fn types_are_accepted_by_name_or_by_declaration() {
        for (name, declared, code) in [
            ("a.PDF", None, None),
            ("a.pdf", Some("application/octet-stream"), None),
            ("README", None, None),
            ("v1.2/README", None, None),
            ("notes.xyz", Some("text/plain; charset=utf-8"), None),
            ("feed", Some("application/ld+json"), None),
            ("talk.pptx", Some("application/vnd.openxmlformats-officedocument.presentationml.presentation"), None),
            ("photo.png", Some("image/png"), Some("unsupported_type")),
            ("photo", Some("image/png"), Some("unsupported_type")),
            ("text.odt", Some("application/vnd.oasis.opendocument.text"), Some("unsupported_type")),
            ("setup.exe", None, Some("unsupported_type")),
            ("a.txt", Some("text/plain\r\nx-amz-acl: public-read"), Some("invalid_request")),
            ("a.txt", Some(""), Some("invalid_request")),
        ] {
            assert_eq!(accept(name, declared).err().map(|error| error.code()), code, "{name} {declared:?}");
        }
        for (declared, code) in [
            (None, None),
            (Some("text/html; charset=utf-8"), None),
            (Some("Application/PDF"), None),
            (Some("application/octet-stream"), None),
            (Some("image/png"), Some("unsupported_type")),
            (Some("video/mp4"), Some("unsupported_type")),
        ] {
            assert_eq!(accept_type(declared).err().map(|error| error.code()), code, "{declared:?}");
        }
    }
}
