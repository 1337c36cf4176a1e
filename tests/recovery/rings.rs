//! What is in a dead process's ring, and nowhere else: sites, contexts, losses; rings that must not be
//! read, and rings that make no sense.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, SystemTime};

use crate::check::{journal, start_again};
use crate::support::{self, Desk, PATIENCE, child, holders, number, role, wait};
use tapelog::recovery::{RingState, rings};
use tapelog::testing::{CrashPoint, FileCall, die_at, fail, hold_drain};
use tapelog::{Builder, context, error, info, trade, try_info};

/// Records of the child that holds its drain.
const HELD: u64 = 500;

fn builder(logs: &Path, rings: &Path) -> Builder {
    support::builder(logs).ring_dir(rings).ring_bytes(256_u64 << 10).block_bytes(4_u32 << 10)
}

fn builder_of(desk: &Desk) -> Builder {
    builder(&desk.logs(), &desk.ring_dir())
}

/// Logs with a drain that takes nothing, and ends without a word; `work` says what it does.
fn is_child() -> bool {
    let Some(role) = role() else { return false };
    let parts: Vec<&str> = role.split(' ').collect();
    let [work, logs, rings] = parts[..] else { panic!("{role}") };
    let builder = builder(logs.as_ref(), rings.as_ref());
    if let Some(point) = work.strip_prefix("recover@") {
        let point = CrashPoint::ALL.into_iter().find(|known| format!("{known:?}") == point);
        die_at(point.unwrap(), 1);
        start_again(builder);
        return true;
    }
    if work == "unreadable" {
        start_with_an_unreadable_journal(builder);
        return true;
    }
    let (log, _guard) = builder.build().unwrap();
    log.flush(PATIENCE).unwrap();
    let _held = hold_drain(&log);
    match work {
        "full" => {
            let producer = log.producer();
            let mut lost = 0_u64;
            let mut sequence = 0_u64;
            while lost < 1_000 {
                match try_info!(producer, "held", sequence) {
                    Ok(()) => sequence += 1,
                    Err(_) => lost += 1,
                }
            }
            fs::write(format!("{logs}/accepted"), sequence.to_string()).unwrap();
        }
        "secrets" => {
            for number in 0..HELD {
                let note = format!("api_key={}", secret(number));
                info!(log, "signed", number, note);
                trade!(log, "sent", number, note);
                error!(log, "refused: {note}", note, number);
            }
        }
        _ => {
            let bound = log.bind(context! { symbol = "BTCUSDT", desk = 7 });
            for sequence in 0..HELD {
                info!(bound, "held", sequence, price = 70_010.25, side = "buy");
            }
            trade!(bound, "filled", qty = 3);
            error!(log, "no {thing}", thing = "room");
        }
    }
    if work == "fork" {
        // SAFETY: the child only sleeps and ends.
        if unsafe { libc::fork() } == 0 {
            thread::sleep(Duration::from_secs(5));
            // SAFETY: ends the process.
            unsafe { libc::_exit(0) };
        }
    }
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
        .unwrap();
    true
}

/// The end of each secret, and nothing else has it.
const SECRET: &str = "Zq7TtHn3WxLp0vRb5Kd9";

fn secret(number: u64) -> String {
    format!("k{number:04}{SECRET}")
}

/// What a ring holds may be in the journal already: without that, nothing is taken from it.
fn start_with_an_unreadable_journal(builder: Builder) {
    let fault = fail(FileCall::Read, libc::EIO, u64::MAX);
    let (log, guard) = builder.build().unwrap();
    support::until("the recovery is given up", || !log.stats().recovering);
    assert!(fault.failed() > 0);
    drop(fault);
    info!(log, "later");
    log.flush(PATIENCE).unwrap();
    assert_eq!(log.stats().recovered, 0);
    drop(guard);
}

/// Has a child do its work and die.
fn die(test: &str, desk: &Desk, work: &str) {
    let (logs, rings) = (desk.logs(), desk.ring_dir());
    let mut command = child(test, &format!("{work} {} {}", logs.display(), rings.display()));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert_eq!(wait(&mut child).signal(), Some(9));
}

fn ring_of(desk: &Desk) -> PathBuf {
    let found = rings(desk.ring_dir()).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].state, RingState::Dead);
    assert_eq!(found[0].log_dir.as_deref(), Some(fs::canonicalize(desk.logs()).unwrap().as_path()));
    found[0].path.clone()
}

fn held(lines: &[String]) -> Vec<u64> {
    let held = lines.iter().filter(|line| line.contains("] held sequence="));
    held.map(|line| number(line, "sequence")).collect()
}

