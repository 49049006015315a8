//! The main part of a Word document, and its styles behind the first U+0000.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| docent_fuzz::parts("a.docx", bytes, docent_fuzz::DOCX));
