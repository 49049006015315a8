//! A document that has been read and is not stored yet: how many chunks it has, a name for exactly these, and their
//! rows when their turn comes. The rows stay in a file, so that memory holds one batch whatever the document's size.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use docent_text::Piece;
use sha2::{Digest, Sha256};

use super::spool::{self, Record, Records};
use crate::error::{Error, Kind, Result};

/// Rows between two places in the spool that are remembered.
const STRIDE: usize = 64;

/// A document's chunks in a spool, and what is said of them as a whole. The same bytes give the same plan, which is
/// what lets a new worker go on where a dead one stopped.
pub struct Plan {
    spool: File,
    title: Option<String>,
    pages: Option<i32>,
    chunks: usize,
    /// Where every [`STRIDE`]th record begins.
    marks: Vec<u64>,
    /// Over title and records.
    digest: [u8; 32],
}

/// One chunk on its way into the tables.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub ordinal: i32,
    pub text: String,
    pub page_first: Option<i32>,
    pub page_last: Option<i32>,
    pub span: (i64, i64),
    pub heading_path: Vec<String>,
    pub tokens: i32,
    /// What is embedded and indexed: title and headings stand before the text.
    pub input: String,
    pub terms: docent_text::TermCounts,
}

impl Plan {
    /// Looks through a whole spool. Takes its time: not for an async thread.
    pub fn new(spool: File) -> Result<Plan> {
        let mut records = Records::new(At { file: &spool, offset: 0 });
        let (mut marks, mut chunks, mut offset, mut hash, mut last) = (Vec::new(), 0, 0, Sha256::new(), None);
        while let Some(line) = records.line()? {
            if last.is_some() {
                return Err(spool::broken());
            }
            match spool::record(line)? {
                Record::Piece(piece) if usize::try_from(piece.ordinal) == Ok(chunks) => {
                    if chunks % STRIDE == 0 {
                        marks.push(offset);
                    }
                    chunks += 1;
                    hash.update(line);
                }
                Record::Piece(_) => return Err(spool::broken()),
                end => last = Some(end),
            }
            offset += line.len() as u64;
        }
        let summary = spool::ended(last, chunks)?;
        if chunks == 0 {
            return Err(Error::new(Kind::Document("empty_file"), "The document holds no text."));
        }
        let title = summary.title.as_deref().map(storable).filter(|title| !title.is_empty());
        hash.update(title.as_deref().unwrap_or_default());
        let pages = summary.pages.filter(|pages| *pages > 0).map(small);
        Ok(Plan { title, pages, chunks, marks, digest: hash.finalize().into(), spool })
    }

    pub fn chunks(&self) -> usize {
        self.chunks
    }

    pub fn title(&self) -> Option<String> {
        self.title.clone()
    }

    pub fn pages(&self) -> Option<i32> {
        self.pages
    }

    /// Names the plan: what was stored under another name cannot be continued.
    pub fn hash(&self, model: &str) -> Vec<u8> {
        let mut hash = Sha256::new();
        hash.update((model.len() as u64).to_be_bytes());
        hash.update(model);
        hash.update(self.digest);
        hash.finalize().to_vec()
    }

    /// The rows of some chunks, by ordinal; those beyond the end are not there.
    pub fn rows(&self, ordinals: Range<usize>) -> Result<Vec<Row>> {
        let wanted = ordinals.start..ordinals.end.min(self.chunks);
        let Some(mark) = self.marks.get(wanted.start / STRIDE) else { return Ok(Vec::new()) };
        let mut records = Records::new(At { file: &self.spool, offset: *mark });
        let mut rows = Vec::with_capacity(wanted.len());
        for ordinal in wanted.start / STRIDE * STRIDE..wanted.end {
            let line = records.line()?.ok_or_else(spool::broken)?;
            if ordinal < wanted.start {
                continue;
            }
            match spool::record(line)? {
                Record::Piece(piece) => rows.push(self.row(piece)),
                _ => return Err(spool::broken()),
            }
        }
        Ok(rows)
    }

    fn row(&self, piece: Piece) -> Row {
        let heading_path: Vec<String> = piece.heading_path.iter().map(|heading| storable(heading)).collect();
        let input = docent_text::embed_input(self.title.as_deref(), &heading_path, &piece.text);
        Row {
            ordinal: small(piece.ordinal),
            page_first: piece.page_first.map(small),
            page_last: piece.page_last.map(small),
            span: (piece.start as i64, piece.end as i64),
            tokens: small(piece.tokens),
            terms: docent_text::term_counts(&input),
            heading_path,
            input,
            text: piece.text,
        }
    }
}

