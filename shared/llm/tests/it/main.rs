//! Every test of this crate that needs bytes on a wire. The transcripts in `cassettes/` are written by hand to the
//! providers' documented formats; `server` replays them, whole, cut or broken.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails, and helpers are not marked as tests")]

mod address;
mod chat;
mod cuts;
mod dialects;
mod embed;
mod faults;
mod fetch;
mod inside;
mod keys;
mod memory;
mod providers;
mod refusals;
mod rerank;
mod retry;
mod server;
mod sse;
