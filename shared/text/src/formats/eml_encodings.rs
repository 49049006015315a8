//! How bytes travel in mail: Base64 and quoted-printable. Both are read as far as they make sense.

use std::borrow::Cow;

use super::percent::hex;

pub(crate) fn transfer_decoded<'m>(body: &'m [u8], encoding: &str) -> Cow<'m, [u8]> {
    match encoding.trim().to_ascii_lowercase().as_str() {
        "base64" => Cow::Owned(base64(body)),
        "quoted-printable" => Cow::Owned(quoted_printable(body)),
        _ => Cow::Borrowed(body),
    }
}

/// Whatever is not of the alphabet is passed over, as line ends are.
pub(crate) fn base64(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0u32);
    for &letter in text {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => {
                // What follows padding begins anew.
                count = 0;
                continue;
            }
            _ => continue,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

pub(crate) fn quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'=' {
            bytes.push(first);
            continue;
        }
        if let Some(byte) = after.get(..2).and_then(hex) {
            bytes.push(byte);
            rest = &after[2..];
            continue;
        }
        // A line end after the sign is none; blanks may have crept in between.
        let blanks = after.iter().take_while(|&&byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
        match after.get(blanks) {
            Some(b'\n') => rest = &after[blanks + 1..],
            _ => bytes.push(b'='),
        }
    }
    bytes
}
