//! What once upset a reader, small and made by ourselves: every file goes through every reader and every analysis again.

use std::path::Path;

use docent_text::{Budget, ChunkOptions, chunk, extract, hash, sentences, terms};

const NAMES: [&str; 13] = [
    "a.pdf", "a.docx", "a.pptx", "a.xlsx", "a.epub", "a.eml", "a.md", "a.html", "a.txt", "a.csv", "a.tsv", "a.json",
    "a.jsonl",
];

#[test]
fn what_was_found_once_is_not_found_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regressions");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.len() <= 4096, "{} is not small", path.display());
        for name in NAMES {
            if let Ok(extract) = extract(&bytes, name, None, &Budget::default()) {
                assert!(!extract.text.contains('\0'));
                let chunks = chunk(&extract, &ChunkOptions { target_chars: 40, max_chars: 60 });
                assert!(chunks.iter().all(|chunk| !extract.text[chunk.start..chunk.end].trim().is_empty()));
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        let found = terms(&text);
        assert!(found.iter().all(|term| !term.is_empty() && !term.contains(char::is_whitespace)), "{found:?}");
        assert!(sentences(&text).iter().all(|range| !text[range.clone()].trim().is_empty()));
        assert_eq!(hash::embed(&text).len(), 384);
        count += 1;
    }
    assert!(count > 0);
}
