//! What each format's reader makes of small documents.

use docent_text::{Budget, Format, detect, extract};

use crate::support::{docx, docx_with, pdf, read, text_of};

#[test]
fn content_decides_the_format_before_the_name_does() {
    let pdf = pdf("Hello");
    let docx = docx("<w:p><w:r><w:t>Hello</w:t></w:r></w:p>");
    let utf16: Vec<u8> = "\u{FEFF}<html><p>x".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cases: [(&str, Option<&str>, &[u8], Format); 15] = [
        ("a.txt", Some("text/plain"), &pdf, Format::Pdf),
        ("a.pdf", None, &docx, Format::Docx),
        ("a.md", None, b"# Title", Format::Markdown),
        ("a.txt", None, b"  <!-- x --><!DOCTYPE html><p>x", Format::Html),
        ("a.txt", None, &utf16, Format::Html),
        ("a.xhtml", None, b"<?xml version='1.0'?><html/>", Format::Html),
        ("a.csv", Some("application/octet-stream"), b"a,b\n1,2", Format::Csv),
        ("upload", Some("text/csv; charset=utf-8"), b"a,b\n1,2", Format::Csv),
        ("upload", Some("application/ld+json"), b"{}", Format::Json),
        ("upload", None, b" [1, 2] ", Format::Json),
        ("notes.txt", None, b"[1, 2]", Format::Text),
        ("A.JSON", None, b"\"x\"", Format::Json),
        ("main.rs", None, b"fn main() {}", Format::Text),
        ("README", None, b"hello", Format::Text),
        (".md", None, b"hello", Format::Text),
    ];
    for (name, declared, bytes, expected) in cases {
        assert_eq!(detect(name, declared, bytes), Ok(expected), "{name} {declared:?}");
    }
}

#[test]
fn pdf_pages_are_slices_of_the_text() {
    let extract = read("a.pdf", pdf("The quick brown fox")).unwrap();
    assert_eq!(extract.text, "The quick brown fox");
    let page = extract.pages[0];
    assert_eq!((page.number, page.start, page.end), (1, 0, extract.text.len()));
    assert_eq!(extract.charset, None);
}

#[test]
fn pdf_words_are_repaired() {
    let cases = [
        (r"we com- pile the \256rst part", "we compile the first part"),
        ("pre- and post-war", "pre- and post-war"),
        ("a well-known and well- known fact", "a well-known and well-known fact"),
        ("Baden- Baden", "Baden- Baden"),
    ];
    for (written, expected) in cases {
        assert_eq!(text_of("a.pdf", pdf(written)), expected);
    }
}

#[test]
fn docx_keeps_headings_lists_tables_tabs_and_entities() {
    let body = r#"
        <w:p><w:pPr><w:pStyle w:val="berschrift1"/></w:pPr><w:r><w:t>Tools &amp; parts</w:t></w:r></w:p>
        <w:p><w:pPr><w:tabs><w:tab w:val="left"/></w:tabs></w:pPr>
            <w:r><w:t>one</w:t><w:tab/><w:t>two</w:t><w:br/><w:t>three</w:t><w:tab></w:tab><w:t>&#228;&lt;</w:t></w:r></w:p>
        <w:p><w:pPr><w:numPr/></w:pPr><w:r><w:t>first</w:t></w:r></w:p>
        <w:p><w:pPr><w:numPr/></w:pPr><w:r><w:t>second</w:t></w:r></w:p>
        <w:tbl>
            <w:tr><w:tc><w:p><w:r><w:t>Name</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>Price</w:t></w:r></w:p></w:tc></w:tr>
            <w:tr><w:tc><w:p><w:r><w:t>Saw</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>12</w:t></w:r></w:p></w:tc></w:tr>
        </w:tbl>
        <w:p><w:r><w:instrText>PAGE</w:instrText></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>
            <w:moveFrom><w:r><w:t>moved</w:t></w:r></w:moveFrom><w:r><w:t>end</w:t></w:r></w:p>
        <w:p><w:pPr><w:outlineLvl w:val="1"/></w:pPr><w:r><w:t>Second level</w:t></w:r></w:p>"#;
    let styles =
        br#"<w:styles xmlns:w="w"><w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style></w:styles>"#;
    let core =
        b"<cp:coreProperties xmlns:cp='c' xmlns:dc='d'><dc:title>Price &amp; list</dc:title></cp:coreProperties>";
    let file = docx_with(body, &[("word/styles.xml", styles), ("docProps/core.xml", core)]);
    let extract = read("a.docx", file).unwrap();
    assert_eq!(
        extract.text,
        "Tools & parts\n\none\ttwo\nthree\tä<\n\n- first\n- second\n\nName: Saw; Price: 12\n\nend\n\nSecond level"
    );
    assert_eq!(extract.title.as_deref(), Some("Price & list"));
    let headings: Vec<_> = extract.headings.iter().map(|heading| (heading.level, heading.title.as_str())).collect();
    assert_eq!(headings, [(1, "Tools & parts"), (2, "Second level")]);
}

