//! What others do to the journal's files and to the whole log directory: the program lives, every
//! entry is in the logs or counted, and files are written again within a second (row 7 of the fault
//! table; what is done to live logs is in `surroundings.rs`).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

#[path = "support/attempts.rs"]
mod attempts;
#[path = "support/capabilities.rs"]
mod capabilities;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use attempts::Attempts;
use support::disk::sh;
use support::{Desk, PATIENCE, number, until};
use tapelog::{MetaLogger, StartError, Stats, info};

const WITHOUT_PERMISSIONS: &str = "a live segment without permissions";
const IMMUTABLE: &str = "a live segment immutable";

/// What a second process does, and undoes; `$J` is the journal, `$L` the log directory.
const MEDDLING: [(&str, &str); 7] = [
    ("a live segment unlinked", "rm $(ls $J/*.tape | tail -3)"),
    ("a live segment renamed", "for s in $(ls $J/*.tape | tail -3); do mv $s $s.aside; done"),
    // Until somebody was kept out, and the oldest is made new.
    (
        WITHOUT_PERMISSIONS,
        "chmod 000 $J/*.tape || true; \
         for n in $(seq 3000); do [ -e $L/kept-out ] && break; sleep 0.01; done; rm -f $L/kept-out; \
         for n in $(seq 3000); do [ -e $J/00000000000000000001.tape ] || break; sleep 0.01; done; \
         chmod 600 $J/*.tape* || true",
    ),
    (IMMUTABLE, "chattr +i $J/*.tape || true; sleep 0.3; chattr -i $J/*.tape* || true"),
    ("the journal removed", "rm -rf $J"),
    ("the lock file removed", "rm $L/.tapelog.lock"),
    ("the log directory removed", "rm -rf $L"),
];

/// Someone who has every version of the log's file open, so that what is written to a file without a
/// name is seen, too.
#[derive(Default)]
struct Witness {
    files: BTreeMap<u64, File>,
}

impl Witness {
    fn look(&mut self, log: &Path) {
        if let Ok(file) = File::open(log) {
            self.files.entry(file.metadata().unwrap().ino()).or_insert(file);
        }
    }

    fn numbers(&mut self) -> Vec<u64> {
        self.numbers_in(|_| true)
    }

    /// How many entries stand in files that were removed.
    fn nameless(&mut self) -> u64 {
        self.numbers_in(|file| file.metadata().unwrap().nlink() == 0).len() as u64
    }

    fn numbers_in(&mut self, wanted: impl Fn(&File) -> bool) -> Vec<u64> {
        let mut text = String::new();
        for file in self.files.values_mut().filter(|file| wanted(file)) {
            file.rewind().unwrap();
            file.read_to_string(&mut text).unwrap();
        }
        let entries = text.lines().filter(|line| line.contains("] entry "));
        let mut numbers: Vec<_> = entries.map(|line| number(line, "number")).collect();
        numbers.sort_unstable();
        numbers
    }
}

/// The newest entry in the journal's files.
fn newest_in_journal(logs: &Path) -> Option<u64> {
    let mut text = Vec::new();
    let journal = tapelog::reading::Journal::open(logs).ok()?;
    journal.write_to(tapelog::reading::Format::Text, &mut text).ok()?;
    let text = String::from_utf8(text).ok()?;
    text.lines().rfind(|line| line.contains("] entry ")).map(|line| number(line, "number"))
}

