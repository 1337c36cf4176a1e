//! Rows 1 and 2: children that are killed while they log at full speed, or while they recover.

use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::process::ExitStatusExt;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::acknowledged::{Acknowledged, THREADS_MAX};
use crate::check::{check, check_what_is_left, kind, mark, start_again, try_entry};
use crate::panics::panic_again;
use crate::support::{self, Desk, PATIENCE, child, role, wait};
use tapelog::testing::{CrashPoint, die_at, hold_drain, panic_at};
use tapelog::{Builder, MetaLogger, SyncPolicy, Threading, context};

/// How often each kind of death is died in a long run.
pub(crate) const TIMES: &str = "TEST_KILLS";

/// What children do that live long, in journals and logs of which the oldest parts go soon.
const LIVE_LONG: &str = "log_long";

/// Each so manieth child of row 1 lives long, in CI and in a long run; odd, so that each number of threads
/// comes by.
const EACH_LONG: [u64; 2] = [101, 21];

/// A ring that is much smaller than a segment.
const SMALL_RING: u64 = 256 << 10;

/// Small parts, so that little time and few records are enough to come into all of them. A ring holds
/// more than a segment: who recovers a full one begins a new segment on the way. Or it is small: who
/// recovers it reads no more of the segment than may concern it.
fn builder(logs: &Path, rings: &Path, small: bool) -> Builder {
    support::builder(logs)
        .ring_dir(rings)
        .ring_bytes(if small { SMALL_RING } else { 640 << 10 })
        .block_bytes(8_u32 << 10)
        .journal_segment_bytes(if small { 8 * SMALL_RING } else { 512 << 10 })
        .journal_segments(128_u32)
        .log_max_file_size(256_u64 << 10)
        .log_backup_count(1_000_u32)
}

/// Logs so small, and so few of them, that each rotation removes one soon.
pub(crate) fn few_backups(builder: Builder) -> Builder {
    builder.log_max_file_size(16_u64 << 10).log_backup_count(2_u32)
}

/// The ways in which an engine works: every other one by plain writes, every fourth with one thread
/// for everything, eight in sixteen with a small ring.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way(pub(crate) u64);

impl Way {
    /// The way of a round: others than those of eight rounds before and behind it, so that each number of
    /// threads comes by each of them.
    pub(crate) fn of(round: u64) -> Self {
        Self(round + round / 8)
    }

    /// The next one.
    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }

    pub(crate) fn has_small_ring(self) -> bool {
        self.0 / 8 % 2 == 1
    }

    /// The same by plain writes.
    fn plain(self) -> Self {
        Self(self.0 | 1)
    }

    pub(crate) fn builder(self, logs: &Path, rings: &Path) -> Builder {
        let one = self.0 / 2 % 4 == 3;
        let threading = if one { Threading::Shared } else { Threading::Dedicated };
        let small = self.has_small_ring();
        builder(logs, rings, small).journal_mapped(self.0.is_multiple_of(2)).threading(threading)
    }

    pub(crate) fn builder_of(self, desk: &Desk) -> Builder {
        self.builder(&desk.logs(), &desk.ring_dir())
    }
}

