//! What a reader must not take from the page.

use std::fmt::{self, Write};

use super::text::Escaped;
use crate::bench::model::{Case, Run};

/// Fewer samples than this beyond a percentile say little about it.
const SAMPLES_BEYOND: u64 = 10;

/// Lists what is not claimed: what holds for every run, and what this one gives reason for.
pub(super) fn write(out: &mut dyn Write, run: &Run) -> fmt::Result {
    out.write_str("<h2>What is not claimed</h2><ul>")?;
    for claim in of_this_run(run) {
        write!(out, "<li>{}</li>", Escaped(&claim))?;
    }
    out.write_str(
        "<li>Nothing here compares with other loggers; that needs them in the same run.</li>\
         <li>The figures are this machine's. Another processor, kernel or neighbour gives others; \
         compare within one run, and two runs only on the same machine.</li>\
         <li>A record counts as lost when the ring refuses it. What a power failure takes away is \
         another matter: a journal survives it up to the last sync.</li>\
         <li>That the hot path allocates nothing, calls no kernel and takes no page fault, how \
         long a start takes, and what an idle engine costs, is proven by tests of the repository, \
         not by this page.</li></ul>\n",
    )
}

fn of_this_run(run: &Run) -> Vec<String> {
    let mut claims = Vec::new();
    if run.cases.iter().any(|case| case.mode == "batch20") {
        claims.push(
            "In batch20 the percentiles are those of means of 20 calls. A single slow call \
             appears there as a twentieth of itself; mode per_call shows it whole."
                .to_owned(),
        );
    }
    let few = |case: &&Case| case.samples() / 1_000 < SAMPLES_BEYOND;
    let thin = run.cases.iter().filter(few).count();
    if thin > 0 {
        claims.push(format!(
            "In {thin} of {} latency cases fewer than {SAMPLES_BEYOND} samples lie beyond p99.9: \
             that figure and the maximum are single events there.",
            run.cases.len()
        ));
    }
    let machine = &run.machine;
    if machine.hypervisor != "none" {
        claims.push(format!(
            "The machine is virtual ({}): the maxima hold the hypervisor's preemptions, and which \
             cores were used is not known.",
            machine.hypervisor
        ));
    }
    if machine.governor == "unknown" {
        claims.push("The frequency governor is unknown: clock rates may have changed.".to_owned());
    }
    if !machine.tsc_invariant {
        claims.push(
            "The time stamp counter is not invariant here: times were taken by the system's clock, \
             and the floor is that clock's."
                .to_owned(),
        );
    }
    if machine.cores < 3 {
        claims.push(format!(
            "Producer, drain and view share {} cores here. Where each has its own, throughput and \
             tails differ.",
            machine.cores
        ));
    }
    claims
}