#[test]
fn docx_text_boxes_are_read_once() {
    let body = "<w:p><w:r><mc:AlternateContent><mc:Choice><w:txbxContent><w:p><w:r><w:t>box</w:t></w:r></w:p>\
        </w:txbxContent></mc:Choice><mc:Fallback><w:p><w:r><w:t>box</w:t></w:r></w:p></mc:Fallback>\
        </mc:AlternateContent></w:r><w:r><w:t>around</w:t></w:r></w:p>";
    assert_eq!(text_of("a.docx", docx(body)), "box\n\naround");
}

#[test]
fn markdown_keeps_its_shape_without_its_markup() {
    let source = "---\ntitle: \"The guide\"\n---\n# One *bold* `code`\n\nSome **strong** text\nwrapped, with a [link](https://e.org/x).\n\n\
        - a\n- b\n  1. c\n  2. d\n\n```rust\nfn main() {\n    x();\n}\n```\n\n| Name | Price |\n|---|---|\n| Saw | 12 |\n\n\
        <div>raw &amp; html<script>no()</script></div>\n\n## Two\nend[^1]\n\n[^1]: note\n";
    let extract = read("a.md", source).unwrap();
    assert_eq!(
        extract.text,
        "One bold code\n\nSome strong text\nwrapped, with a link (https://e.org/x).\n\n- a\n- b\n  1. c\n  2. d\n\n\
        fn main() {\n    x();\n}\n\nName: Saw; Price: 12\n\nraw & html\n\nTwo\n\nend[1]\n\n[1] note"
    );
    assert_eq!(extract.title.as_deref(), Some("The guide"));
    assert_eq!(extract.headings[1].start, extract.text.find("Two").unwrap());
}

#[test]
fn html_reads_as_its_visitors_see_it() {
    let cases = [
        ("<title>A &amp; B</title><h1>Top</h1><p>one<p>two<br>three", "Top\n\none\n\ntwo\nthree"),
        ("<p>a <b>bold</b>, word</p><script>var x = '<p>no</p>';</script><style>p{}</style>", "a bold, word"),
        ("<nav><a>menu</a></nav><p hidden>no</p><div style='display: none'>no</div><p>yes", "yes"),
        ("<ul><li>a<li><p>b</p><ul><li>c</ul></ul><ol><li>x<li>y</ol>", "- a\n- b\n- c\n\n1. x\n2. y"),
        ("<table><tr><th>N<th>P<tr><td>Saw<td>12</table>", "N: Saw; P: 12"),
        ("<table><tr><td>a<td>b<tr><td>c</table>", "a; b\nc"),
        ("<pre>\n  x\n    y</pre>", "x\n    y"),
        ("&eacute;&#x41;&#146;&lt;b&gt; &unknown; AT&T &copy 2", "éA’<b> &unknown; AT&T © 2"),
        ("<a title='a > b'>link</a><!-- > --> <img alt='cat'>", "link cat"),
        ("1 < 2 and 3 > 2 </ x>", "1 < 2 and 3 > 2"),
        ("<svg><title>no</title><path/><text>no</text></svg>yes", "yes"),
        ("soft&shy;hyphen", "softhyphen"),
    ];
    for (source, expected) in cases {
        assert_eq!(text_of("a.html", source).trim(), expected.trim(), "{source}");
    }
    assert_eq!(read("a.html", cases[0].0).unwrap().title.as_deref(), Some("A & B"));
}

