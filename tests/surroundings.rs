//! What others do to a live log, and what little the system gives: the program lives, the logs come
//! back within a second, and what is missing in them is counted (rows 7 and 14 of the fault table).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

#[path = "support/attempts.rs"]
mod attempts;
#[path = "support/capabilities.rs"]
mod capabilities;
#[path = "support/meddling.rs"]
mod meddling;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use attempts::Attempts;
use meddling::Meddling;
use rustix::process::{Resource, Rlimit, setrlimit};
use support::{Desk, PATIENCE, child, field, number, role, run};
use tapelog::{MetaLogger, SyncPolicy, info, try_info};

/// Someone who has every version of the log's file open, so that what is written to a file without
/// a name is seen, too.
struct Witness {
    log: PathBuf,
    files: BTreeMap<u64, File>,
    /// What stood in files that were truncated.
    cut: String,
    /// The next entry when a file was removed.
    removed: BTreeMap<u64, u64>,
}

impl Witness {
    fn look(&mut self) {
        let Ok(file) = File::open(&self.log) else { return };
        self.files.entry(file.metadata().unwrap().ino()).or_insert(file);
    }

    /// Before the file is truncated.
    fn keep(&mut self) {
        self.cut.push_str(&fs::read_to_string(&self.log).unwrap());
    }

    fn numbers(&mut self) -> Vec<u64> {
        let mut text = std::mem::take(&mut self.cut);
        for file in self.files.values_mut() {
            file.rewind().unwrap();
            file.read_to_string(&mut text).unwrap();
        }
        let mut numbers = numbers_in(&text);
        numbers.sort_unstable();
        numbers
    }

    /// How many entries stand in removed files, and how many of them were written after the removal.
    fn nameless(&mut self) -> (u64, u64) {
        let (mut all, mut lost) = (0, 0);
        for (inode, next) in &self.removed {
            let Some(file) = self.files.get_mut(inode) else { continue };
            let mut text = String::new();
            file.rewind().unwrap();
            file.read_to_string(&mut text).unwrap();
            let numbers = numbers_in(&text);
            all += numbers.len() as u64;
            lost += numbers.iter().filter(|number| *number >= next).count() as u64;
        }
        (all, lost)
    }
}

fn numbers_in(text: &str) -> Vec<u64> {
    let entries = text.lines().filter(|line| line.contains("] entry "));
    entries.map(|line| number(line, "number")).collect()
}

