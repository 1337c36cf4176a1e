//! Whether journal and logs hold what was acknowledged.

use std::path::Path;

use crate::support::{self, Desk, PATIENCE};
use tapelog::reading::{Format, Journal};
use tapelog::{Builder, Stats};

/// A value that belongs to a thread's record: a torn one would have another.
pub(crate) fn mark(thread: u64, sequence: u64) -> u64 {
    (thread << 56 ^ sequence).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Starts a logger where a child has died, lets it recover and render everything, and ends it.
#[allow(dead_code, reason = "not every scenario starts again")]
pub(crate) fn start_again(builder: Builder) -> Stats {
    let (log, guard) = builder.build().expect("a start where another process died");
    support::until("the recovery", || !log.stats().recovering);
    log.flush(PATIENCE).unwrap();
    let stats = log.stats();
    guard.shutdown();
    stats
}

/// What the entry with a number is: every 7th is a trade event, every 11th of the others an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Info,
    Trade,
    Error,
}

#[allow(dead_code, reason = "not every scenario logs all kinds")]
pub(crate) fn kind(sequence: u64) -> Kind {
    match sequence {
        _ if sequence.is_multiple_of(7) => Kind::Trade,
        _ if sequence.is_multiple_of(11) => Kind::Error,
        _ => Kind::Info,
    }
}

/// Logs the entry with a number, which is what [`kind`] says.
#[allow(unused_macros, reason = "not every scenario logs all kinds")]
macro_rules! try_entry {
    ($log:expr, $sequence:ident, $mark:ident) => {
        match $crate::check::kind($sequence) {
            $crate::check::Kind::Info => tapelog::try_info!($log, "entry", $sequence, $mark),
            $crate::check::Kind::Trade => tapelog::try_trade!($log, "entry", $sequence, $mark),
            $crate::check::Kind::Error => tapelog::try_error!($log, "entry", $sequence, $mark),
        }
    };
}
#[allow(unused_imports, reason = "not every scenario logs all kinds")]
pub(crate) use try_entry;

/// Journal and logs hold every acknowledged record once, in order, unharmed; `kind` tells what each of
/// them is. Gives how many there are of each thread.
pub(crate) fn check(
    desk: &Desk,
    threads: usize,
    acknowledged: &[u64],
    kind: fn(u64) -> Kind,
) -> Vec<u64> {
    let counts = in_the_logs(&desk.logs(), threads, kind);
    let lines = journal(&desk.logs());
    assert_eq!(in_order("the journal", lines.iter(), threads, |_| true), counts);
    for thread in 0..threads {
        let (found, sure) = (counts[thread], acknowledged[thread]);
        // The last one may have been committed, and the child died before it said so.
        assert!(
            (sure..=sure + 1).contains(&found),
            "thread {thread}: {sure} records were acknowledged, {found} are there"
        );
    }
    // One that was killed while it was made holds nothing.
    let names = std::fs::read_dir(desk.ring_dir()).unwrap().map(|entry| entry.unwrap().path());
    let left: Vec<_> = names.filter(|path| !path.to_string_lossy().ends_with(".new")).collect();
    assert!(left.is_empty(), "rings are left: {left:?}");
    counts
}

/// Counts the records of each thread in `expert.log`. The other logs hold those of them that belong
/// there, and no others. None says that segments are gone which nobody has missed.
pub(crate) fn in_the_logs(logs: &Path, threads: usize, kind: fn(u64) -> Kind) -> Vec<u64> {
    let read = |log: &str| {
        let lines = texts(logs, log);
        let false_alarm = lines.iter().find(|line| line.contains("recycled or removed before"));
        assert_eq!(false_alarm, None, "{log}: every entry is there");
        lines
    };
    let counts = in_order("expert.log", read("expert.log").iter(), threads, |_| true);
    for (log, its) in [("trades.log", Kind::Trade), ("errors.log", Kind::Error)] {
        let is_there = |sequence| kind(sequence) == its;
        let found = in_order(log, read(log).iter(), threads, is_there);
        let all = counts.iter().map(|count| next_of(*count, is_there)).collect::<Vec<_>>();
        assert_eq!(found, all, "{log} ends before or behind expert.log with {counts:?}");
    }
    counts
}

/// The lines of a log, oldest first. A rotation that was killed leaves a hole among its files, which the
/// next one fills.
pub(crate) fn texts(logs: &Path, log: &str) -> Vec<String> {
    let names = std::fs::read_dir(logs).unwrap().map(|entry| entry.unwrap().file_name());
    let number = |name: &str| match name.strip_prefix(log)? {
        "" => Some(0),
        rotated => rotated.strip_prefix('.')?.parse::<u32>().ok(),
    };
    let mut files: Vec<(u32, String)> = names
        .filter_map(|name| name.into_string().ok())
        .filter_map(|name| Some((number(&name)?, name)))
        .collect();
    files.sort_unstable_by(|one, other| other.cmp(one));
    let texts = files.iter().map(|(_, name)| std::fs::read_to_string(logs.join(name)).unwrap());
    texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// The journal as text.
pub(crate) fn journal(logs: &Path) -> Vec<String> {
    let mut out = Vec::new();
    let summary = Journal::open(logs).unwrap().write_to(Format::Text, &mut out).unwrap();
    assert!(summary.is_intact(), "{summary:?}");
    String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
}

/// The first number from `sequence` on that is to be there, if any is.
fn next_of(sequence: u64, is_there: impl Fn(u64) -> bool) -> u64 {
    (sequence..sequence + 100).find(|sequence| is_there(*sequence)).unwrap_or(u64::MAX)
}

/// Counts the records of each thread, which must be all that are to be there, in the order of their
/// numbers, from the first one on: gives the number of the next one.
pub(crate) fn in_order<'a>(
    place: &str,
    lines: impl Iterator<Item = &'a String>,
    threads: usize,
    is_there: impl Fn(u64) -> bool + Copy,
) -> Vec<u64> {
    let mut counts = vec![next_of(0, is_there); threads];
    for line in lines {
        let Some(entry) = entry(place, line) else {
            assert!(!line.contains("logger.undecodable"), "{place}: {line}");
            continue;
        };
        let [sequence, found, thread] = entry;
        let next = &mut counts[thread as usize];
        assert_eq!(sequence, *next, "{place}: thread {thread}: the next one was {next}: {line}");
        assert_eq!(found, mark(thread, sequence), "{place}: {line}");
        *next = next_of(sequence + 1, is_there);
    }
    counts
}

