//! Recorded feeds, plain and compressed: the command line's parser, compiled from its own files.
#![no_main]

#[allow(dead_code, reason = "the target uses a part of the demo")]
#[path = "../../cli/src/demo"]
mod demo {
    pub(crate) mod decimal;
    pub(crate) mod feed;
    pub(crate) mod tick;
}
#[path = "../../cli/tests/support/feed_door.rs"]
mod feed_door;

libfuzzer_sys::fuzz_target!(|input: &[u8]| feed_door::feed(input));
