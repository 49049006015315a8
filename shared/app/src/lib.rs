//! Docent: a multi-tenant RAG chat backend made of small functions. A document goes in by a presigned upload and an
//! event; an answer comes out as a cited stream; a tenant's wall stands around both.
//!
//! Start at [`function`].

pub mod app;
pub mod auth;
pub mod bots;
pub mod chat;
pub mod clock;
pub mod config;
pub mod db;
pub mod documents;
pub mod embedder;
pub mod error;
pub mod function;
pub mod health;
pub mod http;
pub mod ingest;
pub mod keys;
pub mod limits;
pub mod objects;
pub mod questions;
pub mod search;
pub mod tasks;
pub mod telemetry;
pub mod usage;
pub mod vectors;
pub mod webhooks;

pub use app::App;
pub use error::{Error, Result};
pub use ingest::parse_if_asked;
pub use tasks::Tasks;
