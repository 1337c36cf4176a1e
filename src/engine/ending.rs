//! What an engine says at its end, however that comes, and what becomes of its ring.

use std::time::Duration;

use crate::handlers::notice;
use crate::shared::{Core, Progress};
use crate::writer;

/// Makes entries of what would be told later. A run that is over before it has recovered what it found waits
/// for that, as long as `patience`; where the journal is in memory, the next start recovers.
pub(super) fn tell_the_last(core: &Core, patience: Duration) {
    let recovered = |progress: &Progress| progress.recovery_done || progress.journal_in_memory;
    // What is not recovered in time is left to the next start.
    let _in_time = core.control.wait_until(patience, recovered);
    writer::tell_slow_call(core);
    writer::tell_fast_rotation(core);
    writer::tell_recovered(core);
    writer::tell_file_failures(core);
}

/// Says what is not in the logs.
pub(super) fn say_what_is_left(core: &Core) {
    let progress = core.control.progress();
    core.control.outage().settle(true);
    let left = progress.journaled.saturating_sub(progress.views.settled());
    if left > 0 {
        notice(&format!(
            "{left} records are in the journal but not in the logs yet: the next start in {} renders them",
            core.configuration.log_dir.display(),
        ));
    }
}

/// Removes the file of a ring that is drained. It stays where records that are in memory alone are told by no
/// entry: the next start finds it, and tells them.
pub(super) fn remove_ring(core: &Core) {
    if !core.control.progress().drained {
        return;
    }
    let untold = if core.control.in_files() { core.ring.in_memory_untold() } else { 0 };
    if untold == 0 {
        return core.ring.remove_file();
    }
    let told = if core.ring.crash_safe() { ": the next start says so in the logs" } else { "" };
    notice(&format!("{untold} records of this run are in no file of the journal{told}"));
}