/// A child that finds in its role what it is to do, in which way, in which desk, and with how many
/// threads.
pub(crate) fn start(test: &str, work: &str, way: Way, desk: &Desk, threads: usize) -> Child {
    let (logs, rings) = (desk.logs(), desk.ring_dir());
    let acknowledged = desk.path("acknowledged");
    let parts = [&logs, &rings, &acknowledged].map(|path| path.display().to_string());
    assert!(work.starts_with("log") || threads <= PANICKED, "a word of {threads} threads is taken");
    let role = format!("{work} {} {threads} {}", way.0, parts.join(" "));
    let mut command: Command = child(test, &role);
    // A panic is to end a child at once.
    command.env("RUST_BACKTRACE", "0");
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Does what the role says, if this is a child.
pub(crate) fn is_child() -> bool {
    let Some(role) = role() else { return false };
    let parts: Vec<&str> = role.split(' ').collect();
    let [work, way, threads, logs, rings, acknowledged] = parts[..] else { panic!("{role}") };
    let builder = Way(way.parse().unwrap()).builder(logs.as_ref(), rings.as_ref());
    // Where it is to die, and the how manieth time; by its parent's hand otherwise.
    let (work, death) = work.split_once('@').unwrap_or((work, ""));
    let (work, panic) = work.split_once('!').unwrap_or((work, ""));
    if let Some((point, times)) = point_of(death) {
        die_at(point, times);
    }
    match point_of(panic) {
        Some((point, _)) if work == "give_up" => panic_again(point, GIVEN_UP_AFTER),
        Some((point, times)) => panic_at(point, times),
        None => {}
    }
    match work {
        "log" | LIVE_LONG | "fill" | "recycle" | "rotate" => {
            let builder = match work {
                // A batch of lines fills more files than there are: its beginning is looked for afterwards.
                LIVE_LONG => few_backups(builder.journal_segments(8_u32)),
                // Few segments are used again soon.
                "recycle" => builder.journal_segments(3_u32),
                "rotate" => few_backups(builder),
                _ => builder,
            };
            let synced = death.starts_with("JournalSynced");
            let often = SyncPolicy::Interval(Duration::from_millis(10));
            let builder = if synced { builder.sync(often) } else { builder };
            let (log, _guard) = builder.build().unwrap();
            // Who leaves work to recovery keeps the drain from doing it, from its first pass.
            let _held = (work == "fill").then(|| hold_drain(&log));
            // Who dies by itself has time: what is written is to be read back.
            let paced = !death.is_empty();
            log_until_killed(&log, threads.parse().unwrap(), acknowledged.as_ref(), paced);
        }
        _ => {
            count_panics(files(rings.as_ref()));
            recover(builder, acknowledged.as_ref());
        }
    }
    true
}

/// A recovery that panics so often in a row is given up.
pub(crate) const GIVEN_UP_AFTER: u64 = 3;

/// No thread that logs: whose word says that a recovery has begun.
const RECOVERING: usize = THREADS_MAX - 1;

/// Nor is this one: whose word says how often recovery has panicked.
pub(crate) const PANICKED: usize = THREADS_MAX - 2;

/// Panics while a dead process's ring was there: those of its recovery.
static PANICS: AtomicU64 = AtomicU64::new(0);

/// Counts them.
fn count_panics(dead: Vec<PathBuf>) {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let waits = dead.iter().any(|ring| ring.exists());
        PANICS.fetch_add(waits.into(), Ordering::Relaxed);
        before(info);
    }));
}

/// Does what the next start does, says so when recovery is under way, and how often it has panicked.
fn recover(builder: Builder, acknowledged: &Path) {
    let (log, guard) = builder.build().expect("a start where another process died");
    let said = Acknowledged::open(acknowledged);
    said.set(RECOVERING, log.stats().recovering.into());
    support::until("the recovery", || !log.stats().recovering);
    log.flush(PATIENCE).unwrap();
    let panics = PANICS.load(Ordering::Relaxed);
    assert!(panics <= log.stats().writer_panics, "{panics}: {:?}", log.stats());
    said.set(PANICKED, panics);
    guard.shutdown();
}

/// A point by its name, and the how manieth time it is passed.
fn point_of(text: &str) -> Option<(CrashPoint, u32)> {
    let (name, times) = text.split_once('#')?;
    let point = CrashPoint::ALL.into_iter().find(|known| format!("{known:?}") == name);
    Some((point.unwrap(), times.parse().unwrap()))
}

/// Logs at full speed until it is killed.
fn log_until_killed(log: &MetaLogger, threads: usize, acknowledged: &Path, paced: bool) {
    let acknowledged = Acknowledged::open(acknowledged);
    // All of them have a lane before the first one logs.
    let begin = Barrier::new(threads);
    thread::scope(|scope| {
        for thread in 0..threads {
            let (acknowledged, begin) = (&acknowledged, &begin);
            scope.spawn(move || {
                let bound = log.bind(context! { strategy = "grid", thread = thread as u64 });
                let producer = log.producer();
                begin.wait();
                let mut sequence = 0;
                loop {
                    let mark = mark(thread as u64, sequence);
                    if try_entry!(producer.with(&bound), sequence, mark).is_ok() {
                        sequence += 1;
                        acknowledged.set(thread, sequence);
                    } else {
                        thread::yield_now();
                    }
                    if paced && sequence.is_multiple_of(256) {
                        thread::sleep(Duration::from_micros(200));
                    }
                }
            });
        }
    });
}

/// Random numbers, other ones in each run of the tests.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        println!("seed {}", now.as_nanos() as u64);
        Self(now.as_nanos() as u64)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ mixed >> 31) % end
    }

    pub(crate) fn micros(&mut self, end: u64) -> Duration {
        Duration::from_micros(self.below(end))
    }
}

/// Starts a child that logs, kills it at a random moment, and gives what it had acknowledged.
pub(crate) fn kill(
    (test, work): (&str, &str),
    way: Way,
    desk: &Desk,
    threads: usize,
    random: &mut Random,
) -> Vec<u64> {
    let acknowledged = Acknowledged::open(&desk.path("acknowledged"));
    let mut child = start(test, work, way, desk, threads);
    // A look every millisecond would find it in the middle of its work already.
    let deadline = Instant::now() + PATIENCE;
    while (0..threads).all(|thread| acknowledged.of(thread) == 0) {
        assert_eq!(child.try_wait().unwrap(), None, "the child ended by itself");
        assert!(Instant::now() < deadline, "the first records: not in time");
        thread::yield_now();
    }
    // Short, since each record is to be checked; now and then long enough for segments and rotations.
    let life = match random.below(10) {
        _ if work == LIVE_LONG => {
            until_the_oldest_go(desk);
            Duration::from_millis(50) + random.micros(450_000)
        }
        0 => random.micros(6_000),
        _ => random.micros(600),
    };
    thread::sleep(life);
    child.kill().unwrap();
    child.wait().unwrap();
    (0..threads).map(|thread| acknowledged.of(thread)).collect()
}

