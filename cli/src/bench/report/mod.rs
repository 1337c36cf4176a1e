//! `tapelog bench --report`: a saved run as one page.
//!
//! The page needs nothing but itself: no script, no font, no picture from elsewhere. It can be
//! mailed, printed and put beside a release.

mod axis;
mod bars;
pub(super) mod budget;
mod claims;
mod curves;
mod histograms;
mod svg;
mod tables;
mod text;

use std::fmt::{self, Write};
use std::fs;
use std::path::Path;

use super::model::{Case, Run, RunError};
use budget::Verdict;
use svg::Look;
use text::{Escaped, amount, time, times};

const STYLE: &str = include_str!("style.css");

/// The modes in the order of the page, with what each does.
const MODES: [(&str, &str); 7] = [
    (
        "batch20",
        "20 calls are timed together, then a busy pause of about 2 ms, as the published C++ \
         comparisons do. Each time is the mean of 20 calls: percentiles of means, not of calls.",
    ),
    (
        "per_call",
        "Each call is timed alone, with two readings of the clock around it. The empty timer pair \
         is what such a time holds without any call.",
    ),
    (
        "cold",
        "Between the calls a working set of 1 MiB is touched, so that the caches hold the \
         program's data, not the logger's.",
    ),
    ("saturated", "No pause at all: the drain and the producer work all the time."),
    ("rotation", "The journal changes segments while the calls are timed."),
    ("two_threads", "A second thread logs through the same ring all the while."),
    ("loop", "A long loop of calls is timed as a whole: for calls that are too short for a batch."),
];

/// Writes the page of a run.
///
/// # Errors
/// [`RunError::Write`] if the file cannot be made or the disk is full.
pub(crate) fn write(run: &Run, path: &Path) -> Result<(), RunError> {
    fs::write(path, Page(run).to_string())
        .map_err(|source| RunError::Write { path: path.to_owned(), source })
}

/// A run as HTML.
struct Page<'a>(&'a Run);

impl fmt::Display for Page<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let run = self.0;
        write!(
            out,
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <title>tapelog: what a log call costs</title><style>\n{STYLE}</style></head><body>\n"
        )?;
        head(out, run)?;
        problems(out, run)?;
        verdicts(out, run)?;
        method(out, run)?;
        for (mode, meaning) in modes(run) {
            latency(out, run, mode, meaning)?;
        }
        throughput(out, run)?;
        claims::write(out, run)?;
        out.write_str("</body></html>\n")
    }
}

fn head(out: &mut dyn Write, run: &Run) -> fmt::Result {
    write!(
        out,
        "<header><h1>What a log call costs</h1><p class=\"soft\">tapelog at commit \
         <span class=\"mono\">{}</span>, measured {} on {}, {} cores</p></header>\n\
         <div class=\"cards\">",
        Escaped(&run.commit),
        Escaped(&run.started),
        Escaped(&run.machine.cpu),
        run.machine.cores
    )?;
    card(out, &time(run.rdtsc_floor_ns), "floor: one reading of the clock, p50")?;
    let median = |stamp| run.case("int_int_double", stamp, "producer", "batch20");
    if let Some(own) = median("own") {
        card(out, &time(own.times.p50), "a log call that reads the clock, p50")?;
    }
    if let Some(caller) = median("caller") {
        card(out, &time(caller.times.p50), "a log call with the caller's time stamp, p50")?;
    }
    if let Some(journal) = run.throughput.iter().find(|case| case.name.starts_with("journal")) {
        card(out, &amount(journal.records_per_s), "records a second into the journal, sustained")?;
    }
    let lost: u64 = run.cases.iter().map(|case| case.lost).sum::<u64>()
        + run.throughput.iter().map(|case| case.lost).sum::<u64>();
    card(out, &lost.to_string(), "records lost in all cases together")?;
    out.write_str("</div>\n")
}

/// What makes the figures doubtful, before anybody reads them.
fn problems(out: &mut dyn Write, run: &Run) -> fmt::Result {
    if run.problems.is_empty() {
        return Ok(());
    }
    out.write_str(
        "<section class=\"problems\"><h2>What did not hold</h2><p>Found when the \
         records were counted and read back:</p><ul>",
    )?;
    for problem in &run.problems {
        write!(out, "<li>{}</li>", Escaped(problem))?;
    }
    out.write_str("</ul></section>\n")
}

