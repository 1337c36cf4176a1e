//! Goal: whatever a path, an argument or a file is called or holds, no command says a line that it made
//! up, and nothing in what is said commands a terminal.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use support::{stderr, stdout, tapelog};

/// A name that ends the line, says another one and clears the screen, in every way there is.
const HOSTILE: &str = "x\ntapelog: intact\r\u{1b}[2J\u{9b}2J\u{85}\u{2028}tapelog: intact\u{202e}y";
fn is_dangerous(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Asserts that the name stands in what a command said, in lines that are all its own.
fn assert_harmless(what: &str, run: &Output) {
    let (out, error) = (stdout(run), stderr(run));
    for line in out.split('\n').chain(error.split('\n')) {
        assert!(!line.contains(is_dangerous), "{what}: {line:?}");
        assert!(!line.starts_with("tapelog: intact"), "{what}: a forged line: {out}{error}");
    }
    assert!(format!("{out}{error}").contains("tapelog: intact"), "{what}: {out}{error}");
}

/// A string of TOML.
fn in_toml(text: &str) -> String {
    let inside: String = (text.chars())
        .map(|c| if is_dangerous(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() })
        .collect();
    format!("\"{inside}\"")
}

/// Runs a command in `directory`, which may end as it likes.
fn said(directory: &Path, arguments: &[&str]) -> Output {
    let run = tapelog().current_dir(directory).args(arguments).output().unwrap();
    assert_harmless(&arguments.join(" "), &run);
    run
}

/// Runs a command in `directory`, which must end with this code.
fn run(directory: &Path, arguments: &[&str], code: i32) -> Output {
    let run = said(directory, arguments);
    let what = arguments.join(" ");
    assert_eq!(run.status.code(), Some(code), "{what}: {}{}", stdout(&run), stderr(&run));
    run
}

#[test]
fn row_16_a_path_that_leads_nowhere_forges_no_line() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("file"), "").unwrap();
    let inside = format!("file/{HOSTILE}");
    for (arguments, code) in [
        (&["verify", HOSTILE][..], 1),
        (&["cat", HOSTILE], 1),
        (&["recover", HOSTILE], 1),
        (&["config", "show", "--file", HOSTILE], 1),
        (&["config", "check", "--file", HOSTILE], 1),
        (&["doctor", "--file", HOSTILE], 1),
        (&["demo", "--dir", &inside], 1),
        (&["demo", "--feed", HOSTILE], 1),
        (&["tune", "--feed", HOSTILE], 1),
        (&["tune", "--from-journal", HOSTILE], 1),
        (&["new", "bot", "--path", HOSTILE], 1),
        (&["new", "bot", "--tapelog-path", HOSTILE], 1),
        (&["new", HOSTILE], 1),
        (&["bench", "--dir", &inside], 1),
        (&["bench", "--json", &inside], 1),
        (&["bench", "--compare", HOSTILE, "file"], 2),
    ] {
        run(root.path(), arguments, code);
    }
    // Its exit code says how it stands with this machine.
    for arguments in [&[HOSTILE][..], &[&inside], &[".", "--ring-dir", HOSTILE]] {
        for form in [&[][..], &["--json"]] {
            said(root.path(), &[&["doctor"], arguments, form].concat());
        }
    }
}

#[test]
fn row_16_an_argument_that_is_none_forges_no_line() {
    let root = tempfile::tempdir().unwrap();
    let option = format!("--{HOSTILE}");
    for arguments in [
        &[HOSTILE][..],
        &["verify", "logs", HOSTILE],
        &["verify", "logs", &option],
        &["demo", "--speed", HOSTILE],
        &["cat", "logs", "--output", HOSTILE],
        &["cat", "logs", "--enterprise-number", HOSTILE],
        &["bench", "--case", HOSTILE],
        &["config", "check", "--code", "log_level=loud", HOSTILE],
    ] {
        run(root.path(), arguments, 2);
    }
}

