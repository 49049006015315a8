//! Text that is cut into chunks and let go while its document is still being read.

use crate::chunk::{Chunk, ChunkOptions, HORIZON, View, cut, headings_above};
use crate::error::Error;
use crate::extract::{Heading, Page};
use crate::read::Piece;

/// So much text is gathered before any of it is let go.
const SEGMENT_BYTES: usize = 512 * 1024;

pub(crate) struct Drain<'a> {
    options: ChunkOptions,
    sink: &'a mut dyn FnMut(Piece) -> Result<(), Error>,
    segment_bytes: usize,
    /// The end of a segment is cut again with what follows it: how much cannot be final yet.
    unsettled_bytes: usize,
    /// The headings under which the text that is still here begins, outermost first.
    above: Vec<Heading>,
    base: u64,
    chunks: u32,
}

impl<'a> Drain<'a> {
    pub(crate) fn new(options: ChunkOptions, sink: &'a mut dyn FnMut(Piece) -> Result<(), Error>) -> Self {
        // What the chunker looks ahead, and one chunk more, in characters of four bytes.
        let unsettled_bytes = options.max_chars.max(1).saturating_mul((HORIZON + 2) * 4);
        let segment_bytes = SEGMENT_BYTES.max(unsettled_bytes.saturating_mul(4));
        Self { options, sink, segment_bytes, unsettled_bytes, above: Vec::new(), base: 0, chunks: 0 }
    }

    pub(crate) fn is_due(&self, held: usize) -> bool {
        held >= self.segment_bytes
    }

    /// Hands out the chunks that no further text can change, and forgets their text. Returns how many bytes went.
    pub(crate) fn segment(
        &mut self,
        text: &mut String,
        pages: &mut Vec<Page>,
        headings: &mut Vec<Heading>,
    ) -> Result<usize, Error> {
        let chunks = cut(&View { text, pages, headings, above: &self.above }, &self.options);
        let settled = text.len().saturating_sub(self.unsettled_bytes);
        let (kept_from, cut_at) = match resume(text, &chunks, settled) {
            Some(at) => (at, chunks[at].start),
            None => (chunks.len(), blank_tail(text)),
        };
        for chunk in chunks.into_iter().take(kept_from) {
            self.hand_out(text, chunk)?;
        }
        self.above = headings_above(&View { text, pages, headings, above: &self.above }, cut_at);
        headings.drain(..headings.partition_point(|heading| heading.start < cut_at));
        text.drain(..cut_at);
        pages.retain(|page| page.end > cut_at);
        for page in pages.iter_mut() {
            (page.start, page.end) = (page.start.saturating_sub(cut_at), page.end - cut_at);
        }
        headings.iter_mut().for_each(|heading| heading.start -= cut_at);
        self.base += cut_at as u64;
        Ok(cut_at)
    }

    /// Hands out what is left, and says how many chunks there were in all.
    pub(crate) fn rest(mut self, text: &str, pages: &[Page], headings: &[Heading]) -> Result<u32, Error> {
        let chunks = cut(&View { text, pages, headings, above: &self.above }, &self.options);
        for chunk in chunks {
            self.hand_out(text, chunk)?;
        }
        Ok(self.chunks)
    }

    fn hand_out(&mut self, text: &str, chunk: Chunk) -> Result<(), Error> {
        let ordinal = self.chunks;
        self.chunks = ordinal.saturating_add(1);
        (self.sink)(Piece {
            ordinal,
            text: text.get(chunk.start..chunk.end).unwrap_or_default().to_owned(),
            start: self.base + chunk.start as u64,
            end: self.base + chunk.end as u64,
            page_first: chunk.page_first,
            page_last: chunk.page_last,
            heading_path: chunk.heading_path,
            tokens: chunk.tokens,
        })
    }
}

/// The chunk with which the next segment begins. The best is one that begins a line: there a sentence begins whatever
/// stands before it, so that segments make no difference to the chunks.
fn resume(text: &str, chunks: &[Chunk], settled: usize) -> Option<usize> {
    let candidates = || (1..chunks.len()).rev().filter(|&at| chunks[at].start <= settled);
    let begins_line = |at: &usize| {
        let (before, after) = text.split_at(chunks[*at].start);
        before.ends_with('\n') && !after.starts_with(char::is_lowercase)
    };
    // Half a segment has to go at least, or the same text would be cut again and again.
    candidates().take_while(|&at| chunks[at].start > settled / 2).find(begins_line).or_else(|| candidates().next())
}

/// Where the white space begins that has to stay, so that it is still known how the text ends. Only a text of white space
/// almost alone comes here.
fn blank_tail(text: &str) -> usize {
    let blank = text.len() - text.trim_end().len();
    let keep = text.char_indices().rev().map(|(at, _)| at).nth(1).unwrap_or(0);
    if blank > 2 { keep } else { text.len() }
}
