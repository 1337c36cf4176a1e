//! What is left when a process dies, and how it comes into the journal and the logs.
//!
//! While a program runs, what it logs passes through a *ring*: a file in memory, in `ring_dir`. When
//! the process dies, however it dies, the file stays, with everything in it that was not in the
//! journal yet. The next start in the same log directory brings that into the journal, in front of
//! all that is new, and so into the logs; so does [`recover`], for `tapelog recover`. Each record
//! comes there exactly once, with its call site and its context, and in the order of its thread.
//! A process that dies meanwhile leaves the rest to the next one.
//!
//! A ring belongs to a living process as long as its file is locked. One of another boot of the
//! machine, of another user, or of another version of the layout is never read: it is set aside,
//! and an entry `logger.recovery_failed` tells why. [`rings`] lists what lies in a directory.

mod command;
mod find;
mod list;

pub use command::{RecoverError, RecoveredRing, Recovery, recover};
pub(crate) use find::{Found, begin, find, owner_of, prepare};
pub use list::{RingFile, RingState, rings};
