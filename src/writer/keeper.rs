//! What keeps a thread of the writer at work that has panicked: a fault in it must cost the host
//! neither its records nor its time.
//!
//! The work goes on from where the thread's state can be trusted (`Drain::mend`, `View::mend`), after
//! a pause that doubles from panic to panic. The panic is told by an entry `logger.writer_panic`, and
//! on stderr once for each row of panics.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::threads::{Placement, spawn};
use crate::handlers::notice;
use crate::level::Level;
use crate::shared::Core;
use crate::site::Site;

/// The pause after the first panic, and the longest one.
const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A panic after so long a time is the first of another row.
const QUIET: Duration = Duration::from_secs(10);

/// So many panics wait for their entries at most; what comes then takes the place of the oldest.
const UNTOLD_MAX: usize = 100;

static WRITER_PANIC: Site = Site::new(
    Level::Critical,
    false,
    "logger.writer_panic",
    ("tapelog::writer", file!(), line!()),
    &["thread", "message", "location", "panics"],
);

thread_local! {
    /// Whether a keeper tells the calling thread's panics.
    static KEPT: Cell<bool> = const { Cell::new(false) };
    /// Where the last of them was, if somebody saw it.
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Notes where the calling thread panics, for the keeper that will tell it; whether there is one.
pub(crate) fn note_location(location: &str) -> bool {
    let kept = KEPT.get();
    if kept {
        LOCATION.set(Some(location.to_owned()));
    }
    kept
}

/// Calls into the host's code, whose panics are not the writer's.
pub(super) fn for_the_host<T>(work: impl FnOnce() -> T) -> T {
    let kept = KEPT.replace(false);
    let done = work();
    KEPT.set(kept);
    done
}

/// Does something with a part of an owner that is taken out of it meanwhile, and put back whatever
/// happens.
pub(super) fn lent<O, T: Default, R>(
    owner: &mut O,
    place: impl Fn(&mut O) -> &mut T,
    work: impl FnOnce(&mut O, &mut T) -> R,
) -> R {
    let mut part = std::mem::take(place(owner));
    let done = catch_unwind(AssertUnwindSafe(|| work(owner, &mut part)));
    *place(owner) = part;
    done.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Catches and tells the panics of one thread.
#[derive(Debug)]
pub(crate) struct Keeper {
    core: Arc<Core>,
    thread: &'static str,
    panics: u64,
    /// The next pause, the last panic, and when the work may go on.
    pause: Duration,
    last: Option<Instant>,
    resume_at: Option<Instant>,
    untold: VecDeque<Panic>,
}

/// Starts a thread that is kept at work.
///
/// # Errors
/// The system refuses another thread.
pub(crate) fn keep(
    core: &Arc<Core>,
    name: &'static str,
    work: impl FnOnce(Keeper) + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let keeper = Keeper::new(core, name);
    spawn(Placement { name, cpu: None }, move || work(keeper))
}

/// A panic that no entry tells yet.
#[derive(Debug)]
struct Panic {
    message: String,
    location: String,
    number: u64,
}

impl Keeper {
    /// The keeper of an engine's thread.
    pub(crate) fn new(core: &Arc<Core>, thread: &'static str) -> Self {
        Self {
            core: Arc::clone(core),
            thread,
            panics: 0,
            pause: PAUSE_MIN,
            last: None,
            resume_at: None,
            untold: VecDeque::new(),
        }
    }

    /// The engine.
    pub(super) fn core(&self) -> &Core {
        &self.core
    }

    /// Does a piece of work; `None` if it has panicked.
    ///
    /// What the work changes may be torn then: who calls sees to that before the next piece.
    pub(crate) fn keep<T>(&mut self, work: impl FnOnce() -> T) -> Option<T> {
        if !self.untold.is_empty() {
            self.tell();
        }
        KEPT.set(true);
        let done = catch_unwind(AssertUnwindSafe(work));
        KEPT.set(false);
        done.inspect_err(|panic| self.note(&**panic)).ok()
    }

    /// For how long the work is to be left alone yet; `None`: it may go on.
    pub(crate) fn rest(&mut self) -> Option<Duration> {
        let rest = self.resume_at?.checked_duration_since(Instant::now());
        if rest.is_none() {
            self.resume_at = None;
        }
        rest
    }

    /// Sleeps until the work may go on.
    pub(crate) fn pause(&mut self) {
        if let Some(rest) = self.rest() {
            std::thread::sleep(rest);
        }
    }

    #[cold]
    fn note(&mut self, panic: &(dyn Any + Send)) {
        let now = Instant::now();
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let message = text.unwrap_or("no text").to_owned();
        let location = LOCATION.take();
        let location = location.unwrap_or_else(|| "unknown: panic_hook is off".to_owned());
        if self.last.replace(now).is_none_or(|last| now - last >= QUIET) {
            self.pause = PAUSE_MIN;
            notice(&format!(
                "thread {} has panicked ({message}): it goes on; this is a fault of tapelog, please \
                 report it; see logger.writer_panic in errors.log",
                self.thread,
            ));
        }
        self.resume_at = Some(now + self.pause);
        self.pause = (2 * self.pause).min(PAUSE_MAX);
        self.panics += 1;
        self.core.metrics.note_writer_panic();
        if self.untold.len() == UNTOLD_MAX {
            self.untold.pop_front();
        }
        self.untold.push_back(Panic { message, location, number: self.panics });
        self.tell();
    }

    /// Makes the entries; where there is no room for them, before the next piece of work.
    fn tell(&mut self) {
        while let Some(Panic { message, location, number }) = self.untold.front() {
            let args = (((((), self.thread), message.as_str()), location.as_str()), *number);
            if self.core.push_own(&WRITER_PANIC, &args).is_err() {
                return;
            }
            self.untold.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::start_closed;

    #[test]
    fn panics_wait_for_their_entries_and_the_oldest_make_room() {
        let core = start_closed().unwrap();
        let mut keeper = Keeper::new(&core, "a thread");
        let untold = |keeper: &Keeper| -> Vec<_> {
            keeper.untold.iter().map(|panic| (panic.number, panic.message.clone())).collect()
        };
        let fail = |number: u64| panic!("{number}");
        let told = |number: u64| (number, number.to_string());
        // None is taken: the gate is closed.
        (1..=3).for_each(|number| assert_eq!(keeper.keep(|| fail(number)), None::<()>));
        assert_eq!(untold(&keeper), [1, 2, 3].map(told));
        (4..=102).for_each(|number| assert_eq!(keeper.keep(|| fail(number)), None::<()>));
        assert!(untold(&keeper).into_iter().eq((3..=102).map(told)));
        assert_eq!(core.metrics.writer_panics(), 102);
    }
}
