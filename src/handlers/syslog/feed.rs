//! The view's end: frames go in, and never wait.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::WAITING_BYTES_MAX;
use super::counts::SyslogCounts;

/// What it costs to keep a frame, besides its bytes.
const FRAME_COST_BYTES: u64 = 128;

/// Frames that were handed over together.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    bytes: Vec<u8>,
    frames: Vec<Frame>,
    /// The first frame that is not dealt with.
    next: usize,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    /// The offset behind its last byte.
    end: usize,
    /// One of our own, which is not counted.
    own: bool,
}

impl Chunk {
    /// The frames that are not dealt with.
    pub(super) fn rest(&self) -> impl Iterator<Item = &[u8]> {
        (self.next..self.frames.len()).map(|at| &self.bytes[self.start(at)..self.frames[at].end])
    }

    /// Whether all frames are dealt with.
    pub(super) fn is_done(&self) -> bool {
        self.next == self.frames.len()
    }

    /// Counts the next frame as sent.
    pub(super) fn sent(&mut self, counts: &SyslogCounts) {
        if self.pass_one(counts) {
            counts.note_sent();
        }
    }

    /// Counts the next frame as dropped.
    pub(super) fn dropped(&mut self, counts: &SyslogCounts) {
        if self.pass_one(counts) {
            counts.note_dropped();
        }
    }

    /// Goes on to the next frame; whether this one counts.
    fn pass_one(&mut self, counts: &SyslogCounts) -> bool {
        let Some(frame) = self.frames.get(self.next) else { return false };
        counts.take_waiting((frame.end - self.start(self.next)) as u64 + FRAME_COST_BYTES);
        self.next += 1;
        !frame.own
    }

    fn start(&self, at: usize) -> usize {
        at.checked_sub(1).map_or(0, |before| self.frames[before].end)
    }
}

/// Takes frames for a courier.
#[derive(Debug)]
pub(crate) struct Feed {
    chunks: Sender<Chunk>,
    counts: Arc<SyslogCounts>,
    chunk: Chunk,
    /// Set when there was no room, until half of it is free.
    refusing: bool,
    /// Dropped messages that were told.
    told: u64,
}

/// A feed, and what comes out at its other end.
pub(crate) fn feed(counts: Arc<SyslogCounts>) -> (Feed, Chunks) {
    let (sender, receiver) = unbounded();
    let chunk = Chunk::default();
    (Feed { chunks: sender, counts, chunk, refusing: false, told: 0 }, Chunks(receiver))
}

/// The frames that wait, in the order of the feed.
#[derive(Debug)]
pub(crate) struct Chunks(pub(super) Receiver<Chunk>);

impl Feed {
    /// Adds a message; `false` if there is no room for it, and it is counted as dropped.
    pub(crate) fn message(&mut self, frame: &[u8]) -> bool {
        self.counts.note_handed();
        let room = self.has_room();
        if room {
            self.push(frame, false);
        } else {
            self.counts.note_dropped();
        }
        room
    }

    /// How many dropped messages are to be told now: none while there is no room for more.
    pub(crate) fn untold(&mut self) -> u64 {
        // Two loads in the ordinary case.
        let untold = self.counts.dropped().saturating_sub(self.told);
        if untold > 0 && self.has_room() { untold } else { 0 }
    }

    /// Adds the message that tells of `lost` dropped ones. It is not counted itself.
    pub(crate) fn gap(&mut self, lost: u64, frame: &[u8]) {
        self.told += lost;
        self.push(frame, true);
    }

    /// Hands over what has gathered.
    pub(crate) fn hand_over(&mut self) {
        if !self.chunk.is_done() {
            // Without a courier everything counts as dropped in the end.
            let _handed = self.chunks.send(std::mem::take(&mut self.chunk));
        }
    }

    /// Bytes that have gathered.
    pub(crate) fn gathered_bytes(&self) -> usize {
        self.chunk.bytes.len()
    }

    fn push(&mut self, frame: &[u8], own: bool) {
        self.chunk.bytes.extend_from_slice(frame);
        self.chunk.frames.push(Frame { end: self.chunk.bytes.len(), own });
        self.counts.add_waiting(frame.len() as u64 + FRAME_COST_BYTES);
    }

    fn has_room(&mut self) -> bool {
        let limit = if self.refusing { WAITING_BYTES_MAX / 2 } else { WAITING_BYTES_MAX };
        self.refusing = self.counts.waiting_bytes() >= limit;
        !self.refusing
    }
}
