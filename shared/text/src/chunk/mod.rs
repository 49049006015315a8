//! Text cut into chunks that can be cited: each is an exact slice, begun and ended where the text itself pauses.

mod bounds;

use bounds::{Bound, Strength};

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
    let mut chunks = Vec::new();
    let mut from = 0;
    while from + 1 < bounds.len() {
        let until = best_end(&bounds, from, target, max_chars);
        let (start, end) = (bounds[from].at, bounds[until].at);
        push_trimmed(view, start, end, &mut chunks);
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

/// A cheap estimate of model tokens: four ASCII characters, two of another alphabet or one ideograph each make
/// one. It lies within about 20 % for prose; budgets that must hold need a margin.
pub fn estimate_tokens(text: &str) -> u32 {
    if text.is_ascii() {
        return u32::try_from(text.len().div_ceil(4)).unwrap_or(u32::MAX);
    }
    let quarters: u64 = text
        .chars()
        .map(|character| match character {
            '\0'..='\u{7F}' => 1,
            '\u{2E80}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7AF}' | '\u{20000}'..='\u{3FFFF}' => 4,
            _ => 2,
        })
        .sum();
    u32::try_from(quarters.div_ceil(4)).unwrap_or(u32::MAX)
}

/// How many of the longest chunks one looks ahead for the end of a section.
pub(crate) const HORIZON: usize = 8;

/// The bound that ends the chunk which begins at bound `from`.
fn best_end(bounds: &[Bound], from: usize, target: usize, max_chars: usize) -> usize {
    let begin = bounds[from].chars;
    let section_end = section_end(bounds, from, target, max_chars);
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

/// Where the section of bound `from` ends: at the next page, or the next heading. Sections too short to stand alone run on into the next.
fn section_end(bounds: &[Bound], from: usize, target: usize, max_chars: usize) -> usize {
    let begin = bounds[from].chars;
    // Beyond this distance the exact end makes no difference to the share that is aimed at.
    let horizon = max_chars.saturating_mul(HORIZON);
    for (offset, bound) in bounds[from + 1..].iter().enumerate() {
        let length = bound.chars - begin;
        let heading = bound.strength == Strength::Heading && length * 4 >= target;
        if heading || bound.strength == Strength::Page || length > horizon {
            return from + 1 + offset;
        }
    }
    bounds.len() - 1
}

fn push_trimmed(view: &View, start: usize, end: usize, chunks: &mut Vec<Chunk>) {
    let slice = &view.text[start..end];
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
        heading_path: heading_path(view, start, end),
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

fn heading_path(view: &View, start: usize, end: usize) -> Vec<String> {
    let headings = view.headings;
    let mut above = headings.partition_point(|heading| heading.start <= start);
    // A title directly followed by deeper headings: the text under them is what the chunk is about.
    while let (Some(last), Some(next)) = (above.checked_sub(1).and_then(|at| headings.get(at)), headings.get(above)) {
        let last_end = last.start + last.title.len();
        let adjacent = view.text.get(last_end..next.start).is_some_and(|gap| gap.trim().is_empty());
        if !adjacent || next.start >= end || next.level <= last.level || last.start < start {
            break;
        }
        above += 1;
    }
    let path = ancestors(headings[..above].iter().rev().chain(view.above.iter().rev()));
    path.into_iter().rev().map(|heading| heading.title.clone()).collect()
}

/// Of headings that are given from the last to the first, those that stand above the last, and itself.
pub(crate) fn ancestors<'h>(headings: impl Iterator<Item = &'h Heading>) -> Vec<&'h Heading> {
    let mut path: Vec<&Heading> = Vec::new();
    for heading in headings {
        let level = path.last().map_or(u8::MAX, |deeper| deeper.level);
        if level <= 1 {
            break;
        }
        if heading.level < level {
            path.push(heading);
        }
    }
    path
}
