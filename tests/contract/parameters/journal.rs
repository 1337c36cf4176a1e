//! The journal: its size, its order, when it is on the disk, and its end.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tapelog::{SyncPolicy, UnixNanos, critical, info, try_info};

use crate::common::{assert_refused, default_of, events};
use crate::support::{Desk, PATIENCE, number, until};

/// The sizes of the journal's segments.
fn segments(logs: &Path) -> Vec<u64> {
    let files = fs::read_dir(logs.join("journal")).unwrap().map(|file| file.unwrap());
    let segments = files.filter(|file| file.path().extension().is_some_and(|end| end == "tape"));
    // One may have been renamed since.
    segments.filter_map(|file| Some(file.metadata().ok()?.len())).collect()
}

const SEGMENT: u64 = 512 << 10;

#[test]
fn parameter_journal_segment_bytes_is_the_size_of_a_segment() {
    assert_eq!(default_of("journal_segment_bytes"), "\"16MiB\"");
    let accepted = "a multiple of 4 KiB from 512 KiB to 1 GiB";
    assert_refused("journal_segment_bytes", &["1000000", "256KiB", "2GiB"], accepted);
    for bytes in [SEGMENT, 2 * SEGMENT] {
        let desk = Desk::new();
        let (_log, _guard) = desk.builder().journal_segment_bytes(bytes).build().unwrap();
        let sizes = segments(&desk.logs());
        assert!(!sizes.is_empty() && sizes.iter().all(|size| *size == bytes), "{sizes:?}");
    }
}

#[test]
fn parameter_journal_segments_bounds_the_disk() {
    assert_eq!(default_of("journal_segments"), "8");
    assert_refused("journal_segments", &["2", "5000"], "3 to 4096");
    let desk = Desk::new();
    let small = desk.builder().journal_segment_bytes(SEGMENT).journal_segments(3_u32);
    let shown = small.configuration().unwrap();
    assert_eq!(shown.disk_bytes_max().1, 3 * SEGMENT);
    assert!(
        shown.to_toml().contains("journal 1.5MiB") || shown.to_toml().contains("journal 1536KiB")
    );
    let (log, guard) = small.build().unwrap();
    let mut most = 0;
    while log.stats().journal_bytes < 8 * SEGMENT {
        let pushed = try_info!(log, "filling", text = "x".repeat(1_000));
        if pushed.is_err() {
            thread::yield_now();
        }
        most = most.max(segments(&desk.logs()).len());
    }
    drop(guard);
    assert_eq!(most, 3, "recycled, not added to");
}

#[test]
fn parameter_sync_brings_to_the_disk_what_it_names() {
    assert_eq!(default_of("sync"), "\"none\"");
    let accepted = "none, critical, or interval(DURATION) from 10 ms to an hour";
    assert_refused("sync", &["always", "interval(1ms)"], accepted);
    let start = |policy| {
        let desk = Desk::new();
        let (log, guard) = desk.builder().sync(policy).build().unwrap();
        info!(log, "ordinary");
        log.flush(PATIENCE).unwrap();
        (desk, log, guard)
    };
    let (_desk, log, guard) = start(SyncPolicy::None);
    critical!(log, "down");
    log.flush(PATIENCE).unwrap();
    drop(guard);
    assert_eq!(log.stats().syncs, 0);

    let (_desk, log, _guard) = start(SyncPolicy::Critical);
    assert_eq!(log.stats().synced_records, 0);
    critical!(log, "down");
    until("the critical entry is on the disk", || log.stats().synced_records == 2);

    let (_desk, log, _guard) = start(SyncPolicy::Interval(Duration::from_millis(10)));
    until("everything is on the disk", || log.stats().synced_records == 1);
}

#[test]
fn parameter_order_window_sorts_what_comes_late() {
    assert_eq!(default_of("order_window"), "\"10ms\"");
    assert_refused("order_window", &["2s", "-1ms"], "at most 1 s");
    // What is logged, whether one was late, and whether the second came while the window was open.
    let logged = |window: Duration| {
        let desk = Desk::new();
        let (log, guard) = desk.builder().order_window(window).build().unwrap();
        let begun = Instant::now();
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let stamp = move |millis: i64| UnixNanos(time.as_nanos() as i64 - millis * 1_000_000);
        info!(log, at: stamp(0), "second");
        if window.is_zero() {
            until("it is written", || desk.lines("expert.log").len() == 1);
        } else {
            // The drain has seen it.
            thread::sleep(Duration::from_millis(50));
        }
        let other = log.clone();
        thread::spawn(move || info!(other, at: stamp(200), "first")).join().unwrap();
        let open = begun.elapsed() < Duration::from_millis(700);
        drop(guard);
        let lines = desk.lines("expert.log");
        (events(&lines).join(", "), log.stats().late > 0, open)
    };
    // A busy machine may stop this thread between the two.
    let mut rounds = (0..30).map(|_| logged(Duration::from_secs(1)));
    let (order, late, _) = rounds.find(|(.., open)| *open).expect("30 times too slow");
    assert_eq!((&*order, late), ("first, second", false));
    let (order, late, _) = logged(Duration::ZERO);
    assert_eq!((&*order, late), ("second, first", true));
}

#[test]
fn parameter_shutdown_timeout_leaves_the_rest_to_the_next_start() {
    const ENTRIES: u64 = 100_000;
    assert_eq!(default_of("shutdown_timeout"), "\"5s\"");
    assert_refused("shutdown_timeout", &["-5s", "2h"], "at most an hour");
    let desk = Desk::new();
    let quick = desk.builder().shutdown_timeout(Duration::ZERO);
    let mut logged = 0;
    // The views may keep up once, where the machine stops this thread.
    let left = (0..8).any(|_| {
        let (log, guard) = quick.clone().build().unwrap();
        for _ in 0..ENTRIES {
            while try_info!(log, "entry", number = logged).is_err() {
                thread::yield_now();
            }
            logged += 1;
        }
        drop(guard);
        log.stats().shown < log.stats().accepted
    });
    assert!(left, "the views were too fast for this test");
    let (_log, guard) = desk.builder().shutdown_timeout(PATIENCE).build().unwrap();
    drop(guard);
    let lines = desk.lines("expert.log");
    let entries = lines.iter().filter(|line| line.contains("] entry "));
    assert!(entries.map(|line| number(line, "number")).eq(0..logged), "each once");
}
