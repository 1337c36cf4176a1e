//! The faces that programs log through.

mod builder;
mod changes;
mod dynamic;
mod fallback;
mod guard;
mod in_context;
mod lanes;
mod producer;
mod scopes;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use builder::Builder;
pub use guard::Guard;
pub use in_context::{Contextual, InContext};
pub use producer::{Producer, With};
pub use scopes::Scope;

use crate::config::{ConfigError, check_mask_keys};
use crate::context::{Context, Layer, Layered, merge, without};
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
        context = self.masked(context);
        let outer = self.bound.as_deref().map(Bound::layer);
        // What is bound inside a scope is inside of it; and what is bound on top, further inside.
        let depth = scopes::innermost(self.core.ring_id);
        let depth_min = outer.as_ref().map_or(depth, |outer| outer.depth_max().max(depth));
        let inner = Layer { bytes: context.bytes(), depths: &[], depth_min };
        self.bound_to(merge(outer.into_iter().chain([inner])))
    }

    /// A logger without these of the bound values; names that are not bound change nothing. Values
    /// of a [`scope`](MetaLogger::scope) stay until it ends.
    ///
    /// ```
    /// # let (log, _captured) = tapelog::testing::capture();
    /// # use tapelog::context;
    /// let order = log.bind(context! { symbol = "BTCUSDT", order_id = 9 });
    /// let symbol = order.unbind(&["order_id"]);
    /// # drop(symbol);
    /// ```
    #[must_use]
    pub fn unbind(&self, names: &[&str]) -> MetaLogger {
        match &self.bound {
            Some(bound) => self.bound_to(without(bound.layer(), names)),
            None => self.clone(),
        }
    }

    fn bound_to(&self, context: Layered) -> MetaLogger {
        let core = Arc::clone(&self.core);
        if context.is_empty() {
            return Self::new(core);
        }
        let bound = Bound::new(&core, context);
        MetaLogger { core, context: bound.id, trade: bound.trade, bound: Some(Arc::new(bound)) }
    }

    /// Gives every entry that the calling thread logs to this engine these values, until the guard
    /// is dropped, whichever logger it logs through: what is called inside needs no logger handed
    /// down. A [`Producer`] knows nothing of scopes.
    ///
    /// The inner value wins: a call's own one over all others; a scope's over those of the scopes
    /// around it and those bound outside of it; one bound inside a scope over the scope's. Guards
    /// may be dropped in any order. Sensitive names are masked as by [`bind`](MetaLogger::bind).
    ///
    /// While a scope is open, a call of the thread takes some 30 ns longer; the first one of
    /// each logger does what `bind` does. Other threads, and calls outside scopes, pay nothing.
    /// A scope's `category = "trade"` makes trade events of the entries that `log_level` lets
    /// through; for `trade_log_level` alone to decide, bind it.
    ///
    /// ```
    /// use tapelog::{context, info};
    ///
    /// let (log, captured) = tapelog::testing::capture();
    /// {
    ///     let _scope = log.scope(context! { order_id = 9 });
    ///     info!(log, "order sent");
    /// }
    /// info!(log, "done");
    /// let entries = captured.entries();
    /// assert_eq!(entries[0].context["order_id"], "9");
    /// assert!(entries[1].context.is_empty());
    /// ```
    pub fn scope(&self, context: Context) -> Scope {
        Scope::open(scopes::Frame::new(&self.core, self.masked(context), false))
    }

    /// The values of the scopes that are open on the calling thread: to take them to another one.
    ///
    /// ```
    /// use tapelog::{context, info};
    ///
    /// let (log, captured) = tapelog::testing::capture();
    /// let _scope = log.scope(context! { order_id = 9 });
    /// let (here, worker) = (log.scope_context(), log.clone());
    /// let thread = std::thread::spawn(move || {
    ///     let _scope = worker.scope(here);
    ///     info!(worker, "on another thread");
    /// });
    /// # thread.join().unwrap();
    /// assert_eq!(captured.entries()[0].context["order_id"], "9");
    /// ```
    #[must_use]
    pub fn scope_context(&self) -> Context {
        scopes::current(self.core.ring_id)
    }

    fn masked(&self, mut context: Context) -> Context {
        context.mask(&self.core.masking);
        context
    }

    /// What a future takes along: the open scopes, and `context` inside of them.
    fn frame_of_a_future(&self, context: Context) -> scopes::Frame {
        let whole = self.masked(context).within(self.scope_context());
        scopes::Frame::new(&self.core, whole, true)
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
        self.core.set_level(level);
    }

    /// Changes which names are masked while running: `keys` take the place of `mask_keys`, with the
    /// same rules.
    ///
    /// When it has returned, no later call of any thread lets a value of such a name into the ring.
    /// What is bound already is masked with the next records, in the ring, too. Entries that were
    /// accepted before stay as they are, in the journal and in the logs.
    ///
    /// # Errors
    /// [`ConfigError`] lists what is no key; then nothing has changed.
    pub fn set_mask_keys<K: AsRef<str>>(&self, keys: &[K]) -> Result<(), ConfigError> {
        let keys: Vec<_> = keys.iter().map(|key| key.as_ref().to_owned()).collect();
        check_mask_keys(&keys)?;
        self.core.set_mask_keys(&keys);
        Ok(())
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

    /// Waits until every entry accepted before this call is in the journal, and that on the disk:
    /// it then survives a power cut. For the policies `sync = interval` and `critical`: their
    /// thread does the work, one round for all who wait, and no longer than `timeout` is waited.
    /// The logs follow by themselves.
    ///
    /// # Errors
    /// [`SyncError::Unfinished`] when the time is over, [`SyncError::Log`] with the file's name if
    /// the disk has refused, [`SyncError::NoPolicy`] with `sync = none`.
    pub fn wait_synced(&self, timeout: Duration) -> Result<(), SyncError> {
        if self.core.is_forked() {
            return Err(SyncError::Closed);
        }
        self.core.wait_synced(timeout)
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
        ContextRef { id: self.context, trade: self.trade, bound: self.bound.as_ref() }
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
