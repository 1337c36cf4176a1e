//! Mapped memory, seen as tables of atomics, as blocks of records and as plain areas.

#![expect(unsafe_code, reason = "views into mapped memory are made from raw pointers")]

use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

use memmap2::{Advice, MmapOptions, MmapRaw};
use rustix::mm::Advice as ForkAdvice;

/// What may lie in a [`Table`] or at the head of a block.
///
/// # Safety
///
/// All bytes zero must be a valid value, every field must be an atomic, a [`super::Plain32`] or
/// [`super::Plain64`], a [`BlockCell`] or an unused integer, and the type must need no more than
/// 128 bytes of alignment and no `Drop`.
pub(crate) unsafe trait ArenaItem: Default {}

// SAFETY: an atomic word.
unsafe impl ArenaItem for super::AtomicU64 {}

/// Bytes that were committed and are not yet given back.
pub(crate) type Bytes<'a> = &'a [u8];

/// A piece of zeroed, populated memory; it stays mapped while any view of it lives.
#[derive(Debug, Clone)]
pub(crate) struct Region {
    map: Arc<MmapRaw>,
}

impl Region {
    /// Maps anonymous memory and makes its pages present.
    pub(crate) fn anonymous(bytes: usize) -> io::Result<Region> {
        let map = MmapRaw::from(MmapOptions::new().len(bytes).map_anon()?);
        Ok(Region::populated(map))
    }

    /// The same in huge pages, where the kernel has some; see [`Region::huge_bytes`].
    pub(crate) fn anonymous_huge(bytes: usize) -> io::Result<Region> {
        let map = MmapRaw::from(MmapOptions::new().len(bytes).map_anon()?);
        // Refused where the kernel knows no huge pages: then these are ordinary ones.
        let _advised = map.advise(Advice::HugePage);
        Ok(Region::populated(map))
    }

    /// Maps the first `bytes` of a file, shared, whose pages are made now: huge ones, where the
    /// kernel gives some.
    ///
    /// # Errors
    /// The file has no room, or the kernel is before 5.14.
    pub(crate) fn file_huge(file: &File, bytes: usize) -> io::Result<Region> {
        let map = MmapOptions::new().len(bytes).map_raw(file)?;
        map.advise(Advice::HugePage)?;
        map.advise(Advice::PopulateWrite)?;
        Ok(Region { map: Arc::new(map) })
    }

    /// Keeps the pages in memory as long as the region is mapped.
    ///
    /// # Errors
    /// RLIMIT_MEMLOCK does not allow it.
    pub(crate) fn lock(&self) -> io::Result<()> {
        self.map.lock()
    }

    /// Leaves the pages out of core dumps (`MADV_DONTDUMP`).
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn hide_from_dumps(&self) -> io::Result<()> {
        self.map.advise(Advice::DontDump)
    }

    /// How many bytes of the region lie in huge pages. Reads `/proc/self/smaps`.
    pub(crate) fn huge_bytes(&self) -> u64 {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap_or_default();
        huge_bytes_at(&maps, self.map.as_ptr().addr() as u64)
    }

    /// Maps anonymous memory that a forked child finds zeroed (`MADV_WIPEONFORK`, Linux 4.14).
    pub(crate) fn wiped_on_fork(bytes: usize) -> io::Result<Region> {
        let map = MmapRaw::from(MmapOptions::new().len(bytes).map_anon()?);
        let start = map.as_mut_ptr().cast();
        // SAFETY: the range is the mapping that was just made and nothing refers to it yet; the
        // advice changes only what a forked child will see.
        unsafe { rustix::mm::madvise(start, map.len(), ForkAdvice::LinuxWipeOnFork) }?;
        Ok(Region::populated(map))
    }

    /// Maps the first `bytes` of a file, shared, and makes its pages present.
    pub(crate) fn file(file: &File, bytes: usize) -> io::Result<Region> {
        let map = MmapOptions::new().len(bytes).map_raw(file)?;
        Ok(Region::populated(map))
    }

