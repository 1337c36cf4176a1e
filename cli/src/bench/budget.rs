//! The performance budget: each row of it that a run can judge.

use std::fmt::{self, Display, Formatter};

use super::model::{Case, Run, Throughput};

/// A row of the budget.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judged {
    pub(super) what: &'static str,
    pub(super) limit: String,
    pub(super) measured: String,
    pub(super) verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Met,
    Missed,
    /// Missed, though the control was hardly faster.
    MachineLimit,
}

/// A throughput at this share of its control is what the machine can do.
const MACHINE_SHARE: f64 = 0.8;
/// Engines start faster than this.
const START_MS: f64 = 50.0;

/// Judges a run. `step_ns` is what the counter steps by: a mean of 20 calls cannot be told apart
/// from one that differs by less than a twentieth of it. `starts_ms` are the engines' starts.
pub(super) fn judge(run: &Run, step_ns: f64, starts_ms: &[f64]) -> Vec<Judged> {
    let mut rows = latency(run, step_ns / 20.0);
    if let Some(slowest) = starts_ms.iter().copied().reduce(f64::max) {
        rows.push(Judged {
            what: "start, all files made (the slowest)",
            limit: format!("{START_MS:.0} ms"),
            measured: format!("{slowest:.1} ms"),
            verdict: verdict(slowest < START_MS),
        });
    }
    rows.extend(rate(run, "journal_mapped", "sustained into the journal, one producer", 60.0));
    rows.extend(rate(run, "text", "sustained into expert.log, text", 6.0));
    rows.extend(rate(run, "json", "sustained into expert.log, JSON", 5.0));
    rows
}

fn verdict(met: bool) -> Verdict {
    if met { Verdict::Met } else { Verdict::Missed }
}

fn latency(run: &Run, resolution: f64) -> Vec<Judged> {
    let batch = |name, stamp, face| case(run, "batch20", name, stamp, face);
    let plain = |stamp| batch("int_int_double", stamp, "producer");
    let mut rows = Vec::new();
    if let Some(own) = plain("own") {
        let floor = own.floor_p50;
        rows.push(below("Producer, own stamp, p50: F + 1.5", own.times.p50, floor + 1.5));
        rows.push(below("Producer, own stamp, p99: F + 20", own.times.p99, floor + 20.0));
    }
    if let Some(caller) = plain("caller") {
        rows.push(below("Producer, caller's stamp, p50", caller.times.p50, 3.0));
    }
    let mut more = |what, name, stamp, face, budget| {
        if let (Some(base), Some(other)) = (plain(stamp), batch(name, stamp, face)) {
            let limit = budget + resolution;
            rows.push(below(what, other.times.p50 - base.times.p50, limit));
        }
    };
    more("MetaLogger instead of Producer, own: + 1.5", "int_int_double", "own", "logger", 1.5);
    more("MetaLogger instead of Producer, at:: + 1.5", "int_int_double", "caller", "logger", 1.5);
    more("6 bound fields, own: + 0", "bound_context", "own", "producer", 0.0);
    more("6 bound fields, at:: + 0", "bound_context", "caller", "producer", 0.0);
    more("40-byte string, own: + 3", "int_int_string40", "own", "producer", 3.0);
    more("40-byte string, at:: + 3", "int_int_string40", "caller", "producer", 3.0);
    for face in ["producer", "logger"] {
        if let Some(disabled) = case(run, "slope", "disabled", "own", face) {
            let what = if face == "producer" {
                "level disabled, Producer, slope"
            } else {
                "level disabled, MetaLogger, slope"
            };
            rows.push(below(what, disabled.times.p50, 0.7));
        }
    }
    rows
}

fn case<'a>(run: &'a Run, mode: &str, name: &str, stamp: &str, face: &str) -> Option<&'a Case> {
    run.cases.iter().find(|case| {
        (case.mode == mode && case.name == name) && (case.stamp == stamp && case.face == face)
    })
}

fn below(what: &'static str, measured_ns: f64, limit_ns: f64) -> Judged {
    Judged {
        what,
        limit: format!("{limit_ns:.2} ns"),
        measured: format!("{measured_ns:.2} ns"),
        // The tick's length is measured: equal ticks may differ in the last digits.
        verdict: verdict(measured_ns <= limit_ns + 0.005),
    }
}

fn rate(run: &Run, name: &str, what: &'static str, millions: f64) -> Option<Judged> {
    let is_meant = |case: &&Throughput| case.name == name && case.producers == 1;
    let case = run.throughput.iter().find(is_meant)?;
    let measured = case.records_per_s / 1e6;
    let share = case.share_of_control;
    let verdict = match (case.lost, measured >= millions, share >= MACHINE_SHARE) {
        (0, true, _) => Verdict::Met,
        (0, false, true) => Verdict::MachineLimit,
        _ => Verdict::Missed,
    };
    Some(Judged {
        what,
        limit: format!("{millions:.0} M/s"),
        measured: format!("{measured:.2} M/s, {:.0} % of control, lost {}", share * 100.0, case.lost),
        verdict,
    })
}

/// The judged rows as a table.
pub(super) struct Table<'a>(pub(super) &'a [Judged]);

impl Display for Table<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        writeln!(f, "\n{:<44}{:>10}  {:<8}{}", "budget", "limit", "", "measured")?;
        for Judged { what, limit, measured, verdict } in self.0 {
            let verdict = match verdict {
                Verdict::Met => "met",
                Verdict::Missed => "MISSED",
                Verdict::MachineLimit => "machine",
            };
            writeln!(f, "{what:<44}{limit:>10}  {verdict:<8}{measured}")?;
        }
        writeln!(
            f,
            "Differences of two rows may be a step of the counter larger: a twentieth of it. Not \
             judged here: the second\nproducer's instruction count, hot path without system calls, \
             refused calls, the quiet engine."
        )
    }
}
