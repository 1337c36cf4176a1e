//! `tapelog recover`: what a dead process left comes into its journal and its logs.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState};
use tapelog::Builder;
use tapelog::recovery::{RecoveredRing, RingState, recover, rings};

use crate::config::Sources;
use crate::failure::{Failure, escaped, outln};
use crate::progress::shown;

/// The exit code when something could not be brought home.
const INCOMPLETE: u8 = 3;
const SPINNER: &str = "{spinner} recovering, {rings}, {elapsed}";

/// Brings what a killed program left in memory into its journal and its logs, without starting it.
///
/// The next start of the program does the same by itself. The configuration is looked for as the
/// program does it, so run this where the program runs, or name its file: it says where the rings
/// lie (ring_dir) and what the logs look like. Prints what was found. A directory that a living
/// process logs to is refused, with the number of that process.
///
/// Exit code: 0 if everything is in the journal and in the logs, 3 if a ring could not be read, or
/// not everywhere, 1 if nothing could be done, 2 for wrong arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The log directory of the program.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    #[command(flatten)]
    sources: Sources,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let builder = arguments.sources.builder().log_dir(&arguments.directory);
    let bar = shown(ProgressBar::no_length(), SPINNER);
    if !bar.is_hidden() {
        show_rings(&bar, left_rings(&builder, &arguments.directory));
        bar.enable_steady_tick(Duration::from_millis(100));
    }
    let recovery = recover(builder);
    bar.finish_and_clear();
    let recovery = recovery?;
    for ring in &recovery.rings {
        tell(ring);
    }
    if recovery.rings.is_empty() {
        outln!("nothing to recover: no dead process has left a ring of this directory");
    }
    Ok(if recovery.is_whole() { ExitCode::SUCCESS } else { ExitCode::from(INCOMPLETE) })
}

/// The rings that are to be recovered; none if that cannot be told now: the recovery says why.
fn left_rings(builder: &Builder, directory: &Path) -> Vec<PathBuf> {
    let Ok(configuration) = builder.configuration() else { return Vec::new() };
    let owner = directory.canonicalize().ok();
    let found = rings(&configuration.ring_dir).unwrap_or_default();
    let ours = found.into_iter().filter(|ring| ring.state == RingState::Dead);
    ours.filter(|ring| ring.log_dir == owner).map(|ring| ring.path).collect()
}

/// Has the bar tell how many of the rings are dealt with: their files are gone.
fn show_rings(bar: &ProgressBar, rings: Vec<PathBuf>) {
    let told = move |_: &ProgressState, out: &mut dyn Write| {
        let done = rings.iter().filter(|ring| !ring.exists()).count();
        let _told = write!(out, "{done} of {} rings", rings.len());
    };
    bar.set_style(bar.style().with_key("rings", told));
}

fn tell(ring: &RecoveredRing) {
    let RecoveredRing { path, pid, records, lost, failure, .. } = ring;
    let path = escaped(&path.display().to_string());
    if failure.is_none() || *records > 0 {
        outln!("recovered {records} records of process {pid} from {path}");
    }
    if *lost > 0 {
        outln!(
            "{lost} entries of process {pid} are lost: logger.recovered says how many, and \
             logger.gap why, but for those that were in its memory alone"
        );
    }
    if let Some(reason) = failure {
        eprintln!("tapelog: {path}: {}", escaped(reason));
    }
}
