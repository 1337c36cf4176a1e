//! A connection to the receiver: made and used without waiting for longer than a moment.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv,
    send, socket_with, sockopt,
};

use super::counts::SyslogCounts;
use super::cut;
use super::feed::Chunk;
use super::patience::Stop;
use super::{UDP_BYTES_MAX, UNIX_BYTES_MAX};
use crate::config::SyslogTarget;
use crate::files::above_standard;

/// A wait ends after this time, so that the courier sees what else there is.
const MOMENT: Duration = Duration::from_millis(50);

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A peer that acknowledges nothing for so long is gone.
const TCP_USER_TIMEOUT_MS: u32 = 60_000;

/// Bytes that are composed for one write to a stream.
const WIRE_BYTES: usize = 64 << 10;

/// Why there is no connection, or none any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error("{host} cannot be resolved: {source}")]
    Resolve { host: String, source: io::Error },
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    #[error("cannot send: {0}")]
    Send(#[source] io::Error),
    #[error("the receiver has closed the connection")]
    Closed,
}

/// What one step of sending came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The kernel took something.
    Took,
    /// The receiver leaves no room.
    Full,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Link {
    socket: OwnedFd,
    form: Form,
    /// When it came about.
    pub(super) since: Instant,
    /// Messages that were sent through it.
    sent: u64,
}

#[derive(Debug)]
enum Form {
    /// A message a datagram.
    Datagrams {
        longest: usize,
        udp: bool,
        /// The next message, if it had to be cut.
        short: Vec<u8>,
    },
    Stream {
        framing: Framing,
        /// The first frames of what waits, as they are sent, and where each of them ends.
        wire: Vec<u8>,
        ends: Vec<usize>,
        /// Bytes and frames of it that were sent.
        sent: usize,
        frames_sent: usize,
    },
}

#[derive(Debug, Clone, Copy)]
enum Framing {
    OctetCounted,
    Lines,
}

impl Link {
    /// Connects. Of several addresses of a host, each attempt begins with another one.
    pub(super) fn open(
        target: &SyslogTarget,
        attempt: usize,
        stop: &Stop,
    ) -> Result<Self, LinkError> {
        let (socket, form) = match target {
            SyslogTarget::Unix(path) => open_unix(path)?,
            SyslogTarget::Udp { host, port } => {
                let udp = |address: &SocketAddr| connected(address, SocketType::DGRAM, stop);
                let form = Form::Datagrams { longest: UDP_BYTES_MAX, udp: true, short: Vec::new() };
                (first_that_connects(host, *port, attempt, udp)?, form)
            }
            SyslogTarget::Tcp { host, port } => {
                let tcp = |address: &SocketAddr| connected(address, SocketType::STREAM, stop);
                let socket = first_that_connects(host, *port, attempt, tcp)?;
                keep_an_eye_on(&socket).map_err(send_error)?;
                (socket, Form::stream(Framing::OctetCounted))
            }
        };
        Ok(Self { socket, form, since: Instant::now(), sent: 0 })
    }

    /// Whether messages seem to arrive. Of UDP the first one proves nothing: that nobody listens is
    /// told when the next one is sent.
    pub(super) fn is_proven(&self) -> bool {
        let doubtful = matches!(self.form, Form::Datagrams { udp: true, .. });
        self.sent > u64::from(doubtful)
    }

    /// Sends the next messages of a chunk, or waits a moment for room. A link serves one chunk
    /// until that is done.
    pub(super) fn send(
        &mut self,
        chunk: &mut Chunk,
        counts: &SyslogCounts,
    ) -> Result<Step, LinkError> {
        let outcome = match &mut self.form {
            Form::Datagrams { longest, udp, short } => {
                let outcome = send_datagram(&self.socket, chunk, *longest, *udp, short, counts);
                self.sent += u64::from(matches!(outcome, Ok(Step::Took)));
                outcome
            }
            Form::Stream { framing, wire, ends, sent, frames_sent } => {
                if *sent == wire.len() {
                    refuse_closed(&self.socket)?;
                    compose(chunk, *framing, wire, ends);
                    (*sent, *frames_sent) = (0, 0);
                }
                let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
                match send(&self.socket, &wire[*sent..], flags) {
                    Ok(bytes) => {
                        *sent += bytes;
                        while ends.get(*frames_sent).is_some_and(|end| end <= sent) {
                            *frames_sent += 1;
                            chunk.sent(counts);
                            self.sent += 1;
                        }
                        Ok(Step::Took)
                    }
                    Err(error) => Err(error),
                }
            }
        };
        match outcome {
            Ok(step) => Ok(step),
            Err(Errno::INTR) => Ok(Step::Took),
            Err(Errno::AGAIN) => {
                wait_for_room(&self.socket);
                Ok(Step::Full)
            }
            Err(Errno::NOBUFS) => {
                // The machine's own queue is full, and nothing tells when it is not.
                std::thread::sleep(MOMENT);
                Ok(Step::Full)
            }
            Err(error) => Err(send_error(error)),
        }
    }
}

impl Form {
    fn stream(framing: Framing) -> Self {
        Self::Stream { framing, wire: Vec::new(), ends: Vec::new(), sent: 0, frames_sent: 0 }
    }
}

fn send_error(error: Errno) -> LinkError {
    LinkError::Send(error.into())
}