    fn populated(map: MmapRaw) -> Region {
        let region = Region { map: Arc::new(map) };
        if region.map.advise(Advice::PopulateWrite).is_err() {
            // A kernel before 5.14: touching each page does the same, more slowly.
            for page in (0..region.map.len()).step_by(4096) {
                let word = region.pointer::<super::AtomicU32>(page, 1);
                // SAFETY: `pointer` has checked bounds and alignment; zeroed memory is a valid
                // atomic, and the mapping outlives this reference.
                let word = unsafe { word.as_ref() };
                // ORDERING: Relaxed, nobody else sees the region yet.
                // PAIRS WITH: nothing: it changes no bit, and is there for the page.
                // IF WEAKENED: it is the weakest already.
                word.fetch_or(0, Ordering::Relaxed);
            }
        }
        region
    }

    /// The address of `count` items of `T` at `offset`.
    ///
    /// Panics when they do not lie inside the region or are not aligned: a mistake in the layout.
    fn pointer<T>(&self, offset: usize, count: usize) -> NonNull<T> {
        let bytes = size_of::<T>().checked_mul(count).expect("a table's size fits usize");
        let end = offset.checked_add(bytes).expect("a table's end fits usize");
        assert!(end <= self.map.len(), "a table lies inside its region");
        let address = self.map.as_mut_ptr().wrapping_add(offset).cast::<T>();
        assert!(address.is_aligned(), "a table is aligned");
        NonNull::new(address).expect("a mapping does not start at address 0")
    }

    /// The `count` items of `T` that lie at `offset`.
    pub(crate) fn table<T: ArenaItem>(&self, offset: usize, count: usize) -> Table<T> {
        Table { first: self.pointer(offset, count), count, _region: self.clone() }
    }

    /// The `bytes` bytes at `offset`, whose parts are claimed and published by the caller.
    pub(crate) fn area(&self, offset: usize, bytes: usize) -> Area {
        Area { first: self.pointer(offset, bytes), bytes, _region: self.clone() }
    }

    /// The `count` blocks of `block_bytes` each that lie at `offset`, headed by an `H`.
    pub(crate) fn blocks<H: ArenaItem>(
        &self,
        offset: usize,
        count: u32,
        block_bytes: u32,
    ) -> Blocks<H> {
        assert!(size_of::<H>() <= block_bytes as usize, "a header fits its block");
        assert!((block_bytes as usize).is_multiple_of(align_of::<H>()), "headers are aligned");
        let first = self.pointer::<u8>(offset, count as usize * block_bytes as usize);
        assert!(first.cast::<H>().is_aligned(), "the first header is aligned");
        Blocks { first, count, block_bytes, _region: self.clone(), _header: PhantomData }
    }
}

/// The bytes in huge pages of the mapping that holds `address`, out of `/proc/<pid>/smaps`.
fn huge_bytes_at(maps: &str, address: u64) -> u64 {
    let hex = |text: &str| u64::from_str_radix(text, 16).ok();
    let range = |line: &str| {
        let (start, end) = line.split(' ').next()?.split_once('-')?;
        Some(hex(start)?..hex(end)?)
    };
    let inside = maps.lines().skip_while(|line| !range(line).is_some_and(|r| r.contains(&address)));
    let fields = inside.skip(1).take_while(|line| range(line).is_none());
    let kib = fields.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        matches!(name, "AnonHugePages" | "ShmemPmdMapped" | "FilePmdMapped")
            .then(|| value.trim().strip_suffix(" kB")?.parse::<u64>().ok())?
    });
    kib.sum::<u64>() << 10
}

/// A fixed table of atomics in a [`Region`].
#[derive(Debug)]
pub(crate) struct Table<T> {
    first: NonNull<T>,
    count: usize,
    _region: Region,
}

impl<T> Clone for Table<T> {
    fn clone(&self) -> Table<T> {
        Table { first: self.first, count: self.count, _region: self._region.clone() }
    }
}

// SAFETY: a table gives out shared references only, to items made of atomics (`ArenaItem`).
unsafe impl<T: ArenaItem> Send for Table<T> {}
// SAFETY: as above.
unsafe impl<T: ArenaItem> Sync for Table<T> {}

impl<T: ArenaItem> Deref for Table<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: `Region::pointer` checked bounds and alignment, zeroed memory is a valid item
        // and items are only changed through atomics (`ArenaItem`), and `_region` keeps it mapped.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.count) }
    }
}

/// Plain bytes in a [`Region`], parts of which are written once, published, and then only read.
#[derive(Debug)]
pub(crate) struct Area {
    first: NonNull<u8>,
    bytes: usize,
    _region: Region,
}

