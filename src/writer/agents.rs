//! The duty cycles: how the agents are polled, on one thread or on two.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::drain::{Drain, DrainPoll};
use super::idle::Napper;
use super::keeper::Keeper;
use super::threads::{Placement, spawn};
use super::view::{View, ViewPoll};
use crate::config::Threading;
use crate::handlers::notice;
use crate::journal::JournalError;
use crate::shared::{Core, FileError, Part};

/// How long a drain waits that cannot go on.
const HELD: Duration = Duration::from_millis(1);

/// How long a drain waits after its medium has failed.
const FAILED: Duration = Duration::from_millis(100);

/// The threads of the two agents, as they are called.
const DRAIN: &str = "tapelog-drain";
const VIEW: &str = "tapelog-view";

/// Starts the agents on one thread or on two; without views there is only one.
///
/// Adds them to `threads`.
///
/// # Errors
/// The system refuses another thread. One of them may run.
pub(crate) fn start_agents(
    core: &Arc<Core>,
    drain: Drain,
    view: Option<View>,
    threads: &mut Vec<JoinHandle<()>>,
) -> io::Result<()> {
    let configuration = &core.configuration;
    let napper = Napper::new(configuration, core.ticks_per_second);
    let placement = Placement { name: DRAIN, cpu: configuration.writer_cpu };
    let drain = KeptDrain { drain, keeper: Keeper::new(core, DRAIN), failing: false };
    let view = view.map(|view| KeptView { view, keeper: Keeper::new(core, VIEW) });
    match (configuration.threading, view) {
        (Threading::Shared, Some(view)) => {
            threads.push(spawn(placement, move || run_both(drain, view, napper))?);
        }
        (_, view) => {
            threads.push(spawn(placement, move || run_drain(drain, napper))?);
            if let Some(view) = view {
                let placement = Placement { name: VIEW, cpu: configuration.view_cpu };
                threads.push(spawn(placement, move || run_view(view))?);
            }
        }
    }
    Ok(())
}

/// The drain on a thread of its own, until the engine stops.
fn run_drain(mut agent: KeptDrain, mut napper: Napper) {
    agent.drain.settle_in();
    while !agent.drain.is_finished() {
        match agent.poll() {
            Drained::Moved(_) if agent.drain.stopping() => {}
            Drained::Moved(bytes) => napper.rest(bytes),
            _ if agent.drain.is_given_up() => break,
            Drained::Waits(wait) => std::thread::park_timeout(wait),
        }
    }
    agent.end();
}

/// The view on a thread of its own, until the journal has ended.
fn run_view(mut agent: KeptView) {
    loop {
        match agent.poll() {
            Some(ViewPoll::Worked) => {}
            Some(ViewPoll::Idle) => agent.view.wait(),
            Some(ViewPoll::Ended) => break,
            None if agent.keeper.core().control.views_abandoned() => break,
            None => agent.keeper.pause(),
        }
    }
    agent.end();
}

/// Both agents on one thread: a bounded batch is rendered in every cycle, ring empty or not.
fn run_both(mut agent: KeptDrain, mut view: KeptView, mut napper: Napper) {
    agent.drain.settle_in();
    while !agent.drain.is_finished() {
        let drained = agent.poll();
        let viewed = view.poll();
        match drained {
            Drained::Moved(_) if agent.drain.stopping() => {}
            _ if viewed == Some(ViewPoll::Worked) => {}
            Drained::Moved(bytes) => napper.rest(bytes),
            _ if agent.drain.is_given_up() => break,
            Drained::Waits(wait) => std::thread::park_timeout(wait),
        }
    }
    agent.end();
    run_view(view);
}

/// The drain, and what keeps it at work.
struct KeptDrain {
    drain: Drain,
    keeper: Keeper,
    /// Whether the medium fails.
    failing: bool,
}

/// What came of a poll of it.
enum Drained {
    /// It moved so many bytes.
    Moved(u64),
    /// It is to be left alone for so long.
    Waits(Duration),
}

impl KeptDrain {
    fn poll(&mut self) -> Drained {
        if let Some(rest) = self.keeper.rest() {
            return Drained::Waits(rest);
        }
        match self.keeper.keep(|| self.drain.poll()) {
            Some(polled) => self.told(polled),
            None => Drained::Waits(self.keeper.rest().unwrap_or_default()),
        }
    }

    /// Tells a failure of the medium once, until it works again.
    fn told(&mut self, polled: Result<DrainPoll, JournalError>) -> Drained {
        let failed_before = std::mem::replace(&mut self.failing, polled.is_err());
        let control = &self.keeper.core().control;
        match polled {
            Ok(done) => {
                if failed_before {
                    control.outage().works(Part::Segment, 0);
                }
                match done {
                    DrainPoll::Moved(bytes) => Drained::Moved(bytes),
                    DrainPoll::Held => Drained::Waits(HELD),
                }
            }
            Err(error) => {
                let mut failure = FileError::from(&error);
                if let Some(claim) = control.claim() {
                    failure.path = claim.directory().join("journal").join(failure.path);
                }
                let waiting = "records stay in the ring until it works again";
                control.outage().failed(Part::Segment, failure, waiting);
                // The next segment may be better.
                Drained::Waits(if failed_before { FAILED } else { Duration::ZERO })
            }
        }
    }

    fn end(mut self) {
        match self.keeper.keep(|| self.drain.finish()) {
            Some(Ok(())) => {}
            Some(Err(error)) => notice(&format!("the journal could not be ended: {error}")),
            None => Drain::note_end(&self.keeper.core().control, None, false),
        }
    }
}

/// The view, and what keeps it at work.
struct KeptView {
    view: View,
    keeper: Keeper,
}

impl KeptView {
    /// Polls it; `None` while it is to be left alone.
    fn poll(&mut self) -> Option<ViewPoll> {
        if self.keeper.rest().is_some() {
            return None;
        }
        self.keeper.keep(|| self.view.poll())
    }

    fn end(mut self) {
        if self.keeper.keep(|| self.view.finish()).is_none() {
            self.keeper.core().control.update(true, |now| now.views_ended = true);
        }
    }
}
