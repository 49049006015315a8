//! Gemini's chunks, in packets of any size.
#![no_main]

use docent_llm::Dialect;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| docent_fuzz::answers::answer(Dialect::Gemini, bytes));
