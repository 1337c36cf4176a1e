//! `tapelog bench --compare`: is the new run slower than the old one?
//!
//! A latency is compared as a multiple of its run's own floor, so that a machine at another clock
//! rate compares with itself. What counts is the median of the rounds, at p50 and p99. A case has
//! become slower if
//!
//! * it grew by more than the *noise*: the ratio of the largest to the smallest round, in whichever
//!   of the two runs that is larger, and
//! * it grew by more than one step of the clock, as far as the samples show it, and
//! * it grew by more than [`TOLERANCE`].
//!
//! A throughput is compared in the same way, by its records per second. A case that loses records
//! and lost none before is a regression, too: what is refused is fast, but not logged.

use std::fmt::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use super::model::{Case, Run, RunError, Throughput};
use crate::failure::{self, Failure, escaped, outln};

/// A smaller change is none, however quiet the rounds were.
const TOLERANCE: f64 = 1.05;
/// The step of the clock where the samples do not show it.
const STEP_NS: f64 = 0.5;
/// The exit code when the runs cannot be compared.
const NOT_COMPARED: u8 = 2;

/// The runs were read, but have nothing in common.
#[derive(Debug, thiserror::Error)]
#[error(
    "the two runs have no case in common: nothing can be compared (measure both with the same \
     cases and modes)"
)]
struct NothingInCommon;

/// Compares two saved runs and prints what has changed, the worst first.
///
/// Exit code: 0 if nothing has become slower, 1 if something has, 2 if the runs cannot be compared.
pub(crate) fn run(old: &Path, new: &Path) -> ExitCode {
    match compared(old, new) {
        Ok(comparison) => {
            outln!("{}", comparison.to_string().trim_end());
            ExitCode::from(u8::from(comparison.has_regressions()))
        }
        Err(error) => {
            failure::tell(error.as_ref());
            ExitCode::from(NOT_COMPARED)
        }
    }
}

fn compared(old: &Path, new: &Path) -> Result<Comparison, Failure> {
    let read = |path| -> Result<Run, RunError> { Run::read(path) };
    let comparison = Comparison::of(&read(old)?, &read(new)?);
    if comparison.rows.is_empty() { Err(NothingInCommon.into()) } else { Ok(comparison) }
}

/// One figure in both runs.
#[derive(Debug, Clone)]
struct Row {
    what: String,
    old: String,
    new: String,
    /// How many times slower the new run is; below 1 it is faster.
    slower: f64,
    /// How many times the rounds of one run differ.
    noise: f64,
    verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Regression,
    Same,
    Faster,
}

/// Two runs side by side.
#[derive(Debug)]
struct Comparison {
    /// Regressions first, the worst on top.
    rows: Vec<Row>,
    /// What the reader must know before he believes the rows.
    notes: Vec<String>,
}

impl Comparison {
    fn of(old: &Run, new: &Run) -> Comparison {
        let mut rows = Vec::new();
        let mut notes = differences(old, new);
        for case in &new.cases {
            let key = case.key();
            match old.cases.iter().find(|before| before.key() == key) {
                Some(before) => rows.extend(latency(old, before, new, case)),
                None => notes.push(format!("only in the new run: {key}")),
            }
        }
        for case in &new.throughput {
            let key = case.key();
            match old.throughput.iter().find(|before| before.key() == key) {
                Some(before) => rows.extend(throughput(before, case)),
                None => notes.push(format!("only in the new run: {key}")),
            }
        }
        let keys: Vec<String> = keys(new).collect();
        let gone = self::keys(old).filter(|key| !keys.contains(key));
        notes.extend(gone.map(|key| format!("only in the old run: {key}")));
        rows.sort_by(|a, b| {
            let excess = |row: &Row| row.slower / row.noise;
            a.verdict.cmp(&b.verdict).then(excess(b).total_cmp(&excess(a)))
        });
        Comparison { rows, notes }
    }

    fn has_regressions(&self) -> bool {
        self.rows.iter().any(|row| row.verdict == Verdict::Regression)
    }
}

fn keys(run: &Run) -> impl Iterator<Item = String> {
    let latency = run.cases.iter().map(Case::key);
    latency.chain(run.throughput.iter().map(Throughput::key))
}

/// What makes the comparison of two runs doubtful.
fn differences(old: &Run, new: &Run) -> Vec<String> {
    let (a, b) = (&old.machine, &new.machine);
    let pairs = [
        ("processor", &a.cpu, &b.cpu),
        ("kernel", &a.kernel, &b.kernel),
        ("governor", &a.governor, &b.governor),
        ("hypervisor", &a.hypervisor, &b.hypervisor),
        ("file system", &a.filesystem, &b.filesystem),
        ("compiler", &a.rustc, &b.rustc),
    ];
    let mut notes: Vec<String> = pairs
        .into_iter()
        .filter(|(_, old, new)| old != new)
        .map(|(what, old, new)| format!("warning: another {what}: {old:?}, now {new:?}"))
        .collect();
    if a.cores != b.cores {
        notes.push(format!("warning: another number of cores: {}, now {}", a.cores, b.cores));
    }
    if !notes.is_empty() {
        notes.push(
            "warning: the runs come from different machines or builds of the compiler; what \
             differs may be those"
                .to_owned(),
        );
    }
    for (run, which) in [(old, "old"), (new, "new")] {
        if let Some(problem) = run.problems.first() {
            notes.push(format!("warning: the {which} run is no proof: {problem}"));
        }
    }
    notes
}

