//! Rows 6 and 15: the views' cursor after a crash, where a log cannot be read, and where somebody else
//! has written it.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Output;

use crate::acknowledged::Acknowledged;
use crate::check::{check, in_order, journal, kind, start_again, texts};
use crate::kills::{self, Random, Way, start};
use crate::support::{self, Desk, PATIENCE, child, field, role, wait};
use tapelog::testing::{CrashPoint, FileCall, fail};
use tapelog::{error, info, trade};

/// How the engines here work.
const WAY: Way = Way(0);

/// Starts where another child has died, while calls fail: `fail CALL ERRNO TIMES LOGS RINGS`.
fn is_child() -> bool {
    let Some(role) = role().filter(|role| role.starts_with("fail ")) else {
        return kills::is_child();
    };
    let parts: Vec<&str> = role.split(' ').collect();
    let [_, call, errno, times, logs, rings] = parts[..] else { panic!("{role}") };
    let call = FileCall::ALL.into_iter().find(|known| format!("{known:?}") == call).unwrap();
    let errno = errno.parse().unwrap();
    let fault = fail(call, errno, times.parse().unwrap());
    let builder = WAY.builder(logs.as_ref(), rings.as_ref());
    let (log, guard) = builder.build().unwrap();
    assert!(fault.failed() > 0);
    drop(fault);
    support::until("the recovery", || !log.stats().recovering);
    log.flush(PATIENCE).unwrap();
    drop(guard);
    true
}

/// A child that dies when it has written some batches; what it had acknowledged.
fn die(test: &str, desk: &Desk, batches: u64) -> Vec<u64> {
    let acknowledged = Acknowledged::open(&desk.path("acknowledged"));
    let work = format!("log@{:?}#{batches}", CrashPoint::BatchWritten);
    let status = wait(&mut start(test, &work, WAY, desk, 1));
    assert_eq!(status.signal(), Some(9), "{status}");
    vec![acknowledged.of(0)]
}

/// A start in a process of its own in which calls fail.
fn start_failing(test: &str, desk: &Desk, fault: &str) -> Output {
    let (logs, rings) = (desk.logs(), desk.ring_dir());
    let role = format!("fail {fault} {} {}", logs.display(), rings.display());
    support::run(child(test, &role))
}

#[test]
fn row_06_a_log_that_cannot_be_read_after_a_crash_is_tried_again_and_gets_every_entry_once() {
    if is_child() {
        return;
    }
    let test = "cursors::row_06_a_log_that_cannot_be_read_after_a_crash_is_tried_again_and_gets_every_entry_once";
    let mut random = Random::new();
    let mut records = 0;
    // The first file that is opened is the directory of the rings.
    for fault in ["Open 24 2", "Open 24 3", "Open 5 9", "Read 5 1", "Read 5 4"] {
        for _ in 0..3 {
            let desk = Desk::new();
            let acknowledged = die(test, &desk, 2 + random.below(15));
            start_failing(test, &desk, fault);
            // Where the journal could not be read, its ring was left to this one.
            start_again(WAY.builder_of(&desk));
            records += check(&desk, 1, &acknowledged, kind).iter().sum::<u64>();
        }
    }
    println!(
        "row 06: 15 starts behind a crash where calls failed, {records} records, each there once"
    );
}

