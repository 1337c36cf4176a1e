//! How calls follow each other and are timed.

use std::time::Duration;

use clap::ValueEnum;

use super::series::{CaseName, What};

/// Calls that are timed together, or between two pauses.
pub(super) const GROUP_CALLS: u64 = 20;
/// Calls of one loop that is timed as a whole.
pub(super) const LOOP_CALLS: u64 = 1_000_000;
/// The memory that is touched between cold calls: more than a core keeps close.
pub(super) const COLD_BYTES: usize = 1 << 20;
/// The smallest segments that a journal may have.
const SEGMENT_BYTES_SMALL: u64 = 512 << 10;
/// The default's.
const SEGMENT_BYTES: u64 = 16 << 20;

/// A mode of measuring latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum Mode {
    /// 20 calls timed together, then 2 ms of busy pause.
    Batch20,
    /// Each call timed by itself.
    PerCall,
    /// Each call timed by itself; 1 MiB of other memory is touched in front of it.
    Cold,
    /// 20 calls timed together, without a pause.
    Saturated,
    /// As batch20 with short pauses, into segments so small that they change all the time.
    Rotation,
    /// As batch20 with short pauses, by two threads at once.
    TwoThreads,
    /// A million calls in a loop; only `disabled`.
    Loop,
}

/// What a pair of readings of the counter encloses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timing {
    /// A group of calls: a sample is their mean.
    Group,
    /// One call.
    Call,
    /// A long loop: a sample is its mean.
    Loop,
}

impl Timing {
    /// Calls in a sample.
    pub(super) fn calls_per_sample(self) -> u64 {
        match self {
            Self::Group => GROUP_CALLS,
            Self::Call => 1,
            Self::Loop => LOOP_CALLS,
        }
    }

    /// Calls that follow each other without a pause.
    pub(super) fn calls_per_group(self) -> u64 {
        if self == Self::Loop { LOOP_CALLS } else { GROUP_CALLS }
    }
}

impl Mode {
    /// As it stands in options, tables and saved runs.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Batch20 => "batch20",
            Self::PerCall => "per_call",
            Self::Cold => "cold",
            Self::Saturated => "saturated",
            Self::Rotation => "rotation",
            Self::TwoThreads => "two_threads",
            Self::Loop => "loop",
        }
    }

    pub(super) fn timing(self) -> Timing {
        match self {
            Self::PerCall | Self::Cold => Timing::Call,
            Self::Loop => Timing::Loop,
            Self::Batch20 | Self::Saturated | Self::Rotation | Self::TwoThreads => Timing::Group,
        }
    }

    /// The busy pause behind each group.
    pub(super) fn pause(self) -> Duration {
        match self {
            Self::Batch20 => Duration::from_millis(2),
            Self::PerCall | Self::TwoThreads => Duration::from_micros(200),
            Self::Rotation => Duration::from_micros(50),
            Self::Cold | Self::Saturated | Self::Loop => Duration::ZERO,
        }
    }

    /// Threads that log at once.
    pub(super) fn threads(self) -> u32 {
        if self == Self::TwoThreads { 2 } else { 1 }
    }

    /// Calls of each series in a round, on each thread.
    pub(super) fn calls(self, quick: bool) -> u64 {
        match (self, quick) {
            (Self::Batch20, true) => 1_200,
            (Self::Batch20, false) => 20_000,
            (Self::PerCall | Self::TwoThreads, true) => 2_000,
            (Self::PerCall | Self::TwoThreads, false) => 20_000,
            (Self::Cold, true) => 200,
            (Self::Cold, false) => 4_000,
            (Self::Saturated, true) => 10_000,
            (Self::Saturated, false) => 40_000,
            (Self::Rotation, true) => 4_000,
            (Self::Rotation, false) => 10_000,
            (Self::Loop, _) => LOOP_CALLS,
        }
    }

    /// Whether the mode measures this.
    pub(super) fn has(self, what: What) -> bool {
        match what {
            What::TimerPair => true,
            What::Clock | What::Stores => self != Self::Loop,
            What::Call(series) => self != Self::Loop || series.case == CaseName::Disabled,
        }
    }

    /// Whether the mode measures one of these cases.
    pub(super) fn measures_any(self, cases: &[CaseName]) -> bool {
        self != Self::Loop || cases.contains(&CaseName::Disabled)
    }

    /// Whether records may be refused: the load is as high as it can be, the policy is to drop.
    pub(super) fn may_lose(self) -> bool {
        matches!(self, Self::Saturated | Self::TwoThreads)
    }

    /// Whether each stretch begins with an empty ring.
    pub(super) fn settles(self) -> bool {
        self == Self::Saturated
    }

    pub(super) fn segment_bytes(self) -> u64 {
        if self == Self::Rotation { SEGMENT_BYTES_SMALL } else { SEGMENT_BYTES }
    }

    /// What one figure of this mode is, for the head of its table.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::Batch20 => "means of 20 calls timed together, 2 ms busy pause between them",
            Self::PerCall => "single calls, 200 µs busy pause after 20; the timer pair is in them",
            Self::Cold => "single calls, 1 MiB touched before each; the timer pair is in them",
            Self::Saturated => "means of 20 calls timed together, no pause, from an empty ring on",
            Self::Rotation => "means of 20 calls timed together, 50 µs pause, segments of 512 KiB",
            Self::TwoThreads => {
                "means of 20 calls timed together, 200 µs pause, two threads at once"
            }
            Self::Loop => "means of 1,000,000 calls in a loop, the loop itself included",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_tables_and_saved_runs_name_the_modes_alike() {
        for mode in Mode::value_variants() {
            assert_eq!(mode.to_possible_value().unwrap().get_name(), mode.name());
        }
    }

    #[test]
    fn rounds_consist_of_whole_groups() {
        for mode in Mode::value_variants() {
            for quick in [true, false] {
                assert_eq!(mode.calls(quick) % mode.timing().calls_per_group(), 0, "{mode:?}");
            }
        }
    }
}
