//! Goal: a recorded feed may be anything. The corpus of the fuzz target `feed` holds, and so does what
//! small changes make of it; the parser is compiled from the command line's own files.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

#[path = "../../src/fuzzing/tests/corpus.rs"]
mod corpus;
#[allow(dead_code, reason = "the test uses a part of the demo")]
#[path = "../src/demo"]
mod demo {
    pub(crate) mod decimal;
    pub(crate) mod feed;
    pub(crate) mod tick;
}
#[path = "support/feed_door.rs"]
mod feed_door;

use std::path::Path;

#[test]
fn row_15_the_corpus_of_feeds_and_changes_of_it_are_read_to_some_end() {
    let changed = std::env::var("TEST_DAMAGES").map_or(20_000, |changed| changed.parse().unwrap());
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/feed");
    let cases = corpus::check(&corpus, changed, feed_door::feed);
    println!("row 15: {cases} feeds");
    assert!(cases > changed);
}
