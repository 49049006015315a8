//! What one document may cost. Every loop over outside bytes asks the meter before it goes on.

use std::time::Instant;

use crate::error::{Error, ErrorKind};

/// Named limits of single formats. A document beyond one of them is refused, never truncated.
pub mod limits {
    /// Expansion of a zip entry, and of the whole archive, over its packed size. Deflate tops out near 1000:1;
    /// honest office files stay below 30:1.
    pub const ZIP_RATIO: u64 = 100;
    /// Below this size an entry may exceed the ratio: a few kilobytes of zeros harm nobody.
    pub const ZIP_RATIO_FREE_BYTES: u64 = 256 * 1024;
    /// Unpacked bytes of one archive.
    pub const ZIP_OUTPUT_BYTES: u64 = 200 * 1024 * 1024;
    /// Unpacked bytes of one entry that only describes others: relations, styles, a table of contents.
    pub const ZIP_INDEX_BYTES: u64 = 8 * 1024 * 1024;
    /// Entries of one archive.
    pub const ZIP_ENTRIES: usize = 10_000;
    pub const XML_DEPTH: usize = 256;
    pub const XML_ATTRIBUTES: usize = 1_000;
    /// One tag, or the text between two: what is held in memory at once.
    pub const XML_PIECE_BYTES: usize = 16 * 1024 * 1024;
    pub const HTML_DEPTH: usize = 512;
    pub const MARKDOWN_DEPTH: usize = 256;
    /// The parser's own recursion guard stops at its 128th level, so 127 can be read.
    pub const JSON_DEPTH: usize = 127;
    pub const CSV_FIELD_BYTES: usize = 1024 * 1024;
    /// One row of a table, quotes and line ends and all, and one line of JSON Lines: what is held in memory at once.
    pub const CSV_ROW_BYTES: usize = 8 * 1024 * 1024;
    pub const JSON_LINE_BYTES: usize = 8 * 1024 * 1024;
    /// The columns of a sheet, as many as the programs themselves allow.
    pub const XLSX_COLUMNS: u32 = 16_384;
    /// Parts within parts and messages within messages.
    pub const EML_DEPTH: usize = 16;
    /// Parts side by side.
    pub const EML_PARTS: usize = 10_000;
    /// Headers of one message or part, and their bytes.
    pub const EML_HEADERS: usize = 1_000;
    pub const EML_HEADER_BYTES: usize = 256 * 1024;
    pub const PDF_PAGES: u32 = 10_000;
    /// Arrays and dictionaries within each other. Real files stay below ten.
    pub const PDF_DEPTH: usize = 500;
    /// Filters that one stream went through. Two are usual.
    pub const PDF_FILTERS: usize = 4;
    /// One unpacked stream that is no image.
    pub const PDF_STREAM_BYTES: u64 = 64 * 1024 * 1024;
    /// All of them, and all that pages draw.
    pub const PDF_OUTPUT_BYTES: u64 = 512 * 1024 * 1024;
    /// Operators of one page that show text; the parser keeps a kilobyte for each.
    pub const PDF_PAGE_RUNS: u64 = 100_000;
    /// Codes of one map from codes to text. There are 65,536 of two bytes.
    pub const PDF_MAP_CODES: u64 = 1_000_000;
    /// Hexadecimal digits of one code or of what it stands for, which is a character, a ligature or a word.
    pub const PDF_MAP_DIGITS: usize = 512;
    /// Levels of a tree of pages, fields or names.
    pub const PDF_TREE_DEPTH: usize = 256;
    /// Leaves of one tree, each as often as it is reached.
    pub const PDF_TREE_LEAVES: u64 = 1_000_000;
}

/// The allowance for one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of a file whose format has to be held in memory as a whole.
    pub whole_bytes: u64,
    /// Bytes of a file that is read piece by piece: plain text, CSV, TSV, JSON Lines.
    pub stream_bytes: u64,
    /// Bytes of text extracted from a file that is held as a whole.
    pub output_bytes: usize,
    /// Bytes of text extracted from a file that is read piece by piece. A table says its headers again in every row.
    pub stream_output_bytes: u64,
    /// Elements, cells, tags, events: whatever the format's parser counts; per segment where a file is read in segments,
    /// since there each costs at least one byte of the file.
    pub nodes: u64,
    /// Nesting; the limit of the format applies where it is lower.
    pub depth: usize,
    /// When to give up. A parser that is not ours is asked only between pages.
    pub deadline: Option<Instant>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            whole_bytes: 50 * 1024 * 1024,
            stream_bytes: 500 * 1024 * 1024,
            output_bytes: 64 * 1024 * 1024,
            stream_output_bytes: 1024 * 1024 * 1024,
            nodes: 20_000_000,
            depth: 512,
            deadline: None,
        }
    }
}

/// How many nodes pass between two looks at the clock.
const CLOCK_STRIDE: u64 = 256;

/// The running bill against a [`Budget`].
pub(crate) struct Meter<'a> {
    budget: &'a Budget,
    nodes: u64,
    streaming: bool,
    /// Bytes of text that have left the writer for good.
    drained: u64,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(budget: &'a Budget) -> Self {
        Self { budget, nodes: 0, streaming: false, drained: 0 }
    }

    /// The meter of a file that is read piece by piece.
    pub(crate) fn streaming(budget: &'a Budget) -> Self {
        Self { streaming: true, ..Self::new(budget) }
    }

    pub(crate) fn input(&self, bytes: u64) -> Result<(), Error> {
        let limit = if self.streaming { self.budget.stream_bytes } else { self.budget.whole_bytes };
        if bytes > limit {
            return Err(Error::new(ErrorKind::TooLarge, format!("The file is larger than {limit} bytes.")));
        }
        Ok(())
    }

    pub(crate) fn node(&mut self) -> Result<(), Error> {
        self.nodes += 1;
        if self.nodes > self.budget.nodes {
            return Err(Error::limit(format!("The document has more than {} elements.", self.budget.nodes)));
        }
        if self.nodes % CLOCK_STRIDE == 1 { self.time() } else { Ok(()) }
    }

    pub(crate) fn drained(&mut self, bytes: usize) {
        self.drained += bytes as u64;
        if self.streaming {
            self.nodes = 0;
        }
    }

    pub(crate) fn drained_bytes(&self) -> u64 {
        self.drained
    }

    pub(crate) fn time(&self) -> Result<(), Error> {
        match self.budget.deadline {
            Some(deadline) if Instant::now() >= deadline => {
                Err(Error::new(ErrorKind::Timeout, "Reading the document took too long."))
            }
            _ => Ok(()),
        }
    }

    /// Checks the text so far, of which `held` bytes are still here.
    pub(crate) fn output(&self, held: usize) -> Result<(), Error> {
        let limit = if self.streaming { self.budget.stream_output_bytes } else { self.budget.output_bytes as u64 };
        if self.drained + held as u64 > limit {
            return Err(Error::limit(format!("The document holds more than {limit} bytes of text.")));
        }
        Ok(())
    }

    pub(crate) fn depth(&self, depth: usize, format_limit: usize) -> Result<(), Error> {
        let limit = format_limit.min(self.budget.depth);
        if depth > limit {
            return Err(Error::limit(format!("The document is nested deeper than {limit} levels.")));
        }
        Ok(())
    }
}
