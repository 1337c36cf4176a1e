//! `tapelog config`, with a real environment and real arguments.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use assert_cmd::cargo::cargo_bin;
use serde_json::Value;

fn tapelog(directory: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(cargo_bin("tapelog"));
    command.current_dir(directory).arg("config").args(arguments);
    let ours =
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TAPELOG_"));
    for (name, _) in ours {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The line of a parameter.
fn line(output: &Output, key: &str) -> String {
    let shown = text(&output.stdout);
    let found = shown.lines().find(|line| line.starts_with(&format!("{key} = ")));
    found.unwrap_or_else(|| panic!("no {key} in {shown}{}", text(&output.stderr))).to_owned()
}

#[test]
fn both_precedence_rules_hold_with_a_real_environment_and_real_arguments() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    fs::write(here.join("tapelog.toml"), "log_level = \"warning\"\n").unwrap();
    let variable = [("TAPELOG_LOG_LEVEL", "debug")];
    let default = ["show", "--code-default", "log_level=critical"];

    let shown = tapelog(here, &default, &[]);
    assert!(line(&shown, "log_level").contains("\"warning\""), "the file over code defaults");
    let shown = tapelog(here, &default, &variable);
    let told = line(&shown, "log_level");
    assert!(told.contains("\"debug\"") && told.contains("TAPELOG_LOG_LEVEL"), "{told}");

    let code = ["show", "--code", "log_level=error"];
    let shown = tapelog(here, &code, &variable);
    let told = line(&shown, "log_level");
    assert!(told.contains("\"error\"") && told.contains("the program's code"), "{told}");
    let warned = text(&shown.stderr);
    assert_eq!(warned.matches("TAPELOG_LOG_LEVEL").count(), 1, "{warned}");
    assert!(warned.contains("log_level = \"error\""), "{warned}");

    let all = ["show", "--code", "log_level=error", "--log-level", "trace"];
    let shown = tapelog(here, &all, &variable);
    let told = line(&shown, "log_level");
    assert!(told.contains("\"trace\"") && told.contains("the argument --log-level"), "{told}");
    assert!(shown.stderr.is_empty(), "{}", text(&shown.stderr));
}

#[test]
fn what_is_shown_is_toml_and_says_the_bound_of_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let shown = tapelog(here, &["show", "--log-backup-count", "1"], &[]);
    let toml = text(&shown.stdout);
    let table: toml::Table = toml::from_str(&toml).unwrap();
    assert_eq!(table["log_backup_count"].as_integer(), Some(1));
    assert_eq!(table["log_max_file_size"].as_str(), Some("10MiB"));
    assert_eq!(table.len(), tapelog::parameters().len());
    assert!(toml.contains("# On the disk at most 188MiB: logs 60MiB, journal 128MiB."), "{toml}");
    fs::write(here.join("tapelog.toml"), &toml).unwrap();
    assert!(tapelog(here, &["check"], &[]).status.success());
}

#[test]
fn check_says_right_or_wrong_by_its_exit_code() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    assert_eq!(tapelog(here, &["check"], &[]).status.code(), Some(0));
    let wrong = "[tapelog]\nlog_levl = \"info\"\nnap = \"1h\"\n";
    fs::write(here.join("desk.toml"), wrong).unwrap();
    let refused = tapelog(here, &["check", "--file", "desk.toml"], &[("TAPELOG_IDLE", "sleep")]);
    assert_eq!(refused.status.code(), Some(1));
    let told = text(&refused.stderr);
    for expected in [
        "3 problems",
        "log_levl = \"info\" (from desk.toml, line 2)",
        "did you mean log_level?",
        "nap = \"1h\"",
        "1 µs to 1 ms",
        "TAPELOG_IDLE",
    ] {
        let hour = expected == "nap = \"1h\"" && told.contains("nap = \"3600s\"");
        assert!(hour || told.contains(expected), "{expected} is not in {told}");
    }
    assert_eq!(tapelog(here, &["check", "--no-such"], &[]).status.code(), Some(2));
    let missing = tapelog(here, &["check", "--file", "none.toml"], &[]);
    assert_eq!(missing.status.code(), Some(1));
    let unknown = tapelog(here, &["check", "--log-levl", "info"], &[]);
    assert!(text(&unknown.stderr).contains("--log-level"), "{}", text(&unknown.stderr));
}

/// What the schema's validator, which nobody here wrote, is asked: does it accept each file?
const VALIDATE: &str = r#"
import json, sys, tomllib
import jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
for text in json.load(open(sys.argv[2])):
    print("yes" if validator.is_valid(tomllib.loads(text)) else "no")
"#;

#[test]
fn the_schema_accepts_what_is_right_and_refuses_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let schema = text(&tapelog(here, &["schema"], &[]).stdout);
    let parsed: Value = serde_json::from_str(&schema).unwrap();
    let properties = &parsed["$defs"]["configuration"]["properties"];
    assert_eq!(properties.as_object().unwrap().len(), tapelog::parameters().len());
    let import = Command::new("python3").args(["-c", "import jsonschema, tomllib"]).output();
    if !import.is_ok_and(|output| output.status.success()) {
        return eprintln!("skipped: python3 has no module jsonschema (pip install jsonschema)");
    }
    let shown = text(&tapelog(here, &["show"], &[]).stdout);
    let mut cases = vec![(shown.clone(), true), (format!("[tapelog]\n{shown}"), true)];
    cases.extend(
        tapelog::parameters()
            .iter()
            .map(|known| (format!("{} = {}", known.key, known.example), true)),
    );
    let more_right =
        ["nap = 0", "log_level = \"WARN\"", "ring_bytes = \"16 MB\"", "x = 1\n[tapelog]"];
    cases.extend(more_right.map(|text| (text.to_owned(), true)));
    let wrong = [
        "log_level = \"loud\"",
        "log_levl = \"info\"",
        "mlock = 3",
        "ring_bytes = \"big\"",
        "ring_bytes = 1",
        "nap = 50",
        "idle = \"sleep\"",
        "overflow = \"blok\"",
        "file_mode = \"rw\"",
        "[tapelog]\nlog_levl = \"info\"",
        "facility = 24",
        "journal_segments = 2",
        "sync = \"always\"",
        "log_max_file_size = \"10 megabytes\"",
        "mask_keys = [3]",
        "log_dir = 7",
    ];
    cases.extend(wrong.map(|text| (text.to_owned(), false)));
    let files: Vec<&str> = cases.iter().map(|(text, _)| text.as_str()).collect();
    fs::write(here.join("schema.json"), &schema).unwrap();
    fs::write(here.join("files.json"), serde_json::to_string(&files).unwrap()).unwrap();
    let validated = Command::new("python3")
        .current_dir(here)
        .args(["-c", VALIDATE, "schema.json", "files.json"])
        .output()
        .unwrap();
    assert!(validated.status.success(), "{}", text(&validated.stderr));
    let answers = text(&validated.stdout);
    assert_eq!(answers.lines().count(), cases.len());
    for ((case, right), answer) in cases.iter().zip(answers.lines()) {
        assert_eq!(answer == "yes", *right, "{case}");
    }
}
