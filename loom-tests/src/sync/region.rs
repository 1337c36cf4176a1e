//! The boxes in which a model's tables, blocks and areas lie.

#![expect(unsafe_code, reason = "reads and writes loom's checked cells")]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::atomic::AtomicPtr;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Ordering, UnsafeCell};

/// Where the records of a block begin; the header lies elsewhere.
const FIRST_RECORD: u32 = 64;

/// What may lie in a table.
///
/// # Safety
///
/// As in the library; a model has nothing to fear from it.
pub(crate) unsafe trait ArenaItem: Default {}

// SAFETY: a model makes its items from their default.
unsafe impl ArenaItem for super::AtomicU64 {}

/// Bytes that were read under loom's eyes when they were asked for.
pub(crate) type Bytes<'a> = Cow<'a, [u8]>;

/// Stands for a mapping. Each view of it is made once and has memory of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Region;

impl Region {
    pub(crate) fn anonymous(_bytes: usize) -> io::Result<Region> {
        Ok(Region)
    }

    pub(crate) fn anonymous_huge(bytes: usize) -> io::Result<Region> {
        Region::anonymous(bytes)
    }

    pub(crate) fn file_huge(file: &File, bytes: usize) -> io::Result<Region> {
        Region::file(file, bytes)
    }

    pub(crate) fn lock(&self) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn hide_from_dumps(&self) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn huge_bytes(&self) -> u64 {
        0
    }

    pub(crate) fn wiped_on_fork(_bytes: usize) -> io::Result<Region> {
        Ok(Region)
    }

    pub(crate) fn file(_file: &File, _bytes: usize) -> io::Result<Region> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    pub(crate) fn table<T: ArenaItem>(&self, _offset: usize, count: usize) -> Table<T> {
        Table(Arc::new((0..count).map(|_| T::default()).collect()))
    }

    pub(crate) fn area(&self, _offset: usize, _bytes: usize) -> Area {
        Area(Mutex::new(BTreeMap::new()))
    }

    pub(crate) fn blocks<H: ArenaItem>(
        &self,
        _offset: usize,
        count: u32,
        block_bytes: u32,
    ) -> Blocks<H> {
        let words = (block_bytes - FIRST_RECORD) / 8;
        let block = || Block {
            header: H::default(),
            words: (0..words).map(|_| UnsafeCell::new(0)).collect(),
        };
        Blocks((0..count).map(|_| block()).collect())
    }
}

/// A table of atomics.
#[derive(Debug)]
pub(crate) struct Table<T>(Arc<Vec<T>>);

impl<T> Clone for Table<T> {
    fn clone(&self) -> Table<T> {
        Table(Arc::clone(&self.0))
    }
}

impl<T> Deref for Table<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

/// Plain bytes; each part that is written is one cell.
#[derive(Debug)]
pub(crate) struct Area(Mutex<BTreeMap<usize, Arc<Part>>>);

#[derive(Debug)]
struct Part(UnsafeCell<Vec<u8>>);

// SAFETY: loom checks every access.
unsafe impl Send for Part {}
// SAFETY: as above.
unsafe impl Sync for Part {}

impl Area {
    fn part(&self, offset: usize) -> Arc<Part> {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let part = parts.entry(offset);
        Arc::clone(part.or_insert_with(|| Arc::new(Part(UnsafeCell::new(Vec::new())))))
    }

    pub(crate) unsafe fn write(&self, offset: usize, source: &[u8]) {
        let write = |bytes: *mut Vec<u8>| {
            // SAFETY: loom has checked that nobody reads or writes meanwhile.
            unsafe { *bytes = source.to_vec() }
        };
        self.part(offset).0.with_mut(write);
    }

    pub(crate) unsafe fn bytes(&self, offset: usize, length: usize) -> Bytes<'_> {
        let read = |bytes: *const Vec<u8>| {
            // SAFETY: loom has checked that nobody writes meanwhile.
            unsafe { (*bytes).clone() }
        };
        let bytes = self.part(offset).0.with(read);
        assert_eq!(bytes.len(), length, "a definition is read as it was written");
        Cow::Owned(bytes)
    }
}

#[derive(Debug)]
struct Block<H> {
    header: H,
    words: Vec<UnsafeCell<u64>>,
}

/// The data blocks.
#[derive(Debug)]
pub(crate) struct Blocks<H>(Vec<Block<H>>);

// SAFETY: loom checks every access.
unsafe impl<H: Send> Send for Blocks<H> {}
// SAFETY: as above.
unsafe impl<H: Sync> Sync for Blocks<H> {}

impl<H> Blocks<H> {
    pub(crate) fn header(&self, block: u32) -> &H {
        &self.0[block as usize].header
    }

    pub(crate) unsafe fn bytes(&self, block: u32, from: u32, to: u32) -> Bytes<'_> {
        let words = &self.0[block as usize].words;
        let range = ((from - FIRST_RECORD) / 8) as usize..((to - FIRST_RECORD) / 8) as usize;
        let read = |word: &UnsafeCell<u64>| {
            // SAFETY: loom has checked that nobody writes meanwhile.
            word.with(|word| unsafe { *word }).to_le_bytes()
        };
        words[range].iter().flat_map(read).collect()
    }
}

/// A producer's reference to its current block.
#[derive(Debug)]
pub(crate) struct BlockCell<H>(AtomicPtr<Block<H>>);

impl<H> Default for BlockCell<H> {
    fn default() -> BlockCell<H> {
        BlockCell(AtomicPtr::default())
    }
}

impl<H> BlockCell<H> {
    pub(crate) fn set(&self, blocks: &Blocks<H>, block: u32) {
        let block = std::ptr::from_ref(&blocks.0[block as usize]);
        // ORDERING: Relaxed, this is a pointer that loom need not see.
        self.0.store(block.cast_mut(), Ordering::Relaxed);
    }

    pub(crate) unsafe fn open(&self, offset: u32, length: u32) -> (Slot<'_>, &H) {
        // ORDERING: Relaxed, as above.
        let block = self.0.load(Ordering::Relaxed);
        // SAFETY: `set` took the pointer from blocks that live as long as the ring.
        let block = unsafe { &*block };
        let first = ((offset - FIRST_RECORD) / 8) as usize;
        let words = &block.words[first..first + (length / 8) as usize];
        (Slot { words, _borrow: PhantomData }, &block.header)
    }
}

/// Room for one record.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    words: &'a [UnsafeCell<u64>],
    _borrow: PhantomData<&'a mut [u8]>,
}

impl Slot<'_> {
    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.words.len() * 8).unwrap_or(u32::MAX)
    }

    pub(crate) fn write_u64(&mut self, offset: u32, value: u64) {
        // SAFETY: loom has checked that nobody reads or writes meanwhile.
        self.words[(offset / 8) as usize].with_mut(|word| unsafe { *word = value });
    }

    pub(crate) fn copy_from(&mut self, offset: u32, source: &[u8]) {
        for (index, bytes) in (0..).zip(source.chunks_exact(8)) {
            let mut word = [0; 8];
            word.copy_from_slice(bytes);
            self.write_u64(offset + index * 8, u64::from_le_bytes(word));
        }
    }
}
