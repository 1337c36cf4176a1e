//! What the loggers and the writer of one engine share: the ring and the levels that calls look at,
//! flush requests, the writer's progress, and the statistics of all that.

mod bindings;
mod claim;
mod control;
mod core;
mod encode;
mod file_error;
mod followers;
mod hold;
mod inline;
mod lanes;
mod levels;
mod market;
mod outage;
mod progress;
mod recovered;
mod stats;
mod sync;
mod waiting;

pub(crate) use bindings::{Bindings, Bound, ContextRef, Scoped};
pub(crate) use claim::{Claim, Refusal, make, make_parents};
pub(crate) use control::Control;
pub(crate) use core::{Core, Unusual, refuse_nested, ticks_now};
pub(crate) use encode::encode;
pub use file_error::FileError;
pub(crate) use file_error::utc_now;
pub(crate) use followers::Followers;
pub(crate) use lanes::Lanes;
pub(crate) use levels::Levels;
pub(crate) use market::{MarketClock, Shown, market_time};
pub(crate) use outage::{Ended, JournalGap, Part};
pub use progress::Unfinished;
pub(crate) use progress::{Progress, ViewCounts};
pub(crate) use recovered::Recovered;
pub use stats::{CallTimes, Lost, Stats};
pub use sync::SyncError;
