//! The test programs: built once, by cargo, and found by what cargo says of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::sources::{Program, Test, root};

/// Builds the programs of these tests; gives where each of them is.
///
/// # Errors
/// What cargo could not do.
pub(crate) fn build(tests: &[&Test]) -> Result<BTreeMap<Program, PathBuf>, String> {
    let programs: BTreeSet<Program> = tests.iter().map(|test| test.program()).collect();
    let packages: BTreeSet<&str> = programs.iter().map(|program| program.package).collect();
    let mut built = BTreeMap::new();
    for package in packages {
        let wanted = programs.iter().filter(|program| program.package == package);
        let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
        cargo.current_dir(root()).args(["test", "--release", "--no-run", "-p", package]);
        cargo.arg("--message-format=json-render-diagnostics");
        for program in wanted.clone() {
            match &program.name {
                Some(name) => cargo.args(["--test", name]),
                None => cargo.arg("--lib"),
            };
        }
        let output = cargo.stderr(Stdio::inherit()).output();
        let output = output.map_err(|error| format!("cargo cannot be run: {error}"))?;
        if !output.status.success() {
            return Err(format!("the test programs of {package} do not build"));
        }
        let found = executables(&String::from_utf8_lossy(&output.stdout));
        for program in wanted {
            let name = program.name.as_deref().unwrap_or(package);
            let path = found.get(name).ok_or_else(|| format!("cargo built no {name}"))?;
            built.insert(program.clone(), path.clone());
        }
    }
    Ok(built)
}

/// The test programs among what cargo says to have built, by their names.
fn executables(messages: &str) -> BTreeMap<String, PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program = |message: Value| {
        let is_test = message["profile"]["test"] == true;
        let path = message["executable"].as_str().filter(|_| is_test)?;
        Some((message["target"]["name"].as_str()?.to_owned(), PathBuf::from(path)))
    };
    messages.filter_map(program).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_programs_are_found_in_what_cargo_says() {
        let messages = r#"
{"reason":"compiler-artifact","target":{"name":"sync"},"profile":{"test":true},"executable":"/t/sync-1"}
{"reason":"compiler-artifact","target":{"name":"tapelog"},"profile":{"test":false},"executable":"/t/tapelog"}
{"reason":"compiler-artifact","target":{"name":"tapelog"},"profile":{"test":false},"executable":null}
{"reason":"build-finished","success":true}"#;
        let found = executables(messages);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [("sync".into(), "/t/sync-1".into())]);
    }
}