// SAFETY: who may touch which part is the contract of `write` and `bytes`.
unsafe impl Send for Area {}
// SAFETY: as above.
unsafe impl Sync for Area {}

impl Area {
    /// Copies `source` to `offset`.
    ///
    /// # Safety
    ///
    /// The caller alone has claimed that part: nobody else reads or writes it meanwhile.
    pub(crate) unsafe fn write(&self, offset: usize, source: &[u8]) {
        assert!(offset <= self.bytes && source.len() <= self.bytes - offset, "inside the area");
        let target = self.first.as_ptr().wrapping_add(offset);
        // SAFETY: in bounds by the assertion; the part is the caller's alone, so it cannot
        // overlap with `source`.
        unsafe { std::ptr::copy_nonoverlapping(source.as_ptr(), target, source.len()) };
    }

    /// The bytes at `offset`.
    ///
    /// # Safety
    ///
    /// They were written and published to the caller, and nobody writes them while they are
    /// borrowed.
    pub(crate) unsafe fn bytes(&self, offset: usize, length: usize) -> Bytes<'_> {
        assert!(offset <= self.bytes && length <= self.bytes - offset, "inside the area");
        let start = self.first.as_ptr().wrapping_add(offset);
        // SAFETY: in bounds by the assertion, and not written by the caller's contract.
        unsafe { std::slice::from_raw_parts(start, length) }
    }
}

/// The data blocks of an arena: each is a header `H` followed by bytes.
#[derive(Debug)]
pub(crate) struct Blocks<H> {
    first: NonNull<u8>,
    count: u32,
    block_bytes: u32,
    _region: Region,
    _header: PhantomData<H>,
}

// SAFETY: headers are made of atomics (`ArenaItem`); who may touch which bytes is the contract of
// `bytes` and of `BlockCell::open`.
unsafe impl<H: ArenaItem> Send for Blocks<H> {}
// SAFETY: as above.
unsafe impl<H: ArenaItem> Sync for Blocks<H> {}

impl<H: ArenaItem> Blocks<H> {
    fn address(&self, block: u32) -> *mut u8 {
        assert!(block < self.count, "a block of this arena");
        self.first.as_ptr().wrapping_add(block as usize * self.block_bytes as usize)
    }

    /// The header of a block.
    pub(crate) fn header(&self, block: u32) -> &H {
        let header = self.address(block).cast::<H>();
        // SAFETY: in bounds and aligned (checked in `Region::blocks` and `address`), valid when
        // zeroed and changed only through atomics (`ArenaItem`).
        unsafe { &*header }
    }

    /// The bytes `from..to` of a block, counted from its start.
    ///
    /// # Safety
    ///
    /// The caller has seen them committed (an Acquire load of the block's cursor) and the block is
    /// not given back while they are borrowed.
    pub(crate) unsafe fn bytes(&self, block: u32, from: u32, to: u32) -> Bytes<'_> {
        debug_assert!(from <= to && to <= self.block_bytes, "inside the block");
        let start = self.address(block).wrapping_add(from as usize);
        // SAFETY: in bounds, and by the caller's contract written before and not written again.
        unsafe { std::slice::from_raw_parts(start, (to - from) as usize) }
    }
}

/// A producer's reference to its current block: one pointer, so that a push needs no arithmetic.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct BlockCell<H> {
    start: AtomicPtr<u8>,
    _header: PhantomData<H>,
}

impl<H> Default for BlockCell<H> {
    fn default() -> BlockCell<H> {
        BlockCell { start: AtomicPtr::default(), _header: PhantomData }
    }
}

impl<H: ArenaItem> BlockCell<H> {
    /// Points the cell at a block; only the owner of the cell calls it.
    pub(crate) fn set(&self, blocks: &Blocks<H>, block: u32) {
        // ORDERING: Relaxed, the cell has one owner at a time, like `Plain64`.
        // PAIRS WITH: the load in `open`.
        // IF WEAKENED: it is the weakest already.
        self.start.store(blocks.address(block), Ordering::Relaxed);
    }

