//! What libraries log through the crates `log` and `tracing`, in the same logs.
//!
//! | module | feature | takes |
//! |---|---|---|
//! | `log` | `log` | the records of the crate `log`, with their key-values |
//! | `tracing` | `tracing` | the events of `tracing`; the fields of the spans around them become context |
//!
//! A program's own calls are better made by the macros of this crate: what comes over a bridge is
//! known at run time only, so each record carries its text, its place and its names itself, texts are
//! formatted and copied on the caller, and that may allocate: 0.3 to 1 µs a call where a macro takes
//! 10 ns (PERF.md, "Bridges"). In exchange, nothing is remembered of a call: whatever texts and names
//! come, memory stays as it is.
//!
//! All else is as with the macros: the levels and `log_filter` (by the target), masking by name in
//! front of the ring and by pattern behind it, scopes, and a field `category = "trade"`. A call
//! never waits, and after the end of the logger it is refused and counted.
//!
//! | limit | what is beyond it |
//! |---|---|
//! | 64 fields | is left out; a field `fields_left_out` tells how many |
//! | 4 KiB for a formatted value or a formatted message, 16 KiB for text that is given | is cut and marked |
//! | 1 KiB for the event's text | stands in a field `message`, which has the whole |

#[cfg_attr(
    not(all(feature = "log", feature = "tracing")),
    expect(dead_code, reason = "each bridge uses a part of it")
)]
mod fields;
#[cfg(feature = "log")]
pub mod log;
#[cfg(feature = "tracing")]
mod spans;
#[cfg(feature = "tracing")]
pub mod tracing;
