//! All tests of the crate in one binary, through its public surface only.

mod chunks;
mod corpus;
mod formats;
mod hostile;
mod properties;
mod retrieval;
mod support;
mod words;
