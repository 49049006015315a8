//! From bytes to the rows that will be stored. Pure and repeatable: the same bytes give the same plan, which is what
//! lets a new worker go on where a dead one stopped.

use std::ops::Range;
use std::time::{Duration, Instant};

use docent_text::{Budget, Chunk, ChunkOptions, Extract};
use sha2::{Digest, Sha256};

/// How long one document may be read for.
pub const PARSE_TIME: Duration = Duration::from_secs(120);

/// A document's text, cut into chunks that are not stored yet.
pub struct Plan {
    extract: Extract,
    chunks: Vec<Chunk>,
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
    /// Reads and cuts a document. Takes its time: not for an async thread.
    pub fn new(
        bytes: &[u8],
        filename: &str,
        content_type: Option<&str>,
        largest: u64,
    ) -> Result<Plan, docent_text::Error> {
        let deadline = Some(Instant::now() + PARSE_TIME);
        let budget = Budget { whole_bytes: largest, stream_bytes: largest, deadline, ..Budget::default() };
        // `application/octet-stream` says only that the browser did not know.
        let declared = content_type.filter(|kind| !kind.starts_with("application/octet-stream"));
        let mut extract = docent_text::extract(bytes, filename, declared, &budget)?;
        // Postgres stores no zero bytes; a space is as long, so that every offset stays true.
        if extract.text.contains('\0') {
            extract.text = extract.text.replace('\0', " ");
        }
        let chunks = docent_text::chunk(&extract, &ChunkOptions::default());
        Ok(Plan { extract, chunks })
    }

    pub fn chunks(&self) -> usize {
        self.chunks.len()
    }

    pub fn title(&self) -> Option<String> {
        self.extract.title.as_deref().map(storable).filter(|title| !title.is_empty())
    }

    pub fn pages(&self) -> Option<i32> {
        let pages = self.extract.pages.len();
        (pages > 0).then(|| i32::try_from(pages).unwrap_or(i32::MAX))
    }

    /// Names the plan: what was stored under another name cannot be continued.
    pub fn hash(&self, model: &str) -> Vec<u8> {
        let mut hash = Sha256::new();
        for part in [model, self.extract.title.as_deref().unwrap_or_default(), &self.extract.text] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        for chunk in &self.chunks {
            hash.update((chunk.start as u64).to_be_bytes());
            hash.update((chunk.end as u64).to_be_bytes());
        }
        hash.finalize().to_vec()
    }

    /// The rows of some chunks, by ordinal; made only when their turn comes, so that a long document is not held twice.
    pub fn rows(&self, ordinals: Range<usize>) -> Vec<Row> {
        let wanted = self.chunks.get(ordinals.start..ordinals.end.min(self.chunks.len())).unwrap_or_default();
        wanted.iter().map(|chunk| self.row(chunk)).collect()
    }

    fn row(&self, chunk: &Chunk) -> Row {
        let text = self.extract.text.get(chunk.start..chunk.end).unwrap_or_default().to_owned();
        let heading_path: Vec<String> = chunk.heading_path.iter().map(|heading| storable(heading)).collect();
        let input = docent_text::embed_input(self.title().as_deref(), &heading_path, &text);
        let small = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        Row {
            ordinal: small(chunk.ordinal),
            page_first: chunk.page_first.map(small),
            page_last: chunk.page_last.map(small),
            span: (chunk.start as i64, chunk.end as i64),
            tokens: small(chunk.tokens),
            terms: docent_text::term_counts(&input),
            heading_path,
            input,
            text,
        }
    }
}

fn storable(text: &str) -> String {
    text.replace('\0', " ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Plan {
        Plan::new(text.as_bytes(), "guide.md", None, 1 << 20).unwrap()
    }

    fn long() -> String {
        let paragraph = "Every valve is turned by hand before the pump is started, and the log is signed. ";
        (0..40).map(|n| format!("## Step {n}\n\n{}\n\n", paragraph.repeat(8))).collect()
    }

    #[test]
    fn the_same_bytes_give_the_same_plan_and_other_models_or_bytes_another() {
        let text = long();
        assert_eq!(plan(&text).hash("hash-384"), plan(&text).hash("hash-384"));
        assert_ne!(plan(&text).hash("hash-384"), plan(&text).hash("minilm-l6-v2"));
        assert_ne!(plan(&text).hash("hash-384"), plan(&text.replace("valve", "lever")).hash("hash-384"));
    }

    #[test]
    fn rows_are_numbered_without_gap_and_their_spans_are_their_text() {
        let plan = plan(&long());
        assert!(plan.chunks() > 4, "{} chunks", plan.chunks());
        let rows = plan.rows(0..plan.chunks());
        for (ordinal, row) in rows.iter().enumerate() {
            assert_eq!(row.ordinal as usize, ordinal);
            assert_eq!(plan.extract.text[row.span.0 as usize..row.span.1 as usize], row.text);
            assert!(row.terms.length > 0 && row.input.contains(&row.text));
        }
        let halves = [plan.rows(0..3), plan.rows(3..usize::MAX)].concat();
        assert_eq!(halves, rows, "batches are slices of the same rows");
        assert!(plan.rows(plan.chunks()..usize::MAX).is_empty());
    }

    #[test]
    fn a_document_without_text_has_no_plan() {
        let error = Plan::new(b"  \n ", "empty.txt", None, 1 << 20).err().unwrap();
        assert_eq!(error.code(), "empty_file");
        let error = Plan::new(b"longer than that", "a.txt", None, 4).err().unwrap();
        assert_eq!(error.code(), "too_large");
    }

    #[test]
    fn zero_bytes_are_not_stored_and_move_nothing() {
        // Beyond the first kilobytes, in which a zero byte would make the file count as binary.
        let text = format!("{}one\u{0}two", "The valve is open. ".repeat(600));
        let rows = plan(&text).rows(0..usize::MAX);
        assert!(
            rows.last().is_some_and(|row| row.text.contains("one") && row.text.contains("two")),
            "the text is all there"
        );
        assert!(rows.iter().all(|row| !row.text.contains('\0') && !row.input.contains('\0')));
    }
}
