//! Where documents are cut, and what a chunk knows of its place.

use docent_text::{ChunkOptions, Extract, Format, MOST_PATH_CHARS, Page, chunk, embed_input, estimate_tokens};

use crate::support::read;

fn slices(extract: &Extract, target_chars: usize, max_chars: usize) -> Vec<&str> {
    let chunks = chunk(extract, &ChunkOptions { target_chars, max_chars });
    chunks.iter().map(|chunk| &extract.text[chunk.start..chunk.end]).collect()
}

fn plain(text: &str) -> Extract {
    read("a.txt", text).unwrap()
}

#[test]
fn cuts_fall_on_the_best_pause_near_the_target() {
    let cases: [(&str, usize, usize, &[&str]); 6] = [
        ("One. Two. Three.", 100, 200, &["One. Two. Three."]),
        ("Aaaa bbbb cccc.\n\nDddd eeee ffff.", 20, 40, &["Aaaa bbbb cccc.", "Dddd eeee ffff."]),
        ("Aaaa bbbb cccc. Dddd eeee ffff.", 20, 30, &["Aaaa bbbb cccc.", "Dddd eeee ffff."]),
        ("aaaa bbbb cccc dddd", 10, 12, &["aaaa bbbb", "cccc dddd"]),
        ("aaaaaaaaaaaaaaaa", 8, 8, &["aaaaaaaa", "aaaaaaaa"]),
        ("吾輩は猫である。名前はまだ無い。", 8, 10, &["吾輩は猫である。", "名前はまだ無い。"]),
    ];
    for (text, target, max, expected) in cases {
        assert_eq!(slices(&plain(text), target, max), expected, "{text}");
    }
}

#[test]
fn headings_start_chunks_and_stay_with_their_text() {
    let body = "Some words of a section that go on for a while, as sections do. ".repeat(3);
    let extract = read("a.md", format!("# Top\n\n## A\n\n{body}\n\n## B\n\n{body}\n\n# Next\n\n{body}")).unwrap();
    let chunks = chunk(&extract, &ChunkOptions { target_chars: 300, max_chars: 400 });
    let starts: Vec<&str> = chunks.iter().map(|chunk| extract.text[chunk.start..].lines().next().unwrap()).collect();
    assert_eq!(starts, ["Top", "B", "Next"]);
    let paths: Vec<String> = chunks.iter().map(|chunk| chunk.heading_path.join("/")).collect();
    assert_eq!(paths, ["Top/A", "Top/B", "Next"]);
}

#[test]
fn tiny_sections_are_gathered() {
    let extract = read("a.md", "# A\n\nx\n\n# B\n\ny\n\n# C\n\nz").unwrap();
    assert_eq!(slices(&extract, 600, 900).len(), 1);
}

#[test]
fn no_chunk_crosses_a_page() {
    let text = "First page text.\n\n\n\nThird page text.".to_owned();
    let third = text.find("Third").unwrap();
    let pages = vec![
        Page { number: 1, start: 0, end: 16 },
        Page { number: 2, start: 18, end: 18 },
        Page { number: 3, start: third, end: text.len() },
    ];
    let extract =
        Extract { format: Format::Pdf, title: None, text, pages, headings: vec![], charset: None, notes: vec![] };
    let cuts = chunk(&extract, &ChunkOptions { target_chars: 100, max_chars: 100 });
    let pages: Vec<_> = cuts.iter().map(|chunk| (chunk.page_first, chunk.page_last)).collect();
    assert_eq!(pages, [(Some(1), Some(1)), (Some(3), Some(3))]);
    assert_eq!(cuts.iter().map(|chunk| chunk.ordinal).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn a_heading_of_any_length_is_repeated_in_few_characters() {
    let heading = "ä".repeat(100_000);
    let body = "Some words of a section. ".repeat(400);
    let chunks = chunk(&read("a.md", format!("# {heading}\n\n{body}")).unwrap(), &ChunkOptions::default());
    let last = chunks.last().unwrap();
    assert_eq!(last.heading_path, ["ä".repeat(MOST_PATH_CHARS)]);
}

#[test]
fn embedded_text_stands_under_its_title_and_headings() {
    let path = ["Guide".to_owned(), "Setup".to_owned()];
    assert_eq!(embed_input(Some("Guide"), &path, "text"), "Guide > Setup\n\ntext");
    assert_eq!(embed_input(None, &[], "text"), "text");
}

/// Whatever a document is made of, no model of 8,192 tokens refuses one of its chunks: a token is at least a byte.
#[test]
fn no_input_is_longer_than_a_model_takes() {
    let wide = "\u{10348}";
    let (fits, long) = (wide.repeat(MOST_PATH_CHARS), wide.repeat(MOST_PATH_CHARS + 1));
    assert_eq!(embed_input(Some(&fits), &[], "text"), format!("{fits}\n\ntext"));
    assert_eq!(embed_input(Some(&long), &[], "text"), format!("{fits}\n\ntext"));
    let book = format!("# {}\n\n{}", wide.repeat(100_000), wide.repeat(10_000));
    let extract = docent_text::extract(book.as_bytes(), "book.md", None, &docent_text::Budget::default()).unwrap();
    let chunks = chunk(&extract, &ChunkOptions::default());
    assert!(chunks.len() > 10);
    for cut in chunks {
        let input = embed_input(extract.title.as_deref(), &cut.heading_path, &extract.text[cut.start..cut.end]);
        assert!(input.len() < 8192, "{} bytes", input.len());
    }
}

#[test]
fn token_estimates_weigh_scripts() {
    for (text, expected) in [("", 0), ("word", 1), ("words", 2), ("猫猫", 2), ("слово", 3)] {
        assert_eq!(estimate_tokens(text), expected, "{text}");
    }
}
