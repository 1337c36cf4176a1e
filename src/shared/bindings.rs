//! The contexts that loggers are bound to, and what a record takes of them.

use std::borrow::Cow;
use std::sync::Arc;

use crate::processors::Masking;
use crate::record::INLINE;
use crate::ring::Ring;

/// A bound context; its slot in the ring is given back when the last logger lets go of it.
#[derive(Debug)]
pub(crate) struct Bound {
    ring: Arc<Ring>,
    /// [`INLINE`] when the definition area had no room.
    pub(crate) id: u32,
    pub(crate) bytes: Box<[u8]>,
    /// The changes of what is masked that it has gone through.
    mask_changes: u64,
}

impl Bound {
    /// Defines a context in the ring, if there is room. Waits for nobody. `bytes` were masked after
    /// `mask_changes` changes.
    pub(crate) fn new(ring: &Arc<Ring>, bytes: &[u8], mask_changes: u64) -> Self {
        let id = ring.definitions().define_context(bytes).unwrap_or(INLINE);
        Self { ring: Arc::clone(ring), id, bytes: bytes.into(), mask_changes }
    }

    /// Its bytes as this engine masks them now.
    pub(crate) fn masked(&self, ring: &Arc<Ring>, masking: &Masking) -> Cow<'_, [u8]> {
        if Arc::ptr_eq(ring, &self.ring) && self.mask_changes == masking.changes() {
            return Cow::Borrowed(&self.bytes);
        }
        masking
            .context(&self.bytes)
            .map_or(Cow::Borrowed(&self.bytes), |masked| Cow::Owned(masked.into_vec()))
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
    pub(crate) bound: Option<&'a Bound>,
}

/// Whose context a record carries: a logger. The hot path reads the id alone.
pub(crate) trait Bindings {
    /// As [`ContextRef::id`].
    fn context_id(&self) -> u32;

    /// All of it.
    fn context(&self) -> ContextRef<'_>;
}
