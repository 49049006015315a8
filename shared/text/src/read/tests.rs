//! Reading in segments gives what reading at once gives, holds no more than a segment, and keeps its limits.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use super::*;
use crate::budget::limits;
use crate::chunk::chunk;

fn pieces_of(source: impl Read + Seek, name: &str, budget: &Budget) -> Result<(Vec<Piece>, Summary), Error> {
    let mut pieces = Vec::new();
    let options = ReadOptions { budget: budget.clone(), chunks: ChunkOptions::default() };
    let summary = read(source, name, None, &options, &mut |piece| {
        pieces.push(piece);
        Ok(())
    })?;
    Ok((pieces, summary))
}

fn code(source: impl Read + Seek, name: &str, budget: &Budget) -> &'static str {
    pieces_of(source, name, budget).map_or_else(|error| error.code(), |_| "ok")
}

/// Asserts that a file read in segments gives the chunks that it gives as a whole.
fn same(bytes: &[u8], name: &str) -> Vec<Piece> {
    let whole = extract::extract(bytes, name, None, &Budget::default()).unwrap();
    let chunks = chunk(&whole, &ChunkOptions::default());
    let (pieces, summary) = pieces_of(Trickle(Cursor::new(bytes)), name, &Budget::default()).unwrap();
    assert_eq!(summary.format, whole.format);
    assert_eq!(summary.text_bytes, whole.text.len() as u64, "{name}");
    assert_eq!((summary.title, summary.notes), (whole.title, whole.notes));
    assert_eq!(summary.charset.as_deref(), whole.charset);
    assert_eq!(summary.chunks as usize, pieces.len());
    assert_eq!(pieces.len(), chunks.len(), "{name}");
    for (piece, chunk) in pieces.iter().zip(&chunks) {
        assert_eq!((piece.start as usize, piece.end as usize), (chunk.start, chunk.end), "{name} {}", piece.ordinal);
        assert_eq!(piece.text, whole.text[chunk.start..chunk.end]);
        assert_eq!(
            (piece.ordinal, piece.tokens, &piece.heading_path),
            (chunk.ordinal, chunk.tokens, &chunk.heading_path)
        );
        assert_eq!((piece.page_first, piece.page_last), (chunk.page_first, chunk.page_last));
    }
    pieces
}

/// Gives a few bytes at a time, as a slow disk might.
struct Trickle<S>(S);

impl<S: Read> Read for Trickle<S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = into.len().min(4099);
        self.0.read(&mut into[..length])
    }
}

impl<S: Seek> Seek for Trickle<S> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

fn prose(bytes: usize) -> String {
    const PARTS: [&str; 6] = [
        "Every valve is turned by hand before the pump is started, and Dr. Weiß signs the log.",
        " It holds 3.5 litres; the rest\nruns over. ",
        "\n\n",
        "- an item of a list\n- and another one\n",
        "Ein Satz, der auf einer Zeile steht.\n",
        "吾輩は猫である。名前はまだ無い。",
    ];
    let mut text = String::new();
    let mut state = 7u32;
    while text.len() < bytes {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push_str(PARTS[(state >> 16) as usize % PARTS.len()]);
    }
    text
}

const LONG: usize = 1200 * 1024;

#[test]
fn segments_make_no_difference_to_the_chunks() {
    same(prose(LONG).as_bytes(), "a.txt");
    let rows: String = (0..20_000).map(|n| format!("{n},\"Saw, No. {n}\",\"a\nb\",12.5 €\n")).collect();
    same(format!("id,name,note,price\n{rows}").as_bytes(), "a.csv");
    let lines: String =
        (0..20_000).map(|n| format!("{{\"id\": {n}, \"tags\": [\"a\", \"ü\"], \"x\": null}}\n")).collect();
    same(lines.as_bytes(), "a.jsonl");
    let sections: String = (0..2_000)
        .map(|n| format!("{} Part {n}\n\n{}\n\n", "#".repeat(1 + n % 4), "Words of a part that go on. ".repeat(25)))
        .collect();
    let pieces = same(sections.as_bytes(), "a.md");
    assert!(pieces.iter().any(|piece| piece.heading_path.len() == 4));
}

