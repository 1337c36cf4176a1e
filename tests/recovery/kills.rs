//! Rows 1 and 2: children that are killed while they log at full speed, or while they recover.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::acknowledged::Acknowledged;
use crate::check::{check, mark, start_again};
use crate::support::{self, Desk, child, role, until, wait};
use tapelog::{Builder, context, try_info};

/// How often each kind of death is died.
const TIMES: u64 = 50;

/// Small parts, so that little time is enough to come into all of them.
fn builder(logs: &Path, rings: &Path) -> Builder {
    support::builder(logs)
        .ring_dir(rings)
        .ring_bytes(1_u64 << 20)
        .block_bytes(8_u32 << 10)
        .journal_segment_bytes(2_u64 << 20)
        .journal_segments(64_u32)
        .log_max_file_size(1_u64 << 20)
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
    match work {
        "log" => log_until_killed(builder, threads.parse().unwrap(), acknowledged.as_ref()),
        _ => drop(start_again(builder)),
    }
    true
}

/// Logs at full speed until it is killed.
fn log_until_killed(builder: Builder, threads: usize, acknowledged: &Path) {
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
    until("the first records", || (0..threads).all(|thread| acknowledged.of(thread) > 0));
    thread::sleep(random.micros(12_000));
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
    for round in 0..TIMES {
        let threads = 1 + (round % 4) as usize;
        let desk = Desk::new();
        let acknowledged = log_and_die(test, &desk, threads, &mut random);
        let stats = start_again(builder_of(&desk));
        records += check(&desk, threads, &acknowledged).iter().sum::<u64>();
        recovered += stats.recovered;
        runs += u64::from(stats.recovered > 0);
    }
    println!(
        "{TIMES} kills, {records} records; {recovered} of them were recovered, in {runs} runs"
    );
    assert!(runs > TIMES / 4, "most children left something in the ring");
}

#[test]
fn row_02_recovery_can_be_killed_and_run_again() {
    if is_child() {
        return;
    }
    let test = "kills::row_02_recovery_can_be_killed_and_run_again";
    let mut random = Random::new();
    let mut recovered = 0;
    for round in 0..TIMES {
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
    println!("{TIMES} runs; {recovered} records were left to the last start");
}
