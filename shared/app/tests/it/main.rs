//! The router is the test surface: clients named by credential, a database of its own for every test, a real bucket.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what fails here fails a test"
)]

mod attack;
mod attack_pooler;
mod bots;
mod callers;
mod canary;
mod catalog;
mod chat;
mod compressed;
mod conversations;
mod dense;
mod dialects;
mod dice;
mod documents;
mod embeddings;
mod endings;
mod fallback;
mod faults;
mod filters;
mod followups;
mod health;
mod house;
mod idempotency;
mod ingest;
mod ingest_door;
mod keys;
mod keys_provider;
mod keys_rotation;
mod kills;
mod lifecycle;
mod limits;
mod manner;
mod matrix;
mod migration;
mod mutation;
mod observed;
mod openai;
mod openapi;
mod openings;
mod origin;
mod output;
mod parts;
mod pgbouncer;
mod population;
mod postings;
mod provider;
mod pulls;
mod qdrant;
mod questions;
mod readers;
mod redis;
mod requests;
mod resume;
mod retries;
mod scene;
mod sessions;
mod sim;
mod statements;
mod statistics;
mod sweep;
mod talker;
mod tokens;
mod trips;
mod usage;
mod usage_doors;
mod usage_race;
mod variables;
mod vectors;
mod versions;
mod walls;
mod webhooks;
mod wire;
mod world;
