//! All tests of the crate in one binary, through its public surface only.

#![expect(clippy::unwrap_used, reason = "helpers of tests stand outside test functions")]

mod bm25;
mod bombs;
mod child;
mod chunks;
mod corpus;
mod formats;
mod heavy;
mod hostile;
mod pdf_limits;
mod properties;
mod regressions;
mod retrieval;
mod samples;
mod support;
mod words;
