//! A dead process's ring: brought home.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tapelog::fuzzing::ring(input));
