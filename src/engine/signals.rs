//! `handle_signals = true`: SIGTERM and SIGINT end the process as they always do, but first the
//! engines write everything out. SIGHUP makes them read their configuration again.
//!
//! The handler itself does next to nothing: it notes the signal and wakes a thread of ours, which
//! has the time to write. It goes through `signal-hook`: handlers that were there before are called,
//! too. What the process had set up before the first such engine decides what happens then:
//!
//! * nothing (the default): the engines end, and the process by that signal;
//! * a handler of its own: the logs are flushed, and the rest is the handler's business;
//! * the signal was ignored: it stays so.
//!
//! SIGHUP then ends nothing, and a handler of the process's own is called as well. Its work has a thread
//! of its own, `tapelog-reload`, from the first SIGHUP on: a configuration file on a network disk that
//! does not answer keeps neither SIGTERM nor the engines' end waiting.
//!
//! `exit` with an engine that is not shut down writes everything out, too, by a function that is left
//! with `atexit`.
//!
//! A second signal while the first is served, a signal in a forked child, and one without a running
//! engine do what they do by default.

#![expect(unsafe_code, reason = "a signal handler is registered, and the one before it looked at")]

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{io, process};

use parking_lot::Mutex;
use rustix::event::{EventfdFlags, eventfd};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level;

use super::ending;
use super::reload::reload;
use super::start::GATE_WAIT;
use crate::handlers::{finish_notices, notice};
use crate::shared::{Core, Progress};
use crate::writer::{self, Placement};

/// The signals that are served; the first of them does not end the process.
const SERVED: [i32; 3] = [SIGHUP, SIGTERM, SIGINT];

/// How long an engine's start or end waits for another one's.
const LOCK_WAIT: Duration = Duration::from_secs(1);

/// What the handler looks at. All of it is atomic, because a handler may take no lock.
struct State {
    /// The process whose engines are served; 0 while there are none.
    owner: AtomicU32,
    /// Signals that have come, one bit each by their place in [`SERVED`].
    pending: AtomicU32,
    /// Whether the end has begun: the next signal does not wait for it.
    ending: AtomicBool,
    /// Wakes the thread; an `eventfd` that stays open as long as the process lives.
    wake: AtomicI32,
    /// Whether the thread is to end.
    stop: AtomicBool,
    /// Signals that the process had a handler for: that decides what happens behind the flush.
    hosts: AtomicU32,
}

static STATE: State = State {
    owner: AtomicU32::new(0),
    pending: AtomicU32::new(0),
    ending: AtomicBool::new(false),
    wake: AtomicI32::new(-1),
    stop: AtomicBool::new(false),
    hosts: AtomicU32::new(0),
};

/// The engines and their thread.
struct Hub {
    engines: Vec<Weak<Core>>,
    thread: Option<JoinHandle<()>>,
    /// The process that it is of: a forked child finds its parent's.
    pid: u32,
    installed: bool,
}

static HUB: Mutex<Hub> =
    Mutex::new(Hub { engines: Vec::new(), thread: None, pid: 0, installed: false });

/// What the process did with a signal before us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Default,
    Ignored,
    Handler,
}

/// Serves signals for the engine, until its end.
///
/// # Errors
/// The system gives no descriptor, no handler or no thread.
pub(super) fn watch(core: &Arc<Core>) -> io::Result<()> {
    let busy = || io::Error::other("another thread starts or ends a logger and does not finish");
    let mut hub = HUB.try_lock_for(LOCK_WAIT).ok_or_else(busy)?;
    if hub.pid != process::id() {
        // The first engine, or the first one in a forked child, which has none of these threads.
        std::mem::forget(std::mem::take(&mut hub.engines));
        std::mem::forget(hub.thread.take());
        hub.pid = process::id();
        let wake = eventfd(0, EventfdFlags::CLOEXEC)?;
        store(&STATE.wake, wake);
    }
    if !hub.installed {
        install()?;
        hub.installed = true;
    }
    if hub.thread.is_none() {
        // ORDERING: Relaxed, the thread is started afterwards.
        // PAIRS WITH: the load in `serve`.
        // IF WEAKENED: it is the weakest already.
        STATE.stop.store(false, Ordering::Relaxed);
        let placement = Placement { name: "tapelog-signals", cpu: None };
        hub.thread = Some(writer::spawn(placement, serve)?);
    }
    hub.engines.push(Arc::downgrade(core));
    // ORDERING: Release, the thread and its descriptor are there.
    // PAIRS WITH: the Acquire load in `on_signal`.
    // IF WEAKENED: a handler might wake nobody.
    STATE.owner.store(process::id(), Ordering::Release);
    Ok(())
}

fn store(place: &AtomicI32, file: OwnedFd) {
    // ORDERING: Release, the descriptor is open.
    // PAIRS WITH: the Acquire loads in `wake` and `serve`.
    // IF WEAKENED: they might use one that is not open yet.
    place.store(file.into_raw_fd(), Ordering::Release);
}

