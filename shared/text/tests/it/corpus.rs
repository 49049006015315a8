//! Real files of each format: none may panic, and what they yield is known.

use std::fs;

use docent_text::{ChunkOptions, Format, chunk};

use crate::support::{code_of, data, file_name, files, read, text_of};

#[test]
fn every_sample_pdf_gives_text_or_a_named_reason() {
    let Some(folder) = data("pypdf_samples", "every_sample_pdf_gives_text_or_a_named_reason") else { return };
    for path in files(&folder, "pdf") {
        let name = file_name(&path);
        let expected = match name.as_str() {
            "libreoffice-writer-password.pdf" => "encrypted",
            // Its page tree is overwritten by zeros.
            "unreadablemetadata.pdf" => "corrupt",
            _ if name.starts_with("imagemagick") => "no_text_layer",
            "cmyk-image.pdf" | "grayscale-image.pdf" => "no_text_layer",
            _ => "ok",
        };
        assert_eq!(code_of(&name, fs::read(&path).unwrap()), expected, "{name}");
    }
}

#[test]
fn pages_of_a_book_and_of_columns_read_sanely() {
    let Some(folder) = data("pypdf_samples", "pages_of_a_book_and_of_columns_read_sanely") else { return };
    let book = read("g.pdf", fs::read(folder.join("009-pdflatex-geotopo/GeoTopo-komprimiert.pdf")).unwrap()).unwrap();
    assert_eq!(book.format, Format::Pdf);
    assert!(book.pages.len() > 100);
    assert_eq!(book.title.as_deref(), Some("Geometrie und Topologie"));
    let page = &book.text[book.pages[5].start..book.pages[5].end];
    assert!(page.starts_with("1 Topologische Grundbegriffe\n\n1.1 Topologische Räume"), "{page}");
    assert!(page.contains("Es gibt auch Mengen, die weder abgeschlossen, noch offen sind"));
    assert!(!book.text.contains('\u{FB01}'), "ligatures are left");
    let cuts = chunk(&book, &ChunkOptions::default());
    assert!(cuts.iter().all(|cut| cut.page_first == cut.page_last), "a chunk crosses a page");
    let pages: std::collections::BTreeSet<u32> = cuts.iter().filter_map(|cut| cut.page_first).collect();
    for page in book.pages.iter().filter(|page| page.end > page.start) {
        assert!(pages.contains(&page.number), "page {} is lost", page.number);
    }
    let columns = read("c.pdf", fs::read(folder.join("026-latex-multicolumn/multicolumn.pdf")).unwrap()).unwrap();
    assert!(columns.text.starts_with("Two-Column Document with Lorem Ipsum\n\nYour Name"));
}

#[test]
fn every_sample_docx_gives_text_or_is_blank() {
    let Some(folder) = data("docx_python_docx", "every_sample_docx_gives_text_or_is_blank") else { return };
    let mut texts = 0;
    for path in files(&folder, "docx") {
        let code = code_of(&file_name(&path), fs::read(&path).unwrap());
        assert!(["ok", "empty_file"].contains(&code), "{}: {code}", path.display());
        texts += usize::from(code == "ok");
    }
    assert_eq!(texts, 30);
}

#[test]
fn json_is_accepted_and_refused_as_the_test_suite_says() {
    let Some(folder) = data("jsontestsuite", "json_is_accepted_and_refused_as_the_test_suite_says") else { return };
    let (mut valid, mut invalid) = (0, 0);
    for path in files(&folder.join("test_parsing"), "json") {
        let name = file_name(&path);
        let code = code_of(&name, fs::read(&path).unwrap());
        if name.starts_with("y_") {
            assert_eq!(code, "ok", "{name}");
            valid += 1;
        } else if name.starts_with("n_") {
            let expected = match name.as_str() {
                "n_structure_100000_opening_arrays.json" | "n_structure_open_array_object.json" => "limit_exceeded",
                "n_structure_no_data.json" | "n_single_space.json" | "n_structure_UTF8_BOM_no_data.json" => {
                    "empty_file"
                }
                _ => "corrupt",
            };
            assert_eq!(code, expected, "{name}");
            invalid += 1;
        }
    }
    assert_eq!((valid, invalid), (95, 188));
}

