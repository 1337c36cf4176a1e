//! Backtraces: return addresses on the caller, names and lines behind the writer.
//!
//! An ERROR or CRITICAL call of an engine with `backtrace` on walks its stack and appends two
//! fields to its record: the return addresses, each relative to the module (the program, a shared
//! library) it lies in, and the names and build ids of these modules (`capture`, `modules`). Who
//! shows the entry makes one field `backtrace` of the two: a list of functions with file and line
//! where this very build of the module is loaded in the showing process (`symbols`), else of
//! modules and offsets (`show`). So a journal can be read by any process, and no name is ever
//! guessed.
//!
//! Calls of other levels know nothing of this: a site whose entries carry a backtrace has no number
//! (see `Site::register`), so that its calls never take the usual way.

mod capture;
mod modules;
mod show;
mod symbols;

pub(crate) use capture::{Stacks, Trace};
pub(crate) use modules::Modules;
pub(crate) use show::{AtOnce, Found, LookUp, Shower};
pub(crate) use symbols::functions_at;

/// The field that holds the return addresses, and in what is shown the functions.
pub(crate) const BACKTRACE: &str = "backtrace";

/// The field with the modules that the addresses are relative to.
pub(crate) const MODULES: &str = "backtrace_modules";

/// How many frames a backtrace has at most, our own included.
const FRAMES_MAX: usize = 64;

/// An address is the module's place in the second field, and so many bits of offset.
const OFFSET_BITS: u32 = 48;

/// The place that stands for no module: the offset is the address itself.
const NOWHERE: u64 = u64::MAX >> OFFSET_BITS;
