//! What a PDF may ask of its parser, checked before that sees it. The parser recurses along nesting and along trees, and
//! unpacks what no memory holds: a stack or a memory that is full ends the process and cannot be caught.

use std::collections::HashMap;
use std::io::Read;

use flate2::read::ZlibDecoder;

use super::pdf_content::{self, Cost};
use super::pdf_scan::{self, Nesting, contains, refs};
use super::pdf_tree;
use crate::budget::{Meter, limits};
use crate::error::Error;

/// Returns the file's pages as far as they can be told without its parser.
pub(super) fn check(bytes: &[u8], meter: &Meter) -> Result<Pages, Error> {
    let mut guard = Guard { meter, unpacked: 0, streams: HashMap::new(), objects: Objects::default() };
    guard.file(bytes)?;
    pdf_tree::check(&guard.objects.kids, limits::PDF_TREE_LEAVES)?;
    pdf_tree::check(&guard.objects.forms, limits::PDF_FORM_LEAVES)?;
    guard.drawn()?;
    let Objects { kids, tree, highest, .. } = guard.objects;
    let objects = tree.map_or_else(Vec::new, |root| pdf_tree::leaves(root, &kids));
    Ok(Pages { objects, free: highest.saturating_add(1) })
}

/// The objects that are pages, in their order, and the first number that no object has.
pub(super) struct Pages {
    pub(super) objects: Vec<u32>,
    pub(super) free: u32,
}

/// What dictionaries say of other objects. An object that stands twice is the one that stands last.
#[derive(Default)]
pub(super) struct Objects {
    /// The children of page, field, name and number trees.
    pub(super) kids: HashMap<u32, Vec<u32>>,
    /// Forms that a form draws, each as often as it does, where its dictionary names them itself.
    pub(super) forms: HashMap<u32, Vec<u32>>,
    pub(super) contents: Vec<Vec<u32>>,
    /// Objects that are nothing but arrays of others.
    pub(super) arrays: HashMap<u32, Vec<u32>>,
    /// The root of the page tree.
    pub(super) tree: Option<u32>,
    pub(super) highest: u32,
}

struct Guard<'m, 'b> {
    meter: &'m Meter<'b>,
    unpacked: u64,
    streams: HashMap<u32, Cost>,
    objects: Objects,
}

