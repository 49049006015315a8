//! PDF from its first byte. The reader contains its parser's panics, so the fuzzer must not see them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(init: docent_fuzz::contained_panics(), |bytes: &[u8]| {
    docent_fuzz::read("a.pdf", &[b"%PDF-1.7\n", bytes].concat());
});
