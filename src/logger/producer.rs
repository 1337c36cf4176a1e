//! The face for the hottest loops: a lane that one thread owns.

use std::fmt;
use std::time::Duration;

use super::MetaLogger;
use crate::face::{Call, Face};
use crate::level::Level;
use crate::record::{Args, INLINE};
use crate::ring::{LaneHandle, PushError};
use crate::shared::{Bindings, ContextRef};

/// A logger with a lane of its own: the fastest way to log.
///
/// It is `Send`, so that it can be made on one thread and used on another, but neither `Sync` nor
/// `Clone`. The log macros take it like a [`MetaLogger`]; a push is wait-free while its block of
/// the ring has room, and never allocates, locks or enters the kernel.
///
/// Its entries carry the context of the logger that it was made from, or of the one given to
/// [`with`](Producer::with). A thread's [`scope`](MetaLogger::scope)s do not count: looking for
/// them would cost every call.
#[repr(align(64))]
pub struct Producer {
    logger: MetaLogger,
    lane: LaneHandle,
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("logger", &self.logger).finish_non_exhaustive()
    }
}

impl Producer {
    pub(super) fn new(logger: MetaLogger) -> Self {
        let lane = logger.core.ring.register();
        Self { logger, lane }
    }

    /// This producer's lane with another logger's context: a view that is two words, so that one
    /// producer serves any number of contexts.
    #[inline(always)]
    #[must_use]
    pub fn with<'a>(&'a self, logger: &'a MetaLogger) -> With<'a> {
        With { producer: self, logger }
    }

    /// How far the current block of the ring is filled, in bytes.
    pub(crate) fn block_fill(&self) -> u32 {
        self.lane.block_fill()
    }

    /// The logger it was made from.
    #[must_use]
    pub fn logger(&self) -> &MetaLogger {
        &self.logger
    }
}

impl Face for Producer {
    #[inline(always)]
    fn enabled(&self, level: Level, trade: bool) -> bool {
        self.logger.enabled(level, trade)
    }

    fn ticks_in(&self, duration: Duration) -> u64 {
        self.logger.core.ticks_in(duration)
    }

    #[inline(always)]
    fn submit<A: Args>(&self, call: Call, args: A) -> Result<(), PushError> {
        self.logger.core.push(&self.lane, &self.logger, call, args)
    }
}

/// A [`Producer`] that logs with the context of another logger; made by [`Producer::with`].
///
/// The entry goes where the producer's logger writes. If the two loggers belong to different
/// engines, each record carries the context itself.
#[derive(Debug, Clone, Copy)]
pub struct With<'a> {
    producer: &'a Producer,
    logger: &'a MetaLogger,
}

/// The context of another engine's logger: its id means nothing here.
struct Foreign<'a>(&'a MetaLogger);

impl Bindings for Foreign<'_> {
    fn context_id(&self) -> u32 {
        if self.0.context == 0 { 0 } else { INLINE }
    }

    fn context(&self) -> ContextRef<'_> {
        ContextRef { id: self.context_id(), ..self.0.context() }
    }
}

impl Face for With<'_> {
    #[inline(always)]
    fn enabled(&self, level: Level, trade: bool) -> bool {
        self.producer.logger.core.enabled(level, trade || self.logger.trade)
    }

    fn ticks_in(&self, duration: Duration) -> u64 {
        self.producer.logger.core.ticks_in(duration)
    }

    #[inline(always)]
    fn submit<A: Args>(&self, call: Call, args: A) -> Result<(), PushError> {
        let Producer { logger, lane } = self.producer;
        if std::ptr::eq(&*logger.core, &*self.logger.core) {
            logger.core.push(lane, self.logger, call, args)
        } else {
            submit_foreign(self, call, args)
        }
    }
}

#[cold]
#[inline(never)]
fn submit_foreign<A: Args>(with: &With<'_>, call: Call, args: A) -> Result<(), PushError> {
    let Producer { logger, lane } = with.producer;
    logger.core.push(lane, &Foreign(with.logger), call, args)
}

/// `Sync` and `Clone` must stay away from [`Producer`]: with either of them there would be two
/// `by_marker` to choose from here.
const _: () = {
    trait NotSync<Marker> {
        fn by_marker() {}
    }
    impl<T: ?Sized> NotSync<()> for T {}
    impl<T: ?Sized + Sync> NotSync<u8> for T {}
    let _ = <Producer as NotSync<_>>::by_marker;

    trait NotClone<Marker> {
        fn by_marker() {}
    }
    impl<T: ?Sized> NotClone<()> for T {}
    impl<T: Clone> NotClone<u8> for T {}
    let _ = <Producer as NotClone<_>>::by_marker;

    const fn is_send<T: Send>() {}
    is_send::<Producer>();
    const fn is_copy<T: Copy>() {}
    is_copy::<With<'_>>();
};
