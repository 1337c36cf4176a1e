//! Random schedules of what is too large for loom.
//!
//! `src/ring` and `src/writer/{supply,janitor}.rs` are compiled here once more, from the same files, against a
//! `sync` module and channels made of shuttle's types. Each public function is a model that shuttle
//! runs under thousands of random schedules: more threads and more records than `loom-tests` can
//! exhaust, and without weak memory, which loom has. `tests/models.rs` runs them all, so that plain
//! `cargo test --workspace` does.
//!
//! Each model lists the mutations that it was seen to catch. A schedule that fails is printed, and
//! `shuttle::replay` runs it again.

// `src/writer/supply.rs` asks for its channels by this name.
extern crate self as crossbeam_channel;

mod channel;
mod sync;

#[allow(dead_code, unused_imports, unreachable_pub, reason = "the models use a part of the ring")]
#[path = "../../src/ring/mod.rs"]
mod ring;

#[allow(dead_code, reason = "the models use a part of it")]
#[path = "../../loom-tests/src/bench.rs"]
mod bench;

#[allow(dead_code, reason = "the janitor asks for it, and the models do not")]
mod engine;
mod models;
mod writer;

pub(crate) use channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded, unbounded};
pub(crate) use engine::{handlers, journal, record, shared};
pub use models::*;
