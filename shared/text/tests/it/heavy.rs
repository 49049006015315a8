//! Honest files that are only large: a book of 1,600 pages and a table of 200 MB, both within the memory of any file.
//! `DOCENT_LARGE=full` asks for these; by default the book has 160 pages and the table 10 MB.

use std::io::{Read, Seek, SeekFrom};

use crate::bombs::pdf::{CATALOG, FONT, file, stream};
use crate::child::{Job, run_all};

const CSV_BYTES: u64 = 200_000_000;
const PAGES: usize = 1_600;
/// What a reader of any table needs, however long that is: a segment, its text and its chunks.
const CSV_PEAK_MIB: u64 = 64;

pub fn jobs() -> Vec<Job> {
    let full = std::env::var_os("DOCENT_LARGE").is_some_and(|size| size == "full");
    let (bytes, pages) = if full { (CSV_BYTES, PAGES) } else { (CSV_BYTES / 20, PAGES / 10) };
    let seconds = 2.0 + bytes as f64 / 5e6;
    vec![
        Job::one("book of many pages", "book.pdf", "ok", move || book(pages)).within(pages as f64 / 50.0, 256),
        Job::stream("table of many rows", "rows.csv", "ok", move || Rows::new(bytes)).within(seconds, CSV_PEAK_MIB),
        Job::stream("lines of JSON", "rows.jsonl", "ok", move || Rows::of_json(bytes / 4))
            .within(seconds, CSV_PEAK_MIB),
        Job::stream("a log of many lines", "rows.log", "ok", move || Rows::new(bytes / 4))
            .within(seconds, CSV_PEAK_MIB),
    ]
}

#[test]
fn large_files_pass_in_the_memory_of_small_ones() {
    run_all("large files", &jobs());
}

/// Pages of 40 lines, each in a stream of its own, in one font.
fn book(pages: usize) -> Vec<u8> {
    let kids: String = (0..pages).map(|page| format!("{} 0 R ", 4 + 2 * page)).collect();
    let tree = format!("<< /Type /Pages /Count {pages} /Kids [{kids}] >>");
    let mut objects: Vec<Vec<u8>> = vec![CATALOG.into(), tree.into_bytes(), FONT.into()];
    for page in 0..pages {
        let leaf = format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {} 0 R /Resources << /Font << /F1 3 0 R >> >> >>",
            5 + 2 * page
        );
        objects.push(leaf.into_bytes());
        let lines: String = (0..40)
            .map(|line| {
                let item = page * 40 + line;
                format!(
                    "(Item {item} of the catalogue costs {} and weighs {} grams in its box.) Tj T*\n",
                    item * 7919 % 1000,
                    item * 31 % 97
                )
            })
            .collect();
        objects.push(stream("", format!("BT /F1 10 Tf 14 TL 56 780 Td\n{lines}ET")));
    }
    file(&objects, "")
}

/// Rows of one width, so that any place of the file is known without the ones before it.
struct Rows {
    row: fn(u64) -> String,
    header: &'static str,
    length: u64,
    at: u64,
    /// The row that was read last.
    held: Option<(u64, String)>,
}

impl Rows {
    fn new(length: u64) -> Self {
        let row = |number: u64| {
            format!(
                "{number:010},\"Customer, {:05}\",{:06}.00,Paid in full on day {:03} of the year\r\n",
                number * 7919 % 100_000,
                number * 31 % 999_999,
                number % 365
            )
        };
        Self { row, header: "number,name,amount,remark\r\n", length, at: 0, held: None }
    }

    fn of_json(length: u64) -> Self {
        let row = |number: u64| {
            format!(
                "{{\"number\":{:010},\"name\":\"Customer {:05}\",\"tags\":[\"a\",\"b\"]}}\n",
                number + 1_000_000_000,
                number * 7919 % 100_000
            )
        };
        let width = row(0).len() as u64;
        Self { row, header: "", length: length / width * width, at: 0, held: None }
    }

    fn row(&mut self, number: u64) -> &str {
        if self.held.as_ref().is_none_or(|(held, _)| *held != number) {
            self.held = Some((number, (self.row)(number)));
        }
        self.held.as_ref().map_or("", |(_, row)| row)
    }
}

impl Read for Rows {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.length - self.at).unwrap_or(usize::MAX);
        let at = self.at;
        let source = match at.checked_sub(self.header.len() as u64) {
            None => &self.header[at as usize..],
            Some(beyond) => {
                let width = (self.row)(0).len() as u64;
                &self.row(beyond / width)[(beyond % width) as usize..]
            }
        };
        let count = buffer.len().min(source.len()).min(left);
        buffer[..count].copy_from_slice(&source.as_bytes()[..count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Rows {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::End(back) => self.length.saturating_add_signed(back),
            SeekFrom::Current(step) => self.at.saturating_add_signed(step),
        };
        Ok(self.at)
    }
}