/// Logs until an entry that was made after this began stands in the log; how long that took.
fn back_in(log: &MetaLogger, path: &Path, next: &mut u64) -> Duration {
    let (began, first) = (Instant::now(), *next);
    loop {
        info!(log, "entry", number = *next);
        *next += 1;
        let text = fs::read_to_string(path).unwrap_or_default();
        let last = text.lines().rfind(|line| line.contains("] entry "));
        if last.is_some_and(|line| number(line, "number") >= first) {
            return began.elapsed();
        }
        assert!(began.elapsed() < PATIENCE, "{path:?} does not come back");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Does it while entries are logged; false if this machine does not let it be done.
fn meddle(what: Meddling, witness: &mut Witness, log: &MetaLogger, next: &mut u64) -> bool {
    let path = witness.log.clone();
    let aside = path.with_extension(format!("{next}"));
    if matches!(what, Meddling::Truncated | Meddling::CopiedAndTruncated) {
        witness.keep();
    }
    if matches!(what, Meddling::Unlinked | Meddling::DirectoryRemoved) {
        // What was written before, the engine has found to be where it belongs by then.
        std::thread::sleep(Duration::from_millis(300));
        info!(log, "entry", number = *next);
        *next += 1;
        log.flush(PATIENCE).unwrap();
        witness.removed.insert(fs::metadata(&path).unwrap().ino(), *next);
    }
    let meanwhile = || {
        for _ in 0..10 {
            info!(log, "entry", number = *next);
            *next += 1;
        }
        log.flush(PATIENCE).unwrap();
    };
    what.happen((&path, &aside), PATIENCE, meanwhile).unwrap()
}

#[test]
fn row_07_a_live_log_comes_back_whatever_is_done_to_it_and_what_it_misses_is_counted() {
    // Root would read and write what has no permissions.
    capabilities::obey_modes();
    let desk = Desk::new();
    let builder = desk.builder().log_file("sub/expert.log");
    let (log, guard) = builder.build().unwrap();
    let path = desk.logs().join("sub/expert.log");
    let mut witness = Witness {
        log: path.clone(),
        files: BTreeMap::new(),
        cut: String::new(),
        removed: BTreeMap::new(),
    };
    let mut next = 0;
    let (mut times, mut attempts) = (BTreeMap::<Meddling, u64>::new(), Attempts::default());
    // Three of each kind, in a mixed order.
    let rounds = support::times("TEST_MEDDLINGS", 3 * Meddling::ALL.len() as u64);
    for round in 0..rounds as usize {
        let what = Meddling::ALL[round * 4 % Meddling::ALL.len()];
        let done = attempts.make(&format!("{what:?}"), || {
            back_in(&log, &path, &mut next);
            log.flush(PATIENCE).unwrap();
            witness.look();
            if !meddle(what, &mut witness, &log, &mut next) {
                support::skip(format_args!("row 07: {what:?} cannot be done here"));
                return None;
            }
            let back = back_in(&log, &path, &mut next);
            witness.look();
            Some(vec![back])
        });
        *times.entry(what).or_default() += u64::from(done);
    }
    log.flush(PATIENCE).unwrap();
    let stats = log.stats();
    drop(guard);
    let found = witness.numbers();
    // What the engine says of files that failed are entries, too, and stand in two logs.
    let own = stats.accepted - next;
    assert_eq!(stats.lost.total(), 0);
    assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "an entry stands twice");
    println!(
        "row 07: {} times a live log was meddled with, {next} entries, {} in files, {} missed; \
         {attempts}",
        attempts.all,
        found.len(),
        stats.log_lines_missed
    );
    println!("{times:?}");
    // What was written to a file after its removal is missed by whoever reads the logs, whatever the
    // witness has.
    let (nameless, lost) = witness.nameless();
    println!("{nameless} entries in removed files, {lost} of them written after the removal");
    assert!(lost > 0 && stats.log_lines_missed >= lost, "{stats:?}");
    let accounted = found.len() as u64 + stats.log_lines_missed;
    let most = next + 2 * own + nameless;
    assert!((next..=most).contains(&accounted), "{accounted} of {next}, {own} own");
    attempts.check();
    let journal = tapelog::reading::Journal::open(desk.logs()).unwrap();
    let verified = journal.verify(&mut |_| {}).unwrap();
    assert!(
        verified.is_intact() && verified.records() == log.stats().accepted,
        "the journal has them all"
    );
}

#[test]
fn row_07_a_ring_that_is_taken_away_under_a_living_process_is_told_once_and_logging_goes_on() {
    for what in ["removed", "renamed", "replaced"] {
        let desk = Desk::new();
        let (log, guard) = desk.builder().build().unwrap();
        info!(log, "before");
        log.flush(PATIENCE).unwrap();
        assert!(log.stats().crash_safe && log.stats().degraded.is_none());
        let ring = fs::read_dir(desk.ring_dir()).unwrap().next().unwrap().unwrap().path();
        match what {
            "removed" => fs::remove_file(&ring).unwrap(),
            "renamed" => fs::rename(&ring, desk.ring_dir().join("aside")).unwrap(),
            _ => {
                fs::remove_file(&ring).unwrap();
                File::create(&ring).unwrap();
            }
        }
        support::until("it is noticed", || !log.stats().crash_safe);
        let stats = log.stats();
        let error = stats.file_error.unwrap();
        assert_eq!((&error.path, stats.file_errors), (&ring, 1), "{what}: {error}");
        let reason = stats.degraded.unwrap();
        assert!(reason.contains("if this process is killed") && reason.contains("ring_dir"));
        support::until("it is told", || {
            info!(log, "after");
            log.flush(PATIENCE).unwrap();
            desk.lines("errors.log").iter().any(|line| line.contains("] logger.file_failed "))
        });
        std::thread::sleep(Duration::from_millis(600));
        drop(guard);
        let stats = log.stats();
        assert_eq!((stats.lost.total(), stats.file_errors), (0, 1), "{what}: once");
        let told = desk.lines("errors.log");
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("recover") && told[0].contains(".ring"), "{told:?}");
    }
}

/// In the child: lowers a limit, then logs.
fn log_below(role: &str) {
    let (what, directory) = role.split_once(' ').unwrap();
    let directory = Path::new(directory);
    if what == "fsize" {
        limit(Resource::Fsize, 1 << 20);
    }
    let ring = directory.join(if what == "shm" { "missing/below/rings" } else { "rings" });
    let builder = support::builder(&directory.join("logs")).ring_dir(ring);
    let (log, guard) = builder.build().unwrap();
    for number in 0..20_000_u64 {
        info!(log, "entry", number);
    }
    log.flush(PATIENCE).unwrap();
    let stats = log.stats();
    println!("degraded: {:?}", stats.degraded);
    assert_eq!((stats.accepted, stats.shown, stats.lost.total()), (20_000, 20_000, 0));
    assert_eq!(stats.log_lines_missed > 0, what == "fsize", "{}", stats.log_lines_missed);
    assert_eq!(stats.log_lines + stats.log_lines_missed, 20_000);
    drop(guard);
}

