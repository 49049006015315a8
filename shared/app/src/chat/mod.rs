//! An answer: admit, retrieve, refuse or generate, stream, cite, store. Two round trips stand before the first token.

mod answer;
mod citations;
mod extractive;
mod filter;
mod gaps;
mod log;
mod openai;
mod out;
mod prompt;
mod request;
mod routes;
mod store;
mod support;
mod ui_stream;

pub use request::{LONGEST_QUESTION, Question};
pub use routes::{history_router, router};
