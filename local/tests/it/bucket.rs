//! The bucket as its clients see it: the real AWS SDK, and plain HTTP for what browsers do.

mod conditions;
mod events;
mod hostile;
mod integrity;
mod listing;
mod multipart;
mod objects;
mod raw;
pub mod server;
mod signatures;