#[test]
fn text_is_decoded_from_many_character_sets() {
    let russian = "Съешь ещё этих мягких французских булок, да выпей чаю. Русский язык богат и красив.";
    let japanese = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。";
    let chinese = "我们的产品支持多种语言，并且可以在浏览器中直接使用。请阅读说明书。";
    let german = "Größe und Übermut tun selten gut; schöne Grüße aus Köln, sagte der Bär.";
    let cases = [
        (russian, encoding_rs::WINDOWS_1251, "windows-1251"),
        (russian, encoding_rs::KOI8_R, "KOI8-U"),
        (japanese, encoding_rs::SHIFT_JIS, "Shift_JIS"),
        (chinese, encoding_rs::GBK, "GBK"),
        (german, encoding_rs::WINDOWS_1252, "windows-1252"),
        (german, encoding_rs::UTF_8, "UTF-8"),
    ];
    for (text, encoding, name) in cases {
        let (bytes, _, _) = encoding.encode(text);
        let extract = read("a.txt", &bytes).unwrap();
        assert_eq!((extract.text.as_str(), extract.charset), (text, Some(name)));
    }
    for (to_bytes, mark) in
        [(u16::to_le_bytes as fn(u16) -> [u8; 2], true), (u16::to_be_bytes, true), (u16::to_le_bytes, false)]
    {
        let marked = format!("{}{german}", if mark { "\u{FEFF}" } else { "" });
        let bytes: Vec<u8> = marked.encode_utf16().flat_map(to_bytes).collect();
        assert_eq!(text_of("a.txt", bytes), german);
    }
}

#[test]
fn declared_character_sets_are_believed_where_the_bytes_are_silent() {
    let (bytes, _, _) = encoding_rs::ISO_8859_2.encode("<p>Žluťoučký kůň</p>");
    let declared = extract(&bytes, "a.html", Some("text/html; charset=ISO-8859-2"), &Budget::default()).unwrap();
    assert_eq!(declared.text, "Žluťoučký kůň");
    let mut page = b"<html><meta charset=\"iso-8859-2\"><p>".to_vec();
    page.extend_from_slice(&bytes);
    assert_eq!(text_of("a.html", page), "Žluťoučký kůň");
}

#[test]
fn characters_that_harm_are_removed_and_noted() {
    let extract = read("a.txt", "nothing\0 to hide\u{E0041}\u{E0042} here\r\nbut\rlines").unwrap();
    assert_eq!(extract.text, "nothing to hide here\nbut\nlines");
    assert_eq!(extract.notes.len(), 2);
    assert!(extract.notes[0].contains("U+0000"), "{:?}", extract.notes);
}

#[test]
fn csv_rows_name_their_columns() {
    let cases = [
        ("a.csv", "name,price\nSaw,12\nAxe,\n", "name: Saw; price: 12\nname: Axe"),
        ("a.csv", "name;price\n\"Saw; big\";1,2\n", "name: Saw; big; price: 1,2"),
        ("a.tsv", "a\tb\n1\t2\t3\n", "a: 1; b: 2; 3"),
        ("a.csv", "only,headers\n", "only; headers"),
        ("a.csv", "a,b\n\"x\ny\",2\n", "a: x y; b: 2"),
    ];
    for (name, source, expected) in cases {
        assert_eq!(text_of(name, source), expected, "{source}");
    }
}

#[test]
fn json_becomes_paths_and_values() {
    let source = r#"{"a": {"b": [1, -2.5, {"c": "x"}]}, "d": null, "e": [], "f": {}, "g": "", "h": true}"#;
    assert_eq!(
        text_of("a.json", source),
        "a.b[0]: 1\na.b[1]: -2.5\na.b[2].c: x\nd: null\ne: []\nf: {}\ng: \"\"\nh: true"
    );
    assert_eq!(text_of("a.json", "42"), "42");
}
