//! Our threads: named, pinned if asked for, deaf to signals.

#![expect(unsafe_code, reason = "a thread inherits its signal mask, which libc alone can set")]

use std::cell::Cell;
use std::io;
use std::mem::MaybeUninit;
use std::thread::{self, JoinHandle};

use rustix::thread::{CpuSet, sched_setaffinity};

thread_local! {
    static OWN: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is one of ours, on which nothing may wait for the writer.
pub(crate) fn is_own_thread() -> bool {
    OWN.get()
}

/// Where a thread runs, and what it is called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placement {
    /// At most 15 bytes, for the kernel's sake.
    pub(crate) name: &'static str,
    pub(crate) cpu: Option<u32>,
}

/// Starts a thread that takes none of the host's signals.
///
/// # Errors
/// The system refuses another thread.
pub(crate) fn spawn<T: Send + 'static>(
    placement: Placement,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    let mask = block_signals();
    let handle = thread::Builder::new().name(placement.name.to_owned()).spawn(move || {
        OWN.set(true);
        pin(placement);
        work()
    });
    restore_signals(&mask);
    handle
}

/// Pins the calling thread; a processor that does not exist is told, and otherwise ignored.
fn pin(placement: Placement) {
    let Some(cpu) = placement.cpu else { return };
    let pinned = usize::try_from(cpu).ok().filter(|cpu| *cpu < CpuSet::MAX_CPU).map(|cpu| {
        let mut set = CpuSet::new();
        set.set(cpu);
        sched_setaffinity(None, &set)
    });
    if !matches!(pinned, Some(Ok(()))) {
        crate::handlers::notice(&format!(
            "thread {} runs unpinned: this process may not use processor {cpu}; change writer_cpu \
             or view_cpu",
            placement.name,
        ));
    }
}

/// Blocks the asynchronous signals of the calling thread and gives the mask as it was.
///
/// SIGSEGV and its kin stay open: a host's handler for them is to see our faults, too.
fn block_signals() -> libc::sigset_t {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the pointer leads to room for a signal set, which the call fills.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP] {
        // SAFETY: `all` was filled above, and these are signals.
        unsafe { libc::sigdelset(all.as_mut_ptr(), signal) };
    }
    // SAFETY: `all` was filled above, and `before` has room for a set.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) };
    // SAFETY: `pthread_sigmask` has stored the old mask: it fails only for an unknown first
    // argument.
    unsafe { before.assume_init() }
}

fn restore_signals(mask: &libc::sigset_t) {
    // SAFETY: `mask` is a set that the system gave us; no old mask is asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, mask, std::ptr::null_mut()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_has_its_name_and_blocks_asynchronous_signals() {
        let placement = Placement { name: "tapelog-test", cpu: Some(0) };
        let status = spawn(placement, || {
            std::fs::read_to_string("/proc/thread-self/status").expect("the thread's status")
        })
        .expect("a thread")
        .join()
        .expect("the thread's result");
        assert!(status.contains("Name:\ttapelog-test"));
        let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:\t")).unwrap();
        let mask = u64::from_str_radix(blocked, 16).unwrap();
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGALRM, libc::SIGXFSZ] {
            assert_ne!(mask & (1 << (signal - 1)), 0, "signal {signal} is blocked");
        }
        assert_eq!(mask & (1 << (libc::SIGSEGV - 1)), 0, "a crash handler sees our faults");
        assert!(status.contains("Cpus_allowed_list:\t0\n"));
        let own = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        assert!(own.contains("SigBlk:\t0000000000000000"), "the caller's mask is as before");
    }
}
