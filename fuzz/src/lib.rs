//! What holds for every document, asserted after each attack: chunks are slices, spans are ordered, budgets are kept.
#![forbid(unsafe_code)]

pub mod answers;

use std::io::{Cursor, Write};

use docent_text::{
    Budget, ChunkOptions, Extract, Format, Heading, Page, Piece, ReadOptions, chunk, embed_input, estimate_tokens,
    extract, hash, sentences, term_counts, terms,
};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

/// Small enough to be reached by a fuzzer's inputs.
fn budget() -> Budget {
    Budget { output_bytes: 4 * 1024 * 1024, nodes: 500_000, ..Budget::default() }
}

const OPTIONS: ChunkOptions = ChunkOptions { target_chars: 40, max_chars: 60 };

/// Reads a file of that name and checks what comes out of it.
pub fn read(name: &str, bytes: &[u8]) {
    verdict(name, None, bytes);
}

fn verdict(name: &str, declared: Option<&str>, bytes: &[u8]) {
    let whole = extract(bytes, name, declared, &budget());
    let mut pieces = Vec::new();
    let options = ReadOptions { budget: budget(), chunks: OPTIONS };
    let summary = docent_text::read(Cursor::new(bytes), name, declared, &options, &mut |piece| {
        pieces.push(piece);
        Ok(())
    });
    match (whole, summary) {
        (Ok(extract), Ok(summary)) => {
            assert!(!extract.text.trim().is_empty(), "a document without text was accepted");
            check(&extract, &OPTIONS);
            assert_eq!((summary.format, summary.chunks as usize), (extract.format, pieces.len()));
            check_pieces(&extract, &pieces);
        }
        // What is read in pieces may end later than what is read at once, and by another limit, but it ends.
        (whole, summary) => {
            for error in [whole.err(), summary.err()].into_iter().flatten() {
                assert!(!error.to_string().is_empty() && !error.hint().is_empty());
            }
        }
    }
}

/// Reading piece by piece gives what reading at once gives.
fn check_pieces(extract: &Extract, pieces: &[Piece]) {
    let chunks = chunk(extract, &OPTIONS);
    assert_eq!(chunks.len(), pieces.len());
    for (chunk, piece) in chunks.iter().zip(pieces) {
        assert_eq!(piece.text, extract.text[chunk.start..chunk.end]);
        assert_eq!((piece.ordinal, piece.start, piece.end), (chunk.ordinal, chunk.start as u64, chunk.end as u64));
        assert_eq!((piece.page_first, piece.page_last), (chunk.page_first, chunk.page_last));
        assert_eq!((&piece.heading_path, piece.tokens), (&chunk.heading_path, chunk.tokens));
    }
}

fn check(extract: &Extract, options: &ChunkOptions) {
    let text = extract.text.as_str();
    assert!(text.len() <= budget().output_bytes, "the budget of text was overdrawn");
    assert!(!text.contains('\0'), "U+0000 came through");
    let mut end = 0;
    for page in &extract.pages {
        assert!(page.start >= end && page.end >= page.start, "pages overlap");
        assert!(text.get(page.start..page.end).is_some());
        end = page.end;
    }
    let mut start = 0;
    for heading in &extract.headings {
        assert!(heading.start >= start, "headings are out of order");
        assert!(text[heading.start..].starts_with(&heading.title));
        start = heading.start;
    }
    check_chunks(extract, options);
}

fn check_chunks(extract: &Extract, options: &ChunkOptions) {
    let text = extract.text.as_str();
    let mut end = 0;
    for (ordinal, chunk) in chunk(extract, options).iter().enumerate() {
        assert_eq!(chunk.ordinal as usize, ordinal);
        assert!(text[end..chunk.start].trim().is_empty(), "text between chunks was lost");
        let slice = &text[chunk.start..chunk.end];
        assert!(!slice.is_empty() && slice == slice.trim());
        assert!(slice.chars().count() <= options.max_chars.max(1), "a chunk is too long");
        assert!(chunk.page_first <= chunk.page_last);
        end = chunk.end;
    }
    assert!(text[end..].trim().is_empty(), "text behind the last chunk was lost");
}

/// The fuzzer ends the process at any panic; where the reader catches them, only those that escape count.
pub fn contained_panics() {
    std::panic::set_hook(Box::new(|_| {}));
}

/// Entries of an archive: those with an empty text are filled by the fuzzer, the others are as they stand.
type Parts = &'static [(&'static str, &'static str)];

