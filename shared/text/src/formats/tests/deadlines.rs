//! Every format stops when its time is up, those that were read for a while too.

use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::time::Instant;

use super::{archive, relations};
use crate::budget::Budget;
use crate::extract::extract;
use crate::read::{ReadOptions, read};

#[test]
fn a_deadline_in_the_past_stops_every_format() {
    let budget = Budget { deadline: Some(Instant::now()), ..Budget::default() };
    let slides = relations(&[("a", "slide", "slides/slide1.xml")]);
    let presentation = "<p:presentation><p:sldIdLst><p:sldId r:id='a'/></p:sldIdLst></p:presentation>";
    let files: [(&str, Vec<u8>); 6] = [
        ("a.pptx", archive(&[("ppt/presentation.xml", presentation), ("ppt/_rels/presentation.xml.rels", &slides)])),
        ("a.xlsx", super::xlsx::workbook(&["S"], &["<row><c><v>1</v></c></row>".to_owned()])),
        ("a.epub", archive(&[("META-INF/container.xml", "<container/>")])),
        ("a.eml", b"Subject: x\n\ny".to_vec()),
        ("a.tsv", b"a\tb\n1\t2".to_vec()),
        ("a.jsonl", b"{}\n{}".to_vec()),
    ];
    for (name, bytes) in files {
        assert_eq!(extract(&bytes, name, None, &budget).unwrap_err().code(), "timeout", "{name}");
    }
}

/// A file that takes until the deadline to be read halfway.
struct Slow {
    bytes: Cursor<Vec<u8>>,
    deadline: Instant,
}

impl Read for Slow {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.bytes.position() > self.bytes.get_ref().len() as u64 / 2 {
            std::thread::sleep(self.deadline.saturating_duration_since(Instant::now()));
        }
        let length = into.len().min(64 * 1024);
        self.bytes.read(&mut into[..length])
    }
}

impl Seek for Slow {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

#[test]
fn a_deadline_that_passes_on_the_way_stops_what_streams() {
    for (name, text) in [("a.txt", "word "), ("a.csv", "1,2,3\n"), ("a.jsonl", "{\"a\": 1}\n")] {
        let deadline = Instant::now() + std::time::Duration::from_millis(20);
        let source = Slow { bytes: Cursor::new(text.repeat(200_000).into_bytes()), deadline };
        let options =
            ReadOptions { budget: Budget { deadline: Some(deadline), ..Budget::default() }, ..ReadOptions::default() };
        let error = read(source, name, None, &options, &mut |_| Ok(())).err().unwrap();
        assert_eq!(error.code(), "timeout", "{name}");
    }
}
