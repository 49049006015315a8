//! Files made to hurt: each is refused with its code, quickly and without harm.

use std::time::{Duration, Instant};

use docent_text::{Budget, ErrorKind, extract, limits};

use crate::support::{archive, code_of, docx, docx_with, pdf, text_of};

#[test]
fn every_kind_has_a_code_a_message_and_a_next_step() {
    let error = extract(b"", "a.txt", None, &Budget::default()).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::EmptyFile, "empty_file"));
    assert!(!error.to_string().is_empty());
    let codes: std::collections::BTreeSet<_> = ErrorKind::ALL.iter().map(|kind| kind.code()).collect();
    assert_eq!(codes.len(), ErrorKind::ALL.len());
    assert!(error.hint().ends_with('.'));
}

#[test]
fn mislabelled_empty_and_truncated_files_are_named() {
    let whole_pdf = pdf("Hello");
    let whole_docx = docx("<w:p><w:r><w:t>Hello</w:t></w:r></w:p>");
    let mut encrypted_office = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1".to_vec();
    encrypted_office.extend("EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes));
    let cases: [(&str, &[u8], &str); 17] = [
        ("a.pdf", b"", "empty_file"),
        ("a.txt", b" \n\t ", "empty_file"),
        ("a.txt", b"\xEF\xBB\xBF", "empty_file"),
        ("a.html", b"<script>x</script>", "empty_file"),
        ("a.docx", &docx("<w:p/>"), "empty_file"),
        ("a.pdf", b"just text", "corrupt"),
        ("a.docx", b"just text", "corrupt"),
        ("a.pdf", b"%PDF-1.7\n", "corrupt"),
        ("a.pdf", &whole_pdf[..60], "corrupt"),
        ("a.docx", &whole_docx[..whole_docx.len() / 2], "corrupt"),
        ("a.docx", &docx("<w:p><w:r>"), "corrupt"),
        ("a.json", br#"{"a": "#, "corrupt"),
        ("a.txt", b"\x89PNG\r\n\x1A\n0000", "unsupported_type"),
        ("a.txt", b"\x7FELF\x02\x01\x01\0\0\0\0\0", "unsupported_type"),
        ("a.docx", &archive(&[("xl/other.xml", b"<x/>")]), "unsupported_type"),
        ("a.doc", b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1 old", "unsupported_type"),
        ("a.docx", &encrypted_office, "encrypted"),
    ];
    for (name, bytes, expected) in cases {
        assert_eq!(
            code_of(name, bytes),
            expected,
            "{name} {:?}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(40)])
        );
    }
}

#[test]
fn a_pdf_without_text_is_a_scan() {
    assert_eq!(code_of("a.pdf", pdf("")), "no_text_layer");
}

#[test]
fn zip_bombs_are_refused_before_they_unpack() {
    let zeros = vec![b' '; 30 * 1024 * 1024];
    assert_eq!(code_of("a.docx", docx_with("<w:p/>", &[("word/media/x", &zeros)])), "limit_exceeded");
    let many: Vec<String> = (0..=limits::ZIP_ENTRIES).map(|index| index.to_string()).collect();
    let entries: Vec<(&str, &[u8])> = many.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
    assert_eq!(code_of("a.docx", docx_with("<w:p/>", &entries)), "limit_exceeded");
    // A ratio just within the allowance passes: the limit does not hit honest files.
    let prose = "The committee met again on Monday. ".repeat(9000);
    assert_eq!(code_of("a.docx", docx(&format!("<w:p><w:r><w:t>{prose}</w:t></w:r></w:p>"))), "limit_exceeded");
    let prose: String = (0..9000).map(|index| format!("Item {index} costs {}. ", index * 7919 % 1000)).collect();
    assert_eq!(code_of("a.docx", docx(&format!("<w:p><w:r><w:t>{prose}</w:t></w:r></w:p>"))), "ok");
}

#[test]
fn a_zip_directory_that_lies_about_sizes_is_caught_while_unpacking() {
    let zeros = vec![b' '; 30 * 1024 * 1024];
    let mut bomb = archive(&[("word/document.xml", &zeros)]);
    let directory = bomb.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    bomb[directory + 24..directory + 28].copy_from_slice(&1000u32.to_le_bytes());
    assert_ne!(code_of("a.docx", bomb), "ok");
}

#[test]
fn overlapping_zip_entries_are_refused() {
    let mut file = archive(&[("word/document.xml", b"<a>one</a>"), ("word/documenu.xml", b"<a>two</a>")]);
    let second = file.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    // The second directory entry points at the first one's data.
    file[second + 42..second + 46].copy_from_slice(&0u32.to_le_bytes());
    assert_eq!(code_of("a.docx", file), "limit_exceeded");
}

#[test]
fn xml_entities_and_depth_are_refused() {
    let bomb =
        br#"<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><w:document><w:t>&b;</w:t></w:document>"#;
    assert_eq!(code_of("a.docx", archive(&[("word/document.xml", bomb)])), "corrupt");
    let deep = |levels: usize| {
        docx(&format!("{}<w:p><w:r><w:t>x</w:t></w:r></w:p>{}", "<a>".repeat(levels), "</a>".repeat(levels)))
    };
    assert_eq!(code_of("a.docx", deep(limits::XML_DEPTH - 5)), "ok");
    assert_eq!(code_of("a.docx", deep(limits::XML_DEPTH - 4)), "limit_exceeded");
    assert_eq!(text_of("a.docx", docx("<w:p><w:r><w:t>a &unknown; b</w:t></w:r></w:p>")), "a &unknown; b");
}

#[test]
fn depth_is_limited_exactly() {
    let json = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(code_of("a.json", json(limits::JSON_DEPTH)), "ok");
    assert_eq!(code_of("a.json", json(limits::JSON_DEPTH + 1)), "limit_exceeded");
    assert_eq!(code_of("a.json", json(1_000_000)), "limit_exceeded");
    let html = |levels: usize| format!("{}x", "<div>".repeat(levels));
    assert_eq!(code_of("a.html", html(limits::HTML_DEPTH)), "ok");
    assert_eq!(code_of("a.html", html(limits::HTML_DEPTH + 1)), "limit_exceeded");
    assert_eq!(code_of("a.html", html(1_000_000)), "limit_exceeded");
    // Elements that close themselves do not nest, however many there are.
    assert_eq!(code_of("a.html", "<p>x<li>y<td>z<br>".repeat(5_000)), "ok");
    assert_eq!(code_of("a.md", format!("{}x", "> ".repeat(limits::MARKDOWN_DEPTH + 1))), "limit_exceeded");
}

#[test]
fn an_unclosed_csv_quote_is_refused() {
    let field = "x".repeat(limits::CSV_FIELD_BYTES);
    assert_eq!(code_of("a.csv", format!("a,b\n1,{field}")), "ok");
    assert_eq!(code_of("a.csv", format!("a,b\n1,\"{field}x\n")), "limit_exceeded");
}

#[test]
fn what_is_too_long_for_a_header_stands_once() {
    let table = |bytes: usize| text_of("a.csv", format!("{},b\n1,2\n3,4", "h".repeat(bytes)));
    let repeated = |text: &str| text.matches("hhhh: ").count();
    assert_eq!(repeated(&table(limits::TABLE_HEADER_BYTES)), 2);
    let text = table(limits::TABLE_HEADER_BYTES + 1);
    assert_eq!((repeated(&text), text.lines().count()), (0, 3));
    assert!(text.ends_with("h; b\n1; 2\n3; 4"), "{text}");
}

#[test]
fn every_budget_is_kept() {
    let text = "word ".repeat(1000);
    let html = "<p>x".repeat(1000);
    let tight = [
        ("a.txt", text.as_str(), Budget { stream_bytes: 100, ..Budget::default() }, "too_large"),
        ("a.txt", text.as_str(), Budget { stream_output_bytes: 100, ..Budget::default() }, "limit_exceeded"),
        ("a.html", html.as_str(), Budget { nodes: 100, ..Budget::default() }, "limit_exceeded"),
        ("a.html", "<i><i><i>x", Budget { depth: 2, ..Budget::default() }, "limit_exceeded"),
        ("a.json", "[[[1]]]", Budget { depth: 2, ..Budget::default() }, "limit_exceeded"),
    ];
    for (name, source, budget, expected) in tight {
        let error = extract(source.as_bytes(), name, None, &budget).unwrap_err();
        assert_eq!(error.code(), expected, "{name} {budget:?}");
    }
}

#[test]
fn a_deadline_in_the_past_stops_every_format() {
    let budget = Budget { deadline: Some(Instant::now()), ..Budget::default() };
    let files: [(&str, Vec<u8>); 7] = [
        ("a.pdf", pdf("Hello")),
        ("a.docx", docx("<w:p><w:r><w:t>Hello</w:t></w:r></w:p>")),
        ("a.md", b"# Hello".to_vec()),
        ("a.html", b"<p>Hello".to_vec()),
        ("a.txt", b"Hello".to_vec()),
        ("a.csv", b"a,b\n1,2".to_vec()),
        ("a.json", b"[1]".to_vec()),
    ];
    for (name, bytes) in files {
        assert_eq!(extract(&bytes, name, None, &budget).unwrap_err().code(), "timeout", "{name}");
    }
}

#[test]
fn pathological_text_takes_linear_time() {
    let cases = [
        ("a.html", "<a ".repeat(300_000)),
        ("a.html", "&".repeat(1_000_000)),
        ("a.html", "<!--".repeat(300_000)),
        ("a.html", format!("<i{}>x", " a=b".repeat(200_000))),
        ("a.html", "</p>".repeat(300_000)),
        ("a.md", "[".repeat(100_000)),
        ("a.md", "*a_".repeat(50_000)),
        ("a.txt", "-".repeat(1_000_000)),
        ("a.csv", ",".repeat(300_000)),
    ];
    for (name, source) in cases {
        let started = Instant::now();
        code_of(name, &source);
        // Quadratic work over these sizes would take minutes, so the wide margin does not hide it.
        assert!(started.elapsed() < Duration::from_secs(20), "{name} {}", &source[..20]);
    }
}
