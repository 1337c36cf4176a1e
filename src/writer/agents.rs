//! The duty cycles: how the agents are polled, on one thread or on two.

use std::time::Duration;

use super::drain::{Drain, DrainPoll};
use super::idle::Napper;
use super::view::{View, ViewPoll};
use crate::handlers::notice;
use crate::shared::{FileError, Part};

/// How long a drain waits that cannot go on.
const HELD: Duration = Duration::from_millis(1);

/// How long a drain waits after its medium has failed.
const FAILED: Duration = Duration::from_millis(100);

/// The drain on a thread of its own, until the engine stops.
pub(crate) fn run_drain(mut drain: Drain, mut napper: Napper) {
    drain.settle_in();
    let mut failing = false;
    while !drain.is_finished() {
        let failed_before = failing;
        match told(&mut drain, &mut failing) {
            Some(DrainPoll::Moved(bytes)) => {
                if !drain.stopping() {
                    napper.rest(bytes);
                }
            }
            _ if drain.is_given_up() => break,
            Some(DrainPoll::Held) => std::thread::park_timeout(HELD),
            // The next segment may be better.
            None if !failed_before => {}
            None => std::thread::park_timeout(FAILED),
        }
    }
    end(drain);
}

/// The view on a thread of its own, until the journal has ended.
pub(crate) fn run_view(mut view: View) {
    loop {
        match view.poll() {
            ViewPoll::Worked => {}
            ViewPoll::Idle => view.wait(),
            ViewPoll::Ended => break,
        }
    }
    view.finish();
}

/// Both agents on one thread: a bounded batch is rendered in every cycle, ring empty or not.
pub(crate) fn run_both(mut drain: Drain, mut view: View, mut napper: Napper) {
    drain.settle_in();
    let mut failing = false;
    while !drain.is_finished() {
        let failed_before = failing;
        let drained = told(&mut drain, &mut failing);
        let viewed = view.poll();
        match drained {
            Some(DrainPoll::Moved(_)) if drain.stopping() => {}
            _ if viewed == ViewPoll::Worked => {}
            Some(DrainPoll::Moved(bytes)) => napper.rest(bytes),
            _ if drain.is_given_up() => break,
            Some(DrainPoll::Held) => std::thread::park_timeout(HELD),
            None if !failed_before => {}
            None => std::thread::park_timeout(FAILED),
        }
    }
    end(drain);
    run_view(view);
}

fn end(drain: Drain) {
    if let Err(error) = drain.finish() {
        notice(&format!("the journal could not be ended: {error}"));
    }
}

/// Polls the drain; tells a failure of the medium once, until it works again.
fn told(drain: &mut Drain, failing: &mut bool) -> Option<DrainPoll> {
    let polled = drain.poll();
    let outage = drain.control().outage();
    match polled {
        Ok(done) => {
            if std::mem::take(failing) {
                outage.works(Part::Segment, 0);
            }
            Some(done)
        }
        Err(error) => {
            *failing = true;
            let mut failure = FileError::from(&error);
            if let Some(claim) = drain.control().claim() {
                failure.path = claim.directory().join("journal").join(failure.path);
            }
            let waiting = "records stay in the ring until it works again";
            outage.failed(Part::Segment, failure, waiting);
            None
        }
    }
}
