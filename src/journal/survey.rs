//! The one walk over a run of records before it is copied.

use super::defined::{Defined, NeededList};
use super::urgent::is_urgent_inline;
use crate::clock::Calibration;
use crate::record::{GAP_SITE, INLINE, RecordHeader, TimeKind};

/// What a walk over a run has found.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Bytes of the records that belong to the pass.
    pub(super) bytes: usize,
    /// Bytes of the first of them.
    pub(super) first_bytes: usize,
    /// How many they are.
    pub(super) count: u32,
    /// How many of them are gap records.
    pub(super) gaps: u32,
    /// Whether the walk met a record that is younger than the pass.
    pub(super) stopped: bool,
    pub(super) first_kind: Option<TimeKind>,
    pub(super) first_time: u64,
    pub(super) last_kind: Option<TimeKind>,
    pub(super) last_time: u64,
    /// What the segment does not define yet.
    pub(super) needed: NeededList,
    /// Whether one of them may hold a secret.
    pub(super) suspicious: bool,
    /// Whether a record is urgent, where that is asked for.
    pub(super) urgent: bool,
}

/// Where a pass ends: what was made after it began is left to the next one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PassEnd {
    ticks: u64,
    unix_nanos: i64,
    line: Calibration,
    clock: fn() -> u64,
}

impl PassEnd {
    /// The end of a pass that began at `ticks`; `clock` reads them, `line` makes UTC of them.
    pub(super) fn new(ticks: u64, line: Calibration, clock: fn() -> u64) -> Self {
        Self { ticks, unix_nanos: line.to_unix(ticks).0, line, clock }
    }

    /// No end: everything belongs to the pass.
    pub(super) fn never() -> Self {
        let line = Calibration { ticks: 0, unix_nanos: 0, nanos_per_tick: 1 << 32, stepped: false };
        Self { ticks: u64::MAX, unix_nanos: i64::MAX, line, clock: || 0 }
    }

    /// Whether a record was made after the pass began: by its stamp. A caller's stamp that lies in
    /// the future even now says nothing of that.
    #[inline]
    fn is_behind(&self, kind: Option<TimeKind>, time: u64) -> bool {
        match kind {
            Some(TimeKind::OwnTicks) => time > self.ticks,
            Some(TimeKind::CallerTicks) => time > self.ticks && time <= (self.clock)(),
            Some(TimeKind::CallerUnixNanos) => {
                let time = time as i64;
                time > self.unix_nanos && time <= self.line.to_unix((self.clock)()).0
            }
            None => false,
        }
    }
}

/// Walks over `records` up to the first one behind `end`, noting in `defined` what they name.
///
/// `is_clean` is asked of each record of a site that is known to hold text, until it finds one that is
/// not: in the same walk, because a walk of its own costs more than most looks.
#[inline]
pub(crate) fn survey(
    defined: &mut Defined,
    records: &[u8],
    end: PassEnd,
    mut is_clean: impl FnMut(&RecordHeader, &[u8]) -> bool,
) -> Survey {
    let mut found = Survey::default();
    let mut at = 0;
    let mut holds_text = false;
    let (mut last_site, mut last_context) = (GAP_SITE, 0);
    let mut last = None;
    while let Some(header) = RecordHeader::read(&records[at..]) {
        if end.is_behind(header.flags.time_kind(), header.time) {
            found.stopped = true;
            break;
        }
        if header.site != last_site {
            last_site = header.site;
            holds_text = false;
            if last_site == INLINE {
                found.suspicious = true;
                if defined.watches() {
                    found.urgent |= is_urgent_inline(&header, &records[at..]);
                    // The next one has a definition of its own.
                    last_site = GAP_SITE;
                }
            } else if last_site != GAP_SITE {
                holds_text = defined.note_site(last_site, &mut found.needed);
            }
        }
        if header.context != last_context {
            last_context = header.context;
            if last_context != 0 && last_context != INLINE {
                defined.note_context(last_context, &mut found.needed);
            } else if last_context == INLINE && defined.watches() {
                found.urgent |= is_urgent_inline(&header, &records[at..]);
                last_context = 0;
            }
        }
        if found.count == 0 {
            found.first_bytes = header.length as usize;
            found.first_kind = header.flags.time_kind();
            found.first_time = header.time;
        }
        let start = at;
        at += header.length as usize;
        if holds_text && !found.suspicious {
            found.suspicious = !is_clean(&header, &records[start..at]);
        }
        found.count += 1;
        found.gaps += u32::from(header.site == GAP_SITE);
        last = Some(header);
    }
    if let Some(header) = last {
        found.last_kind = header.flags.time_kind();
        found.last_time = header.time;
    }
    found.bytes = at;
    found.urgent |= defined.take_urgent(&mut found.needed);
    found
}
