//! Text cut into chunks that can be cited: each is an exact slice, begun and ended where the text itself pauses.

mod bounds;
mod tokens;

use std::ops::Range;

use bounds::{Bound, Strength};

pub use tokens::estimate_tokens;

use crate::extract::{Extract, Heading, Page};

/// A slice of an extract's text, with the place where a reader finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    pub ordinal: u32,
    /// Byte offsets into the text; the chunk is exactly this slice.
    pub start: usize,
    pub end: usize,
    pub page_first: Option<u32>,
    pub page_last: Option<u32>,
    /// Titles of the headings above, outermost first.
    pub heading_path: Vec<String>,
    /// An estimate, see [`estimate_tokens`].
    pub tokens: u32,
}

/// Sizes in characters (Unicode scalar values).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkOptions {
    /// What a chunk is aimed at; it ends at the best pause nearby.
    pub target_chars: usize,
    /// What no chunk exceeds.
    pub max_chars: usize,
}

impl Default for ChunkOptions {
    fn default() -> Self {
        Self { target_chars: 550, max_chars: 800 }
    }
}

/// A text to be cut, whole or a segment of one.
pub(crate) struct View<'t> {
    pub(crate) text: &'t str,
    pub(crate) pages: &'t [Page],
    pub(crate) headings: &'t [Heading],
    /// Headings before the segment under which its beginning stands, outermost first.
    pub(crate) above: &'t [Heading],
}

/// Cuts a document. Every character that is not white space lies in exactly one chunk.
pub fn chunk(extract: &Extract, options: &ChunkOptions) -> Vec<Chunk> {
    let Extract { text, pages, headings, .. } = extract;
    cut(&View { text, pages, headings, above: &[] }, options)
}

pub(crate) fn cut(view: &View, options: &ChunkOptions) -> Vec<Chunk> {
    let max_chars = options.max_chars.max(1);
    let target = options.target_chars.clamp(1, max_chars);
    let bounds = bounds::find(view, max_chars);
    let parents = parents(view.headings);
    let mut chunks = Vec::new();
    let mut sections = Sections::new(&bounds, target, max_chars);
    let mut from = 0;
    while from + 1 < bounds.len() {
        let until = best_end(&bounds, from, sections.end(from), target, max_chars);
        let (start, end) = (bounds[from].at, bounds[until].at);
        push_trimmed(view, &parents, start..end, &mut chunks);
        from = until;
    }
    chunks
}

/// Title and headings that stand before a chunk have at most so many characters: with the chunk itself, even at four
/// bytes each and one token for each byte, that is less than the 8,192 tokens of the usual models.
pub const MOST_PATH_CHARS: usize = 400;

/// What an embedding model gets to read: the chunk under its title and headings, which it may not mention itself.
pub fn embed_input(title: Option<&str>, heading_path: &[String], text: &str) -> String {
    let mut path: Vec<&str> = title.into_iter().collect();
    path.extend(heading_path.iter().map(String::as_str));
    path.retain(|part| !part.trim().is_empty());
    path.dedup();
    if path.is_empty() {
        return text.to_owned();
    }
    let path = path.join(" > ");
    let end = path.char_indices().nth(MOST_PATH_CHARS).map_or(path.len(), |(end, _)| end);
    format!("{}\n\n{text}", path.get(..end).unwrap_or(&path))
}

/// How many of the longest chunks one looks ahead for the end of a section.
pub(crate) const HORIZON: usize = 8;

/// The bound that ends the chunk which begins at bound `from`.
fn best_end(bounds: &[Bound], from: usize, section_end: usize, target: usize, max_chars: usize) -> usize {
    let begin = bounds[from].chars;
    let remaining = bounds[section_end].chars - begin;
    if remaining <= target {
        return section_end;
    }
    // Even shares: a section slightly over the target becomes two halves, not a chunk and a crumb.
    let aim = remaining / remaining.div_ceil(target);
    let mut best = from + 1;
    let mut best_score = i64::MIN;
    for (offset, bound) in bounds[from + 1..=section_end].iter().enumerate() {
        let length = bound.chars - begin;
        if length > max_chars {
            break;
        }
        let distance = length.abs_diff(aim) as i64 * 100 / aim.max(1) as i64;
        let score = bound.strength.worth() - distance;
        if score >= best_score {
            (best, best_score) = (from + 1 + offset, score);
        }
    }
    best
}

/// Where sections end: at the next page, or the next heading. Sections too short to stand alone run on into the next.
struct Sections<'b> {
    bounds: &'b [Bound],
    target: usize,
    /// Beyond this distance the exact end makes no difference to the share that is aimed at.
    horizon: usize,
    /// The bounds that are headings or pages, and the first of them that is still ahead.
    stops: Vec<usize>,
    next: usize,
    /// The first bound beyond the horizon.
    far: usize,
}

