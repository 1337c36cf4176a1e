//! What tuning came to, for people and for machines.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::advice::Advice;
use super::chart::{Chart, Style};
use super::load::{Load, Stretch};
use super::proof::{Proof, Rehearsal};
use super::recorded::Recorded;
use crate::demo::units::{bytes, duration_ns, grouped, rate};
use crate::failure::escaped;

/// What the demand for a stall stands on, when the user has not said how long it is.
pub(super) const STALL_REASON: &str =
    "the drain's longest nap, 20 ms, and 10 ms until the scheduler runs it";

/// A load in numbers.
#[derive(Debug, Clone, Serialize)]
pub(super) struct LoadFigures {
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) seconds: f64,
    pub(super) record_bytes_max: u32,
    /// The worst stretch that is as long as a stall.
    pub(super) worst_records: u64,
    pub(super) worst_bytes: u64,
    pub(super) worst_at_s: f64,
    pub(super) worst_second_bytes: u64,
}

impl LoadFigures {
    pub(super) fn of(load: &Load, worst: &Stretch) -> LoadFigures {
        let start = load.records.get(worst.first).map_or(0, |record| record.at_ns);
        LoadFigures {
            records: load.records.len() as u64,
            bytes: load.bytes(),
            seconds: load.duration().as_secs_f64(),
            record_bytes_max: load.longest(),
            worst_records: worst.records() as u64,
            worst_bytes: worst.bytes,
            worst_at_s: start as f64 / 1e9,
            worst_second_bytes: load.worst(Duration::from_secs(1)).bytes,
        }
    }
}

/// Everything that `tapelog tune` has found.
#[derive(Debug, Serialize)]
pub(super) struct Findings {
    /// What the load is, in words.
    pub(super) source: String,
    /// What else the reader must know of it.
    pub(super) notes: Vec<String>,
    pub(super) load: LoadFigures,
    pub(super) stall_ms: f64,
    pub(super) is_default_stall: bool,
    pub(super) headroom: f64,
    pub(super) threads: u32,
    #[serde(flatten)]
    pub(super) advice: Advice,
    /// The advised ring, and what it must hold.
    pub(super) proof: Proof,
    /// A quarter of it, or four times what it takes.
    pub(super) counter_proof: Proof,
    /// Whether the counter-proof has the whole ring, because no quarter of it can be had.
    pub(super) overfilled: bool,
    pub(super) rehearsal: Rehearsal,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recorded: Option<Recorded>,
}

impl Findings {
    /// Whether the advised ring did what was promised.
    pub(super) fn is_proven(&self) -> bool {
        let whole = self.proof.holds() && self.proof.observed_lost == 0;
        whole && self.counter_proof.holds() && self.rehearsal.lost == 0
    }

    /// The findings as text, with a chart in this style.
    pub(super) fn show(&self, style: Style) -> Shown<'_> {
        Shown { findings: self, style }
    }
}

/// Findings as text.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    findings: &'a Findings,
    style: Style,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", escaped(&self.findings.source))?;
        self.load(f)?;
        self.demand(f)?;
        self.proofs(f)?;
        self.occupancy(f)?;
        self.configuration(f)
    }
}

/// A line with its label.
fn row(f: &mut fmt::Formatter<'_>, label: &str, text: fmt::Arguments<'_>) -> fmt::Result {
    writeln!(f, "{label:<10}{text}")
}