fn limit(what: Resource, soft: u64) {
    let hard = rustix::process::getrlimit(what).maximum;
    setrlimit(what, Rlimit { current: Some(soft), maximum: hard }).unwrap();
}

/// A tmpfs of 64 KiB; unmounted when it is dropped.
struct Tiny(PathBuf);

impl Tiny {
    /// None where nothing can be mounted.
    fn mount(path: PathBuf) -> Option<Self> {
        fs::create_dir_all(&path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs"]).arg(&path);
        mount.output().is_ok_and(|output| output.status.success()).then_some(Self(path))
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _unmounted = Command::new("umount").arg(&self.0).output();
    }
}

#[test]
fn row_14_low_limits_degrade_with_one_notice_and_kill_nobody() {
    let test = "row_14_low_limits_degrade_with_one_notice_and_kill_nobody";
    if let Some(role) = role() {
        return log_below(&role);
    }
    for what in ["fsize", "shm", "tiny"] {
        let home = support::tmpfs();
        let tiny = (what == "tiny").then(|| Tiny::mount(home.path().join("rings")));
        if matches!(tiny, Some(None)) {
            support::skip(format_args!("nothing can be mounted here, so there is no tiny tmpfs"));
            continue;
        }
        let output = run(child(test, &format!("{what} {}", home.path().display())));
        let told = String::from_utf8(output.stdout).unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("degraded: Some("), "{what}: {told}{stderr}");
        let notices: Vec<_> = stderr.lines().filter(|line| line.starts_with("tapelog: ")).collect();
        println!("row 14: {what}: {notices:#?}");
        // With RLIMIT_FSIZE, ring, journal and one log are each in trouble.
        let ordinary = notices.iter().filter(|line| !line.contains("more suppressed"));
        assert_eq!(ordinary.count(), if what == "fsize" { 3 } else { 1 }, "{what}: {notices:#?}");
    }
}

/// Everything that the process may still open.
fn take_descriptors() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

