//! Zip archives with every known bomb refused before a byte is unpacked, and their entries as streams.

use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

use super::xml::Xml;
use crate::budget::{Meter, limits};
use crate::charset::Decoding;
use crate::error::{Error, ErrorKind};

pub(crate) struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
}

/// Opens an archive after checking its directory: number of entries, overlaps, promised sizes.
pub(crate) fn open(bytes: &[u8]) -> Result<Archive<'_>, Error> {
    // Counted before the directory is read, because reading it allocates for every entry.
    let entries = bytes.windows(4).filter(|window| window == b"PK\x01\x02").count();
    if entries > limits::ZIP_ENTRIES {
        return Err(Error::limit(format!("The archive has more than {} entries.", limits::ZIP_ENTRIES)));
    }
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    if zip.has_overlapping_files().map_err(broken)? {
        return Err(Error::limit("Entries of the archive overlap."));
    }
    let mut total = 0u64;
    for index in 0..zip.len() {
        let entry = zip.by_index_raw(index).map_err(broken)?;
        total = total.saturating_add(entry.size());
        check_ratio(entry.size(), entry.compressed_size())?;
    }
    check_ratio(total, bytes.len() as u64)?;
    if total > limits::ZIP_OUTPUT_BYTES {
        return Err(Error::limit(format!("The archive unpacks to more than {} bytes.", limits::ZIP_OUTPUT_BYTES)));
    }
    Ok(Archive { zip })
}

/// An entry of XML that unpacks while it is read.
pub(crate) type Part<'z, 'a> = Xml<Decoding<Entry<'z, 'a>>>;

impl<'a> Archive<'a> {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.zip.index_for_name(name).is_some()
    }

    /// Unpacks an entry as it is read, or gives `None` when there is no such entry.
    pub(crate) fn entry(&mut self, name: &str, meter: &Meter) -> Result<Option<Entry<'_, 'a>>, Error> {
        meter.time()?;
        let source = match self.zip.by_name(name) {
            Ok(source) => source,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(error) => return Err(broken(error)),
        };
        // The directory may lie about sizes, so what comes out is measured against what really went in.
        let allowed = allowed(source.compressed_size()).min(limits::ZIP_OUTPUT_BYTES);
        Ok(Some(Entry { source, left: allowed, refusal: ratio_exceeded() }))
    }

    pub(crate) fn bytes(&mut self, name: &str, meter: &Meter) -> Result<Option<Vec<u8>>, Error> {
        let Some(mut entry) = self.entry(name, meter)? else { return Ok(None) };
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// An entry of XML that only describes others: its reader keeps it in memory, in maps and lists.
    pub(crate) fn index(&mut self, name: &str, meter: &Meter) -> Result<Option<Part<'_, 'a>>, Error> {
        let Some(mut entry) = self.entry(name, meter)? else { return Ok(None) };
        if entry.left > limits::ZIP_INDEX_BYTES {
            entry.left = limits::ZIP_INDEX_BYTES;
            let limit = limits::ZIP_INDEX_BYTES;
            entry.refusal = Error::limit(format!("A part that describes the document is larger than {limit} bytes."));
        }
        Ok(Some(Xml::new(Decoding::utf8(entry))))
    }

    /// An entry of XML. UTF-16 is known by its mark.
    pub(crate) fn xml(&mut self, name: &str, meter: &Meter) -> Result<Option<Part<'_, 'a>>, Error> {
        let entry = self.entry(name, meter)?;
        Ok(entry.map(|entry| Xml::new(Decoding::utf8(entry))))
    }
}

/// The content of one entry, up to what it may unpack to.
pub(crate) struct Entry<'z, 'a> {
    source: ZipFile<'z, Cursor<&'a [u8]>>,
    left: u64,
    refusal: Error,
}

impl Read for Entry<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let damaged = |_| Error::corrupt("An entry of the archive cannot be unpacked.");
        let read = self.source.read(into).map_err(damaged)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| self.refusal.clone())?;
        Ok(read)
    }
}

/// What so many bytes may unpack to.
fn allowed(packed: u64) -> u64 {
    packed.saturating_mul(limits::ZIP_RATIO).max(limits::ZIP_RATIO_FREE_BYTES)
}

fn check_ratio(unpacked: u64, packed: u64) -> Result<(), Error> {
    if unpacked > allowed(packed) { Err(ratio_exceeded()) } else { Ok(()) }
}

fn ratio_exceeded() -> Error {
    Error::limit(format!("The archive unpacks to more than {} times its size.", limits::ZIP_RATIO))
}

fn broken(error: ZipError) -> Error {
    match error {
        ZipError::UnsupportedArchive(reason) if reason.contains("assword") => {
            Error::new(ErrorKind::Encrypted, "The archive is protected by a password.")
        }
        _ => Error::corrupt("The file is a broken zip archive."),
    }
}