/// Everything that the child without a drain has logged is there.
fn assert_whole(desk: &Desk) {
    let lines = desk.lines("expert.log");
    assert_eq!(held(&lines), (0..HELD).collect::<Vec<_>>());
    for line in lines.iter().filter(|line| line.contains("] held ")) {
        assert!(line.ends_with(" price=70010.25 side=buy symbol=BTCUSDT desk=7"), "{line}");
    }
    assert_eq!(journal(&desk.logs()), lines);
    assert_eq!(desk.rings(), 0);
}

#[test]
fn row_01_sites_and_contexts_that_never_came_into_the_journal_come_from_the_ring() {
    if is_child() {
        return;
    }
    let desk = Desk::new();
    let before = jiff::Timestamp::now();
    die(
        "rings::row_01_sites_and_contexts_that_never_came_into_the_journal_come_from_the_ring",
        &desk,
        "log",
    );
    let after = jiff::Timestamp::now();
    assert!(!desk.lines("expert.log").iter().any(|line| line.contains("] held ")));
    let stats = start_again(builder_of(&desk));
    assert_eq!(stats.recovered, HELD + 2);
    assert_eq!((stats.journaled, stats.shown), (stats.accepted + HELD + 2, stats.journaled));
    assert_whole(&desk);
    let lines = desk.lines("expert.log");
    for line in lines.iter().filter(|line| line.contains("] held ")) {
        let time: jiff::Timestamp = line[1..].split(']').next().unwrap().parse().unwrap();
        assert!(before <= time && time <= after, "{line} is not of {before} to {after}");
    }
    assert_eq!(desk.json("trades.log").len(), 1, "the trade is there once");
    assert!(lines.iter().any(|line| line.contains("] no room thing=room")), "{lines:?}");
    let told = lines.iter().find(|line| line.contains("logger.recovered")).unwrap();
    assert_eq!((number(told, "records"), number(told, "unreadable")), (HELD + 2, 0));
}

/// Texts are masked between ring and journal, and recovery stands there, too.
#[test]
fn row_19_what_is_recovered_from_a_ring_is_masked_on_the_way() {
    if is_child() {
        return;
    }
    let desk = Desk::new();
    die("rings::row_19_what_is_recovered_from_a_ring_is_masked_on_the_way", &desk, "secrets");
    assert_eq!(holders(&desk.ring_dir(), SECRET).len(), 1, "the ring alone has them");
    assert_eq!(holders(&desk.logs(), SECRET), [""; 0]);
    assert_eq!(start_again(builder_of(&desk)).recovered, 3 * HELD);
    assert_eq!(holders(&desk.logs(), SECRET), [""; 0]);
    assert_eq!(desk.rings(), 0);
    let lines = desk.lines("expert.log");
    assert_eq!(journal(&desk.logs()), lines);
    for (log, copies) in [("expert.log", 3), ("trades.log", 1), ("errors.log", 1)] {
        let is_masked = |line: &&String| line.contains("api_key=***");
        let masked = desk.lines(log).iter().filter(is_masked).count() as u64;
        assert_eq!(masked, copies * HELD, "{log}");
    }
    println!("row 19: {} records with a secret recovered, none of them readable", 3 * HELD);
}

#[test]
fn row_02_losses_that_nobody_told_are_told_once_however_often_recovery_dies() {
    if is_child() {
        return;
    }
    let test = "rings::row_02_losses_that_nobody_told_are_told_once_however_often_recovery_dies";
    for deaths in [
        &[][..],
        &["RecoveryPublished"],
        &["RecoveryEnded", "RecoveryPublished"],
        &["RecoveryBegun", "FramesWritten", "RecoveryEnded"],
    ] {
        let desk = Desk::new();
        die(test, &desk, "full");
        for point in deaths {
            die(test, &desk, &format!("recover@{point}"));
        }
        start_again(builder_of(&desk));
        let lines = desk.lines("expert.log");
        let accepted = fs::read_to_string(desk.logs().join("accepted")).unwrap();
        assert_eq!(held(&lines), (0..accepted.parse().unwrap()).collect::<Vec<_>>(), "{deaths:?}");
        let gaps = lines.iter().filter(|line| line.contains("logger.gap"));
        let lost: u64 = gaps.map(|line| number(line, "lost")).sum();
        assert_eq!(lost, 1_000, "after {deaths:?}");
        assert_eq!(journal(&desk.logs()), lines);
    }
}

