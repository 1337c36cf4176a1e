//! What `src/sync.rs` is in the library, made of loom's types.
//!
//! Tables and blocks lie in boxes instead of a mapping. Words that have one owner at a time, and
//! the bytes of records and definitions, are cells in which loom reports every race.

#![expect(unsafe_code, reason = "reads and writes loom's checked cells")]
#![allow(
    dead_code,
    reason = "has all that the ring uses, though the models do not reach all of it"
)]

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::time::Duration;

pub(crate) use loom::cell::UnsafeCell;
use loom::sync::atomic::fence;

pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The gate to the calls for the ring's file is the library's own.
#[allow(unreachable_pub, reason = "its enum is public in the library")]
#[path = "../../src/files.rs"]
mod files;
mod region;

pub(crate) use files::{FileCall, above_standard, call as file_call};
pub(crate) use region::{Area, ArenaItem, BlockCell, Blocks, Bytes, Region, Slot, Table};

/// Nothing lies at its offset here.
pub(crate) const MAPPED: bool = false;

/// One look is enough: loom tries every moment for it.
pub(crate) const SPINS_MAX: u32 = 1;

/// The models' fences need no registration.
pub(crate) fn register_heavy_fence() {}

thread_local! {
    /// Whether the asymmetric fences fence at all in the model that runs on this thread (loom runs
    /// all threads of a model on one).
    static FENCES: Cell<bool> = const { Cell::new(false) };
}

/// Says whether the asymmetric fences of the next model are full fences, or nothing.
///
/// A compiler fence orders nothing between threads as long as nobody executes the heavy one, so a
/// model without the gate has none at all: a full fence would hide an ordering that is too weak.
/// In a model with the gate, both sides have a full fence, as `membarrier` makes it appear.
pub(crate) fn set_fences(fences: bool) {
    FENCES.set(fences);
}

/// The models do not fork.
#[derive(Debug)]
pub(crate) struct ParentsFile(File);

impl ParentsFile {
    /// Takes the file.
    pub(crate) fn new(file: File) -> io::Result<Self> {
        Ok(Self(file))
    }

    /// The file.
    pub(crate) fn file(&self) -> &File {
        &self.0
    }
}

/// See [`set_fences`].
pub(crate) fn light_fence() {
    if FENCES.get() {
        fence(Ordering::SeqCst);
    }
}

/// See [`set_fences`].
pub(crate) fn heavy_fence() {
    assert!(FENCES.get(), "a model with the gate says so");
    fence(Ordering::SeqCst);
}

/// Lets the thread run that is being waited for.
pub(crate) fn spin() {
    loom::thread::yield_now();
}

/// Lets the other threads run.
pub(crate) fn pause() {
    loom::thread::yield_now();
}

/// A moment that never comes: a model has no clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline;

impl Deadline {
    pub(crate) fn after(_wait: Duration) -> Deadline {
        Deadline
    }

    pub(crate) fn passed(self) -> bool {
        false
    }
}

macro_rules! plain {
    ($name:ident, $word:ty) => {
        /// A word that has one owner at a time; loom reports it when it has two.
        #[derive(Debug)]
        pub(crate) struct $name(UnsafeCell<$word>);

        // SAFETY: loom checks every access.
        unsafe impl Send for $name {}
        // SAFETY: as above.
        unsafe impl Sync for $name {}

        impl Default for $name {
            fn default() -> $name {
                $name(UnsafeCell::new(0))
            }
        }

        impl $name {
            pub(crate) fn get(&self) -> $word {
                // SAFETY: loom has checked that nobody writes meanwhile.
                self.0.with(|word| unsafe { *word })
            }

            pub(crate) fn set(&self, value: $word) {
                // SAFETY: loom has checked that nobody reads or writes meanwhile.
                self.0.with_mut(|word| unsafe { *word = value });
            }
        }
    };
}

plain!(Plain32, u32);
plain!(Plain64, u64);
