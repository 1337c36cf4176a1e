//! Goal: `tapelog doctor` judges a machine and a log directory, lists rings by their state, and
//! removes only what nobody can use any more.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use support::{stderr, stdout, tapelog};
use tapelog::MetaLogger;

/// A log directory, and a directory on tmpfs for rings.
struct Place {
    root: tempfile::TempDir,
    memory: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let named = tempfile::Builder::new().prefix("tapelog-test-").tempdir_in("/dev/shm");
        Place { root: tempfile::tempdir().unwrap(), memory: named.unwrap() }
    }

    fn logs(&self) -> PathBuf {
        self.root.path().join("logs")
    }

    fn rings(&self) -> PathBuf {
        self.memory.path().join("rings")
    }

    fn doctor(&self, arguments: &[&str]) -> Output {
        let mut command = tapelog();
        command.current_dir(self.root.path()).arg("doctor").arg(self.logs());
        command.arg("--ring-dir").arg(self.rings()).args(arguments).output().unwrap()
    }

    fn report(&self, arguments: &[&str]) -> Value {
        let run = self.doctor(&[&["--json"], arguments].concat());
        let report: Value = serde_json::from_str(&stdout(&run)).unwrap();
        let problems = report["problems"].as_u64().unwrap();
        let expected = if problems == 0 { 0 } else { 3 };
        assert_eq!(run.status.code(), Some(expected), "{report:#}\n{}", stderr(&run));
        report
    }
}

/// The worst verdict of a check.
fn verdict<'a>(report: &'a Value, check: &str) -> &'a str {
    let findings = report["findings"].as_array().unwrap().iter();
    let verdicts = findings.filter(|found| found["check"] == check);
    let verdicts: Vec<_> = verdicts.map(|found| found["verdict"].as_str().unwrap()).collect();
    ["problem", "note", "ok"].into_iter().find(|verdict| verdicts.contains(verdict)).unwrap()
}

fn states(report: &Value) -> Vec<&str> {
    let rings = report["rings"].as_array().unwrap().iter();
    rings.map(|ring| ring["state"].as_str().unwrap()).collect()
}

#[test]
fn every_check_has_a_verdict_and_a_bad_place_is_a_problem() {
    let place = Place::new();
    let report = place.report(&[]);
    for check in [
        "clock",
        "cores",
        "swap",
        "RemoveIPC",
        "memlock",
        "nofile",
        "fsize",
        "tmpfs",
        "ring_dir",
        "file system",
        "free space",
        "log_dir",
        "journal",
    ] {
        verdict(&report, check);
    }
    assert_eq!(verdict(&report, "log_dir"), "ok");
    fs::create_dir(place.logs()).unwrap();
    fs::set_permissions(place.logs(), fs::Permissions::from_mode(0o777)).unwrap();
    symlink("/etc/passwd", place.logs().join("expert.log")).unwrap();
    let report = place.report(&[]);
    assert_eq!((verdict(&report, "log_dir"), verdict(&report, "log")), ("problem", "problem"));
    let text = stdout(&place.doctor(&[]));
    assert!(text.contains("PROBLEM  log_dir: ") && text.contains("chmod go-w"), "{text}");
    assert!(text.contains("expert.log is a symbolic link"), "{text}");
}

#[test]
fn a_living_ring_stays_and_a_dead_one_goes_only_by_force() {
    let place = Place::new();
    let builder = MetaLogger::builder().code_only().log_dir(place.logs()).log_to_console(false);
    let (_log, guard) = builder.ring_dir(place.rings()).build().unwrap();
    let ring = only_file(&place.rings());
    // As a killed process leaves it: the same bytes, and no lock.
    let copy = place.memory.path().join("copy");
    fs::copy(&ring, &copy).unwrap();
    let report = place.report(&["--clean", "--force"]);
    assert_eq!((states(&report), ring.exists()), (vec!["alive"], true));
    drop(guard);
    assert!(states(&place.report(&[])).is_empty());

    fs::rename(&copy, &ring).unwrap();
    let aside = place.rings().join("1-0000000000000001.ring.aside");
    let foreign = place.rings().join("2-0000000000000002.ring");
    fs::write(&aside, "unreadable").unwrap();
    fs::write(&foreign, "no ring at all").unwrap();
    let report = place.report(&[]);
    let mut found = states(&report);
    found.sort_unstable();
    assert_eq!(found, ["dead", "foreign", "set aside"]);
    assert_eq!(verdict(&report, "rings"), "note");
    let text = stdout(&place.doctor(&["--clean"]));
    assert!(text.contains(&format!("tapelog recover {}", place.logs().display())), "{text}");
    assert!(ring.exists() && !aside.exists() && !foreign.exists(), "{text}");
    place.report(&["--clean", "--force"]);
    assert!(!ring.exists());
}

#[test]
fn row_02_a_ring_that_was_never_finished_is_listed_and_cleaned_unless_somebody_makes_it() {
    let place = Place::new();
    fs::create_dir(place.rings()).unwrap();
    let stray = |name: &str, age_s: u64| {
        let path = place.rings().join(name);
        fs::write(&path, vec![0; 4096]).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(age_s)).unwrap();
        (path, file)
    };
    let (old, _) = stray("1-0000000000000001.ring.new", 60);
    let (young, _) = stray("2-0000000000000002.ring.new", 0);
    let (locked, lock) = stray("3-0000000000000003.ring.new", 60);
    lock.lock().unwrap();
    let report = place.report(&[]);
    assert_eq!(states(&report), ["unfinished", "alive"]);
    assert_eq!(verdict(&report, "rings"), "note");
    place.report(&["--clean", "--force"]);
    assert_eq!([old.exists(), young.exists(), locked.exists()], [false, true, true]);
}

#[test]
fn row_17_what_is_no_plain_file_among_the_rings_is_told_and_left_alone() {
    let place = Place::new();
    fs::create_dir(place.rings()).unwrap();
    let target = place.memory.path().join("target");
    fs::write(&target, "precious").unwrap();
    symlink(&target, place.rings().join("1-0000000000000001.ring")).unwrap();
    fs::hard_link(&target, place.rings().join("2-0000000000000002.ring.aside")).unwrap();
    fs::create_dir(place.rings().join("3-0000000000000003.ring")).unwrap();
    let report = place.report(&["--clean", "--force"]);
    assert_eq!(states(&report), ["refused"; 3]);
    assert_eq!(fs::read_dir(place.rings()).unwrap().count(), 3);
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
    let text = stdout(&place.doctor(&[]));
    assert!(text.contains("a symbolic link stands there; it is neither read"), "{text}");
    println!("row 17: {} things that are no plain files are left alone", states(&report).len());
}

fn only_file(directory: &Path) -> PathBuf {
    let mut files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let file = files.next().unwrap();
    assert!(files.next().is_none());
    file
}

#[test]
fn force_needs_clean_and_a_wrong_configuration_is_told() {
    let place = Place::new();
    assert_eq!(place.doctor(&["--force"]).status.code(), Some(2));
    let file = place.root.path().join("wrong.toml");
    fs::write(&file, "log_levle = \"info\"\n").unwrap();
    let run = place.doctor(&["--file", file.to_str().unwrap()]);
    assert_eq!(run.status.code(), Some(1));
    assert!(stderr(&run).contains("log_levle"), "{}", stderr(&run));
}
