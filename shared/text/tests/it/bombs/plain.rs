//! Bombs of plain formats: empty, cut, mislabelled, too deep, too long, and lines that no memory holds.

use std::io::{Read, Seek, SeekFrom};

use docent_text::limits;

use crate::child::Job;
use crate::support::{archive, docx, pdf};

pub fn bombs() -> Vec<Job> {
    let mut jobs = labels();
    jobs.extend(tables());
    jobs.extend(json());
    jobs
}

fn labels() -> Vec<Job> {
    let every =
        |bytes: Vec<u8>, step: usize| move || (0..bytes.len()).step_by(step).map(|end| bytes[..end].to_vec()).collect();
    let hello = || docx("<w:p><w:r><w:t>Hello</w:t></w:r></w:p>");
    vec![
        Job::many("empty, under every name", "*", "empty_file", || {
            vec![Vec::new(), b" \n\t".to_vec(), b"\xEF\xBB\xBF".to_vec()]
        }),
        Job::one("nothing but blanks, 1 MB", "a.txt", "empty_file", || vec![b' '; 1 << 20]),
        Job::many(
            "PDF cut at every 11th byte",
            "a.pdf",
            "corrupt empty_file no_text_layer ok",
            every(pdf("Hello"), 11),
        ),
        Job::many("DOCX cut at every 11th byte", "a.docx", "corrupt empty_file", every(hello(), 11)),
        Job::many("images and programs that claim to be text", "a.txt", "unsupported_type", || {
            [
                b"\x89PNG\r\n\x1A\n0000".as_slice(),
                b"\x7FELF\x02\x01\0\0",
                b"GIF89a\0\0",
                b"\x1F\x8B\x08\0\0",
                b"SQLite format 3\0",
            ]
            .map(<[u8]>::to_vec)
            .to_vec()
        }),
        Job::many("text that claims to be PDF", "a.pdf", "corrupt empty_file", || {
            vec![b"just text".to_vec(), b"<html>".to_vec()[..5].to_vec()]
        }),
        Job::many("PDF and DOCX that claim to be text", "a.txt", "ok", move || vec![pdf("Hello"), hello()]),
        Job::one("an archive of no known kind", "a.zip", "unsupported_type", || archive(&[("a.txt", b"text")])),
        Job::many("Office documents under a password", "a.docx", "encrypted", || {
            let mut file = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1".to_vec();
            file.extend("EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes));
            vec![file]
        }),
        Job::many("bytes of dice under a text's name", "a.txt", "unsupported_type", || {
            let mut state = 7u32;
            let mut die = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            };
            vec![(0..1 << 20).map(|_| die()).collect()]
        }),
    ]
}

fn tables() -> Vec<Job> {
    vec![
        Job::one("CSV quote that never closes, 40 MB", "a.csv", "limit_exceeded", || {
            [b"a,b\n1,\"".as_slice(), &b"x,y\n".repeat(10 << 20)].concat()
        }),
        Job::stream("CSV line of 1 GB", "a.csv", "too_large", || Endless::new(b"a,b\n", b"x", 1 << 30)),
        Job::stream("CSV line of 400 MB", "a.csv", "limit_exceeded", || Endless::new(b"a,b\n", b"x", 400 << 20)),
        Job::stream("CSV row of 400 MB in short fields", "a.csv", "limit_exceeded", || {
            Endless::new(b"a,b\n", b"x,", 400 << 20)
        }),
        Job::stream("quoted CSV field of 400 MB", "a.csv", "limit_exceeded", || {
            Endless::new(b"a,b\n1,\"", b"x\n", 400 << 20)
        }),
        Job::stream("JSON line of 400 MB", "a.jsonl", "limit_exceeded", || Endless::new(b"{\"a\":\"", b"x", 400 << 20)),
        Job::one("CSV header of a megabyte over many rows", "a.csv", "ok", || {
            let header = "h".repeat(limits::CSV_FIELD_BYTES);
            format!("{header}\n{}", "1\n".repeat(20_000)).into_bytes()
        }),
        Job::one("CSV with 300,000 columns", "a.csv", "ok", || ",".repeat(300_000).replace(",", "x,").into_bytes()),
        Job::one("TSV of nothing but tabs", "a.tsv", "empty_file", || b"\t\t\t\t\n".repeat(100_000)),
        Job::one("CSV of nothing but quotes", "a.csv", "ok", || vec![b'"'; 1 << 20]),
    ]
}

fn json() -> Vec<Job> {
    let nested = |open: &'static str, close: &'static str, levels: usize| {
        move || format!("{}1{}", open.repeat(levels), close.repeat(levels)).into_bytes()
    };
    vec![
        Job::one("JSON of a million arrays", "a.json", "limit_exceeded", nested("[", "]", 1_000_000)),
        Job::one("JSON of a million objects", "a.json", "limit_exceeded", nested("{\"a\":", "}", 1_000_000)),
        Job::one("JSON whose arrays never close", "a.json", "limit_exceeded", || vec![b'['; 10 << 20]),
        Job::one("JSON line of a million arrays", "a.jsonl", "limit_exceeded", nested("[", "]", 1_000_000)),
        Job::one("JSON key of a megabyte over many values", "a.json", "limit_exceeded", || {
            format!("{{\"{}\":[{}1]}}", "k".repeat(1 << 20), "1,".repeat(10_000)).into_bytes()
        }),
        Job::many("JSON numbers beyond every range", "a.json", "corrupt ok", || {
            let digits = "9".repeat(1_000_000);
            vec![format!("[{digits}]").into_bytes(), b"[1e999999999]".to_vec(), format!("[0.{digits}]").into_bytes()]
        }),
        Job::many("lone surrogates in JSON", "a.json", "corrupt", || {
            [r#"["\ud800"]"#, r#"["\udc00\ud800"]"#, r#"{"\udead":1}"#, r#"["\ud800\u0041"]"#]
                .map(|text| text.as_bytes().to_vec())
                .to_vec()
        }),
        Job::one("U+0000 in JSON", "a.json", "ok", || br#"{"a\u0000b":"x\u0000y"}"#.to_vec()),
        Job::one("half a million numbers of JSON", "a.json", "ok", || {
            format!("[{}1]", "1,".repeat(500_000)).into_bytes()
        }),
    ]
}

/// A file of a beginning and one piece over and over, of which never more than a block exists.
struct Endless {
    start: &'static [u8],
    block: Vec<u8>,
    length: u64,
    at: u64,
}

impl Endless {
    fn new(start: &'static [u8], piece: &'static [u8], length: u64) -> Self {
        Self { start, block: piece.repeat(64 * 1024 / piece.len()), length, at: 0 }
    }
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let start = self.start.len() as u64;
        let source = match self.at.checked_sub(start) {
            None => &self.start[self.at as usize..],
            Some(beyond) => &self.block[(beyond % self.block.len() as u64) as usize..],
        };
        let left = usize::try_from(self.length - self.at).unwrap_or(usize::MAX);
        let count = buffer.len().min(source.len()).min(left);
        buffer[..count].copy_from_slice(&source[..count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Endless {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::End(back) => self.length.saturating_add_signed(back),
            SeekFrom::Current(step) => self.at.saturating_add_signed(step),
        };
        Ok(self.at)
    }
}
