//! Goal: `tapelog bench` measures what it says, finds every record it has logged, saves a run that
//! can be read again, and says what is wrong with its arguments. No time is asserted.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod support;

use std::fs;
use std::path::Path;

use serde_json::Value;
use support::{stderr, stdout, tapelog};

const CASES: [&str; 6] =
    ["int_int_double", "int_int_string40", "no_args", "bound_context", "vec16_strings", "disabled"];

/// Runs the laboratory with its files in `directory`; its output and the saved run.
fn bench(directory: &Path, arguments: &[&str]) -> (String, Value) {
    let json = directory.join("run.json");
    let run = tapelog()
        .args(["bench", "--quick", "--rounds", "1", "--dir"])
        .arg(directory)
        .arg("--json")
        .arg(&json)
        .args(arguments)
        .output()
        .unwrap();
    assert!(run.status.success(), "{}\n{}", stdout(&run), stderr(&run));
    (stdout(&run), serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap())
}

/// What a run that must fail says.
fn refused(arguments: &[&str], code: i32) -> String {
    let run = tapelog().arg("bench").args(arguments).output().unwrap();
    assert_eq!(run.status.code(), Some(code), "{}", stdout(&run));
    stderr(&run)
}

fn assert_numbers(of: &Value, keys: &[&str]) {
    for key in keys {
        assert!(of[key].as_f64().is_some_and(f64::is_finite), "{key} of {of}");
    }
}

#[test]
fn a_run_has_every_case_in_every_way_and_loses_nothing() {
    let root = tempfile::tempdir().unwrap();
    let only = "--only=batch20,per_call,cold,rotation,loop";
    let (text, run) = bench(root.path(), &["--calls", "40", only]);
    assert!(run["rdtsc_floor_ns"].as_f64().unwrap() > 0.0);
    assert_numbers(&run["store_control_ns"], &["p50", "p90", "p99", "p999", "max"]);
    // In every mode but the loop.
    assert_eq!(text.matches("\n48 bytes stored, no logger").count(), 4, "{text}");
    assert!(text.contains("48 bytes stored without a logger"), "{text}");
    assert!(run["machine"]["cpu"].is_string() && run["machine"]["kernel"].is_string());
    assert_eq!(run["throughput"].as_array().unwrap().len(), 0);
    let cases = run["cases"].as_array().unwrap();
    for mode in ["batch20", "per_call", "cold", "rotation", "loop"] {
        for name in CASES.into_iter().filter(|name| mode != "loop" || *name == "disabled") {
            for (stamp, face) in [
                ("own", "producer"),
                ("caller", "producer"),
                ("own", "logger"),
                ("caller", "logger"),
            ] {
                let same = |case: &&Value| {
                    (&case["name"], &case["mode"], &case["stamp"], &case["face"])
                        == (&name.into(), &mode.into(), &stamp.into(), &face.into())
                };
                let mut found = cases.iter().filter(same);
                let case = found.next().unwrap_or_else(|| panic!("{name} {mode} {stamp} {face}"));
                assert_numbers(case, &["p50", "p90", "p99", "p999", "max", "floor_p50"]);
                assert_eq!((&case["rounds"], &case["lost"]), (&1.into(), &0.into()), "{case}");
                let calls = if mode == "loop" { 1_000_000 } else { 40 };
                assert_eq!(case["calls"], calls, "{case}");
                assert!(found.next().is_none(), "twice: {name} {mode} {stamp} {face}");
            }
        }
    }
    assert_eq!(cases.len(), 4 * 24 + 4);
    // A group to warm up, and two that count, of five cases in four ways.
    assert!(text.contains(" 1,200 records compared"), "{text}");
    let left: Vec<_> =
        fs::read_dir(root.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, ["run.json"]);
}

