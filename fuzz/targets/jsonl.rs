//! JSON, one value per line.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| docent_fuzz::read("a.jsonl", bytes));
