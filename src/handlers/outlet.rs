//! Bytes to a descriptor that belongs to our host, without ever waiting for who reads it.
//!
//! O_NONBLOCK belongs to the open file description, which stderr shares with the host, its shell
//! and whatever else runs on the terminal. It is never set there. What is done instead:
//!
//! | descriptor | how it is written |
//! |---|---|
//! | pipe, terminal | through a description of our own, opened with O_NONBLOCK by way of `/proc` |
//! | regular file | plainly: it has no reader to wait for; not at all where it is as long as RLIMIT_FSIZE allows |
//! | socket | `send` with MSG_DONTWAIT and MSG_NOSIGNAL |
//! | others, or where that fails | in small pieces, each after a `poll` found room |
//!
//! The last row can wait where another process fills the room between the `poll` and the write.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Mode, OFlags, fcntl_getfl, fstat, openat, tell};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{SendFlags, send};

use crate::files::file_bytes_max;

/// What a pipe takes without waiting once `poll` says it can be written (PIPE_BUF).
const PIECE_BYTES: usize = 4096;

/// A terminal promises less: room is handed out in pieces of 256 bytes, and a line feed may take
/// two.
const TERMINAL_PIECE_BYTES: usize = 128;

/// What became of one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Took {
    /// This many bytes, at least one.
    Bytes(usize),
    /// None: there is no room now.
    Nothing,
    /// None, and there never will be: nobody can read it any more.
    Dead,
}

/// A descriptor to write to without waiting.
#[derive(Debug)]
pub(super) struct Outlet {
    /// `None` when nobody can read it any more.
    open: Option<(OwnedFd, Way)>,
    terminal: bool,
}

/// How a descriptor is written without waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// A non-blocking description of our own.
    Own,
    /// A regular file.
    File,
    /// `send` with flags.
    Socket,
    /// `poll`, then at most this many bytes.
    Polled(usize),
}

impl Outlet {
    /// Prepares to write to `fd`, whose flags stay as they are and which may be closed later.
    ///
    /// A closed descriptor makes a dead outlet.
    pub(super) fn new(fd: BorrowedFd<'_>) -> Outlet {
        Outlet { open: prepare(fd).ok(), terminal: rustix::termios::isatty(fd) }
    }

    /// Writes what there is room for, in one system call.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Took {
        let Some((fd, way)) = &self.open else {
            return Took::Dead;
        };
        let (fd, way) = (fd.as_fd(), *way);
        let sent = retry_on_intr(|| match way {
            Way::File if is_at_limit(fd)? => Err(Errno::FBIG),
            Way::File => rustix::io::write(fd, bytes),
            Way::Socket => send(fd, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL),
            Way::Own => when_ready(fd, bytes),
            Way::Polled(piece) => when_ready(fd, &bytes[..bytes.len().min(piece)]),
        });
        match sent {
            Ok(0) => Took::Nothing,
            Ok(count) => Took::Bytes(count),
            Err(error) if is_final(error, way) => {
                self.open = None;
                Took::Dead
            }
            Err(_) => Took::Nothing,
        }
    }

    /// Whether nobody can read it any more.
    pub(super) fn is_dead(&self) -> bool {
        self.open.is_none()
    }

    /// Whether it was a terminal at the start.
    pub(super) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// As for a descriptor that cannot be opened again.
    #[cfg(test)]
    pub(super) fn polled(fd: BorrowedFd<'_>, piece_bytes: usize) -> Outlet {
        let own = fd.try_clone_to_owned().expect("a duplicate");
        Outlet { open: Some((own, Way::Polled(piece_bytes))), terminal: false }
    }

    /// How it is written.
    #[cfg(test)]
    pub(super) fn way(&self) -> Option<Way> {
        self.open.as_ref().map(|(_, way)| *way)
    }
}

/// A descriptor of our own for the same file, and how to write to it.
fn prepare(fd: BorrowedFd<'_>) -> rustix::io::Result<(OwnedFd, Way)> {
    let kind = FileType::from_raw_mode(fstat(fd)?.st_mode);
    let terminal = rustix::termios::isatty(fd);
    if (kind == FileType::Fifo || terminal)
        && let Ok(own) = open_again(fd)
    {
        return Ok((own, Way::Own));
    }
    let way = match kind {
        FileType::RegularFile => Way::File,
        FileType::Socket => Way::Socket,
        _ if terminal => Way::Polled(TERMINAL_PIECE_BYTES),
        _ => Way::Polled(PIECE_BYTES),
    };
    // A duplicate, because the host may close its number and open a file of its own under it.
    Ok((rustix::io::fcntl_dupfd_cloexec(fd, 3)?, way))
}

/// Opens the file behind a descriptor anew, which gives flags that nobody else shares.
fn open_again(fd: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let flags =
        OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::APPEND | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty())
}

/// Writes if `poll` finds room. It also finds a reader that is gone before SIGPIPE tells of it.
fn when_ready(fd: BorrowedFd<'_>, bytes: &[u8]) -> rustix::io::Result<usize> {
    let mut polled = [PollFd::new(&fd, PollFlags::OUT)];
    poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
    let ready = polled[0].revents();
    if ready.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL) {
        Err(Errno::PIPE)
    } else if ready.contains(PollFlags::OUT) {
        rustix::io::write(fd, bytes)
    } else {
        Err(Errno::AGAIN)
    }
}

/// Whether a file has the length that RLIMIT_FSIZE allows: a write would send SIGXFSZ, which kills a host
/// that has it neither blocked nor ignored.
fn is_at_limit(fd: BorrowedFd<'_>) -> rustix::io::Result<bool> {
    let most = file_bytes_max();
    if most == u64::MAX {
        return Ok(false);
    }
    let place = match fcntl_getfl(fd)?.contains(OFlags::APPEND) {
        true => fstat(fd)?.st_size as u64,
        false => tell(fd)?,
    };
    Ok(place >= most)
}

/// Whether a failure means that nobody can read it any more.
fn is_final(error: Errno, way: Way) -> bool {
    match error {
        Errno::PIPE | Errno::BADF | Errno::NXIO | Errno::CONNRESET | Errno::NOTCONN => true,
        // A terminal that was hung up; a disk may recover.
        Errno::IO => way != Way::File,
        _ => false,
    }
}
