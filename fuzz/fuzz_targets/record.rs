//! Call sites, contexts and records: decoded, screened, shown.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tapelog::fuzzing::record(input));
