//! The whole system in one process: embedded Postgres, bucket, encoder, and the operator's command line.
pub mod bucket;
pub mod postgres;
mod wheel;
