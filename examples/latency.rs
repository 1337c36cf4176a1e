//! What a log call costs on this machine, beside the time stamp counter, in one run.
//!
//! `cargo run --release --example latency`
//!
//! *batch20*: 20 calls are timed together, then the thread pauses busily for 200 µs; the figures are
//! of the means of these batches. *per call*: each call is timed on its own; the empty timer pair
//! stands beside it. The cases take turns over several rounds, arguments differ from call to call,
//! and at the end every record must be in the journal: otherwise the run fails. The policy is
//! `overflow = drop`, and nothing may be dropped.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use tapelog::{MetaLogger, Producer, Ticks, context, debug, info, now};

const ROUNDS: usize = 5;
const BATCHES: u64 = 1_000;
const CALLS: u64 = 20;
const PAUSE: Duration = Duration::from_micros(200);

/// Runs a case: generic, so that the call is inlined as it is in a program.
trait Run {
    fn case(&mut self, name: &'static str, case: impl Fn(Ticks, u64));
}

fn main() -> Result<(), Box<dyn Error>> {
    let root = std::env::temp_dir().join(format!("tapelog-latency-{}", std::process::id()));
    let (log, guard) =
        MetaLogger::builder().log_dir(root.as_path()).log_to_console(false).build()?;
    let log = log.bind(context! {
        expert_name = "MyEmaBot", symbol = "BTCUSDT", trade_id = "T-1", order_id = "O-1",
        strategy_id = 7, account_id = "A-123",
    });
    let producer = log.producer();
    log.warm_up();

    println!("batch20, ns per call: {ROUNDS} rounds of {BATCHES} batches of {CALLS} calls each");
    let mut batches = Batches(Samples::default());
    (0..ROUNDS).for_each(|_| cases(&log, &producer, &mut batches));
    batches.0.print(ticks_per_nano() * CALLS as f64);

    println!("\nper call, ns: {ROUNDS} rounds of {} calls each", BATCHES * CALLS);
    let mut calls = Calls(Samples::default());
    (0..ROUNDS).for_each(|_| cases(&log, &producer, &mut calls));
    calls.0.print(ticks_per_nano());

    log.flush(Duration::from_secs(60))?;
    let stats = log.stats();
    println!(
        "\naccepted {}, in the journal {}, lost {}, overflow = drop",
        stats.accepted,
        stats.journaled,
        stats.lost.total(),
    );
    drop(guard);
    std::fs::remove_dir_all(&root)?;
    let logged = 2 * ROUNDS as u64 * BATCHES * CALLS * 5;
    if (stats.accepted, stats.journaled) != (logged, logged) {
        return Err(format!("{logged} records were logged: the figures do not count").into());
    }
    Ok(())
}

fn cases(log: &MetaLogger, producer: &Producer, run: &mut impl Run) {
    run.case("timer pair, nothing in it", |_, n| {
        black_box(n);
    });
    run.case("rdtsc (tapelog::now)", |_, _| {
        black_box(now());
    });
    run.case("Producer, own stamp", |_, n| info!(producer, "e", a = n, b = n + 1, c = 0.5));
    run.case("Producer, at:", |at, n| info!(producer, at: at, "e", a = n, b = n + 1, c = 0.5));
    run.case("MetaLogger, own stamp", |_, n| info!(log, "e", a = n, b = n + 1, c = 0.5));
    run.case("MetaLogger, at:", |at, n| info!(log, at: at, "e", a = n, b = n + 1, c = 0.5));
    run.case("Producer, at:, 40-byte string", |at, n| {
        let text = black_box("0123456789012345678901234567890123456789");
        info!(producer, at: at, "e", a = n, text);
    });
    run.case("level disabled", |_, n| debug!(log, "e", a = n, b = n + 1, c = 0.5));
}

/// Times 20 calls together, then pauses.
struct Batches(Samples);

impl Run for Batches {
    fn case(&mut self, name: &'static str, case: impl Fn(Ticks, u64)) {
        let samples = self.0.of(name);
        for batch in 0..BATCHES {
            let at = now();
            for call in 0..CALLS {
                case(at, black_box(batch * CALLS + call));
            }
            samples.push(now().0 - at.0);
            pause();
        }
    }
}

/// Times each call on its own.
struct Calls(Samples);

impl Run for Calls {
    fn case(&mut self, name: &'static str, case: impl Fn(Ticks, u64)) {
        let samples = self.0.of(name);
        for call in 0..BATCHES * CALLS {
            let before = now();
            case(before, black_box(call));
            samples.push(now().0 - before.0);
            if call % CALLS == 0 {
                pause();
            }
        }
    }
}

fn pause() {
    let start = Instant::now();
    while start.elapsed() < PAUSE {
        std::hint::spin_loop();
    }
}

/// The samples of each case, in ticks.
#[derive(Default)]
struct Samples(Vec<(&'static str, Vec<u64>)>);

impl Samples {
    fn of(&mut self, name: &'static str) -> &mut Vec<u64> {
        let at = self.0.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
            self.0.push((name, Vec::with_capacity(ROUNDS * (BATCHES * CALLS) as usize)));
            self.0.len() - 1
        });
        &mut self.0[at].1
    }

    fn print(&mut self, ticks_per_unit: f64) {
        println!("{:<32}{:>9}{:>9}{:>9}{:>9}{:>11}", "", "p50", "p90", "p99", "p99.9", "max");
        for (name, samples) in &mut self.0 {
            samples.sort_unstable();
            let shares = [0.5, 0.9, 0.99, 0.999, 1.0];
            let [p50, p90, p99, p999, max] = shares.map(|share| {
                samples[(share * (samples.len() - 1) as f64).round() as usize] as f64
                    / ticks_per_unit
            });
            println!("{name:<32}{p50:>9.1}{p90:>9.1}{p99:>9.1}{p999:>9.1}{max:>11.1}");
        }
    }
}

fn ticks_per_nano() -> f64 {
    let (start, ticks) = (Instant::now(), now());
    while start.elapsed() < Duration::from_millis(50) {
        std::hint::spin_loop();
    }
    (now().0 - ticks.0) as f64 / start.elapsed().as_nanos() as f64
}
