//! The tables, as Markdown: what tapelog loses stands first.

use std::cmp::Ordering;
use std::fmt::Write;

use crate::case::{Case, Mode};
use crate::peers::{self, Kind, Peer};
use crate::results::{Results, Run, median};
use crate::rounds::tables;

/// One peer in one table: medians over the rounds, in nanoseconds and lines per second.
#[derive(Debug)]
struct Row {
    peer: &'static Peer,
    figures: Vec<Figure>,
    lost: u64,
    logged: u64,
    /// What it does better than a row of tapelog that does the same work.
    wins: Vec<Win>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Figure {
    name: &'static str,
    value: f64,
    /// Whether it counts; a maximum is shown, and is chance.
    judged: bool,
}

impl Figure {
    const LINES: &'static str = "lines/s";

    fn all(runs: &[&Run], mode: Mode) -> Vec<Figure> {
        let of = |name, judged, value: fn(&Run) -> f64| Figure {
            name,
            judged,
            value: median(runs.iter().map(|run| value(run))),
        };
        let mut figures = vec![
            of("p50", true, |run| run.measured.p50),
            of("p99", true, |run| run.measured.p99),
            of("p99.9", true, |run| run.measured.p999),
            of("max", false, |run| run.measured.max),
        ];
        if mode == Mode::Saturated {
            figures.push(of(Figure::LINES, true, |run| run.lines_per_s));
        }
        figures
    }

    /// Whether this is ahead, as far as can be told from what is printed.
    fn beats(&self, other: &Figure) -> bool {
        let tenths = |figure: &Figure| (figure.value * 10.0).round();
        self.judged
            && if self.name == Figure::LINES {
                tenths(self) > tenths(other)
            } else {
                tenths(self) < tenths(other)
            }
    }

    fn text(&self) -> String {
        match self.value {
            value if self.name == Figure::LINES => format!("{:.2} M", value / 1e6),
            value if value < 1_000.0 => format!("{value:.1}"),
            value => format!("{value:.0}"),
        }
    }
}

/// A figure in which a peer is ahead of a row of tapelog.
#[derive(Debug)]
struct Win {
    theirs: Figure,
    ours: Figure,
    our_title: &'static str,
}

/// Everything for the document.
pub(crate) fn markdown(results: &Results, command: &str) -> String {
    let tables: Vec<(Case, Mode, Vec<Row>)> =
        tables().map(|(case, mode)| (case, mode, rows(results, case, mode))).collect();
    let mut out = String::new();
    head(&mut out, results, command);
    losses(&mut out, &tables);
    for (case, mode, rows) in tables.iter().filter(|(.., rows)| !rows.is_empty()) {
        table(&mut out, *case, *mode, rows);
    }
    for failure in &results.failures {
        line(&mut out, format_args!("\nNot measured: {failure}"));
    }
    out
}

/// Writing into a `String` cannot fail.
fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    let written = writeln!(out, "{text}");
    debug_assert!(written.is_ok());
}

fn head(out: &mut String, results: &Results, command: &str) {
    let middle = |value: fn(&Run) -> f64| median(results.runs.iter().map(value));
    line(out, format_args!("`{command}`\n"));
    line(
        out,
        format_args!(
            "{}. {} rounds, {} child processes{}. One `rdtsc` takes {:.1} ns, the empty timer pair {:.1} \
             ns (medians of the children). Nanoseconds per call, medians over the rounds.",
            results.machine,
            results.next_round(),
            results.runs.len(),
            if results.quick { ", `--quick`: too short to count" } else { "" },
            middle(|run| run.measured.rdtsc_floor),
            middle(|run| run.measured.timer_pair),
        ),
    );
}

