//! Bombs of the zip container: ratio, overlap, numbers of entries, lies of the directory.

use std::io::{Cursor, Write};

use zip::CompressionMethod;
use zip::ZipArchive;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::child::Job;
use crate::support::{archive, docx, docx_with};

const PROSE: &str = "<w:p><w:r><w:t>Hello</w:t></w:r></w:p>";

pub fn bombs() -> Vec<Job> {
    let mut jobs = ratios();
    jobs.extend(directories());
    jobs
}

fn ratios() -> Vec<Job> {
    let blanks = |bytes: usize| move || docx(&format!("<w:p><w:r><w:t>{}</w:t></w:r></w:p>", " ".repeat(bytes)));
    vec![
        Job::one("DOCX of 30 MB of blanks in 30 KB", "a.docx", "limit_exceeded", blanks(30 << 20)),
        Job::one("DOCX beside a picture of 30 MB of zeros", "a.docx", "limit_exceeded", || {
            docx_with(PROSE, &[("word/media/x", &vec![0; 30 << 20])])
        }),
        Job::one("fifty entries of 5 MB, each within the ratio", "a.docx", "limit_exceeded", || {
            let noise: Vec<u8> = (0..5u32 << 20)
                .map(|at| if at % 64 == 0 { (at.wrapping_mul(2_654_435_761) >> 24) as u8 } else { b' ' })
                .collect();
            let one = archive(&[("word/noise", &noise)]);
            let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
            let mut source = ZipArchive::new(Cursor::new(one)).unwrap();
            (0..50).for_each(|index| {
                writer.raw_copy_file_rename(source.by_index_raw(0).unwrap(), format!("word/{index}")).unwrap();
            });
            writer.start_file("word/document.xml", SimpleFileOptions::default()).unwrap();
            writer.write_all(b"<w:document/>").unwrap();
            writer.finish().unwrap().into_inner()
        }),
        Job::one("archives within archives, nine deep", "a.docx", "ok", || {
            (0..9).fold(docx(PROSE), |inner, _| {
                docx_with(PROSE, &[("word/embeddings/inner.docx", &inner), ("inner.zip", &inner)])
            })
        }),
        Job::one("kernel shared by 5,000 entries (Fifield)", "a.docx", "limit_exceeded", || shared_kernel(5_000)),
        Job::one("a main part that promises 1 kB and holds 30 MB", "a.docx", "limit_exceeded", || {
            let mut bomb = archive(&[("word/document.xml", &vec![b' '; 30 << 20])]);
            patch(&mut bomb, 24, &1000u32.to_le_bytes());
            bomb
        }),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table of files")]
fn directories() -> Vec<Job> {
    vec![
        Job::one("a million entries", "a.docx", "limit_exceeded", || many_entries(1_000_000)),
        Job::one("a directory of 65,535 entries that are not there", "a.docx", "corrupt", || {
            let mut file = b"PK\x03\x04".to_vec();
            file.extend(end_of_directory(65_535, 0, 4));
            file
        }),
        Job::one("a directory that begins beyond the file", "a.docx", "corrupt", || {
            let mut file = docx(PROSE);
            let end = file.len() - 6;
            file[end..end + 4].copy_from_slice(&0xFFFF_FFF0u32.to_le_bytes());
            file
        }),
        Job::one("a main part under a password", "a.docx", "encrypted", || {
            let mut file = docx(PROSE);
            // General purpose bit 0, in the entry and in the directory.
            file[6] |= 1;
            patch(&mut file, 8, &1u16.to_le_bytes());
            file
        }),
        Job::one("a main part packed by an unknown method", "a.docx", "corrupt", || {
            let mut file = docx(PROSE);
            file[8..10].copy_from_slice(&99u16.to_le_bytes());
            patch(&mut file, 10, &99u16.to_le_bytes());
            file
        }),
        Job::one("a main part whose checksum is wrong", "a.docx", "corrupt", || {
            let mut file = docx(PROSE);
            patch(&mut file, 16, &0u32.to_le_bytes());
            file
        }),
        Job::one("two entries of one place", "a.docx", "limit_exceeded", || {
            let mut file = archive(&[("word/document.xml", b"<a>one</a>"), ("word/documenu.xml", b"<a>two</a>")]);
            patch(&mut file, 42, &0u32.to_le_bytes());
            file
        }),
        Job::one("entries that climb out of the archive", "a.docx", "ok", || {
            docx_with(
                PROSE,
                &[("../../../etc/passwd", b"x"), ("/etc/passwd", b"x"), ("C:\\x", b"x"), ("word/../word/x", b"x")],
            )
        }),
        Job::many(
            "a DOCX with each of its bytes flipped",
            "a.docx",
            "corrupt encrypted limit_exceeded ok unsupported_type",
            || {
                let file = docx(PROSE);
                (0..file.len())
                    .map(|at| {
                        let mut broken = file.clone();
                        broken[at] ^= 0xFF;
                        broken
                    })
                    .collect()
            },
        ),
        Job::one("a comment that looks like a directory", "a.docx", "ok", || {
            let mut file = docx(PROSE);
            let length = file.len();
            let fake = [end_of_directory(9, 400, 10), vec![0; 100]].concat();
            file[length - 2..].copy_from_slice(&(fake.len() as u16).to_le_bytes());
            file.extend(fake);
            file
        }),
    ]
}

/// Overwrites bytes of the directory's last record, which begins with its signature.
fn patch(file: &mut [u8], offset: usize, bytes: &[u8]) {
    let record = file.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    file[record + offset..record + offset + bytes.len()].copy_from_slice(bytes);
}

/// APPNOTE 4.3.16.
fn end_of_directory(entries: u16, size: u32, offset: u32) -> Vec<u8> {
    let mut end = b"PK\x05\x06\0\0\0\0".to_vec();
    end.extend(entries.to_le_bytes());
    end.extend(entries.to_le_bytes());
    end.extend(size.to_le_bytes());
    end.extend(offset.to_le_bytes());
    end.extend([0, 0]);
    end
}

/// APPNOTE 4.3.12: a record of the directory for an entry at `offset`.
fn record(name: &str, packed: u32, unpacked: u32, offset: u32) -> Vec<u8> {
    let mut record = b"PK\x01\x02\x14\0\x14\0\0\0\x08\0\0\0\0\0\0\0\0\0".to_vec();
    record.extend(packed.to_le_bytes());
    record.extend(unpacked.to_le_bytes());
    record.extend((name.len() as u16).to_le_bytes());
    record.extend([0; 12]);
    record.extend(offset.to_le_bytes());
    record.extend(name.as_bytes());
    record
}

/// The smallest records there are, 47 bytes each: 47 MB of directory, and its true count only in a zip64 record.
fn many_entries(count: u32) -> Vec<u8> {
    let mut file = archive(&[("a", b"")]);
    file.truncate(file.windows(4).position(|window| window == b"PK\x01\x02").unwrap());
    let start = file.len() as u32;
    let record = record("a", 0, 0, 0);
    file.extend(record.repeat(count as usize));
    let size = file.len() as u32 - start;
    let wide = file.len() as u64;
    file.extend(b"PK\x06\x06\x2C\0\0\0\0\0\0\0\x2D\0\x2D\0\0\0\0\0\0\0\0\0");
    file.extend(u64::from(count).to_le_bytes());
    file.extend(u64::from(count).to_le_bytes());
    file.extend(u64::from(size).to_le_bytes());
    file.extend(u64::from(start).to_le_bytes());
    file.extend(b"PK\x06\x07\0\0\0\0");
    file.extend(wide.to_le_bytes());
    file.extend(1u32.to_le_bytes());
    file.extend(end_of_directory(0xFFFF, size, start));
    file
}

/// Every entry claims the same packed bytes, so that the sum of all is thousands of times the file.
fn shared_kernel(entries: u32) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer
        .start_file("word/document.xml", SimpleFileOptions::default().compression_method(CompressionMethod::Deflated))
        .unwrap();
    writer.write_all(&vec![b' '; 1 << 20]).unwrap();
    let mut file = writer.finish().unwrap().into_inner();
    let directory = file.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    let packed = u32::from_le_bytes(file[directory + 20..directory + 24].try_into().unwrap());
    file.truncate(directory);
    let mut records = record("word/document.xml", packed, 1 << 20, 0);
    (1..entries).for_each(|index| records.extend(record(&format!("word/{index:08}.xml"), packed, 1 << 20, 0)));
    let size = records.len() as u32;
    file.extend(records);
    file.extend(end_of_directory(entries as u16, size, directory as u32));
    file
}
