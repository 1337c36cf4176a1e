//! Syslog messages to a receiver on the network or on this machine, without ever waiting for it.
//!
//! ```text
//! view thread                                 thread tapelog-syslog
//! entry ─▶ frame ─▶ Feed ─▶ chunks in memory ─▶ Courier ─▶ Link ─▶ udp, tcp, unix
//!                   bounded: WAITING_BYTES_MAX    resolves, connects, sends, waits
//! ```
//!
//! The feed appends a frame to a chunk and hands the chunk over: it takes no lock that is held for
//! long and makes no system call on a socket. Where too much waits, the newest message is dropped
//! and counted, until half of the room is free again; then one entry `logger.gap` tells how many
//! were lost. The courier does everything that can take long.
//!
//! | transport | form | longest message |
//! |---|---|---|
//! | `udp://` | one message a datagram (RFC 5426) | [`UDP_BYTES_MAX`] |
//! | `tcp://` | `LENGTH SP MESSAGE`: octet counting (RFC 6587) | none |
//! | `unix:`, datagrams | one message a datagram | [`UNIX_BYTES_MAX`] |
//! | `unix:`, stream | one message a line: what daemons read there; no message holds a line feed | none |
//!
//! A unix socket is tried as one of datagrams first. A longer message is cut at the end of its text
//! and marked (`cut`); what is cut off stands in the journal.
//!
//! # What is counted
//!
//! Each message handed over is in the end either *sent* or *dropped*. Sent means that the kernel
//! took it: what a receiver had not read when it died is lost, and plain syslog has no answer that
//! would tell. A message of which a part was sent when a connection broke is sent again as a whole.
//! A connection that the receiver has closed is noticed before the next message, so that a restart
//! of an idle receiver loses nothing. A datagram that this machine refuses at once (nobody listens)
//! counts as not sent and waits.
//!
//! # Failures
//!
//! After a failure the courier waits 100 ms, then twice as long each time, at most 10 s, each wait
//! shortened at random by up to half. A connection that has held for a second begins anew. The first
//! failure is told on stderr, then nothing until messages are taken again, which is told with the
//! number of those dropped meanwhile.

mod counts;
mod courier;
mod cut;
mod feed;
mod link;
mod patience;
#[cfg(test)]
mod tests;

pub(crate) use counts::SyslogCounts;
pub(crate) use courier::Courier;
pub(crate) use feed::{Feed, feed};
pub(crate) use patience::Stop;

/// Bytes of messages that wait for the receiver at most, with what it costs to keep them.
pub(crate) const WAITING_BYTES_MAX: u64 = 8 << 20;

/// The longest message in a datagram of UDP: what every receiver should accept (RFC 5426, 3.2).
pub(super) const UDP_BYTES_MAX: usize = 2048;

/// The longest message in a datagram of a unix socket.
pub(super) const UNIX_BYTES_MAX: usize = 64 << 10;
