//! Terms, sentences, vectors and estimates of any text.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| docent_fuzz::words(bytes));
