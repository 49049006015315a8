//! The first chapter of a book, and its package file behind U+0000.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| docent_fuzz::parts("a.epub", bytes, docent_fuzz::EPUB));
