//! A long PDF as short ones. The parser walks the whole page tree some four times for each page, which makes a book cost
//! the square of its pages; an update at the end of the file (ISO 32000-1 §7.5.6) gives it a tree of a few pages instead.

use std::ops::Range;

use super::pdf_guard::Pages;
use super::pdf_scan::{contains, find_last, integers};

/// Pages of one window: more make walking the tree dear, fewer make opening the file so often dear.
const PAGES: u32 = 128;

/// The file with room for one update, and its pages' objects in the order of the tree.
pub(super) struct Windows {
    file: Vec<u8>,
    /// Bytes of the file as it came.
    length: usize,
    /// Where its own newest cross-reference section lies.
    previous: usize,
    pages: Vec<u32>,
    /// The first object number that the file does not use.
    free: u32,
}

impl Windows {
    /// Nothing for what is short, and for what the update would not be enough: an encrypted file's key is in its own
    /// trailer, and one without cross-references is read by looking for its objects.
    pub(super) fn of(bytes: &[u8], pages: Pages) -> Option<Self> {
        let Pages { objects: pages, free } = pages;
        if pages.len() <= PAGES as usize || free > u32::MAX - 2 || contains(bytes, b"/Encrypt") {
            return None;
        }
        let start = find_last(bytes, b"startxref")? + b"startxref".len();
        let previous = integers(bytes.get(start..bytes.len().min(start + 32))?).next()?;
        Some(Self { file: bytes.to_vec(), length: bytes.len(), previous, pages, free })
    }

    pub(super) fn pages(&self) -> u32 {
        u32::try_from(self.pages.len()).unwrap_or(u32::MAX)
    }

    /// The pages of each window, counted from 0.
    pub(super) fn all(&self) -> impl Iterator<Item = Range<u32>> + use<> {
        let count = self.pages();
        (0..count).step_by(PAGES as usize).map(move |first| first..count.min(first + PAGES))
    }

    /// A file of these pages alone. Each still has its own parents, from which it inherits.
    pub(super) fn file(&mut self, window: Range<u32>) -> &[u8] {
        let pages = self.pages.get(window.start as usize..window.end as usize).unwrap_or_default();
        let (catalog, tree, previous) = (self.free, self.free + 1, self.previous);
        let kids: String = pages.iter().map(|page| format!("{page} 0 R ")).collect();
        self.file.truncate(self.length);
        let mut add = |text: String| {
            let at = self.file.len();
            self.file.extend_from_slice(text.as_bytes());
            at + 1
        };
        let first = add(format!("\n{catalog} 0 obj\n<< /Type /Catalog /Pages {tree} 0 R >>\nendobj"));
        let second = add(format!("\n{tree} 0 obj\n<< /Type /Pages /Count {} /Kids [{kids}] >>\nendobj", pages.len()));
        let table = add(format!("\nxref\n{catalog} 2\n{first:010} 00000 n \n{second:010} 00000 n \n"));
        let size = tree + 1;
        add(format!("trailer\n<< /Size {size} /Root {catalog} 0 R /Prev {previous} >>\nstartxref\n{table}\n%%EOF\n"));
        &self.file
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::tests::pdf::book;

    #[test]
    fn the_parser_takes_each_part_for_a_file_of_its_own() {
        let meter = crate::budget::Budget::default();
        let file = book(300);
        let known = crate::formats::pdf_guard::check(&file, &crate::budget::Meter::new(&meter)).unwrap();
        let mut windows = Windows::of(&file, known).unwrap();
        let counts: Vec<u32> = windows
            .all()
            .map(|window| unpdf::PdfParser::from_bytes(windows.file(window)).unwrap().page_count())
            .collect();
        assert_eq!(counts, [128, 128, 44]);
    }
}
