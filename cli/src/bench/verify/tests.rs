use super::super::series::FaceName;
use super::*;

const NOW: i64 = 1_700_000_000_000_000_000;

fn series(case: CaseName, stamp: StampBy) -> Series {
    Series { case, stamp, face: FaceName::Producer }
}

/// A thread that made three calls of a series; the caller's stamps are `NOW` and the next two.
fn track(series: Series) -> Track {
    let stamps = Stamps { first_of_groups: vec![NOW], calls_per_group: 20 };
    Track { what: What::Call(series), rounds: Vec::new(), calls: 3, stamps }
}

/// The line of call `number` of `int_int_double`, `late` nanoseconds behind `NOW`.
fn line(stamp: StampBy, number: u64, late: i64) -> String {
    let event = series(CaseName::IntIntDouble, stamp).event();
    let (b, c) = (number ^ 0x5555, f64::from(number as u32) * 0.25);
    let time = NOW + late;
    format!(
        "{{\"event\":\"{event}\",\"a\":{number},\"b\":{b},\"c\":{c},\"timestamp_ns\":\"{time}\"}}"
    )
}

fn bare(case: CaseName, stamp: StampBy, late: i64) -> String {
    let event = series(case, stamp).event();
    format!("{{\"event\":\"{event}\",\"timestamp_ns\":\"{}\"}}", NOW + late)
}

fn verdict_of(series: Series, lines: &[String]) -> Verdict {
    let strings = Strings::new();
    let threads = [vec![track(series)]];
    let mut verifier = Verifier::new(&threads, &strings, NOW - 10..=NOW + 10);
    let mut bytes = lines.join("\n").into_bytes();
    bytes.push(b'\n');
    // In pieces that end within lines.
    for piece in bytes.chunks(7) {
        verifier.write_all(piece).unwrap();
    }
    verifier.finish()
}

fn caller(lines: &[String]) -> Verdict {
    verdict_of(series(CaseName::IntIntDouble, StampBy::Caller), lines)
}

fn whole() -> Vec<String> {
    (0..3).map(|call| line(StampBy::Caller, call, call as i64)).collect()
}

fn assert_problem(verdict: &Verdict, text: &str) {
    let told = verdict.problems.iter().any(|problem| problem.contains(text));
    assert!(told, "no {text:?} in {:?}", verdict.problems);
}

#[test]
fn what_is_as_it_was_logged_is_intact() {
    let mut lines = whole();
    lines.insert(1, "{\"event\":\"logger.started\",\"timestamp_ns\":\"1\"}".to_owned());
    let verdict = caller(&lines);
    assert_eq!((verdict.intact, verdict.missing_total()), (3, 0));
    assert!(verdict.problems.is_empty(), "{:?}", verdict.problems);
}

#[test]
fn a_missing_record_is_counted_for_its_series() {
    let verdict = caller(&whole()[..2]);
    assert_eq!(verdict.missing, [(series(CaseName::IntIntDouble, StampBy::Caller), 1)]);
    assert!(verdict.problems.is_empty(), "{:?}", verdict.problems);
}

#[test]
fn a_tampered_value_is_found() {
    for (from, to) in [("\"b\":21844", "\"b\":21845"), ("\"c\":0.25", "\"c\":0.5")] {
        let mut lines = whole();
        assert!(lines[1].contains(from), "{}", lines[1]);
        lines[1] = lines[1].replace(from, to);
        assert_problem(&caller(&lines), "the values differ");
    }
    let mut lines = whole();
    lines[1] = lines[1].replace("\"b\":21844,", "");
    assert_problem(&caller(&lines), "the values differ");
}

#[test]
fn another_time_than_the_caller_gave_is_found() {
    let mut lines = whole();
    lines[2] = line(StampBy::Caller, 2, 3);
    assert_problem(&caller(&lines), "the caller gave another time");
}

#[test]
fn a_record_that_stands_twice_or_that_nobody_logged_is_found() {
    let mut lines = whole();
    lines.push(lines[0].clone());
    assert_problem(&caller(&lines), "it stands twice");
    lines[3] = line(StampBy::Caller, 3, 3);
    assert_problem(&caller(&lines), "no call has such a number");
    lines[3] = line(StampBy::Own, 0, 0);
    assert_problem(&caller(&lines), "nobody logged");
    lines[3] = "{\"event\":".to_owned();
    assert_problem(&caller(&lines), "EOF");
}

#[test]
fn own_stamps_run_forward_and_lie_within_the_run() {
    let own = |times: [i64; 3]| {
        let lines: Vec<_> =
            (0..3).map(|call| line(StampBy::Own, call, times[call as usize])).collect();
        verdict_of(series(CaseName::IntIntDouble, StampBy::Own), &lines)
    };
    assert!(own([0, 0, 5]).problems.is_empty());
    assert_problem(&own([0, 5, 4]), "go back within a thread");
    assert_problem(&own([0, 5, 11]), "stamped outside the run");
}

#[test]
fn records_without_values_are_known_by_their_times() {
    let caller = |times: &[i64]| {
        let line = |late: &i64| bare(CaseName::NoArgs, StampBy::Caller, *late);
        let lines: Vec<_> = times.iter().map(line).collect();
        verdict_of(series(CaseName::NoArgs, StampBy::Caller), &lines)
    };
    assert!(caller(&[1, 0, 2]).problems.is_empty());
    assert_eq!(caller(&[0, 2]).missing_total(), 1);
    assert_problem(&caller(&[0, 1, 3]), "which nobody gave");
    assert_problem(&caller(&[0, 1, 1]), "which nobody gave");
    assert_problem(&caller(&[0, 1, 2, 2]), "4 records of no_args");
}

#[test]
fn a_disabled_call_leaves_nothing() {
    let disabled = series(CaseName::Disabled, StampBy::Own);
    let started = "{\"event\":\"logger.started\",\"timestamp_ns\":\"1\"}".to_owned();
    let verdict = verdict_of(disabled, &[started]);
    assert_eq!((verdict.missing_total(), verdict.problems.len()), (0, 0));
    let arrived = verdict_of(disabled, &[bare(CaseName::Disabled, StampBy::Own, 0)]);
    assert_problem(&arrived, "the level is disabled");
}

#[test]
fn many_problems_are_counted() {
    let lines: Vec<_> = (10..20).map(|call| line(StampBy::Caller, call, 0)).collect();
    let problems = caller(&lines).problems;
    assert_eq!(problems.len(), PROBLEMS_MAX + 1);
    assert_eq!(problems[PROBLEMS_MAX], "… and 5 more");
}