#[test]
fn row_06_a_ring_waits_where_the_journal_cannot_be_read() {
    if is_child() {
        return;
    }
    let test = "rings::row_06_a_ring_waits_where_the_journal_cannot_be_read";
    let desk = Desk::new();
    die(test, &desk, "log");
    let (logs, rings) = (desk.logs(), desk.ring_dir());
    let role = format!("unreadable {} {}", logs.display(), rings.display());
    let run = child(test, &role).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let told = desk.lines("errors.log");
    let told =
        told.iter().find(|line| line.contains("logger.recovery_failed")).expect("it is told");
    assert!(told.contains("os error 5") && told.contains(".tape"), "{told}");
    ring_of(&desk);
    assert_eq!(start_again(builder_of(&desk)).recovered, HELD + 2);
    assert_whole(&desk);
}

#[test]
fn row_10_a_parent_that_died_is_recovered_although_its_forked_child_lives() {
    if is_child() {
        return;
    }
    let desk = Desk::new();
    die(
        "rings::row_10_a_parent_that_died_is_recovered_although_its_forked_child_lives",
        &desk,
        "fork",
    );
    assert_eq!(start_again(builder_of(&desk)).recovered, HELD + 2);
    assert_whole(&desk);
}

#[test]
fn rings_of_another_version_user_or_boot_are_set_aside_and_never_read() {
    if is_child() {
        return;
    }
    let test = "rings::rings_of_another_version_user_or_boot_are_set_aside_and_never_read";
    for (offset, told) in [
        (8, "its layout has version 3, and this version of tapelog reads 1"),
        (84, "a process of user"),
        (96, "another boot of the machine"),
        (24, "its header makes no sense"),
    ] {
        let desk = Desk::new();
        die(test, &desk, "log");
        let ring = ring_of(&desk);
        let mut bytes = fs::read(&ring).unwrap();
        bytes[offset] ^= 2;
        fs::write(&ring, &bytes).unwrap();
        let stats = start_again(builder_of(&desk));
        assert_eq!(stats.recovered, 0);
        let aside = PathBuf::from(format!("{}.aside", ring.display()));
        assert!(fs::read(&aside).unwrap() == bytes, "it stays as it was");
        let found = rings(desk.ring_dir()).unwrap();
        assert!(found.iter().all(|ring| ring.state == RingState::SetAside), "{found:?}");
        let lines = desk.lines("errors.log");
        let line = lines.iter().find(|line| line.contains("logger.recovery_failed")).unwrap();
        assert!(line.contains(told), "{line}");
        assert!(held(&desk.lines("expert.log")).is_empty());
        start_again(builder_of(&desk));
        assert_eq!(desk.lines("errors.log").len(), lines.len(), "it is told once");
        assert!(found[0].remove().unwrap());
        assert_eq!(desk.rings(), 0);
    }
}

/// Two log directories may have one directory for their rings.
#[test]
fn a_ring_of_another_log_directory_waits_for_the_next_start_there() {
    if is_child() {
        return;
    }
    let (desk, other) = (Desk::new(), Desk::new());
    die("rings::a_ring_of_another_log_directory_waits_for_the_next_start_there", &desk, "log");
    let ring = ring_of(&desk);
    let bytes = fs::read(&ring).unwrap();
    for _ in 0..2 {
        let stats = start_again(builder(&other.logs(), &desk.ring_dir()));
        assert_eq!((stats.recovered, stats.degraded), (0, None));
        assert!(fs::read(&ring).unwrap() == bytes, "it stays as it was");
    }
    for log in support::LOGS {
        assert_eq!(other.lines(log), [""; 0], "{log}");
    }
    assert_eq!(start_again(builder_of(&desk)).recovered, HELD + 2);
    assert_whole(&desk);
}

#[test]
fn a_ring_that_was_never_finished_goes_at_the_next_start_unless_somebody_makes_it() {
    let desk = Desk::new();
    start_again(builder_of(&desk));
    let place =
        |number: u32| desk.ring_dir().join(format!("{number}-000000000000000{number}.ring.new"));
    let long_ago = SystemTime::now() - Duration::from_secs(60);
    let make = |number| {
        let file = fs::File::create(place(number)).unwrap();
        file.set_modified(long_ago).unwrap();
        file
    };
    let [_abandoned, locked, young] = [1, 2, 3].map(make);
    rustix::fs::flock(&locked, rustix::fs::FlockOperation::LockExclusive).unwrap();
    young.set_modified(SystemTime::now()).unwrap();
    let target = desk.path("target");
    fs::write(&target, "precious").unwrap();
    fs::File::options().write(true).open(&target).unwrap().set_modified(long_ago).unwrap();
    symlink(&target, place(4)).unwrap();

    let left =
        || (1..=4).filter(|&number| place(number).symlink_metadata().is_ok()).collect::<Vec<_>>();
    start_again(builder_of(&desk));
    assert_eq!(left(), [2, 3, 4]);
    drop(locked);
    young.set_modified(long_ago).unwrap();
    // A child of another test may have the lock until it becomes another program.
    support::until("both are gone", || {
        start_again(builder_of(&desk));
        left() == [4]
    });
    assert_eq!(desk.rings(), 1);
    assert_eq!(fs::read_to_string(target).unwrap(), "precious");
    assert_eq!(desk.lines("expert.log"), [""; 0], "no record was ever in it, so nothing is told");
}