#[test]
fn a_page_longer_than_a_segment_is_one_page() {
    let rows = |sheet: u32| {
        (1..=9_000)
            .map(|n| format!("<row><c><v>{}</v></c><c t='str'><v>Saw No. {n}</v></c></row>", n * sheet))
            .collect()
    };
    let sheets: [String; 3] = [rows(1), String::new(), rows(2)];
    let names = ["One", "Two", "Three"];
    let pieces = same(&crate::formats::tests::xlsx::workbook(&names, &sheets), "a.xlsx");
    let pages: std::collections::BTreeSet<_> = pieces.iter().map(|piece| (piece.page_first, piece.page_last)).collect();
    assert_eq!(Vec::from_iter(pages), [(Some(1), Some(1)), (Some(3), Some(3))]);
    assert!(pieces.iter().all(|piece| piece.heading_path.len() == 1));
}

#[test]
fn characters_are_found_out_wherever_they_first_show() {
    let text = prose(LONG).replace("吾輩は猫である。名前はまだ無い。", "Ça déjà vu. ");
    let (windows, _, lost) = encoding_rs::WINDOWS_1252.encode(&text);
    assert!(!lost);
    same(&windows, "a.txt");
    let late = [&b"plain words. ".repeat(40_000)[..], b"caf\xE9 au lait, d\xE9j\xE0 vu. ", &b"more words. ".repeat(9)]
        .concat();
    let pieces = same(&late, "a.txt");
    assert!(pieces.iter().any(|piece| piece.text.contains("café au lait, déjà vu.")));
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    same(&utf16, "a.txt");
    // A broken character late in a file of UTF-8 is one lost character, not another character set.
    let broken = ["größer ".repeat(60_000).as_bytes(), b"\xFF", " größer".as_bytes()].concat();
    let (pieces, summary) = pieces_of(Cursor::new(&broken), "a.txt", &Budget::default()).unwrap();
    assert_eq!(summary.charset.as_deref(), Some("UTF-8"));
    assert_eq!(summary.notes.len(), 1);
    assert!(pieces.last().unwrap().text.ends_with("\u{FFFD} größer"));
}

#[test]
fn text_without_pauses_is_read_too() {
    same("x".repeat(LONG).as_bytes(), "a.txt");
    same("word ".repeat(LONG / 5).as_bytes(), "a.txt");
    same(format!("begin{}end", "\n".repeat(LONG)).as_bytes(), "a.txt");
    same(format!("{}end", " \r\n".repeat(LONG)).as_bytes(), "a.txt");
    same("line\r".repeat(LONG / 5).as_bytes(), "a.txt");
    same(format!("{}\r\nx", "猫".repeat(LONG / 3)).as_bytes(), "a.txt");
}

/// A file that is never held: its first line, then one letter for ever.
struct Endless {
    first: &'static [u8],
    length: u64,
    at: u64,
    since_rewind: u64,
}

impl Endless {
    fn new(first: &'static [u8], length: u64) -> Self {
        Self { first, length, at: 0, since_rewind: 0 }
    }
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length - self.at).unwrap_or(usize::MAX);
        let length = into.len().min(left);
        for (offset, byte) in into[..length].iter_mut().enumerate() {
            *byte = self.first.get(self.at as usize + offset).copied().unwrap_or(b'x');
        }
        self.at += length as u64;
        self.since_rewind += length as u64;
        Ok(length)
    }
}

impl Seek for Endless {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = match to {
            SeekFrom::End(_) => self.length,
            SeekFrom::Start(at) => at,
            SeekFrom::Current(by) => self.at.saturating_add_signed(by),
        };
        if self.at == 0 {
            self.since_rewind = 0;
        }
        Ok(self.at)
    }
}