/// The rows of one table: those ahead of tapelog, tapelog's own, the others; each by its p50.
fn rows(results: &Results, case: Case, mode: Mode) -> Vec<Row> {
    let mut rows: Vec<Row> = peers::ALL_PEERS
        .iter()
        .filter_map(|peer| {
            let runs = results.of(peer.name, case, mode);
            (!runs.is_empty()).then(|| Row {
                peer,
                figures: Figure::all(&runs, mode),
                lost: runs.iter().map(|run| run.lost).sum(),
                logged: runs.iter().map(|run| run.measured.logged).sum(),
                wins: Vec::new(),
            })
        })
        .collect();
    for index in 0..rows.len() {
        rows[index].wins = wins(&rows[index], &rows);
    }
    let place = |row: &Row| match (row.wins.is_empty(), row.peer.kind.rival()) {
        (false, _) => 0,
        (true, None) => 1,
        (true, Some(_)) => 2,
    };
    rows.sort_by(|one, other| {
        let p50 = |row: &Row| row.figures[0].value;
        place(one).cmp(&place(other)).then_with(|| match place(one) {
            1 => Ordering::Equal,
            _ => p50(one).total_cmp(&p50(other)),
        })
    });
    rows
}

/// Where this row is ahead of tapelog's, each of its faces taken for itself.
fn wins(row: &Row, rows: &[Row]) -> Vec<Win> {
    let Some(rival) = row.peer.kind.rival() else { return Vec::new() };
    let ours = rows.iter().filter(|other| other.peer.kind == rival);
    ours.flat_map(|ours| {
        let pairs = row.figures.iter().zip(&ours.figures);
        pairs.filter(|(theirs, ours)| theirs.beats(ours)).map(|(theirs, figure)| Win {
            theirs: *theirs,
            ours: *figure,
            our_title: ours.peer.title,
        })
    })
    .collect()
}

fn losses(out: &mut String, tables: &[(Case, Mode, Vec<Row>)]) {
    let all = || {
        tables.iter().flat_map(|(case, mode, rows)| rows.iter().map(move |row| (case, mode, row)))
    };
    let compared: usize = tables
        .iter()
        .map(|(.., rows)| {
            let faces = |kind| rows.iter().filter(|row| row.peer.kind == kind).count();
            let judged = |row: &Row| row.figures.iter().filter(|figure| figure.judged).count();
            let of = |row: &Row| row.peer.kind.rival().map_or(0, |kind| judged(row) * faces(kind));
            rows.iter().map(of).sum::<usize>()
        })
        .sum();
    let lost: usize = all().map(|(.., row)| row.wins.len()).sum();
    line(out, format_args!("\n**What tapelog loses: {lost} of {compared} comparisons**\n"));
    if lost == 0 {
        return;
    }
    line(
        out,
        format_args!("| case | mode | figure | peer | peer's | tapelog's | which of tapelog's |"),
    );
    line(out, format_args!("|---|---|---|---|---:|---:|---|"));
    for (case, mode, row) in all() {
        for win in &row.wins {
            line(
                out,
                format_args!(
                    "| {} | {} | {} | {} | {} | {} | {} |",
                    case.name(),
                    mode.name(),
                    win.theirs.name,
                    title(row),
                    win.theirs.text(),
                    win.ours.text(),
                    win.our_title,
                ),
            );
        }
    }
}

/// The peer's name and version; what it lost stands beside it everywhere.
fn title(row: &Row) -> String {
    let version = match row.peer.kind {
        Kind::Logger | Kind::Queue => peers::version(row.peer.package).unwrap_or_default(),
        Kind::Ours | Kind::OursStamped | Kind::OursBinary => "",
    };
    let bare = if row.peer.kind == Kind::Queue { ", bare queue" } else { "" };
    let mut title = format!("{} {version}", row.peer.title).trim_end().to_owned() + bare;
    let share = row.lost as f64 / row.logged as f64;
    if share >= 0.001 {
        title += &format!(" (lost {:.1} %)", 100.0 * share);
    } else if row.lost > 0 {
        title += &format!(" (lost {} of {:.1} M)", row.lost, row.logged as f64 / 1e6);
    }
    title
}

