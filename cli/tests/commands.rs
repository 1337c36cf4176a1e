//! Every command that the documents show is one that `tapelog` understands, those that stand in blocks
//! of code of the README and the guides do what is expected, and every example and test that the
//! documents name to cargo is there.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use assert_cmd::cargo::cargo_bin;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The lines of code of a document.
struct Code {
    /// Of its blocks.
    blocks: Vec<String>,
    /// What stands between two marks in its text.
    spans: Vec<String>,
}

impl Code {
    fn of(text: &str) -> Self {
        let mut code = Self { blocks: Vec::new(), spans: Vec::new() };
        let mut inside = false;
        for line in text.lines() {
            if line.starts_with("```") {
                inside = !inside;
            } else if inside {
                let command = line.split(" #").next().unwrap_or_default();
                code.blocks.push(command.trim().to_owned());
            } else {
                // What one mark opens and another closes on the same line.
                let parts: Vec<_> = line.split('`').collect();
                let spans = parts[..parts.len() - 1].iter().skip(1).step_by(2);
                code.spans.extend(spans.map(|span| (*span).to_owned()));
            }
        }
        code
    }

    fn lines(&self) -> impl Iterator<Item = &String> {
        self.blocks.iter().chain(&self.spans)
    }
}

/// Where documents are.
const ALL: [&str; 3] = ["", "docs", "docs/guides"];

/// The documents in these directories.
fn documents(directories: &[&str]) -> Vec<(PathBuf, Code)> {
    let directories = directories.iter().map(|directory| root().join(directory));
    let files = directories.flat_map(|directory| fs::read_dir(directory).unwrap());
    let files = files.map(|file| file.unwrap().path());
    let texts = files.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    texts.map(|path| (path.clone(), Code::of(&fs::read_to_string(path).unwrap()))).collect()
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
    for (document, code) in documents(&ALL) {
        for arguments in code.lines().filter_map(|line| arguments(line)) {
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

/// Where `tapelog` finds the files that the documents speak of.
fn desk() -> tempfile::TempDir {
    let desk = tempfile::tempdir().unwrap();
    fs::write(desk.path().join("desk.toml"), "log_level = \"warning\"\n").unwrap();
    let builder = tapelog::MetaLogger::builder().log_dir(desk.path().join("logs"));
    let (log, guard) = builder.ring_dir(desk.path()).log_to_console(false).build().unwrap();
    tapelog::info!(log, "bar closed", open = 70_000.5);
    drop(guard);
    desk
}

/// What comes of a command that the documents show.
enum Outcome {
    /// It ends well and shows this.
    Shows(&'static str),
    /// It takes files or time that it does not have here: this test runs it.
    In(&'static str),
}

use Outcome::{In, Shows};

const OUTCOMES: [(&str, Outcome); 14] = [
    ("demo", Shows("39,394 lines of this run")),
    ("demo --crash", Shows("acknowledged = recovered")),
    ("recover logs", Shows("nothing to recover")),
    ("bench --quick --report bench.html", In("bench.rs")),
    ("bench --compare old.json new.json", In("bench.rs")),
    ("tune --rate 1000000 --burst 20000", Shows("ring_bytes")),
    ("tune --feed recording.gz", In("tune.rs")),
    ("tune --from-journal logs", In("tune.rs")),
    ("cat logs -o json", Shows("\"event\":\"bar closed\"")),
    ("config show", Shows("log_level = \"info\"")),
    ("config show --file desk.toml --log-level debug", Shows("log_level = \"debug\"")),
    ("config show --code log_level=info --code-default log_dir=bot", Shows("log_dir = \"bot\"")),
    ("config check --file desk.toml", Shows("right")),
    ("config schema", Shows("\"$schema\"")),
];

#[test]
fn every_command_in_a_block_of_the_readme_and_the_guides_does_what_is_expected() {
    let mut done = BTreeSet::new();
    for (document, code) in documents(&["", "docs/guides"]) {
        for arguments in code.blocks.iter().filter_map(|line| arguments(line)) {
            let place = format!("{}: tapelog {arguments}", document.display());
            let known = OUTCOMES.iter().find(|(known, _)| *known == arguments);
            let (known, outcome) = known.unwrap_or_else(|| panic!("{place}: what is expected?"));
            if !done.insert(known) {
                continue;
            }
            let expected = match outcome {
                Shows(expected) => expected,
                In(test) => {
                    let test = fs::read_to_string(root().join("cli/tests").join(test)).unwrap();
                    let mut flags = arguments.split(' ').filter(|word| word.starts_with("--"));
                    assert!(flags.all(|flag| test.contains(flag)), "{place}: nobody runs it");
                    continue;
                }
            };
            let desk = desk();
            let output = Command::new(cargo_bin("tapelog"))
                .current_dir(&desk)
                .env_clear()
                // Lines are counted: a call that the machine holds up is not told.
                .env("TAPELOG_LATENCY_WARNING", "0")
                .args(arguments.split_whitespace())
                .output()
                .unwrap();
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{place}\n{told}");
            let shown = String::from_utf8(output.stdout).unwrap();
            assert!(shown.contains(expected), "{place}\n{shown}\n{told}");
        }
    }
    assert_eq!(done.len(), OUTCOMES.len(), "{done:?}");
}

#[test]
fn every_example_and_test_that_the_documents_name_to_cargo_is_there() {
    let mut count = 0;
    for (document, code) in documents(&ALL) {
        for line in code.lines().filter(|line| line.contains("cargo ")) {
            // What stands behind ` -- ` is the program's, not cargo's.
            let ours = line.split(" -- ").next().unwrap_or_default();
            let words: Vec<_> = ours.split_whitespace().collect();
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