/// Signals are no longer this engine's; the last one takes the thread along.
pub(super) fn unwatch(core: &Arc<Core>) {
    let Some(mut hub) = HUB.try_lock_for(LOCK_WAIT) else { return };
    if hub.pid != process::id() {
        return;
    }
    let own = Arc::as_ptr(core);
    hub.engines.retain(|engine| engine.strong_count() > 0 && !std::ptr::eq(engine.as_ptr(), own));
    if !hub.engines.is_empty() {
        return;
    }
    // ORDERING: Relaxed, from now on signals do what they do by default.
    // PAIRS WITH: the load in `on_signal`.
    // IF WEAKENED: it is the weakest already.
    STATE.owner.store(0, Ordering::Relaxed);
    // ORDERING: Release, the wake-up follows.
    // PAIRS WITH: the Acquire load in `serve`.
    // IF WEAKENED: the thread sleeps on.
    STATE.stop.store(true, Ordering::Release);
    wake();
    let thread = hub.thread.take();
    // The thread needs the lock to find the engines.
    drop(hub);
    if let Some(Err(_)) = thread.map(JoinHandle::join) {
        notice("the thread that serves signals has panicked");
    }
}

/// Puts the handlers in place, once for the life of the process.
fn install() -> io::Result<()> {
    for (place, signal) in SERVED.into_iter().enumerate() {
        let before = before(signal)?;
        if before == Before::Ignored {
            continue;
        }
        if before == Before::Handler {
            // ORDERING: Relaxed, the handler is registered afterwards.
            // PAIRS WITH: the load in `end_all`.
            // IF WEAKENED: it is the weakest already.
            STATE.hosts.fetch_or(1 << place, Ordering::Relaxed);
        }
        let action = move || on_signal(place, signal, before);
        // SAFETY: what runs in the handler is safe there: it reads and writes atomics, asks for
        // the process's id, writes to a descriptor, or sends a signal. It does not panic.
        unsafe { low_level::register(signal, action) }?;
    }
    // SAFETY: the function takes nothing, does not unwind, and is there as long as the process.
    let refused = unsafe { libc::atexit(at_exit) };
    if refused == 0 { Ok(()) } else { Err(io::Error::other("`atexit` takes no more functions")) }
}

/// Runs when the process calls `exit`, on the thread that does.
extern "C" fn at_exit() {
    // ORDERING: Acquire.
    // PAIRS WITH: the Release store in `watch`.
    // IF WEAKENED: see there.
    let ours = STATE.owner.load(Ordering::Acquire) == process::id();
    // One of our own threads would wait for itself.
    if !ours || writer::is_own_thread() {
        return;
    }
    let ended = catch_unwind(|| match HUB.try_lock_for(LOCK_WAIT) {
        Some(hub) => {
            let engines: Vec<Arc<Core>> = hub.engines.iter().filter_map(Weak::upgrade).collect();
            drop(hub);
            end_engines(&engines);
        }
        None => notice("exit: another thread starts or ends a logger, so it is not waited for"),
    });
    if ended.is_err() {
        notice("exit: the logs could not be written out: the next start goes on");
    }
}

/// What happens to a signal now.
fn before(signal: i32) -> io::Result<Before> {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: asks for the action and sets none; the pointer leads to room for one.
    let failed = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    if failed != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has filled it; and zeros are an action, too.
    let action = unsafe { action.assume_init() };
    Ok(match action.sa_sigaction {
        libc::SIG_DFL => Before::Default,
        libc::SIG_IGN => Before::Ignored,
        _ => Before::Handler,
    })
}

/// Runs in the handler, on whatever thread the signal has met.
fn on_signal(place: usize, signal: i32, before: Before) {
    // ORDERING: Acquire.
    // PAIRS WITH: the Release store in `watch`.
    // IF WEAKENED: see there.
    let ours = STATE.owner.load(Ordering::Acquire) == process::id();
    // ORDERING: Relaxed, a flag of its own.
    // PAIRS WITH: the store in `end_all`.
    // IF WEAKENED: it is the weakest already.
    if ours && !STATE.ending.load(Ordering::Relaxed) {
        // ORDERING: Release, before the wake-up.
        // PAIRS WITH: the Acquire exchange in `serve`.
        // IF WEAKENED: the thread may find nothing to do and sleep again.
        STATE.pending.fetch_or(1 << place, Ordering::Release);
        wake();
    } else if before == Before::Default {
        by_default(signal);
    }
}

/// Does what the signal does by default. If the system does not know it, nothing.
fn by_default(signal: i32) {
    let _known = low_level::emulate_default_handler(signal);
}

