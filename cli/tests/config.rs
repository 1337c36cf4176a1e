//! `tapelog config`, with a real environment and real arguments.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

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
fn what_nobody_set_is_shown_with_what_it_follows() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let shown =
        tapelog(here, &["show", "--log-level", "debug", "--structured-logging", "true"], &[]);
    for (key, value, origin) in [
        ("log_level", "\"debug\"", "the argument --log-level"),
        ("console_level", "\"debug\"", "the default: log_level"),
        ("syslog_level", "\"debug\"", "the default: log_level"),
        (
            "journal_level",
            "\"debug\"",
            "the default: the lowest of log_level, console_level and, with syslog, syslog_level",
        ),
        ("log_format", "\"json\"", "the default: text, or json with structured_logging"),
        ("nap", "\"50us\"", "the built-in default"),
    ] {
        let told = line(&shown, key);
        let (setting, told_origin) = told.split_once(" # ").unwrap();
        assert_eq!((setting.trim(), told_origin), (&*format!("{key} = {value}"), origin));
    }
    for (key, place) in [("ring_dir", "/dev/shm/"), ("hostname", "the name of the machine")] {
        let told = line(&shown, key);
        assert!(told.contains(&format!(" # the default: {place}")), "{told}");
    }
    // A value that follows another is never said to be built in.
    let shown = text(&shown.stdout);
    let lines = shown.lines().filter_map(|line| line.split_once(" = ").map(|(key, _)| (key, line)));
    for (key, line) in lines.filter(|(key, _)| !key.starts_with('#')) {
        let known = tapelog::parameters().iter().find(|known| known.key == key).unwrap();
        assert!(known.follows().is_none() || !line.contains("built-in"), "{line}");
    }
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
    let beside = "# And 68KiB beside them: .tapelog.lock 4KiB, journal/views.cursor 64KiB.";
    assert!(toml.contains(beside), "{toml}");
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
        "nap = \"1h\" (from desk.toml, line 3): accepted is 1 µs to 1 ms",
        "TAPELOG_IDLE",
    ] {
        assert!(told.contains(expected), "{expected} is not in {told}");
    }
    assert_eq!(tapelog(here, &["check", "--no-such"], &[]).status.code(), Some(2));
    for command in ["check", "show"] {
        let missing = tapelog(here, &[command, "--file", "none.toml"], &[]);
        assert_eq!(missing.status.code(), Some(1));
        let told = text(&missing.stderr);
        let expected = "configuration file = \"none.toml\" (from the argument --file): it cannot";
        assert!(told.contains(expected), "{told}");
    }
    let unknown = tapelog(here, &["check", "--log-levl", "info"], &[]);
    assert!(text(&unknown.stderr).contains("--log-level"), "{}", text(&unknown.stderr));
}

#[test]
fn row_17_a_pipe_in_the_place_of_the_file_is_refused_at_once_by_every_command() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("desk.toml");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
    let commands = [&["config", "show"][..], &["config", "check"], &["doctor"]];
    for command in commands {
        let mut run = assert_cmd::Command::new(cargo_bin("tapelog"));
        run.current_dir(&directory).args(command).args(["--file", "desk.toml"]);
        let refused = run.timeout(Duration::from_secs(120)).output().unwrap();
        let told = text(&refused.stderr);
        let expected = "(from the argument --file): it is a named pipe";
        assert!(refused.status.code().is_some() && told.contains(expected), "{told}");
    }
    println!("row 17: {} commands refuse a pipe", commands.len());
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

/// Whether the schema accepts each of these files; `None`, with a reason printed, where there is no
/// validator.
fn judged(files: &[String]) -> Option<Vec<bool>> {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let import = Command::new("python3").args(["-c", "import jsonschema, tomllib"]).output();
    if !import.is_ok_and(|output| output.status.success()) {
        let why = "python3 has no module jsonschema (pip install jsonschema)";
        let _told = writeln!(std::io::stderr(), "skipped: {why}");
        return None;
    }
    fs::write(here.join("schema.json"), tapelog(here, &["schema"], &[]).stdout).unwrap();
    fs::write(here.join("files.json"), serde_json::to_string(files).unwrap()).unwrap();
    let validated = Command::new("python3")
        .current_dir(here)
        .args(["-c", VALIDATE, "schema.json", "files.json"])
        .output()
        .unwrap();
    assert!(validated.status.success(), "{}", text(&validated.stderr));
    let answers: Vec<_> = text(&validated.stdout).lines().map(|line| line == "yes").collect();
    assert_eq!(answers.len(), files.len());
    Some(answers)
}

