//! The gate to file system calls: what a signal interrupts is done again, and tests can have any of
//! them fail.
//!
//! None of them is made by a log call. Where nothing is to fail, the gate costs a load of a word that
//! nobody writes.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;

/// A file system call that can be made to fail; see [`fail`](crate::testing::fail).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileCall {
    /// Opening a file or directory that is there.
    Open,
    /// Making a file, or opening it if it is there.
    Create,
    /// Asking for a file's kind, owner or length.
    Stat,
    /// Listing a directory.
    List,
    /// Reading from a file.
    Read,
    /// Writing to a file.
    Write,
    /// Writing to a file: half of it is written, and the next write fails.
    ShortWrite,
    /// Reserving room (`fallocate`).
    Allocate,
    /// Setting a file's length.
    SetLength,
    /// Mapping a file.
    Map,
    /// Giving a file another name.
    Rename,
    /// Removing a file.
    Remove,
    /// Making a directory.
    MakeDirectory,
    /// Setting a file's mode or group.
    SetMode,
    /// Locking a file.
    Lock,
    /// Bringing a file to the disk.
    Sync,
}

impl FileCall {
    /// All of them.
    pub const ALL: [FileCall; 16] = [
        FileCall::Open,
        FileCall::Create,
        FileCall::Stat,
        FileCall::List,
        FileCall::Read,
        FileCall::Write,
        FileCall::ShortWrite,
        FileCall::Allocate,
        FileCall::SetLength,
        FileCall::Map,
        FileCall::Rename,
        FileCall::Remove,
        FileCall::MakeDirectory,
        FileCall::SetMode,
        FileCall::Lock,
        FileCall::Sync,
    ];
}

/// Which of the calls fail.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which {
    /// The next ones, so many.
    Next(u64),
    /// Every n-th.
    Every(u64),
}

#[derive(Debug)]
struct Fault {
    id: u32,
    call: FileCall,
    errno: i32,
    which: Which,
    passed: u64,
    failed: u64,
    /// Whether the last write came back short.
    short: bool,
}

impl Fault {
    /// Counts a call; whether it is to fail.
    fn strikes(&mut self) -> bool {
        self.passed += 1;
        let strikes = match &mut self.which {
            Which::Next(left) if *left > 0 => {
                *left -= 1;
                true
            }
            Which::Next(_) => false,
            Which::Every(n) => self.passed.is_multiple_of((*n).max(1)),
        };
        self.failed += u64::from(strikes);
        strikes
    }

    /// How much of a write is tried; none: it is to fail.
    fn cut(&mut self, bytes: usize) -> Option<usize> {
        if !self.short && bytes > 1 {
            self.short = true;
            return Some(bytes / 2);
        }
        self.short = false;
        (!self.strikes()).then_some(bytes)
    }
}

/// How many faults there are.
static ARMED: AtomicU32 = AtomicU32::new(0);

static FAULTS: Mutex<(u32, Vec<Fault>)> = Mutex::new((0, Vec::new()));

fn faults() -> MutexGuard<'static, (u32, Vec<Fault>)> {
    FAULTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has calls fail until [`disarm`]; gives the fault's number.
pub(crate) fn arm(call: FileCall, errno: i32, which: Which) -> u32 {
    let (last_id, faults) = &mut *faults();
    *last_id += 1;
    let id = *last_id;
    faults.push(Fault { id, call, errno, which, passed: 0, failed: 0, short: false });
    note_number(faults);
    id
}

/// Takes a fault back.
pub(crate) fn disarm(id: u32) {
    let (_, faults) = &mut *faults();
    faults.retain(|fault| fault.id != id);
    note_number(faults);
}

/// How many calls a fault has had fail so far.
pub(crate) fn failed(id: u32) -> u64 {
    let (_, faults) = &*faults();
    faults.iter().find(|fault| fault.id == id).map_or(0, |fault| fault.failed)
}

fn note_number(faults: &[Fault]) {
    // ORDERING: Relaxed, a word of its own; the faults are behind their lock.
    // PAIRS WITH: the load in `is_armed`.
    // IF WEAKENED: it is the weakest already.
    ARMED.store(faults.len() as u32, Ordering::Relaxed);
}

#[inline]
fn is_armed() -> bool {
    // ORDERING: Relaxed, see `note_number`.
    // PAIRS WITH: the store there.
    // IF WEAKENED: it is the weakest already.
    ARMED.load(Ordering::Relaxed) != 0
}

#[cold]
fn strike(call: FileCall) -> io::Result<()> {
    let (_, faults) = &mut *faults();
    let mut of_call = faults.iter_mut().filter(|fault| fault.call == call);
    match of_call.find_map(|fault| fault.strikes().then_some(fault.errno)) {
        Some(errno) => Err(io::Error::from_raw_os_error(errno)),
        None => Ok(()),
    }
}

