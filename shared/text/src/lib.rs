//! Bytes to text, text to chunks, chunks to terms. Pure: no async, no I/O, no clock but the caller's deadline.
//!
//! `read` hands out a document's chunks in bounded memory; `extract` turns one into an [`Extract`] and `chunk` cuts that,
//! with the same result. `terms`, `hash::embed` and `embed_input` are what the search index is fed with.

mod analyzer;
mod budget;
mod charset;
mod chunk;
mod detect;
mod drain;
mod error;
mod extract;
mod followup;
mod formats;
pub mod hash;
mod language;
mod leash;
mod question;
mod read;
mod sentences;
mod terms;
mod writer;

pub use analyzer::{Analyzer, TermCounts, term_counts, terms};
pub use budget::{Budget, limits};
pub use chunk::{Chunk, ChunkOptions, MOST_PATH_CHARS, chunk, embed_input, estimate_tokens};
pub use detect::{Format, detect};
pub use error::{Error, ErrorKind};
pub use extract::{Extract, Heading, Page, extract};
pub use followup::refers_back;
pub use question::{Question, question, telling};
pub use read::{Piece, ReadOptions, Summary, read};
pub use sentences::sentences;
