//! What became of the messages.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counters of the messages that were handed over, and of the bytes that wait.
#[derive(Debug, Default)]
pub(crate) struct SyslogCounts {
    handed: AtomicU64,
    sent: AtomicU64,
    dropped: AtomicU64,
    cut: AtomicU64,
    waiting_bytes: AtomicU64,
    /// Nothing is sent any more: what is not sent is dropped.
    closed: AtomicBool,
}

impl SyslogCounts {
    /// Messages that the kernel took.
    pub(crate) fn sent(&self) -> u64 {
        load(&self.sent)
    }

    /// Messages that found no room, could not be sent, or were left at the end.
    pub(crate) fn dropped(&self) -> u64 {
        // ORDERING: Acquire, what was counted before the end is seen.
        // PAIRS WITH: the Release store in `close`.
        // IF WEAKENED: a number read just after the end might be too low.
        if self.closed.load(Ordering::Acquire) {
            return load(&self.handed).saturating_sub(self.sent());
        }
        load(&self.dropped)
    }

    /// Messages that were shortened for their datagram.
    pub(crate) fn cut(&self) -> u64 {
        load(&self.cut)
    }

    /// Bytes that wait.
    pub(crate) fn waiting_bytes(&self) -> u64 {
        load(&self.waiting_bytes)
    }

    /// Counts a message that is to be sent.
    pub(super) fn note_handed(&self) {
        add(&self.handed, 1);
    }

    pub(super) fn note_sent(&self) {
        add(&self.sent, 1);
    }

    pub(super) fn note_dropped(&self) {
        add(&self.dropped, 1);
    }

    pub(super) fn note_cut(&self) {
        add(&self.cut, 1);
    }

    pub(super) fn add_waiting(&self, bytes: u64) {
        add(&self.waiting_bytes, bytes);
    }

    pub(super) fn take_waiting(&self, bytes: u64) {
        // ORDERING: Relaxed, a number that bounds memory and publishes nothing.
        // PAIRS WITH: the additions in `add_waiting`, made before the chunk was handed over.
        // IF WEAKENED: it is the weakest already.
        self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// From here on all that was handed over and not sent counts as dropped.
    pub(crate) fn close(&self) {
        // ORDERING: Release, the counts before the end are published with it.
        // PAIRS WITH: the Acquire load in `dropped`.
        // IF WEAKENED: a number read just after the end might be too low.
        self.closed.store(true, Ordering::Release);
    }
}

fn load(counter: &AtomicU64) -> u64 {
    // ORDERING: Relaxed, a statistic.
    // PAIRS WITH: the additions in `add`.
    // IF WEAKENED: it is the weakest already.
    counter.load(Ordering::Relaxed)
}

fn add(counter: &AtomicU64, count: u64) {
    // ORDERING: Relaxed, a statistic.
    // PAIRS WITH: the loads in `load`.
    // IF WEAKENED: it is the weakest already.
    counter.fetch_add(count, Ordering::Relaxed);
}
