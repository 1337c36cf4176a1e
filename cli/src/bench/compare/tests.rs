use std::fs;

use super::*;
use crate::bench::fixture;

fn regressions(old: &Run, new: &Run) -> Vec<String> {
    let comparison = Comparison::of(old, new);
    let worse = comparison.rows.iter().filter(|row| row.verdict == Verdict::Regression);
    worse.map(|row| row.what.clone()).collect()
}

/// Makes every time of a case so many times longer.
fn slow_down(case: &mut Case, factor: f64) {
    for rounds in [&mut case.round_p50, &mut case.round_p99] {
        rounds.iter_mut().for_each(|time| *time *= factor);
    }
}

#[test]
fn equal_runs_are_equal() {
    let run = fixture::run();
    assert_eq!(regressions(&run, &run), [""; 0]);
    let comparison = Comparison::of(&run, &run);
    assert_eq!(comparison.rows.len(), 2 * run.cases.len() + run.throughput.len());
    assert!(comparison.notes.is_empty() && !comparison.has_regressions());
}

#[test]
fn a_case_that_takes_twice_as_long_is_a_regression_and_stands_on_top() {
    let old = fixture::run();
    let mut new = old.clone();
    slow_down(&mut new.cases[0], 2.0);
    let key = new.cases[0].key();
    assert_eq!(regressions(&old, &new), [format!("{key} p50"), format!("{key} p99")]);
    let shown = Comparison::of(&old, &new).to_string();
    let first = shown.lines().nth(1).unwrap();
    assert!(first.starts_with(&key) && first.ends_with("REGRESSION"), "{shown}");
    assert_eq!(regressions(&new, &old), [""; 0], "the other way round it is faster");
}

#[test]
fn what_lies_within_the_spread_of_the_rounds_is_noise() {
    let old = fixture::run();
    let mut new = old.clone();
    slow_down(&mut new.cases[0], 1.06);
    // The rounds of p50 differ by 7 %, those of p99 by a third.
    assert_eq!(regressions(&old, &new), [""; 0]);
    slow_down(&mut new.cases[0], 1.2);
    assert_eq!(regressions(&old, &new), [format!("{} p50", new.cases[0].key())]);
    new.cases[0].round_p50[0] /= 2.0;
    assert_eq!(regressions(&old, &new), [""; 0], "a noisy new run says no more than that");
}

#[test]
fn one_step_of_the_clock_is_no_change() {
    let mut old = fixture::run();
    let per_call = old.cases.iter().position(|case| case.mode == "per_call").unwrap();
    old.cases[per_call].round_p50 = vec![20.0; 5];
    let mut new = old.clone();
    new.cases[per_call].round_p50 = vec![30.0; 5];
    assert_eq!(regressions(&old, &new), [""; 0], "the clock steps by 10 ns");
    new.cases[per_call].round_p50 = vec![40.0; 5];
    assert_eq!(regressions(&old, &new).len(), 1);
}

#[test]
fn a_machine_at_another_clock_rate_compares_with_itself() {
    let old = fixture::run();
    let mut new = old.clone();
    new.rdtsc_floor_ns *= 2.0;
    new.cases.iter_mut().for_each(|case| slow_down(case, 2.0));
    assert_eq!(regressions(&old, &new), [""; 0]);
    assert!(Comparison::of(&old, &new).to_string().contains("1.00 x"));
}

#[test]
fn less_throughput_and_new_losses_are_regressions() {
    let old = fixture::run();
    let mut new = old.clone();
    new.throughput[0].round_records_per_s.iter_mut().for_each(|rate| *rate *= 0.7);
    new.throughput[1].round_records_per_s.iter_mut().for_each(|rate| *rate *= 0.95);
    new.cases[3].lost = 7;
    let lost = format!("{} lost", new.cases[3].key());
    assert_eq!(regressions(&old, &new), [lost, "journal_mapped 1 producer records/s".to_owned()]);
}

