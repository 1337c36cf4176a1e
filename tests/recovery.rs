//! What a killed process had acknowledged is recovered by the next start: every record once, whole, in
//! the order of its thread, in the journal and in the logs; whatever the moment at which it died.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "acknowledgements lie in memory that outlives a child; signals")]

mod support;

#[path = "recovery/acknowledged.rs"]
mod acknowledged;
#[path = "recovery/check.rs"]
mod check;
#[path = "recovery/cursors.rs"]
mod cursors;
#[path = "recovery/ends.rs"]
mod ends;
#[path = "recovery/kills.rs"]
mod kills;
#[path = "recovery/memory.rs"]
mod memory;
#[path = "recovery/outage.rs"]
mod outage;
#[path = "support/panics.rs"]
mod panics;
#[path = "recovery/points.rs"]
mod points;
#[path = "recovery/rings.rs"]
mod rings;
#[path = "support/strace.rs"]
mod strace;
#[path = "recovery/unreadable.rs"]
mod unreadable;
