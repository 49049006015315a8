//! The little of PDF's syntax that its guard needs: brackets, strings, references, operators and character maps.

use std::collections::HashMap;

use crate::budget::limits;
use crate::error::Error;

/// How deep arrays and dictionaries lie within each other.
#[derive(Default)]
pub(super) struct Nesting {
    depth: usize,
    /// Objects that began within others and did not end: damaged files forget to end them.
    objects: usize,
    /// A string that never closed is no string, and neither is any that follows it.
    strings_end: bool,
}

impl Nesting {
    /// Looks at the next byte, and over a whole string. Returns how far to go on.
    pub(super) fn step(&mut self, rest: &[u8], end: &[u8]) -> Result<usize, Error> {
        match rest {
            [b'<', b'<', ..] => self.open().map(|()| 2),
            [b'>', b'>', ..] => {
                self.close();
                Ok(2)
            }
            [b'[', ..] => self.open().map(|()| 1),
            [b']', ..] => {
                self.close();
                Ok(1)
            }
            [b'(', ..] if !self.strings_end => match string_length(rest, end) {
                Some(length) => Ok(length),
                None => {
                    self.strings_end = true;
                    Ok(1)
                }
            },
            _ => Ok(1),
        }
    }

    pub(super) fn object(&mut self) -> Result<(), Error> {
        self.objects += 1;
        self.open()
    }

    fn open(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > limits::PDF_DEPTH {
            return Err(Error::limit(format!("The PDF is nested deeper than {} levels.", limits::PDF_DEPTH)));
        }
        Ok(())
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        if self.depth <= self.objects {
            (self.depth, self.objects) = (0, 0);
        }
    }
}

/// The length of a string with its brackets, unless it does not close before `end`.
fn string_length(rest: &[u8], end: &[u8]) -> Option<usize> {
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(&byte) = rest.get(at) {
        match byte {
            b'\\' => at += 1,
            b'(' => depth += 1,
            b')' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ if !end.is_empty() && byte == end[0] && rest[at..].starts_with(end) => return None,
            _ => {}
        }
        at += 1;
    }
    None
}

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, 0 | b'\t' | b'\n' | 0xC | b'\r' | b' ')
}

fn is_regular(byte: u8) -> bool {
    !is_blank(byte) && !b"()<>[]{}/%".contains(&byte)
}

pub(super) fn name_length(rest: &[u8]) -> usize {
    1 + rest[1..].iter().take_while(|&&byte| is_regular(byte)).count()
}

pub(super) fn contains(text: &[u8], word: &[u8]) -> bool {
    find(text, word).is_some()
}

pub(super) fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    let first = *word.first()?;
    let mut from = 0;
    while let Some(step) = text[from..].iter().position(|&byte| byte == first) {
        from += step;
        if text[from..].starts_with(word) {
            return Some(from);
        }
        from += 1;
    }
    None
}

pub(super) fn find_last(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).rposition(|window| window == word)
}

/// The number of the object whose `obj` stands at `at`, as in `12 0 obj`.
pub(super) fn number_before(bytes: &[u8], at: usize) -> Option<u32> {
    // Ten digits, five of the generation, and some room between them.
    let before = &bytes[at.saturating_sub(24)..at];
    let mut words = before.rsplit(|&byte| is_blank(byte)).filter(|word| !word.is_empty());
    let generation = words.next()?;
    generation.iter().all(u8::is_ascii_digit).then_some(())?;
    let number = words.next()?;
    let digits = number.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&number[number.len() - digits..]).ok()?.parse().ok()
}

/// The whole numbers at the beginning of a text.
pub(super) fn integers(text: &[u8]) -> impl Iterator<Item = usize> {
    let words = text.split(|&byte| is_blank(byte)).filter(|word| !word.is_empty());
    words.map_while(|word| std::str::from_utf8(word).ok()?.parse().ok())
}

pub(super) fn integer_after(dictionary: &[u8], name: &[u8]) -> Option<usize> {
    let value = &dictionary[find(dictionary, name)? + name.len()..];
    let value = value.trim_ascii_start();
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    // A reference is no number of its own.
    let follows = value[digits..].trim_ascii_start();
    let reference = follows.first().is_some_and(u8::is_ascii_digit);
    if reference { None } else { std::str::from_utf8(&value[..digits]).ok()?.parse().ok() }
}