#[test]
fn modes_under_full_load_account_for_every_record() {
    let root = tempfile::tempdir().unwrap();
    let (text, run) = bench(
        root.path(),
        &["--calls", "2000", "--only", "saturated,two_threads", "--case", "int_int_double,no_args"],
    );
    let cases = run["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 2 * 2 * 4);
    let sum = |mode: &str, key: &str| -> u64 {
        let of_mode = cases.iter().filter(|case| case["mode"] == mode);
        of_mode.map(|case| case[key].as_u64().unwrap()).sum()
    };
    // The run succeeds only if what is missing in the journal is what the logger counted as lost.
    for (mode, threads) in [("saturated", 1), ("two_threads", 2)] {
        assert_eq!(sum(mode, "calls"), threads * 8 * 2_000, "{text}");
        let intact = threads * 8 * 2_020 - sum(mode, "lost");
        let table = text.split(&format!("\n{mode}, ns")).nth(1).unwrap();
        let compared = table.split(" records compared").next().unwrap();
        let compared = compared.rsplit(' ').next().unwrap().replace(',', "");
        assert_eq!(compared, intact.to_string(), "{mode}");
    }
}

#[test]
fn throughput_has_every_target_beside_its_control() {
    let root = tempfile::tempdir().unwrap();
    let json = root.path().join("run.json");
    let run = tapelog()
        .args(["bench", "--throughput-only", "--rounds", "1", "--seconds", "0.05", "--dir"])
        .arg(root.path())
        .arg("--json")
        .arg(&json)
        .output()
        .unwrap();
    let saved: Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    let cases = saved["throughput"].as_array().unwrap();
    let names = ["journal_mapped", "journal_plain", "text", "json", "all_three"];
    let expected: Vec<_> = names.iter().flat_map(|name| [(*name, 1), (*name, 2)]).collect();
    let found: Vec<_> = cases
        .iter()
        .map(|case| (case["name"].as_str().unwrap(), case["producers"].as_u64().unwrap()))
        .collect();
    assert_eq!(found, expected);
    let mut lost = 0;
    for case in cases {
        assert_numbers(case, &["records_per_s", "bytes_per_s", "control_bytes_per_s", "seconds"]);
        let [records, bytes] = ["records", "file_bytes"].map(|key| case[key].as_u64().unwrap());
        assert!(records > 0 && bytes >= 40 * records, "{case}");
        lost += case["lost"].as_u64().unwrap();
    }
    // A busy machine may keep a call waiting for more than it may wait: then the run says so.
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    let told = stderr(&run);
    assert_eq!(lost > 0, !told.is_empty(), "{told}");
    assert!(told.lines().all(|line| line.contains("refused and counted as lost")), "{told}");
}

#[test]
fn a_saved_run_compares_with_itself_and_makes_a_report() {
    let root = tempfile::tempdir().unwrap();
    let report = root.path().join("run.html");
    let report = report.to_str().unwrap();
    let options =
        ["--calls", "400", "--only", "saturated", "--case", "no_args", "--report", report];
    bench(root.path(), &options);
    let page = fs::read_to_string(report).unwrap();
    assert!(page.contains("no_args") && page.trim_end().ends_with("</html>"));
    let json = root.path().join("run.json");
    let same = tapelog().args(["bench", "--compare"]).arg(&json).arg(&json).output().unwrap();
    assert!(same.status.success(), "{}\n{}", stdout(&same), stderr(&same));
}

#[test]
fn wrong_arguments_are_refused_with_what_is_accepted() {
    let error = refused(&["--only", "batch21"], 2);
    assert!(error.contains("batch21") && error.contains("two_threads"), "{error}");
    let error = refused(&["--case", "nothing"], 2);
    assert!(error.contains("int_int_string40"), "{error}");
    let error = refused(&["--rounds", "0"], 2);
    assert!(error.contains("1..=1000"), "{error}");
    let error = refused(&["--seconds", "x"], 2);
    assert!(error.contains("0.01 to 60"), "{error}");
    let error = refused(&["--throughput-only", "--only", "cold"], 2);
    assert!(error.contains("cannot be used with"), "{error}");
    let error = refused(&["--producer-cpu", "1023"], 1);
    assert!(error.contains("processor 1023") && error.contains("--producer-cpu"), "{error}");
    let error = refused(&["--dir", "/proc/none"], 1);
    assert!(error.contains("/proc/none") && error.contains("--dir"), "{error}");
    let error = refused(&["--json", "/nonexistent/run.json", "--only", "cold"], 1);
    assert!(error.contains("/nonexistent/run.json"), "{error}");
}