/// Sends one message, shortened if need be; one that cannot be sent at any length is dropped.
fn send_datagram(
    socket: &OwnedFd,
    chunk: &mut Chunk,
    longest: usize,
    udp: bool,
    short: &mut Vec<u8>,
    counts: &SyslogCounts,
) -> rustix::io::Result<Step> {
    let Some(frame) = chunk.rest().next() else { return Ok(Step::Took) };
    let cut = frame.len() > longest;
    if cut && !cut::shorten(frame, longest, short) {
        chunk.dropped(counts);
        return Ok(Step::Took);
    }
    let bytes = if cut { short } else { frame };
    match send(socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
        Ok(_) => {}
        Err(Errno::MSGSIZE) => {
            chunk.dropped(counts);
            return Ok(Step::Took);
        }
        Err(error) => return Err(error),
    }
    if udp {
        // Nobody listens on this machine: the kernel knows at once, and the message waits.
        sockopt::socket_error(socket)??;
    }
    if cut {
        counts.note_cut();
    }
    chunk.sent(counts);
    Ok(Step::Took)
}

/// Puts the next messages of a chunk into the form of a stream.
fn compose(chunk: &Chunk, framing: Framing, wire: &mut Vec<u8>, ends: &mut Vec<usize>) {
    wire.clear();
    ends.clear();
    for frame in chunk.rest() {
        if !wire.is_empty() && wire.len() + frame.len() > WIRE_BYTES {
            break;
        }
        if matches!(framing, Framing::OctetCounted) {
            wire.extend_from_slice(itoa::Buffer::new().format(frame.len()).as_bytes());
            wire.push(b' ');
        }
        wire.extend_from_slice(frame);
        if matches!(framing, Framing::Lines) {
            wire.push(b'\n');
        }
        ends.push(wire.len());
    }
}

/// An error if the receiver has closed the connection. What it says otherwise is of no interest.
fn refuse_closed(socket: &OwnedFd) -> Result<(), LinkError> {
    let mut heard = [0_u8; 256];
    loop {
        match recv(socket, &mut heard, RecvFlags::DONTWAIT) {
            Ok((0, _)) => return Err(LinkError::Closed),
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(()),
            Err(error) => return Err(send_error(error)),
        }
    }
}

/// Waits a moment for room; whether there is some.
fn wait_for_room(socket: &OwnedFd) -> bool {
    let fd = socket.as_fd();
    let mut polled = [PollFd::new(&fd, PollFlags::OUT)];
    let moment = Timespec { tv_sec: 0, tv_nsec: MOMENT.subsec_nanos().into() };
    matches!(poll(&mut polled, Some(&moment)), Ok(ready) if ready > 0)
}

fn first_that_connects(
    host: &str,
    port: u16,
    attempt: usize,
    connected: impl Fn(&SocketAddr) -> rustix::io::Result<OwnedFd>,
) -> Result<OwnedFd, LinkError> {
    let resolve = |source| LinkError::Resolve { host: host.to_owned(), source };
    let mut addresses: Vec<_> = (host, port).to_socket_addrs().map_err(resolve)?.collect();
    if addresses.is_empty() {
        return Err(resolve(io::ErrorKind::NotFound.into()));
    }
    let first = attempt % addresses.len();
    addresses.rotate_left(first);
    let mut failure = Errno::CONNREFUSED;
    for address in &addresses {
        match connected(address) {
            Ok(socket) => return Ok(socket),
            Err(error) => failure = error,
        }
    }
    Err(LinkError::Connect(failure.into()))
}

/// A socket that waits for nothing, and that the host does not print to.
fn open_socket(family: AddressFamily, kind: SocketType) -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    above_standard(socket_with(family, kind, flags, None)?)
}

/// A socket of an address, once it is connected.
fn connected(address: &SocketAddr, kind: SocketType, stop: &Stop) -> rustix::io::Result<OwnedFd> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let socket = open_socket(family, kind)?;
    match connect(&socket, address) {
        Ok(()) => return Ok(socket),
        Err(Errno::INPROGRESS | Errno::INTR) => {}
        Err(error) => return Err(error),
    }
    let deadline = Instant::now() + CONNECT_TIMEOUT;
    while !wait_for_room(&socket) {
        if Instant::now() >= deadline || stop.is_over(false) {
            return Err(Errno::TIMEDOUT);
        }
    }
    sockopt::socket_error(&socket)??;
    Ok(socket)
}

/// A peer that vanished without a word is to be noticed, and small messages are to go at once.
fn keep_an_eye_on(socket: &OwnedFd) -> rustix::io::Result<()> {
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_user_timeout(socket, TCP_USER_TIMEOUT_MS)?;
    sockopt::set_tcp_nodelay(socket, true)
}

/// A socket of datagrams, or of lines where the daemon made it so.
fn open_unix(path: &Path) -> Result<(OwnedFd, Form), LinkError> {
    let connect_as = |kind| {
        let socket = open_socket(AddressFamily::UNIX, kind)?;
        connect(&socket, &SocketAddrUnix::new(path)?)?;
        Ok(socket)
    };
    let datagrams = Form::Datagrams { longest: UNIX_BYTES_MAX, udp: false, short: Vec::new() };
    match connect_as(SocketType::DGRAM) {
        Ok(socket) => Ok((socket, datagrams)),
        Err(Errno::PROTOTYPE) => match connect_as(SocketType::STREAM) {
            Ok(socket) => Ok((socket, Form::stream(Framing::Lines))),
            Err(error) => Err(LinkError::Connect(error.into())),
        },
        Err(error) => Err(LinkError::Connect(error.into())),
    }
}
