//! What a PDF may ask of its parser: each limit just kept, and exceeded by one.

use docent_text::limits;

use crate::bombs::pdf::{CATALOG, FONT, PAGE, PAGES, file, stream};
use crate::support::code_of;

const HELLO: &str = "BT /F1 12 Tf 72 700 Td (Hello) Tj ET";

/// The code of a page that says `Hello` and draws this as well.
fn drawn(content: &str) -> &'static str {
    with(&[stream("", format!("{HELLO} {content}"))], &[])
}

/// The code of a page of this content, with further objects from number 6 on.
fn with(content: &[Vec<u8>], more: &[Vec<u8>]) -> &'static str {
    let objects = [&[CATALOG.into(), PAGES.into(), PAGE.into()], content, &[FONT.into()], more].concat();
    code_of("a.pdf", file(&objects, ""))
}

fn content() -> Vec<Vec<u8>> {
    vec![stream("", HELLO)]
}

/// Asserts that `limit` passes and one more does not.
fn at_and_beyond(limit: usize, code: impl Fn(usize) -> &'static str) {
    assert_eq!((code(limit), code(limit + 1)), ("ok", "limit_exceeded"), "{limit}");
}

#[test]
fn nesting_is_limited() {
    // The object itself is a level.
    at_and_beyond(limits::PDF_DEPTH - 1, |depth| {
        with(&content(), &[format!("{}{}", "[".repeat(depth), "]".repeat(depth)).into_bytes()])
    });
    at_and_beyond(limits::PDF_DEPTH, |depth| drawn(&format!("{}{} TJ", "[".repeat(depth), "]".repeat(depth))));
    at_and_beyond(limits::PDF_DEPTH, |depth| drawn(&format!("{}{}", "q ".repeat(depth), "Q ".repeat(depth))));
    // Brackets within strings are letters, and those of many objects do not add up.
    assert_eq!(drawn(&format!("BT ({}) Tj ET", "[".repeat(limits::PDF_DEPTH + 1))), "ok");
    assert_eq!(with(&content(), &vec![b"[[[[[".to_vec(); limits::PDF_DEPTH]), "ok");
}

#[test]
fn filters_are_limited() {
    let packed =
        |filters: usize| with(&[stream(&format!("/Filter [{}]", "/ASCIIHexDecode ".repeat(filters)), "00>")], &[]);
    assert_ne!(packed(limits::PDF_FILTERS), "limit_exceeded");
    assert_eq!(packed(limits::PDF_FILTERS + 1), "limit_exceeded");
}

#[test]
fn what_a_page_draws_is_limited() {
    // `Hello` is a run and five letters, with its brackets.
    at_and_beyond(limits::PDF_PAGE_RUNS as usize - 1, |runs| drawn(&"() Tj ".repeat(runs)));
    at_and_beyond(limits::PDF_PAGE_RULES as usize, |rules| drawn(&"9 9 m 9 99 l S ".repeat(rules)));
    // Slanted lines are no rules.
    assert_eq!(drawn(&"1 1 m 2 2 l S ".repeat(limits::PDF_PAGE_RULES as usize + 1)), "ok");
    let shown = |bytes: usize| drawn(&format!("BT /F1 12 Tf ({}) Tj ET", "x".repeat(bytes - "(Hello)()".len())));
    at_and_beyond(limits::PDF_PAGE_TEXT_BYTES as usize, shown);
}

#[test]
fn trees_are_limited() {
    let deep = |levels: usize| {
        let node = |index: usize| format!("<< /T (x) /Kids [{} 0 R] >>", index + 7).into_bytes();
        let more: Vec<Vec<u8>> = (0..levels).map(node).collect();
        with(&content(), &more)
    };
    // The last kid is no object of the file, but a level.
    at_and_beyond(limits::PDF_TREE_DEPTH - 1, deep);
    let forms = |leaves: usize| {
        let form = stream("/Subtype /Form /Resources << /XObject << /N 7 0 R >> >>", "/N Do ".repeat(leaves));
        with(&content(), &[form, stream("/Subtype /Form", "")])
    };
    at_and_beyond(limits::PDF_FORM_LEAVES as usize, forms);
}

#[test]
fn maps_of_characters_are_limited() {
    let map = |block: &str| with(&content(), &[stream("", format!("begincmap {block} endcmap"))]);
    // A range counts its first code and those that follow.
    at_and_beyond(limits::PDF_MAP_CODES as usize, |codes| {
        map(&format!("1 beginbfrange <0000> <{:X}> <0041> endbfrange", codes - 1))
    });
    at_and_beyond(limits::PDF_MAP_DIGITS, |digits| {
        map(&format!("1 beginbfchar <0001> <{}> endbfchar", "0".repeat(digits)))
    });
}

#[test]
fn changes_of_a_file_are_limited() {
    let whole =
        String::from_utf8(file(&[CATALOG.into(), PAGES.into(), PAGE.into(), content().remove(0), FONT.into()], ""))
            .unwrap();
    at_and_beyond(limits::PDF_REVISIONS, |trailers| {
        code_of("a.pdf", whole.replace("startxref", &format!("{}startxref", "trailer\n<< >>\n".repeat(trailers - 1))))
    });
}
