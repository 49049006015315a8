//! Bytes to characters: byte order mark, then what was declared, then UTF-8, then a statistical guess.

use std::io::{BufRead, Cursor, Read, Seek, SeekFrom};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::error::Error;
use crate::writer::Writer;

/// How much of a file the guess is based on.
const GUESS_BYTES: usize = 256 * 1024;
/// How much of a file is decoded at a time.
const BLOCK_BYTES: usize = 64 * 1024;

/// Decodes a whole file, records the character set and notes what could not be decoded.
pub(crate) fn decode(bytes: &[u8], declared: Option<&str>, writer: &mut Writer) -> Result<String, Error> {
    let encoding = of(&mut Cursor::new(bytes), declared, writer)?;
    writer.meter.output(bytes.len())?;
    let (text, encoding, replaced) = encoding.decode(bytes);
    report(encoding, replaced, writer);
    Ok(text.into_owned())
}

/// Says which character set a file was decoded from, and whether that went well.
pub(crate) fn report(encoding: &'static Encoding, replaced: bool, writer: &mut Writer) {
    writer.charset = Some(encoding.name());
    if replaced {
        writer.note(format!("Some bytes are not valid {} and were replaced by U+FFFD.", encoding.name()));
    }
}

/// The character set of a file, which is read as far as that takes and rewound.
pub(crate) fn of(
    source: &mut (impl Read + Seek),
    declared: Option<&str>,
    writer: &Writer,
) -> Result<&'static Encoding, Error> {
    source.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    source.by_ref().take(GUESS_BYTES as u64).read_to_end(&mut head)?;
    let known = Encoding::for_bom(&head).map(|(encoding, _)| encoding).or_else(|| utf16_without_mark(&head));
    let encoding = match known {
        Some(encoding) => encoding,
        None => match first_invalid(source, &head, writer)? {
            None => UTF_8,
            Some(at) => match declared.and_then(declared_encoding).filter(|encoding| *encoding != UTF_8) {
                Some(encoding) => encoding,
                None if is_damaged_utf8(&head, at) => UTF_8,
                None => guess(&head, &around(source, at, head.len())?),
            },
        },
    };
    source.seek(SeekFrom::Start(0))?;
    Ok(encoding)
}

/// Where a file that begins with `head` stops being UTF-8. Looking at all of it costs little next to parsing it, and a
/// guess by the head alone would garble a file whose first accent comes late.
fn first_invalid(source: &mut impl Read, head: &[u8], writer: &Writer) -> Result<Option<u64>, Error> {
    let mut block = head.to_vec();
    let mut passed = 0u64;
    loop {
        let valid = match std::str::from_utf8(&block) {
            Ok(_) => block.len(),
            Err(error) if error.error_len().is_some() => return Ok(Some(passed + error.valid_up_to() as u64)),
            Err(error) => error.valid_up_to(),
        };
        passed += valid as u64;
        block.drain(..valid);
        writer.meter.time()?;
        let cut = block.len();
        if source.take(BLOCK_BYTES as u64).read_to_end(&mut block)? == 0 {
            return Ok((cut > 0).then_some(passed));
        }
    }
}

/// So many long characters in a row are no accident: another character set would have shown itself sooner.
const LONG_CHARACTERS: usize = 8;

/// Whether the file is UTF-8 before its first invalid byte, and not just by being ASCII. One broken character must not
/// garble all the others.
fn is_damaged_utf8(head: &[u8], invalid_at: u64) -> bool {
    let valid = usize::try_from(invalid_at).map_or(head, |at| &head[..head.len().min(at)]);
    valid.iter().filter(|&&byte| byte >= 0xC0).nth(LONG_CHARACTERS - 1).is_some()
}

/// What stands at the first byte that tells the character set, when that is beyond the head.
fn around(source: &mut (impl Read + Seek), at: u64, head: usize) -> Result<Vec<u8>, Error> {
    let mut window = Vec::new();
    if at >= head as u64 {
        source.seek(SeekFrom::Start(at))?;
        source.take(BLOCK_BYTES as u64).read_to_end(&mut window)?;
    }
    Ok(window)
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
    utf16_without_mark(head).unwrap_or_else(|| if cut_character { UTF_8 } else { guess(head, &[]) })
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

fn guess(head: &[u8], window: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    let whole = window.is_empty() && head.len() < GUESS_BYTES;
    detector.feed(&head[..head.len().min(GUESS_BYTES)], whole);
    if !window.is_empty() {
        detector.feed(window, false);
    }
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

/// A file's characters as UTF-8, a block at a time.
pub(crate) struct Decoding<S> {
    source: S,
    encoding: &'static Encoding,
    decoder: Decoder,
    raw: Vec<u8>,
    raw_from: usize,
    ended: bool,
    text: Vec<u8>,
    text_from: usize,
    text_to: usize,
    replaced: bool,
}

impl<S: Read + Seek> Decoding<S> {
    /// `source` is read from its beginning. Whoever has read it all calls [`Decoding::report`].
    pub(crate) fn new(mut source: S, declared: Option<&str>, writer: &Writer) -> Result<Self, Error> {
        let encoding = of(&mut source, declared, writer)?;
        Ok(Self::with(source, encoding, encoding.new_decoder_with_bom_removal()))
    }
}

impl<S> Decoding<S> {
    /// Reads UTF-8, unless a mark says otherwise.
    pub(crate) fn utf8(source: S) -> Self {
        Self::with(source, UTF_8, UTF_8.new_decoder())
    }

    fn with(source: S, encoding: &'static Encoding, decoder: Decoder) -> Self {
        let text = vec![0; BLOCK_BYTES];
        let raw = Vec::new();
        let (raw_from, text_from, text_to) = (0, 0, 0);
        Self { source, encoding, decoder, raw, raw_from, ended: false, text, text_from, text_to, replaced: false }
    }

    pub(crate) fn report(&self, writer: &mut Writer) {
        report(self.encoding, self.replaced, writer);
    }
}

impl<S: Read> BufRead for Decoding<S> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        while self.text_from == self.text_to {
            if self.raw_from == self.raw.len() && !self.ended {
                self.raw.clear();
                self.raw_from = 0;
                self.ended = self.source.by_ref().take(BLOCK_BYTES as u64).read_to_end(&mut self.raw)? == 0;
            }
            let raw = self.raw.get(self.raw_from..).unwrap_or_default();
            let (result, read, written, replaced) = self.decoder.decode_to_utf8(raw, &mut self.text, self.ended);
            self.raw_from += read;
            self.replaced |= replaced;
            (self.text_from, self.text_to) = (0, written);
            if self.ended && result == CoderResult::InputEmpty {
                // A decoder that has been told of the end must not be asked again.
                self.decoder = UTF_8.new_decoder_without_bom_handling();
                break;
            }
        }
        Ok(&self.text[self.text_from..self.text_to])
    }

    fn consume(&mut self, amount: usize) {
        self.text_from = (self.text_from + amount).min(self.text_to);
    }
}

impl<S: Read> Read for Decoding<S> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let mut available = self.fill_buf()?;
        let taken = available.read(into)?;
        self.consume(taken);
        Ok(taken)
    }
}
