//! The walk through XML: names, texts and what is refused.

use std::io::Cursor;

use crate::budget::{Budget, Meter, limits};
use crate::error::Error;
use crate::formats::xml::{Token, Xml};
use crate::writer::Writer;

fn walk(source: &str) -> Result<String, Error> {
    let budget = Budget::default();
    let mut writer = Writer::new(Meter::new(&budget));
    let mut xml = Xml::new(Cursor::new(source.as_bytes()));
    let mut seen = String::new();
    loop {
        match xml.next(&mut writer)? {
            Token::Open(element) => {
                let value = element.attribute("v").unwrap_or_default();
                seen.push_str(&format!("({}<{}:{value}", element.name, element.parent));
            }
            Token::Text { text, parent } => seen.push_str(&format!("[{text}|{parent}]")),
            Token::Close(name) => seen.push_str(&format!("{name})")),
            Token::End => return Ok(seen),
        }
    }
}

#[test]
fn tokens_carry_local_names_and_plain_values() {
    let source = r#"<x:a p:v="1 &amp; 2"><b/><c>t&lt;&#228;<![CDATA[<raw>]]></c></x:a>"#;
    assert_eq!(walk(source).unwrap(), "(a<:1 & 2(b<a:b)(c<a:[t|c][<|c][ä|c][<raw>|c]c)a)");
}

#[test]
fn what_could_unfold_or_never_ends_is_refused() {
    let refused = [
        ("<!DOCTYPE a><a/>".to_owned(), "corrupt"),
        ("<a><b></a>".to_owned(), "corrupt"),
        ("<a>".to_owned(), "corrupt"),
        (format!("<a>{}</a>", "x".repeat(limits::XML_PIECE_BYTES + 1)), "limit_exceeded"),
        (format!("<a {}", "x".repeat(limits::XML_PIECE_BYTES + 1)), "limit_exceeded"),
    ];
    for (source, code) in refused {
        assert_eq!(walk(&source).unwrap_err().code(), code, "{}", &source[..10]);
    }
    let attributes = |count: usize| format!("<a{}/>", (0..count).map(|n| format!(" a{n}='1'")).collect::<String>());
    assert!(walk(&attributes(limits::XML_ATTRIBUTES)).is_ok());
    assert_eq!(walk(&attributes(limits::XML_ATTRIBUTES + 1)).unwrap_err().code(), "limit_exceeded");
    let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    assert!(walk(&nested(limits::XML_DEPTH)).is_ok());
    assert_eq!(walk(&nested(limits::XML_DEPTH + 1)).unwrap_err().code(), "limit_exceeded");
}
