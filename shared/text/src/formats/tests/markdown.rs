//! Markdown that is longer than what is parsed at once.

use super::{code, read};
use crate::budget::limits;

#[test]
fn pieces_begin_where_blocks_do() {
    let section = |n: usize| {
        format!("## Part {n}\n\n- one\n- two *{n}*\n\n```\ncode {n}\n\n# no heading\n```\n\nText of\n{n}.\n\n")
    };
    let source: String =
        std::iter::once("---\ntitle: Long\n---\n".to_owned()).chain((0..20_000).map(section)).collect();
    assert!(source.len() > limits::MARKDOWN_PIECE_BYTES);
    let extract = read("a.md", &source).unwrap();
    let expected: Vec<String> = (0..20_000)
        .map(|n| format!("Part {n}\n\n- one\n- two {n}\n\ncode {n}\n\n# no heading\n\nText of\n{n}."))
        .collect();
    assert!(extract.text == expected.join("\n\n"));
    assert_eq!((extract.headings.len(), extract.title.as_deref()), (20_000, Some("Long")));
}

#[test]
fn what_cannot_be_cut_is_refused() {
    let most = limits::MARKDOWN_PIECE_BYTES;
    let line = |bytes: usize| "x".repeat(bytes);
    assert_eq!(code("a.md", line(most)), "ok");
    assert_eq!(code("a.md", line(most + 1)), "limit_exceeded");
    assert_eq!(code("a.md", format!("```\n{}```\n", "x\n".repeat(most / 2))), "limit_exceeded");
    assert_eq!(code("a.md", "x\n".repeat(most)), "ok");
}
