//! The handler of SIGBUS: one for the process, however many engines there are.
//!
//! Everything that it calls is a system call or an atomic access, so it may interrupt anything.

#![expect(unsafe_code, reason = "a signal handler, and memory put into a hole of a mapping")]

use std::ffi::{c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::table::Table;

/// The mappings of all engines.
pub(super) static TABLE: Table = Table::new();

/// What handled SIGBUS before us: its address, `SIG_DFL` or `SIG_IGN`, and its flags.
static PREVIOUS: AtomicUsize = AtomicUsize::new(libc::SIG_DFL);
static PREVIOUS_FLAGS: AtomicI32 = AtomicI32::new(0);

/// The size of a page.
static PAGE_BYTES: AtomicUsize = AtomicUsize::new(0);

static INSTALLED: Mutex<Installed> = Mutex::new(Installed { users: 0, before: None });

/// Who needs the handler, and what it took the place of.
struct Installed {
    users: usize,
    /// Kept while ours is installed, or lies beneath one that the host has installed since.
    before: Option<libc::sigaction>,
}

/// Installs the handler, if it is not there yet.
///
/// # Errors
/// What the system says.
pub(super) fn acquire() -> io::Result<()> {
    let mut installed = INSTALLED.lock();
    if installed.before.is_none() {
        // Before the handler can run.
        remember(&action(None)?);
        // SAFETY: asks for a number.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        // ORDERING: Release, and below by the system call that installs the handler.
        // PAIRS WITH: the load in `fill_hole`.
        // IF WEAKENED: nothing, the system call orders it.
        PAGE_BYTES.store(usize::try_from(page).unwrap_or(4096), Ordering::Release);
        let before = action(Some(&ours(&action(None)?)))?;
        // Another thread may have installed one meanwhile.
        remember(&before);
        installed.before = Some(before);
    }
    installed.users += 1;
    Ok(())
}

/// Takes the handler away when nobody needs it any more. One that the host has put above it stays,
/// and ours beneath it, which the other may call.
pub(super) fn release() {
    let mut installed = INSTALLED.lock();
    installed.users = installed.users.saturating_sub(1);
    if installed.users > 0 {
        return;
    }
    let on_top = action(None).is_ok_and(|now| now.sa_sigaction == our_address());
    if let Some(mut before) = installed.before.take_if(|_| on_top) {
        // One that was for a single signal may have had it.
        // ORDERING: Acquire, as in `pass_on`.
        // PAIRS WITH: the stores in `remember` and `pass_on`.
        // IF WEAKENED: a handler that has had its signal might be put back.
        before.sa_sigaction = PREVIOUS.load(Ordering::Acquire);
        // It was a valid action, and so it is now.
        let _ours = action(Some(&before));
    }
}

fn our_address() -> usize {
    on_sigbus as extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) as usize
}

/// Our action: under the mask of the one before, which is called from it.
fn ours(before: &libc::sigaction) -> libc::sigaction {
    let mut action = *before;
    action.sa_sigaction = our_address();
    let kept = before.sa_flags & (libc::SA_NODEFER | libc::SA_RESTART);
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | kept;
    action
}