#[test]
fn the_schema_accepts_what_is_right() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let schema: Value = serde_json::from_slice(&tapelog(here, &["schema"], &[]).stdout).unwrap();
    let properties = &schema["$defs"]["configuration"]["properties"];
    assert_eq!(properties.as_object().unwrap().len(), tapelog::parameters().len());
    let shown = text(&tapelog(here, &["show"], &[]).stdout);
    let mut files = vec![shown.clone(), format!("[tapelog]\n{shown}")];
    let examples = tapelog::parameters().iter();
    files.extend(examples.map(|known| format!("{} = {}", known.key, known.example)));
    for preset in ["none", "development", "Production", "backtesting", "ultra_low_latency"] {
        files.push(format!("preset = \"{preset}\""));
        files.push(text(&tapelog(here, &["show", "--preset", preset], &[]).stdout));
    }
    let more = [
        "",
        "nap = 0",
        "log_level = \"WARN\"",
        "ring_bytes = \"16 MB\"",
        "x = 1\n[tapelog]",
        "log_to_console = \"off\"",
        "log_backup_count = \"7\"",
        "file_mode = \"0640\"",
        "facility = 23",
        "sync = \"interval(1s)\"",
        "overflow = \"Block\"",
        "mask_keys = \"pin,-token\"",
        "shutdown_timeout = \"1h 30s\"",
    ];
    files.extend(more.map(str::to_owned));
    let Some(answers) = judged(&files) else { return };
    for (file, accepted) in files.iter().zip(answers) {
        assert!(accepted, "{file}");
    }
    println!("{} right files", files.len());
}

/// Wrong values of single parameters that no schema finds wrong, because they stand in a relation to
/// others or have a grammar of their own.
const ONLY_THE_PROGRAM_KNOWS: &[&str] = &[
    "log_name=",
    "log_name=two words",
    "log_name=a-name-that-is-much-longer-than-the-48-characters-of-the-rfc",
    "log_filter=my_bot=loud",
    "log_filter=risk-desk=info",
    "log_file=../expert.log",
    "log_file=trades.log",
    "trade_log_file=expert.log.3",
    "error_log_file=journal/errors.log",
    "log_to_file=false log_to_console=false",
    "structured_logging=true log_format=logfmt",
    "text_pattern=%(evnt)",
    "text_pattern=%(time",
    "text_pattern=%(level:wide)",
    "log_max_file_size=2GiB",
    "ring_bytes=1000000",
    "ring_bytes=64KiB",
    "block_bytes=5000",
    "block_bytes=2MiB",
    "block_bytes=1MiB",
    "block_bytes=1MiB ring_bytes=8MiB",
    "reserve_blocks=1000",
    "ring_dir=dev/shm",
    "overflow=block(6ms)",
    "overflow=block(2)",
    "journal_segment_bytes=1000000",
    "journal_segment_bytes=2GiB",
    "nap=0",
    "order_window=2s",
    "sync=interval(1ms)",
    "metrics_interval=50ms",
    "latency_warning=2h",
    "mask_keys=---",
    "mask_keys=pin:9",
    "mask_patterns=(a",
    "mask_patterns=a*",
    "hostname=desk 7",
    "syslog=udp:desk",
    "syslog=tcp://desk:port",
    "syslog=http://127.0.0.1",
    "syslog=unix:dev/log",
];

/// The cases of `tests/config/wrong_values.txt` as files.
fn wrong_cases() -> Vec<(String, String)> {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/config/wrong_values.txt");
    let golden = fs::read_to_string(golden).unwrap();
    let cases = golden.lines().filter(|line| !line.starts_with(' '));
    let file = |case: &str| {
        let mut settings: Vec<(String, String)> = Vec::new();
        for part in case.split(' ') {
            match (part.split_once('='), settings.last_mut()) {
                (Some((key, value)), _) => settings.push((key.to_owned(), value.to_owned())),
                (None, Some((_, value))) => *value += &format!(" {part}"),
                (None, None) => panic!("{case}"),
            }
        }
        let line = |(key, value): &(String, String)| match value.parse::<i64>() {
            Ok(number) if number.to_string() == *value => format!("{key} = {number}\n"),
            _ => format!("{key} = {value:?}\n"),
        };
        settings.iter().map(line).collect()
    };
    cases.map(|case| (case.to_owned(), file(case))).collect()
}

#[test]
fn the_schema_refuses_what_is_wrong() {
    let mut cases = wrong_cases();
    assert!(cases.len() >= 60);
    let types = [
        "mlock = 3",
        "ring_bytes = 1",
        "nap = 50",
        "facility = 24",
        "journal_segments = 2",
        "mask_keys = [3]",
        "log_dir = 7",
        "log_level = 1979-05-27",
        "log_backup_count = -1",
        "log_backup_count = 1.5",
        "file_mode = 0o400",
        "dir_mode = 0o600",
        "dir_mode = \"0640\"",
        "[tapelog]\nlog_levl = \"info\"",
    ];
    cases.extend(types.map(|file| (file.to_owned(), file.to_owned())));
    let files: Vec<_> = cases.iter().map(|(_, file)| file.clone()).collect();
    let Some(answers) = judged(&files) else { return };
    let accepted: Vec<_> = cases.iter().zip(answers).filter(|(_, accepted)| *accepted).collect();
    let accepted: Vec<_> = accepted.iter().map(|((case, _), _)| case.as_str()).collect();
    println!(
        "{} wrong files, {} of them for the program alone to find",
        cases.len(),
        accepted.len()
    );
    assert_eq!(accepted, ONLY_THE_PROGRAM_KNOWS);
}
