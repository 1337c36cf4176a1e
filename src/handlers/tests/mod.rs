//! The handlers against real files, pipes, sockets and a terminal.

mod console;
mod faults;
mod file;
mod follow;
mod rotation;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use super::rotation::backup_path;
use super::{Batch, FileHandler, FileOptions};

/// Set in a process that runs one test as a child of that test.
const CHILD: &str = "TEST_CHILD";

fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn log_path(directory: &TempDir) -> PathBuf {
    directory.path().join("expert.log")
}

fn options(path: &Path, max_bytes: u64, backups: u32) -> FileOptions {
    FileOptions { path: path.into(), max_bytes, backups, mode: 0o600, group: None }
}

fn open(path: &Path, max_bytes: u64, backups: u32) -> FileHandler {
    FileHandler::open(options(path, max_bytes, backups)).expect("the log opens")
}

fn batch<L: AsRef<str>>(lines: impl IntoIterator<Item = L>) -> Batch {
    let mut batch = Batch::new();
    for line in lines {
        batch.line(|out| out.extend_from_slice(line.as_ref().as_bytes()));
    }
    batch
}

fn content(path: &Path) -> String {
    fs::read_to_string(path).expect("a readable log")
}

/// The kept files of a log, the oldest first, the live one last.
fn chain(path: &Path, backups: u32) -> Vec<String> {
    let numbers = (0..=backups).rev();
    let read = numbers.map(|number| fs::read_to_string(backup_path(path, number)));
    read.filter(|text| !matches!(text, Err(error) if error.kind() == io::ErrorKind::NotFound))
        .map(|text| text.expect("a readable log"))
        .collect()
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Runs the named test of this program again, alone, in a shell that first does `prelude`.
fn rerun(test: &str, prelude: &str) -> Output {
    let program = std::env::current_exe().expect("this program's path");
    let name = format!("{}::{test}", module_path!().split_once("::").expect("a module").1);
    Command::new("sh")
        .args(["-c", &format!("{prelude}; exec \"$0\" \"$@\"")])
        .arg(program)
        .args(["--exact", &name, "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .output()
        .expect("the test program runs")
}

fn assert_passed(output: &Output) {
    let (out, err) = (&output.stdout, &output.stderr);
    let (out, err) = (String::from_utf8_lossy(out), String::from_utf8_lossy(err));
    assert!(output.status.success() && out.contains("1 passed"), "child failed: {out}\n{err}");
}
