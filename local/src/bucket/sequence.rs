//! Sequencers: numbers that only grow, across restarts and kills, so that two events of one key can be ordered.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::store::write_atomically;

/// Numbers taken from the disk at once. A kill wastes the rest of a block, which is harmless: 64 bits are plenty.
const BLOCK: u64 = 1024;

pub(super) struct Sequence {
    path: PathBuf,
    next: u64,
    reserved: u64,
}

impl Sequence {
    /// `floor` is a number that the caller knows to be free, in case the file was lost.
    pub fn open(path: PathBuf, floor: u64) -> io::Result<Self> {
        let reserved = match fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().unwrap_or(0),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        let next = floor.max(reserved);
        Ok(Self { path, next, reserved: next })
    }

    pub fn next(&mut self, temporary: &Path) -> io::Result<u64> {
        if self.next >= self.reserved {
            let reserved = self.next + BLOCK;
            write_atomically(temporary, &self.path, reserved.to_string().as_bytes())?;
            self.reserved = reserved;
        }
        self.next += 1;
        Ok(self.next - 1)
    }
}

/// Eighteen upper-case hex digits, as S3 writes them; of fixed width, so they also compare as text.
pub(super) fn text(sequencer: u64) -> String {
    format!("{sequencer:018X}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_across_restarts_and_lost_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sequencer");
        let mut last = 0;
        for round in 0..3 {
            let mut sequence = Sequence::open(path.clone(), 1).unwrap();
            for _ in 0..BLOCK + 2 {
                let next = sequence.next(folder.path()).unwrap();
                assert!(next > last, "round {round}");
                last = next;
            }
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(Sequence::open(path, last + 1).unwrap().next(folder.path()).unwrap(), last + 1);
        assert!(text(9) < text(10) && text(u64::MAX).len() == 18);
    }
}
