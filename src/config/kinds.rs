//! The types of parameters that are a choice.

use std::time::Duration;

use crate::level::Level;

/// A choice between words.
pub(crate) trait Words: Copy + PartialEq + 'static {
    /// Each word and what it stands for.
    const WORDS: &'static [(&'static str, Self)];
    /// Other words that are understood, too.
    const OTHER_WORDS: &'static [(&'static str, Self)] = &[];
}

macro_rules! words {
    ($($(#[$of:meta])+ $name:ident { $($(#[$meaning:meta])+ $variant:ident = $word:literal $(| $other:literal)*,)+ })+) => {
        $($(#[$of])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$meaning])+ $variant,)+
        }

        impl Words for $name {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, $name::$variant),)+];
            const OTHER_WORDS: &'static [(&'static str, Self)] =
                &[$($(($other, $name::$variant),)*)+];
        })+
    };
}

words! {
    /// What the drain does when the ring is empty.
    Idle {
        /// Sleeps for `nap`, growing to 1 ms when it stays quiet. After a second of silence a nap is as
        /// long as keeps the drain below 1 % of a core: 1 to 20 ms, by what waking up costs here.
        Park = "park",
        /// Polls without a pause: for a core of its own (`writer_cpu`).
        Spin = "spin",
        /// Polls, giving the core to others in between.
        Yield = "yield",
    }

    /// How many threads do the writing.
    Threading {
        /// One drains the ring into the journal, one renders the logs.
        Dedicated = "dedicated",
        /// One thread does both in turn.
        Shared = "shared",
    }

    /// When the console shows colours.
    UseColors {
        /// On a terminal, unless `NO_COLOR` is set.
        Auto = "auto",
        /// On every terminal, also on a dumb one, unless `NO_COLOR` is set.
        Always = "always",
        /// Never.
        Never = "never",
    }

    /// The form of the lines in `expert.log` and `errors.log`; `trades.log` is always JSON Lines.
    LogFormat {
        /// `[time] [LEVEL] text key=value …`, or what `text_pattern` says.
        Text = "text",
        /// One JSON object a line, with the elements of RFC 5424.
        Json = "json",
        /// `time=… level=… event="…" key=value …`.
        Logfmt = "logfmt",
        /// Syslog messages (RFC 5424), one a line.
        Rfc5424 = "rfc5424",
    }

    /// In which time zone the text format shows times.
    TimeZone {
        /// Coordinated universal time, marked by `Z`.
        Utc = "utc",
        /// The machine's zone, marked by its offset: `+02:00`.
        Local = "local",
    }

    /// How many digits of a second the text format shows.
    TimePrecision {
        /// Three.
        Millis = "ms",
        /// Six.
        Micros = "us" | "µs",
        /// Nine.
        Nanos = "ns",
    }

    /// How JSON shows integers beyond 2^53, which some readers round.
    BigInts {
        /// As exact numbers.
        Number = "number",
        /// As strings.
        String = "string",
    }

    /// Which entries carry a backtrace.
    Backtrace {
        /// None.
        Off = "off",
        /// ERROR and CRITICAL.
        Error = "error",
        /// CRITICAL.
        Critical = "critical",
    }

    /// A set of defaults for a purpose; see the guide to the configuration for their values.
    Preset {
        /// At a developer's desk: DEBUG, backtraces of errors, panics logged.
        Development = "development",
        /// On a trading desk: JSON, larger logs, the console for warnings only.
        Production = "production",
        /// A run over recorded data: callers wait for room instead of losing entries, and nothing
        /// is shown on the console.
        Backtesting = "backtesting",
        /// A thread that counts nanoseconds: a polling drain, a large locked ring, no console.
        UltraLowLatency = "ultra_low_latency",
    }
}

impl Words for Level {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("trace", Level::Trace),
        ("debug", Level::Debug),
        ("info", Level::Info),
        ("warning", Level::Warning),
        ("error", Level::Error),
        ("critical", Level::Critical),
    ];
    const OTHER_WORDS: &'static [(&'static str, Self)] =
        &[("warn", Level::Warning), ("fatal", Level::Critical)];
}

/// What happens to a record when the ring is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// It is refused at once and counted.
    Drop,
    /// The call waits for room until the deadline, at most 5 ms; then the record is refused and
    /// counted.
    Block(Duration),
}

/// When the journal and the logs are brought to the disk without being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SyncPolicy {
    /// Never: a power cut takes what the kernel had not written yet.
    None,
    /// So often: 10 ms to an hour.
    Interval(Duration),
    /// At once behind every CRITICAL entry and every trade event.
    Critical,
}