impl Shown<'_> {
    fn load(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let load = &self.findings.load;
        let mean = load.bytes / load.records.max(1);
        let (records, size) = (grouped(load.records), bytes(load.bytes));
        let longest = load.record_bytes_max;
        if load.seconds > 0.0 {
            let seconds = load.seconds;
            row(
                f,
                "load",
                format_args!(
                    "{records} records in {}: {}/s, {} B each, {longest} at most, {size} in all",
                    duration_ns(seconds * 1e9),
                    rate(load.records, seconds),
                    mean
                ),
            )?;
        } else {
            row(
                f,
                "load",
                format_args!(
                    "{records} records at once: {mean} B each, {longest} at most, {size} in all"
                ),
            )?;
        }
        let (records, size) = (grouped(load.worst_records), bytes(load.worst_bytes));
        let begin = match load.worst_at_s {
            0.0 => "from the beginning".to_owned(),
            seconds => format!("{} after the beginning", duration_ns(seconds * 1e9)),
        };
        row(f, "worst", format_args!("{records} records, {size} within a stall, {begin}"))?;
        self.findings.notes.iter().try_for_each(|note| row(f, "", format_args!("{note}")))
    }

    fn demand(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.findings;
        let stall = duration_ns(found.stall_ms * 1e6);
        let reason = if found.is_default_stall { STALL_REASON } else { "as asked for" };
        row(f, "stall", format_args!("{stall}: {reason}"))?;
        let threads = if found.threads == 1 {
            "one thread logs".to_owned()
        } else {
            format!("{} threads log, each keeps a block", found.threads)
        };
        row(
            f,
            "headroom",
            format_args!(
                "the ring takes {} times the worst while nothing is drained; {threads}",
                found.headroom
            ),
        )
    }

    fn proofs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.findings;
        writeln!(
            f,
            "\n{:<28}{:>10}{:>10}{:>10}{:>11}{:>11}",
            "proven, the drain held", "blocks of", "records", "bytes", "predicted", "lost"
        )?;
        let second = if found.overfilled { "overfilled" } else { "a quarter" };
        for (label, proof) in [("advised", &found.proof), (second, &found.counter_proof)] {
            writeln!(
                f,
                "  {label:<12}{:>9} ring{:>10}{:>10}{:>10}{:>11}{:>11}{}",
                bytes(proof.ring_bytes),
                bytes(u64::from(proof.block_bytes)),
                grouped(proof.records),
                bytes(proof.bytes),
                grouped(proof.predicted_lost),
                grouped(proof.observed_lost),
                if proof.holds() { "" } else { "  NOT AS PREDICTED" }
            )?;
        }
        if found.overfilled {
            writeln!(
                f,
                "  A quarter of the ring cannot be configured (256 KiB is the least), or takes this load, too:\n\
                 \x20 so the counter-proof gives the advised ring four times its size."
            )?;
        }
        Ok(())
    }

    fn occupancy(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = &self.findings.rehearsal;
        let peak = seen.peak_bytes;
        let share = peak as f64 / self.findings.advice.ring_bytes as f64 * 100.0;
        writeln!(
            f,
            "\noccupancy: {} records around the worst, spaced as they are (longer silences cut to \
             {}),\non the advised ring: at most {}, {share:.1} % of it, lost {}",
            grouped(seen.records),
            duration_ns(seen.silence_ns as f64),
            bytes(peak),
            grouped(seen.lost)
        )?;
        let style = self.style;
        let (points, marked_ns) = (seen.occupancy.as_slice(), seen.held_ns);
        write!(f, "{}", Chart { points, marked_ns, mark: "drain held", style })?;
        let Some(recorded) = &self.findings.recorded else { return Ok(()) };
        writeln!(f, "\nas recorded: the most blocks in use, by interval")?;
        let points = recorded.used_over_time.as_slice();
        let end = points.last().map_or(0, |(at_ns, _)| *at_ns);
        write!(f, "{}", Chart { points, marked_ns: (0, end), mark: "recorded", style })
    }

    fn configuration(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Advice {
            ring_bytes,
            block_bytes,
            reserve_blocks,
            journal_segment_bytes,
            journal_segments,
        } = self.findings.advice;
        let notes =
            [bytes(ring_bytes), bytes(u64::from(block_bytes)), bytes(journal_segment_bytes)];
        let [ring, block, segment] = notes;
        write!(
            f,
            "\nconfiguration file\n\
             \x20 ring_bytes = {ring_bytes}  # {ring}\n\
             \x20 block_bytes = {block_bytes}  # {block}\n\
             \x20 reserve_blocks = {reserve_blocks}\n\
             \x20 journal_segment_bytes = {journal_segment_bytes}  # {segment}\n\
             \x20 journal_segments = {journal_segments}\n\
             \nbuilder\n\
             \x20 MetaLogger::builder()\n\
             \x20     .ring_bytes({ring_bytes}_u64)\n\
             \x20     .block_bytes({block_bytes}_u32)\n\
             \x20     .reserve_blocks({reserve_blocks}_u32)\n\
             \x20     .journal_segment_bytes({journal_segment_bytes}_u64)\n\
             \x20     .journal_segments({journal_segments}_u32)\n"
        )
    }
}