#[test]
fn row_16_a_log_directory_forges_no_line_wherever_it_is_told() {
    let root = tempfile::tempdir().unwrap();
    let here = root.path();
    let demo = run(here, &["demo", "--messages", "2000", "--dir", HOSTILE], 0);
    // What it advises to do next is what a shell takes for this directory.
    let told = stdout(&demo);
    let follow = told.lines().find_map(|line| line.strip_prefix("  tail -F ")).unwrap();
    let mut shell = std::process::Command::new("bash");
    let found = shell.current_dir(here).args(["-c", &format!("test -f {follow}")]).status();
    assert!(found.unwrap().success(), "{follow}");

    let verify = tapelog().current_dir(here).args(["verify", HOSTILE]).output().unwrap();
    assert!(stdout(&verify).contains("intact: "), "{}", stderr(&verify));
    let noise = format!("{HOSTILE}/journal/00000000000000000009.tape");
    fs::create_dir(here.join(&noise)).unwrap();
    for command in ["cat", "verify"] {
        let run = tapelog().current_dir(here).args([command, HOSTILE]).output().unwrap();
        for line in stdout(&run).split('\n').chain(stderr(&run).split('\n')) {
            assert!(!line.contains(is_dangerous), "{command}: {line:?}");
            assert!(!line.starts_with("tapelog: intact"), "{command}: {line}");
        }
    }
    // A file where a directory is wanted, in it.
    let file = format!("{HOSTILE}/expert.log");
    for command in ["verify", "cat", "recover"] {
        run(here, &[command, &file], 1);
    }
}

#[test]
fn row_16_a_recorded_feed_forges_no_line_by_its_name() {
    let root = tempfile::tempdir().unwrap();
    let feed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/feed/trades");
    fs::copy(feed, root.path().join(HOSTILE)).unwrap();
    run(root.path(), &["demo", "--feed", HOSTILE], 0);
    // What is proven of so small a load is no matter here.
    said(root.path(), &["tune", "--feed", HOSTILE]);
    said(root.path(), &["tune", "--feed", HOSTILE, "--json"]);
}

#[test]
fn row_16_what_a_configuration_holds_forges_no_line() {
    let root = tempfile::tempdir().unwrap();
    let hostile = in_toml(HOSTILE);
    fs::write(root.path().join(HOSTILE), format!("log_dir = {hostile}\n")).unwrap();
    let shown = run(root.path(), &["config", "show", "--file", HOSTILE], 0);
    let read: toml::Table = stdout(&shown).parse().unwrap();
    let log_dir = read["log_dir"].as_str().unwrap();
    assert!(log_dir.ends_with(HOSTILE), "what is shown is the same: {log_dir:?}");

    let climbs = in_toml(&format!("../{HOSTILE}"));
    let wrong = format!("{hostile} = 1\nlog_level = {hostile}\nlog_file = {climbs}\n");
    fs::write(root.path().join("wrong.toml"), wrong).unwrap();
    let told = run(root.path(), &["config", "check", "--file", "wrong.toml"], 1);
    let told = stderr(&told);
    assert!(told.starts_with("tapelog: wrong log configuration, 3 problems:\n"), "{told}");
    assert_eq!(told.lines().filter(|line| line.starts_with("  ")).count(), 3, "{told}");
    assert_eq!(told.lines().count(), 4, "{told}");
    // The same as the cause of another error.
    let told = run(root.path(), &["recover", ".", "--file", "wrong.toml"], 1);
    assert_eq!(stderr(&told).lines().count(), 4, "{}", stderr(&told));
}

#[test]
fn row_16_a_saved_run_forges_no_line_when_it_is_compared() {
    let root = tempfile::tempdir().unwrap();
    let json = root.path().join("old.json");
    let measured = tapelog()
        .args(["bench", "--quick", "--rounds", "1", "--calls", "20", "--only", "batch20"])
        .args(["--case", "no_args", "--json"])
        .arg(&json)
        .output()
        .unwrap();
    assert!(measured.status.success(), "{}", stderr(&measured));
    let mut old: Value = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    let mut save = |name: &str, change: &dyn Fn(&mut Value)| {
        change(&mut old);
        fs::write(root.path().join(name), old.to_string()).unwrap();
    };
    // The same case in both runs, one in each alone, problems, and another machine.
    save("old.json", &|run| {
        run["cases"][0]["name"] = HOSTILE.into();
        run["cases"][1]["name"] = format!("{HOSTILE} gone").into();
    });
    save("new.json", &|run| {
        run["cases"][1]["name"] = format!("{HOSTILE} new").into();
        run["problems"] = json!([HOSTILE]);
        run["machine"]["cpu"] = HOSTILE.into();
    });
    let told = stdout(&run(root.path(), &["bench", "--compare", "old.json", "new.json"], 0));
    for part in ["gone ", "new ", "is no proof: ", "another processor: "] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(told.lines().any(|line| line.starts_with(r"x\ntapelog: intact")), "{told}");
    // What cannot be compared names the case, too.
    save("senseless.json", &|run| run["cases"][0]["round_p50"] = json!([]));
    let told = run(root.path(), &["bench", "--compare", "old.json", "senseless.json"], 2);
    assert!(stderr(&told).contains("no times of its rounds"), "{}", stderr(&told));
}
