//! Is everything that was logged in the files?

use tapelog::{Lost, Stats};

use super::files::{Found, FoundLog};
use super::replay::Outcome;
use super::units::grouped;

/// What the engine says that it wrote during the run.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) accepted: u64,
    pub(super) lost: Lost,
    pub(super) journaled: u64,
    pub(super) shown: u64,
    /// Lines of expert.log, trades.log and errors.log.
    pub(super) lines: [u64; 3],
    pub(super) degraded: Option<String>,
}

impl Written {
    /// The difference of two looks at the engine's counters.
    pub(super) fn between(before: &Stats, after: &Stats) -> Written {
        let lines = |stats: &Stats| {
            let [trades, errors] = [stats.trade_lines, stats.error_lines];
            [stats.log_lines.saturating_sub(trades + errors), trades, errors]
        };
        let (begin, end) = (lines(before), lines(after));
        Written {
            accepted: after.accepted.saturating_sub(before.accepted),
            lost: after.lost,
            journaled: after.journaled.saturating_sub(before.journaled),
            shown: after.shown.saturating_sub(before.shown),
            lines: std::array::from_fn(|log| end[log].saturating_sub(begin[log])),
            degraded: after.degraded.clone(),
        }
    }
}

/// Everything that is not as it should be; nothing if all is well.
pub(super) fn problems(outcome: &Outcome, written: &Written, found: &Found) -> Vec<String> {
    let mut problems = Vec::new();
    let (accepted, lost) = (written.accepted, written.lost.total());
    let mut expect = |holds: bool, problem: &dyn Fn() -> String| {
        if !holds {
            problems.push(problem());
        }
    };
    expect(outcome.counts.messages() > 0, &|| "the feed held no message".to_owned());
    expect(written.degraded.is_none(), &|| {
        format!("the engine works with less: {}", written.degraded.as_deref().unwrap_or_default())
    });
    expect(lost == 0, &|| {
        format!("{} records were lost: {}", grouped(lost), reasons(&written.lost))
    });
    let made = outcome.calls_made();
    expect(accepted + lost >= made, &|| {
        format!("{} log calls were made, {} records accepted", grouped(made), grouped(accepted))
    });
    let places = [("in the journal", written.journaled), ("in the logs", written.shown)];
    for (place, count) in places {
        expect(count == accepted, &|| {
            format!("{} records were accepted, {} are {place}", grouped(accepted), grouped(count))
        });
    }
    let counts = &outcome.counts;
    let told = [("trade events", counts.trade_entries()), ("errors", counts.error_entries())];
    for ((kind, told), said) in told.into_iter().zip([written.lines[1], written.lines[2]]) {
        expect(told == said, &|| {
            format!(
                "the strategy told {} {kind}, {} are in their log",
                grouped(told),
                grouped(said)
            )
        });
    }
    for (log, said) in found.logs.iter().zip(written.lines) {
        expect(log.is_cut || log.lines == said, &|| miscount(log, said));
    }
    problems
}

fn miscount(log: &FoundLog, said: u64) -> String {
    let (path, lines) = (log.path.display(), grouped(log.lines));
    format!("{path} has {lines} lines of this run, the engine says {}", grouped(said))
}

/// Losses by their reasons.
fn reasons(lost: &Lost) -> String {
    let reasons = [
        ("the ring was full", lost.full),
        ("no lane was free", lost.lane),
        ("inside another call", lost.reentrant),
        ("after the end", lost.closed),
        ("the logs were too slow", lost.view_lag),
        ("the disk took nothing", lost.disk),
    ];
    let told = reasons.into_iter().filter(|(_, count)| *count > 0);
    told.map(|(reason, count)| format!("{reason}: {}", grouped(count)))
        .collect::<Vec<_>>()
        .join(", ")
}
