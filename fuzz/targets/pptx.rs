//! The first slide of a presentation, and the presentation's own parts behind U+0000.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| docent_fuzz::parts("a.pptx", bytes, docent_fuzz::PPTX));
