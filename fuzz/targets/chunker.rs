//! Cuts of any text with any pages, headings and sizes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| docent_fuzz::cuts(bytes));
