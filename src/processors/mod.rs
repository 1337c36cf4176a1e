//! What is done to entries between the journal and the lines.
//!
//! A *processor* looks at each entry before it is rendered, may change its fields and its level, and
//! decides whether it is shown. Processors work on the thread of the views, so log calls do not
//! wait for them; they are given to [`Builder::processor`](crate::Builder::processor) and work in
//! that order:
//!
//! ```
//! use std::time::Duration;
//! use tapelog::processors::{Enrich, Event, Filter, Hide, Limit, Rename, Verdict};
//! use tapelog::{Level, MetaLogger, context};
//!
//! let builder = MetaLogger::builder()
//!     // What costs least and leaves out most stands first.
//!     .processor(Filter::reject().target("my_bot::feed").below(Level::Warning))
//!     .processor(Limit::every(Duration::from_secs(1)))
//!     .processor(Enrich::new(context! { desk = "eu-1" }))
//!     .processor(Rename::new([("qty", "quantity")]))
//!     .processor(Hide::new(["client"]))
//!     // One's own: a closure, or any type that implements `Processor`.
//!     .processor(|event: &mut Event<'_>| {
//!         if event.field("symbol").and_then(|symbol| symbol.as_str()) == Some("TEST") {
//!             return Verdict::Drop;
//!         }
//!         Verdict::Keep
//!     });
//! # drop(builder);
//! ```
//!
//! # What they see, and what not
//!
//! The journal is the truth and holds every entry as it was logged, so `tapelog cat` shows entries
//! that processors have changed or left out. What must not reach the disk is masked by name before
//! the ring (`mask_keys`), not by a processor. `logger.gap` entries, which tell of losses, pass
//! every chain untouched.
//!
//! After a crash, entries that were not in the logs yet are rendered by the next start, with its
//! processors: one that counts begins anew there.
//!
//! # Cost
//!
//! Without processors, an entry pays one comparison. A line of text that takes 49 ns then took 72 ns
//! behind a chain of one that only looks, 109 ns behind a filter by a field's value, 208 ns behind one that
//! renames a field and 257 ns behind one that adds two (`cargo bench --bench parts -- processors`). An entry that none has changed is rendered as if there were no chain. A changed one has
//! definitions of its own, which are kept for each pair of call site and context, so that its line
//! is composed as quickly as any other.
//!
//! # Panics
//!
//! A processor that panics is taken as absent for that entry: its changes are taken back, and the
//! next ones go on. That is counted in [`Stats`](crate::Stats), and told once on stderr. After 100
//! panics in a row it is left out for good. With `panic = "abort"` a panic ends the program, as
//! everywhere.

mod chain;
mod draft;
mod enrich;
mod event;
mod fields;
mod filter;
mod limit;
mod mask;
mod rebuilt;
mod value;

pub(crate) use chain::{Chain, Installed};
pub use enrich::Enrich;
pub use event::Event;
pub use fields::{Hide, Remove, Rename};
pub use filter::Filter;
pub use limit::Limit;
pub(crate) use mask::{Masked, Masking, TextScreen};
pub use value::FieldValue;

/// Whether an entry is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
pub enum Verdict {
    /// The next processor gets it, or it is rendered.
    Keep,
    /// It is left out of the logs and the console, and counted. It stays in the journal.
    Drop,
}

/// Changes entries on their way to the lines, or leaves them out; see the [module](self).
///
/// Implemented for closures `FnMut(&mut Event<'_>) -> Verdict`, too.
pub trait Processor: Send {
    /// Looks at one entry. Called in the order of the logs, on the thread of the views: what takes
    /// long here delays the lines, and in the end the journal. Must not log to the same engine.
    fn process(&mut self, event: &mut Event<'_>) -> Verdict;
}

impl<F: FnMut(&mut Event<'_>) -> Verdict + Send> Processor for F {
    fn process(&mut self, event: &mut Event<'_>) -> Verdict {
        self(event)
    }
}
