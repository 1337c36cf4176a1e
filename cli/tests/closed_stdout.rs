//! Goal: who reads stdout may have gone, as `head` does: no command panics, and its exit code tells
//! what it tells anyway. What comes from names stays in its line.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs a command whose stdout is a pipe that nobody reads.
fn unread(directory: &Path, arguments: &[&str]) -> Output {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tapelog"));
    command.env_remove("CARGO").current_dir(directory).args(arguments);
    command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap()
}

#[test]
fn row_13_no_command_panics_when_nobody_reads_what_it_says() {
    let root = tempfile::tempdir().unwrap();
    for (arguments, code) in [
        (&["demo", "--dir", "logs"][..], 0),
        (&["demo", "--crash", "--dir", "crashed"], 0),
        (&["recover", "logs"], 0),
        (&["cat", "logs"], 0),
        (&["verify", "logs"], 0),
        (&["config", "show"], 0),
        (&["config", "check"], 0),
        (&["config", "schema"], 0),
        (&["config", "check", "--code", "log_level=loud"], 1),
        (&["new", "my-bot"], 0),
    ] {
        let run = unread(root.path(), arguments);
        let stderr = String::from_utf8_lossy(&run.stderr);
        assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
        assert_eq!(run.status.code(), Some(code), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_wrong_configuration_is_told_without_its_control_characters() {
    let root = tempfile::tempdir().unwrap();
    let run = unread(root.path(), &["config", "check", "--code", "log_level=\u{1b}[2Jloud"]);
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("[2Jloud") && !stderr.contains('\u{1b}'), "{stderr:?}");
    // A warning: the environment has a variable that is none of ours.
    let mut command = Command::new(env!("CARGO_BIN_EXE_tapelog"));
    command.env("TAPELOG_X\u{1b}[2J", "1").current_dir(root.path()).args(["config", "check"]);
    let run = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert!(stderr.contains("warning") && stderr.contains("[2J"), "{stderr:?}");
    assert!(!stderr.contains('\u{1b}'), "{stderr:?}");
}