fn latency(old: &Run, before: &Case, new: &Run, after: &Case) -> Vec<Row> {
    let floors = (old.rdtsc_floor_ns, new.rdtsc_floor_ns);
    let step = step_ns(before).max(step_ns(after));
    let percentiles = [
        ("p50", &before.round_p50, &after.round_p50),
        ("p99", &before.round_p99, &after.round_p99),
    ];
    let mut rows: Vec<Row> = percentiles
        .into_iter()
        .map(|(name, before, after_rounds)| {
            let (was, is) = (median(before), median(after_rounds));
            // The new time as the old machine's floor would have it.
            let comparable = is * floors.0 / floors.1;
            let slower = ratio(comparable, was);
            let noise = spread(before).max(spread(after_rounds));
            let beyond_step = (comparable - was).abs() > step * 1.01;
            Row {
                what: format!("{} {name}", after.key()),
                old: format!("{was:.1} ns"),
                new: format!("{is:.1} ns"),
                slower,
                noise,
                verdict: verdict(slower, noise, beyond_step),
            }
        })
        .collect();
    rows.extend(losses(&after.key(), (before.lost, before.calls), (after.lost, after.calls)));
    rows
}

fn throughput(before: &Throughput, after: &Throughput) -> Vec<Row> {
    let (was, is) = (median(&before.round_records_per_s), median(&after.round_records_per_s));
    let slower = ratio(was, is);
    let noise = spread(&before.round_records_per_s).max(spread(&after.round_records_per_s));
    let mut rows = vec![Row {
        what: format!("{} records/s", after.key()),
        old: format!("{:.2} M/s", was / 1e6),
        new: format!("{:.2} M/s", is / 1e6),
        slower,
        noise,
        verdict: verdict(slower, noise, true),
    }];
    let key = after.key();
    rows.extend(losses(&key, (before.lost, before.records), (after.lost, after.records)));
    rows
}

/// A row if records are lost now and were not before.
fn losses(key: &str, before: (u64, u64), after: (u64, u64)) -> Option<Row> {
    let shown = |(lost, of): (u64, u64)| format!("{lost} of {of}");
    (before.0 == 0 && after.0 > 0).then(|| Row {
        what: format!("{key} lost"),
        old: shown(before),
        new: shown(after),
        slower: f64::INFINITY,
        noise: 1.0,
        verdict: Verdict::Regression,
    })
}

fn verdict(slower: f64, noise: f64, beyond_step: bool) -> Verdict {
    let beyond = noise.max(TOLERANCE);
    match slower {
        slower if beyond_step && slower > beyond => Verdict::Regression,
        slower if beyond_step && slower * beyond < 1.0 => Verdict::Faster,
        _ => Verdict::Same,
    }
}

/// The step in which the clock counts: the least distance of two neighbouring times of the samples
/// up to p99. Beyond, times are rare and far apart.
fn step_ns(case: &Case) -> f64 {
    let times: Vec<f64> = (case.histogram.iter())
        .filter(|(upper, count)| *count > 0 && *upper <= case.times.p99)
        .map(|&(upper, _)| upper)
        .collect();
    let apart = times.windows(2).map(|pair| pair[1] - pair[0]).filter(|step| *step > 0.0);
    apart.min_by(f64::total_cmp).unwrap_or(STEP_NS)
}

/// The middle of the rounds' figures.
fn median(rounds: &[f64]) -> f64 {
    let mut sorted = rounds.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        count if count.is_multiple_of(2) => f64::midpoint(sorted[middle - 1], sorted[middle]),
        _ => sorted[middle],
    }
}

/// How many times the largest round is the smallest.
fn spread(rounds: &[f64]) -> f64 {
    let least = rounds.iter().copied().fold(f64::INFINITY, f64::min);
    let most = rounds.iter().copied().fold(0.0, f64::max);
    ratio(most, least)
}

/// A quotient for figures that may be 0: of two such it is 1.
fn ratio(a: f64, b: f64) -> f64 {
    match (a, b) {
        (a, b) if a == b => 1.0,
        (_, 0.0) => f64::INFINITY,
        (a, b) => a / b,
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for note in &self.notes {
            writeln!(f, "{}", escaped(note))?;
        }
        if !self.notes.is_empty() {
            writeln!(f)?;
        }
        let names: Vec<_> = self.rows.iter().map(|row| escaped(&row.what)).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        writeln!(f, "{:<width$}  {:>12} {:>12} {:>8} {:>8}", "", "old", "new", "slower", "noise")?;
        for (name, row) in names.iter().zip(&self.rows) {
            let mut factor = String::new();
            write!(factor, "{:.2} x", row.slower)?;
            let word = match row.verdict {
                Verdict::Regression => "  REGRESSION",
                Verdict::Same => "",
                Verdict::Faster => "  faster",
            };
            writeln!(
                f,
                "{name:<width$}  {:>12} {:>12} {:>8} {:>6.2} x{word}",
                row.old, row.new, factor, row.noise
            )?;
        }
        let count = |verdict| self.rows.iter().filter(|row| row.verdict == verdict).count();
        writeln!(
            f,
            "\n{} of {} figures are worse beyond the noise of the rounds, {} better.\n\
             Slower: the new time over the old one, each as a multiple of its run's floor, medians \
             of the rounds; for\nrates the old over the new one. Noise: the largest round over the \
             smallest, in the noisier run. Changes\nbelow {:.0} % or one step of the clock count as \
             none.",
            count(Verdict::Regression),
            self.rows.len(),
            count(Verdict::Faster),
            (TOLERANCE - 1.0) * 100.0
        )
    }
}

#[cfg(test)]
mod tests;
