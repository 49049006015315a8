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

/// A book as many writers make it: pages below nodes of ten, which say how large their pages are and which font they
/// use, below a root; every fifth page's size is its own.
pub(crate) fn book(pages: usize) -> Vec<u8> {
    let nodes = pages.div_ceil(10);
    let list = |numbers: &mut dyn Iterator<Item = usize>| numbers.map(|n| format!("{n} 0 R ")).collect::<String>();
    let (node, page) = (|at: usize| 4 + at, |at: usize| 4 + nodes + 2 * at);
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        format!("<< /Type /Pages /Kids [{}] /Count {pages} >>", list(&mut (0..nodes).map(node))),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    for at in 0..nodes {
        let below = at * 10..pages.min(at * 10 + 10);
        objects.push(format!(
            "<< /Type /Pages /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> /Count {}
             /Kids [{}] >>",
            below.len(),
            list(&mut below.map(page))
        ));
    }
    for at in 0..pages {
        let own = if at % 5 == 0 { "/MediaBox [0 0 595 842]" } else { "" };
        objects.push(format!("<< /Type /Page /Parent {} 0 R {own} /Contents {} 0 R >>", node(at / 10), page(at) + 1));
        let stream = format!("BT /F1 12 Tf 72 700 Td (This is leaf {at} of the book.) Tj ET");
        objects.push(format!("<< /Length {} >>\nstream\n{stream}\nendstream", stream.len()));
    }
    objects.push("<< /Title (A long book) >>".to_owned());
    with_table(&objects)
}

fn with_table(objects: &[String]) -> Vec<u8> {
    let mut file = String::from("%PDF-1.4\n");
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (at, object) in objects.iter().enumerate() {
        table.push_str(&format!("{:010} 00000 n \n", file.len()));
        file.push_str(&format!("{} 0 obj\n{object}\nendobj\n", at + 1));
    }
    let (start, count) = (file.len(), objects.len());
    let root = format!("trailer\n<< /Size {} /Root 1 0 R /Info {count} 0 R >>", count + 1);
    file.push_str(&format!("{table}{root}\nstartxref\n{start}\n%%EOF\n"));
    file.into_bytes()
}

#[test]
fn a_long_book_is_the_same_book_in_parts() {
    let whole = book(300);
    let mut tableless = whole.clone();
    tableless.truncate(whole.windows(4).position(|word| word == b"xref").unwrap());
    tableless.extend_from_slice(b"trailer\n<< /Root 1 0 R >>\n");
    // Without cross-references it cannot be read in parts; it is read all the same.
    assert_eq!(read("book.pdf", tableless).unwrap().text, read("book.pdf", whole.clone()).unwrap().text);
    let extract = read("book.pdf", whole).unwrap();
    assert_eq!((extract.pages.len(), extract.title.as_deref()), (300, Some("A long book")));
    for (at, page) in extract.pages.iter().enumerate() {
        let text = extract.text[page.start..page.end].trim();
        assert_eq!((page.number as usize, text), (at + 1, format!("This is leaf {at} of the book.").as_str()));
    }
}
