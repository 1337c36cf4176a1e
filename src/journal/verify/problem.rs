//! What can be wrong with a segment, in words.

use crate::journal::frame::Fault;

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    /// The first page is unreadable.
    #[error("the segment's header is damaged")]
    Header,
    /// A later version wrote the segment.
    #[error(
        "the segment has format version {version} and required features {features:#x}, which this \
         version of tapelog does not know: verify it with the version that wrote it"
    )]
    Unsupported { version: u16, features: u64 },
    /// No frames stand there.
    #[error("{fault}; what stood there is lost")]
    Damaged { from: u64, to: u64, fault: Fault },
    /// A frame that was never published is not whole: its writer died over it.
    #[error("the last frame is unfinished: its writer died over it, before it was published")]
    Unfinished { from: u64, to: u64, newest: bool },
    /// A frame that is whole tells something impossible.
    #[error("a whole frame {what}")]
    Frame { from: u64, to: u64, what: &'static str },
    /// Records cannot be decoded.
    #[error("{records} records of the frame cannot be decoded, the first because {why}")]
    Undecodable { from: u64, to: u64, records: u32, why: &'static str },
    /// Records of a lane are missing in front of a frame.
    #[error("lane {lane}.{generation} of ring {ring:016x} goes on {}", gap(*expected, *found))]
    Missing {
        from: u64,
        ring: u64,
        lane: u32,
        generation: u32,
        /// The serial of the block and the offset in it.
        expected: (u64, u32),
        found: (u64, u32),
    },
    /// Records of a lane stand in the journal twice.
    #[error(
        "lane {lane}.{generation} of ring {ring:016x} goes back to block {}, byte {}, where the \
         journal had come to block {}, byte {}: records stand in it twice",
        found.0, found.1, expected.0, expected.1
    )]
    Repeated {
        from: u64,
        ring: u64,
        lane: u32,
        generation: u32,
        expected: (u64, u32),
        found: (u64, u32),
    },
    /// An entry of the time index is wrong.
    #[error("entry {entry} of the time index {what}; no entry of the log is lost by that")]
    Index { entry: usize, what: &'static str },
    /// The newest entry of the time index, in a segment without an end, is wrong.
    #[error(
        "entry {entry} of the time index {what}: the segment was given up, or its writer died over it; no \
         entry of the log is lost by that"
    )]
    UnfinishedIndex { entry: usize, what: &'static str },
}

/// Where a lane was to go on, and where it does.
fn gap(expected: (u64, u32), found: (u64, u32)) -> String {
    let place = format!(
        "at block {}, byte {}, instead of block {}, byte {}",
        found.0, found.1, expected.0, expected.1
    );
    match found.1.checked_sub(expected.1) {
        Some(bytes) if found.0 == expected.0 => format!("{place}: {bytes} bytes are missing"),
        _ => format!("{place}: what stood between is missing"),
    }
}

impl Problem {
    /// Which bytes of the segment it is about.
    pub(crate) fn range(&self) -> (u64, u64) {
        match *self {
            Problem::Header
            | Problem::Unsupported { .. }
            | Problem::Index { .. }
            | Problem::UnfinishedIndex { .. } => (0, 4096),
            Problem::Damaged { from, to, .. }
            | Problem::Unfinished { from, to, .. }
            | Problem::Frame { from, to, .. }
            | Problem::Undecodable { from, to, .. } => (from, to),
            Problem::Missing { from, .. } | Problem::Repeated { from, .. } => (from, from),
        }
    }

    /// Whether it tells of damage. An unfinished entry of the index is none, for readers do without it. An
    /// unfinished frame in front of a later run is none: what it
    /// held was never promised to be there, and the next start has brought it home from the ring.
    pub(crate) fn is_damage(&self) -> bool {
        !matches!(self, Problem::Unfinished { newest: false, .. } | Problem::UnfinishedIndex { .. })
    }
}