fn table(out: &mut String, case: Case, mode: Mode, rows: &[Row]) {
    let names: Vec<&str> = rows[0].figures.iter().map(|figure| figure.name).collect();
    line(out, format_args!("\n**{}, {}**\n", case.name(), mode.name()));
    line(out, format_args!("| | {} | lost |", names.join(" | ")));
    line(out, format_args!("|---|{}", "---:|".repeat(names.len() + 1)));
    for row in rows {
        let cells: Vec<String> = row
            .figures
            .iter()
            .map(|figure| {
                let ahead = row.wins.iter().any(|win| win.theirs.name == figure.name);
                if ahead { format!("**{}**", figure.text()) } else { figure.text() }
            })
            .collect();
        line(out, format_args!("| {} | {} | {} |", title(row), cells.join(" | "), row.lost));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Measured;

    fn run(peer: &str, mode: Mode, p50: f64, lines_per_s: f64, lost: u64) -> Run {
        let measured = Measured {
            logged: 1_000,
            samples: 1_000,
            p50,
            p99: 100.0,
            p999: 200.0,
            max: 300.0,
            seconds: 1.0,
            rdtsc_floor: 10.0,
            timer_pair: 11.0,
        };
        let (peer, case) = (peer.to_owned(), Case::NoArgs);
        Run { round: 0, peer, case, mode, measured, lines_per_s, lost, foreign: 0 }
    }

    fn rendered(runs: Vec<Run>) -> String {
        let mut results = Results::new("a machine".to_owned(), false);
        results.runs = runs;
        markdown(&results, "cargo run")
    }

    fn position(text: &str, part: &str) -> usize {
        text.find(part).unwrap_or_else(|| panic!("{part} is missing from\n{text}"))
    }

    #[test]
    fn a_row_that_tapelog_loses_is_printed_first() {
        let mode = Mode::Batch20;
        let text = rendered(vec![
            run("tapelog-producer", mode, 15.0, 0.0, 0),
            run("tapelog-metalogger", mode, 20.0, 0.0, 0),
            run("ftlog", mode, 500.0, 0.0, 0),
            run("ticklog", mode, 18.0, 0.0, 0),
        ]);
        // ftlog and ticklog, three figures each, against two faces.
        assert!(text.contains("What tapelog loses: 1 of 12 comparisons"), "{text}");
        let version = peers::version("ticklog").unwrap_or_default();
        let loss = format!(
            "| no_args | batch20 | p50 | ticklog {version} | 18.0 | 20.0 | tapelog, `MetaLogger` |"
        );
        let row = format!("| ticklog {version} | **18.0** | 100.0 | 200.0 | 300.0 | 0 |");
        let ours = "| tapelog, `Producer` | 15.0 | 100.0 | 200.0 | 300.0 | 0 |";
        let places = [&loss, &row, ours, "| ftlog"].map(|part: &str| position(&text, part));
        assert!(places.is_sorted(), "{text}");
    }

    #[test]
    fn equal_figures_are_not_lost_and_queues_are_compared_with_the_journal() {
        let mode = Mode::Saturated;
        let text = rendered(vec![
            run("tapelog-producer", mode, 10.0, 2e6, 0),
            run("tapelog-journal", mode, 10.0, 30e6, 0),
            run("rtrb", mode, 10.0001, 31e6, 0),
            run("fast_log", mode, 10.0, 2e6, 0),
        ]);
        assert!(text.contains("What tapelog loses: 1 of 8 comparisons"), "{text}");
        assert!(text.contains("| 31.00 M | 30.00 M | tapelog, `Producer`, `at:`, journal only |"));
    }

    #[test]
    fn what_a_peer_lost_stands_beside_its_name() {
        let text = rendered(vec![run("insomnilog", Mode::PerCall, 10.0, 0.0, 250)]);
        assert!(text.contains("(lost 25.0 %)"), "{text}");
        assert!(text.contains("What tapelog loses: 0 of 0 comparisons"), "{text}");
    }

    #[test]
    fn medians_are_over_the_rounds() {
        let mode = Mode::PerCall;
        let text = rendered([30.0, 10.0, 20.0].map(|p50| run("rtrb", mode, p50, 0.0, 0)).into());
        assert!(text.contains("| 20.0 | 100.0 |"), "{text}");
    }
}
