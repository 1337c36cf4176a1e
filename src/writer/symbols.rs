//! A thread that looks up what stands at addresses: reading a program's debug information takes as
//! long as it is big, and the views are not to wait for that.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::keeper::keep;
use crate::config::Threading;
use crate::crash::{self, CrashPoint};
use crate::handlers::notice;
use crate::shared::Core;
use crate::stack::{Found, LookUp, functions_at};

/// How long a view waits for an answer; what comes later serves the next entries.
const WAIT: Duration = Duration::from_millis(500);

/// The same where the view shares its thread with the drain.
const WAIT_SHARED: Duration = Duration::from_millis(2);

/// Looks up with the help of a thread, and waits for that a bounded time only.
#[derive(Debug)]
pub(crate) struct SymbolThread {
    core: Arc<Core>,
    wait: Duration,
    helper: Option<Helper>,
    /// Whether no thread was to be had; said once.
    refused: bool,
}

/// The thread and the ways to it.
#[derive(Debug)]
struct Helper {
    questions: Option<Sender<Vec<u64>>>,
    answers: Receiver<Found>,
    /// Whether it still owes an answer.
    owes: bool,
    thread: Option<JoinHandle<()>>,
}

impl SymbolThread {
    /// Starts the thread at once if there will be backtraces, else when the first one comes: an
    /// earlier run may have left some.
    pub(crate) fn new(core: &Arc<Core>) -> Self {
        let configuration = &core.configuration;
        let wait = match configuration.threading {
            Threading::Shared => WAIT_SHARED,
            Threading::Dedicated => WAIT,
        };
        let mut threads = Self { core: Arc::clone(core), wait, helper: None, refused: false };
        if configuration.backtrace != crate::config::Backtrace::Off {
            threads.helper();
        }
        threads
    }

    fn helper(&mut self) -> Option<&mut Helper> {
        if self.helper.is_none() && !self.refused {
            match Helper::start(&self.core) {
                Ok(helper) => self.helper = Some(helper),
                Err(error) => {
                    self.refused = true;
                    notice(&format!(
                        "no thread for the names in backtraces ({error}): they show addresses"
                    ));
                }
            }
        }
        self.helper.as_mut()
    }
}

impl LookUp for SymbolThread {
    fn look_up(&mut self, addresses: &[u64], found: &mut Found) {
        let wait = self.wait;
        let Some(helper) = self.helper() else { return };
        // An answer that came too late for its own question.
        if helper.owes {
            helper.take_answer(Duration::ZERO, found);
        }
        let unknown: Vec<u64> =
            addresses.iter().copied().filter(|address| !found.contains_key(address)).collect();
        // One question at a time, so that the views wait for one at most.
        if helper.owes || unknown.is_empty() {
            return;
        }
        helper.owes = helper.questions.as_ref().is_some_and(|asked| asked.send(unknown).is_ok());
        if helper.owes {
            helper.take_answer(wait, found);
        }
    }
}

impl Helper {
    fn start(core: &Arc<Core>) -> io::Result<Self> {
        // Room for one each: neither side ever waits for the other to take something.
        let (questions, asked) = bounded::<Vec<u64>>(1);
        let (answer, answers) = bounded(1);
        let thread = keep(core, "tapelog-symbols", move |mut keeper| {
            // What takes long is done before the first question: our own code is in a module, too.
            keeper.keep(|| functions_at(functions_at as *const () as u64 + 1));
            for addresses in asked {
                // After a panic there are no names, and the addresses are shown.
                let found = keeper.keep(|| names_of(addresses)).unwrap_or_default();
                if answer.send(found).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { questions: Some(questions), answers, owes: false, thread: Some(thread) })
    }

    fn take_answer(&mut self, wait: Duration, found: &mut Found) {
        if let Ok(answer) = self.answers.recv_timeout(wait) {
            self.owes = false;
            found.extend(answer);
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.questions = None;
        // Its keeper lets no panic end it.
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

fn names_of(addresses: Vec<u64>) -> Found {
    crash::pass(CrashPoint::SymbolsAsked);
    addresses.into_iter().map(|at| (at, functions_at(at).into())).collect()
}
