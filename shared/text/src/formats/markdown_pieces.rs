//! Markdown in pieces, since its parser builds a tree of all that it is given, many times as large as the text. A file of
//! usual size is one piece.

use crate::budget::limits;
use crate::error::Error;

/// Cuts a text before lines that begin a block of their own: after a blank line, at the margin, outside code.
pub(crate) fn pieces(text: &str) -> Result<Vec<&str>, Error> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > limits::MARKDOWN_PIECE_BYTES {
        let length = piece(rest)?;
        pieces.push(&rest[..length]);
        rest = &rest[length..];
    }
    pieces.push(rest);
    Ok(pieces)
}

/// The longest piece within the limit; where no block begins, a line has to do.
fn piece(text: &str) -> Result<usize, Error> {
    let mut fence: Option<(u8, usize)> = None;
    let (mut block, mut line_start) = (None, None);
    let mut after_blank = false;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if at > limits::MARKDOWN_PIECE_BYTES {
            break;
        }
        if fence.is_none() && at > 0 {
            line_start = Some(at);
            if after_blank && !line.starts_with([' ', '\t', '\n', '\r']) {
                block = Some(at);
            }
        }
        after_blank = line.trim().is_empty();
        fence = after(fence, line.trim());
        at += line.len();
    }
    block.or(line_start).ok_or_else(|| {
        let limit = limits::MARKDOWN_PIECE_BYTES;
        Error::limit(format!("A line or a block of code is longer than {limit} bytes."))
    })
}

/// The fence of the code that is open after a line: its character and how often it stands.
fn after(fence: Option<(u8, usize)>, line: &str) -> Option<(u8, usize)> {
    let Some(&mark) = line.as_bytes().first().filter(|&&mark| matches!(mark, b'`' | b'~')) else { return fence };
    let count = line.bytes().take_while(|&byte| byte == mark).count();
    match fence {
        Some((open, least)) if mark == open && count >= least && count == line.len() => None,
        None if count >= 3 => Some((mark, count)),
        _ => fence,
    }
}
