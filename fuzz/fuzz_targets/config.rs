//! Configuration files and environment variables.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tapelog::fuzzing::config(input));
