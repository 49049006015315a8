//! PDF: passwords, and pages that are pictures.

use std::io::Cursor;

use super::{code, read};
use crate::read::{ReadOptions, Summary};

#[test]
fn what_opens_without_asking_for_a_password_is_read() {
    // Encrypted with an owner's password only, as many reports are: every program shows them.
    let open = [
        include_bytes!("../../../fixtures/aes128-owner.pdf").to_vec(),
        include_bytes!("../../../fixtures/aes256-owner.pdf").to_vec(),
    ];
    for file in open {
        let extract = read("a.pdf", file).unwrap();
        assert_eq!(
            (extract.text.as_str(), extract.title.as_deref()),
            ("Opened with an empty password", Some("A locked page"))
        );
    }
    let locked = [
        include_bytes!("../../../fixtures/aes128-user.pdf").to_vec(),
        include_bytes!("../../../fixtures/aes256-user.pdf").to_vec(),
    ];
    for file in locked {
        assert_eq!(code("a.pdf", file), "encrypted");
    }
}

/// A PDF of one line of text per page; an empty one leaves the page blank.
fn pdf(pages: &[&str]) -> Vec<u8> {
    let kids: String = (0..pages.len()).map(|at| format!("{} 0 R ", 4 + at * 2)).collect();
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        format!("<< /Type /Pages /Kids [{kids}] /Count {} >>", pages.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    for (at, text) in pages.iter().enumerate() {
        let stream = format!("BT /F1 12 Tf 72 700 Td ({text}) Tj ET");
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {} 0 R /Resources << /Font << /F1 3 0 R >> >> >>",
            5 + at * 2
        ));
        objects.push(format!("<< /Length {} >>\nstream\n{stream}\nendstream", stream.len()));
    }
    let mut file = String::from("%PDF-1.4\n");
    for (at, object) in objects.iter().enumerate() {
        file.push_str(&format!("{} 0 obj\n{object}\nendobj\n", at + 1));
    }
    file.push_str(&format!("trailer << /Size {} /Root 1 0 R >>\n%%EOF\n", objects.len() + 1));
    file.into_bytes()
}

#[test]
fn pages_that_are_pictures_are_listed_for_whoever_can_read_them() {
    let summary = |pages: &[&str]| -> Result<Summary, crate::error::Error> {
        crate::read::read(Cursor::new(pdf(pages)), "a.pdf", None, &ReadOptions::default(), &mut |_| Ok(()))
    };
    let mixed = summary(&["One", "", "Three", ""]).unwrap();
    assert_eq!((mixed.pages, mixed.pages_without_text), (Some(4), vec![2, 4]));
    assert_eq!(mixed.notes, ["Pages that have no text layer: 2, 4."]);
    assert_eq!(summary(&["", ""]).unwrap_err().code(), "no_text_layer");
}
