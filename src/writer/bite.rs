//! How the drain keeps out of the cache lines in which producers work.
//!
//! What the drain has read, the producer's core must get back before it can write there again: 50 to
//! 100 ns for each line. So the drain looks into a lane as seldom as it can, and when it does, not
//! beyond what is committed.

use std::hint::black_box;
use std::time::Duration;

use crate::clock::wait_for_loads;
use crate::config::{Configuration, Idle, SyncPolicy};
use crate::shared::Core;

/// A pass waits this long for more, unless a block was claimed or somebody waits for it
/// (PERF.md, "lingering").
const LINGER: Duration = Duration::from_millis(10);

/// So much of a run's end is read backwards (PERF.md, "backwards").
const TAIL_BYTES: usize = 4096;

/// A longer run is the bite of a drain that has fallen behind: its producer is elsewhere.
const RUN_BYTES_MAX: usize = 48 << 10;

/// A poll takes at most this part of the ring before it gives blocks back, so that a producer that
/// waits for room goes on while the rest is copied (PERF.md, "part by part").
const BITES_PER_RING: u64 = 4;

/// A bite of a drain that goes on only as the views do: they take well below a millisecond for it,
/// and the calls that wait for room share it.
pub(super) const STEP_BYTES: u64 = 256 << 10;

/// A drain that is held back for the views' sake takes a step this often whatever they do: a write of
/// theirs may take longer than a call may wait for room.
pub(super) const TRICKLE: Duration = Duration::from_millis(2);

/// Bytes that one poll takes at most: so that it spans at most two segments, too.
pub(super) fn bite_bytes(configuration: &Configuration) -> u64 {
    (configuration.journal_segment_bytes / 2).min(configuration.ring_bytes / BITES_PER_RING)
}

/// How far the journal may be ahead of the views before it goes on in small steps, so that it never
/// runs out of segments: one is being written, one made ready, and one left only in part; and two
/// passes, a ring at most each, may be read and kept for their order.
pub(super) fn ahead_bytes_max(configuration: &Configuration) -> u64 {
    let segment_bytes = configuration.journal_segment_bytes;
    let others = u64::from(configuration.journal_segments.saturating_sub(3)) * segment_bytes;
    others.saturating_sub(2 * configuration.ring_bytes).max(segment_bytes)
}

/// For how many ticks records may wait in the ring: not at all where callers wait for them, where
/// the drain is to spin, where some are to be synced at once, or where the ring does not outlive the
/// process.
pub(super) fn linger_ticks(core: &Core) -> u64 {
    let in_a_file = core.ring.fallback_reason().is_none();
    if in_a_file && has_leisure(&core.configuration) { core.ticks_in(LINGER) } else { 0 }
}

/// Whether nobody waits for what is in the ring.
fn has_leisure(configuration: &Configuration) -> bool {
    let Configuration { async_logging, idle, sync, .. } = *configuration;
    async_logging && idle == Idle::Park && sync != SyncPolicy::Critical
}

/// Brings the end of a run into this core's cache from back to front.
///
/// Read from front to back, it would make the processor fetch the lines behind the last record as
/// well, which are those that the producer writes next.
pub(super) fn fetch_backwards(run: &[u8]) {
    if run.len() > RUN_BYTES_MAX {
        return;
    }
    let tail = &run[run.len().saturating_sub(TAIL_BYTES)..];
    for line in tail.rchunks(64) {
        black_box(line[0]);
        wait_for_loads();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Origin, Settings};

    #[test]
    fn records_linger_where_nobody_waits_for_them() {
        let has_leisure = |settings: Settings| {
            has_leisure(&Configuration::resolve([(Origin::Code, settings)]).unwrap())
        };
        assert!(has_leisure(Settings::default()));
        assert!(has_leisure(
            Settings::default().sync(SyncPolicy::Interval(Duration::from_secs(1)))
        ));
        for waits in [
            Settings::default().sync(SyncPolicy::Critical),
            Settings::default().async_logging(false),
            Settings::default().idle(Idle::Spin),
        ] {
            assert!(!has_leisure(waits));
        }
    }
}