/// Sets the action of SIGBUS, or only asks for it; gives the one before.
fn action(new: Option<&libc::sigaction>) -> io::Result<libc::sigaction> {
    let mut before = MaybeUninit::<libc::sigaction>::uninit();
    let new = new.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `new` is null or a whole action, and `before` has room for one.
    if unsafe { libc::sigaction(libc::SIGBUS, new, before.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has succeeded, and so filled it.
    Ok(unsafe { before.assume_init() })
}

fn remember(before: &libc::sigaction) {
    // ORDERING: Release, the flags belong to the handler that is stored next.
    // PAIRS WITH: the loads in `pass_on`.
    // IF WEAKENED: nothing, the system call that installs ours orders them.
    PREVIOUS_FLAGS.store(before.sa_flags, Ordering::Release);
    // ORDERING: Release, as above.
    // PAIRS WITH: the load in `pass_on`.
    // IF WEAKENED: as above.
    PREVIOUS.store(before.sa_sigaction, Ordering::Release);
}

extern "C" fn on_sigbus(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the C library's place for this thread's error number.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above; the interrupted code may be about to read it.
    let kept = unsafe { errno.read() };
    // SAFETY: the kernel hands the description over to a handler with SA_SIGINFO.
    let described = unsafe { &*info };
    let code = described.si_code;
    // SAFETY: as above; for a signal that was sent it means nothing, and is not used.
    let address = unsafe { described.si_addr() } as usize;
    let hole = matches!(code, libc::BUS_ADRERR | libc::BUS_OBJERR | libc::BUS_MCEERR_AR);
    if !hole || !fill_hole(address) {
        pass_on(signal, info, context, code);
    }
    // SAFETY: as above.
    unsafe { errno.write(kept) };
}

/// Puts a page of memory where a guarded mapping has none: whether that went well.
fn fill_hole(address: usize) -> bool {
    let Some(slot) = TABLE.find(address) else { return false };
    // ORDERING: Acquire, set before the handler was installed.
    // PAIRS WITH: the store in `acquire`.
    // IF WEAKENED: see there.
    let bytes = PAGE_BYTES.load(Ordering::Acquire);
    let page = ptr::without_provenance_mut(address & !(bytes - 1));
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
    // SAFETY: the page lies inside a mapping of ours, whose writer is the code that was interrupted;
    // it goes on storing into the new page, which only it uses.
    if unsafe { libc::mmap(page, bytes, access, kind, -1, 0) } == libc::MAP_FAILED {
        return false;
    }
    // What will be in it was to be in a file, not in a core dump. Where that fails, it is in one.
    // SAFETY: the page is the one that was just mapped.
    let _hidden = unsafe { libc::madvise(page, bytes, libc::MADV_DONTDUMP) };
    TABLE.count_hole(slot);
    true
}

/// Does what would have happened without us.
fn pass_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void, code: c_int) {
    // ORDERING: Acquire, so that the flags below belong to it.
    // PAIRS WITH: the stores in `remember`.
    // IF WEAKENED: see there.
    let previous = PREVIOUS.load(Ordering::Acquire);
    // ORDERING: Acquire, as above.
    // PAIRS WITH: the stores in `remember`.
    // IF WEAKENED: see there.
    let flags = PREVIOUS_FLAGS.load(Ordering::Acquire);
    // Of these the faulting instruction is not repeated.
    let was_sent = code <= 0 || code == libc::BUS_MCEERR_AO;
    match previous {
        libc::SIG_IGN if was_sent => {}
        libc::SIG_DFL | libc::SIG_IGN => die(signal, was_sent),
        handler => {
            if flags & libc::SA_RESETHAND != 0 {
                // ORDERING: Release, the flags do not change with it.
                // PAIRS WITH: the load above, in the next signal, and the one in `release`.
                // IF WEAKENED: nothing, the flags stay.
                PREVIOUS.store(libc::SIG_DFL, Ordering::Release);
            }
            if flags & libc::SA_SIGINFO != 0 {
                type Full = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
                // SAFETY: the host has installed this address as a handler with SA_SIGINFO.
                let handler = unsafe { std::mem::transmute::<usize, Full>(handler) };
                handler(signal, info, context);
            } else {
                // SAFETY: the host has installed this address as a handler without SA_SIGINFO.
                let handler =
                    unsafe { std::mem::transmute::<usize, extern "C" fn(c_int)>(handler) };
                handler(signal);
            }
        }
    }
}

/// Lets the process end by the signal: when the handler has returned, by the repeated instruction
/// or by the signal sent here, which is blocked until then.
fn die(signal: c_int, was_sent: bool) {
    // SAFETY: all zero is an action: the default one, without flags, with an empty mask.
    let default = unsafe { std::mem::zeroed::<libc::sigaction>() };
    let _ours = action(Some(&default));
    if was_sent {
        // SAFETY: sends a signal to this thread.
        unsafe { libc::raise(signal) };
    }
}