/// Waits until the first segment was made new, and a rotation has removed a file.
fn until_the_oldest_go(desk: &Desk) {
    let oldest = desk.logs().join("expert.log.2");
    let oldest = || std::fs::metadata(&oldest).ok().map(|file| file.ino());
    support::until("backups", || oldest().is_some());
    let (before, first) = (oldest(), desk.logs().join("journal/00000000000000000001.tape"));
    support::until("the oldest go", || !first.exists() && oldest() != before);
}

#[test]
fn row_01_every_acknowledged_record_is_recovered_once_after_a_kill() {
    if is_child() {
        return;
    }
    let test = "kills::row_01_every_acknowledged_record_is_recovered_once_after_a_kill";
    let times = support::times(TIMES, 500);
    let mut random = Random::new();
    let each_long = EACH_LONG[usize::from(std::env::var_os(TIMES).is_some())];
    let (mut records, mut recovered, mut runs, mut near_end) = (0, 0, 0, 0);
    let (mut long, mut left) = (0, 0);
    for round in 0..times {
        let (threads, way) = (1 + (round % 8) as usize, Way::of(round));
        let desk = Desk::new();
        let lives_long = round % each_long == each_long - 1;
        let work = if lives_long { LIVE_LONG } else { "log" };
        let acknowledged = kill((test, work), way, &desk, threads, &mut random);
        near_end += u64::from(way.has_small_ring() && published(&desk) > 2 * SMALL_RING);
        // With more segments and backups, so that nothing more goes.
        let stats = start_again(way.next().builder_of(&desk));
        if lives_long {
            left += check_what_is_left(&desk, &acknowledged, kind);
            long += 1;
        } else {
            records += check(&desk, threads, &acknowledged, kind).iter().sum::<u64>();
        }
        recovered += stats.recovered;
        runs += u64::from(stats.recovered > 0);
    }
    println!(
        "row 01: {times} kills of 1 to 8 producers, {records} records, each there once and in \
         order; {recovered} of them from the ring, in {runs} runs; {near_end} whose segment was read \
         near its end only; {long} that had lived long, {left} records in what was left of their \
         journals"
    );
    assert!(near_end >= times / 100, "recovery has read {near_end} segments near their end only");
    assert!(runs >= times / 8, "children left something in the ring in {runs} of {times} runs");
}

/// How far the newest segment is published.
fn published(desk: &Desk) -> u64 {
    let names = std::fs::read_dir(desk.logs().join("journal")).unwrap();
    let mut paths: Vec<_> = names.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "tape"));
    paths.sort_unstable();
    let cursor = |path: &PathBuf| {
        let mut bytes = [0; 8];
        std::fs::File::open(path).unwrap().read_exact_at(&mut bytes, 512).unwrap();
        u64::from_le_bytes(bytes)
    };
    // The last one that is written: behind it, one is prepared.
    paths.iter().rev().map(cursor).find(|&cursor| cursor > 4096).unwrap_or(0)
}

#[test]
fn row_02_recovery_can_be_killed_and_run_again() {
    if is_child() {
        return;
    }
    let test = "kills::row_02_recovery_can_be_killed_and_run_again";
    let times = support::times(TIMES, 50);
    let mut random = Random::new();
    let (mut recovered, mut under_way) = (0, 0);
    for round in 0..times {
        let (threads, way) = (1 + (round % 4) as usize, Way::of(round));
        let desk = Desk::new();
        let acknowledged = kill((test, "fill"), way, &desk, threads, &mut random);
        let ring = rings(&desk).pop().unwrap();
        let said = Acknowledged::open(&desk.path("acknowledged"));
        // At any moment, and while it is under way.
        for (waits, micros) in [(false, 15_000), (false, 15_000), (true, 500)] {
            said.set(RECOVERING, 0);
            let mut child = start(test, "recover", way.next(), &desk, threads);
            while waits && said.of(RECOVERING) == 0 && child.try_wait().unwrap().is_none() {
                thread::yield_now();
            }
            thread::sleep(random.micros(micros));
            child.kill().unwrap();
            child.wait().unwrap();
            under_way += u64::from(said.of(RECOVERING) > 0 && ring.exists());
        }
        recovered += start_again(way.builder_of(&desk)).recovered;
        check(&desk, threads, &acknowledged, kind);
    }
    println!(
        "row 02: {times} rings whose recovery was killed at random, three times each, {under_way} of \
         them while it was under way; {recovered} records were left to the last start"
    );
    assert!(under_way > 0, "none of the kills met a recovery");
}

