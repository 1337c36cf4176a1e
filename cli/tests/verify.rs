//! Goal: `tapelog verify` tells what is intact and what is not, by its exit code and in words;
//! `--repair` cuts a torn tail and always keeps the original.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use support::{cat, stderr, stdout, tapelog};
use tapelog::reading::Journal;
use tapelog::{MetaLogger, context, info, try_info};

/// Runs of a program, each with its own segment.
fn journal(directory: &Path, runs: u64) {
    for run in 0..runs {
        let builder = MetaLogger::builder().code_only().log_dir(directory).log_to_console(false);
        let (log, guard) = builder.latency_warning(Duration::ZERO).build().unwrap();
        let log = log.bind(context! { symbol = "BTCUSDT" });
        for sequence in 0..50_u64 {
            info!(log, "tick", run, sequence);
        }
        drop(guard);
    }
}

fn segment(directory: &Path, number: u32) -> PathBuf {
    directory.join(format!("journal/{number:020}.tape"))
}

/// Exit code and output.
fn verify(directory: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let run = tapelog().arg("verify").arg(directory).args(arguments).output().unwrap();
    assert_eq!(stderr(&run), "", "{}", stdout(&run));
    (run.status.code(), stdout(&run))
}

#[test]
fn an_intact_journal_is_told_segment_by_segment() {
    let root = tempfile::tempdir().unwrap();
    journal(root.path(), 2);
    for directory in [root.path().to_owned(), root.path().join("journal")] {
        let (code, text) = verify(&directory, &[]);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("00000000000000000002.tape  intact"), "{text}");
        assert!(text.contains("intact: 100 records in 2 segments"), "{text}");
    }
    let (code, text) = verify(root.path(), &["--quiet", "--repair"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("nothing to repair") && !text.contains(".tape"), "{text}");
}

#[test]
fn a_journal_may_be_verified_while_its_program_writes() {
    let root = tempfile::tempdir().unwrap();
    let builder = MetaLogger::builder().code_only().log_dir(root.path()).log_to_console(false);
    let builder = builder.journal_segment_bytes(512_u64 << 10).journal_segments(3_u32);
    let (log, _guard) = builder.latency_warning(Duration::ZERO).build().unwrap();
    for round in 0..20_u64 {
        for sequence in 0..3_000_u64 {
            info!(log, "tick", round, sequence);
        }
        log.flush(Duration::from_secs(60)).unwrap();
        let (code, text) = verify(root.path(), &[]);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains(&format!("process {} may be writing", std::process::id())), "{text}");
    }
    assert!(!segment(root.path(), 1).exists(), "segments were recycled meanwhile");
}

#[test]
fn damage_and_a_missing_segment_are_told_and_set_the_exit_code() {
    let root = tempfile::tempdir().unwrap();
    journal(root.path(), 3);
    let path = segment(root.path(), 1);
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096 + 700] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let (code, text) = verify(root.path(), &[]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("what stood there is lost"), "{text}");
    assert!(text.contains("damaged: 1 of 3 segments"), "{text}");
    fs::remove_file(segment(root.path(), 2)).unwrap();
    let (code, text) = verify(root.path(), &["--quiet"]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("segments 2 to 2 are missing"), "{text}");
    fs::remove_file(path).unwrap();
    assert_eq!(verify(root.path(), &[]).0, Some(0), "the oldest ones may be gone");
}

#[test]
fn a_newest_segment_that_was_removed_is_missed() {
    let root = tempfile::tempdir().unwrap();
    long_journal(root.path());
    let newest = (1..).take_while(|&number| segment(root.path(), number).exists()).last().unwrap();
    assert!(newest > 2);
    let (code, text) = verify(root.path(), &["--quiet"]);
    assert_eq!(code, Some(0), "{text}");
    fs::remove_file(segment(root.path(), newest)).unwrap();
    let (code, text) = verify(root.path(), &["--quiet"]);
    assert_eq!(code, Some(3), "{text}");
    let told = format!("segment {newest}, which the newest one announces, is not there");
    assert!(text.contains(&told) && text.contains("1 missing"), "{text}");
}

#[test]
fn what_a_power_cut_left_of_a_segment_is_whole_when_it_is_repaired() {
    let root = tempfile::tempdir().unwrap();
    long_journal(root.path());
    let path = segment(root.path(), 1);
    let mut bytes = fs::read(&path).unwrap();
    // Its first page came to the disk, and with it the time index of all, but only half of the rest.
    let half = bytes.len() / 2;
    bytes[half..].fill(0);
    fs::write(&path, &bytes).unwrap();
    for number in 2.. {
        if fs::remove_file(segment(root.path(), number)).is_err() {
            break;
        }
    }
    let torn = tapelog().arg("cat").arg(root.path()).output().unwrap();
    assert!(stderr(&torn).contains("is damaged from byte"), "{}", stderr(&torn));
    let (code, text) = verify(root.path(), &["--repair", "--force"]);
    assert_eq!(code, Some(0), "{text}");
    let left = cat(root.path(), "text");
    assert_eq!(left, stdout(&torn));
    assert!(left.lines().count() > 1_000);
    assert_eq!(verify(root.path(), &[]).0, Some(0));
}

