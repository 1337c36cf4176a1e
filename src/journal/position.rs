//! Places in a journal.

use super::layout::FIRST_OFFSET;

/// A place between two frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Position {
    /// The segment.
    pub(crate) sequence: u64,
    /// The offset in it.
    pub(crate) offset: u64,
}

impl Position {
    /// The first frame of a segment.
    pub(crate) fn start_of(sequence: u64) -> Self {
        Self { sequence, offset: FIRST_OFFSET.into() }
    }

    /// Whether it lies behind a frame of its segment.
    pub(crate) fn is_inside(self) -> bool {
        self.offset > FIRST_OFFSET.into()
    }
}

/// What a pass has achieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The end of what is published.
    pub(crate) position: Position,
    /// The number of the pass.
    pub(crate) pass: u64,
    /// When the pass began, in ticks.
    pub(crate) pass_ticks: u64,
    /// The next pass' boundary will not be smaller: for `Merge::advance`.
    pub(crate) boundary: u64,
    /// Bytes of all frames since the appender was made.
    pub(crate) bytes: u64,
    /// Records appended since the appender was made, gap records not counted.
    pub(crate) records: u64,
    /// Whether the pass has brought CRITICAL entries or trade events, if that was asked for.
    pub(crate) urgent: bool,
}
