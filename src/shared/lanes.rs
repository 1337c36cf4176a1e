//! How a face comes to its way into the ring.

use super::bindings::{ContextRef, Scoped};
use super::core::Core;
use crate::ring::LaneHandle;

/// How a face finds the lane that it pushes through: a `Copy` of one word, so that it stays in a
/// register.
pub(crate) trait Lanes: Copy {
    /// The lane, if it is at hand.
    fn usual<'a>(self, core: &'a Core) -> Option<&'a LaneHandle>
    where
        Self: 'a;

    /// Calls `work` with the lane, wherever it is.
    fn with<R>(self, core: &Core, work: impl FnOnce(&LaneHandle) -> R) -> R;

    /// What the scopes that are open on this way to the ring make of a logger's context. While one
    /// is, [`usual`](Lanes::usual) is `None`.
    fn scoped(self, core: &Core, context: ContextRef<'_>) -> Scoped;
}

/// A lane that the face owns.
impl Lanes for &LaneHandle {
    #[inline(always)]
    fn usual<'a>(self, _core: &'a Core) -> Option<&'a LaneHandle>
    where
        Self: 'a,
    {
        Some(self)
    }

    fn with<R>(self, _core: &Core, work: impl FnOnce(&LaneHandle) -> R) -> R {
        work(self)
    }

    fn scoped(self, _core: &Core, _context: ContextRef<'_>) -> Scoped {
        Scoped::Outside
    }
}
