//! A load as a running logger has described it: its `logger.metrics` entries in a journal.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tapelog::reading::{Format, Journal};

use super::load::Load;
use super::source;
use crate::failure::Failure;

/// The text of the entries, as they stand in JSON lines.
const METRICS: &str = "\"logger.metrics\"";
/// Bursts are taken apart no further: a ring of 1 GiB has fewer records.
const BURST_MAX: u64 = source::RECORDS_MAX as u64;

/// What tuning needs of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
struct Entry {
    interval_ms: u64,
    records_per_s: u64,
    bytes_per_s: u64,
    ring_used_bytes_max: u64,
    drain_lag_us_max: u64,
    view_lag_us: u64,
    /// Since the logger's start, as all that is lost.
    lost_total: u64,
    lost_view_lag: u64,
    lost_disk: u64,
}

/// What the entries say, the highest of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Recorded {
    pub(super) entries: u64,
    pub(super) records_per_s: u64,
    pub(super) bytes_per_s: u64,
    pub(super) ring_used_bytes: u64,
    pub(super) drain_lag_us: u64,
    pub(super) view_lag_us: u64,
    pub(super) lost_total: u64,
    pub(super) lost_view_lag: u64,
    pub(super) lost_disk: u64,
    /// Nanoseconds since the first interval's beginning, and the most bytes in use within each.
    #[serde(skip)]
    pub(super) used_over_time: Vec<(u64, u64)>,
}

/// The journal has nothing to tune by.
#[derive(Debug, thiserror::Error)]
#[error(
    "the journal in {} has no logger.metrics entry of a busy interval: let the program run for \
     longer than metrics_interval under its load, or use --feed or --rate", .directory.display()
)]
struct NoMetrics {
    directory: PathBuf,
}

/// Reads what the loggers that wrote this journal have told of themselves.
///
/// # Errors
/// There is no journal, or it has no such entry.
pub(super) fn read(directory: &Path) -> Result<Recorded, Failure> {
    let mut lines = Lines::default();
    Journal::open(directory)?.write_to(Format::Json, &mut lines)?;
    let recorded = Recorded::of(&lines.entries);
    if recorded.records_per_s == 0 {
        return Err(NoMetrics { directory: directory.to_owned() }.into());
    }
    Ok(recorded)
}

impl Recorded {
    fn of(entries: &[Entry]) -> Recorded {
        let most = |value: fn(&Entry) -> u64| entries.iter().map(value).max().unwrap_or(0);
        let mut at_ns = 0;
        let used_over_time = entries.iter().map(|entry| {
            at_ns += entry.interval_ms * 1_000_000;
            (at_ns, entry.ring_used_bytes_max)
        });
        Recorded {
            used_over_time: used_over_time.collect(),
            entries: entries.len() as u64,
            records_per_s: most(|entry| entry.records_per_s),
            bytes_per_s: most(|entry| entry.bytes_per_s),
            ring_used_bytes: most(|entry| entry.ring_used_bytes_max),
            drain_lag_us: most(|entry| entry.drain_lag_us_max),
            view_lag_us: most(|entry| entry.view_lag_us),
            lost_total: most(|entry| entry.lost_total),
            lost_view_lag: most(|entry| entry.lost_view_lag),
            lost_disk: most(|entry| entry.lost_disk),
        }
    }

    /// The most that must be expected within a stall, in bytes: what the ring has held, and what
    /// the busiest interval brings in that time. A ring that was full would have held more.
    pub(super) fn burst_bytes(&self, stall: Duration) -> u64 {
        let held =
            if self.lost_total > 0 { 2 * self.ring_used_bytes } else { self.ring_used_bytes };
        held.max((self.bytes_per_s as f64 * stall.as_secs_f64()).ceil() as u64)
    }

    /// A load with the highest rate, in which the most that must be expected comes at once.
    ///
    /// # Errors
    /// The engine that measures a record does not start.
    pub(super) fn load(&self, stall: Duration) -> Result<Load, Failure> {
        let record_bytes = (self.bytes_per_s / self.records_per_s.max(1)).next_multiple_of(8);
        let burst = self.burst_bytes(stall).div_ceil(record_bytes.max(1));
        let record_bytes = u32::try_from(record_bytes).unwrap_or(u32::MAX);
        source::bursts(self.records_per_s as f64, burst.clamp(1, BURST_MAX), record_bytes)
    }
}

/// Takes JSON lines and keeps the numbers of those that are wanted.
#[derive(Debug, Default)]
struct Lines {
    /// A line that has not ended yet.
    begun: Vec<u8>,
    entries: Vec<Entry>,
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.begun.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let line = String::from_utf8_lossy(&self.begun);
                // Another program's entry of that name has other fields, and is none of ours.
                if let (true, Ok(entry)) = (line.contains(METRICS), serde_json::from_str(&line)) {
                    self.entries.push(entry);
                }
                self.begun.clear();
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(records_per_s: u64, used: u64, lost: u64) -> String {
        format!(
            "{{\"event\":\"logger.metrics\",\"interval_ms\":1000,\"records_per_s\":{records_per_s},\
             \"bytes_per_s\":{},\"ring_used_bytes_max\":{used},\"drain_lag_us_max\":70,\
             \"view_lag_us\":9,\"lost_total\":{lost},\"lost_view_lag\":0,\"lost_disk\":0}}\n",
            records_per_s * 96
        )
    }

    #[test]
    fn the_busiest_interval_and_the_fullest_ring_decide() {
        let mut lines = Lines::default();
        let text =
            [line(100, 65_536, 0), "{\"event\":\"order\"}\n".into(), line(9_000, 131_072, 0)];
        // In pieces that do not end where lines end.
        for piece in text.concat().as_bytes().chunks(7) {
            lines.write_all(piece).unwrap();
        }
        let recorded = Recorded::of(&lines.entries);
        assert_eq!((recorded.entries, recorded.records_per_s), (2, 9_000));
        let used = [(1_000_000_000, 65_536), (2_000_000_000, 131_072)];
        assert_eq!(recorded.used_over_time, used);
        assert_eq!(recorded.burst_bytes(Duration::from_millis(30)), 131_072);
        assert_eq!(recorded.burst_bytes(Duration::from_secs(1)), 9_000 * 96);
        let load = recorded.load(Duration::from_millis(30)).unwrap();
        let worst = load.worst(Duration::from_millis(30));
        assert!(worst.bytes.abs_diff(131_072) < 96, "{worst:?}");
        let full = Recorded { lost_total: 1, ..recorded };
        assert_eq!(full.burst_bytes(Duration::ZERO), 262_144, "a full ring would have held more");
    }
}
