//! A reader on a leash: between two calls of `slacken` it gives only so many bytes. A parser that gathers what it has not
//! finished, be it a field without its closing quote, cannot gather more than that.

use std::cell::Cell;
use std::io::{self, BufRead, Read};

use crate::error::Error;

pub(crate) struct Leash<R> {
    source: R,
    length: usize,
    left: Cell<usize>,
    refusal: Error,
}

impl<R> Leash<R> {
    pub(crate) fn new(source: R, length: usize, refusal: Error) -> Self {
        Self { source, length, left: Cell::new(length), refusal }
    }

    pub(crate) fn slacken(&self) {
        self.left.set(self.length);
    }
}

impl<R: BufRead> BufRead for Leash<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let available = self.source.fill_buf()?;
        // The end of the file is no further byte.
        let left = if available.is_empty() { self.length } else { self.left.get() };
        if left == 0 {
            return Err(io::Error::other(self.refusal.clone()));
        }
        Ok(&available[..available.len().min(left)])
    }

    fn consume(&mut self, amount: usize) {
        self.left.set(self.left.get().saturating_sub(amount));
        self.source.consume(amount);
    }
}

impl<R: BufRead> Read for Leash<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let taken = available.read(into)?;
        self.consume(taken);
        Ok(taken)
    }
}
