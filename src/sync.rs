//! The one gate to shared memory: atomics, fences, waiting, and the memory in which they live.
//!
//! `src/ring` takes everything that another thread can see from here. The package `loom-tests`
//! compiles the same `src/ring` under a module of the same name made of loom's types, so what the
//! models check is what ships. Whatever stands here must therefore exist there as well.
//!
//! *Asymmetric fences.* A push must make its `busy` flag visible before it reads its limit, while
//! the shutdown gate must make the new limit visible before it reads `busy`. Instead of a full
//! fence in every push, the push has only a compiler fence ([`light_fence`]) and the gate, once in
//! a program's life, makes the kernel run a full fence on every thread ([`heavy_fence`]).

use std::time::{Duration, Instant};

pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use rustix::thread::{MembarrierCommand, membarrier};

mod forked;
mod region;

pub(crate) use crate::files::{FileCall, above_standard, call as file_call};
pub(crate) use forked::ParentsFile;
pub(crate) use region::{Area, ArenaItem, BlockCell, Blocks, Bytes, Region, Slot, Table};

/// Whether tables lie at their offsets in mapped memory, so that sizes and offsets matter.
pub(crate) const MAPPED: bool = true;

/// How often a producer asks for the shared lane's flag before it gives up.
pub(crate) const SPINS_MAX: u32 = 64;

/// How long [`heavy_fence`] waits where the kernel has no `membarrier`.
const FENCE_WAIT: Duration = Duration::from_millis(10);

/// Number of `membarrier` registrations that succeeded: 0 means that it is not to be had.
static REGISTERED: AtomicU32 = AtomicU32::new(0);

/// Prepares [`heavy_fence`]; called once for each ring.
pub(crate) fn register_heavy_fence() {
    if membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok() {
        // ORDERING: Relaxed, a hint of its own; registering twice is harmless.
        // PAIRS WITH: the load in `heavy_fence`; who misses it waits instead.
        // IF WEAKENED: it is the weakest already.
        REGISTERED.store(1, Ordering::Relaxed);
    }
}

/// The cheap side of the asymmetric fence: keeps the compiler from moving accesses across it.
#[inline(always)]
pub(crate) fn light_fence() {
    // ORDERING: SeqCst, for the compiler alone.
    // PAIRS WITH: `heavy_fence`, which has the processor do the same.
    // IF WEAKENED: accesses may be moved across it, and the other side misses them.
    std::sync::atomic::compiler_fence(Ordering::SeqCst);
}

/// The dear side: after it, every thread has executed a full fence.
///
/// Where `membarrier` is refused (an old kernel, a seccomp filter), it sleeps for 10 ms instead:
/// store buffers drain in well under a microsecond, and a context switch is a full fence.
pub(crate) fn heavy_fence() {
    // ORDERING: SeqCst, this thread's own half of the fence.
    // PAIRS WITH: `light_fence`, which `membarrier` makes a full fence on the other side.
    // IF WEAKENED: the gate may look at `busy` before others see its limit (loom-tests has its own
    //   fence for this one: `shutdown_drains_everything`).
    std::sync::atomic::fence(Ordering::SeqCst);
    // ORDERING: Relaxed, see `register_heavy_fence`.
    // PAIRS WITH: the store there.
    // IF WEAKENED: it is the weakest already.
    let registered = REGISTERED.load(Ordering::Relaxed) != 0;
    if !registered || membarrier(MembarrierCommand::PrivateExpedited).is_err() {
        std::thread::sleep(FENCE_WAIT);
    }
    // ORDERING: SeqCst, as above, for what this thread reads next.
    std::sync::atomic::fence(Ordering::SeqCst);
}

/// Lets the processor breathe between two looks at the same word, for a few nanoseconds.
#[inline]
pub(crate) fn spin() {
    std::hint::spin_loop();
}

/// Gives up the processor between two looks at the same word; only on cold, waiting paths.
pub(crate) fn pause() {
    std::thread::sleep(Duration::from_micros(20));
}

/// A moment after which a wait is given up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// The moment that lies `wait` ahead.
    pub(crate) fn after(wait: Duration) -> Deadline {
        Deadline(Instant::now() + wait)
    }

    /// Whether the moment has come.
    pub(crate) fn passed(self) -> bool {
        Instant::now() >= self.0
    }
}

/// A word that has one owner at a time.
///
/// The owner changes only through a Release store and an Acquire load of some other word, so plain
/// reads and writes are enough. It is an atomic all the same, because the memory may be mapped by
/// another process or interrupted by a signal handler; under loom it is a cell that is checked for
/// races.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct Plain64(AtomicU64);

impl Plain64 {
    /// Reads the word; the caller owns it or got it from its owner.
    #[inline(always)]
    pub(crate) fn get(&self) -> u64 {
        // ORDERING: Relaxed, ownership is handed over elsewhere (see the type).
        // PAIRS WITH: the store in `set`.
        // IF WEAKENED: it is the weakest already.
        self.0.load(Ordering::Relaxed)
    }

    /// Writes the word; the caller owns it.
    #[inline(always)]
    pub(crate) fn set(&self, value: u64) {
        // ORDERING: Relaxed, ownership is handed over elsewhere (see the type).
        // PAIRS WITH: the load in `get`.
        // IF WEAKENED: it is the weakest already.
        self.0.store(value, Ordering::Relaxed);
    }
}

/// The same as [`Plain64`] in half the room.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct Plain32(AtomicU32);

impl Plain32 {
    /// Reads the word; the caller owns it or got it from its owner.
    #[inline(always)]
    pub(crate) fn get(&self) -> u32 {
        // ORDERING: Relaxed, as in `Plain64::get`.
        self.0.load(Ordering::Relaxed)
    }

    /// Writes the word; the caller owns it.
    #[inline(always)]
    pub(crate) fn set(&self, value: u32) {
        // ORDERING: Relaxed, as in `Plain64::set`.
        self.0.store(value, Ordering::Relaxed);
    }
}
