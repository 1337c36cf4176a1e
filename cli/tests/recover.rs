//! Goal: a killed program loses nothing that it had logged: `demo --crash` shows it, and `recover`
//! brings it home without the program.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use support::{cat, log, stderr, stdout, tapelog};
use tapelog::{MetaLogger, info};

const CHILD: &str = "TEST_CHILD_THAT_IS_KILLED";

#[test]
fn row_01_the_demo_kills_itself_and_nothing_is_lost() {
    let root = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let run = tapelog().args(["demo", "--crash", "--dir"]).arg(root.path()).output().unwrap();
        let report = stdout(&run);
        println!("{report}");
        assert_eq!(run.status.code(), Some(0), "{report}{}", stderr(&run));
        assert!(report.ends_with("acknowledged = recovered: nothing is lost\n"), "{report}");
    }
}

#[test]
fn a_demo_counts_its_own_records_where_a_killed_one_left_some() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("logs");
    let mut child = killed_child(&directory);
    child.kill().unwrap();
    child.wait().unwrap();
    let rings = rings(&directory);
    let mut command = tapelog();
    let run = command.env("TAPELOG_RING_DIR", &rings).args(["demo", "--dir"]).arg(&directory);
    let run = run.output().unwrap();
    assert_eq!(run.status.code(), Some(0), "{}{}", stdout(&run), stderr(&run));
    let text = log(&directory, "expert.log");
    assert!(text.contains("logger.recovered records=100 lost=0"), "{text}");
    std::fs::remove_dir_all(rings).unwrap();
}

/// Logs, says so, and waits to be killed.
#[test]
fn the_child_that_is_killed() {
    let Ok(directory) = std::env::var(CHILD) else { return };
    let builder = MetaLogger::builder().code_only().log_dir(&directory).log_to_console(false);
    let (log, _guard) = builder.ring_dir(rings(directory.as_ref())).build().unwrap();
    log.flush(Duration::from_secs(20)).unwrap();
    let held = tapelog::testing::hold_drain(&log);
    for sequence in 0..100_u64 {
        info!(log, "held", sequence);
    }
    std::fs::write(format!("{directory}/said"), "").unwrap();
    std::thread::sleep(Duration::from_secs(100));
    drop(held);
}

/// Beside the logs in name, on tmpfs in fact.
fn rings(directory: &Path) -> String {
    format!("/dev/shm/tapelog-test-{}", directory.file_name().unwrap().to_string_lossy())
}

fn killed_child(directory: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["the_child_that_is_killed", "--exact"]).env(CHILD, directory);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !directory.join("said").exists() {
        assert!(child.try_wait().unwrap().is_none(), "the child has ended");
        std::thread::sleep(Duration::from_millis(1));
    }
    child
}

/// A ring that a killed child has left, and what is in it.
fn left_ring(directory: &Path, ring_dir: &str) -> (PathBuf, Vec<u8>) {
    end(killed_child(directory));
    let names = std::fs::read_dir(ring_dir).unwrap().map(|entry| entry.unwrap().path());
    let rings: Vec<_> =
        names.filter(|path| path.extension().is_some_and(|it| it == "ring")).collect();
    assert_eq!(rings.len(), 1, "{rings:?}");
    (rings[0].clone(), std::fs::read(&rings[0]).unwrap())
}

fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn recover(directory: &Path, ring_dir: &str) -> Output {
    let mut command = tapelog();
    command.arg("recover").arg(directory).args(["--code", &format!("ring_dir={ring_dir}")]);
    command.output().unwrap()
}

