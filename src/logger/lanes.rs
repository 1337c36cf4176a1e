//! Each thread's lanes: one for every engine it logs to.

#![expect(unsafe_code, reason = "the way from a thread to its lane is one pointer")]

use std::cell::{Cell, RefCell};
use std::ptr;
use std::sync::{Arc, Weak};

use crate::ring::LaneHandle;
use crate::shared::Core;

/// The lane that the thread used last.
#[derive(Clone, Copy)]
struct Hot {
    /// The id of the ring it belongs to; 0 for none.
    ring: u64,
    /// Owned by `LANES` of the same thread.
    lane: *const LaneHandle,
}

const NONE: Hot = Hot { ring: 0, lane: ptr::null() };

thread_local! {
    static HOT: Cell<Hot> = const { Cell::new(NONE) };
    static LANES: RefCell<Lanes> = const { RefCell::new(Lanes(Vec::new())) };
}

/// The lanes of a thread; dropping them closes them.
struct Lanes(Vec<Kept>);

struct Kept {
    /// Dead when no logger of the engine is left.
    engine: Weak<()>,
    /// Boxed, because `HOT` points to it.
    lane: Box<LaneHandle>,
}

impl Drop for Lanes {
    fn drop(&mut self) {
        HOT.set(NONE);
    }
}

/// Calls `work` with the calling thread's lane in `core`'s ring.
///
/// The first call of a thread registers it: one allocation and a claim in the lane table. Later
/// calls read two words of thread-local storage.
#[inline(always)]
pub(super) fn with_lane<R>(core: &Core, work: impl FnOnce(&LaneHandle) -> R) -> R {
    let hot = HOT.get();
    if hot.ring == core.ring.id() {
        // SAFETY: `HOT` names a handle that `LANES` of this thread owns: it is set when the handle
        // is put there, cleared before any is dropped, and none is dropped while `core` lives.
        return work(unsafe { &*hot.lane });
    }
    with_other_lane(core, work)
}

#[cold]
#[inline(never)]
fn with_other_lane<R>(core: &Core, work: impl FnOnce(&LaneHandle) -> R) -> R {
    let known = LANES.try_with(|lanes| {
        // Borrowed already: a signal handler interrupts the first call of its thread.
        let mut lanes = lanes.try_borrow_mut().ok()?;
        let id = core.ring.id();
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
        let lane: *const LaneHandle = &raw const **lane;
        HOT.set(Hot { ring: id, lane });
        Some(lane)
    });
    match known {
        // SAFETY: `LANES` of this thread owns the handle, and drops it only when the engine's last
        // logger is gone: not while `core` is borrowed, even if `work` logs to another engine.
        Ok(Some(lane)) => work(unsafe { &*lane }),
        // The thread's storage is gone (a TLS destructor logs), or in use: a lane for one call.
        _ => work(&core.ring.register()),
    }
}
