//! What the logs say where the journal could not be read.

use crate::clock::Source;
use crate::definition::SiteSpec;
use crate::entry::OwnEntry;
use crate::handlers::notice;
use crate::journal;
use crate::level::Level;
use crate::record::UnixNanos;

/// How the reasons begin.
const REASONS: [&str; 3] = ["journal segment", "an entry cannot be rendered", "a log is shorter"];

/// What a line tells that is no entry of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// What could not be read; it was made here.
    Unreadable,
    /// How many lines its own log has missed.
    Missed,
}

/// What a line tells, if it is no entry of the journal.
pub(super) fn told_by(line: &[u8]) -> Option<Told> {
    let has = |text: &str| line.windows(text.len()).any(|part| part == text.as_bytes());
    if !has(super::routing::GAP) {
        None
    } else if has(super::routing::NOT_WRITTEN) {
        Some(Told::Missed)
    } else {
        REASONS.into_iter().any(has).then_some(Told::Unreadable)
    }
}

/// Tells parts of the journal that could not be rendered: on stderr each, in the logs one for a
/// segment, so that a file made to annoy does not fill them.
#[derive(Debug, Default)]
pub(super) struct Unreadable {
    /// How many records that were, as far as known.
    pub(super) records: u64,
    /// The last segment that a line was made for; 0 for none.
    told: u64,
}

impl Unreadable {
    /// The line for segments that were recycled too early.
    pub(super) fn expired(&mut self, first: u64, last: u64) -> Option<OwnEntry> {
        let what = if first == last {
            format!("journal segment {first} was")
        } else {
            format!("journal segments {first} to {last} were")
        };
        self.tell(last, &format!("{what} recycled or removed before everything was rendered"))
    }

    /// The line for a part of a segment that holds no frames.
    pub(super) fn damaged(
        &mut self,
        sequence: u64,
        (from, to): (u64, u64),
        fault: journal::Fault,
    ) -> Option<OwnEntry> {
        let reason =
            format!("journal segment {sequence} is damaged from byte {from} to {to} ({fault})");
        self.tell(sequence, &reason)
    }

    /// The line for an entry whose rendering panics whenever it is tried.
    pub(super) fn unshowable(&mut self) -> Option<OwnEntry> {
        self.records += 1;
        self.tell(u64::MAX, "an entry cannot be rendered: the writer panics over it")
    }

    /// The line for what is left of a segment over which the reader panics whenever it is tried.
    pub(super) fn indigestible(&mut self, sequence: u64) -> Option<OwnEntry> {
        let reason =
            format!("journal segment {sequence} cannot be read: the writer panics over it");
        self.tell(sequence, &reason)
    }

    /// The line for what the logs themselves may not have any more; nothing of the journal is unreadable.
    pub(super) fn doubtful() -> Option<OwnEntry> {
        let reason = "a log is shorter than it was, or it is not known how far it was written (a power cut, or \
                      somebody cut it off); `tapelog cat` shows what may be missing";
        notice(reason);
        line(reason)
    }

    /// Whether there was such a part.
    pub(super) fn was_told(&self) -> bool {
        self.told > 0
    }

    fn tell(&mut self, sequence: u64, reason: &str) -> Option<OwnEntry> {
        notice(&format!("{reason}: entries are missing in the logs"));
        let is_new = std::mem::replace(&mut self.told, sequence) != sequence;
        is_new.then(|| line(reason)).flatten()
    }
}

/// The line for a reason.
fn line(reason: &str) -> Option<OwnEntry> {
    // Trade events may be among what is missing.
    let spec = SiteSpec {
        level: Level::Warning,
        trade: true,
        line: line!(),
        text: super::routing::GAP,
        target: journal::ENTRY_TARGET,
        file: file!(),
        fields: &["reason"],
    };
    OwnEntry::new(spec, &((), reason), UnixNanos((Source::SYSTEM.unix_nanos)()))
}
