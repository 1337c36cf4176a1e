//! Masking: what is secret reaches no file.
//!
//! *By name*, on the caller's side: what stands under a sensitive name, or behind one in the text of
//! the call, does not even enter the ring ([`names`], [`places`], [`args`]). *By its look*, in the drain, before anything is written: keys, tokens and
//! `name=value` inside texts ([`texts`], [`records`]).

mod args;
mod ends;
mod glance;
mod live;
mod named;
mod names;
mod places;
mod records;
mod shapes;
mod texts;

pub(crate) use args::Masked;
pub(super) use args::shortened;
pub(crate) use live::Masking;
pub(super) use names::{NameMask, Treatment};
pub(crate) use records::TextScreen;

/// What stands in place of a secret.
pub(super) const MASK: &str = "***";
