//! Straight lines that turn ticks into UTC, and the calibrator that lays them end to end.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::record::UnixNanos;

use super::ticks;

/// A straight line from ticks to UTC, valid from `ticks` until the next one.
///
/// `unix = unix_nanos + (t − ticks) × nanos_per_tick / 2^32`, computed in 128 bits and rounded
/// down, so that every reader comes to the same nanosecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Calibration {
    /// Where the line begins.
    pub(crate) ticks: u64,
    /// UTC there.
    pub(crate) unix_nanos: i64,
    /// The slope, in nanoseconds per tick with 32 binary digits behind the point.
    pub(crate) nanos_per_tick: u64,
    /// Whether UTC jumped here by more than a second instead of being slewed.
    pub(crate) stepped: bool,
}

impl Calibration {
    /// UTC at `ticks`; also meant for ticks shortly before the line begins.
    #[inline]
    pub(crate) fn to_unix(self, ticks: u64) -> UnixNanos {
        let elapsed = i128::from(ticks.wrapping_sub(self.ticks) as i64);
        let nanos = (elapsed * i128::from(self.nanos_per_tick)) >> 32;
        UnixNanos(clamp_i64(i128::from(self.unix_nanos) + nanos))
    }

    /// The ticks at a point of UTC.
    pub(crate) fn ticks_at(self, unix_nanos: i64) -> u64 {
        let nanos = i128::from(unix_nanos) - i128::from(self.unix_nanos);
        let ticks = (nanos << 32) / i128::from(self.nanos_per_tick.max(1));
        let ticks = i128::from(self.ticks).saturating_add(ticks);
        ticks.clamp(0, u64::MAX.into()) as u64
    }

    /// How many ticks pass in `nanos`.
    pub(crate) fn ticks_in(self, nanos: u64) -> u64 {
        let ticks = (u128::from(nanos) << 32) / u128::from(self.nanos_per_tick.max(1));
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }
}

fn clamp_i64(value: i128) -> i64 {
    value.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

/// Where ticks and UTC are read; tests bring their own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source {
    pub(crate) ticks: fn() -> u64,
    pub(crate) unix_nanos: fn() -> i64,
}

impl Source {
    /// The machine's own clocks.
    pub(crate) const SYSTEM: Source =
        Source { ticks: || ticks::now().0, unix_nanos: realtime_nanos };

    /// Reads both clocks as nearly at once as five attempts allow.
    fn sample(&self) -> Sample {
        let mut best = Sample { ticks: 0, unix_nanos: 0 };
        let mut narrowest = u64::MAX;
        for _ in 0..5 {
            let before = (self.ticks)();
            let unix_nanos = (self.unix_nanos)();
            let width = (self.ticks)().saturating_sub(before);
            if width < narrowest {
                narrowest = width;
                best = Sample { ticks: before + width / 2, unix_nanos };
            }
        }
        best
    }
}

/// How far tests have set UTC forward, or back.
static SHIFT_NANOS: AtomicI64 = AtomicI64::new(0);

/// Has every later reading of UTC differ from the machine's by so much.
pub(crate) fn shift_clock(nanos: i64) {
    // ORDERING: Relaxed, a number of its own.
    // PAIRS WITH: the load in `realtime_nanos`.
    // IF WEAKENED: it is the weakest already.
    SHIFT_NANOS.store(nanos, Ordering::Relaxed);
}

fn realtime_nanos() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    // ORDERING: Relaxed, see `shift_clock`.
    // PAIRS WITH: the store there.
    // IF WEAKENED: it is the weakest already.
    let shift = SHIFT_NANOS.load(Ordering::Relaxed);
    (time.tv_sec * 1_000_000_000 + time.tv_nsec).saturating_add(shift)
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    ticks: u64,
    unix_nanos: i64,
}

/// Errors above this are taken at once instead of being slewed away.
const STEP_NANOS: i64 = 1_000_000_000;
/// How long the first estimate of the tick's length takes.
const FIRST_ESTIMATE_NANOS: i64 = 2_000_000;
/// The pauses between calibrations grow to this.
const LONGEST_PAUSE_NANOS: u64 = 1_000_000_000;
/// The slope never leaves the long-term rate by more than its 2^-8th part.
const SLEW_SHIFT: u32 = 8;

/// Follows UTC: a new line at every due time, continuous with the last one unless UTC jumped.
#[derive(Debug)]
pub(crate) struct Calibrator {
    source: Source,
    current: Calibration,
    /// The long-term rate is measured from here.
    anchor: Sample,
    rate: u64,
    pause_nanos: u64,
    due_ticks: u64,
}

impl Calibrator {
    /// Measures the tick's length for 2 ms and lays the first line.
    pub(crate) fn start(source: Source) -> Self {
        let anchor = source.sample();
        let mut sample = source.sample();
        while sample.unix_nanos.saturating_sub(anchor.unix_nanos).abs() < FIRST_ESTIMATE_NANOS {
            std::hint::spin_loop();
            sample = source.sample();
        }
        let rate = slope(anchor, sample).unwrap_or(1 << 32);
        let current = Calibration {
            ticks: sample.ticks,
            unix_nanos: sample.unix_nanos,
            nanos_per_tick: rate,
            stepped: false,
        };
        let mut calibrator =
            Self { source, current, anchor, rate, pause_nanos: 10_000_000, due_ticks: 0 };
        calibrator.schedule();
        calibrator
    }

    /// The line that holds now.
    pub(crate) fn current(&self) -> Calibration {
        self.current
    }

