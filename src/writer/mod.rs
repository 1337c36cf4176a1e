//! The writer: two agents that poll, and the threads they run on.
//!
//! The *drain* moves records from the ring into the journal; the *view* reads the journal and
//! renders the logs. Each has `poll`, which does a bounded piece of work and says what it did.

mod agents;
mod bite;
mod capture;
mod cursor;
mod drain;
mod forms;
mod idle;
mod janitor;
mod keeper;
mod logs;
mod recovery;
mod reporter;
mod routing;
mod salvage;
mod supply;
mod symbols;
mod syncer;
mod syslog;
mod threads;
mod unreadable;
mod view;

pub(crate) use agents::start_agents;
pub(crate) use capture::CaptureSink;
pub use capture::CapturedEntry;
pub(crate) use cursor::{CURSOR_BYTES, Cursor};
pub(crate) use drain::{Drain, gap_of};
pub(crate) use janitor::Janitor;
pub(crate) use keeper::{keep, note_location};
pub(crate) use logs::{LogFile, Logs};
pub(crate) use recovery::{ASIDE, Recovery, Stray, set_aside};
pub(crate) use reporter::{tell_fast_rotation, tell_file_failures, tell_recovered, tell_slow_call};
pub(crate) use routing::Outlets;
#[cfg(any(test, fuzzing))]
pub(crate) use salvage::hostile;
pub(crate) use syncer::Syncer;
pub(crate) use syslog::{SyslogOutlet, SyslogThread, start_syslog};
pub(crate) use threads::{Placement, is_own_thread, spawn};
pub(crate) use view::{Resume, View};