fn card(out: &mut dyn Write, figure: &str, meaning: &str) -> fmt::Result {
    write!(out, "<div class=\"card\"><b>{}</b><span>{meaning}</span></div>", Escaped(figure))
}

fn verdicts(out: &mut dyn Write, run: &Run) -> fmt::Result {
    let rows = budget::rows(run);
    let count = |verdict| rows.iter().filter(|row| row.verdict == verdict).count();
    write!(
        out,
        "<h2>The budget</h2><p>What the design allows, beside what this run has measured: {} met, \
         {} missed, {} at the limit of the machine, {} not measured. F is the floor, {}. Latencies \
         are those of mode <code>batch20</code>. A miss counts as the machine's limit only where a \
         control program that moves the same bytes in the same run was not faster than 1.25 \
         times.</p>",
        count(Verdict::Met),
        count(Verdict::Missed),
        count(Verdict::LimitOfMachine),
        count(Verdict::Absent),
        time(run.rdtsc_floor_ns)
    )?;
    tables::budget(out, &rows)
}

fn method(out: &mut dyn Write, run: &Run) -> fmt::Result {
    write!(
        out,
        "<h2>What was measured, and how</h2>\
         <p>A program logs records of several shapes. The time of a call is what the calling thread \
         spends in it: checking the level, encoding the values, committing the record to the ring. \
         Meanwhile other threads move the records into the journal and render the logs. Arguments and stamps \
         differ from call to call and are hidden from the optimiser; the cases are interleaved \
         over several rounds, so that a slow minute of the machine falls on all of them. \
         Afterwards every record is read back and compared; what differs, or is missing though \
         nobody counted it as lost, makes the command fail and stands on top of this page.</p>\
         <ul><li><b>own</b>: the call reads the processor's time stamp counter itself; \
         <b>caller</b>: the program gives the time that it has already.</li>\
         <li><b>producer</b>: through a thread's own lane; <b>logger</b>: through the shared \
         logger, which finds the thread's lane first.</li>\
         <li><b>Floor</b>: one reading of the counter, in the same run, {}. No call with its own \
         stamp can be faster.</li>\
         <li><b>Empty timer pair</b>: two readings with nothing between them: {}.</li>",
        time(run.rdtsc_floor_ns),
        times(&run.timer_pair_ns),
    )?;
    if let Some(stores) = run.store_control_ns {
        write!(
            out,
            "<li><b>Store control</b>: each call only stores 48 bytes in private memory, in \
             sequence, without a logger; in the rounds of <code>batch20</code>: {}. What it takes there \
             is the machine's: behind a pause the caches are cold.</li>",
            times(&stores)
        )?;
    }
    write!(
        out,
        "</ul><p>The exact command:</p><pre>{}</pre><h3>The machine</h3>",
        Escaped(&run.command)
    )?;
    tables::machine(out, run)
}

/// The modes that the run has: the known ones first, then others without a meaning.
fn modes(run: &Run) -> Vec<(&str, &str)> {
    let has = |mode: &str| run.cases.iter().any(|case| case.mode == mode);
    let mut modes: Vec<_> = MODES.into_iter().filter(|(mode, _)| has(mode)).collect();
    for case in &run.cases {
        if !modes.iter().any(|(mode, _)| *mode == case.mode) {
            modes.push((&case.mode, ""));
        }
    }
    modes
}

