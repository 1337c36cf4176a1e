//! Where rendered lines go: the size-rotated log files, the console, and stderr as the last resort.
//!
//! A handler takes a [`Batch`] of whole lines and knows nothing of records, levels or formats.
//!
//! | module | is |
//! |---|---|
//! | `batch` | whole lines, rendered once, with the offset at which each of them ends |
//! | `file` | a log: when to append, rotate or reopen; follows a file that was moved or truncated |
//! | `live` | one open file of a log: opened with distrust, never left with a torn line |
//! | `rotation` | `expert.log` → `expert.log.1` → … → `expert.log.N` |
//! | `outlet` | bytes to a descriptor of our host's, never waiting and never changing its flags |
//! | `sink` | whole lines to an outlet; what does not fit is dropped and counted |
//! | `console` | the console: a sink on stderr, and whether it shows colours |
//! | `syslog` | messages to a receiver on the network or on this machine, by a thread of their own |
//! | `stderr` | at most 100 lines a second, for the time when the files cannot be written |
//! | `error` | what a file handler refuses or fails at, with the path and what to do next |
//!
//! # Signals
//!
//! Two of these writes can raise a signal whose default action ends the process. A pipe whose
//! reader went away raises SIGPIPE, and a file at its RLIMIT_FSIZE raises SIGXFSZ. Both go to the
//! thread that writes. Our threads block every asynchronous signal, so they see EPIPE and EFBIG
//! instead. A Rust program ignores SIGPIPE from its start, and sockets are written with
//! MSG_NOSIGNAL.

mod batch;
mod console;
mod error;
mod file;
mod live;
mod outlet;
mod rotation;
mod sink;
mod stderr;
mod syslog;
#[cfg(test)]
mod tests;

pub(crate) use batch::Batch;
pub(crate) use console::Console;
pub(crate) use error::{HandlerError, Refusal, advice};
pub(crate) use file::{FileHandler, FileOptions, Written, refuse_foreign, sync_log};
pub(crate) use rotation::refuse_log;
pub(crate) use stderr::{StderrNotice, find_stderr, finish_notices, notice, settle_notices};
pub(crate) use syslog::{Courier, Feed, Stop, SyslogCounts, WAITING_BYTES_MAX, feed};
