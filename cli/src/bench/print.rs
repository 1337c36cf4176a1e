//! The run as tables on stdout.

use std::fmt::{self, Display, Formatter};

use super::latency::Outcome;
use super::machine::Counter;
use super::mode::Mode;
use super::model::{Case, Machine, NapControl, Percentiles, Run, Throughput};
use super::report::budget::{self, Verdict};
use crate::demo::units::grouped;
use crate::failure::escaped;

/// What the run is and what it was measured on.
pub(super) struct Head<'a> {
    pub(super) run: &'a Run,
    pub(super) counter: Counter,
}

impl Display for Head<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Run { command, commit, started, machine, .. } = self.run;
        let Machine { cpu, cores, kernel, governor, memory_bytes, hypervisor, .. } = machine;
        let gib = *memory_bytes as f64 / f64::from(1 << 30);
        let Counter { step_ns, .. } = self.counter;
        let ghz = machine.tsc_hz / 1e9;
        let invariant = if machine.tsc_invariant { "invariant" } else { "not invariant" };
        writeln!(f, "command   {command}")?;
        writeln!(f, "commit    {commit}, {}", machine.rustc)?;
        writeln!(f, "started   {started}")?;
        let (cpu, hypervisor) = (escaped(cpu), escaped(hypervisor));
        writeln!(f, "machine   {cpu}, {cores} cores, {gib:.1} GiB, hypervisor {hypervisor}")?;
        let (kernel, governor) = (escaped(kernel), escaped(governor));
        writeln!(f, "system    Linux {kernel}, governor {governor}, {}", machine.filesystem)?;
        writeln!(f, "counter   {ghz:.3} GHz, {invariant}, steps by {step_ns:.1} ns")
    }
}

/// The table of a mode.
pub(super) struct ModeTable<'a>(pub(super) &'a Outcome);

impl Display for ModeTable<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Outcome { mode, cases, clock, timer_pair, stores, .. } = self.0;
        writeln!(f, "\n{}, ns: {}", mode.name(), mode.meaning())?;
        if let Some(case) = cases.first() {
            let (rounds, calls) = (case.rounds, case.calls);
            writeln!(
                f,
                "{rounds} rounds, {} calls a row, overflow = {}, {} records compared, {} segments, \
                 start {:.1} ms",
                grouped(calls),
                case.overflow,
                grouped(self.0.intact),
                self.0.segments,
                self.0.start.as_secs_f64() * 1e3,
            )?;
        }
        let over = if mode.timing().calls_per_sample() == 1 { "p50-pair" } else { "p50-F" };
        writeln!(
            f,
            "{:<18}{:<9}{:<7}{:>9}{:>9}{:>9}{:>9}{:>11}{:>9}{:>7}",
            "", "face", "stamp", "p50", "p90", "p99", "p99.9", "max", over, "lost"
        )?;
        let empty = if *mode == Mode::Loop { "the loop, empty" } else { "timer pair, empty" };
        for (name, times) in
            [("F: one rdtsc", clock), (empty, timer_pair), ("48 bytes stored, no logger", stores)]
        {
            if let Some(times) = times {
                writeln!(f, "{name:<34}{}", Times(times))?;
            }
        }
        cases.iter().try_for_each(|case| writeln!(f, "{}", Row(case)))
    }
}

struct Row<'a>(&'a Case);

impl Display for Row<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Case { name, face, stamp, times, lost, floor_p50, .. } = self.0;
        write!(f, "{name:<18}{face:<9}{stamp:<7}{}", Times(times))?;
        write!(f, "{:>+9.1}{lost:>7}", times.p50 - floor_p50)
    }
}

struct Times<'a>(&'a Percentiles);

impl Display for Times<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Percentiles { p50, p90, p99, p999, max } = self.0;
        write!(f, "{p50:>9.1}{p90:>9.1}{p99:>9.1}{p999:>9.1}{max:>11.1}")
    }
}

/// The throughput cases.
pub(super) struct ThroughputTable<'a>(pub(super) &'a [Throughput], pub(super) Option<NapControl>);

impl Display for ThroughputTable<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(first) = self.0.first() else { return Ok(()) };
        writeln!(
            f,
            "\nthroughput: records of 48 bytes, own stamps, overflow = {}, the median of {} rounds\n\
             A blocked producer polls: it shares the cores with drain and view. files, dirtied \
             (write_bytes of /proc/self/io): MB; control: MB/s",
            first.overflow, first.rounds
        )?;
        writeln!(
            f,
            "{:<15}{:>9}{:>12}{:>8}{:>9}{:>8}{:>9}{:>9}{:>9}{:>7}{:>6}",
            "",
            "producers",
            "records",
            "s",
            "M rec/s",
            "MB/s",
            "files",
            "dirtied",
            "control",
            "share",
            "lost"
        )?;
        for case in self.0 {
            writeln!(
                f,
                "{:<15}{:>9}{:>12}{:>8.3}{:>9.2}{:>8.0}{:>9.0}{:>9.0}{:>9.0}{:>6.0}%{:>6}",
                case.name,
                case.producers,
                grouped(case.records),
                case.seconds,
                case.records_per_s / 1e6,
                case.bytes_per_s / 1e6,
                case.file_bytes as f64 / 1e6,
                case.bytes_dirtied as f64 / 1e6,
                case.control_bytes_per_s / 1e6,
                case.share_of_control * 100.0,
                case.lost,
            )?;
        }
        let Some(naps) = self.1 else { return Ok(()) };
        writeln!(
            f,
            "control for lost: {} naps of 50 µs beside two busy threads, without a logger, in {:.1} s: \
             {} took longer than 5 ms, the longest {:.1} ms",
            grouped(naps.naps),
            naps.seconds,
            naps.late,
            naps.longest_ms
        )
    }
}

/// Each row of the budget that the run has figures for.
pub(super) struct Budget<'a>(pub(super) &'a Run);

impl Display for Budget<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut rows = budget::rows(self.0);
        rows.retain(|row| row.verdict != Verdict::Absent);
        if rows.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nbudget")?;
        for row in rows {
            let verdict = match row.verdict {
                Verdict::Met => "met",
                Verdict::LimitOfMachine => "the machine's limit",
                Verdict::Missed | Verdict::Absent => "MISSED",
            };
            let budget::Row { what, allowed, measured, .. } = row;
            writeln!(f, "{what:<55}{allowed:<36}{verdict:<21}{measured}")?;
        }
        Ok(())
    }
}
