//! The binary record: what a producer writes into the ring and a reader decodes from the journal.
//!
//! ```text
//!  0      4      8      12    14    16             24
//! ┌──────┬──────┬───────┬─────┬─────┬──────────────┬──────────────┬──────────┬────────────┐
//! │length│ site │context│flags│  0  │     time     │ inline site  │ inline   │ arguments  │
//! │ u32  │ u32  │  u32  │ u16 │ u16 │     u64      │ (if flagged) │ context  │ + zero pad │
//! └──────┴──────┴───────┴─────┴─────┴──────────────┴──────────────┴──────────┴────────────┘
//! ```
//!
//! Everything is little endian; `length` covers the whole record and is a multiple of 8. An inline
//! definition is a `u32` length followed by its bytes. `docs/format.md` describes every byte.

mod decode;
mod encode;
mod gap;
mod header;
mod text;
mod value;

pub(crate) use decode::{Fields, Malformed};
pub use encode::{Args, Bytes, Encode, LogValue, Sink, Stored};
pub(crate) use encode::{CUT_BIT, Told, Values};
pub(crate) use gap::{GAP_RECORD_BYTES, GAP_SITE, Gap, REASONS};
pub(crate) use header::{FLAGS_OFFSET, Flags, INLINE, RECORD_HEADER_BYTES, RecordHeader, TimeKind};
#[cfg(any(feature = "log", feature = "tracing"))]
pub(crate) use text::CutStr;
pub use text::{ErrorChain, Text};
pub(crate) use value::{Cuttable, List, Value};
pub use value::{Decimal, TypeCode, UnixNanos};
