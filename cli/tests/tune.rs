//! Goal: what `tapelog tune` advises holds. The advised ring loses nothing, a quarter of it loses what
//! was foretold, and the printed lines can be pasted.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{log, recording, stderr, stdout, tapelog};
use tapelog::{MetaLogger, info, testing};

/// What it prints with `--json`, of a run that has proven its advice. A rehearsal in real time may lose
/// something where the machine keeps the drain away for long: such a run is done again.
fn tuned(arguments: &[&str]) -> Value {
    let mut found = (0..3).map(|_| tuned_once(arguments));
    let found = found.find(|found| number(found, "/rehearsal/lost") == 0);
    found.expect("a rehearsal without a loss")
}

fn tuned_once(arguments: &[&str]) -> Value {
    let run = tapelog().arg("tune").args(arguments).arg("--json").output().unwrap();
    let (out, told) = (stdout(&run), stderr(&run));
    println!("{arguments:?}: {out}");
    assert_eq!((run.status.code(), told.as_str()), (Some(0), ""), "{out}");
    serde_json::from_str(&out).unwrap()
}

fn number(value: &Value, path: &str) -> u64 {
    value.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {path} in {value}"))
}

/// The whole ring lost nothing of what it must take, and the counter-proof what was foretold.
fn is_proven(found: &Value) {
    let of = |path| number(found, path);
    assert_eq!((of("/proof/predicted_lost"), of("/proof/observed_lost")), (0, 0));
    assert!(of("/counter_proof/observed_lost") > 0);
    assert_eq!(of("/counter_proof/observed_lost"), of("/counter_proof/predicted_lost"));
    assert_eq!(of("/rehearsal/lost"), 0);
    let headroom = found["headroom"].as_f64().unwrap();
    assert!(of("/proof/bytes") as f64 >= of("/load/worst_bytes") as f64 * headroom);
    assert!(of("/ring_bytes") >= of("/proof/bytes").min(256 << 10));
}

/// The counter-proof had a quarter of the ring, and the load of the proof.
fn has_a_quarter(found: &Value) {
    assert_eq!(found["overfilled"], false);
    assert_eq!(number(found, "/counter_proof/bytes"), number(found, "/proof/bytes"));
    let quarter = number(found, "/counter_proof/ring_bytes");
    let block = number(found, "/counter_proof/block_bytes");
    assert!(quarter.abs_diff(number(found, "/ring_bytes") / 4) < block, "{quarter}");
    // Three quarters of the load find no room, give or take what stands besides the blocks.
    let lost = number(found, "/counter_proof/observed_lost") as f64;
    let share = lost / number(found, "/counter_proof/records") as f64;
    assert!((0.70..0.85).contains(&share), "{share}");
}

#[test]
fn the_advice_for_the_generated_market_holds() {
    let found = tuned(&[]);
    is_proven(&found);
    assert_eq!(found["overfilled"], true, "no ring is too small for this");
    // All of it at once: then the size matters.
    let found = tuned(&["--speed", "max"]);
    is_proven(&found);
    has_a_quarter(&found);
    let closer = tuned(&["--speed", "max", "--headroom", "1"]);
    is_proven(&closer);
    assert!(number(&closer, "/ring_bytes") * 3 < number(&found, "/ring_bytes") * 2);
    let louder = tuned(&["--speed", "max", "--headroom", "1", "--level", "debug"]);
    is_proven(&louder);
    assert!(number(&louder, "/ring_bytes") > number(&closer, "/ring_bytes"));
}

#[test]
fn the_advice_for_the_recording_holds() {
    let Some(path) = recording("binance_usdm_btcusdt_20240808.gz") else { return };
    let path = path.to_str().unwrap();
    is_proven(&tuned(&["--feed", path]));
    let found = tuned(&["--feed", path, "--speed", "max"]);
    is_proven(&found);
    has_a_quarter(&found);
    assert!(number(&found, "/load/records") > 30_000);
}

