//! Goal: the demo reads feeds plain, gzipped and from stdin, tells of malformed lines by their
//! numbers, and goes on behind them.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod support;

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use support::{demo, line_count, log, number, slow_calls, stderr, stdout, tapelog};

const TRADES: u64 = 200;

/// Trades, one each 10 ms, with a malformed line behind each of the first `malformed`.
fn feed(malformed: u64) -> String {
    let mut text = String::new();
    for id in 1..=TRADES {
        let received = 1_723_161_255_000_000_000 + id * 10_000_000;
        text.push_str(&format!(
            r#"{received} {{"stream":"btcusdt@trade","data":{{"e":"trade","s":"BTCUSDT","t":{id},"p":"61800.10","q":"0.5","m":true}}}}"#
        ));
        text.push('\n');
        if id <= malformed {
            text.push_str("not a message\n");
        }
    }
    text
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn check(report: &str, directory: &Path) {
    assert!(report.contains("MyEmaBot on BTCUSDT"), "{report}");
    assert_eq!(number(report, "messages"), TRADES);
    let records = number(report, "records") + slow_calls(directory);
    assert_eq!(records, line_count(directory, "expert.log"));
    let trades = log(directory, "expert.log").matches("market trade").count() as u64;
    assert_eq!(trades, TRADES);
    assert!(log(directory, "expert.log").contains("symbol=BTCUSDT"));
}

#[test]
fn plain_gzip_and_stdin_give_the_same_run() {
    let root = tempfile::tempdir().unwrap();
    let [plain, packed] = ["feed.txt", "feed.gz"].map(|name| root.path().join(name));
    fs::write(&plain, feed(0)).unwrap();
    fs::write(&packed, gzip(feed(0).as_bytes())).unwrap();
    for (name, path) in [("plain", &plain), ("packed", &packed)] {
        let directory = root.path().join(name);
        check(&demo(&directory, &["--feed", path.to_str().unwrap()]), &directory);
    }
    for (name, input) in [("stdin", feed(0).into_bytes()), ("zin", gzip(feed(0).as_bytes()))] {
        let directory = root.path().join(name);
        let mut command = tapelog();
        command.args(["demo", "--feed", "-", "--dir"]).arg(&directory).write_stdin(input);
        let run = command.output().unwrap();
        assert!(run.status.success(), "{}", stderr(&run));
        check(&stdout(&run), &directory);
        assert!(stdout(&run).contains("the feed stdin"));
    }
}

#[test]
fn malformed_lines_are_told_by_number_ten_times_and_logged_every_time() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("feed.txt");
    fs::write(&path, feed(25)).unwrap();
    let directory = root.path().join("logs");
    let mut command = tapelog();
    let run = command.args(["demo", "--dir"]).arg(&directory).arg("--feed").arg(&path);
    let run = run.output().unwrap();
    assert!(run.status.success(), "{}", stderr(&run));
    check(&stdout(&run), &directory);
    assert_eq!(number(&stdout(&run), "malformed"), 25);
    let errors = stderr(&run);
    let told = errors.lines().collect::<Vec<_>>();
    assert_eq!(told.len(), 11, "{errors}");
    assert!(told[0].starts_with("line 2: ") && told[9].starts_with("line 20: "), "{errors}");
    assert_eq!(told[10], "… and 15 more malformed lines");
    let expert = log(&directory, "expert.log");
    let warnings = expert.lines().filter(|line| line.contains("[WARNING  ]"));
    let warnings = warnings.filter(|line| !line.contains("logger.")).collect::<Vec<_>>();
    assert_eq!(warnings.len(), 25);
    assert!(warnings[24].contains("malformed feed line line=50 error="), "{}", warnings[24]);
}

#[test]
fn a_feed_that_ends_early_is_reported_with_what_was_read_and_fails() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("feed.gz");
    let whole = gzip(feed(0).as_bytes());
    fs::write(&path, &whole[..whole.len() - 9]).unwrap();
    let mut command = tapelog();
    let run = command.args(["demo", "--dir"]).arg(root.path().join("logs"));
    let run = run.arg("--feed").arg(&path).output().unwrap();
    assert_eq!(run.status.code(), Some(1));
    assert!(number(&stdout(&run), "messages") > 0);
    assert!(stderr(&run).contains("cut short") && stderr(&run).contains("ended early"));
}

#[test]
fn a_feed_without_a_message_and_a_missing_one_fail() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("logs");
    let path = root.path().join("feed.txt");
    fs::write(&path, "nothing\nof use\n").unwrap();
    let mut command = tapelog();
    let run = command.args(["demo", "--dir"]).arg(&directory).arg("--feed").arg(&path);
    let run = run.output().unwrap();
    assert_eq!(run.status.code(), Some(1));
    assert!(stderr(&run).contains("the feed held no message"), "{}", stderr(&run));
    let run = tapelog().args(["demo", "--feed", "no/such.gz"]).output().unwrap();
    assert_eq!(run.status.code(), Some(1));
    let told = stderr(&run);
    assert!(told.contains("no/such.gz") && told.contains("No such file"), "{told}");
}
