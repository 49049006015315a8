//! Plain text in any character set; the first byte chooses what was declared.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| docent_fuzz::charset(bytes));