/// What RFC 8259 leaves to the parser: integers of any size are kept as they are written and UTF-16 is read when its
/// mark says so; numbers beyond a double, half surrogate pairs and bytes of no declared character set are refused.
#[test]
fn json_that_a_parser_may_decide_about_is_decided() {
    let Some(folder) = data("jsontestsuite", "json_that_a_parser_may_decide_about_is_decided") else { return };
    let accepted = [
        "i_number_double_huge_neg_exp.json",
        "i_number_real_underflow.json",
        "i_number_too_big_neg_int.json",
        "i_number_too_big_pos_int.json",
        "i_number_very_big_negative_int.json",
        "i_string_UTF-16LE_with_BOM.json",
        "i_structure_UTF-8_BOM_empty_object.json",
    ];
    let mut decided = 0;
    for path in files(&folder.join("test_parsing"), "json") {
        let name = file_name(&path);
        let expected = match name.as_str() {
            _ if !name.starts_with("i_") => continue,
            "i_structure_500_nested_arrays.json" => "limit_exceeded",
            name if accepted.contains(&name) => "ok",
            _ => "corrupt",
        };
        assert_eq!(code_of(&name, fs::read(&path).unwrap()), expected, "{name}");
        decided += 1;
    }
    assert_eq!(decided, 35);
}

#[test]
fn csv_values_survive() {
    let Some(folder) = data("csv_spectrum", "csv_values_survive") else { return };
    for path in files(&folder.join("csvs"), "csv") {
        let name = file_name(&path);
        // Its twin holds another telephone number.
        if name == "location_coordinates.csv" {
            continue;
        }
        let text = text_of(&name, fs::read(&path).unwrap());
        let twin = folder.join("json").join(name.replace(".csv", ".json"));
        let rows: serde_json::Value = serde_json::from_slice(&fs::read(twin).unwrap()).unwrap();
        let rows = rows.as_array().cloned().unwrap_or_else(|| vec![rows]);
        for (header, value) in rows.iter().flat_map(|row| row.as_object().unwrap()) {
            let value: Vec<&str> = value.as_str().unwrap().split_whitespace().collect();
            let expected = format!("{header}: {}", value.join(" "));
            assert!(value.is_empty() || text.contains(&expected), "{name}: {expected} not in {text}");
        }
    }
}

/// Every string by itself, as a text and as a value: all that is visible comes out again, and what is invisible (soft
/// hyphens, marks of byte order, tags) does not. As a text, control characters say that it is none.
#[test]
fn naughty_strings_come_out_as_they_went_in() {
    let Some(folder) = data("blns", "naughty_strings_come_out_as_they_went_in") else { return };
    let strings: Vec<String> = serde_json::from_slice(&fs::read(folder.join("blns.json")).unwrap()).unwrap();
    let control = |letter: char| letter.is_control() && !letter.is_whitespace();
    let hidden = |letter: char| control(letter) || matches!(letter, '\u{AD}' | '\u{FEFF}' | '\u{E0001}'..='\u{E007F}');
    let shown = |text: &str| {
        let visible: String = text.chars().filter(|letter| !hidden(*letter)).collect();
        visible.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for string in &strings {
        let code = code_of("a.txt", string.clone().into_bytes());
        // A few control characters, as of a terminal's colours, are let through; many of them are no text.
        let codes: &[&str] = match shown(string).as_str() {
            "" => &["empty_file", "unsupported_type"],
            _ if string.contains(control) => &["unsupported_type", "ok"],
            _ => &["ok"],
        };
        assert!(codes.contains(&code), "{string:?}: {code}");
        if code == "ok" {
            assert!(shown(&text_of("a.txt", string.clone().into_bytes())).contains(&shown(string)), "{string:?}");
        }
        let value = serde_json::json!({ "naughty": string }).to_string().into_bytes();
        assert!(shown(&text_of("a.json", value)).contains(&shown(string)), "{string:?}");
    }
    assert!(strings.len() > 500);
}

#[test]
fn the_markdown_specification_and_naughty_strings_are_read_and_cut() {
    let Some(folder) = data("commonmark", "the_markdown_specification_is_read_and_cut") else { return };
    let specification = read("spec.md", fs::read(folder.join("spec.txt")).unwrap()).unwrap();
    assert!(specification.headings.len() > 30);
    assert!(!chunk(&specification, &ChunkOptions::default()).is_empty());
    let Some(folder) = data("blns", "naughty_strings_are_read_and_cut") else { return };
    for name in ["a.txt", "a.md", "a.html", "a.csv"] {
        let extract = read(name, fs::read(folder.join("blns.txt")).unwrap()).unwrap();
        assert!(!chunk(&extract, &ChunkOptions::default()).is_empty(), "{name}");
    }
}
