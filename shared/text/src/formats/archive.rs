//! Zip archives with every known bomb refused before a byte is unpacked.

use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use crate::budget::{Meter, limits};
use crate::error::{Error, ErrorKind};

pub(crate) type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// Opens an archive after checking its directory: number of entries, overlaps, promised sizes.
pub(crate) fn open(bytes: &[u8]) -> Result<Archive<'_>, Error> {
    // Counted before the directory is read, because reading it allocates for every entry.
    let entries = bytes.windows(4).filter(|window| window == b"PK\x01\x02").count();
    if entries > limits::ZIP_ENTRIES {
        return Err(Error::limit(format!("The archive has more than {} entries.", limits::ZIP_ENTRIES)));
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    if archive.has_overlapping_files().map_err(broken)? {
        return Err(Error::limit("Entries of the archive overlap."));
    }
    let mut total = 0u64;
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(broken)?;
        total = total.saturating_add(entry.size());
        check_ratio(entry.size(), entry.compressed_size())?;
    }
    check_ratio(total, bytes.len() as u64)?;
    if total > limits::ZIP_OUTPUT_BYTES {
        return Err(Error::limit(format!("The archive unpacks to more than {} bytes.", limits::ZIP_OUTPUT_BYTES)));
    }
    Ok(archive)
}

/// Unpacks one entry as UTF-8 text, or `None` when there is no such entry.
pub(crate) fn text(archive: &mut Archive, name: &str, meter: &Meter) -> Result<Option<String>, Error> {
    meter.time()?;
    let entry = match archive.by_name(name) {
        Ok(entry) => entry,
        Err(ZipError::FileNotFound) => return Ok(None),
        Err(error) => return Err(broken(error)),
    };
    // The directory may lie about sizes, so what comes out is measured against what really went in.
    let packed = entry.compressed_size();
    let allowed = packed.saturating_mul(limits::ZIP_RATIO).max(limits::ZIP_RATIO_FREE_BYTES);
    let allowed = allowed.min(limits::ZIP_OUTPUT_BYTES);
    let mut unpacked = Vec::new();
    entry
        .take(allowed + 1)
        .read_to_end(&mut unpacked)
        .map_err(|_| Error::corrupt("An entry of the archive cannot be unpacked."))?;
    if unpacked.len() as u64 > allowed {
        return Err(ratio_exceeded());
    }
    let (text, _, _) = encoding_rs::UTF_8.decode(&unpacked);
    Ok(Some(text.into_owned()))
}

fn check_ratio(unpacked: u64, packed: u64) -> Result<(), Error> {
    let allowed = packed.saturating_mul(limits::ZIP_RATIO).max(limits::ZIP_RATIO_FREE_BYTES);
    if unpacked > allowed { Err(ratio_exceeded()) } else { Ok(()) }
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
