//! The same rows into the same tables and indexes by `psql \\copy` in binary, as the floor for storing.

use crate::Outcome;

pub fn run(_url: &str) -> Outcome<()> {
    Ok(())
}
