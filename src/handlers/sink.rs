//! Whole lines to an outlet that may have no room for them.

use std::os::fd::AsFd;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use super::batch::Batch;
use super::outlet::{Outlet, Took};

/// How long to wait for another thread's lines. No holder waits for a reader, so that this passes
/// only where stderr is a file on a stalled disk, or in the child of a fork that happened in
/// between.
const LOCK_TIMEOUT: Duration = Duration::from_millis(5);

/// The process's stderr, opened at first use. All that writes there shares it, so that one line is
/// never put into the middle of another.
static STDERR: LazyLock<SharedSink> =
    LazyLock::new(|| SharedSink::new(LineSink::new(Outlet::new(std::io::stderr().as_fd()))));

/// Writes whole lines or drops them; a line that was begun is finished before anything else.
#[derive(Debug)]
pub(super) struct LineSink {
    outlet: Outlet,
    /// The rest of a line that was begun.
    pending: Vec<u8>,
    /// Lines dropped since the last one that said so.
    dropped_unreported: u64,
}

impl LineSink {
    pub(super) fn new(outlet: Outlet) -> LineSink {
        LineSink { outlet, pending: Vec::new(), dropped_unreported: 0 }
    }

    /// Writes the lines `first..last`; how many of them were taken. The others are dropped.
    ///
    /// A line counts as taken once it is begun, and as read by nobody if the reader then goes away:
    /// so do those that still stand in a pipe's buffer.
    pub(super) fn write(&mut self, batch: &Batch, first: usize, last: usize) -> usize {
        let lines = last - first;
        let taken = if self.settle() { self.write_lines(batch, first, last) } else { 0 };
        self.dropped_unreported += (lines - taken) as u64;
        taken
    }

    fn write_lines(&mut self, batch: &Batch, first: usize, last: usize) -> usize {
        let bytes = batch.span(first, last);
        let sent = self.send(bytes);
        if sent == bytes.len() {
            return last - first;
        }
        let whole = batch.lines_within(first, sent as u64);
        let begun = batch.span(first, first + whole + 1);
        if self.outlet.is_dead() || sent == batch.span(first, first + whole).len() {
            return whole;
        }
        self.pending.extend_from_slice(&begun[sent..]);
        whole + 1
    }

    /// Finishes a line that was begun, and says how many were dropped; true if nothing is left of
    /// both.
    pub(super) fn settle(&mut self) -> bool {
        if !self.send_pending() {
            return false;
        }
        if self.dropped_unreported == 0 {
            return true;
        }
        let report = format!("tapelog: {} console lines dropped\n", self.dropped_unreported);
        let sent = self.send(report.as_bytes());
        if sent == 0 {
            return false;
        }
        self.dropped_unreported = 0;
        self.pending.extend_from_slice(&report.as_bytes()[sent..]);
        self.pending.is_empty()
    }

    fn send_pending(&mut self) -> bool {
        let pending = std::mem::take(&mut self.pending);
        let sent = self.send(&pending);
        self.pending = pending;
        self.pending.drain(..sent);
        if self.outlet.is_dead() {
            self.pending.clear();
        }
        self.pending.is_empty() && !self.outlet.is_dead()
    }

    /// Sends until there is no room; how many bytes were taken.
    fn send(&mut self, bytes: &[u8]) -> usize {
        let mut sent = 0;
        while sent < bytes.len() {
            match self.outlet.write(&bytes[sent..]) {
                Took::Bytes(count) => sent += count,
                Took::Nothing | Took::Dead => break,
            }
        }
        sent
    }

    #[cfg(test)]
    pub(super) fn is_dead(&self) -> bool {
        self.outlet.is_dead()
    }

    pub(super) fn is_terminal(&self) -> bool {
        self.outlet.is_terminal()
    }
}

/// A sink that several handlers write to.
#[derive(Debug, Clone)]
pub(super) struct SharedSink(Arc<Mutex<LineSink>>);

impl SharedSink {
    pub(super) fn new(sink: LineSink) -> SharedSink {
        SharedSink(Arc::new(Mutex::new(sink)))
    }

    /// A descriptor that a test looks at from the other side.
    #[cfg(test)]
    pub(super) fn on(fd: std::os::fd::BorrowedFd<'_>) -> SharedSink {
        SharedSink::new(LineSink::new(Outlet::new(fd)))
    }

    /// The process's stderr.
    pub(super) fn stderr() -> SharedSink {
        STDERR.clone()
    }

    /// The sink, unless another thread keeps it for long.
    pub(super) fn lock(&self) -> Option<MutexGuard<'_, LineSink>> {
        self.0.try_lock_for(LOCK_TIMEOUT)
    }
}
