//! The checker: a model under every schedule.

use std::cell::Cell;
use std::sync::Arc;

use crate::sync::set_fences;

/// Runs a model under every schedule with at most so many preemptions. The gate stays open.
pub(crate) fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    run(preemptions, false, model);
}

/// The same for a model that closes the gate.
pub(crate) fn check_gate(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    run(preemptions, true, model);
}

fn run(preemptions: usize, fences: bool, model: impl Fn() + Sync + Send + 'static) {
    set_fences(fences);
    let model = Arc::new(model);
    for late in [false, true] {
        LATE.set(late);
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(preemptions);
        let model = Arc::clone(&model);
        builder.check(move || model());
    }
}

thread_local! {
    /// Whether [`others_first`] waits in the model that runs on this thread.
    static LATE: Cell<bool> = const { Cell::new(false) };
}

/// Stands in a model where its main thread begins to race with the others.
///
/// Loom finds its schedules by permuting one that it has seen, and remembers of each atomic only
/// the last access; what it finds depends on who ran first. So each model is explored twice: from
/// the schedule in which its main thread goes on here, and from the one in which it waits.
pub(crate) fn others_first() {
    if LATE.get() {
        loom::thread::yield_now();
    }
}