#[cold]
fn cut(bytes: usize) -> io::Result<usize> {
    strike(FileCall::Write)?;
    let (_, faults) = &mut *faults();
    match faults.iter_mut().find(|fault| fault.call == FileCall::ShortWrite) {
        Some(fault) => fault.cut(bytes).ok_or_else(|| io::Error::from_raw_os_error(fault.errno)),
        None => Ok(bytes),
    }
}

/// Makes a file system call, and again if a signal interrupts it.
pub(crate) fn call<T, E: Into<io::Error>>(
    call: FileCall,
    mut make: impl FnMut() -> Result<T, E>,
) -> io::Result<T> {
    loop {
        let may = if is_armed() { strike(call) } else { Ok(()) };
        match may.and_then(|()| make().map_err(Into::into)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// Opens a file; see [`above_standard`].
pub(crate) fn open(what: FileCall, how: &OpenOptions, path: &Path) -> io::Result<File> {
    Ok(above_standard(call(what, || how.open(path))?)?)
}

/// The last of the standard streams.
const STANDARD_ERROR: RawFd = 2;

/// The same file under a number above those of the standard streams: the host may have closed one of
/// these, and what it prints afterwards must not go into a file of ours.
pub(crate) fn above_standard<F: AsFd + From<OwnedFd>>(file: F) -> Result<F, Errno> {
    if file.as_fd().as_raw_fd() > STANDARD_ERROR {
        return Ok(file);
    }
    Ok(rustix::io::fcntl_dupfd_cloexec(&file, STANDARD_ERROR + 1)?.into())
}

/// Writes until an error, by a call that takes what is left, and where that begins: how many bytes were
/// taken, and the error.
pub(crate) fn write_all(
    bytes: &[u8],
    mut write: impl FnMut(&[u8], u64) -> io::Result<usize>,
) -> (usize, Option<io::Error>) {
    let mut sent = 0;
    while sent < bytes.len() {
        let rest = &bytes[sent..];
        let may = if is_armed() { cut(rest.len()) } else { Ok(rest.len()) };
        match may.and_then(|room| write(&rest[..room], sent as u64)) {
            Ok(0) => return (sent, Some(io::ErrorKind::WriteZero.into())),
            Ok(count) => sent += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (sent, Some(error)),
        }
    }
    (sent, None)
}

/// Writes all of it at an offset.
pub(crate) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    match write_all(bytes, |rest, sent| file.write_at(rest, offset + sent)) {
        (_, Some(error)) => Err(error),
        _ => Ok(()),
    }
}

/// Fails where RLIMIT_FSIZE does not allow files of so many bytes: the kernel would send SIGXFSZ,
/// which kills if the thread is the host's.
pub(crate) fn refuse_beyond_limit(bytes: u64) -> io::Result<()> {
    if file_bytes_max() < bytes { Err(Errno::FBIG.into()) } else { Ok(()) }
}

/// How long a file may get: RLIMIT_FSIZE.
pub(crate) fn file_bytes_max() -> u64 {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
    limit.unwrap_or(u64::MAX)
}

/// Reads until the buffer is full or the file ends: how many bytes were read.
pub(crate) fn read_up_to(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        let place = offset + filled as u64;
        match call(FileCall::Read, || file.read_at(&mut buffer[filled..], place))? {
            0 => break,
            bytes => filled += bytes,
        }
    }
    Ok(filled)
}

/// Gives a file another name, if nothing stands there.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] if something does; what else the system says.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    call(FileCall::Rename, || {
        match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // Some network and user-space file systems do not know the flag.
            Err(Errno::INVAL | Errno::NOSYS) => std::fs::rename(from, to),
            other => other.map_err(io::Error::from),
        }
    })
}

/// Brings a directory's names to the disk.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = call(FileCall::Open, || File::open(path))?;
    call(FileCall::Sync, || directory.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(which: Which) -> Fault {
        let call = FileCall::ShortWrite;
        Fault { id: 0, call, errno: 5, which, passed: 0, failed: 0, short: false }
    }

    #[test]
    fn a_fault_strikes_the_next_calls_or_every_nth() {
        let mut next = fault(Which::Next(2));
        assert_eq!([(); 4].map(|()| next.strikes()), [true, true, false, false]);
        let mut every = fault(Which::Every(3));
        assert_eq!([(); 6].map(|()| every.strikes()), [false, false, true, false, false, true]);
        assert_eq!((next.failed, every.failed), (2, 2));
    }

    #[test]
    fn a_short_write_is_followed_by_a_failed_one() {
        let mut short = fault(Which::Next(1));
        assert_eq!([short.cut(10), short.cut(5)], [Some(5), None]);
        assert_eq!([short.cut(10), short.cut(5)], [Some(5), Some(5)], "it is over");
    }
}
