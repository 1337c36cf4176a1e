//! Each thread's lanes: one for every engine it logs to.

#![expect(unsafe_code, reason = "the way from a thread to its lane is one pointer")]

use std::cell::{Cell, RefCell};
use std::ptr::NonNull;
use std::sync::{Arc, Weak};

use super::scopes;
use crate::ring::LaneHandle;
use crate::shared::{ContextRef, Core, Lanes, Scoped};

/// The lane that the thread used last.
#[derive(Clone, Copy)]
struct Hot {
    /// The id of the ring it belongs to; 0 for none.
    ring: u64,
    /// Owned by `LANES` of the same thread.
    lane: NonNull<LaneHandle>,
}

const NONE: Hot = Hot { ring: 0, lane: NonNull::dangling() };

thread_local! {
    static HOT: Cell<Hot> = const { Cell::new(NONE) };
    static LANES: RefCell<KeptLanes> = const { RefCell::new(KeptLanes(Vec::new())) };
}

/// The lanes of a thread; dropping them closes them.
struct KeptLanes(Vec<Kept>);

struct Kept {
    /// Dead when no logger of the engine is left.
    engine: Weak<()>,
    /// Boxed, because `HOT` points to it.
    lane: Box<LaneHandle>,
}

impl Drop for KeptLanes {
    fn drop(&mut self) {
        HOT.set(NONE);
    }
}

/// The lanes of the calling thread.
#[derive(Debug, Clone, Copy)]
pub(super) struct OfThread;

impl Lanes for OfThread {
    /// The lane that the thread has used last, if it is of this ring: one comparison, no call.
    #[inline(always)]
    fn usual<'a>(self, core: &'a Core) -> Option<&'a LaneHandle>
    where
        Self: 'a,
    {
        let hot = HOT.get();
        if hot.ring != core.ring_id {
            return None;
        }
        // SAFETY: `HOT` names a handle that `LANES` of this thread owns: it is set when the handle
        // is put there, cleared before any is dropped, and none is dropped while `core` lives. The
        // reference cannot leave the thread, because a handle is not `Sync`.
        Some(unsafe { hot.lane.as_ref() })
    }

    fn with<R>(self, core: &Core, work: impl FnOnce(&LaneHandle) -> R) -> R {
        match self.usual(core).or_else(|| other_lane(core)) {
            Some(lane) => work(lane),
            None => work(&core.ring.register()),
        }
    }

    fn scoped(self, core: &Core, context: ContextRef<'_>) -> Scoped {
        scopes::scoped(core, context)
    }
}

/// Makes the calling thread's next call in this ring take the cold path.
pub(super) fn forget_usual(ring: u64) {
    if HOT.get().ring == ring {
        HOT.set(NONE);
    }
}

/// The calling thread's lane in `core`'s ring when it has used another one last or a scope is open,
/// or when it has none yet: then it is registered, with one allocation and a claim in the lane
/// table.
///
/// `None` where the thread's storage is gone (a TLS destructor logs), or in use (a signal handler
/// interrupts the first call of its thread).
#[cold]
#[inline(never)]
fn other_lane(core: &Core) -> Option<&LaneHandle> {
    let known = LANES.try_with(|lanes| {
        let mut lanes = lanes.try_borrow_mut().ok()?;
        let id = core.ring_id;
        let lane = match lanes.0.iter().position(|kept| kept.lane.ring().id() == id) {
            Some(known) => &lanes.0[known].lane,
            None => {
                HOT.set(NONE);
                lanes.0.retain(|kept| kept.engine.strong_count() > 0);
                let engine = Arc::downgrade(&core.alive);
                lanes.0.push(Kept { engine, lane: Box::new(core.ring.register()) });
                &lanes.0.last()?.lane
            }
        };
        let lane = NonNull::from(&**lane);
        if !scopes::any_open(id) {
            HOT.set(Hot { ring: id, lane });
        }
        Some(lane)
    });
    // SAFETY: `LANES` of this thread owns the handle, and drops it only when the engine's last
    // logger is gone: not while `core` is borrowed, even if the caller logs to another engine.
    known.ok().flatten().map(|lane| unsafe { lane.as_ref() })
}
