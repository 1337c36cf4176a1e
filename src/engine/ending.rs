//! What an engine says at its end, however that comes, and what becomes of its ring.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::start::GRACE;
use crate::handlers::notice;
use crate::shared::{Claim, Core, Progress};
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
    let told =
        if core.outlives_the_process() { ": the next start says so in the logs" } else { "" };
    notice(&format!("{untold} records of this run are in no file of the journal{told}"));
}

/// How the threads of an engine ended.
pub(super) struct Joined {
    /// Whether all have ended.
    pub(super) all: bool,
    /// And none by a panic.
    pub(super) sound: bool,
}

/// Ends what runs of an engine that cannot start, and gives back what it has, unless a thread that is left
/// behind may write there yet.
pub(super) fn give_up(core: &Core, threads: Vec<JoinHandle<()>>) {
    core.control.stop();
    // A drain that waits for views to let go of a segment would wait for ever.
    core.control.abandon_views();
    // Those that do not run will not say so.
    core.control.update(true, |now| (now.drain_ended, now.views_ended) = (true, true));
    core.control.wake_syncer();
    if join_by(threads.into_iter(), Instant::now() + GRACE).all {
        core.ring.remove_file();
        core.control.claim().into_iter().for_each(Claim::release);
    }
}

/// Waits for the threads of drain, views and janitor. One that the disk does not let go of is left
/// behind when the time is over.
pub(super) fn join_by(threads: impl Iterator<Item = JoinHandle<()>>, end: Instant) -> Joined {
    let mut joined = Joined { all: true, sound: true };
    for thread in threads {
        while !thread.is_finished() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
        if thread.is_finished() {
            joined.sound &= thread.join().is_ok();
        } else {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            notice(&format!(
                "{name} does not end, because a file does not answer: the next start goes on where it \
                 stands; until this process ends, nobody else can log to the directory"
            ));
            joined = Joined { all: false, sound: false };
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::start_closed;

    #[test]
    fn a_start_that_is_given_up_keeps_the_directory_from_others_while_a_thread_may_write_there() {
        let root = tempfile::tempdir().unwrap();
        let core = start_closed().unwrap();
        let claim = core.control.set_claim(Claim::new(root.path(), 0o700, 0o600));
        claim.take().unwrap();
        let (go_on, waits) = std::sync::mpsc::channel::<()>();
        let stays = std::thread::spawn(move || waits.recv().unwrap());
        give_up(&core, vec![stays]);
        assert!(claim.is_held());
        go_on.send(()).unwrap();
        let heeds = std::sync::Arc::clone(&core);
        let heeds = std::thread::spawn(move || while !heeds.control.views_abandoned() {});
        give_up(&core, vec![heeds]);
        assert!(!claim.is_held());
    }
}
