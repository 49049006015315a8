//! The whole system in one process: embedded Postgres, bucket, encoder, and the operator's command line.
pub mod bucket;
mod client;
pub mod command;
mod console;
mod eval;
pub mod minilm;
#[cfg(feature = "pocket")]
pub mod pocket;
pub mod postgres;
mod queue;
mod scratch;
pub mod system;
mod terminal;
mod wheel;
