//! What `src/sync.rs` is in the library, made of shuttle's types.
//!
//! Shuttle runs one thread at a time and switches at these atomics, so cells need no check: what
//! stands between two atomics is never seen half done. That is loom's part.

#![expect(unsafe_code, reason = "threads of a model share cells")]
#![allow(
    dead_code,
    reason = "has all that the ring uses, though the models do not reach all of it"
)]

use std::fs::File;
use std::io;
use std::time::Duration;

pub(crate) use shuttle::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The gate to the calls for the ring's file is the library's own.
#[allow(unreachable_pub, reason = "its enum is public in the library")]
#[path = "../../src/files.rs"]
mod files;
#[path = "../../loom-tests/src/sync/region.rs"]
mod region;

pub(crate) use files::{FileCall, above_standard, call as file_call};
pub(crate) use region::{Area, ArenaItem, BlockCell, Blocks, Bytes, Region, Slot, Table};

/// Nothing lies at its offset here.
pub(crate) const MAPPED: bool = false;

/// How often the shared lane's flag is asked for.
pub(crate) const SPINS_MAX: u32 = 2;

/// The models' memory has one order: it needs no fence.
pub(crate) fn register_heavy_fence() {}

/// See [`register_heavy_fence`].
pub(crate) fn light_fence() {}

/// See [`register_heavy_fence`].
pub(crate) fn heavy_fence() {}

/// Lets the thread run that is being waited for.
pub(crate) fn spin() {
    shuttle::thread::yield_now();
}

/// Lets the other threads run.
pub(crate) fn pause() {
    shuttle::thread::yield_now();
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

/// A cell with the face of loom's.
#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    pub(crate) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        read(self.0.get())
    }

    pub(crate) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        write(self.0.get())
    }
}

macro_rules! plain {
    ($name:ident, $word:ty) => {
        /// A word that has one owner at a time.
        #[derive(Debug)]
        pub(crate) struct $name(UnsafeCell<$word>);

        // SAFETY: shuttle runs one thread at a time.
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
                // SAFETY: no other thread runs.
                self.0.with(|word| unsafe { *word })
            }

            pub(crate) fn set(&self, value: $word) {
                // SAFETY: as above.
                self.0.with_mut(|word| unsafe { *word = value });
            }
        }
    };
}

plain!(Plain32, u32);
plain!(Plain64, u64);
