//! The journal: the truth that everything else is a view of.
//!
//! ```text
//! janitor                 drain                           view, `tapelog cat`
//! ┌──────────────┐        ┌──────────┐  segment files     ┌───────────────┐   ┌───────┐
//! │ SegmentStore │─ Prepared ─▶      │                    │               │   │       │
//! │  prepare     │        │ Appender ├──▶ *.tape ── pread▶│ JournalReader ├──▶│ Merge ├─▶ entries
//! │  recycle     │◀─ Retired ─       │                    │  Dictionary   │   │       │
//! └──────────────┘        └──────────┘                    └───────────────┘   └───────┘
//! ```
//!
//! The drain appends runs of records to the current segment; segments are prepared ahead and
//! recycled by the janitor. A reader checks every frame before it believes it, and [`Merge`] brings
//! the lanes' records into one order, which depends on the journal alone. `docs/format.md`
//! describes every byte.

mod appender;
mod bytes;
mod catch_up;
mod defined;
mod dictionary;
mod disk;
#[cfg(test)]
mod entries;
mod error;
mod frame;
mod guard;
mod holdings;
#[cfg(any(test, fuzzing))]
pub(crate) mod hostile;
mod index;
mod kept;
mod layout;
mod mapping;
mod merge;
mod position;
mod reader;
mod screen;
mod segment;
mod segment_reader;
mod store;
mod survey;
mod urgent;
mod verify;
mod writer;

pub(crate) use appender::{Appender, Definitions};
pub(crate) use bytes::crc32c;
pub(crate) use defined::Defined;
pub(crate) use disk::{shortage, sync_segment};
#[cfg(test)]
pub(crate) use entries::{EntryReader, Event};
pub(crate) use error::{AppendError, JournalError};
pub(crate) use frame::{Fault, LanePosition};
pub(crate) use holdings::{Holdings, Tail};
pub(crate) use index::{SegmentIndex, open_regular};
pub(crate) use layout::{HEADER_PAGE_BYTES, SegmentHeader, cut};
pub(crate) use merge::{Checkpoint, ENTRY_TARGET, Merge};
pub(crate) use position::Position;
pub(crate) use reader::{JournalReader, Liveness, Step};
pub(crate) use screen::Screen;
pub(crate) use segment::{Prepared, Retired};
#[cfg(any(test, fuzzing))]
pub(crate) use store::SEGMENT_BYTES_MIN;
pub(crate) use store::{
    JournalOptions, MEMORY_SEGMENT_BYTES, MEMORY_SEGMENTS, Place, SegmentStore, Taken,
};
pub(crate) use survey::{PassEnd, Survey, survey};
pub(crate) use verify::{Checked, Outcome, Problem, Torn, Verifier};

#[cfg(test)]
pub(crate) mod tests;
