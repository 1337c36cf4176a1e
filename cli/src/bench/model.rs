//! A saved run of the laboratory: what `--json` writes, and `--report` and `--compare` read.
//!
//! Times are nanoseconds per call, sizes are bytes. Keys that a reader does not know are passed
//! over, so that a key can be added without a new [`FORMAT`]; a new meaning needs one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The version of the keys below, in each saved run.
pub(crate) const FORMAT: u32 = 1;

/// Everything that one `tapelog bench` has measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// [`FORMAT`] of the program that has written it.
    pub(crate) format: u32,
    /// The command as it was typed.
    pub(crate) command: String,
    /// The commit that the program was built from, or `unknown`.
    pub(crate) commit: String,
    /// When the run began: RFC 3339, UTC.
    pub(crate) started: String,
    pub(crate) machine: Machine,
    /// The median of one reading of the time stamp counter, in this run.
    pub(crate) rdtsc_floor_ns: f64,
    /// Two readings of the clock with nothing between them: what a `per_call` time holds besides
    /// the call.
    pub(crate) timer_pair_ns: Percentiles,
    /// 48 bytes stored in private memory by each call, without a logger, in the rounds of
    /// `batch20`; not in the files of older programs and of runs without that mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) store_control_ns: Option<Percentiles>,
    /// The latency cases, in the order in which they are shown.
    pub(crate) cases: Vec<Case>,
    /// The throughput cases.
    pub(crate) throughput: Vec<Throughput>,
    /// Naps beside busy threads, without a logger, in the rounds of throughput: what stands behind
    /// calls that were lost though they could wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nap_control: Option<NapControl>,
    /// What was wrong with the records when they were read back. Figures beside such a problem
    /// prove nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) problems: Vec<String>,
}

/// What the run was measured on. What could not be found out is `unknown` or 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    /// Cores that the process may use.
    pub(crate) cores: u32,
    pub(crate) kernel: String,
    /// The frequency governor.
    pub(crate) governor: String,
    pub(crate) memory_bytes: u64,
    /// The hypervisor's name, `none` on bare metal.
    pub(crate) hypervisor: String,
    /// Whether the time stamp counter runs at one rate, whatever the core does.
    pub(crate) tsc_invariant: bool,
    pub(crate) tsc_hz: f64,
    /// Of the directory that the journal and the logs were written to.
    pub(crate) filesystem: String,
    pub(crate) rustc: String,
}

/// Some percentiles of a distribution, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

/// One latency case, all rounds together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Case {
    /// What is logged: `int_int_double`, `int_int_string40`, `no_args`, …
    pub(crate) name: String,
    /// Whose time stamp the record has: `own`, read by the call, or `caller`, given to it.
    pub(crate) stamp: String,
    /// `producer` or `logger`.
    pub(crate) face: String,
    /// How calls follow each other and are timed: `batch20`, `per_call`, `cold`, …
    pub(crate) mode: String,
    pub(crate) rounds: u32,
    /// Calls in all rounds together.
    pub(crate) calls: u64,
    /// In the modes that time batches, a percentile of the batches' means.
    #[serde(flatten)]
    pub(crate) times: Percentiles,
    /// Calls whose record the ring refused.
    pub(crate) lost: u64,
    /// The median of one reading of the counter in this case's rounds and mode.
    pub(crate) floor_p50: f64,
    /// The median of each round.
    pub(crate) round_p50: Vec<f64>,
    /// The 99th percentile of each round.
    pub(crate) round_p99: Vec<f64>,
    /// Ascending: the upper end of a bucket in nanoseconds, and the samples that fell into it.
    pub(crate) histogram: Vec<(f64, u64)>,
    /// What the ring does when it is full: `drop`, or `block 5 ms`.
    pub(crate) overflow: String,
}

/// How long naps of 50 µs took on two threads while two others kept the cores busy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct NapControl {
    pub(crate) seconds: f64,
    pub(crate) naps: u64,
    /// Naps that took longer than a call may wait for room.
    pub(crate) late: u64,
    pub(crate) longest_ms: f64,
}

/// One throughput case: the median round's figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Throughput {
    /// Where the records go: `journal_mapped`, `journal_plain`, `text`, `json`, `all_three`.
    pub(crate) name: String,
    pub(crate) producers: u32,
    /// Records that were written.
    pub(crate) records: u64,
    /// From the first call until the last record was in the page cache and counted.
    pub(crate) seconds: f64,
    pub(crate) records_per_s: f64,
    /// Bytes that the files grew by, per second.
    pub(crate) bytes_per_s: f64,
    /// Calls whose record the ring refused.
    pub(crate) lost: u64,
    /// What the files grew by.
    pub(crate) file_bytes: u64,
    /// What the kernel counted as written by the process.
    pub(crate) bytes_dirtied: u64,
    pub(crate) rounds: u32,
    pub(crate) round_records_per_s: Vec<f64>,
    /// What a program that only moves the same bytes reached in the same run: the limit.
    pub(crate) control_bytes_per_s: f64,
    /// `bytes_per_s` over `control_bytes_per_s`.
    pub(crate) share_of_control: f64,
    pub(crate) overflow: String,
}

