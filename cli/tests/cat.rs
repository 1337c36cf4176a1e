//! Goal: `tapelog cat` shows what the logs show, live and afterwards; a closed pipe ends it
//! quietly, damage is told and costs only what it hits.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use support::{cat, demo, log, number, stderr, stdout, tapelog, trade_lines};
use tapelog::{Level, LogFormat, MetaLogger, context, info};

#[test]
fn the_text_is_expert_log_and_the_json_holds_trades_log() {
    let root = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        demo(root.path(), &[]);
    }
    let text = cat(root.path(), "text");
    assert!(text == log(root.path(), "expert.log"), "the journal differs from expert.log");
    let json = cat(&root.path().join("journal"), "json");
    assert_eq!(json.lines().count(), text.lines().count());
    assert!(trade_lines(&json) == log(root.path(), "trades.log"), "it differs from trades.log");
}

#[test]
fn entries_of_a_running_program_are_shown() {
    let root = tempfile::tempdir().unwrap();
    let builder = MetaLogger::builder().log_dir(root.path()).log_to_console(false);
    // Lines are counted: a call that the machine holds up is not told.
    let builder = builder.latency_warning(Duration::ZERO);
    let (log, _guard) = builder.structured_logging(true).log_level(Level::Debug).build().unwrap();
    let bound = log.bind(context! { symbol = "BTCUSDT" });
    for round in 1..=5_u64 {
        for sequence in 0..200_u64 {
            info!(bound, "tick", round, sequence);
        }
        log.flush(Duration::from_secs(20)).unwrap();
        let written = fs::read_to_string(root.path().join("expert.log")).unwrap();
        assert_eq!(written.lines().count() as u64, 200 * round);
        assert!(cat(root.path(), "json") == written, "round {round}");
    }
}

#[test]
fn syslog_messages_have_the_enterprise_number_that_is_given() {
    let root = tempfile::tempdir().unwrap();
    let builder = MetaLogger::builder().code_only().log_dir(root.path()).log_to_console(false);
    let builder = builder.log_format(LogFormat::Rfc5424).enterprise_number(4711_u32);
    let (log, guard) = builder.build().unwrap();
    info!(log.bind(context! { symbol = "BTCUSDT" }), "tick", sequence = 1);
    drop(guard);
    let cat = |arguments: &[&str]| {
        let mut command = tapelog();
        let command = command.arg("cat").arg(root.path()).args(["-o", "rfc5424"]);
        command.args(arguments).output().unwrap()
    };
    let written = fs::read_to_string(root.path().join("expert.log")).unwrap();
    assert!(written.contains("[ctx@4711 "), "{written}");
    assert_eq!(stdout(&cat(&["--enterprise-number", "4711"])), written);
    assert_eq!(stdout(&cat(&[])), written.replace("@4711", "@32473"));
    assert_eq!(cat(&["--enterprise-number", "0"]).status.code(), Some(2));
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let root = tempfile::tempdir().unwrap();
    demo(root.path(), &[]);
    let mut run = Command::new(env!("CARGO_BIN_EXE_tapelog"))
        .arg("cat")
        .arg(root.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(run.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains("MyEmaBot"), "{first}");
    // The reader is dropped: the pipe is closed.
    let run = run.wait_with_output().unwrap();
    assert_eq!((run.status.code(), stderr(&run).as_str()), (Some(0), ""));
}

#[test]
fn a_damaged_segment_costs_what_it_hits_and_sets_the_exit_code() {
    let root = tempfile::tempdir().unwrap();
    let report = demo(root.path(), &[]);
    let segment = root.path().join("journal/00000000000000000001.tape");
    let mut bytes = fs::read(&segment).unwrap();
    let middle = 1 << 20;
    bytes[middle..middle + 100].fill(0xaa);
    fs::write(&segment, bytes).unwrap();
    let run = tapelog().arg("cat").arg(root.path()).output().unwrap();
    assert_eq!(run.status.code(), Some(3), "{}", stderr(&run));
    assert!(stderr(&run).contains("00000000000000000001.tape is damaged from byte"));
    assert!(stderr(&run).contains("the journal is damaged"));
    let (shown, records) = (stdout(&run).lines().count() as u64, number(&report, "records"));
    assert!(shown < records && shown > records / 2, "{shown} of {records}");
}

#[test]
fn what_is_no_journal_is_refused_with_advice() {
    let root = tempfile::tempdir().unwrap();
    let refused = |path: &Path| {
        let run = tapelog().arg("cat").arg(path).output().unwrap();
        assert_eq!((run.status.code(), stdout(&run).as_str()), (Some(1), ""));
        stderr(&run)
    };
    let missing = refused(&root.path().join("none"));
    assert!(missing.contains("none: give the log directory"), "{missing}");
    let empty = refused(root.path());
    assert!(empty.contains("holds no journal"), "{empty}");
}