/// A run of several segments.
fn long_journal(directory: &Path) {
    let builder = MetaLogger::builder().code_only().log_dir(directory).log_to_console(false);
    let builder = builder.journal_segment_bytes(512_u64 << 10).metrics_interval(Duration::ZERO);
    let (log, guard) = builder.latency_warning(Duration::ZERO).build().unwrap();
    for round in 0..10_u64 {
        for sequence in 0..3_000_u64 {
            info!(log, "tick", round, sequence);
        }
        log.flush(Duration::from_secs(60)).unwrap();
    }
    drop(guard);
}

#[test]
fn a_torn_tail_is_cut_and_the_original_kept() {
    let root = tempfile::tempdir().unwrap();
    journal(root.path(), 2);
    let whole = cat(root.path(), "text");
    let path = segment(root.path(), 2);
    let bytes = fs::read(&path).unwrap();
    let torn = &bytes[..bytes.len() - 10];
    fs::write(&path, torn).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let (code, text) = verify(root.path(), &[]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("the file is cut short"), "{text}");

    let (code, text) = verify(root.path(), &["--repair"]);
    assert_eq!(code, Some(3), "nothing is changed without --force: {text}");
    assert_eq!(fs::read(&path).unwrap(), torn);
    let beside = PathBuf::from(format!("{}.repaired", path.display()));
    assert!(fs::metadata(&beside).unwrap().len() < torn.len() as u64);
    let again = tapelog().arg("verify").arg(root.path()).arg("--repair").output().unwrap();
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("from an earlier repair: move it away"), "{}", stderr(&again));

    let (code, text) = verify(root.path(), &["--repair", "--force"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("cut off; the original is 00000000000000000002.tape.orig"), "{text}");
    let original = PathBuf::from(format!("{}.orig", path.display()));
    assert_eq!(fs::read(&original).unwrap(), torn);
    assert_eq!(fs::read(&path).unwrap(), fs::read(&beside).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(cat(root.path(), "text") == whole, "the end of the journal was all there was to lose");
    journal(root.path(), 1);
    let (code, text) = verify(root.path(), &[]);
    assert_eq!(code, Some(0), "a program goes on behind it: {text}");
}

#[test]
fn row_15_a_torn_tail_is_told_although_another_process_has_the_writers_number_by_now() {
    let root = tempfile::tempdir().unwrap();
    journal(root.path(), 1);
    let path = segment(root.path(), 1);
    let bytes = fs::read(&path).unwrap();
    // The last frame keeps its header.
    let mut torn = bytes[..bytes.len() - 4].to_vec();
    // Process 1 always lives.
    torn[80..84].copy_from_slice(&1_u32.to_le_bytes());
    let crc = crc32c(&torn[..220]);
    torn[220..224].copy_from_slice(&crc.to_le_bytes());
    fs::write(&path, &torn).unwrap();
    let found = Journal::open(root.path()).unwrap();
    let end = found.verify(&mut |_| ()).unwrap().segments[0].bytes;
    // The last frame was never published.
    torn[512..520].copy_from_slice(&end.to_le_bytes());
    fs::write(&path, &torn).unwrap();
    let (code, text) = verify(root.path(), &[]);
    assert_eq!(code, Some(3), "nobody holds the lock, so nobody writes: {text}");
    assert!(!text.contains("may be writing"), "{text}");
    fs::remove_file(root.path().join(".tapelog.lock")).unwrap();
    let (code, text) = verify(root.path(), &[]);
    assert_eq!(code, Some(3), "nor does anybody where there is no lock, as in a copy: {text}");
    assert!(!text.contains("may be writing"), "{text}");
    let (code, text) = verify(root.path(), &["--repair", "--force"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("cut off; the original is"), "{text}");
}

#[test]
fn a_lock_that_may_not_be_asked_is_taken_for_a_held_one() {
    let root = tempfile::tempdir().unwrap();
    let builder = MetaLogger::builder().code_only().log_dir(root.path()).log_to_console(false);
    let (log, _guard) = builder.dir_mode(0o755_u32).file_mode(0o644_u32).build().unwrap();
    info!(log, "tick");
    log.flush(Duration::from_secs(60)).unwrap();
    let mode = |path: PathBuf, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(root.path().to_owned(), 0o755);
    mode(root.path().join(".tapelog.lock"), 0);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tapelog"));
    command.arg("verify").arg(root.path());
    if rustix::process::geteuid().is_root() {
        // For whom every file opens.
        command.uid(65_534).gid(65_534);
    }
    let Ok(run) = command.output() else {
        return println!("skipped: another user cannot run the program where it lies");
    };
    let text = stdout(&run);
    assert_eq!(run.status.code(), Some(0), "{text}{}", stderr(&run));
    assert!(text.contains(&format!("process {} may be writing", std::process::id())), "{text}");
}

#[test]
fn what_was_lost_before_the_journal_is_told_by_number_and_reason() {
    const REFUSED: u64 = 7;
    let root = tempfile::tempdir().unwrap();
    let builder = MetaLogger::builder().code_only().log_dir(root.path()).log_to_console(false);
    let builder = builder.ring_bytes(256_u64 << 10).block_bytes(4_u32 << 10);
    let builder = builder.metrics_interval(Duration::ZERO).latency_warning(Duration::ZERO);
    let (log, guard) = builder.build().unwrap();
    log.flush(Duration::from_secs(60)).unwrap();
    let held = tapelog::testing::hold_drain(&log);
    assert!(held.is_still());
    let mut taken = 0_u64;
    while try_info!(log, "tick", taken).is_ok() {
        taken += 1;
    }
    for sequence in 1..REFUSED {
        assert!(try_info!(log, "tick", sequence).is_err());
    }
    assert!(taken > 0);
    assert_eq!(log.stats().lost.full, REFUSED);
    drop(held);
    drop(guard);
    let (code, text) = verify(root.path(), &[]);
    assert_eq!(code, Some(0), "a loss is no damage of the journal: {text}");
    let line = format!("\n    lost before it: {REFUSED} records (full)\n");
    assert_eq!(text.matches(&line).count(), 1, "{text}");
    let total =
        format!("\n{REFUSED} records were lost before the journal, as its gap records tell\n");
    assert!(text.contains(&total), "{text}");
    assert!(text.ends_with(&format!("intact: {taken} records in 1 segments\n")), "{text}");
    let verification = Journal::open(root.path()).unwrap().verify(&mut |_| ()).unwrap();
    assert_eq!(verification.lost(), REFUSED);
    assert_eq!(verification.segments[0].lost, [("full", REFUSED)]);
    journal(root.path(), 1);
    let (_, text) = verify(root.path(), &[]);
    assert_eq!(text.matches("lost before").count(), 2, "the next segment lost nothing: {text}");
}

#[test]
fn the_progress_rises_to_its_total() {
    let root = tempfile::tempdir().unwrap();
    long_journal(root.path());
    let journal = Journal::open(root.path()).unwrap();
    let mut told = Vec::new();
    journal.verify(&mut |at| told.push((at.bytes, at.total_bytes))).unwrap();
    let files = fs::read_dir(journal.directory()).unwrap().map(|entry| entry.unwrap());
    let segments = files.filter(|file| file.path().extension().is_some_and(|it| it == "tape"));
    let total: u64 = segments.map(|file| file.metadata().unwrap().len()).sum();
    assert!(told.iter().all(|&(bytes, of)| bytes <= of && of == total), "{told:?}");
    assert!(told.is_sorted(), "{told:?}");
    assert_eq!(told.last(), Some(&(total, total)));
    let halfway = |&&(bytes, _): &&(u64, u64)| total / 4 < bytes && bytes < total - total / 4;
    assert!(told.iter().filter(halfway).count() > 1, "{told:?}");
}

#[test]
fn the_bar_is_drawn_on_a_terminal_only() {
    let root = tempfile::tempdir().unwrap();
    journal(root.path(), 1);
    // What `verify` gives is piped: it wants stderr to be empty.
    let (_, piped) = verify(root.path(), &[]);
    // `script` runs it on a terminal of its own.
    let command = format!("{} verify {}", env!("CARGO_BIN_EXE_tapelog"), root.path().display());
    let mut script = Command::new("script");
    script.args(["-qec", &command, "/dev/null"]).env("TERM", "xterm").stdin(Stdio::null());
    let Ok(run) = script.output() else { return println!("skipped: there is no script(1)") };
    let shown = stdout(&run);
    assert!(shown.contains("verifying [") && shown.contains(" left"), "{shown:?}");
    let last = shown.rfind("verifying [").unwrap();
    assert!(shown[last..].contains("\u{1b}[2K"), "it is taken away at the end: {shown:?}");
    assert!(piped.lines().all(|line| shown.contains(line)), "{shown:?}");
}

/// The checksum of a header.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            crc >> 1 ^ if crc & 1 == 1 { 0x82F6_3B78 } else { 0 }
        })
    })
}

#[test]
fn a_journal_in_use_is_not_repaired() {
    let root = tempfile::tempdir().unwrap();
    journal(root.path(), 1);
    let path = segment(root.path(), 1);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 10]).unwrap();
    let builder = MetaLogger::builder().code_only().log_dir(root.path()).log_to_console(false);
    let (_log, _guard) = builder.build().unwrap();
    let run = tapelog().arg("verify").arg(root.path()).args(["--repair", "--force"]).output();
    let run = run.unwrap();
    assert_eq!(run.status.code(), Some(1), "{}", stdout(&run));
    let owner = format!("process {} logs to", std::process::id());
    assert!(stderr(&run).contains(&owner), "{}", stderr(&run));
    assert_eq!(fs::read(&path).unwrap().len(), bytes.len() - 10);
}