#[test]
fn cases_of_one_run_only_and_other_machines_are_told() {
    let mut old = fixture::run();
    let mut new = old.clone();
    let gone = new.cases.remove(0).key();
    let added = old.throughput.remove(0).key();
    new.machine.cpu = "another processor".to_owned();
    old.problems.push("records are missing".to_owned());
    let comparison = Comparison::of(&old, &new);
    assert!(!comparison.has_regressions());
    let shown = comparison.to_string();
    assert!(shown.contains(&format!("only in the old run: {gone}")), "{shown}");
    assert!(shown.contains(&format!("only in the new run: {added}")), "{shown}");
    assert!(shown.contains("warning: another processor: \"AMD EPYC"), "{shown}");
    assert!(shown.contains("different machines"), "{shown}");
    assert!(shown.contains("the old run is no proof: records are missing"), "{shown}");
}

#[test]
fn a_file_without_the_store_control_is_read_as_before() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("old.json");
    let mut run = fixture::run();
    run.write(&path).unwrap();
    assert_eq!(Run::read(&path).unwrap(), run);
    run.store_control_ns = None;
    run.write(&path).unwrap();
    assert!(!fs::read_to_string(&path).unwrap().contains("store_control_ns"));
    assert_eq!(Run::read(&path).unwrap(), run);
}

#[test]
fn what_cannot_be_compared_is_said_with_its_file_and_a_way_out() {
    let root = tempfile::tempdir().unwrap();
    let (good, bad) = (root.path().join("good.json"), root.path().join("bad.json"));
    let run = fixture::run();
    run.write(&good).unwrap();
    assert!(Run::read(&good).unwrap() == run, "what is read differs from what was written");
    assert!(compared(&good, &good).is_ok());
    let told = |text: &str| {
        fs::write(&bad, text).unwrap();
        let error = compared(&good, &bad).unwrap_err();
        failure::with_causes(error.as_ref())
    };
    let json = fs::read_to_string(&good).unwrap();
    for (text, reason) in [
        ("", "is not a saved run"),
        ("{ \"format\": 1, ", "is not a saved run"),
        ("{}", "missing field `format`"),
        ("{\"format\": 9}", "of format 9, this program reads format 1"),
        (&json.replace("\"rdtsc_floor_ns\": 10.0", "\"rdtsc_floor_ns\": 0.0"), "rdtsc_floor_ns"),
        (&json.replacen("\"p99\":", "\"p98\":", 1), "missing field `p99`"),
        (&json.replacen("\"round_p50\": [", "\"round_p50\": [-1,", 1), "no times of its rounds"),
    ] {
        let told = told(text);
        assert!(told.contains(reason) && told.contains("bad.json"), "{told}");
    }
    let missing = compared(&root.path().join("none.json"), &good).unwrap_err();
    let missing = failure::with_causes(missing.as_ref());
    assert!(missing.contains("none.json") && missing.contains("--json"), "{missing}");
    let mut empty = run;
    empty.cases.clear();
    empty.throughput.clear();
    empty.write(&bad).unwrap();
    assert!(compared(&good, &bad).unwrap_err().to_string().contains("no case in common"));
}

#[test]
fn the_exit_code_tells_the_outcome() {
    let root = tempfile::tempdir().unwrap();
    let paths = ["old", "same", "slow"].map(|name| root.path().join(name));
    let mut slow = fixture::run();
    for (path, factor) in paths.iter().zip([1.0, 1.0, 2.0]) {
        slow_down(&mut slow.cases[0], factor);
        slow.write(path).unwrap();
    }
    let code = |old: &Path, new: &Path| format!("{:?}", super::run(old, new));
    let expected = [0, 1, 2].map(|code| format!("{:?}", ExitCode::from(code)));
    assert_eq!(code(&paths[0], &paths[1]), expected[0]);
    assert_eq!(code(&paths[0], &paths[2]), expected[1]);
    assert_eq!(code(&paths[0], root.path()), expected[2]);
}
