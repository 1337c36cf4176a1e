//! Rows 1 and 2: children that are killed while they log at full speed, or while they recover.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::acknowledged::Acknowledged;
use crate::check::{check, mark, start_again};
use crate::support::{self, Desk, PATIENCE, child, role, wait};
use tapelog::testing::{CrashPoint, die_at};
use tapelog::{Builder, context, try_info};

/// How often each kind of death is died.
fn times() -> u64 {
    std::env::var("TEST_KILLS").map_or(50, |times| times.parse().unwrap())
}

/// Small parts, so that little time is enough to come into all of them.
fn builder(logs: &Path, rings: &Path) -> Builder {
    support::builder(logs)
        .ring_dir(rings)
        .ring_bytes(1_u64 << 20)
        .block_bytes(8_u32 << 10)
        .journal_segment_bytes(2_u64 << 20)
        .journal_segments(64_u32)
        .log_max_file_size(512_u64 << 10)
        .log_backup_count(1_000_u32)
}

fn builder_of(desk: &Desk) -> Builder {
    builder(&desk.logs(), &desk.ring_dir())
}

/// A child that finds in its role what it is to do, in which desk, and with how many threads.
fn start(test: &str, work: &str, desk: &Desk, threads: usize) -> Child {
    let (logs, rings) = (desk.logs(), desk.ring_dir());
    let acknowledged = desk.path("acknowledged");
    let parts = [&logs, &rings, &acknowledged].map(|path| path.display().to_string());
    let mut command: Command = child(test, &format!("{work} {threads} {}", parts.join(" ")));
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Does what the role says, if this is a child.
fn is_child() -> bool {
    let Some(role) = role() else { return false };
    let parts: Vec<&str> = role.split(' ').collect();
    let [work, threads, logs, rings, acknowledged] = parts[..] else { panic!("{role}") };
    let builder = builder(logs.as_ref(), rings.as_ref());
    // Where it is to die, and the how manieth time; by its parent's hand otherwise.
    let (work, death) = work.split_once('@').unwrap_or((work, ""));
    if let Some((point, times)) = death.split_once('#') {
        let point = CrashPoint::ALL.into_iter().find(|known| format!("{known:?}") == point);
        die_at(point.unwrap(), times.parse().unwrap());
    }
    match work {
        "log" => {
            // Who dies by itself has time: what is written is to be read back.
            let paced = !death.is_empty();
            let threads = threads.parse().unwrap();
            log_until_killed(builder, threads, acknowledged.as_ref(), paced);
        }
        _ => drop(start_again(builder)),
    }
    true
}

/// Logs at full speed until it is killed.
fn log_until_killed(builder: Builder, threads: usize, acknowledged: &Path, paced: bool) {
    let acknowledged = Acknowledged::open(acknowledged);
    let (log, _guard) = builder.build().unwrap();
    thread::scope(|scope| {
        for thread in 0..threads {
            let (log, acknowledged) = (&log, &acknowledged);
            scope.spawn(move || {
                let bound = log.bind(context! { strategy = "grid", thread = thread as u64 });
                let producer = log.producer();
                let mut sequence = 0;
                loop {
                    let mark = mark(thread as u64, sequence);
                    if try_info!(producer.with(&bound), "entry", sequence, mark).is_ok() {
                        sequence += 1;
                        acknowledged.set(thread, sequence);
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
struct Random(u64);

impl Random {
    fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        println!("seed {}", now.as_nanos() as u64);
        Self(now.as_nanos() as u64)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ mixed >> 31) % end
    }

    fn micros(&mut self, end: u64) -> Duration {
        Duration::from_micros(self.below(end))
    }
}

/// Starts a child that logs, kills it at a random moment, and gives what it had acknowledged.
fn log_and_die(test: &str, desk: &Desk, threads: usize, random: &mut Random) -> Vec<u64> {
    let acknowledged = Acknowledged::open(&desk.path("acknowledged"));
    let mut child = start(test, "log", desk, threads);
    // A look every millisecond would find it in the middle of its work already.
    let deadline = Instant::now() + PATIENCE;
    while (0..threads).any(|thread| acknowledged.of(thread) == 0) {
        assert!(Instant::now() < deadline, "the first records: not in time");
        thread::yield_now();
    }
    thread::sleep(random.micros(1_000));
    child.kill().unwrap();
    wait(&mut child);
    (0..threads).map(|thread| acknowledged.of(thread)).collect()
}

#[test]
fn row_01_every_acknowledged_record_is_recovered_once_after_a_kill() {
    if is_child() {
        return;
    }
    let test = "kills::row_01_every_acknowledged_record_is_recovered_once_after_a_kill";
    let mut random = Random::new();
    let (mut records, mut recovered, mut runs) = (0, 0, 0);
    for round in 0..times() {
        let threads = 1 + (round % 4) as usize;
        let desk = Desk::new();
        let acknowledged = log_and_die(test, &desk, threads, &mut random);
        let stats = start_again(builder_of(&desk));
        records += check(&desk, threads, &acknowledged).iter().sum::<u64>();
        recovered += stats.recovered;
        runs += u64::from(stats.recovered > 0);
    }
    println!(
        "{} kills, {records} records; {recovered} of them were recovered, in {runs} runs",
        times()
    );
    assert!(runs > times() / 4, "most children left something in the ring");
}

#[test]
fn row_02_recovery_can_be_killed_and_run_again() {
    if is_child() {
        return;
    }
    let test = "kills::row_02_recovery_can_be_killed_and_run_again";
    let mut random = Random::new();
    let mut recovered = 0;
    for round in 0..times() {
        let threads = 1 + (round % 4) as usize;
        let desk = Desk::new();
        let acknowledged = log_and_die(test, &desk, threads, &mut random);
        for _ in 0..3 {
            let mut child = start(test, "recover", &desk, threads);
            thread::sleep(random.micros(15_000));
            child.kill().unwrap();
            wait(&mut child);
        }
        recovered += start_again(builder_of(&desk)).recovered;
        check(&desk, threads, &acknowledged);
    }
    println!("{} runs; {recovered} records were left to the last start", times());
}

/// Logs until the process dies at a point, and gives what it had acknowledged.
fn die(test: &str, desk: &Desk, threads: usize, point: CrashPoint, times: u64) -> Vec<u64> {
    let acknowledged = Acknowledged::open(&desk.path("acknowledged"));
    let status = wait(&mut start(test, &format!("log@{point:?}#{times}"), desk, threads));
    assert_eq!(status.signal(), Some(9), "{point:?}: {status}");
    (0..threads).map(|thread| acknowledged.of(thread)).collect()
}

#[test]
fn row_02_a_death_between_any_two_steps_of_the_writer_loses_and_repeats_nothing() {
    if is_child() {
        return;
    }
    let test =
        "kills::row_02_a_death_between_any_two_steps_of_the_writer_loses_and_repeats_nothing";
    let mut random = Random::new();
    for (point, often) in [
        (CrashPoint::FramesWritten, 60),
        (CrashPoint::CursorWritten, 60),
        (CrashPoint::PassDone, 60),
        (CrashPoint::SegmentBegun, 2),
        (CrashPoint::BatchNoted, 20),
        (CrashPoint::BatchWritten, 20),
        (CrashPoint::FileRenamed, 12),
    ] {
        let (mut records, mut recovered) = (0, 0);
        for round in 0..times() / 5 {
            let threads = 1 + (round % 3) as usize;
            let desk = Desk::new();
            let acknowledged = die(test, &desk, threads, point, 1 + random.below(often));
            recovered += start_again(builder_of(&desk)).recovered;
            records += check(&desk, threads, &acknowledged).iter().sum::<u64>();
        }
        println!("{point:?}: {} deaths, {records} records, {recovered} recovered", times() / 5);
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
        CrashPoint::RecoveryBegun,
        CrashPoint::FramesWritten,
        CrashPoint::RecoveryPublished,
        CrashPoint::RecoveryNoted,
        CrashPoint::RecoveryEnded,
        CrashPoint::SegmentBegun,
        CrashPoint::BatchWritten,
    ];
    let mut died = 0;
    for round in 0..times() / 2 {
        let threads = 1 + (round % 4) as usize;
        let desk = Desk::new();
        let acknowledged = log_and_die(test, &desk, threads, &mut random);
        for number in 0..3 {
            let point = points[(round + number) as usize % points.len()];
            let work = format!("recover@{point:?}#{}", 1 + random.below(3));
            let status = wait(&mut start(test, &work, &desk, threads));
            // A recovery with few steps comes to its end before it dies.
            assert!(status.success() || status.signal() == Some(9), "{point:?}: {status}");
            died += u64::from(!status.success());
        }
        start_again(builder_of(&desk));
        check(&desk, threads, &acknowledged);
    }
    println!("{} runs, {died} recoveries died", times() / 2);
    assert!(died > times() / 4);
}
