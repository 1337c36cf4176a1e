//! Segments of a journal: read, verified, shown.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tapelog::fuzzing::segment(input));