fn latency(out: &mut dyn Write, run: &Run, mode: &str, meaning: &str) -> fmt::Result {
    let cases: Vec<&Case> = run.cases.iter().filter(|case| case.mode == mode).collect();
    let names = distinct(&cases, |case| &case.name);
    let stamps = distinct(&cases, |case| &case.stamp);
    let color = |name: &str| names.iter().position(|known| *known == name).unwrap_or(0);
    let dashed = |case: &Case| case.face != "producer";
    write!(
        out,
        "<h2>Latency: {}</h2><p>{meaning}</p><h3>Percentile curves</h3>\
         <p class=\"soft\">How long the fastest half, nine tenths, 99 of 100 calls took at most; \
         lower and flatter is better. The curve ends at the last sample.</p><div class=\"pair\">",
        Escaped(mode)
    )?;
    for stamp in &stamps {
        let looks: Vec<_> = (cases.iter().copied())
            .filter(|case| case.stamp == *stamp)
            .map(|case| (case, Look { color: color(&case.name), dashed: dashed(case) }))
            .collect();
        let caption = format!("stamp: {stamp}");
        write!(out, "<figure><h4>{}</h4>", Escaped(&caption))?;
        let floor = (*stamp == "own").then(|| looks[0].0.floor_p50);
        curves::draw(out, &format!("Percentile curves, {mode}, {caption}"), &looks, floor)?;
        out.write_str("</figure>")?;
    }
    out.write_str("</div>")?;
    let solid = names.iter().map(|name| (Look { color: color(name), dashed: false }, *name));
    let mut lines: Vec<_> = solid.map(|(look, name)| (look, name.to_owned())).collect();
    if cases.iter().any(|case| dashed(case)) {
        lines.push((Look { color: 5, dashed: true }, "dashed: through the logger".to_owned()));
    }
    svg::legend(out, &lines)?;
    histograms(out, &cases, mode, &names, &stamps)?;
    out.write_str("<h3>Figures</h3>")?;
    tables::latency(out, &cases)
}

fn histograms(
    out: &mut dyn Write,
    cases: &[&Case],
    mode: &str,
    names: &[&str],
    stamps: &[&str],
) -> fmt::Result {
    out.write_str(
        "<h3>Histograms</h3><p class=\"soft\">What share of the samples (upwards) took how long \
         (to the right). Both axes are logarithmic: the bars at the right are rare.</p>",
    )?;
    let look = |case: &Case| {
        let color = stamps.iter().position(|stamp| *stamp == case.stamp).unwrap_or(0);
        Look { color, dashed: case.face != "producer" }
    };
    let mut lines: Vec<_> = Vec::new();
    for case in cases {
        let text = format!("{}, stamp: {}", case.face, case.stamp);
        if !lines.iter().any(|(_, known)| *known == text) {
            lines.push((look(case), text));
        }
    }
    svg::legend(out, &lines)?;
    out.write_str("<div class=\"trio\">")?;
    for name in names {
        let of_name: Vec<_> = (cases.iter().copied())
            .filter(|case| case.name == *name)
            .map(|case| (case, look(case)))
            .collect();
        write!(out, "<figure><h4>{}</h4>", Escaped(name))?;
        histograms::draw(out, &format!("Histogram of {name}, {mode}"), &of_name)?;
        out.write_str("</figure>")?;
    }
    out.write_str("</div>\n")
}

fn throughput(out: &mut dyn Write, run: &Run) -> fmt::Result {
    if run.throughput.is_empty() {
        return Ok(());
    }
    out.write_str(
        "<h2>Throughput</h2><p>Producers log without a pause until all records are written; the \
         time runs until the last one is in the page cache and counted. The red mark is the limit: \
         what a program reached that only moves the same bytes, in the same run. The thin line \
         spans the rounds.</p><figure>",
    )?;
    bars::draw(out, &run.throughput)?;
    out.write_str("</figure><h3>Figures</h3>")?;
    tables::throughput(out, &run.throughput)?;
    let Some(naps) = run.nap_control else { return Ok(()) };
    write!(
        out,
        "<p>A call is lost when it finds no room for as long as it may wait. The control for that, \
         without a logger: two threads took {} naps of 50 µs beside two busy ones, in {:.1} s; {} of \
         them took longer than 5 ms, the longest {:.1} ms.</p>",
        naps.naps, naps.seconds, naps.late, naps.longest_ms
    )
}

/// The values that a property has, in the order of their first appearance.
fn distinct<'a>(cases: &[&'a Case], property: impl Fn(&'a Case) -> &'a String) -> Vec<&'a str> {
    let mut values: Vec<&str> = Vec::new();
    for case in cases {
        let value = property(case).as_str();
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values
}

#[cfg(test)]
mod tests;