#[test]
fn the_printed_builder_takes_the_bursts_and_a_quarter_of_its_ring_does_not() {
    const BURST: u64 = 30_000;
    let arguments = ["tune", "--rate", "100000", "--record-bytes", "48", "--ascii", "--burst"];
    let run = tapelog().args(arguments).arg(BURST.to_string()).output().unwrap();
    let text = stdout(&run);
    println!("{text}");
    assert!(run.status.success(), "{}", stderr(&run));
    assert!(text.contains('#') && !text.contains('█'), "the chart is plain");
    let parameter = |name: &str| -> u64 {
        let start = format!("{name} = ");
        let line = text.lines().find_map(|line| line.trim().strip_prefix(&start)).unwrap();
        let value = line.split_whitespace().next().unwrap().parse().unwrap();
        assert!(text.contains(&format!(".{name}({value}_")), "the builder has the same");
        value
    };
    let lost = |ring_bytes: u64, calls: u64| {
        let root = tempfile::tempdir().unwrap();
        let builder = MetaLogger::builder()
            .log_dir(root.path())
            .log_to_console(false)
            .ring_bytes(ring_bytes)
            .block_bytes(parameter("block_bytes") as u32)
            .reserve_blocks(parameter("reserve_blocks") as u32)
            .journal_segment_bytes(parameter("journal_segment_bytes"))
            .journal_segments(parameter("journal_segments") as u32);
        let (log, _guard) = builder.build().unwrap();
        let producer = log.producer();
        let hold = testing::hold_drain(&log);
        // 24 bytes of header and three numbers: 48 bytes.
        (0..calls).for_each(|call| info!(producer, "burst", a = call, b = call, c = 1.5));
        drop(hold);
        log.flush(Duration::from_secs(20)).unwrap();
        log.stats().lost.total()
    };
    let ring = parameter("ring_bytes");
    assert_eq!(lost(ring, 2 * BURST), 0, "the headroom is two");
    let block = parameter("block_bytes");
    let quarter = (ring / 4).next_multiple_of(block);
    let refused = lost(quarter, 2 * BURST) as f64;
    assert!((0.7..0.85).contains(&(refused / (2 * BURST) as f64)), "{refused}");
}

/// A logger that tells of itself ten times a second, for a little while.
fn log_with_metrics(directory: &Path, bursts: u32) {
    let builder = MetaLogger::builder()
        .log_dir(directory)
        .log_to_console(false)
        .metrics_interval(Duration::from_millis(100));
    let (logger, _guard) = builder.build().unwrap();
    let begin = Instant::now();
    for burst in 0..bursts {
        (0..2_000_u64).for_each(|call| info!(logger, "order", call = call, burst = burst));
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(350).saturating_sub(begin.elapsed()));
    // The entries are made by a thread that may come late.
    let told = || log(directory, "expert.log").matches("] logger.metrics ").count();
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        logger.flush(Duration::from_secs(20)).unwrap();
        if told() >= 2 {
            break;
        }
        assert!(Instant::now() < patience, "no metrics are told");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_running_logger_s_own_metrics_are_enough() {
    let root = tempfile::tempdir().unwrap();
    log_with_metrics(root.path(), 15);
    let found = tuned(&["--from-journal", root.path().to_str().unwrap()]);
    is_proven(&found);
    assert!(number(&found, "/recorded/entries") >= 2);
    assert!(number(&found, "/recorded/records_per_s") > 2_000);
    let used = number(&found, "/recorded/ring_used_bytes");
    assert!(number(&found, "/load/worst_bytes") + 100 >= used, "{used}");
}

#[test]
fn what_gives_no_load_is_refused_with_a_way_out() {
    let refused = |arguments: &[&str]| {
        let run = tapelog().arg("tune").args(arguments).output().unwrap();
        assert_eq!(stdout(&run), "");
        (run.status.code(), stderr(&run))
    };
    let root = tempfile::tempdir().unwrap();
    log_with_metrics(root.path(), 0);
    let directory = root.path().to_str().unwrap();
    let (code, told) = refused(&["--feed", "nowhere.gz"]);
    assert!(code == Some(1) && told.contains("nowhere.gz"), "{told}");
    let (code, told) = refused(&["--from-journal", "nowhere"]);
    assert!(code == Some(1) && told.contains("nowhere"), "{told}");
    let (code, told) = refused(&["--rate", "1e12", "--burst", "5"]);
    assert!(code == Some(1) && told.contains("--rate"), "{told}");
    for wrong in [
        &["--rate", "5"][..],
        &["--rate", "5", "--burst", "5", "--feed", "x"],
        &["--from-journal", directory, "--feed", "x"],
        &["--stall", "30"],
        &["--headroom", "0"],
        &["--threads", "0"],
    ] {
        assert_eq!(refused(wrong).0, Some(2), "{wrong:?}");
    }
    let (code, told) = refused(&["--speed", "max", "--headroom", "1000"]);
    assert!(code == Some(1) && told.contains("1 GiB") && told.contains("--headroom"), "{told}");
}