#[test]
fn what_never_ends_is_refused_before_it_is_gathered() {
    let unclosed: [(&str, &'static [u8], usize); 3] = [
        ("a.csv", b"a,b\n1,\"", limits::CSV_ROW_BYTES),
        ("a.tsv", b"a\tb\n1\t", limits::CSV_ROW_BYTES),
        ("a.jsonl", b"{\"a\": \"", limits::JSON_LINE_BYTES),
    ];
    for (name, first, limit) in unclosed {
        let mut source = Endless::new(first, 40 << 20);
        let error = pieces_of(&mut source, name, &Budget::default()).err().unwrap();
        assert_eq!(error.code(), "limit_exceeded", "{name}");
        let read = source.since_rewind as usize;
        assert!(read < limit + (1 << 20), "{name}: {read} bytes were read to find a limit of {limit}");
    }
}

#[test]
fn limits_of_streams_hold_at_the_limit_and_not_beyond() {
    let budget = Budget::default();
    let row = |length: usize| {
        let cell = "x".repeat(limits::CSV_FIELD_BYTES);
        let cells = format!("{cell},").repeat(7);
        let last = "x".repeat(length - cells.len() - 1);
        Cursor::new(format!("a,b\n{cells}{last}\n").into_bytes())
    };
    assert_eq!(code(row(limits::CSV_ROW_BYTES), "a.csv", &budget), "ok");
    assert_eq!(code(row(limits::CSV_ROW_BYTES + 1), "a.csv", &budget), "limit_exceeded");
    let line = |length: usize| Cursor::new(format!("\"{}\"\n", "x".repeat(length - 2)).into_bytes());
    assert_eq!(code(line(limits::JSON_LINE_BYTES), "a.jsonl", &budget), "ok");
    assert_eq!(code(line(limits::JSON_LINE_BYTES + 1), "a.jsonl", &budget), "limit_exceeded");
    let tight = Budget { stream_bytes: 11, whole_bytes: 7, stream_output_bytes: 9, ..Budget::default() };
    let cases = [
        ("a.txt", "123456789", "ok"),
        ("a.txt", "1234567890", "limit_exceeded"),
        ("a.csv", "a,b\n1,\n2,\n", "ok"),
        ("a.csv", "a,b\n1,\n2,\n\n", "too_large"),
        ("a.md", "1234567", "ok"),
        ("a.md", "12345678", "too_large"),
    ];
    for (name, text, expected) in cases {
        let mut tight = tight.clone();
        if name == "a.csv" {
            (tight.stream_bytes, tight.stream_output_bytes) = (10, 100);
        }
        assert_eq!(code(Cursor::new(text), name, &tight), expected, "{name} {text}");
    }
}

#[test]
fn a_bad_line_is_named() {
    let error = pieces_of(Cursor::new("{\"a\": 1}\n\n{\"a\": }\n"), "a.jsonl", &Budget::default()).err().unwrap();
    assert_eq!((error.code(), error.to_string().as_str()), ("corrupt", "Line 3 is not valid JSON (column 7)."));
}

#[test]
fn elements_are_counted_by_the_segment_and_text_over_all() {
    let rows = "1,2,3,4\n".repeat(100_000);
    let source = || Cursor::new(rows.as_bytes());
    assert_eq!(code(source(), "a.csv", &Budget { nodes: 170_000, ..Budget::default() }), "ok");
    assert_eq!(code(source(), "a.csv", &Budget { nodes: 50_000, ..Budget::default() }), "limit_exceeded");
    assert_eq!(
        code(source(), "a.csv", &Budget { stream_output_bytes: 1 << 20, ..Budget::default() }),
        "limit_exceeded"
    );
}

#[test]
fn whoever_receives_the_pieces_can_stop() {
    let text = prose(LONG);
    let mut received = 0;
    let error = read(Cursor::new(&text), "a.txt", None, &ReadOptions::default(), &mut |_| {
        received += 1;
        if received == 10 { Err(Error::interrupted("The disk is full.")) } else { Ok(()) }
    });
    assert_eq!(error.err(), Some(Error::interrupted("The disk is full.")));
    assert_eq!(received, 10);
}

#[test]
fn a_source_that_gives_way_is_not_the_documents_fault() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("gone"))
        }
    }
    impl Seek for Broken {
        fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
            Ok(0)
        }
    }
    assert_eq!(code(Broken, "a.txt", &Budget::default()), "interrupted");
}
