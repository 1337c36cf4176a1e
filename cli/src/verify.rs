//! `tapelog verify`: is a journal whole?

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use indicatif::ProgressBar;
use tapelog::reading::{Finding, Journal, RepairPlace, SegmentReport, SegmentState, Verification};

use crate::failure::{Failure, outln};
use crate::progress::shown;

/// The exit code when a part of the journal is damaged or missing.
const DAMAGED: u8 = 3;
const BAR: &str = "verifying [{bar:40}] {percent:>3} % of {total_bytes}, {eta} left";

/// Checks a journal: every frame, the sequence of segments and of each thread's records, every gap
/// record and every definition.
///
/// Tells for each segment what is intact, what is lost, and why. Works while a program is writing:
/// it then checks what is published; a segment that is recycled meanwhile has expired and is not
/// damaged. Losses that gap records tell (a full ring, say) happened before the journal and are no
/// damage of it.
///
/// --repair cuts off what cannot be read at the very end of a segment, as a power failure leaves it.
/// It writes the segment anew beside the original, as NAME.repaired; with --force in the original's
/// place, and keeps the original as NAME.orig. Damage inside a segment stays as it is: readers pass
/// it over.
///
/// Exit code: 0 if the journal is intact (with --repair --force: if it now is), 3 if a part of it is
/// damaged or missing, 1 if it cannot be read or repaired, 2 for wrong arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The log directory of a program, or the journal directory inside it.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Cut off torn tails; the originals are kept.
    #[arg(long)]
    repair: bool,
    /// Put repaired segments in the place of the originals.
    #[arg(long, requires = "repair")]
    force: bool,
    /// Tell of damaged segments only.
    #[arg(short, long)]
    quiet: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let journal = Journal::open(&arguments.directory)?;
    let mut verification = verify(&journal)?;
    tell(&verification, arguments.quiet);
    if arguments.repair && repair(&journal, &verification, arguments.force)? && arguments.force {
        verification = verify(&journal)?;
        outln!("after the repair:");
        tell(&verification, true);
    }
    Ok(if verification.is_intact() { ExitCode::SUCCESS } else { ExitCode::from(DAMAGED) })
}

fn verify(journal: &Journal) -> Result<Verification, Failure> {
    let bar = shown(ProgressBar::new(0), BAR);
    let verification = journal.verify(&mut |at| {
        bar.set_length(at.total_bytes);
        bar.set_position(at.bytes);
    });
    bar.finish_and_clear();
    Ok(verification?)
}

fn tell(verification: &Verification, quiet: bool) {
    if !quiet {
        outln!(
            "{:<26} {:<8} {:>13} {:>8} {:>11}",
            "segment",
            "state",
            "bytes",
            "frames",
            "records"
        );
    }
    for segment in &verification.segments {
        if !quiet || segment.state == SegmentState::Damaged {
            tell_segment(segment);
        }
    }
    for (first, last) in &verification.in_memory {
        outln!(
            "segments {first} to {last} were in memory alone, or empty: the disk took none then"
        );
    }
    for (first, last) in &verification.missing {
        outln!("segments {first} to {last} are missing, although older ones are there: removed?");
    }
    if let Some(next) = verification.announced {
        outln!(
            "segment {next}, which the newest one announces, is not there: removed, or in memory alone \
             when its process ended"
        );
    }
    let (records, lost) = (verification.records(), verification.lost());
    if let Some(pid) = verification.writer_pid {
        outln!("process {pid} may be writing: what it has not published yet was not judged");
    }
    if lost > 0 {
        outln!("{lost} records were lost before the journal, as its gap records tell");
    }
    let damaged = |segment: &&SegmentReport| segment.state == SegmentState::Damaged;
    let damaged = verification.segments.iter().filter(damaged).count();
    let written = |segment: &&SegmentReport| segment.state != SegmentState::Prepared;
    let segments = verification.segments.iter().filter(written).count();
    if verification.is_intact() {
        outln!("intact: {records} records in {segments} segments");
    } else {
        let missing: u64 = verification.missing.iter().map(|(first, last)| last - first + 1).sum();
        let missing = missing + u64::from(verification.announced.is_some());
        outln!(
            "damaged: {damaged} of {segments} segments, {missing} missing; {records} records are \
             intact"
        );
    }
}

fn tell_segment(segment: &SegmentReport) {
    let SegmentReport { bytes, frames, records, .. } = segment;
    let state = segment.state.as_str();
    outln!("{:<26} {state:<8} {bytes:>13} {frames:>8} {records:>11}", name(&segment.path));
    for (reason, lost) in &segment.lost {
        outln!("    lost before it: {lost} records ({reason})");
    }
    for Finding { from, to, reason, damage, .. } in &segment.findings {
        let note = if *damage { "" } else { " (no damage: a later run has gone on)" };
        outln!("    bytes {from} to {to}: {reason}{note}");
    }
    if segment.findings_left_out > 0 {
        outln!("    … and {} more findings", segment.findings_left_out);
    }
}

/// Cuts torn tails; whether there was one.
fn repair(journal: &Journal, verification: &Verification, force: bool) -> Result<bool, Failure> {
    let place = if force { RepairPlace::InPlace } else { RepairPlace::Beside };
    let mut any = false;
    for segment in verification.segments.iter().filter(|segment| segment.torn_at.is_some()) {
        let done = journal.repair(segment, place)?;
        any = true;
        outln!(
            "{}: {} bytes behind its last whole frame cut off; the original is {}",
            name(&done.repaired),
            done.cut_bytes,
            name(&done.original)
        );
    }
    if !any {
        outln!("no segment has a torn tail: there is nothing to repair");
    } else if !force {
        outln!("the journal is as it was: --force puts the repaired segments in place");
    }
    Ok(any)
}

fn name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy()
}