/// The same where the oldest parts of journal and logs are gone: what is left of each thread has no hole,
/// and its end is there. Gives how many records the journal has.
#[allow(dead_code, reason = "not every scenario has few backups")]
pub(crate) fn check_what_is_left(desk: &Desk, acknowledged: &[u64], kind: fn(u64) -> Kind) -> u64 {
    let logs = desk.logs();
    let lines = journal(&logs);
    let (count, ends) = newest("the journal", &lines, acknowledged.len(), |_| true);
    assert!(ends.iter().any(Option::is_some), "the journal holds something");
    for ((thread, sure), found) in acknowledged.iter().enumerate().zip(&ends) {
        // A thread that did not run lately has nothing in what is left.
        let is_there = |found: &u64| (*sure..=sure + 1).contains(found);
        assert!(found.iter().all(is_there), "thread {thread}: {found:?} of {sure}");
    }
    for (log, its) in
        [("expert.log", None), ("trades.log", Some(Kind::Trade)), ("errors.log", Some(Kind::Error))]
    {
        let is_there = |sequence| its.is_none_or(|its| kind(sequence) == its);
        let (_, found) = newest(log, &texts(&logs, log), acknowledged.len(), is_there);
        assert!(found.iter().any(Option::is_some), "{log} holds something");
        for (thread, (found, end)) in found.iter().zip(&ends).enumerate() {
            let (Some(found), Some(end)) = (found, end) else { continue };
            assert_eq!(*found, next_of(*end, is_there), "{log}: the end of thread {thread}");
        }
    }
    assert_eq!(desk.rings(), 0, "rings are left");
    count
}

/// The numbers of one thread's entries in a log, which follow each other without a hole up to the last one
/// that is to be there; what was oldest is gone.
#[allow(dead_code, reason = "not every scenario has few backups")]
pub(crate) fn newest_in_order(logs: &Path, log: &str, is_there: impl Fn(u64) -> bool, end: u64) {
    let (_, next) = newest(log, &texts(logs, log), 1, &is_there);
    assert_eq!(next[0], Some(next_of(end, &is_there)), "{log}: its end is there");
}

/// How many entries these are, and behind which of each thread they end. None is missing in between.
fn newest(
    place: &str,
    lines: &[String],
    threads: usize,
    is_there: impl Fn(u64) -> bool,
) -> (u64, Vec<Option<u64>>) {
    let (mut count, mut ends) = (0, vec![None; threads]);
    for [sequence, found, thread] in lines.iter().filter_map(|line| entry(place, line)) {
        let end = &mut ends[thread as usize];
        assert_eq!(sequence, end.unwrap_or(sequence), "{place}: thread {thread}");
        assert_eq!(found, mark(thread, sequence), "{place}: thread {thread}");
        assert!(is_there(sequence), "{place}: thread {thread}: {sequence} does not belong there");
        *end = Some(next_of(sequence + 1, &is_there));
        count += 1;
    }
    (count, ends)
}

/// Number, mark and thread of an entry, if the line is one of ours; as text or as JSON.
fn entry(place: &str, line: &str) -> Option<[u64; 3]> {
    let torn = || -> ! { panic!("{place}: torn, or not its context: {line}") };
    if line.starts_with('{') {
        let entry = support::json(line);
        let number = |name: &str| match &entry[name] {
            serde_json::Value::String(number) => number.parse().unwrap_or_else(|_| torn()),
            number => number.as_u64().unwrap_or_else(|| torn()),
        };
        return (entry["event"] == "entry").then(|| {
            assert_eq!(entry["strategy"], "grid", "{place}: its context: {line}");
            ["sequence", "mark", "thread"].map(number)
        });
    }
    let (_, fields) = line.split_once("] entry ")?;
    let [sequence, mark, strategy, thread] = values(fields).unwrap_or_else(|| torn());
    assert_eq!(strategy, "grid", "{place}: its context: {line}");
    Some([sequence, mark, thread].map(|value| value.parse().unwrap_or_else(|_| torn())))
}

/// The values of an entry's fields, if it has the right ones.
fn values(fields: &str) -> Option<[&str; 4]> {
    let mut fields = fields.split(' ');
    let mut value = |name| fields.next()?.strip_prefix(name)?.strip_prefix('=');
    let values = [value("sequence")?, value("mark")?, value("strategy")?, value("thread")?];
    fields.next().is_none().then_some(values)
}
