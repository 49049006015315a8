//! Laws: no bytes make a reader panic, and chunks cover every visible character of a text exactly once.

use docent_text::{Budget, ChunkOptions, Extract, chunk, extract, hash, sentences, terms};
use proptest::prelude::*;

use crate::support::{docx, pdf};

const NAMES: [&str; 7] = ["a.pdf", "a.docx", "a.md", "a.html", "a.txt", "a.csv", "a.json"];

fn check(extract: &Extract, options: &ChunkOptions) {
    let text = &extract.text;
    let mut end = 0;
    for chunk in chunk(extract, options) {
        assert!(text[end..chunk.start].trim().is_empty(), "lost {:?}", &text[end..chunk.start]);
        let slice = &text[chunk.start..chunk.end];
        assert!(!slice.is_empty() && slice == slice.trim());
        assert!(slice.chars().count() <= options.max_chars, "{} > {}", slice.chars().count(), options.max_chars);
        assert_eq!(chunk.page_first.is_some(), !extract.pages.is_empty());
        assert_eq!(chunk.page_first, chunk.page_last, "a chunk crosses a page");
        end = chunk.end;
    }
    assert!(text[end..].trim().is_empty(), "lost {:?}", &text[end..]);
    for heading in &extract.headings {
        assert!(text[heading.start..].starts_with(&heading.title));
    }
    for page in &extract.pages {
        assert!(text.get(page.start..page.end).is_some());
    }
}

fn try_all(bytes: &[u8]) {
    for name in NAMES {
        if let Ok(extract) = extract(bytes, name, None, &Budget::default()) {
            assert!(!extract.text.contains('\0'));
            check(&extract, &ChunkOptions { target_chars: 40, max_chars: 60 });
        }
    }
}

/// Text that is likely to upset something: markup, quotes, breaks, wide and combining characters.
fn tricky() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("# ".to_owned()),
        Just("\n\n".to_owned()),
        Just("\n".to_owned()),
        Just("<p>".to_owned()),
        Just("</td>".to_owned()),
        Just("<table><tr><th>".to_owned()),
        Just("<li>".to_owned()),
        Just("&amp".to_owned()),
        Just("<h2>".to_owned()),
        Just("</h2>".to_owned()),
        Just("|a|b|\n|-|-|\n".to_owned()),
        Just("```\n".to_owned()),
        Just("- ".to_owned()),
        Just("[x](http://e)".to_owned()),
        Just("\",".to_owned()),
        Just("{\"a\":[".to_owned()),
        Just("<!--".to_owned()),
        Just("<script>".to_owned()),
        Just("\u{0}".to_owned()),
        Just("e\u{301}\u{301}".to_owned()),
        Just("\u{AD}".to_owned()),
        Just("漢字。".to_owned()),
        Just("ไทย".to_owned()),
        Just("👩‍👩‍👧".to_owned()),
        "[a-zA-Z.,!? ]{0,30}",
        "\\PC{0,8}",
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        try_all(&bytes);
        try_all(&[b"%PDF-1.4\n".as_slice(), &bytes].concat());
    }

    #[test]
    fn tricky_text_never_panics(text in tricky()) {
        try_all(text.as_bytes());
        try_all(&docx(&text));
    }

    #[test]
    fn damaged_files_never_panic(at in 0usize..900, byte in any::<u8>(), cut in 0usize..1200) {
        for mut file in [pdf("Hello world"), docx("<w:p><w:r><w:t>Hello world</w:t></w:r></w:p>")] {
            let place = at % file.len();
            file[place] = byte;
            try_all(&file);
            try_all(&file[..cut.min(file.len())]);
        }
    }

    #[test]
    fn chunks_cover_every_visible_character(text in tricky(), target in 1usize..80, more in 0usize..60) {
        let options = ChunkOptions { target_chars: target, max_chars: target + more };
        for name in ["a.txt", "a.md", "a.html"] {
            if let Ok(extract) = extract(text.as_bytes(), name, None, &Budget::default()) {
                check(&extract, &options);
            }
        }
    }

    #[test]
    fn sentences_are_ordered_and_lose_nothing(text in tricky()) {
        let mut end = 0;
        for range in sentences(&text) {
            prop_assert!(text[end..range.start].trim().is_empty());
            prop_assert!(!range.is_empty());
            end = range.end;
        }
        prop_assert!(text[end..].trim().is_empty());
    }

    #[test]
    fn terms_do_not_depend_on_case_and_vectors_are_units(text in "[a-z0-9 ,.]{0,60}") {
        prop_assert_eq!(terms(&text), terms(&text));
        let norm: f32 = hash::embed(&text).iter().map(|value| value * value).sum();
        prop_assert!((norm - 1.0).abs() < 1e-4);
    }
}