#[test]
fn row_06_a_log_that_stays_unreadable_after_a_crash_gets_nothing_twice_and_that_is_told() {
    if is_child() {
        return;
    }
    let test = "cursors::row_06_a_log_that_stays_unreadable_after_a_crash_gets_nothing_twice_and_that_is_told";
    let desk = Desk::new();
    let acknowledged = die(test, &desk, 8);
    let before = in_order("expert.log", texts(&desk.logs(), "expert.log").iter(), 1, |_| true);
    assert!(before[0] > 0);
    let output = start_failing(test, &desk, "Open 24 1000000");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let path = desk.logs().join("expert.log");
    let expected = format!("{} cannot be read", path.display());
    assert!(told.contains(&expected) && told.contains("tapelog cat"), "{told}");
    start_again(WAY.builder_of(&desk));
    let lines = texts(&desk.logs(), "expert.log");
    let entries = lines.iter().filter(|line| line.contains("] entry "));
    let sequences = entries.map(|line| field(line, "sequence").unwrap().parse::<u64>().unwrap());
    let sequences: Vec<_> = sequences.collect();
    assert!(sequences.is_sorted_by(|one, next| one < next), "nothing stands twice");
    let lines = journal(&desk.logs());
    assert!(
        in_order("the journal", lines.iter(), 1, |_| true)[0] >= acknowledged[0],
        "nothing is lost there"
    );
}

/// A checksum as the cursor has it.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            crc >> 1 ^ if crc & 1 == 1 { 0x82F6_3B78 } else { 0 }
        })
    })
}

#[test]
fn row_15_a_cursor_with_a_right_crc_costs_no_entry_of_the_run_that_finds_it() {
    if is_child() {
        return;
    }
    const SLOT: usize = 16 << 10;
    let desk = Desk::new();
    let path = desk.logs().join("journal/views.cursor");
    let mut random = Random::new();
    let rounds = support::times("TEST_CURSORS", 120);
    for round in 0..rounds {
        if round > 0 {
            let bytes = fs::read(&path).unwrap();
            let word = |slot: &[u8], at: usize| {
                slot.get(at..at + 8)
                    .map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
            };
            let newest = bytes.chunks(SLOT).max_by_key(|slot| word(slot, 8)).unwrap();
            let end = word(newest, 0) as usize >> 32;
            let mut slot = newest[..end].to_vec();
            for _ in 0..1 + random.below(4) {
                // Any word but length, version and number of lanes.
                let words = (end as u64 - 8) / 8;
                let at = 8 + 8 * random.below(words) as usize;
                if at == 136 {
                    continue;
                }
                let value = match random.below(8) {
                    0 => u64::MAX,
                    1 => u64::MAX - 1 - random.below(16),
                    2 => 1 << random.below(64),
                    3 => (1 << 60) - random.below(2),
                    4 => random.below(16),
                    5 => word(&slot, at).wrapping_add(random.below(16)),
                    6 => word(&slot, at).wrapping_add(random.below(2 << 20)),
                    _ => random.below(u64::MAX),
                };
                slot[at..at + 8].copy_from_slice(&value.to_le_bytes());
            }
            let crc = crc32c(&slot[4..]);
            slot[..4].copy_from_slice(&crc.to_le_bytes());
            fs::write(&path, &slot).unwrap();
        }
        let (log, guard) = desk.builder().build().unwrap();
        for number in 0..20_u64 {
            info!(log, "entry", round, number);
        }
        error!(log, "failed", round);
        trade!(log, "filled", round);
        log.flush(PATIENCE).unwrap();
        let stats = log.stats();
        guard.shutdown();
        assert_eq!((stats.writer_panics, stats.lost.total(), stats.shown), (0, 0, 22), "{round}");
        let expert = desk.lines("expert.log");
        let of = |text: &str| {
            let with = format!("] {text} round={round}");
            expert.iter().filter(|line| line.contains(&with)).count()
        };
        let all = format!("round={round} number=");
        assert_eq!(expert.iter().filter(|line| line.contains(&all)).count(), 20, "round {round}");
        assert_eq!((of("failed"), of("filled")), (1, 1), "round {round}");
        let ended = format!("round={round}");
        let errors = desk.lines("errors.log");
        assert_eq!(errors.iter().filter(|line| line.ends_with(&ended)).count(), 1, "{round}");
        let trades = desk.json("trades.log");
        assert_eq!(trades.iter().filter(|line| line["round"] == round).count(), 1, "{round}");
    }
    println!("row 15: {rounds} cursors, no entry of the runs that found them is missing or twice");
}
