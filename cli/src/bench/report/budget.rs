//! What the design allows, beside what was measured.

use super::text::{amount, percent, time};
use crate::bench::model::{Case, Run, Throughput};

/// What a mean of 20 calls resolves with a counter that steps by 10 ns: "+ 0 ns" cannot be told
/// apart from this.
const RESOLUTION_NS: f64 = 0.5;
/// Times that are equal in steps of the counter may differ by so much when they were divided.
const ROUNDING_NS: f64 = 1e-3;
/// From this share of the control program on, a miss is the machine's limit.
const LIMIT_SHARE: f64 = 0.8;

/// How a row of the budget came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bench) enum Verdict {
    Met,
    /// Missed, but the control program of the same run was hardly faster.
    LimitOfMachine,
    Missed,
    /// The run has no such case.
    Absent,
}

/// A row of the budget.
#[derive(Debug, Clone)]
pub(in crate::bench) struct Row {
    pub(in crate::bench) what: &'static str,
    pub(in crate::bench) allowed: String,
    pub(in crate::bench) measured: String,
    pub(in crate::bench) verdict: Verdict,
}

impl Row {
    fn at_most(what: &'static str, allowed: String, most: f64, measured: Option<f64>) -> Row {
        let verdict = match measured {
            None => Verdict::Absent,
            Some(measured) if measured <= most + ROUNDING_NS => Verdict::Met,
            Some(_) => Verdict::Missed,
        };
        let measured = measured.map_or_else(|| "not in this run".to_owned(), time);
        Row { what, allowed, measured, verdict }
    }

    /// Shows beside what was measured what the machine takes for the stores alone. The verdict
    /// stays as it is.
    fn beside(mut self, stores: Option<f64>) -> Row {
        if let (Some(stores), false) = (stores, self.verdict == Verdict::Absent) {
            self.measured.push_str(&format!(", 48 bytes stored without a logger {}", time(stores)));
        }
        self
    }
}

/// The rows of the budget that a run of the laboratory can show.
pub(in crate::bench) fn rows(run: &Run) -> Vec<Row> {
    let floor = run.rdtsc_floor_ns;
    let producer = |name, stamp| run.case(name, stamp, "producer", "batch20");
    let own = producer("int_int_double", "own");
    let p50 = |case: &Case| case.times.p50;
    let stores = run.store_control_ns;
    let mut rows = vec![
        Row::at_most(
            "a log call, Producer, (u64, u64, f64), own stamp: p50",
            format!("≤ F + 1.5 ns = {}", time(floor + 1.5)),
            floor + 1.5,
            own.map(p50),
        )
        .beside(stores.map(|stores| stores.p50)),
        Row::at_most(
            "the same: p99",
            format!("≤ F + 20 ns = {}", time(floor + 20.0)),
            floor + 20.0,
            own.map(|case| case.times.p99),
        )
        .beside(stores.map(|stores| stores.p99)),
        Row::at_most(
            "the same with the caller's stamp: p50",
            "≤ 3 ns".to_owned(),
            3.0,
            producer("int_int_double", "caller").map(p50),
        )
        .beside(stores.map(|stores| stores.p50)),
        Row::at_most(
            "MetaLogger instead of Producer, more at p50",
            "≤ 1.5 ns".to_owned(),
            1.5,
            more(|stamp| {
                let logger = run.case("int_int_double", stamp, "logger", "batch20");
                Some((logger?, producer("int_int_double", stamp)?))
            }),
        ),
        Row::at_most(
            "a level that is disabled: p50",
            "≤ 0.7 ns".to_owned(),
            0.7,
            disabled(run).map(p50),
        ),
    ];
    let beside = |what, allowed: &str, most, name: &'static str| {
        let pair = |stamp| Some((producer(name, stamp)?, producer("int_int_double", stamp)?));
        Row::at_most(what, allowed.to_owned(), most, more(pair))
    };
    rows.push(beside(
        "6 bound context fields, more at p50",
        "+ 0 ns, told apart from 0.5 ns on",
        RESOLUTION_NS,
        "bound_context",
    ));
    rows.push(beside("a 40-byte string argument, more at p50", "≤ 3 ns", 3.0, "int_int_string40"));
    let sustained = |names: &[&str]| {
        names.iter().find_map(|name| {
            run.throughput.iter().find(|case| case.name == *name && case.producers == 1)
        })
    };
    let journal = sustained(&["journal_mapped", "journal_plain"]);
    rows.push(rate("records/s into the journal, views off, nothing lost", 60e6, journal));
    rows.push(rate("lines/s into expert.log as text, nothing lost", 6e6, sustained(&["text"])));
    rows.push(rate("lines/s into expert.log as JSON, nothing lost", 5e6, sustained(&["json"])));
    rows
}

