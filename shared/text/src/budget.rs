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
    /// Entries of one archive.
    pub const ZIP_ENTRIES: usize = 10_000;
    pub const XML_DEPTH: usize = 256;
    pub const HTML_DEPTH: usize = 512;
    pub const MARKDOWN_DEPTH: usize = 256;
    /// The parser's own recursion guard stops at its 128th level, so 127 can be read.
    pub const JSON_DEPTH: usize = 127;
    pub const CSV_FIELD_BYTES: usize = 1024 * 1024;
    pub const PDF_PAGES: u32 = 10_000;
}

/// The allowance for one document. The defaults suit an upload of at most 50 MB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of the file itself.
    pub input_bytes: usize,
    /// Bytes of extracted text.
    pub output_bytes: usize,
    /// Elements, cells, tags, events: whatever the format's parser counts.
    pub nodes: u64,
    /// Nesting; the limit of the format applies where it is lower.
    pub depth: usize,
    /// When to give up. A parser that is not ours is asked only between pages.
    pub deadline: Option<Instant>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            input_bytes: 50 * 1024 * 1024,
            output_bytes: 64 * 1024 * 1024,
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
}

impl<'a> Meter<'a> {
    pub(crate) fn new(budget: &'a Budget) -> Self {
        Self { budget, nodes: 0 }
    }

    pub(crate) fn node(&mut self) -> Result<(), Error> {
        self.nodes += 1;
        if self.nodes > self.budget.nodes {
            return Err(Error::limit(format!("The document has more than {} elements.", self.budget.nodes)));
        }
        if self.nodes % CLOCK_STRIDE == 1 { self.time() } else { Ok(()) }
    }

    pub(crate) fn time(&self) -> Result<(), Error> {
        match self.budget.deadline {
            Some(deadline) if Instant::now() >= deadline => {
                Err(Error::new(ErrorKind::Timeout, "Reading the document took too long."))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn output(&self, bytes: usize) -> Result<(), Error> {
        if bytes > self.budget.output_bytes {
            return Err(Error::limit(format!(
                "The document holds more than {} bytes of text.",
                self.budget.output_bytes
            )));
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