#[test]
fn row_02_what_stands_behind_the_last_whole_record_is_not_believed() {
    if is_child() {
        return;
    }
    let desk = Desk::new();
    die("rings::row_02_what_stands_behind_the_last_whole_record_is_not_believed", &desk, "log");
    let ring = ring_of(&desk);
    let mut bytes = fs::read(&ring).unwrap();
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let (data, block_bytes) = (word(64) as usize, (word(24) & 0xFFFF_FFFF) as usize);
    let ends: Vec<(usize, usize)> = (data..bytes.len())
        .step_by(block_bytes)
        .map(|block| (block, (word(block) & 0xFFFF_FFFF) as usize))
        .collect();
    let mut torn = 0;
    for (block, end) in ends {
        // A push that died has written a part of its record, and has not committed it.
        if (64..block_bytes - 40).contains(&end) {
            bytes[block + end..block + end + 40].fill(0xA5);
            bytes[block + end] = 40;
            torn += 1;
        }
    }
    assert!(torn > 0);
    fs::write(&ring, &bytes).unwrap();
    assert_eq!(start_again(builder_of(&desk)).recovered, HELD + 2);
    assert_whole(&desk);
}

#[test]
fn row_01_a_run_that_ends_at_once_tells_what_it_has_recovered() {
    if is_child() {
        return;
    }
    let desk = Desk::new();
    die("rings::row_01_a_run_that_ends_at_once_tells_what_it_has_recovered", &desk, "log");
    drop(builder_of(&desk).build().unwrap());
    let lines = desk.lines("expert.log");
    let told = lines.iter().filter(|line| line.contains("logger.recovered")).count();
    assert_eq!(
        (told, desk.rings()),
        (1, 0),
        "{:?}",
        lines.iter().rev().take(3).collect::<Vec<_>>()
    );
}

#[test]
fn row_15_a_ring_that_makes_no_sense_harms_nothing() {
    if is_child() {
        return;
    }
    let desk = Desk::new();
    die("rings::row_15_a_ring_that_makes_no_sense_harms_nothing", &desk, "log");
    let ring = ring_of(&desk);
    let whole = fs::read(&ring).unwrap();
    let mut state = 0x1234_5678_9ABC_DEF1_u64;
    let mut random = |end: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % end as u64) as usize
    };
    let data = u64::from_le_bytes(whole[64..72].try_into().unwrap()) as usize;
    let lanes = u64::from_le_bytes(whole[48..56].try_into().unwrap()) as usize;
    let mut recovered = 0;
    let rounds = crate::support::times("TEST_DAMAGES", 60);
    for round in 0..rounds {
        let mut bytes = whole.clone();
        for _ in 0..1 + random(32) {
            let at = match round % 4 {
                0 => lanes + random(1024),
                1 => data + 4096 * random(8) + random(200),
                2 => 4096 + random(data - 4096),
                _ => data + random(bytes.len() - data),
            };
            bytes[at] = random(256) as u8;
        }
        if round % 60 == 59 {
            bytes.truncate(bytes.len() / 2);
        }
        fs::write(&ring, &bytes).unwrap();
        fs::remove_dir_all(desk.logs()).unwrap();
        fs::create_dir(desk.logs()).unwrap();
        recovered += start_again(builder_of(&desk)).recovered;
        let lines = desk.lines("expert.log");
        assert!(lines.iter().any(|line| line.contains("logger.recover")), "{lines:?}");
        let found = rings(desk.ring_dir()).unwrap();
        assert!(found.iter().all(|ring| ring.state == RingState::SetAside), "{found:?}");
        for ring in found {
            assert!(ring.remove().unwrap());
        }
    }
    println!("row 15: {rounds} damaged rings, {recovered} records recovered from them");
}