/// Wakes the thread; may be called in a handler.
fn wake() {
    // ORDERING: Acquire.
    // PAIRS WITH: the Release store in `store`.
    // IF WEAKENED: see there.
    let fd = STATE.wake.load(Ordering::Acquire);
    if fd >= 0 {
        // SAFETY: the descriptor is never closed.
        let file = unsafe { BorrowedFd::borrow_raw(fd) };
        // A counter that is full wakes, too.
        let _written = rustix::io::write(file, &[1; 8]);
    }
}

/// The thread: waits for signals, and serves them.
fn serve() {
    // ORDERING: Acquire.
    // PAIRS WITH: the Release store in `store`.
    // IF WEAKENED: see there.
    let fd = STATE.wake.load(Ordering::Acquire);
    // SAFETY: the descriptor is never closed.
    let file = unsafe { BorrowedFd::borrow_raw(fd) };
    debug_assert!(file.as_raw_fd() >= 0, "it is opened before the thread is started");
    let mut reloads = None;
    loop {
        match rustix::io::read(file, &mut [0; 8]) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
        // ORDERING: Acquire, what was stored before the wake-up.
        // PAIRS WITH: the Release addition in `on_signal`.
        // IF WEAKENED: see there.
        let pending = STATE.pending.swap(0, Ordering::Acquire);
        for (place, signal) in SERVED.into_iter().enumerate() {
            match signal {
                _ if pending & 1 << place == 0 => {}
                SIGHUP => ask_for_reload(&mut reloads),
                // Whatever happens, the signal does what it is there for.
                _ if catch_unwind(|| end_all(place, signal)).is_err() => by_default(signal),
                _ => {}
            }
        }
        // ORDERING: Acquire, as above.
        // PAIRS WITH: the Release store in `unwatch`.
        // IF WEAKENED: see there.
        if STATE.stop.load(Ordering::Acquire) {
            return;
        }
    }
}

/// Has the other thread read the configurations again; it ends when `reloads` is dropped.
fn ask_for_reload(reloads: &mut Option<SyncSender<()>>) {
    if reloads.is_none() {
        // One may wait while one is served, so what changes in the meantime is read, too.
        let (wish, wishes) = sync_channel(1);
        let placement = Placement { name: "tapelog-reload", cpu: None };
        let work = move || wishes.into_iter().for_each(|()| reload_all());
        match writer::spawn(placement, work) {
            Ok(_) => *reloads = Some(wish),
            Err(error) => {
                notice(&format!("SIGHUP: no thread to read the configuration again: {error}"));
            }
        }
    }
    // Where one waits already, that is enough.
    let _waiting = reloads.as_ref().map(|wish| wish.try_send(()));
}

/// Reads the configurations again, and goes on whatever happens.
fn reload_all() {
    if catch_unwind(reload_each).is_err() {
        notice("SIGHUP: the thread that serves it has panicked, and goes on");
    }
}

/// Lets every engine read its configuration again; what is wrong with it goes to stderr.
fn reload_each() {
    let engines: Vec<Arc<Core>> = HUB.lock().engines.iter().filter_map(Weak::upgrade).collect();
    for core in engines {
        if let Err(error) = reload(&core) {
            notice(&format!("SIGHUP: {error}"));
        }
    }
}

/// Writes out what the engines have, and ends the process if that is what the signal does.
fn end_all(place: usize, signal: i32) {
    let engines: Vec<Arc<Core>> = HUB.lock().engines.iter().filter_map(Weak::upgrade).collect();
    // ORDERING: Relaxed, set before the signal could come.
    // PAIRS WITH: the addition in `install`.
    // IF WEAKENED: it is the weakest already.
    if STATE.hosts.load(Ordering::Relaxed) & 1 << place != 0 {
        for core in &engines {
            if core.control.flush(core.configuration.shutdown_timeout).is_err() {
                notice("a signal came, and not everything could be written in shutdown_timeout");
            }
        }
        return;
    }
    // ORDERING: Relaxed, see `on_signal`.
    // PAIRS WITH: the load there.
    // IF WEAKENED: it is the weakest already.
    STATE.ending.store(true, Ordering::Relaxed);
    end_engines(&engines);
    by_default(signal);
}

/// Writes out what the engines have.
fn end_engines(engines: &[Arc<Core>]) {
    let begun = Instant::now();
    let left = |core: &Core| core.configuration.shutdown_timeout.saturating_sub(begun.elapsed());
    engines.iter().for_each(|core| ending::tell_the_last(core, left(core) / 2));
    // All gates first: the engines then write side by side.
    let busy: Vec<u32> = engines.iter().map(|core| core.ring.close_gate(GATE_WAIT)).collect();
    engines.iter().for_each(|core| core.control.stop());
    for (core, busy) in engines.iter().zip(busy) {
        if core.control.wait_until(left(core), Progress::has_ended).is_err() {
            notice("the process ends before all is in the logs: the next start goes on");
        }
        if busy == 0 {
            ending::remove_ring(core);
        }
    }
    finish_notices();
}
