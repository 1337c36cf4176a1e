//! How many records a second one producer gets through the engine, and into the logs.
//!
//! `cargo run --release --example throughput`
//!
//! The policy is `overflow = block`: a call that finds the ring full waits, at most 5 ms, and then
//! would be counted as lost. The time runs until the last record is in the journal, or in the logs;
//! both lie in the page cache then. A run in which a record is missing fails.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use tapelog::{Level, MetaLogger, Overflow, info};

/// One way of running: what it is called, how many records, and how they are shown.
struct Mode {
    name: &'static str,
    records: u64,
    rendered: bool,
    json: bool,
}

const MODES: [Mode; 3] = [
    // As many as the journal holds without waiting for the view, which reads 12 to 16 million a second
    // even when it shows nothing: a burst, not a sustained rate.
    Mode { name: "a burst into the journal", records: 2_000_000, rendered: false, json: false },
    Mode { name: "into expert.log, text", records: 4_000_000, rendered: true, json: false },
    Mode { name: "into expert.log, JSON", records: 4_000_000, rendered: true, json: true },
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = std::env::temp_dir().join(format!("tapelog-throughput-{}", std::process::id()));
    println!("one producer, (u64, u64, f64), own stamps, 48-byte records, overflow = block");
    println!("{:<26}{:>12}{:>14}{:>12}{:>8}", "", "records", "records/s", "MB/s", "lost");
    for round in 1..=3 {
        for mode in &MODES {
            let directory = root.join(format!("{}-{round}", mode.json));
            run(mode, &directory)?;
            std::fs::remove_dir_all(&directory)?;
        }
    }
    std::fs::remove_dir_all(&root)?;
    Ok(())
}

fn run(mode: &Mode, directory: &std::path::Path) -> Result<(), Box<dyn Error>> {
    let (log, _guard) = MetaLogger::builder()
        .log_dir(directory)
        .log_to_console(false)
        .overflow(Overflow::Block(Duration::from_millis(5)))
        .log_level(if mode.rendered { Level::Info } else { Level::Critical })
        .journal_level(Level::Info)
        .structured_logging(mode.json)
        .build()?;
    let producer = log.producer();
    log.warm_up();
    let start = Instant::now();
    for number in 0..mode.records {
        info!(producer, "event", number = black_box(number), next = number + 1, price = 0.5);
    }
    if mode.rendered {
        log.flush(Duration::from_secs(60))?;
    } else {
        let in_journal = || log.stats().journaled + log.stats().lost.total();
        while in_journal() < mode.records && start.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_micros(100));
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let stats = log.stats();
    println!(
        "{:<26}{:>12}{:>14.0}{:>12.0}{:>8}",
        mode.name,
        stats.journaled,
        stats.journaled as f64 / seconds,
        stats.journal_bytes as f64 / seconds / 1e6,
        stats.lost.total(),
    );
    if stats.journaled + stats.lost.total() != mode.records {
        return Err(format!("{} records were logged", mode.records).into());
    }
    Ok(())
}
