//! Scopes: values that stand on every entry of a thread while a guard lives.
//!
//! They are kept by their thread. While one is open, the thread's calls take the cold way to their
//! lane (`lanes`), which asks here what the logger's context becomes; so calls outside scopes pay
//! nothing. What a logger's context becomes inside a scope is defined in the ring at the first
//! entry, like a bound context, and kept until the scope ends.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use smallvec::SmallVec;

use super::lanes;
use crate::context::{Context, Layer, merge};
use crate::shared::{Bound, ContextRef, Core, Scoped};

/// So many loggers' contexts are kept merged in one scope; the oldest makes room for the next.
const MERGED_MAX: usize = 32;

thread_local! {
    /// How many scopes are open on the thread. Outside scopes nothing else is looked at.
    static OPEN: Cell<usize> = const { Cell::new(0) };
    /// The open scopes, the innermost last.
    static FRAMES: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
}

/// The number of the scope that was opened last, in the whole process.
static NEWEST: AtomicU64 = AtomicU64::new(0);

/// A scope that is open, or that a future carries about.
#[derive(Debug)]
pub(super) struct Frame {
    /// Tells scopes apart; an inner one has the greater number.
    number: u64,
    /// The ring of the engine that it belongs to.
    ring: u64,
    context: Box<[u8]>,
    /// Whether it hides the scopes around it: it holds what they held when it was made.
    whole: bool,
    /// What the contexts of loggers became.
    merged: Vec<Merged>,
    /// The place in `merged` that is used next when all are taken.
    next: usize,
}

#[derive(Debug)]
struct Merged {
    /// The logger's own context; kept, so that its address stands for it.
    own: Option<Arc<Bound>>,
    becomes: Arc<Bound>,
}

impl Frame {
    /// A scope of these values, which are masked already.
    pub(super) fn new(core: &Core, context: Context, whole: bool) -> Self {
        // ORDERING: Relaxed, only the number itself matters.
        // PAIRS WITH: itself on other threads.
        // IF WEAKENED: it is the weakest already.
        let number = NEWEST.fetch_add(1, Ordering::Relaxed) + 1;
        let ring = core.ring_id;
        let context = context.bytes().into();
        Self { number, ring, context, whole, merged: Vec::new(), next: 0 }
    }

    fn layer(&self) -> Layer<'_> {
        Layer { bytes: &self.context, depths: &[], depth_min: self.number }
    }

    /// What the logger's context became, if it is known.
    fn known(&self, own: Option<&Arc<Bound>>) -> Option<&Arc<Bound>> {
        let same = |merged: &&Merged| match (&merged.own, own) {
            (Some(known), Some(asked)) => Arc::ptr_eq(known, asked),
            (None, None) => true,
            _ => false,
        };
        self.merged.iter().find(same).map(|merged| &merged.becomes)
    }

    fn keep(&mut self, own: Option<&Arc<Bound>>, becomes: &Arc<Bound>) {
        let merged = Merged { own: own.cloned(), becomes: Arc::clone(becomes) };
        if self.merged.len() < MERGED_MAX {
            self.merged.push(merged);
        } else {
            self.merged[self.next] = merged;
            self.next = (self.next + 1) % MERGED_MAX;
        }
    }
}

/// The scopes of a ring that count, the outermost first.
fn in_force(frames: &[Frame], ring: u64) -> SmallVec<[&Frame; 8]> {
    let mut found = SmallVec::new();
    for frame in frames.iter().rev().filter(|frame| frame.ring == ring) {
        found.push(frame);
        if frame.whole {
            break;
        }
    }
    found.reverse();
    found
}

/// Whether the calling thread has a scope of this ring open.
pub(super) fn any_open(ring: u64) -> bool {
    let look = |frames: &RefCell<Vec<Frame>>| match frames.try_borrow() {
        Ok(frames) => frames.iter().any(|frame| frame.ring == ring),
        // The caller interrupts work on the scopes: there are some.
        Err(_) => true,
    };
    OPEN.get() > 0 && FRAMES.try_with(look).unwrap_or(false)
}

/// The number of the innermost scope of this ring that is open on the calling thread; 0 for none.
pub(super) fn innermost(ring: u64) -> u64 {
    if OPEN.get() == 0 {
        return 0;
    }
    let look = |frames: &RefCell<Vec<Frame>>| {
        let frames = frames.try_borrow().ok()?;
        frames.iter().rfind(|frame| frame.ring == ring).map(|frame| frame.number)
    };
    FRAMES.try_with(look).ok().flatten().unwrap_or(0)
}

