//! Death inside a log call: a child executes one instruction after the other and is killed behind any
//! of them; what was accepted before is recovered, and the record under way is there as a whole or not
//! at all.
//!
//! The usual way has no place for a hook, so the child is stepped by its parent: through the usual way,
//! through a call that finds its block full, through the first use of a call site, and through `bind`.

#![cfg(target_arch = "x86_64")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unsafe_code, reason = "ptrace has no safe face; acknowledgements outlive a child")]

mod support;

#[path = "recovery/acknowledged.rs"]
mod acknowledged;
#[path = "recovery/check.rs"]
mod check;
#[path = "support/stepping.rs"]
mod stepping;

use std::process::Child;
use std::time::{SystemTime, UNIX_EPOCH};

use acknowledged::Acknowledged;
use check::{Kind, check, mark, start_again};
use stepping::{be_traced, go_on, is_step, stop, wait};
use support::{Desk, child, role};
use tapelog::testing::{block_fill, hold_drain};
use tapelog::{Builder, MetaLogger, Producer, context, try_info};

const TEST: &str = "row_02_a_death_inside_a_push_leaves_every_record_whole_or_not_there";

const BLOCK_BYTES: u32 = 8 << 10;

/// What is stepped through, in this order.
const WAYS: [&str; 4] = ["the usual way", "a full block", "a first use", "bind"];

fn builder(logs: &str, rings: &str) -> Builder {
    support::builder(logs.as_ref()).ring_dir(rings).ring_bytes(1_u64 << 20).block_bytes(BLOCK_BYTES)
}

/// A producer that numbers its records and says which were accepted.
struct Pusher {
    log: MetaLogger,
    producer: Producer,
    bound: MetaLogger,
    acknowledged: Acknowledged,
    sequence: u64,
}

/// One call: each place that this is written in is a call site of its own.
macro_rules! push {
    ($pusher:expr) => {{
        let (sequence, mark) = ($pusher.sequence, mark(0, $pusher.sequence));
        if try_info!($pusher.producer.with(&$pusher.bound), "entry", sequence, mark).is_ok() {
            $pusher.sequence += 1;
            $pusher.acknowledged.set(0, $pusher.sequence);
        }
    }};
}

impl Pusher {
    fn new(log: MetaLogger, acknowledged: Acknowledged) -> Self {
        let bound = log.bind(context! { strategy = "grid", thread = 0_u64 });
        let producer = log.producer();
        Self { log, producer, bound, acknowledged, sequence: 0 }
    }

    #[inline(never)]
    fn usual(&mut self) {
        push!(self);
    }
}

/// Runs as the child: stops in front of and behind each of the ways.
fn push_stepped(role: &str) {
    let parts: Vec<&str> = role.split(' ').collect();
    let [logs, rings, acknowledged] = parts[..] else { panic!("{role}") };
    let (log, _guard) = builder(logs, rings).build().unwrap();
    // What the child has logged is in the ring alone when it dies.
    let _held = hold_drain(&log);
    let mut pusher = Pusher::new(log, Acknowledged::open(acknowledged.as_ref()));
    (0..10).for_each(|_| pusher.usual());
    be_traced();

    stop();
    (0..3).for_each(|_| pusher.usual());
    stop();

    let before = block_fill(&pusher.producer);
    pusher.usual();
    let record_bytes = block_fill(&pusher.producer) - before;
    while block_fill(&pusher.producer) + 2 * record_bytes < BLOCK_BYTES {
        pusher.usual();
    }
    stop();
    (0..3).for_each(|_| pusher.usual());
    stop();

    stop();
    push!(pusher);
    stop();

    stop();
    pusher.bound = pusher.log.bind(context! { strategy = "grid", thread = 0_u64 });
    push!(pusher);
    stop();
}

fn start(desk: &Desk) -> Child {
    let parts = [desk.logs(), desk.ring_dir(), desk.path("acknowledged")];
    let role = parts.map(|path| path.display().to_string()).join(" ");
    let mut command = child(TEST, &role);
    command.stdout(std::process::Stdio::null()).spawn().unwrap()
}

/// Lets a child run to its end: how many instructions each way has.
fn count(child: &mut Child) -> Vec<u64> {
    let (mut counts, mut inside, mut steps) = (Vec::new(), false, 0);
    while let Some(thread) = wait(child) {
        if is_step(thread) {
            steps += 1;
        } else {
            if inside {
                counts.push(steps);
            }
            (inside, steps) = (!inside, 0);
        }
        go_on(thread, inside);
    }
    counts
}

/// Kills a child when it has gone so many instructions of a way.
fn kill(child: &mut Child, way: usize, instructions: u64) {
    let (mut stops, mut steps) = (0, 0);
    let entered = 2 * way + 1;
    while let Some(thread) = wait(child) {
        if is_step(thread) {
            steps += 1;
        } else {
            stops += 1;
        }
        // A child that needs fewer of them this time dies at the end of the way.
        if steps == instructions && stops == entered || stops > entered {
            child.kill().unwrap();
            reap(child);
            return;
        }
        go_on(thread, stops == entered);
    }
    panic!("the child came to its end");
}

/// Waits for all of a killed child: the traced thread has to be let go of first.
fn reap(child: &Child) {
    let mut status = 0;
    loop {
        // SAFETY: `status` is this function's own.
        let ended = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL) };
        assert!(ended > 0, "{}", std::io::Error::last_os_error());
        if ended == child.id().cast_signed() && libc::WIFSIGNALED(status) {
            return;
        }
    }
}

#[test]
fn row_02_a_death_inside_a_push_leaves_every_record_whole_or_not_there() {
    if let Some(role) = role() {
        return push_stepped(&role);
    }
    let kills = support::times("TEST_KILLS", 52);
    let counts = count(&mut start(&Desk::new()));
    assert_eq!(counts.len(), WAYS.len());
    assert!(counts.iter().all(|instructions| *instructions > 50), "{counts:?}");
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    println!("seed {seed}");
    let (mut under_way, mut recovered) = ([0; WAYS.len()], [0; WAYS.len()]);
    for round in 0..kills {
        let way = round as usize % WAYS.len();
        // Spread over all of them, and other ones in each run.
        let nth = (round / WAYS.len() as u64).wrapping_mul(0x9E37_79B9).wrapping_add(seed);
        let instructions = 1 + nth.wrapping_mul(0x9E37_79B9_7F4A_7C15) % counts[way];
        let desk = Desk::new();
        let acknowledged = Acknowledged::open(&desk.path("acknowledged"));
        kill(&mut start(&desk), way, instructions);
        let sure = acknowledged.of(0);
        let (logs, rings) = (desk.logs(), desk.ring_dir());
        let again = builder(logs.to_str().unwrap(), rings.to_str().unwrap());
        recovered[way] += start_again(again).recovered;
        let found = check(&desk, 1, &[sure], |_| Kind::Info)[0];
        under_way[way] += found - sure;
    }
    for (way, name) in WAYS.iter().enumerate() {
        println!(
            "row 02: {} deaths inside {name} ({} instructions): {} records recovered, {} of them were \
             whole and not yet acknowledged",
            kills / WAYS.len() as u64,
            counts[way],
            recovered[way],
            under_way[way],
        );
    }
}