/// Logs until an entry that was made after this began is in the log and in the journal's files; how
/// long that took.
fn back(log: &MetaLogger, logs: &Path, next: &mut u64, witness: &mut Witness) -> Duration {
    let (began, first) = (Instant::now(), *next);
    loop {
        info!(log, "entry", number = *next);
        *next += 1;
        log.flush(PATIENCE).unwrap();
        witness.look(&logs.join("expert.log"));
        let text = fs::read_to_string(logs.join("expert.log")).unwrap_or_default();
        let last = text.lines().rfind(|line| line.contains("] entry "));
        let in_log = last.is_some_and(|line| number(line, "number") >= first);
        if in_log && newest_in_journal(logs).is_some_and(|newest| newest >= first) {
            return began.elapsed();
        }
        assert!(began.elapsed() < PATIENCE, "{:?}", log.stats());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether there is a segment that this thread may not open.
fn is_kept_out(logs: &Path) -> bool {
    let segments = fs::read_dir(logs.join("journal")).into_iter().flatten().flatten();
    let mut opened = segments.map(|segment| File::open(segment.path()));
    opened.any(|opened| opened.is_err_and(|it| it.kind() == ErrorKind::PermissionDenied))
}

/// One kind of meddling, some times at odd moments, while entries are logged.
fn meddle(what: &str, script: &str) -> Option<Vec<Duration>> {
    let desk = Desk::new();
    let logs = desk.logs();
    let builder = desk.builder().disk_reserve(0_u64);
    let builder = builder.journal_segment_bytes(512_u64 << 10).journal_segments(4_u32);
    let (log, guard) = builder.build().unwrap();
    let (mut next, mut witness, mut times) = (0, Witness::default(), Vec::new());
    // So much that each segment is to be made new meanwhile.
    let makes_segments = matches!(what, WITHOUT_PERMISSIONS | IMMUTABLE);
    let filler = "x".repeat(if makes_segments { 1500 } else { 0 });
    for round in 0..support::times("TEST_TAKINGS", 3) {
        back(&log, &logs, &mut next, &mut witness);
        let paths = format!("J={}; L={}; ", logs.join("journal").display(), logs.display());
        let meddler = format!("{paths} sleep 0.0{}; {script}", round * 3);
        let running = std::thread::spawn(move || sh(&meddler));
        let mut kept_out = false;
        while !running.is_finished() {
            info!(log, "entry", number = next, filler = &*filler);
            next += 1;
            if !kept_out && is_kept_out(&logs) {
                kept_out = true;
                fs::write(logs.join("kept-out"), "").unwrap();
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        assert_eq!(kept_out, what == WITHOUT_PERMISSIONS, "{what}");
        let first = logs.join("journal/00000000000000000001.tape");
        assert!(!(kept_out && first.exists()), "no segment was made new");
        if let Err(reason) = running.join().unwrap() {
            support::skip(format_args!("row 07: {what}: {}", reason.trim()));
            return None;
        }
        times.push(back(&log, &logs, &mut next, &mut witness));
    }
    let began = Instant::now();
    while log.stats().degraded.is_some() {
        assert!(began.elapsed() < PATIENCE, "{what}: {:?}", log.stats());
        std::thread::sleep(Duration::from_millis(5));
    }
    log.flush(PATIENCE).unwrap();
    let stats = log.stats();
    assert_eq!(stats.lost.total(), 0, "{what}: {stats:?}");
    drop(guard);
    let found = witness.numbers();
    assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "{what}: an entry stands twice");
    println!("{what}: {next} entries, {} in files, {stats:?}", found.len());
    let accounted = found.len() as u64 + stats.log_lines_missed;
    // What the engine says of files that failed, and of a journal in memory, are entries, too; some stand
    // in two logs.
    let own = stats.accepted - next;
    // Those in a removed log are in it and missed, too, as far as it may have been removed before.
    let most = next + 2 * own + witness.nameless();
    assert!((next..=most).contains(&accounted), "{what}: {accounted} of {next}, at most {most}");
    if what.contains("unlinked") || what.contains("renamed") {
        let verified = tapelog::reading::Journal::open(&logs).unwrap().verify(&mut |_| {}).unwrap();
        // The end has made entries of its own.
        let stats = log.stats();
        let counted = verified.records() + stats.in_memory_records;
        assert_eq!(counted, stats.accepted, "{what}: what is in no file of the journal is counted");
        assert!(stats.in_memory_records > 0, "{what}");
        let told = support::lines(&logs.join("expert.log"));
        let told = told.iter().filter(|line| line.contains("] logger.journal_gap "));
        let told: u64 = told.map(|line| number(line, "records")).sum();
        assert_eq!(told, stats.in_memory_records, "{what}: it is told");
    }
    assert_eq!(fs::metadata(&logs).unwrap().permissions().mode() & 0o777, 0o700);
    Some(times)
}

#[test]
fn row_07_the_journal_comes_back_whatever_is_done_to_its_files() {
    // Root would read and write what has no permissions.
    capabilities::obey_modes();
    let mut attempts = Attempts::default();
    let only = std::env::var("TEST_MEDDLING").unwrap_or_default();
    for (what, script) in MEDDLING.into_iter().filter(|(what, _)| what.contains(&only)) {
        attempts.make(what, || meddle(what, script));
    }
    println!("row 07: {} times files of the journal taken away, {attempts}", attempts.all);
    attempts.check();
}

/// How many entries the journal's files have, and how many the engine says are in none.
fn balance(desk: &Desk, log: &MetaLogger) -> (u64, u64) {
    let journal = tapelog::reading::Journal::open(desk.logs()).unwrap();
    let found = journal.verify(&mut |_| {}).unwrap().records();
    let stats = log.stats();
    println!(
        "row 07: {found} entries in files of the journal, {} in none",
        stats.in_memory_records
    );
    assert_eq!(found + stats.in_memory_records, stats.accepted, "{stats:?}");
    (found, stats.in_memory_records)
}

#[test]
fn row_07_a_live_segment_cut_off_costs_what_was_in_it_and_that_is_counted() {
    for mapped in [true, false] {
        let desk = Desk::new();
        let (log, guard) = desk.builder().journal_mapped(mapped).build().unwrap();
        (0..100_u64).for_each(|number| info!(log, "entry", number));
        log.flush(PATIENCE).unwrap();
        let live = desk.logs().join("journal/00000000000000000001.tape");
        File::options().write(true).open(&live).unwrap().set_len(0).unwrap();
        (100..200_u64).for_each(|number| info!(log, "entry", number));
        log.flush(PATIENCE).unwrap();
        drop(guard);
        let (found, lost) = balance(&desk, &log);
        assert!(lost >= 100 && found < 200, "mapped: {mapped}");
        let logged = desk.lines("expert.log");
        let entries = logged.iter().filter(|line| line.contains("] entry ")).count();
        assert_eq!(entries, 200, "the logs have all of them");
    }
}

#[test]
fn row_07_what_is_taken_just_before_the_end_is_counted_and_told() {
    let Some(root) = support::role() else {
        let desk = Desk::new();
        let test = "row_07_what_is_taken_just_before_the_end_is_counted_and_told";
        let output = support::run(support::child(test, desk.logs().to_str().unwrap()));
        let told = String::from_utf8_lossy(&output.stderr);
        // The janitor may have looked in between.
        let entries = " entries are in no file of the journal";
        let lines = desk.lines("expert.log").concat();
        assert!(told.contains(entries) || lines.contains("logger.journal_gap"), "{told}{lines}");
        return;
    };
    let logs = PathBuf::from(root);
    let ring = logs.with_file_name("rings");
    let builder = MetaLogger::builder().code_only().log_dir(&*logs).ring_dir(&*ring);
    let (log, guard) = builder.build().unwrap();
    (0..100_u64).for_each(|number| info!(log, "entry", number));
    log.flush(PATIENCE).unwrap();
    fs::remove_file(logs.join("journal/00000000000000000001.tape")).unwrap();
    drop(guard);
    assert!(log.stats().in_memory_records >= 100, "{:?}", log.stats());
}

#[test]
fn row_08_a_directory_that_another_engine_has_taken_meanwhile_is_left_to_it() {
    let desk = Desk::new();
    let logs: PathBuf = desk.logs();
    let (first, first_guard) = desk.builder().build().unwrap();
    info!(first, "before");
    first.flush(PATIENCE).unwrap();
    // Taken before the first one has it back, sooner or later.
    let (second, second_guard) = loop {
        fs::rename(&logs, desk.path("aside")).unwrap();
        match desk.builder().build() {
            Ok(started) => break started,
            Err(StartError::InUse { .. }) => {
                fs::remove_dir_all(desk.path("aside")).unwrap();
            }
            Err(error) => panic!("{error}"),
        }
    };
    // What fails first may be a file that was not there in between.
    let is_told = |stats: &Stats| {
        let why = stats.file_error.as_ref().map(|error| error.to_string()).unwrap_or_default();
        why.contains("in use by process") || why.contains("another engine's")
    };
    until("the first one notices", || is_told(&first.stats()));
    for number in 0..1000_u64 {
        info!(first, "of the first", number);
        info!(second, "of the second", number);
    }
    first.flush(PATIENCE).unwrap();
    second.flush(PATIENCE).unwrap();
    let stats = first.stats();
    assert!(stats.degraded.is_some() && is_told(&stats), "{stats:?}");
    assert!(stats.log_lines_missed >= 1000);
    drop(second_guard);
    let lines = desk.lines("expert.log");
    assert_eq!(lines.iter().filter(|line| line.contains("of the second")).count(), 1000);
    assert!(!lines.iter().any(|line| line.contains("of the first")));
    until("the first one has it back", || {
        info!(first, "back");
        first.flush(PATIENCE).unwrap();
        desk.lines("expert.log").iter().any(|line| line.contains("] back"))
    });
    drop(first_guard);
    let verified = tapelog::reading::Journal::open(&logs).unwrap().verify(&mut |_| {}).unwrap();
    assert!(verified.is_intact(), "{verified:?}");
}