/// What the calling thread's scopes hold for this ring.
pub(super) fn current(ring: u64) -> Context {
    let look = |frames: &RefCell<Vec<Frame>>| {
        let frames = frames.try_borrow().ok()?;
        let layers = in_force(&frames, ring).into_iter().map(Frame::layer);
        Some(Context::from_bytes(merge(layers).bytes))
    };
    FRAMES.try_with(look).ok().flatten().unwrap_or_default()
}

/// What the calling thread's scopes make of a logger's context.
pub(super) fn scoped(core: &Core, context: ContextRef<'_>) -> Scoped {
    if OPEN.get() == 0 {
        return Scoped::Outside;
    }
    let look = |frames: &RefCell<Vec<Frame>>| {
        let Ok(mut frames) = frames.try_borrow_mut() else { return Scoped::Busy };
        let Some(top) = frames.iter().rposition(|frame| frame.ring == core.ring_id) else {
            return Scoped::Outside;
        };
        if let Some(known) = frames[top].known(context.bound) {
            return Scoped::Inside(Arc::clone(known));
        }
        let own = context.bound.map(|bound| bound.layer());
        let scopes = in_force(&frames, core.ring_id).into_iter().map(Frame::layer);
        // Of two fields of one depth, the one that was bound is inside of the scope.
        let merged = Arc::new(Bound::new(core, merge(scopes.chain(own))));
        frames[top].keep(context.bound, &merged);
        Scoped::Inside(merged)
    };
    // With its storage gone, a thread has no open scope.
    FRAMES.try_with(look).unwrap_or(Scoped::Outside)
}

/// Opens a scope on the calling thread; gives it back where that is too late (a destructor of
/// thread-local storage) or too early (a signal handler interrupts work on the scopes).
fn open(frame: Frame) -> Result<(), Frame> {
    // First of all: from here on, calls ask for the scopes.
    OPEN.set(OPEN.get() + 1);
    lanes::forget_usual(frame.ring);
    let mut frame = Some(frame);
    let put = |frames: &RefCell<Vec<Frame>>| {
        if let Ok(mut frames) = frames.try_borrow_mut() {
            frames.extend(frame.take());
        }
    };
    // Where the storage is gone, the frame is still here.
    let _ = FRAMES.try_with(put);
    let Some(back) = frame else { return Ok(()) };
    OPEN.set(OPEN.get() - 1);
    Err(back)
}

/// Ends a scope, whatever its place among the others.
fn close(number: u64) -> Option<Frame> {
    let take = |frames: &RefCell<Vec<Frame>>| {
        let mut frames = frames.try_borrow_mut().ok()?;
        let at = frames.iter().rposition(|frame| frame.number == number)?;
        let frame = frames.remove(at);
        // The scopes inside it held its values.
        for inner in frames[at..].iter_mut().filter(|inner| inner.ring == frame.ring) {
            inner.merged.clear();
        }
        Some(frame)
    };
    let frame = FRAMES.try_with(take).ok().flatten()?;
    OPEN.set(OPEN.get() - 1);
    Some(frame)
}

/// Values that stand on every entry of this thread until it is dropped; made by
/// [`MetaLogger::scope`](crate::MetaLogger::scope).
///
/// It stays on its thread, and is not to be held across an `await`: there,
/// [`in_context`](crate::InContext::in_context) is what a future takes along.
#[must_use = "the scope ends when this is dropped"]
pub struct Scope {
    number: u64,
    /// A scope belongs to its thread.
    _thread: PhantomData<*mut ()>,
}

impl Scope {
    pub(super) fn open(frame: Frame) -> Self {
        let number = frame.number;
        // Where it cannot be opened, there is nothing to close either.
        let number = open(frame).map_or(0, |()| number);
        Self { number, _thread: PhantomData }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        drop(close(self.number));
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("number", &self.number).finish_non_exhaustive()
    }
}

/// A frame that is open while this lives, and goes back to where it came from.
#[derive(Debug)]
pub(super) struct Inside<'a> {
    home: &'a mut Option<Frame>,
    number: u64,
}

impl<'a> Inside<'a> {
    pub(super) fn enter(home: &'a mut Option<Frame>) -> Self {
        let mut number = 0;
        if let Some(frame) = home.take() {
            number = frame.number;
            *home = open(frame).err();
        }
        Self { home, number }
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        if self.home.is_none() {
            *self.home = close(self.number);
        }
    }
}

/// A guard must not leave its thread: with `Send` there would be two `by_marker` to choose from.
const _: () = {
    trait NotSend<Marker> {
        fn by_marker() {}
    }
    impl<T: ?Sized> NotSend<()> for T {}
    impl<T: ?Sized + Send> NotSend<u8> for T {}
    let _ = <Scope as NotSend<_>>::by_marker;

    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Frame>();
};
