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

/// Journal and `expert.log` hold every acknowledged record once, in order, unharmed. Gives how many
/// there are of each thread.
pub(crate) fn check(desk: &Desk, threads: usize, acknowledged: &[u64]) -> Vec<u64> {
    let counts = in_order("expert.log", texts(&desk.logs(), "expert.log").iter(), threads);
    let lines = journal(&desk.logs());
    assert_eq!(in_order("the journal", lines.iter(), threads), counts);
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

/// Counts the records of each thread, which must be numbered from 0 without a hole, in this order.
pub(crate) fn in_order<'a>(
    place: &str,
    lines: impl Iterator<Item = &'a String>,
    threads: usize,
) -> Vec<u64> {
    let mut counts = vec![0; threads];
    for line in lines {
        let Some((_, fields)) = line.split_once("] entry ") else {
            assert!(!line.contains("logger.undecodable"), "{place}: {line}");
            continue;
        };
        let [sequence, found, strategy, thread] =
            values(fields).unwrap_or_else(|| panic!("{place}: torn: {line}"));
        let number = |value: &str| value.parse::<u64>().unwrap();
        let [sequence, found, thread] = [sequence, found, thread].map(number);
        let next = &mut counts[thread as usize];
        assert_eq!(sequence, *next, "{place}: thread {thread}: the next one was {next}: {line}");
        assert_eq!(found, mark(thread, sequence), "{place}: {line}");
        assert_eq!(strategy, "grid", "{place}: its context: {line}");
        *next += 1;
    }
    counts
}

/// The values of an entry's fields, if it has the right ones.
fn values(fields: &str) -> Option<[&str; 4]> {
    let mut fields = fields.split(' ');
    let mut value = |name| fields.next()?.strip_prefix(name)?.strip_prefix('=');
    let values = [value("sequence")?, value("mark")?, value("strategy")?, value("thread")?];
    fields.next().is_none().then_some(values)
}
