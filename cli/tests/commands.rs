//! Every command that the documents show is one that `tapelog` understands, and every example and
//! test that they name to cargo is there.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use assert_cmd::cargo::cargo_bin;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The lines of code of a document: of its blocks, and what stands between two marks in its text.
fn code(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with("```") {
            inside = !inside;
        } else if inside {
            let command = line.split(" #").next().unwrap_or_default();
            found.push(command.trim().to_owned());
        } else {
            // What one mark opens and another closes on the same line.
            let parts: Vec<_> = line.split('`').collect();
            let spans = parts[..parts.len() - 1].iter().skip(1).step_by(2);
            found.extend(spans.map(|span| (*span).to_owned()));
        }
    }
    found
}

fn documents() -> Vec<(PathBuf, Vec<String>)> {
    let directories = ["", "docs", "docs/guides"].map(|directory| root().join(directory));
    let files = directories.iter().flat_map(|directory| fs::read_dir(directory).unwrap());
    let files = files.map(|file| file.unwrap().path());
    let texts = files.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    texts.map(|path| (path.clone(), code(&fs::read_to_string(path).unwrap()))).collect()
}

/// The arguments of a line that calls `tapelog`, if it is one.
fn arguments(line: &str) -> Option<&str> {
    let starts = ["tapelog ", "cargo run --release -- "];
    let arguments = starts.iter().find_map(|start| line.strip_prefix(start))?;
    // Neither a dependency, nor a project that `tapelog new` wrote, with arguments of its own.
    (!arguments.starts_with(['=', '-'])).then_some(arguments)
}

#[test]
fn every_command_of_the_documents_is_understood() {
    let mut count = 0;
    for (document, code) in documents() {
        for arguments in code.iter().filter_map(|line| arguments(line)) {
            // With `--help` behind them arguments are understood, but nothing is done.
            let output = Command::new(cargo_bin("tapelog"))
                .args(arguments.split_whitespace())
                .arg("--help")
                .output()
                .unwrap();
            let told = String::from_utf8_lossy(&output.stderr);
            let place = document.display();
            assert!(output.status.success(), "{place}: tapelog {arguments}\n{told}");
            count += 1;
        }
    }
    println!("{count} commands");
    assert!(count >= 25, "only {count} commands: the pattern does not fit any more");
}

#[test]
fn every_example_and_test_that_the_documents_name_to_cargo_is_there() {
    let mut count = 0;
    for (document, code) in documents() {
        for line in code.iter().filter(|line| line.contains("cargo ")) {
            let words: Vec<_> = line.split_whitespace().collect();
            for pair in words.windows(2) {
                let places = match pair[0] {
                    "--example" => [format!("examples/{}.rs", pair[1]), String::new()],
                    "--test" => {
                        [format!("tests/{}.rs", pair[1]), format!("tests/{}/main.rs", pair[1])]
                    }
                    _ => continue,
                };
                let there = places.iter().filter(|place| !place.is_empty());
                let there = there
                    .chain([&format!("cli/{}", places[0])])
                    .any(|place| root().join(place).is_file());
                assert!(there, "{}: {line}", document.display());
                count += 1;
            }
        }
    }
    println!("{count} programs");
    assert!(count >= 10, "only {count} programs: the pattern does not fit any more");
}
