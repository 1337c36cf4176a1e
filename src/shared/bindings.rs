//! The contexts that loggers are bound to, and what a record takes of them.

use std::sync::Arc;

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
}

impl Bound {
    /// Defines a context in the ring, if there is room. Waits for nobody.
    pub(crate) fn new(core: &Core, context: Layered) -> Self {
        let Layered { mut bytes, mut depths } = context;
        // Half a record at most, so that there is room for the call's own values beside it.
        fit_context(&mut bytes, core.record_bytes_max as usize / 2);
        if !depths.is_empty() {
            depths.truncate(context_fields(&bytes).count());
        }
        Self {
            id: core.ring.definitions().define_context(&bytes).unwrap_or(INLINE),
            ring: Arc::clone(&core.ring),
            trade: context::is_trade(&bytes),
            bytes: bytes[..].into(),
            depths: depths[..].into(),
        }
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
