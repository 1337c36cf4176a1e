//! Without the logs and the console nothing reads the journal while it is written: no log file,
//! nothing that holds recycling back; flush, sync and the end wait for the journal alone, and the
//! journal has everything.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::{Duration, Instant};

use support::{Desk, LOGS, PATIENCE, number};
use tapelog::reading::{Format, Journal};
use tapelog::{Overflow, Threading, error, info, trade, try_info};

fn shown(desk: &Desk) -> Vec<String> {
    let mut out = Vec::new();
    let journal = Journal::open(desk.logs()).unwrap();
    assert!(journal.write_to(Format::Text, &mut out).unwrap().is_intact());
    String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn everything_is_in_the_journal_and_no_log_is_made() {
    for threading in [Threading::Dedicated, Threading::Shared] {
        let desk = Desk::new();
        let builder = desk.builder().render_logs(false).threading(threading);
        // An end that waited for a view would take as long.
        let builder = builder.shutdown_timeout(PATIENCE);
        let (log, guard) = builder.build().unwrap();
        (0..1000_u64).for_each(|number| info!(log, "number", number));
        trade!(log, "order filled", side = "BUY");
        error!(log, "order rejected");
        log.flush(PATIENCE).unwrap();
        log.sync().unwrap();
        log.rotate();
        let stats = log.stats();
        assert_eq!((stats.accepted, stats.journaled, stats.shown), (1002, 1002, 1002));
        assert_eq!(stats.log_lines, 0);
        assert_eq!(shown(&desk).len(), 1002, "while the engine runs");
        let ending = Instant::now();
        drop(guard);
        assert!(ending.elapsed() < Duration::from_secs(30), "nobody waits for a view");
        let lines = shown(&desk);
        assert!(
            lines[..1000].iter().enumerate().all(|(n, line)| number(line, "number") == n as u64)
        );
        assert!(LOGS.iter().all(|log| !desk.logs().join(log).exists()));
    }
}

#[test]
fn recycling_waits_for_nobody() {
    let desk = Desk::new();
    let (log, _guard) = desk
        .builder()
        .render_logs(false)
        .journal_segments(3_u32)
        .journal_segment_bytes(512_u64 << 10)
        .overflow(Overflow::Block(Duration::from_millis(5)))
        .build()
        .unwrap();
    for number in 0..200_000_u64 {
        let _counted = try_info!(log, "number", number);
    }
    log.flush(PATIENCE).unwrap();
    let stats = log.stats();
    assert!(stats.journal_bytes > 6 * (512 << 10), "all segments were used more than twice");
    assert_eq!(stats.lost.view_lag, 0);
    assert_eq!(stats.accepted + stats.lost.total(), 200_000);
}

#[test]
fn logs_that_are_rendered_again_begin_with_their_own_run() {
    let desk = Desk::new();
    for (run, render) in [true, false, true].into_iter().enumerate() {
        let (log, guard) = desk.builder().render_logs(render).build().unwrap();
        info!(log, "begun", run);
        drop(guard);
    }
    let runs: Vec<_> = desk.lines("expert.log").iter().map(|line| number(line, "run")).collect();
    assert_eq!(runs, [0, 2]);
    assert_eq!(shown(&desk).len(), 3, "the journal has them all");
}
