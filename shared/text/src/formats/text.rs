//! Plain text: decoded and otherwise left as it is.

use std::io::Read;

use crate::error::Error;
use crate::writer::Writer;

/// How much is written at a time; lines may be of any length.
const PIECE_BYTES: usize = 64 * 1024;

pub(crate) fn read(source: &mut impl Read, writer: &mut Writer) -> Result<(), Error> {
    let mut piece = Vec::new();
    loop {
        writer.meter.node()?;
        writer.meter.time()?;
        let more = source.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut piece)? > 0;
        let whole = if more { whole_characters(&piece) } else { piece.len() };
        writer.push(&String::from_utf8_lossy(&piece[..whole]))?;
        piece.drain(..whole);
        writer.pause()?;
        if !more {
            return Ok(());
        }
    }
}

/// Up to the last line end, else up to the last character that is all there. What a carriage return means is told by what
/// follows it.
fn whole_characters(piece: &[u8]) -> usize {
    if let Some(at) = piece.iter().rposition(|&byte| byte == b'\n') {
        return at + 1;
    }
    let valid = match std::str::from_utf8(piece) {
        Ok(_) => piece.len(),
        Err(error) => error.valid_up_to(),
    };
    valid - usize::from(valid > 0 && piece[valid - 1] == b'\r')
}
