//! The faces that programs log through.

mod builder;
mod changes;
mod dynamic;
mod guard;
mod lanes;
mod producer;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use builder::Builder;
pub use changes::ReloadError;
pub use guard::Guard;
pub use producer::{Producer, With};

use crate::context::{self, Context};
use crate::definition::fit_context;
use crate::face::{Call, Face};
use crate::level::Level;
use crate::record::Args;
use crate::ring::PushError;
use crate::shared::{Bindings, Bound, ContextRef, Core, Lanes, Stats, SyncError, Unfinished};

/// A logger: what programs hand around and log through.
///
/// Cloning is cheap and shares everything. Each thread that logs gets a lane of the ring of its
/// own at its first call; for the hottest loop, a [`Producer`] saves the way through thread-local
/// storage.
///
/// A log call copies its values into the ring and returns. It never allocates, locks, or enters
/// the kernel after the thread's first call, unless `overflow = block` or `async_logging = false`
/// allow it to wait, 5 ms at most.
#[derive(Clone)]
pub struct MetaLogger {
    core: Arc<Core>,
    /// The bound context's id; 0 for none.
    context: u32,
    trade: bool,
    bound: Option<Arc<Bound>>,
}

impl fmt::Debug for MetaLogger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetaLogger")
            .field("log_dir", &self.core.configuration.log_dir)
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

impl MetaLogger {
    /// Starts the configuration of a logger.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core, context: 0, trade: false, bound: None }
    }

    /// A logger whose entries carry these values, besides those bound already; where a name is
    /// bound twice, the new value wins. A bound `category = "trade"` makes every entry a trade
    /// event. What stands under a sensitive name is masked; see `mask_keys`.
    ///
    /// Waits for nobody; allocates. The values take room in the ring's definition area until the
    /// last clone is dropped; where that is full, or the values take more than 496 bytes, every
    /// record carries them itself. Values beyond half a record (an eighth of `block_bytes`) are left
    /// out, the last ones first.
    #[must_use]
    pub fn bind(&self, mut context: Context) -> MetaLogger {
        self.core.count_masked(context.mask(&self.core.mask));
        let mut bytes = match &self.bound {
            Some(outer) => context.within(&outer.bytes),
            None => context.into_bytes(),
        };
        // Half a record at most, so that there is room for the call's own values beside it.
        fit_context(&mut bytes, self.core.record_bytes_max as usize / 2);
        let bound = Bound::new(&self.core.ring, &bytes);
        MetaLogger {
            core: Arc::clone(&self.core),
            context: bound.id,
            trade: context::is_trade(&bytes),
            bound: Some(Arc::new(bound)),
        }
    }

    /// A face for one hot thread, with a lane of its own; see [`Producer`].
    #[must_use]
    pub fn producer(&self) -> Producer {
        Producer::new(self.clone())
    }

    /// Makes the calling thread ready: afterwards its log calls neither allocate nor fault nor
    /// enter the kernel, save for the first use of each call site. A thread whose signal handlers
    /// log must call it, or log once, before the first signal: a thread's first call allocates.
    /// Touches 32 KiB of stack.
    pub fn warm_up(&self) {
        lanes::OfThread.with(&self.core, |_registered| touch_stack());
    }

    /// Changes `log_level`, and with it the levels that follow it. Takes effect at once for later
    /// calls of every clone.
    pub fn set_level(&self, level: Level) {
        self.core.levels.set_log_level(level);
    }

    /// Waits until every entry accepted before this call is in the logs.
    ///
    /// # Errors
    /// [`Unfinished`] when the time is over, and at once in a forked child; it says how many records are still on their way.
    pub fn flush(&self, timeout: Duration) -> Result<(), Unfinished> {
        if self.core.is_forked() {
            return Err(Unfinished { records: 0 });
        }
        self.core.control.flush(timeout)
    }

    /// Waits until every entry accepted before this call is in the journal and in the logs, and
    /// both are on the disk (`fdatasync`, on the calling thread): they then survive a power cut.
    ///
    /// # Errors
    /// [`SyncError`] when the disk refuses, or the entries are not written within a minute.
    pub fn sync(&self) -> Result<(), SyncError> {
        if self.core.is_forked() {
            return Err(SyncError::Closed);
        }
        self.core.sync(Duration::from_secs(60))
    }

    /// Rotates the three logs now, whatever their size; empty ones stay. Takes effect with the
    /// next batch.
    pub fn rotate(&self) {
        self.core.control.request_rotation();
    }

    /// What was accepted, lost, written and shown so far. All zero in a forked child.
    #[must_use]
    pub fn stats(&self) -> Stats {
        if self.core.is_forked() { Stats::default() } else { Stats::of(&self.core) }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }
}

impl Bindings for MetaLogger {
    #[inline(always)]
    fn context_id(&self) -> u32 {
        self.context
    }

    fn context(&self) -> ContextRef<'_> {
        ContextRef { id: self.context, trade: self.trade, bound: self.bound.as_deref() }
    }
}

/// Faults in the stack that log calls with formatted values use.
#[inline(never)]
fn touch_stack() {
    std::hint::black_box([0_u8; 32 << 10]);
}

impl Face for MetaLogger {
    #[inline(always)]
    fn enabled(&self, level: Level, trade: bool) -> bool {
        self.core.enabled(level, trade || self.trade)
    }

    fn ticks_in(&self, duration: Duration) -> u64 {
        self.core.ticks_in(duration)
    }

    #[inline(always)]
    fn submit<A: Args>(&self, call: Call, args: A) -> Result<(), PushError> {
        self.core.push(lanes::OfThread, self, call, args)
    }
}

const _: () = {
    const fn is_send_and_sync<T: Send + Sync + Clone>() {}
    is_send_and_sync::<MetaLogger>();
};
