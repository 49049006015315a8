//! Tables in texts: what is held of them, and what they may hold.

use super::{archive, code, read};
use crate::budget::limits;

#[test]
fn rows_are_limited_in_every_format() {
    let html = |cells: usize| format!("<table><tr>{}", "<td>x".repeat(cells));
    let markdown =
        |cells: usize| format!("|{}\n|{}\n|{}\n", "a|".repeat(cells), "-|".repeat(cells), "x|".repeat(cells));
    let docx = |cells: usize| {
        let cells = "<w:tc><w:p><w:r><w:t>x</w:t></w:r></w:p></w:tc>".repeat(cells);
        // Of another text beside it, so that the ratio is not what is exceeded.
        let noise: String = (0..60_000u32).map(|n| format!("{:x}", n.wrapping_mul(2_654_435_761))).collect();
        archive(&[(
            "word/document.xml",
            format!("<w:document><w:body><w:tbl><w:tr>{cells}</w:tr></w:tbl><!--{noise}--></w:body></w:document>"),
        )])
    };
    let most = limits::TABLE_COLUMNS;
    for (cells, expected) in [(most, "ok"), (most + 1, "limit_exceeded")] {
        assert_eq!(code("a.html", html(cells)), expected);
        assert_eq!(code("a.md", markdown(cells)), expected);
        assert_eq!(code("a.docx", docx(cells)), expected);
    }
}

#[test]
fn tables_within_cells_become_text() {
    let inner = "<table><tr><td>c<td>d<tr><td>e</table>";
    let source = format!("<table><tr><th>A<th>B<tr><td>a {inner} f<td>b<tr><td>g<td>{inner}</table>after");
    assert_eq!(read("a.html", source).unwrap().text, "A: a c d e f; B: b\nA: g; B: c d e\n\nafter");
}