impl<'b> Sections<'b> {
    fn new(bounds: &'b [Bound], target: usize, max_chars: usize) -> Self {
        let stops = bounds.iter().enumerate().filter(|(_, bound)| bound.strength >= Strength::Heading);
        let stops = stops.map(|(at, _)| at).collect();
        Self { bounds, target, horizon: max_chars.saturating_mul(HORIZON), stops, next: 0, far: 0 }
    }

    /// The end of the section of bound `from`, which never goes back from one call to the next.
    fn end(&mut self, from: usize) -> usize {
        let length = |at: usize| self.bounds[at].chars - self.bounds[from].chars;
        let last = self.bounds.len() - 1;
        self.far = self.far.max(from + 1);
        while self.far < last && length(self.far) <= self.horizon {
            self.far += 1;
        }
        while self.stops.get(self.next).is_some_and(|&stop| stop <= from) {
            self.next += 1;
        }
        let ahead = self.stops[self.next..].iter().copied().take_while(|&stop| stop < self.far);
        let mut ends =
            ahead.filter(|&stop| self.bounds[stop].strength == Strength::Page || length(stop) * 4 >= self.target);
        ends.next().unwrap_or(self.far)
    }
}

fn push_trimmed(view: &View, parents: &[Option<usize>], range: Range<usize>, chunks: &mut Vec<Chunk>) {
    let start = range.start;
    let slice = &view.text[range];
    let trimmed = slice.trim();
    if trimmed.is_empty() {
        return;
    }
    let start = start + (slice.len() - slice.trim_start().len());
    let end = start + trimmed.len();
    let pages = pages_of(view.pages, start, end);
    chunks.push(Chunk {
        ordinal: u32::try_from(chunks.len()).unwrap_or(u32::MAX),
        start,
        end,
        page_first: pages.first().map(|page| page.number),
        page_last: pages.last().map(|page| page.number),
        heading_path: heading_path(view, parents, start..end),
        tokens: estimate_tokens(trimmed),
    });
}

fn pages_of(pages: &[Page], start: usize, end: usize) -> &[Page] {
    let first = pages.partition_point(|page| page.end <= start);
    let last = pages.partition_point(|page| page.start < end);
    let overlapping = pages.get(first..last.max(first)).unwrap_or_default();
    // Blank pages at the rim hold nothing that a reader could find there.
    let filled = |page: &Page| page.end > page.start;
    let skip = overlapping.iter().position(filled).unwrap_or(0);
    let keep = overlapping.iter().rposition(filled).map_or(0, |at| at + 1);
    overlapping.get(skip..keep).unwrap_or_default()
}

fn heading_path(view: &View, parents: &[Option<usize>], chunk: Range<usize>) -> Vec<String> {
    let headings = view.headings;
    let mut above = headings.partition_point(|heading| heading.start <= chunk.start);
    // A title directly followed by deeper headings: the text under them is what the chunk is about.
    while let (Some(last), Some(next)) = (above.checked_sub(1).and_then(|at| headings.get(at)), headings.get(above)) {
        let last_end = last.start + last.title.len();
        let adjacent = view.text.get(last_end..next.start).is_some_and(|gap| gap.trim().is_empty());
        if !adjacent || next.start >= chunk.end || next.level <= last.level || last.start < chunk.start {
            break;
        }
        above += 1;
    }
    let path = path(view, parents, above.checked_sub(1));
    path.into_iter().map(|heading| heading.title.chars().take(MOST_PATH_CHARS).collect()).collect()
}

/// For each heading the one that it stands under.
fn parents(headings: &[Heading]) -> Vec<Option<usize>> {
    let mut parents = Vec::with_capacity(headings.len());
    let mut open: Vec<usize> = Vec::new();
    for (at, heading) in headings.iter().enumerate() {
        while open.last().is_some_and(|&above| headings[above].level >= heading.level) {
            open.pop();
        }
        parents.push(open.last().copied());
        open.push(at);
    }
    parents
}

/// The headings above a place whose last heading is `last`, outermost first.
fn path<'v>(view: &View<'v>, parents: &[Option<usize>], last: Option<usize>) -> Vec<&'v Heading> {
    let mut path: Vec<&Heading> = Vec::new();
    let mut next = last;
    while let Some(at) = next {
        path.extend(view.headings.get(at));
        next = parents.get(at).copied().flatten();
    }
    let level = path.last().map_or(u8::MAX, |outermost| outermost.level);
    path.extend(view.above.iter().rev().filter(|heading| heading.level < level));
    path.reverse();
    path
}

/// The headings under which a segment stands that begins at `from`.
pub(crate) fn headings_above(view: &View, from: usize) -> Vec<Heading> {
    let before = view.headings.partition_point(|heading| heading.start < from);
    let parents = parents(view.headings);
    path(view, &parents, before.checked_sub(1)).into_iter().cloned().collect()
}
