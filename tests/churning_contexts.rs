//! SC-004 at 100 %: every entry has its whole context, however quickly contexts come and go; and
//! what comes and goes leaves no memory behind, over ten million binds (`TEST_QUICK`: one million).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "malloc_trim, mallinfo2")]

mod support;

#[path = "support/flat.rs"]
mod flat;

use std::io::{self, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use flat::Taken;
use support::{Desk, child, role, run};
use tapelog::reading::{Format, Journal};
use tapelog::{Context, MetaLogger, Producer, context, try_info};

const THREADS: u64 = 8;
const ENTRIES: u64 = 1_000_000;
/// A context lives for so many entries.
const GENERATION: u64 = 20;

/// Logs the entries of one thread, each with the six fields, which come to it in changing ways.
fn churn(log: &MetaLogger, producer: &Producer, thread: u64) {
    let expert = log.bind(Context::new().expert_name(format!("E{thread}")).strategy_id(thread));
    for generation in 0..ENTRIES / THREADS / GENERATION {
        let symbol = format!("S{}", generation % 100);
        let ids = Context::new().order_id(generation).trade_id(format!("T{generation}"));
        let rest = ids.clone().symbol(&symbol).account_id(format!("A-{thread}{generation:03}"));
        let bound = expert.bind(rest.clone());
        let stale = bound.bind(Context::new().order_id("stale").field("stale", true));
        let renewed = stale.unbind(&["stale", "order_id"]).bind(ids.clone());
        let outer = log.scope(rest);
        let outdated = expert.bind(Context::new().field("hint", generation));
        for entry in generation * GENERATION..(generation + 1) * GENERATION {
            let pushed = || match entry % 4 {
                0 => try_info!(producer.with(&bound), "e", thread, entry),
                1 => try_info!(renewed, "e", thread, entry),
                2 => try_info!(expert, "e", thread, entry),
                _ => try_info!(outdated, "e", thread, entry),
            };
            while pushed().is_err() {
                thread::sleep(Duration::from_micros(50));
            }
        }
        drop(outer);
    }
}

/// Checks lines as they come.
#[derive(Default)]
struct Checker {
    rest: Vec<u8>,
    /// What each thread logs next.
    next: [u64; THREADS as usize],
    complete: u64,
}

impl Checker {
    fn line(&mut self, line: &str) {
        const NAMES: [&str; 8] = [
            "thread",
            "entry",
            "expert_name",
            "symbol",
            "trade_id",
            "order_id",
            "strategy_id",
            "account_id",
        ];
        if line.contains("] logger.gap") {
            return;
        }
        let mut values = [""; 8];
        for (name, value) in line.split(' ').filter_map(|part| part.split_once('=')) {
            if let Some(at) = NAMES.iter().position(|known| *known == name) {
                assert_eq!(std::mem::replace(&mut values[at], value), "", "{line}");
            }
        }
        let [thread, entry, expert, symbol, trade, order, strategy, account] = values;
        let (of, number): (usize, u64) = (thread.parse().unwrap(), entry.parse().unwrap());
        assert_eq!(std::mem::replace(&mut self.next[of], number + 1), number, "{line}");
        let generation = number / GENERATION;
        let is = |value: &str, prefix: &str, expected: u64| {
            let digits = value.strip_prefix(prefix).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(digits.parse(), Ok(expected), "{line}");
        };
        is(expert, "E", of as u64);
        is(strategy, "", of as u64);
        is(symbol, "S", generation % 100);
        is(trade, "T", generation);
        is(order, "", generation);
        is(account, "***", generation % 1_000);
        assert!(!line.contains("stale"), "{line}");
        self.complete += 1;
    }
}

impl Write for Checker {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.rest.extend_from_slice(piece);
        let whole = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines = self.rest.drain(..whole).collect::<Vec<_>>();
        std::str::from_utf8(&lines).unwrap().lines().for_each(|line| self.line(line));
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// SC-004 at 100 %.
#[test]
fn a_million_entries_of_churning_contexts_are_all_complete() {
    let desk = Desk::new();
    // The journal keeps all of it; the logs would keep the newest 60 MiB.
    let builder = desk.builder().render_logs(false).journal_segment_bytes(64_u64 << 20);
    let (log, guard) = builder.build().unwrap();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (log, producer) = (&log, log.producer());
            scope.spawn(move || churn(log, &producer, thread));
        }
    });
    drop(guard);
    let mut checker = Checker::default();
    let summary = Journal::open(desk.logs()).unwrap().write_to(Format::Text, &mut checker).unwrap();
    assert!(summary.is_intact(), "{:?}", summary.notes);
    assert_eq!((checker.complete, checker.rest.len()), (ENTRIES, 0));
    assert_eq!(checker.next, [ENTRIES / THREADS; THREADS as usize]);
}

/// Binds again and again, and logs with some of what is bound.
fn bind_for_long(directory: &Path, binds: u64) {
    // Without mappings: how much of a file is resident is the kernel's affair.
    let builder = support::builder(&directory.join("logs")).ring_dir(directory.join("ring"));
    let builder = builder.journal_mapped(false).render_logs(false);
    // As many files as there will ever be after a tenth of the run.
    let builder = builder.journal_segment_bytes(512_u64 << 10).journal_segments(4_u32);
    let (log, guard) = builder.build().unwrap();
    let expert = log.bind(Context::new().expert_name("MyEmaBot").symbol("BTCUSDT"));
    log.warm_up();
    let at_rest = || Taken::at_rest(&log, || _ = try_info!(expert, "backlog"));
    let mut early = None;
    let begun = Instant::now();
    for number in 0..binds {
        let order = expert.bind(Context::new().order_id(number).trade_id("T-17"));
        let stripped = order.unbind(&["trade_id"]);
        let _scope = (number % 4 == 0).then(|| log.scope(context! { number }));
        if number % 16 == 0 {
            let _full = try_info!(stripped, "entry", number);
        }
        if number == binds / 10 {
            early = Some(at_rest());
        }
    }
    println!("{binds} binds in {:?}", begun.elapsed());
    at_rest().check(early.unwrap());
    drop(guard);
}

#[test]
fn memory_stays_flat_over_millions_of_binds() {
    if let Some(directory) = role() {
        let quick = std::env::var_os("TEST_QUICK").is_some();
        return bind_for_long(Path::new(&directory), if quick { 1_000_000 } else { 10_000_000 });
    }
    let desk = support::tmpfs();
    let directory = desk.path().display().to_string();
    let output = run(child("memory_stays_flat_over_millions_of_binds", &directory));
    print!("{}", String::from_utf8_lossy(&output.stdout));
}