/// The files of rings.
pub(crate) fn rings(desk: &Desk) -> Vec<PathBuf> {
    files(&desk.ring_dir())
}

fn files(directory: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// Logs until the process dies at a point, and gives what it had acknowledged.
fn die(test: &str, way: Way, desk: &Desk, threads: usize, death: &str) -> Vec<u64> {
    let acknowledged = Acknowledged::open(&desk.path("acknowledged"));
    let status = wait(&mut start(test, &format!("log@{death}"), way, desk, threads));
    assert_eq!(status.signal(), Some(9), "{death}: {status}");
    (0..threads).map(|thread| acknowledged.of(thread)).collect()
}

#[test]
fn row_02_a_death_between_any_two_steps_of_the_writer_loses_and_repeats_nothing() {
    if is_child() {
        return;
    }
    let test =
        "kills::row_02_a_death_between_any_two_steps_of_the_writer_loses_and_repeats_nothing";
    let rounds = support::times(TIMES, 50);
    let mut random = Random::new();
    for (point, often) in [
        (CrashPoint::FramesWritten, 60),
        (CrashPoint::FramesInTheFile, 60),
        (CrashPoint::CursorWritten, 60),
        (CrashPoint::PassDone, 60),
        (CrashPoint::SegmentBegun, 2),
        (CrashPoint::BatchNoted, 20),
        (CrashPoint::EntriesRendered, 20),
        (CrashPoint::BatchWritten, 20),
        (CrashPoint::JournalSynced, 4),
        (CrashPoint::FileRenamed, 12),
    ] {
        let (mut records, mut recovered) = (0, 0);
        for round in 0..rounds {
            let (threads, way) = (1 + (round % 3) as usize, Way::of(round));
            let way = if point == CrashPoint::FramesInTheFile { way.plain() } else { way };
            let desk = Desk::new();
            let death = format!("{point:?}#{}", 1 + random.below(often));
            let acknowledged = die(test, way, &desk, threads, &death);
            recovered += start_again(way.next().builder_of(&desk)).recovered;
            records += check(&desk, threads, &acknowledged, kind).iter().sum::<u64>();
        }
        println!(
            "row 02: {rounds} deaths at {point:?}, {records} records, {recovered} of them recovered"
        );
    }
}

#[test]
fn row_02_a_death_between_any_two_steps_of_recovery_loses_and_repeats_nothing() {
    if is_child() {
        return;
    }
    let test = "kills::row_02_a_death_between_any_two_steps_of_recovery_loses_and_repeats_nothing";
    let mut random = Random::new();
    let points = [
        (CrashPoint::SegmentHeaded, 2),
        (CrashPoint::SegmentNamed, 2),
        (CrashPoint::RecoveryBegun, 1),
        (CrashPoint::FramesWritten, 3),
        (CrashPoint::FramesInTheFile, 3),
        (CrashPoint::RecoveryPublished, 3),
        (CrashPoint::RecoveryNoted, 3),
        (CrashPoint::RecoveryEnded, 1),
        (CrashPoint::SegmentBegun, 1),
        (CrashPoint::BatchWritten, 3),
    ];
    let times = support::times(TIMES, 50);
    let mut died = [0; 10];
    // Until each of them has killed so many, each ring has three recoveries that may die.
    let mut number = 0;
    while died.iter().any(|&died| died < times) {
        assert!(number < 9 * times * points.len() as u64, "of {number} recoveries died {died:?}");
        let (threads, way) = (1 + (number % 4) as usize, Way::of(number));
        let desk = Desk::new();
        let acknowledged = kill((test, "fill"), way, &desk, threads, &mut random);
        for _ in 0..3 {
            let next = (0..points.len()).map(|at| (number as usize + at) % points.len());
            let Some(at) = { next }.find(|&at| died[at] < times) else { break };
            let (point, often) = points[at];
            let work = format!("recover@{point:?}#{}", 1 + random.below(often));
            let way = Way::of(number);
            let way = if point == CrashPoint::FramesInTheFile { way.plain() } else { way };
            let status = wait(&mut start(test, &work, way, &desk, threads));
            // A recovery with few steps comes to its end before it dies.
            assert!(status.success() || status.signal() == Some(9), "{point:?}: {status}");
            died[at] += u64::from(!status.success());
            number += 1;
        }
        start_again(way.next().builder_of(&desk));
        check(&desk, threads, &acknowledged, kind);
    }
    for ((point, _), died) in points.iter().zip(died) {
        println!("row 02: {died} recoveries that died at {point:?}");
    }
}