    /// A new line, if one is due at `now_ticks`. Reads two clocks; no system call where the kernel
    /// serves `clock_gettime` from the vDSO.
    pub(crate) fn poll(&mut self, now_ticks: u64) -> Option<Calibration> {
        if now_ticks < self.due_ticks {
            return None;
        }
        let sample = self.source.sample();
        let predicted = self.current.to_unix(sample.ticks).0;
        let error = sample.unix_nanos.saturating_sub(predicted);
        self.pause_nanos = (self.pause_nanos * 10).min(LONGEST_PAUSE_NANOS);
        self.current = if error.abs() > STEP_NANOS {
            self.anchor = sample;
            self.line(sample.ticks, sample.unix_nanos, self.rate, true)
        } else {
            if let Some(rate) = slope(self.anchor, sample) {
                self.rate = rate;
            }
            self.line(sample.ticks, predicted, self.slewed_rate(error), false)
        };
        self.schedule();
        Some(self.current)
    }

    fn line(&self, ticks: u64, unix_nanos: i64, nanos_per_tick: u64, stepped: bool) -> Calibration {
        Calibration { ticks, unix_nanos, nanos_per_tick, stepped }
    }

    /// The rate that removes `error` by the next calibration, within the slew limit.
    fn slewed_rate(&self, error: i64) -> u64 {
        let correction = i128::from(self.rate) * i128::from(error) / i128::from(self.pause_nanos);
        let limit = i128::from(self.rate >> SLEW_SHIFT);
        let rate = i128::from(self.rate) + correction.clamp(-limit, limit);
        u64::try_from(rate).unwrap_or(self.rate).max(1)
    }

    fn schedule(&mut self) {
        self.due_ticks = self.current.ticks.saturating_add(self.current.ticks_in(self.pause_nanos));
    }
}

/// The slope of the line through two samples; `None` where the clocks stood still or ran back.
fn slope(from: Sample, to: Sample) -> Option<u64> {
    let ticks = to.ticks.checked_sub(from.ticks)?;
    let nanos = u128::try_from(to.unix_nanos.checked_sub(from.unix_nanos)?).ok()?;
    let slope = u64::try_from((nanos << 32).checked_div(u128::from(ticks))?).ok()?;
    (slope > 0).then_some(slope)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static TICKS: Cell<u64> = const { Cell::new(1_000_000) };
        static OFFSET_NANOS: Cell<i64> = const { Cell::new(0) };
    }

    /// A counter of 2 ticks per nanosecond that moves 1,000 ticks with every reading.
    const FAKE: Source = Source {
        ticks: || {
            TICKS.set(TICKS.get() + 1_000);
            TICKS.get()
        },
        unix_nanos: || 1_700_000_000_000_000_000 + TICKS.get() as i64 / 2 + OFFSET_NANOS.get(),
    };

    fn next(calibrator: &mut Calibrator) -> Calibration {
        TICKS.set(calibrator.due_ticks + 1);
        calibrator.poll(TICKS.get()).expect("a calibration is due")
    }

    #[test]
    fn a_steady_clock_is_followed_to_the_microsecond() {
        let mut calibrator = Calibrator::start(FAKE);
        for _ in 0..20 {
            let line = next(&mut calibrator);
            let ticks = TICKS.get();
            let truth = 1_700_000_000_000_000_000 + ticks as i64 / 2;
            assert!((line.to_unix(ticks).0 - truth).abs() < 1_000);
            assert!(!line.stepped);
        }
        assert!(calibrator.poll(TICKS.get()).is_none(), "not due again at once");
    }

    #[test]
    fn small_errors_are_slewed_and_time_never_runs_back() {
        let mut calibrator = Calibrator::start(FAKE);
        let mut last = 0;
        for round in 0..40 {
            OFFSET_NANOS.set(if round % 2 == 0 { -900_000 } else { 900_000 });
            let before = calibrator.current();
            let line = next(&mut calibrator);
            assert!(!line.stepped);
            assert_eq!(before.to_unix(line.ticks), line.to_unix(line.ticks), "continuous");
            for step in 0..10 {
                let now = line.to_unix(line.ticks + step * 100_000_000).0;
                assert!(now > last);
                last = now;
            }
            last = line.to_unix(line.ticks).0;
        }
    }

    #[test]
    fn row_12_a_step_of_a_year_is_taken_at_once_and_marked() {
        const YEAR_NANOS: i64 = 365 * 86_400 * 1_000_000_000;
        let mut calibrator = Calibrator::start(FAKE);
        for offset in [YEAR_NANOS, -YEAR_NANOS] {
            OFFSET_NANOS.set(offset);
            let line = next(&mut calibrator);
            let truth = 1_700_000_000_000_000_000 + line.ticks as i64 / 2 + offset;
            assert!(line.stepped);
            assert!((line.to_unix(line.ticks).0 - truth).abs() < 2_000);
        }
    }

    #[test]
    fn hostile_lines_neither_overflow_nor_divide_by_zero() {
        let line =
            Calibration { ticks: 0, unix_nanos: i64::MAX, nanos_per_tick: 0, stepped: false };
        assert_eq!(line.to_unix(u64::MAX), UnixNanos(i64::MAX));
        let steep = Calibration { nanos_per_tick: u64::MAX, ..line };
        assert_eq!(steep.to_unix(i64::MAX as u64), UnixNanos(i64::MAX));
        assert_eq!(line.ticks_in(u64::MAX), u64::MAX);
    }
}