impl Guard<'_, '_> {
    /// Walks through the file as it lies, whatever its cross-references say: a damaged file is read the same way.
    fn file(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut nesting = Nesting::default();
        let (mut at, mut number, mut begun) = (0, 0, 0);
        let mut revisions = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            at += match rest[0] {
                b'o' if rest.starts_with(b"obj") => {
                    if let Some(found) = pdf_scan::number_before(bytes, at) {
                        (number, begun) = (found, at + 3);
                        nesting.object()?;
                        self.meter.time()?;
                        self.array(number, &bytes[begun..]);
                    }
                    3
                }
                b'e' if rest.starts_with(b"endobj") => {
                    nesting = Nesting::default();
                    6
                }
                b'e' if rest.starts_with(b"endstream") => 9,
                b't' if rest.starts_with(b"trailer") => {
                    revisions += 1;
                    if revisions > limits::PDF_REVISIONS {
                        return Err(Error::limit(format!(
                            "The PDF was changed more than {} times.",
                            limits::PDF_REVISIONS
                        )));
                    }
                    7
                }
                b's' if rest.starts_with(b"stream") => {
                    nesting = Nesting::default();
                    6 + self.stream(number, &bytes[begun..at], &rest[6..])?
                }
                b'/' => self.name(number, rest),
                _ => nesting.step(rest, b"endobj")?,
            };
        }
        Ok(())
    }

    fn array(&mut self, number: u32, rest: &[u8]) {
        if number != u32::MAX {
            self.objects.highest = self.objects.highest.max(number);
        }
        if rest.trim_ascii_start().starts_with(b"[") {
            self.objects.arrays.insert(number, refs(rest));
        }
    }

    /// Keeps what a name of interest refers to. Returns how far to go on: the value itself is walked through as well.
    fn name(&mut self, number: u32, rest: &[u8]) -> usize {
        let length = pdf_scan::name_length(rest);
        match &rest[..length] {
            b"/Kids" => {
                self.objects.kids.insert(number, refs(&rest[length..]));
            }
            b"/Pages" => self.objects.tree = refs(&rest[length..]).first().copied().or(self.objects.tree),
            b"/Contents" => self.objects.contents.push(refs(&rest[length..])),
            _ => {}
        }
        length
    }

    /// Checks one stream. Returns the length of its data in the file.
    fn stream(&mut self, number: u32, dictionary: &[u8], rest: &[u8]) -> Result<usize, Error> {
        let start = rest.iter().take(2).take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let data = &rest[start..];
        let length = pdf_scan::stream_length(dictionary, data);
        let data = &data[..length];
        // Images are not drawn for their text. A text that claims to be one is left to the walls of the process.
        if !contains(dictionary, b"/Image") {
            if pdf_scan::filters(dictionary) > limits::PDF_FILTERS {
                return Err(Error::limit(format!(
                    "A stream of the PDF has more than {} filters.",
                    limits::PDF_FILTERS
                )));
            }
            self.unpacked_stream(number, dictionary, data)?;
        }
        Ok(start + length)
    }

    fn unpacked_stream(&mut self, number: u32, dictionary: &[u8], data: &[u8]) -> Result<(), Error> {
        let mut held = Vec::new();
        for _ in 0..limits::PDF_FILTERS {
            let source = if held.is_empty() { data } else { &held };
            if !is_zlib(source) {
                break;
            }
            held = self.inflate(source)?;
        }
        let data = if held.is_empty() { data } else { &held };
        if contains(dictionary, b"/RunLengthDecode") || contains(dictionary, b"/RL") {
            // What these unpack to is counted, not unpacked: text is never packed like this.
            self.unpacked(pdf_scan::run_lengths(data))?;
        }
        if contains(dictionary, b"/ObjStm") {
            return self.object_stream(dictionary, data);
        }
        if contains(dictionary, b"/FontFile") || contains(dictionary, b"/Length1") {
            return Ok(());
        }
        if contains(data, b"beginbf") || contains(data, b"begincid") {
            pdf_scan::character_map(data)?;
        }
        let (cost, drawn) = pdf_content::read(data)?;
        self.streams.insert(number, cost);
        let forms = pdf_scan::forms(dictionary);
        if !forms.is_empty() {
            let targets = drawn.iter().filter_map(|name| forms.get(name).copied()).collect();
            self.objects.forms.insert(number, targets);
        }
        Ok(())
    }

    /// What is damaged behind its beginning is as long as it goes, as it is for the parser.
    fn inflate(&mut self, data: &[u8]) -> Result<Vec<u8>, Error> {
        let mut unpacked = Vec::new();
        let _ = ZlibDecoder::new(data).take(limits::PDF_STREAM_BYTES + 1).read_to_end(&mut unpacked);
        self.unpacked(unpacked.len() as u64)?;
        Ok(unpacked)
    }

    fn unpacked(&mut self, bytes: u64) -> Result<(), Error> {
        self.unpacked += bytes;
        if bytes > limits::PDF_STREAM_BYTES || self.unpacked > limits::PDF_OUTPUT_BYTES {
            return Err(too_much());
        }
        Ok(())
    }

    /// ISO 32000-1 §7.5.7: pairs of a number and an offset, then the objects.
    fn object_stream(&mut self, dictionary: &[u8], data: &[u8]) -> Result<(), Error> {
        let first = pdf_scan::integer_after(dictionary, b"/First").unwrap_or(0);
        let head = data.get(..first).unwrap_or_default();
        let numbers: Vec<usize> = pdf_scan::integers(head).collect();
        let objects = data.get(first..).unwrap_or_default();
        for (index, pair) in numbers.chunks_exact(2).enumerate() {
            let end = numbers.get(2 * index + 3).copied().unwrap_or(objects.len()).min(objects.len());
            let object = objects.get(pair[1]..end).unwrap_or_default();
            self.object(u32::try_from(pair[0]).unwrap_or(u32::MAX), object)?;
        }
        // A head that lies about its offsets hides nothing: the objects are walked through as one as well.
        self.object(u32::MAX, objects)
    }

    fn object(&mut self, number: u32, object: &[u8]) -> Result<(), Error> {
        let mut nesting = Nesting::default();
        self.array(number, object);
        let mut at = 0;
        while at < object.len() {
            let rest = &object[at..];
            at += match rest[0] {
                b'/' if number != u32::MAX => self.name(number, rest),
                _ => nesting.step(rest, b"")?,
            };
        }
        Ok(())
    }

    /// A stream that many pages share is drawn for each of them.
    fn drawn(&self) -> Result<(), Error> {
        let mut sum = Cost::default();
        for page in &self.objects.contents {
            let mut drawn = Cost::default();
            let streams = page.iter().flat_map(|number| match self.objects.arrays.get(number) {
                Some(array) => array.as_slice(),
                None => std::slice::from_ref(number),
            });
            streams.filter_map(|number| self.streams.get(number)).for_each(|&cost| drawn.add(cost));
            drawn.check()?;
            sum.add(drawn);
        }
        if sum.bytes > limits::PDF_OUTPUT_BYTES { Err(too_much()) } else { Ok(()) }
    }
}

fn too_much() -> Error {
    Error::limit(format!(
        "The PDF unpacks to more than {} bytes, or one of its streams to more than {}.",
        limits::PDF_OUTPUT_BYTES,
        limits::PDF_STREAM_BYTES
    ))
}

/// RFC 1950 §2.2: the method, and a check of the first two bytes.
fn is_zlib(data: &[u8]) -> bool {
    matches!(data, [method, flags, ..] if method & 0xF == 8 && (u16::from(*method) << 8 | u16::from(*flags)) % 31 == 0)
}
