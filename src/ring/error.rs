//! What a push is refused with, and why a ring cannot be made.

use std::io;

use super::loss::LossReason;

/// Why a record was not accepted. Nothing of it was written.
///
/// Every refusal but [`Forked`](PushError::Forked) is counted
/// and stands in the log later, as a gap entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// The ring is full: no block is free for a record of this class.
    #[error("the ring is full")]
    Full,
    /// All lanes are taken by other threads, and the shared one is in use at this moment.
    #[error("no lane is free for this thread at this moment")]
    Lane,
    /// The call was made from inside another one of the same thread, as by a signal handler.
    #[error("the call interrupts another one of the same thread")]
    Reentrant,
    /// The logger has been shut down.
    #[error("the logger has been shut down")]
    Closed,
    /// The process is a forked child: it has to start a logger of its own.
    #[error("this process is a forked child and has to start a logger of its own")]
    Forked,
    /// The record is longer than a quarter of a block.
    #[error("the record is longer than a quarter of a block")]
    TooLong,
}

impl PushError {
    /// Under which reason the refusal is counted, if it is.
    pub(crate) fn reason(self) -> Option<LossReason> {
        match self {
            // Longer than there is room for: the ring was not large enough for it.
            PushError::Full | PushError::TooLong => Some(LossReason::Full),
            PushError::Lane => Some(LossReason::Lane),
            PushError::Reentrant => Some(LossReason::Reentrant),
            PushError::Closed => Some(LossReason::Closed),
            PushError::Forked => None,
        }
    }
}

/// Why a ring could not be made. Trouble with the file is none: the ring then lies in memory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum RingError {
    /// `block_bytes` is out of range.
    #[error("block_bytes = {block_bytes}: give a power of two from 4096 to 1048576")]
    BlockBytes {
        /// What was given.
        block_bytes: u32,
    },
    /// `ring_bytes` cannot be cut into blocks.
    #[error(
        "ring_bytes = {ring_bytes} with block_bytes = {block_bytes}: give a multiple of \
         block_bytes, at least 8 times as much and at most 1 GiB (or a smaller block_bytes)"
    )]
    RingBytes {
        /// What was given.
        ring_bytes: usize,
        /// What was given.
        block_bytes: u32,
    },
    /// The lanes would take more than half of the blocks.
    #[error(
        "{lanes} lanes in {blocks} data blocks: there must be at least 2 and at most half as many \
         lanes as blocks (ring_bytes = {ring_bytes}, block_bytes = {block_bytes})"
    )]
    Lanes {
        /// What was given, or what follows from the size.
        lanes: u32,
        /// The data blocks that there would be.
        blocks: u32,
        /// What was given.
        ring_bytes: usize,
        /// What was given.
        block_bytes: u32,
    },
    /// The reserve would leave nothing for ordinary records.
    #[error(
        "reserve_blocks = {reserve} of {blocks} data blocks with {lanes} lanes: the reserve must \
         be less than half of the blocks and leave one for each lane and one more \
         (ring_bytes = {ring_bytes}, block_bytes = {block_bytes})"
    )]
    Reserve {
        /// What was given.
        reserve: u32,
        /// The data blocks that there would be.
        blocks: u32,
        /// The lanes that there would be.
        lanes: u32,
        /// What was given.
        ring_bytes: usize,
        /// What was given.
        block_bytes: u32,
    },
    /// A gap record does not fit its room.
    #[error("a gap record of {bytes} bytes: it must be a multiple of 8 and at most 256 bytes")]
    GapBytes {
        /// What was given.
        bytes: u32,
    },
    /// The kernel gave no memory.
    #[error("cannot map {bytes} bytes for the ring ({what}): lower ring_bytes")]
    Memory {
        /// What was asked for.
        bytes: usize,
        /// What it was for.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}
