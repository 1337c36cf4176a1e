//! What the contract's tests share: defaults, refusals, children in a clean environment.

use std::fs;
use std::path::Path;
use std::process::Command;

use tapelog::reading::{Format, Journal};
use tapelog::{MetaLogger, Parameter, parameters};

use crate::support;

/// A parameter's value where nobody says anything, as a file would say it.
pub(crate) fn default_of(key: &str) -> String {
    let shown = MetaLogger::builder().code_only().configuration().unwrap().to_toml();
    let line = shown.lines().find_map(|line| line.strip_prefix(&format!("{key} = ")));
    let (value, origin) =
        line.unwrap_or_else(|| panic!("no {key} in {shown}")).split_once(" # ").unwrap();
    let known = parameters().iter().find(|parameter| parameter.key == key);
    let follows = known.and_then(Parameter::follows);
    let default =
        follows.map_or("the built-in default".to_owned(), |w| format!("the default: {w}"));
    assert_eq!(origin, default);
    value.trim().to_owned()
}

/// Each of these values is refused, with the key, the value and what is accepted.
pub(crate) fn assert_refused(key: &str, values: &[&str], accepted: &str) {
    assert!(!accepted.is_empty(), "every message holds the empty text");
    for value in values {
        let refused = MetaLogger::builder().code_only().set(key, value).configuration();
        let error = refused.err().unwrap_or_else(|| panic!("{key} = {value} is accepted"));
        let problem = error.problems().iter().find(|problem| problem.key == key);
        let problem = problem.unwrap_or_else(|| panic!("{error} does not name {key}"));
        assert!(!problem.value.is_empty() && problem.accepted.contains(accepted), "{problem}");
    }
}

/// The texts of lines without fields.
pub(crate) fn events(lines: &[String]) -> Vec<&str> {
    lines.iter().map(|line| line.splitn(3, "] ").nth(2).unwrap()).collect()
}

/// A journal's entries, as JSON.
pub(crate) fn journal(logs: &Path) -> String {
    let mut entries = Vec::new();
    let summary = Journal::open(logs).unwrap().write_to(Format::Json, &mut entries).unwrap();
    assert!(summary.is_intact(), "{summary:?}");
    String::from_utf8(entries).unwrap()
}

/// How many files below a directory hold `text`.
pub(crate) fn holders(directory: &Path, text: &str) -> usize {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let holds = |path: std::path::PathBuf| {
        if path.is_dir() {
            return holders(&path, text);
        }
        let bytes = fs::read(&path).unwrap();
        usize::from(bytes.windows(text.len()).any(|part| part == text.as_bytes()))
    };
    paths.map(holds).sum()
}

/// This program again, for `test` alone, without anything of ours in its environment.
pub(crate) fn child<F: Fn()>(test: F, role: &str) -> Command {
    let name = std::any::type_name_of_val(&test).split_once("::").unwrap().1;
    let mut command = support::child(name, role);
    for (variable, _) in std::env::vars_os() {
        let ours = ["TAPELOG_", "NO_COLOR"].iter();
        if ours.clone().any(|known| variable.to_string_lossy().starts_with(known)) {
            command.env_remove(variable);
        }
    }
    command
}

/// What a child showed on its console.
pub(crate) fn console(stderr: &[u8]) -> Vec<String> {
    let text = String::from_utf8(stderr.to_vec()).unwrap();
    text.lines().filter(|line| line.starts_with('[')).map(str::to_owned).collect()
}

/// A status line of each of the engine's threads in this process, by the thread's name.
pub(crate) fn of_threads(key: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for task in fs::read_dir("/proc/self/task").unwrap() {
        // A thread may end meanwhile.
        let Ok(status) = fs::read_to_string(task.unwrap().path().join("status")) else { continue };
        let line = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            line.unwrap().trim().to_owned()
        };
        if line("Name").starts_with("tapelog-") {
            found.push((line("Name"), line(key)));
        }
    }
    found.sort();
    found
}
