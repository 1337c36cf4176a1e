//! The last resort: lines on stderr, at most 100 a second, whether or not the console is on.

use std::io::Write;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::batch::Batch;
use super::sink::SharedSink;
use crate::one_line::OneLine;

/// How many lines are shown in a second, counted from the first.
const LINES_PER_SECOND_MAX: usize = 100;

/// How long a notice waits for another thread's.
const LOCK_TIMEOUT: Duration = Duration::from_millis(5);

static NOTICES: LazyLock<Mutex<StderrNotice>> =
    LazyLock::new(|| Mutex::new(StderrNotice::stderr()));

/// Finds out where stderr leads, before any file is opened: one that the host has closed stays closed to
/// us, whatever file gets its number later.
pub(crate) fn find_stderr() {
    let _found = SharedSink::stderr();
}

/// Shows one line on stderr, with `tapelog: ` before it. Control characters are escaped.
///
/// For what the person at the terminal must know: logging degrades or is back. Never waits for who
/// reads stderr, and at most 100 lines a second are shown.
pub(crate) fn notice(text: &str) {
    if let Some(mut notices) = NOTICES.try_lock_for(LOCK_TIMEOUT) {
        notices.notice(text);
    }
}

/// Says how many notices were suppressed once their second is over; to be called now and then.
pub(crate) fn settle_notices() {
    if let Some(mut notices) = NOTICES.try_lock_for(LOCK_TIMEOUT) {
        notices.settle();
    }
}

/// Says how many notices were suppressed, now; to be called at the end.
pub(crate) fn finish_notices() {
    if let Some(mut notices) = NOTICES.try_lock_for(LOCK_TIMEOUT) {
        notices.finish();
    }
}

/// A limited number of lines to stderr; the rest is counted, and the count is shown afterwards.
#[derive(Debug)]
pub(crate) struct StderrNotice {
    sink: SharedSink,
    /// When the current second began.
    since: Option<Instant>,
    shown_in_second: usize,
    /// Lines suppressed since the last one that said so.
    unreported: u64,
    lost: u64,
    line: Batch,
}

impl StderrNotice {
    /// Lines to the process's stderr.
    pub(crate) fn stderr() -> StderrNotice {
        StderrNotice::with(SharedSink::stderr())
    }

    /// Lines to a descriptor, whose flags stay as they are and which may be closed later.
    #[cfg(test)]
    pub(crate) fn on(fd: std::os::fd::BorrowedFd<'_>) -> StderrNotice {
        StderrNotice::with(SharedSink::on(fd))
    }

    fn with(sink: SharedSink) -> StderrNotice {
        let line = Batch::new();
        StderrNotice { sink, since: None, shown_in_second: 0, unreported: 0, lost: 0, line }
    }

    /// Shows the lines of a batch, as many as the limit and the reader allow; how many.
    pub(crate) fn write(&mut self, batch: &Batch) -> usize {
        self.write_at(batch, Instant::now())
    }

    /// Shows one line, with `tapelog: ` before it. Control characters are escaped.
    pub(crate) fn notice(&mut self, text: &str) {
        self.notice_at(text, Instant::now());
    }

    /// Says how many lines were suppressed once their second is over; to be called now and then.
    pub(crate) fn settle(&mut self) {
        self.settle_at(Instant::now());
    }

    /// Says how many lines were suppressed, now. Dropping it does the same.
    pub(crate) fn finish(&mut self) {
        if self.unreported > 0 {
            let report = format!("{} more suppressed", self.unreported);
            self.unreported = 0;
            self.show_line(&report);
        }
    }

    /// How many lines were not shown.
    #[cfg(test)]
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    fn notice_at(&mut self, text: &str, now: Instant) {
        self.settle_at(now);
        self.since.get_or_insert(now);
        let allowed = self.admit(1);
        if allowed == 1 {
            self.lost += u64::from(!self.show_line(text));
        }
    }

    fn write_at(&mut self, batch: &Batch, now: Instant) -> usize {
        self.settle_at(now);
        self.since.get_or_insert(now);
        let allowed = self.admit(batch.lines());
        let mut sink = self.sink.lock();
        let shown = sink.as_mut().map_or(0, |sink| sink.write(batch, 0, allowed));
        self.lost += (allowed - shown) as u64;
        shown
    }

    fn settle_at(&mut self, now: Instant) {
        let over = self.since.is_none_or(|since| now >= since + Duration::from_secs(1));
        if !over {
            return;
        }
        self.since = None;
        self.shown_in_second = 0;
        if self.unreported > 0 {
            self.finish();
            // This line, too, is one of the next second's.
            self.shown_in_second = 1;
            self.since = Some(now);
        }
    }

    /// How many of `lines` the limit allows; the others are counted.
    fn admit(&mut self, lines: usize) -> usize {
        let allowed = lines.min(LINES_PER_SECOND_MAX - self.shown_in_second);
        self.shown_in_second += allowed;
        self.unreported += (lines - allowed) as u64;
        self.lost += (lines - allowed) as u64;
        allowed
    }

    fn show_line(&mut self, text: &str) -> bool {
        self.line.clear();
        self.line.line(|out| {
            out.extend_from_slice(b"tapelog: ");
            // Infallible: a vector takes whatever comes. A path may hold anything.
            let _written = write!(out, "{}", OneLine(text));
        });
        self.sink.lock().is_some_and(|mut sink| sink.write(&self.line, 0, 1) == 1)
    }
}

impl Drop for StderrNotice {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, pipe};
    use std::os::fd::AsFd;

    use super::*;

    fn lines(count: usize) -> Batch {
        let mut batch = Batch::new();
        for n in 0..count {
            batch.line(|out| out.extend_from_slice(n.to_string().as_bytes()));
        }
        batch
    }

    #[test]
    fn a_hundred_lines_a_second_are_shown_and_the_rest_is_counted() {
        let (mut reader, writer) = pipe().unwrap();
        let mut fallback = StderrNotice::on(writer.as_fd());
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(fallback.write_at(&lines(60), at(0)), 60);
        assert_eq!(fallback.write_at(&lines(60), at(900)), 40);
        fallback.notice_at("one too many", at(950));
        fallback.settle_at(at(999));
        assert_eq!(fallback.lost(), 21);
        fallback.settle_at(at(1000));
        assert_eq!(fallback.write_at(&lines(200), at(1100)), 99);
        assert_eq!(fallback.write_at(&lines(2), at(2001)), 2);
        assert_eq!(fallback.write_at(&lines(200), at(2500)), 97);
        assert_eq!(fallback.lost(), 21 + 101 + 103);
        drop((fallback, writer));
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        let reports: Vec<(usize, &str)> =
            text.lines().enumerate().filter(|(_, line)| line.starts_with("tapelog")).collect();
        let expected = [
            (100, "tapelog: 21 more suppressed"),
            (200, "tapelog: 101 more suppressed"),
            (300, "tapelog: 103 more suppressed"),
        ];
        assert_eq!(reports, expected);
    }
}