/// How much more the first case of a pair takes than the second at p50: the larger of the two
/// stamps' differences.
fn more<'a>(pair: impl Fn(&'static str) -> Option<(&'a Case, &'a Case)>) -> Option<f64> {
    ["own", "caller"]
        .into_iter()
        .filter_map(pair)
        .map(|(case, beside)| case.times.p50 - beside.times.p50)
        .max_by(f64::total_cmp)
}

/// The disabled call, timed in a long loop if the run has that, else in batches.
fn disabled(run: &Run) -> Option<&Case> {
    let of_mode = |mode: &str| {
        let all = run.cases.iter().filter(move |case| case.name == "disabled" && case.mode == mode);
        all.max_by(|a, b| a.times.p50.total_cmp(&b.times.p50))
    };
    of_mode("loop").or_else(|| of_mode("saturated")).or_else(|| of_mode("batch20"))
}

fn rate(what: &'static str, least: f64, case: Option<&Throughput>) -> Row {
    let allowed = format!("≥ {}", amount(least));
    let Some(case) = case else {
        let measured = "not in this run".to_owned();
        return Row { what, allowed, measured, verdict: Verdict::Absent };
    };
    let mut measured = amount(case.records_per_s);
    if case.control_records_per_s().is_some() {
        measured.push_str(&format!(", {} of the control", percent(case.share_of_control)));
    }
    if case.lost > 0 {
        measured.push_str(&format!(", {} lost", case.lost));
    }
    let verdict = match case {
        case if case.lost > 0 => Verdict::Missed,
        case if case.records_per_s >= least => Verdict::Met,
        case if case.share_of_control >= LIMIT_SHARE => Verdict::LimitOfMachine,
        _ => Verdict::Missed,
    };
    Row { what, allowed, measured, verdict }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::fixture;

    fn verdict(run: &Run, start: &str) -> Verdict {
        rows(run).iter().find(|row| row.what.starts_with(start)).unwrap().verdict
    }

    #[test]
    fn each_row_is_judged_by_its_own_rule() {
        let mut run = fixture::run();
        assert_eq!(verdict(&run, "a log call"), Verdict::Met);
        assert_eq!(verdict(&run, "records/s"), Verdict::Met);
        let own = |case: &&mut Case| case.name == "int_int_double" && case.stamp == "own";
        run.cases.iter_mut().find(own).unwrap().times.p50 = run.rdtsc_floor_ns + 1.6;
        assert_eq!(verdict(&run, "a log call"), Verdict::Missed);
        run.cases.retain(|case| case.name != "bound_context");
        assert_eq!(verdict(&run, "6 bound"), Verdict::Absent);
    }

    #[test]
    fn what_stores_alone_take_stands_beside_the_calls_and_changes_no_verdict() {
        let mut run = fixture::run();
        let measured = |run: &Run, at: usize| rows(run)[at].measured.clone();
        for at in [0, 1, 2] {
            assert!(measured(&run, at).contains("without a logger"), "{}", measured(&run, at));
        }
        assert!(!measured(&run, 3).contains("without a logger"));
        let verdicts = |run: &Run| rows(run).iter().map(|row| row.verdict).collect::<Vec<_>>();
        let before = verdicts(&run);
        if let Some(stores) = &mut run.store_control_ns {
            stores.p99 = 1e6;
        }
        assert_eq!(verdicts(&run), before);
        run.store_control_ns = None;
        assert_eq!((measured(&run, 0).contains("logger"), verdicts(&run)), (false, before));
    }

    #[test]
    fn a_slow_sink_is_the_machines_limit_only_beside_a_control_that_is_hardly_faster() {
        let mut run = fixture::run();
        let journal = &mut run.throughput[0];
        (journal.records_per_s, journal.share_of_control) = (50e6, 0.81);
        assert_eq!(verdict(&run, "records/s"), Verdict::LimitOfMachine);
        run.throughput[0].share_of_control = 0.79;
        assert_eq!(verdict(&run, "records/s"), Verdict::Missed);
        (run.throughput[0].records_per_s, run.throughput[0].lost) = (90e6, 1);
        assert_eq!(verdict(&run, "records/s"), Verdict::Missed);
    }
}
