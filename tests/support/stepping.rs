//! A child whose parent lets it execute one instruction after the other.

#![allow(dead_code, reason = "every scenario uses a part of this")]

use std::process::Child;
use std::ptr::null_mut;

/// Makes the calling thread stop for its parent at each signal.
pub(crate) fn be_traced() {
    // SAFETY: makes this thread stop for its parent; nothing else.
    assert_eq!(unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) }, 0);
}

/// Lets a stopped thread go on: for one instruction, or to its next signal.
pub(crate) fn go_on(thread: libc::pid_t, one_step: bool) {
    let request = if one_step { libc::PTRACE_SINGLESTEP } else { libc::PTRACE_CONT };
    // SAFETY: the thread is stopped and is traced by this one.
    let went_on = unsafe { libc::ptrace(request, thread, null_mut::<u8>(), null_mut::<u8>()) };
    assert_eq!(went_on, 0, "{}", std::io::Error::last_os_error());
}

/// Stops the calling thread, which is traced.
#[inline(never)]
pub(crate) fn stop() {
    // SAFETY: the tracer takes the signal.
    unsafe { libc::raise(libc::SIGTRAP) };
}

/// Waits for the child's traced thread to stop; `None` when the child has ended well.
pub(crate) fn wait(child: &mut Child) -> Option<libc::pid_t> {
    let mut status = 0;
    // SAFETY: `status` is this function's own.
    let thread = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL) };
    assert!(thread > 0, "{}", std::io::Error::last_os_error());
    if libc::WIFSTOPPED(status) {
        return Some(thread);
    }
    if thread != child.id() as libc::pid_t {
        // The traced thread has ended before its process.
        return wait(child);
    }
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "status {status:#x}");
    None
}

/// Whether a thread stopped behind a single instruction, and not by its own signal.
pub(crate) fn is_step(thread: libc::pid_t) -> bool {
    // SAFETY: a plain structure, which the kernel fills.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: the thread is stopped and is traced by this one; `info` is this function's own.
    let told =
        unsafe { libc::ptrace(libc::PTRACE_GETSIGINFO, thread, null_mut::<u8>(), &raw mut info) };
    assert_eq!(told, 0, "{}", std::io::Error::last_os_error());
    info.si_code > 0
}