/// A saved run could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("cannot read {}: give a file that `tapelog bench --json FILE` has written", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "{} is not a saved run (write one with `tapelog bench --json FILE`)", .path.display()
    )]
    Malformed { path: PathBuf, source: serde_json::Error },
    #[error(
        "{} is a saved run of format {found}, this program reads format {FORMAT}: measure again \
         with this program, or use the one that has written it", .path.display()
    )]
    Format { path: PathBuf, found: u64 },
    #[error("{}: case {case} has {what}: the file is damaged, measure again", .path.display())]
    Senseless { path: PathBuf, case: String, what: &'static str },
    #[error("cannot write {}: name a file in a directory that is there", .path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// The one key that is looked at before the others.
#[derive(Deserialize)]
struct Versioned {
    format: u64,
}

impl Run {
    /// Reads a saved run.
    ///
    /// # Errors
    /// [`RunError`] if the file cannot be read, is not a saved run, has another format, or holds
    /// figures that cannot be.
    pub(crate) fn read(path: &Path) -> Result<Run, RunError> {
        let text = fs::read_to_string(path)
            .map_err(|source| RunError::Read { path: path.to_owned(), source })?;
        let malformed = |source| RunError::Malformed { path: path.to_owned(), source };
        let Versioned { format } = serde_json::from_str(&text).map_err(malformed)?;
        if format != u64::from(FORMAT) {
            return Err(RunError::Format { path: path.to_owned(), found: format });
        }
        let run: Run = serde_json::from_str(&text).map_err(malformed)?;
        match run.senseless() {
            Some((case, what)) => Err(RunError::Senseless { path: path.to_owned(), case, what }),
            None => Ok(run),
        }
    }

    /// Writes the run where [`read`](Run::read) finds it.
    ///
    /// # Errors
    /// [`RunError::Write`] if the file cannot be made or the disk is full.
    pub(crate) fn write(&self, path: &Path) -> Result<(), RunError> {
        let failed = |source| RunError::Write { path: path.to_owned(), source };
        let mut text = serde_json::to_string_pretty(self).map_err(|error| failed(error.into()))?;
        text.push('\n');
        fs::write(path, text).map_err(failed)
    }

    /// The latency case with this name, stamp, face and mode.
    pub(crate) fn case(&self, name: &str, stamp: &str, face: &str, mode: &str) -> Option<&Case> {
        self.cases.iter().find(|case| {
            [&case.name, &case.stamp, &case.face, &case.mode] == [name, stamp, face, mode]
        })
    }

    /// A case whose figures cannot be: everything behind [`read`](Run::read) relies on these.
    fn senseless(&self) -> Option<(String, &'static str)> {
        if !is_time(self.rdtsc_floor_ns) || self.rdtsc_floor_ns == 0.0 {
            return Some(("rdtsc_floor_ns".to_owned(), "no time above 0"));
        }
        let latency = self.cases.iter().find_map(|case| Some((case.key(), case.senseless()?)));
        let throughput =
            || self.throughput.iter().find_map(|case| Some((case.key(), case.senseless()?)));
        latency.or_else(throughput)
    }
}

impl Case {
    /// What tells this case from the others of a run.
    pub(crate) fn key(&self) -> String {
        format!("{} {} {} {}", self.name, self.stamp, self.face, self.mode)
    }

    /// Times that were taken: of calls, or of batches in the modes that time batches.
    pub(crate) fn samples(&self) -> u64 {
        self.histogram.iter().map(|(_, count)| count).sum()
    }

    fn senseless(&self) -> Option<&'static str> {
        let Percentiles { p50, p90, p99, p999, max } = self.times;
        let times = [p50, p90, p99, p999, max];
        if !times.into_iter().all(is_time) || !times.is_sorted() {
            return Some("percentiles that do not ascend");
        }
        if !is_time(self.floor_p50) {
            return Some("a floor that is no time");
        }
        let rounds = self.round_p50.iter().chain(&self.round_p99);
        if self.round_p50.is_empty() || self.round_p99.is_empty() || !rounds.copied().all(is_time) {
            return Some("no times of its rounds");
        }
        let uppers = self.histogram.iter().map(|&(upper, _)| upper);
        if !uppers.clone().all(is_time) || !uppers.is_sorted() {
            return Some("a histogram that does not ascend");
        }
        None
    }
}

impl Throughput {
    /// What tells this case from the others of a run.
    pub(crate) fn key(&self) -> String {
        let plural = if self.producers == 1 { "" } else { "s" };
        format!("{} {} producer{plural}", self.name, self.producers)
    }

    /// The control program's limit in records of this case; `None` if there was no control.
    pub(crate) fn control_records_per_s(&self) -> Option<f64> {
        let comparable = self.control_bytes_per_s > 0.0 && self.bytes_per_s > 0.0;
        comparable.then(|| self.records_per_s * self.control_bytes_per_s / self.bytes_per_s)
    }

    fn senseless(&self) -> Option<&'static str> {
        let rates = [
            self.records_per_s,
            self.bytes_per_s,
            self.seconds,
            self.control_bytes_per_s,
            self.share_of_control,
        ];
        if !rates.into_iter().all(is_time) {
            return Some("a rate that is no number");
        }
        if self.round_records_per_s.is_empty()
            || !self.round_records_per_s.iter().copied().all(is_time)
        {
            return Some("no rates of its rounds");
        }
        None
    }
}

/// A figure that a measurement can give.
fn is_time(value: f64) -> bool {
    value.is_finite() && value >= 0.0
}