/// The objects of one reference, or of an array of them.
pub(super) fn refs(value: &[u8]) -> Vec<u32> {
    let value = value.trim_ascii_start();
    let (inside, many) = match value.strip_prefix(b"[") {
        Some(inside) => (&inside[..inside.iter().position(|&byte| byte == b']').unwrap_or(inside.len())], true),
        None => (&value[..value.len().min(32)], false),
    };
    let mut found = Vec::new();
    let mut words: [Option<u32>; 2] = [None; 2];
    for word in inside.split(|&byte| is_blank(byte)).filter(|word| !word.is_empty()) {
        if word[0] == b'R' {
            found.extend(words[0]);
        }
        words = [words[1], std::str::from_utf8(word).ok().and_then(|word| word.parse().ok())];
        if !many && words[1].is_none() {
            break;
        }
    }
    found
}

/// The names of `/XObject << /Name 7 0 R … >>`.
pub(super) fn forms(dictionary: &[u8]) -> HashMap<&[u8], u32> {
    let mut found = HashMap::new();
    let mut rest = dictionary;
    while let Some(at) = find(rest, b"/XObject") {
        rest = &rest[at + b"/XObject".len()..];
        let Some(inside) = rest.trim_ascii_start().strip_prefix(b"<<") else { continue };
        let inside = &inside[..find(inside, b">>").unwrap_or(inside.len())];
        for (start, _) in inside.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            let length = name_length(&inside[start..]);
            if let Some(&target) = refs(&inside[start + length..]).first() {
                found.insert(&inside[start..start + length], target);
            }
        }
    }
    found
}

/// As the parser takes it: the length that the dictionary says if the end stands there, or else up to the end.
pub(super) fn stream_length(dictionary: &[u8], data: &[u8]) -> usize {
    let said = integer_after(dictionary, b"/Length")
        .filter(|&said| data.get(said..).is_some_and(|rest| rest.trim_ascii_start().starts_with(b"endstream")));
    said.or_else(|| find(data, b"endstream")).unwrap_or(data.len())
}

/// The bytes that a run-length code stands for. ISO 32000-1 §7.4.5.
pub(super) fn run_lengths(data: &[u8]) -> u64 {
    let mut sum = 0;
    let mut at = 0;
    while let Some(&length) = data.get(at) {
        let length = usize::from(length);
        let (packed, unpacked) = if length < 128 { (length + 2, length + 1) } else { (2, 257 - length) };
        sum += unpacked as u64;
        at += packed;
    }
    sum
}

pub(super) fn filters(dictionary: &[u8]) -> usize {
    let mut rest = dictionary;
    let mut count = 0;
    while let Some(at) = find(rest, b"Decode") {
        rest = &rest[at + 6..];
        count += usize::from(!rest.starts_with(b"Parms"));
    }
    count
}

/// Adds up the codes of a map from codes to text, which the parser writes out one by one. ISO 32000-1 §9.10.3.
pub(super) fn character_map(data: &[u8]) -> Result<(), Error> {
    let mut rest = data;
    let mut codes = 0u64;
    while let Some(at) = find(rest, b"beginbf") {
        rest = &rest[at + b"beginbf".len()..];
        let Some(end) = find(rest, b"endbf") else { break };
        let (block, ranges) = (&rest[..end], rest.starts_with(b"range"));
        rest = &rest[end..];
        codes = codes.saturating_add(block_codes(block, ranges)?);
        if codes > limits::PDF_MAP_CODES {
            return Err(mapped());
        }
    }
    Ok(())
}

fn mapped() -> Error {
    let (codes, digits) = (limits::PDF_MAP_CODES, limits::PDF_MAP_DIGITS);
    Error::limit(format!("A font of the PDF maps more than {codes} characters, or one to more than {digits} digits."))
}

fn block_codes(block: &[u8], ranges: bool) -> Result<u64, Error> {
    let mut rest = block;
    let mut codes = 0u64;
    while let Some((low, after)) = code(rest)? {
        rest = after;
        codes += 1;
        if !ranges {
            continue;
        }
        let Some((high, after)) = code(rest)? else { break };
        rest = after;
        codes = codes.saturating_add(high.saturating_sub(low));
        // What the first code stands for, or an array of what each stands for.
        let value = rest.trim_ascii_start();
        if value.starts_with(b"[") {
            rest = &value[value.iter().position(|&byte| byte == b']').unwrap_or(value.len())..];
        } else if let Some((_, after)) = code(value)? {
            rest = after;
        }
    }
    Ok(codes)
}

/// The next `<…>` as a number, and what follows it.
fn code(text: &[u8]) -> Result<Option<(u64, &[u8])>, Error> {
    let Some(start) = text.iter().position(|&byte| byte == b'<') else { return Ok(None) };
    let token = &text[start + 1..];
    let Some(length) = token.iter().position(|&byte| byte == b'>') else { return Ok(None) };
    if length > limits::PDF_MAP_DIGITS {
        return Err(mapped());
    }
    let digits = std::str::from_utf8(&token[..length]).ok().map(str::trim);
    let value = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0);
    Ok(Some((value, &token[length + 1..])))
}