fn small(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn storable(text: &str) -> String {
    text.replace('\0', " ").trim().to_owned()
}

/// Reads a file from a place of its own, so that two readers do not move each other's.
struct At<'a> {
    file: &'a File,
    offset: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::ingest::sandbox::{self, Order};

    fn spooled(bytes: &[u8], order: Order) -> File {
        let mut document = tempfile::tempfile().unwrap();
        document.write_all(bytes).unwrap();
        let spool = tempfile::tempfile().unwrap();
        sandbox::reading(document, &order, spool.try_clone().unwrap()).unwrap();
        spool
    }

    fn plan(text: &str) -> Plan {
        Plan::new(spooled(text.as_bytes(), Order::of("guide.md", None))).unwrap()
    }

    fn long() -> String {
        let paragraph = "Every valve is turned by hand before the pump is started, and the log is signed. ";
        (0..80).map(|n| format!("## Step {n}\n\n{}\n\n", paragraph.repeat(8))).collect()
    }

    #[test]
    fn the_same_bytes_give_the_same_plan_and_other_models_or_bytes_another() {
        let text = long();
        assert_eq!(plan(&text).hash("hash-384"), plan(&text).hash("hash-384"));
        assert_ne!(plan(&text).hash("hash-384"), plan(&text).hash("minilm-l6-v2"));
        assert_ne!(plan(&text).hash("hash-384"), plan(&text.replace("valve", "lever")).hash("hash-384"));
        assert_ne!(plan(&text).hash("hash-384"), plan(&format!("# Title\n\n{text}")).hash("hash-384"));
    }

    #[test]
    fn rows_are_numbered_without_gap_from_wherever_they_are_asked_for() {
        let plan = plan(&long());
        assert!(plan.chunks() > 2 * STRIDE, "{} chunks", plan.chunks());
        let rows = plan.rows(0..plan.chunks()).unwrap();
        for (ordinal, row) in rows.iter().enumerate() {
            assert_eq!(row.ordinal as usize, ordinal);
            assert_eq!((row.span.1 - row.span.0) as usize, row.text.len());
            assert!(row.terms.length > 0 && row.input.contains(&row.text));
        }
        for cut in [1, 3, STRIDE - 1, STRIDE, STRIDE + 1, plan.chunks() - 1] {
            let halves = [plan.rows(0..cut).unwrap(), plan.rows(cut..usize::MAX).unwrap()].concat();
            assert_eq!(halves, rows, "batches are slices of the same rows: {cut}");
        }
        assert!(plan.rows(plan.chunks()..usize::MAX).unwrap().is_empty());
    }

    #[test]
    fn a_document_without_text_has_no_plan() {
        let refused = |bytes: &[u8], order| Plan::new(spooled(bytes, order)).err().unwrap();
        assert_eq!(refused(b"  \n ", Order::of("empty.txt", None)).code(), "empty_file");
        let small = Order { whole_bytes: 4, stream_bytes: 4, ..Order::of("a.txt", None) };
        assert_eq!(refused(b"longer than that", small).code(), "too_large");
    }

    #[test]
    fn half_a_spool_is_no_plan() {
        let spool = spooled(long().as_bytes(), Order::of("guide.md", None));
        let length = spool.metadata().unwrap().len();
        assert!(Plan::new(spool.try_clone().unwrap()).is_ok());
        let (mut state, mut seen) = (7_u64, 0);
        while seen < 200 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let cut = tempfile::tempfile().unwrap();
            let mut bytes = vec![0; (state >> 16) as usize % length as usize];
            spool.read_exact_at(&mut bytes, 0).unwrap();
            cut.write_all_at(&bytes, 0).unwrap();
            assert_eq!(Plan::new(cut).err().unwrap().code(), "internal", "{} of {length} bytes", bytes.len());
            seen += 1;
        }
    }

    #[test]
    fn zero_bytes_are_not_stored_and_move_nothing() {
        // Beyond the first kilobytes, in which a zero byte would make the file count as binary.
        let text = format!("{}one\u{0}two", "The valve is open. ".repeat(600));
        let rows = plan(&text).rows(0..usize::MAX).unwrap();
        assert!(
            rows.last().is_some_and(|row| row.text.contains("one") && row.text.contains("two")),
            "the text is all there"
        );
        assert!(rows.iter().all(|row| !row.text.contains('\0') && !row.input.contains('\0')));
    }
}