    /// Room for a record, `length` bytes at `offset` of the block, and the block's header.
    ///
    /// # Safety
    ///
    /// The caller owns the cell, it was [`set`](BlockCell::set), and the arena is still mapped. The
    /// block belongs to the caller, and the bytes lie inside it and behind what is committed.
    #[inline(always)]
    pub(crate) unsafe fn open(&self, offset: u32, length: u32) -> (Slot<'_>, &H) {
        // ORDERING: Relaxed, the cell has one owner at a time.
        // PAIRS WITH: the store in `set`.
        // IF WEAKENED: it is the weakest already.
        let block = self.start.load(Ordering::Relaxed);
        let start = block.wrapping_add(offset as usize);
        own_soon(start.wrapping_add(AHEAD_BYTES));
        // SAFETY: `set` took the address from `Blocks`, which checked it; mapped by contract.
        let header = unsafe { &*block.cast::<H>() };
        (Slot { start, length, _borrow: PhantomData }, header)
    }
}

/// How far ahead of a record its successors' cache lines are asked for.
const AHEAD_BYTES: usize = 1024;

/// Asks for a cache line in order to write it, without waiting for it: the drain has read it when
/// the block was in use the last time, so it lies in another core's cache (PERF.md, "prefetch").
///
/// For the plain x86-64 target the compiler makes `prefetcht0` of it, which fetches without owning;
/// a real `prefetchw` measured the same.
#[inline(always)]
fn own_soon(line: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing and never faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_ET0>(line.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}

/// Room for one record, the caller's alone until it is committed.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    start: *mut u8,
    length: u32,
    _borrow: PhantomData<&'a mut [u8]>,
}

impl Slot<'_> {
    /// The length of the record in bytes.
    #[inline(always)]
    #[cfg_attr(not(test), allow(dead_code, reason = "for tests and models"))]
    pub(crate) fn len(&self) -> u32 {
        self.length
    }

    /// Writes eight bytes, little endian, at an offset that is a multiple of 8.
    #[inline(always)]
    #[cfg_attr(not(test), allow(dead_code, reason = "for tests and models"))]
    pub(crate) fn write_u64(&mut self, offset: u32, value: u64) {
        self.copy_from(offset, &value.to_le_bytes());
    }

    /// All bytes of the record, to be filled.
    #[inline(always)]
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: in bounds of the arena, the caller's alone until the record is committed, and
        // initialised: the arena was made of zeroes.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.length as usize) }
    }

    /// Copies bytes to `offset`, a multiple of 8.
    #[inline(always)]
    pub(crate) fn copy_from(&mut self, offset: u32, source: &[u8]) {
        let room = self.length.saturating_sub(offset) as usize;
        assert!(source.len() <= room, "inside the record");
        let target = self.start.wrapping_add(offset as usize);
        // SAFETY: in bounds by the assertion; the slot is borrowed mutably and is the caller's
        // alone, so nobody else touches these bytes and `source` is elsewhere.
        unsafe { std::ptr::copy_nonoverlapping(source.as_ptr(), target, source.len()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_pages_are_counted_in_the_mapping_that_is_asked_for() {
        let maps = "7f0000000000-7f0000200000 rw-s 00000000 00:19 5  /dev/shm/x.ring\n\
                    Size:               2048 kB\nAnonHugePages:         0 kB\n\
                    ShmemPmdMapped:     2048 kB\nFilePmdMapped:         0 kB\n\
                    7f0000200000-7f0000300000 rw-p 00000000 00:00 0\n\
                    Size:               1024 kB\nAnonHugePages:         0 kB\n";
        assert_eq!(huge_bytes_at(maps, 0x7f00_0000_0000), 2 << 20);
        assert_eq!(huge_bytes_at(maps, 0x7f00_001f_ffff), 2 << 20);
        assert_eq!(huge_bytes_at(maps, 0x7f00_0020_0000), 0);
        assert_eq!(huge_bytes_at(maps, 0x1000), 0);
        assert_eq!(Region::anonymous(4096).unwrap().huge_bytes() % (2 << 20), 0);
    }

    #[test]
    fn a_region_in_huge_pages_is_zeroed_memory_like_any_other() {
        let region = Region::anonymous_huge(4 << 20).unwrap();
        println!("{} bytes in huge pages", region.huge_bytes());
        let words: Table<super::super::AtomicU64> = region.table(0, 1 << 19);
        // ORDERING: Relaxed, nobody else sees the region.
        assert!(words.iter().all(|word| word.load(Ordering::Relaxed) == 0));
    }
}
