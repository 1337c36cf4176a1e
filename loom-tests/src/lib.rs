//! Model checks of the ring.
//!
//! `src/ring` is compiled here a second time, from the same files, against a `sync` module made
//! of loom's types. Each public function of the library is a model: loom runs it under every
//! interleaving of its threads (up to a number of preemptions) and with every value that a load
//! may see under the memory model. `tests/models.rs` runs them all, so that plain
//! `cargo test --workspace` does.
//!
//! Each model lists the mutations of the ring that it was seen to catch.

#[allow(dead_code, unused_imports, unreachable_pub, reason = "the models use a part of the ring")]
#[path = "../../src/ring/mod.rs"]
mod ring;
mod sync;

mod bench;
mod check;
mod models;

pub use models::*;
