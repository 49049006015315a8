//! Bytes to characters: byte order mark, then what was declared, then UTF-8, then a statistical guess.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::error::Error;
use crate::writer::Writer;

/// How much of a file the guess is based on.
const GUESS_BYTES: usize = 256 * 1024;

/// Decodes a whole file, records the character set and notes what could not be decoded.
pub(crate) fn decode(bytes: &[u8], declared: Option<&str>, writer: &mut Writer) -> Result<String, Error> {
    let encoding = Encoding::for_bom(bytes)
        .map(|(encoding, _)| encoding)
        .or_else(|| utf16_without_mark(bytes))
        .or_else(|| std::str::from_utf8(bytes).is_ok().then_some(UTF_8))
        .or_else(|| declared.and_then(declared_encoding).filter(|encoding| *encoding != UTF_8))
        .unwrap_or_else(|| guess(bytes));
    writer.meter.output(bytes.len())?;
    let (text, encoding, replaced) = encoding.decode(bytes);
    writer.charset = Some(encoding.name());
    if replaced {
        writer.note(format!("Some bytes are not valid {} and were replaced by U+FFFD.", encoding.name()));
    }
    Ok(text.into_owned())
}

/// The encoding for looking at a possibly cut beginning of a file.
pub(crate) fn decode_head(head: &[u8]) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(head) {
        return encoding;
    }
    let cut_character = match std::str::from_utf8(head) {
        Ok(_) => return UTF_8,
        Err(error) => error.valid_up_to() + 4 > head.len(),
    };
    utf16_without_mark(head).unwrap_or_else(|| if cut_character { UTF_8 } else { guess(head) })
}

pub(crate) fn without_mark(bytes: &[u8]) -> &[u8] {
    Encoding::for_bom(bytes).map_or(bytes, |(_, length)| &bytes[length..])
}

/// The `charset` parameter of a content type, or a bare label.
pub(crate) fn declared_encoding(declared: &str) -> Option<&'static Encoding> {
    let lower = declared.to_ascii_lowercase();
    let label = lower.split_once("charset=").map(|(_, label)| label)?;
    let label = label.split([';', ' ', '>', '/']).next()?.trim_matches(['"', '\'', ' ']);
    Encoding::for_label(label.as_bytes())
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(&bytes[..bytes.len().min(GUESS_BYTES)], bytes.len() <= GUESS_BYTES);
    detector.guess(None, Utf8Detection::Allow)
}

/// UTF-16 of mostly Latin text betrays itself by zeros in every second byte; other scripts without a mark
/// cannot be told from binary data.
fn utf16_without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    let sample = &bytes[..bytes.len().min(4096) & !1];
    let pairs = sample.len() / 2;
    if pairs < 2 {
        return None;
    }
    let zeros = |offset: usize| sample.iter().skip(offset).step_by(2).filter(|&&byte| byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    if odd * 10 > pairs * 6 && even * 20 < pairs {
        return Some(UTF_16LE);
    }
    (even * 10 > pairs * 6 && odd * 20 < pairs).then_some(UTF_16BE)
}