pub const DOCX: Parts = &[("word/document.xml", ""), ("word/styles.xml", ""), ("docProps/core.xml", "")];
pub const PPTX: Parts = &[
    ("ppt/slides/slide1.xml", ""),
    ("ppt/notesSlides/notesSlide1.xml", ""),
    (
        "ppt/presentation.xml",
        r#"<p:presentation xmlns:p="p" xmlns:r="r"><p:sldIdLst><p:sldId id="256" r:id="r1"/></p:sldIdLst></p:presentation>"#,
    ),
    (
        "ppt/_rels/presentation.xml.rels",
        r#"<Relationships><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/slide" Target="slides/slide1.xml"/></Relationships>"#,
    ),
    (
        "ppt/slides/_rels/slide1.xml.rels",
        r#"<Relationships><Relationship Id="n1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/notesSlide" Target="../notesSlides/notesSlide1.xml"/></Relationships>"#,
    ),
];
pub const XLSX: Parts = &[
    ("xl/worksheets/sheet1.xml", ""),
    ("xl/sharedStrings.xml", ""),
    ("xl/styles.xml", ""),
    (
        "xl/workbook.xml",
        r#"<workbook xmlns:r="r"><sheets><sheet name="One" sheetId="1" r:id="r1"/></sheets></workbook>"#,
    ),
    (
        "xl/_rels/workbook.xml.rels",
        r#"<Relationships><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#,
    ),
];
pub const EPUB: Parts = &[
    ("mimetype", "application/epub+zip"),
    ("OEBPS/one.xhtml", ""),
    ("OEBPS/book.opf", ""),
    (
        "META-INF/container.xml",
        r#"<container><rootfiles><rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"#,
    ),
];

/// Packs the input, cut at U+0000, into the open parts of an archive and reads that.
pub fn parts(name: &str, bytes: &[u8], parts: Parts) {
    let mut inputs = bytes.split(|&byte| byte == 0);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (entry, fixed) in parts {
        let content = if fixed.is_empty() { inputs.next() } else { Some(fixed.as_bytes()) };
        // A part that the input does not reach is absent, as it may be in a real file.
        let Some(content) = content else { continue };
        writer.start_file(*entry, stored).expect("the archive lies in memory");
        writer.write_all(content).expect("the archive lies in memory");
    }
    read(name, &writer.finish().expect("the archive lies in memory").into_inner());
}

pub fn container(bytes: &[u8]) {
    read("a.docx", &[b"PK\x03\x04", bytes].concat());
}

pub fn charset(bytes: &[u8]) {
    const DECLARED: [Option<&str>; 8] = [
        None,
        Some("text/plain; charset=utf-16"),
        Some("text/plain; charset=shift_jis"),
        Some("text/plain; charset=gb18030"),
        Some("text/plain; charset=iso-2022-jp"),
        Some("text/plain; charset=windows-1252"),
        Some("text/plain; charset=\"utf-8"),
        Some("text/html;charset"),
    ];
    let Some((&first, rest)) = bytes.split_first() else { return };
    verdict("a.txt", DECLARED[usize::from(first) % DECLARED.len()], rest);
}

/// Builds an extract of the input itself: form feeds end pages, lines that begin with `#` are headings.
pub fn cuts(bytes: &[u8]) {
    let [target, more, rest @ ..] = bytes else { return };
    let text: String = String::from_utf8_lossy(rest).replace('\0', "");
    let mut pages = Vec::new();
    let mut from = 0;
    for (at, _) in text.match_indices('\u{C}') {
        pages.push(Page { number: pages.len() as u32 + 1, start: from, end: at });
        from = at + 1;
    }
    if !pages.is_empty() {
        pages.push(Page { number: pages.len() as u32 + 1, start: from, end: text.len() });
    }
    let mut headings = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let title = line.trim_end();
        let level = line.bytes().take_while(|&byte| byte == b'#').count();
        if level > 0 && level < title.len() {
            headings.push(Heading { level: level.min(9) as u8, title: title.to_owned(), start });
        }
        start += line.len();
    }
    let extract =
        Extract { format: Format::Text, title: None, text, pages, headings, charset: None, notes: Vec::new() };
    let target_chars = usize::from(*target);
    check_chunks(&extract, &ChunkOptions { target_chars, max_chars: target_chars + usize::from(*more) });
}

pub fn words(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let found = terms(&text);
    assert!(found.iter().all(|term| !term.is_empty() && !term.contains(char::is_whitespace)), "{found:?}");
    let counts = term_counts(&text);
    assert_eq!(counts.length as usize, found.len());
    assert_eq!(counts.counts.values().map(|&count| count as usize).sum::<usize>(), found.len());
    let mut end = 0;
    for range in sentences(&text) {
        assert!(text[end..range.start].trim().is_empty() && !range.is_empty(), "a sentence was lost");
        end = range.end;
    }
    assert!(text[end..].trim().is_empty());
    let norm: f32 = hash::embed(&text).iter().map(|value| value * value).sum();
    assert!((norm - 1.0).abs() < 1e-3 || norm == 0.0, "{norm}");
    assert!(estimate_tokens(&text) as usize <= text.len());
    assert!(embed_input(Some("title"), &[text.to_string()], &text).ends_with(&*text));
}
