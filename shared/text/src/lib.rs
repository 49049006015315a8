//! Bytes to text, text to chunks, chunks to terms. Pure: no async, no I/O, no clock but the caller's deadline.
//!
//! `extract` turns an uploaded file into an [`Extract`], `chunk` cuts it into citable slices, and `terms`,
//! `hash::embed` and `embed_input` are what the search index is fed with.

mod analyzer;
mod budget;
mod charset;
mod chunk;
mod detect;
mod error;
mod extract;
mod formats;
pub mod hash;
mod language;
mod pauses;
mod sentences;
mod terms;
mod writer;

pub use analyzer::{Analyzer, TermCounts, term_counts, terms};
pub use budget::{Budget, limits};
pub use chunk::{Chunk, ChunkOptions, chunk, embed_input, estimate_tokens};
pub use detect::{Format, detect};
pub use error::{Error, ErrorKind};
pub use extract::{Extract, Heading, Page, extract};
pub use sentences::sentences;
