//! What is measured: which values are logged, through which face, with whose time stamp.

use clap::ValueEnum;

/// Which values a call logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum CaseName {
    /// Two integers and a float.
    IntIntDouble,
    /// Two integers and a string of 40 bytes.
    IntIntString40,
    /// Nothing but the text.
    NoArgs,
    /// Two integers and a float, and six bound fields.
    BoundContext,
    /// A list of 16 strings.
    Vec16Strings,
    /// Two integers and a float, below the level that is kept.
    Disabled,
}

/// Whose time stamp a record has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StampBy {
    /// The call reads the counter.
    Own,
    /// The caller gives it, in nanoseconds of UTC.
    Caller,
}

/// What is logged through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaceName {
    Producer,
    Logger,
}

/// One way of logging one case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Series {
    pub(super) case: CaseName,
    pub(super) stamp: StampBy,
    pub(super) face: FaceName,
}

/// What a stretch of measuring measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// One reading of the counter: the floor of a call that stamps its record.
    Clock,
    /// Nothing: the two readings of the counter around it.
    TimerPair,
    /// As many bytes stored as a log call stores: the store control.
    Stores,
    /// A log call.
    Call(Series),
}

impl CaseName {
    /// As it stands in options, tables and saved runs.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::IntIntDouble => "int_int_double",
            Self::IntIntString40 => "int_int_string40",
            Self::NoArgs => "no_args",
            Self::BoundContext => "bound_context",
            Self::Vec16Strings => "vec16_strings",
            Self::Disabled => "disabled",
        }
    }

    /// At least what a record of it takes in the journal, in bytes.
    pub(super) fn record_bytes_max(self) -> u64 {
        match self {
            Self::IntIntDouble | Self::BoundContext => 64,
            Self::IntIntString40 => 112,
            Self::NoArgs => 32,
            Self::Vec16Strings => 384,
            Self::Disabled => 0,
        }
    }
}

impl StampBy {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Caller => "caller",
        }
    }
}

impl FaceName {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Logger => "logger",
        }
    }
}

impl Series {
    /// The text that its calls log: it tells its records from all others.
    pub(super) fn event(self) -> String {
        format!("{} {} {}", self.case.name(), self.face.name(), self.stamp.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_tables_and_saved_runs_name_the_cases_alike() {
        for case in CaseName::value_variants() {
            assert_eq!(case.to_possible_value().unwrap().get_name(), case.name());
        }
    }
}
