//! The first sheet of a workbook, and its strings and styles behind U+0000.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| docent_fuzz::parts("a.xlsx", bytes, docent_fuzz::XLSX));
