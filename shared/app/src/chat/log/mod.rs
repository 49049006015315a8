//! Answers that outlive their clients: each frame is in the log before it is sent, so that anybody who may read it can
//! replay it and go on, whatever becomes of the process that made it.

mod lease;
mod reader;
mod writer;

pub use lease::{lease, living};
pub use reader::Reader;
pub use writer::{Halt, Pending, Writer};