/// In the child: logs while there is no descriptor left, and when there are some again.
fn log_without_descriptors(directory: &Path) {
    let builder = support::builder(&directory.join("logs")).ring_dir(directory.join("rings"));
    let builder = builder
        .ring_bytes(1_u64 << 20)
        .log_max_file_size(64_u64 << 10)
        .log_backup_count(1_000_u32)
        .journal_segment_bytes(512_u64 << 10)
        .journal_segments(64_u32);
    let (log, guard) = builder.build().unwrap();
    limit(Resource::Nofile, 256);
    let (mut calls, mut accepted) = (0_u64, 0_u64);
    let mut log_some = |count: u64| {
        for _ in 0..count {
            accepted += u64::from(try_info!(log, "entry", number = calls).is_ok());
            calls += 1;
            if calls.is_multiple_of(64) {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    };
    log_some(5_000);
    let taken = take_descriptors();
    // No segment can be made, so the ring fills.
    support::until("a loss", || {
        log_some(1_000);
        log.stats().lost.disk > 0
    });
    std::thread::sleep(Duration::from_millis(300));
    let without = log.stats();
    drop(taken);
    let again = Instant::now();
    support::until("a line behind the trouble", || {
        let before = log.stats().log_lines;
        log_some(1);
        log.flush(PATIENCE).unwrap();
        log.stats().log_lines > before
    });
    let back = again.elapsed();
    log_some(1_000);
    log.flush(PATIENCE).unwrap();
    drop(guard);
    let stats = log.stats();
    assert_eq!(accepted + stats.lost.total(), calls);
    // The engine's own entries tell what failed.
    assert!(stats.accepted - accepted < 10, "{accepted}: {stats:?}");
    assert_eq!((stats.journaled, stats.shown), (stats.accepted, stats.accepted));
    assert!(without.degraded.is_some_and(|reason| reason.contains("os error 24")));
    println!(
        "row 14: {calls} calls, {} lost, {} lines missed, back_us={}",
        stats.lost.total(),
        stats.log_lines_missed,
        back.as_micros()
    );
}

#[test]
fn row_14_a_program_without_a_descriptor_left_logs_on_and_its_logs_come_back() {
    let test = "row_14_a_program_without_a_descriptor_left_logs_on_and_its_logs_come_back";
    if let Some(role) = role() {
        return log_without_descriptors(role.as_ref());
    }
    let mut attempts = Attempts::default();
    for _ in 0..3 {
        attempts.make("no descriptor left", || Some(vec![without_descriptors(test)]));
    }
    println!("row 14: {} times without a descriptor, {attempts}", attempts.all);
    attempts.check();
}

/// Has a child log without descriptors, and looks at what came of it; how soon its log came back.
fn without_descriptors(test: &str) -> Duration {
    let home = support::tmpfs();
    let output = run(child(test, &home.path().display().to_string()));
    let told = String::from_utf8_lossy(&output.stdout);
    print!("{told}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let mut notices: Vec<_> = stderr.lines().filter(|line| line.starts_with("tapelog: ")).collect();
    println!("row 14: {notices:#?}");
    let count = notices.len();
    notices.sort_unstable();
    notices.dedup();
    assert_eq!(notices.len(), count, "each trouble is told once");
    let lines = support::lines(&home.path().join("logs/expert.log"));
    let entries = lines.iter().filter(|line| line.contains("] entry "));
    assert!(entries.map(|line| number(line, "number")).is_sorted(), "in order, none twice");
    let journal = tapelog::reading::Journal::open(home.path().join("logs")).unwrap();
    assert!(journal.verify(&mut |_| {}).unwrap().is_intact());
    let result = told.lines().find(|line| field(line, "back_us").is_some()).unwrap();
    Duration::from_micros(number(result, "back_us"))
}

#[test]
fn row_14_a_start_with_few_descriptors_or_none_is_refused_or_degraded_and_harms_nobody() {
    let test =
        "row_14_a_start_with_few_descriptors_or_none_is_refused_or_degraded_and_harms_nobody";
    let Some(role) = role() else {
        let home = support::tmpfs();
        let output = run(child(test, &home.path().display().to_string()));
        print!("{}", String::from_utf8_lossy(&output.stdout));
        return;
    };
    limit(Resource::Nofile, 64);
    let mut degraded = 0;
    for left in 0..24 {
        let mut taken = take_descriptors();
        taken.truncate(taken.len() - left);
        let directory = Path::new(&role).join(format!("{left}"));
        let builder = support::builder(&directory.join("logs")).ring_dir(directory.join("rings"));
        let (log, guard) = builder.build_or_console();
        let accepted = (0..1_000_u64)
            .filter(|number| try_info!(log, "entry", number = *number).is_ok())
            .count() as u64;
        drop(guard);
        let stats = log.stats();
        degraded += u64::from(stats.degraded.is_some());
        // The engine's own entry tells the reason, or is refused as well.
        let own = stats.accepted + stats.lost.total() - 1_000;
        assert!(own <= 1 && stats.accepted - accepted <= own, "{left}: {stats:?}");
        drop(taken);
    }
    assert!(degraded > 0, "with no descriptor left, no file can be opened");
    println!("row 14: 24 starts with 0 to 23 descriptors, {degraded} of them degraded");
}

#[test]
fn row_14_a_start_that_gets_no_thread_is_refused_and_leaves_the_directory_free() {
    const TEST: &str =
        "row_14_a_start_that_gets_no_thread_is_refused_and_leaves_the_directory_free";
    if role().is_none() {
        if !rustix::process::geteuid().is_root() {
            return support::skip(format_args!("row 14: only root can become a user of its own"));
        }
        let told = run(child(TEST, "without threads"));
        return print!("{}", String::from_utf8_lossy(&told.stdout));
    }
    let desk = Desk::new();
    // A user that has no other thread: this one alone counts.
    let user = rustix::process::Uid::from_raw(64_987);
    std::os::unix::fs::chown(desk.path(""), Some(user.as_raw()), None).unwrap();
    rustix::thread::set_thread_res_uid(user, user, user).unwrap();
    let (mut refused, mut started) = (0, 0);
    for threads in 1..=8 {
        limit(Resource::Nproc, threads);
        let builder = desk.builder().sync(SyncPolicy::Critical);
        match builder.build() {
            Ok((log, guard)) => {
                started += 1;
                info!(log, "with few threads");
                log.flush(PATIENCE).unwrap();
                drop(guard);
            }
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains("a thread"), "{error}");
            }
        }
        // Nothing of it is left.
        limit(Resource::Nproc, 1_000);
        let (log, guard) = desk.builder().build().unwrap();
        info!(log, "with all threads", threads);
        log.flush(PATIENCE).unwrap();
        drop(guard);
    }
    assert!(refused >= 4 && started >= 1, "{refused} refused, {started} started");
    let lines = desk.lines("expert.log");
    assert_eq!(lines.iter().filter(|line| line.contains("] with all threads ")).count(), 8);
    println!("row 14: {refused} starts without a thread refused, the next one had the directory");
}
