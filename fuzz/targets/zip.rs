//! The container of office files, byte by byte.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| docent_fuzz::container(bytes));
