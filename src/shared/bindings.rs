//! The contexts that loggers are bound to, and what a record takes of them.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use crate::context::{self, Layer, Layered};
use crate::definition::{context_fields, fit_context};
use crate::record::INLINE;
use crate::ring::Ring;

use super::Core;

/// A bound context; its slot in the ring is given back when the last logger lets go of it.
#[derive(Debug)]
pub(crate) struct Bound {
    ring: Arc<Ring>,
    /// [`INLINE`] when the definition area had no room.
    pub(crate) id: u32,
    /// Whether it makes its entries trade events.
    pub(crate) trade: bool,
    pub(crate) bytes: Box<[u8]>,
    /// As [`Layer::depths`].
    depths: Box<[u64]>,
    /// The changes of what is masked that it has gone through.
    mask_changes: u64,
}

impl Bound {
    /// Defines a context in the ring, if there is room. Waits for nobody. What it is made of was
    /// masked; if the names have changed since the start, perhaps by others than those in force.
    pub(crate) fn new(core: &Core, context: Layered) -> Self {
        let Layered { mut bytes, mut depths } = context;
        loop {
            let changes = core.masking.changes();
            if changes > 0
                && let Some(masked) = core.masking.context(&bytes)
            {
                bytes = masked;
            }
            // Half a record at most, so that there is room for the call's own values beside it.
            fit_context(&mut bytes, core.record_bytes_max as usize / 2);
            if !depths.is_empty() {
                depths.truncate(context_fields(&bytes).count());
            }
            let bound = Self {
                id: core.ring.definitions().define_context(&bytes).unwrap_or(INLINE),
                ring: Arc::clone(&core.ring),
                trade: context::is_trade(&bytes),
                bytes: bytes[..].into(),
                depths: depths[..].into(),
                mask_changes: changes,
            };
            // ORDERING: SeqCst, between the context above and the count of changes below.
            // PAIRS WITH: the fence in `Drain::mask_contexts`: either this sees the change, or the
            //   drain, which masks what was bound before it, sees the context.
            // IF WEAKENED: a context that is bound while the keys change may stay unmasked.
            fence(Ordering::SeqCst);
            if core.masking.changes() == changes {
                return bound;
            }
        }
    }

    /// Its bytes as this engine masks them now.
    pub(crate) fn masked(&self, core: &Core) -> Cow<'_, [u8]> {
        if Arc::ptr_eq(&core.ring, &self.ring) && self.mask_changes == core.masking.changes() {
            return Cow::Borrowed(&self.bytes);
        }
        let masked = core.masking.context(&self.bytes);
        masked.map_or(Cow::Borrowed(&self.bytes), |masked| Cow::Owned(masked.into_vec()))
    }

    /// The context, to lay others over it.
    pub(crate) fn layer(&self) -> Layer<'_> {
        Layer { bytes: &self.bytes, depths: &self.depths, depth_min: 0 }
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        if self.id != INLINE {
            self.ring.definitions().retire_context(self.id);
        }
    }
}

/// The context of a record, as a logger holds it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ContextRef<'a> {
    /// 0: none; [`INLINE`]: the definition goes into the record.
    pub(crate) id: u32,
    /// Whether it makes every entry a trade event.
    pub(crate) trade: bool,
    pub(crate) bound: Option<&'a Arc<Bound>>,
}

impl<'a> ContextRef<'a> {
    /// No context.
    pub(crate) const NONE: ContextRef<'static> = ContextRef { id: 0, trade: false, bound: None };

    /// What this is for a record.
    pub(crate) fn of(bound: &'a Arc<Bound>) -> Self {
        Self { id: bound.id, trade: bound.trade, bound: Some(bound) }
    }
}

/// What the thread's scopes make of a logger's context.
#[derive(Debug)]
pub(crate) enum Scoped {
    /// No scope is open: the context stays as it is.
    Outside,
    /// This takes its place.
    Inside(Arc<Bound>),
    /// The call interrupts one that works on the thread's scopes.
    Busy,
}

/// Whose context a record carries: a logger. The hot path reads the id alone.
pub(crate) trait Bindings {
    /// As [`ContextRef::id`].
    fn context_id(&self) -> u32;

    /// All of it.
    fn context(&self) -> ContextRef<'_>;
}