#[test]
fn recover_brings_home_what_a_killed_program_left() {
    let root = tempfile::tempdir().unwrap();
    let (directory, ring_dir) = (root.path(), rings(root.path()));
    let child = killed_child(directory);
    let pid = child.id();
    let refused = recover(directory, &ring_dir);
    assert_eq!((refused.status.code(), stdout(&refused).as_str()), (Some(1), ""));
    assert!(stderr(&refused).contains(&format!("process {pid}")), "{}", stderr(&refused));
    end(child);
    assert!(!log(directory, "expert.log").contains("held"), "all of it is in the ring");
    let run = recover(directory, &ring_dir);
    let told = stdout(&run);
    assert_eq!((run.status.code(), stderr(&run).as_str()), (Some(0), ""), "{told}");
    let expected = format!("recovered 100 records of process {pid} from {ring_dir}/");
    assert!(told.starts_with(&expected), "{told}");
    let text = log(directory, "expert.log");
    let held = text.lines().filter(|line| line.contains("] held sequence="));
    assert!(held.enumerate().all(|(at, line)| line.ends_with(&format!("={at}"))), "{text}");
    assert!(text.contains("logger.recovered records=100 lost=0"), "{text}");
    assert_eq!(cat(directory, "text"), text);
    let again = recover(directory, &ring_dir);
    assert!(stdout(&again).starts_with("nothing to recover"), "{}", stdout(&again));
    let missing = tapelog().args(["recover", "/nowhere"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("is no log directory"), "{}", stderr(&missing));
    std::fs::remove_dir_all(ring_dir).unwrap();
}

#[test]
fn what_recover_tells_of_a_hostile_name_moves_no_cursor() {
    let root = tempfile::tempdir().unwrap();
    let tag = root.path().file_name().unwrap().to_str().unwrap();
    let directory = root.path().join(format!("{tag}\u{1b}[2J"));
    let ring_dir = rings(&directory);
    end(killed_child(&directory));
    let run = recover(&directory, &ring_dir);
    let told = stdout(&run);
    assert_eq!((run.status.code(), stderr(&run).as_str()), (Some(0), ""), "{told}");
    assert!(told.contains("recovered 100 records") && told.contains("\\u{1b}[2J/"), "{told}");
    assert!(!told.contains('\u{1b}'), "{told:?}");
    std::fs::remove_dir_all(ring_dir).unwrap();
}

#[test]
fn recover_tells_entries_that_were_in_memory_alone_and_so_does_the_log_without_a_gap() {
    let root = tempfile::tempdir().unwrap();
    let (directory, ring_dir) = (root.path(), rings(root.path()));
    let (ring, mut bytes) = left_ring(directory, &ring_dir);
    let pid = u32::from_le_bytes(*bytes[80..].first_chunk().unwrap());
    // What it had drained while the disk took nothing.
    bytes[2056..2064].copy_from_slice(&5_u64.to_le_bytes());
    std::fs::write(ring, &bytes).unwrap();
    let run = recover(directory, &ring_dir);
    let told = stdout(&run);
    assert_eq!((run.status.code(), stderr(&run).as_str()), (Some(0), ""), "{told}");
    let lost = format!("\n5 entries of process {pid} are lost: logger.recovered says how many,");
    assert!(told.contains(&lost), "{told}");
    let text = log(directory, "expert.log");
    assert!(text.contains("logger.recovered records=100 lost=5"), "{text}");
    assert!(!text.contains("logger.gap"), "{text}");
    std::fs::remove_dir_all(ring_dir).unwrap();
}

#[test]
fn row_02_recover_goes_on_until_no_ring_is_left() {
    let root = tempfile::tempdir().unwrap();
    let (directory, ring_dir) = (root.path(), rings(root.path()));
    let (_, mut bytes) = left_ring(directory, &ring_dir);
    // More of them than one start takes, each with a number of its own.
    for number in 0..69_u64 {
        bytes[72..80].copy_from_slice(&(0x7461_7065 + number).to_le_bytes());
        std::fs::write(format!("{ring_dir}/1-{number:016x}.ring"), &bytes).unwrap();
    }
    let run = recover(directory, &ring_dir);
    let told = stdout(&run);
    assert_eq!((run.status.code(), stderr(&run).as_str()), (Some(0), ""), "{told}");
    assert_eq!(told.matches("recovered 100 records of process").count(), 70, "{told}");
    assert_eq!(std::fs::read_dir(&ring_dir).unwrap().count(), 0);
    let text = log(directory, "expert.log");
    assert_eq!(text.lines().filter(|line| line.contains("] held sequence=")).count(), 7_000);
    std::fs::remove_dir_all(ring_dir).unwrap();
}

#[test]
fn on_a_terminal_recover_shows_how_many_rings_are_dealt_with() {
    let root = tempfile::tempdir().unwrap();
    let (directory, ring_dir) = (root.path(), rings(root.path()));
    left_ring(directory, &ring_dir);
    let (program, directory) = (env!("CARGO_BIN_EXE_tapelog"), directory.display());
    let command = format!("{program} recover {directory} --code ring_dir={ring_dir}");
    let mut script = Command::new("script");
    script.args(["-qec", &command, "/dev/null"]).env("TERM", "xterm").stdin(Stdio::null());
    let Ok(run) = script.output() else { return println!("skipped: there is no script(1)") };
    let shown = stdout(&run);
    assert_eq!(run.status.code(), Some(0), "{shown}");
    assert!(shown.contains(" recovering, 0 of 1 rings, "), "{shown:?}");
    assert!(shown.contains("recovered 100 records of process"), "{shown:?}");
    std::fs::remove_dir_all(ring_dir).unwrap();
}

#[test]
fn row_02_recover_says_by_its_exit_code_that_a_ring_could_not_be_read() {
    let root = tempfile::tempdir().unwrap();
    let (directory, ring_dir) = (root.path(), rings(root.path()));
    let (ring, mut bytes) = left_ring(directory, &ring_dir);
    bytes[8] ^= 2;
    std::fs::write(&ring, &bytes).unwrap();
    let run = recover(directory, &ring_dir);
    assert_eq!(run.status.code(), Some(3), "{}{}", stdout(&run), stderr(&run));
    let told = format!("{}: its layout has version 3", ring.display());
    assert!(stderr(&run).contains(&told), "{}", stderr(&run));
    assert!(Path::new(&format!("{}.aside", ring.display())).exists());
    std::fs::remove_dir_all(ring_dir).unwrap();
}
