//! The tables: every figure of the run.

use std::fmt::{self, Write};

use super::budget::{Row, Verdict};
use super::text::{Escaped, amount, percent, time};
use crate::bench::model::{Case, Machine, Run, Throughput};
use crate::demo::units::{bytes, grouped};

/// The machine and the run itself.
pub(super) fn machine(out: &mut dyn Write, run: &Run) -> fmt::Result {
    let Machine { cpu, cores, kernel, governor, hypervisor, filesystem, rustc, .. } = &run.machine;
    let steady = if run.machine.tsc_invariant { "invariant" } else { "not invariant" };
    let known = |number: f64, text: String| if number > 0.0 { text } else { "unknown".to_owned() };
    let memory = run.machine.memory_bytes;
    let hz = run.machine.tsc_hz;
    let rows = [
        ("processor", cpu.clone()),
        ("cores for this process", cores.to_string()),
        ("memory", known(memory as f64, bytes(memory))),
        ("hypervisor", hypervisor.clone()),
        ("kernel", kernel.clone()),
        ("frequency governor", governor.clone()),
        ("time stamp counter", format!("{steady}, {}", known(hz, format!("{}Hz", amount(hz))))),
        ("file system", filesystem.clone()),
        ("compiler", rustc.clone()),
        ("commit", run.commit.clone()),
        ("begun", run.started.clone()),
    ];
    out.write_str("<dl>")?;
    for (name, value) in rows {
        write!(out, "<dt>{name}</dt><dd>{}</dd>", Escaped(&value))?;
    }
    out.write_str("</dl>\n")
}

/// The budget's rows and how they came out.
pub(super) fn budget(out: &mut dyn Write, rows: &[Row]) -> fmt::Result {
    out.write_str(
        "<div class=\"wide\"><table class=\"wrap\"><thead><tr><th>what</th><th>allowed</th>\
         <th>measured</th><th>verdict</th></tr></thead><tbody>",
    )?;
    for Row { what, allowed, measured, verdict } in rows {
        let (class, word) = match verdict {
            Verdict::Met => ("met", "met"),
            Verdict::LimitOfMachine => ("limit-of-machine", "limit of the machine"),
            Verdict::Missed => ("missed", "missed"),
            Verdict::Absent => ("absent", "not measured"),
        };
        write!(
            out,
            "<tr><td>{what}</td><td>{allowed}</td><td>{}</td><td class=\"{class}\">{word}</td></tr>",
            Escaped(measured)
        )?;
    }
    out.write_str("</tbody></table></div>\n")
}

/// All figures of some latency cases.
pub(super) fn latency(out: &mut dyn Write, cases: &[&Case]) -> fmt::Result {
    out.write_str(
        "<div class=\"wide\"><table><thead><tr><th>case</th><th class=\"left\">stamp</th>\
         <th class=\"left\">face</th><th>p50</th><th>p90</th><th>p99</th><th>p99.9</th>\
         <th>max</th><th>floor</th><th>p50 of rounds</th><th>p99 of rounds</th>\
         <th>rounds</th><th>calls</th><th>lost</th><th class=\"left\">ring full</th></tr></thead>\
         <tbody>",
    )?;
    for case in cases {
        write!(
            out,
            "<tr><td>{}</td><td class=\"left\">{}</td><td class=\"left\">{}</td>",
            Escaped(&case.name),
            Escaped(&case.stamp),
            Escaped(&case.face)
        )?;
        let times = case.times;
        for nanos in [times.p50, times.p90, times.p99, times.p999, times.max, case.floor_p50] {
            write!(out, "<td>{}</td>", time(nanos))?;
        }
        write!(
            out,
            "<td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"left\">{}</td></tr>",
            between(&case.round_p50, time),
            between(&case.round_p99, time),
            case.rounds,
            grouped(case.calls),
            grouped(case.lost),
            Escaped(&case.overflow)
        )?;
    }
    out.write_str("</tbody></table></div>\n")
}

/// All figures of the throughput cases.
pub(super) fn throughput(out: &mut dyn Write, cases: &[Throughput]) -> fmt::Result {
    out.write_str(
        "<div class=\"wide\"><table><thead><tr><th>case</th><th>records/s</th><th>of rounds</th>\
         <th>bytes/s</th><th>control, bytes/s</th><th>share</th><th>records</th><th>seconds</th>\
         <th>files grew by</th><th>bytes dirtied</th><th>rounds</th><th>lost</th>\
         <th class=\"left\">ring full</th></tr></thead><tbody>",
    )?;
    for case in cases {
        let (control, share) = match case.control_records_per_s() {
            Some(_) => (amount(case.control_bytes_per_s), percent(case.share_of_control)),
            None => ("none".to_owned(), "–".to_owned()),
        };
        write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{control}</td><td>{share}</td>\
             <td>{}</td><td>{:.3}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td class=\"left\">{}</td></tr>",
            Escaped(&case.key()),
            amount(case.records_per_s),
            between(&case.round_records_per_s, amount),
            amount(case.bytes_per_s),
            grouped(case.records),
            case.seconds,
            bytes(case.file_bytes),
            bytes(case.bytes_dirtied),
            case.rounds,
            grouped(case.lost),
            Escaped(&case.overflow)
        )?;
    }
    out.write_str("</tbody></table></div>\n")
}

/// The least and the largest of the rounds' figures; a unit that both have stands once.
fn between(rounds: &[f64], show: impl Fn(f64) -> String) -> String {
    let least = show(rounds.iter().copied().fold(f64::INFINITY, f64::min));
    let most = show(rounds.iter().copied().fold(f64::NEG_INFINITY, f64::max));
    match (least.split_once(' '), most.split_once(' ')) {
        _ if least == most => least,
        (Some((number, unit)), Some((_, other))) if unit == other => format!("{number}–{most}"),
        _ => format!("{least} – {most}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rounds_stand_with_one_unit_where_they_have_one() {
        let shown = [[1.0, 1.0], [9.0, 12.0], [900.0, 1500.0]].map(|both| between(&both, time));
        assert_eq!(shown, ["1.0 ns", "9.0–12.0 ns", "900 ns – 1.50 µs"]);
    }
}
