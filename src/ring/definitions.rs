//! The definition area: what the ids in the records mean, so that a dead process's ring can be
//! read.
//!
//! *Sites* are defined once and for ever. *Contexts* come and go: each takes a slot, and a slot
//! whose context was retired is free again only after the drain has read everything that was in
//! the ring at that moment. Its id holds the slot's generation, so that an old id never finds a
//! new context.

#![expect(unsafe_code, reason = "writes and reads claimed parts of the definition area")]

use super::lane::Process;
use super::layout::{DefinitionGeometry, high, join, low};
use crate::sync::{Area, AtomicU64, Bytes, Ordering, Region, Table};

/// The definitions of one ring.
#[derive(Debug)]
pub(crate) struct Definitions {
    geometry: DefinitionGeometry,
    process: Table<Process>,
    /// Bytes of the site heap in use.
    site_heap_used: Table<AtomicU64>,
    /// For each site id - 1: heap offset << 32 | length; 0 is undefined.
    site_index: Table<AtomicU64>,
    site_heap: Area,
    /// A set bit is a free slot.
    free: Table<AtomicU64>,
    /// A set bit is a slot whose context was retired.
    retired: Table<AtomicU64>,
    /// For each slot: generation << 32 | length << 1 | published.
    tags: Table<AtomicU64>,
    slots: Area,
}

/// The retired slots that wait for the end of a pass.
pub(crate) type Retired = Vec<u64>;

impl Definitions {
    /// Takes the zeroed area and sets all context slots free.
    pub(super) fn new(
        region: &Region,
        geometry: &DefinitionGeometry,
        process: Table<Process>,
    ) -> Definitions {
        let words = geometry.bitmap_words;
        let (slots, slot_bytes) = (geometry.slots as usize, geometry.slot_bytes as usize);
        let free = region.table::<AtomicU64>(geometry.bitmap_offset, words);
        for slot in 0..slots {
            // ORDERING: Relaxed, nobody else sees the ring yet.
            // PAIRS WITH: the exchange in `claim_slot`, of who was handed the ring.
            // IF WEAKENED: it is the weakest already.
            free[slot / 64].fetch_or(1 << (slot % 64), Ordering::Relaxed);
        }
        Definitions {
            process,
            site_heap_used: region.table(super::layout::CONTROL_OFFSET, 1),
            site_index: region.table(geometry.offset, geometry.sites as usize),
            site_heap: region.area(geometry.heap_offset, geometry.heap_bytes),
            free,
            retired: region.table(geometry.bitmap_offset + words * 8, words),
            tags: region.table(geometry.tags_offset, slots),
            slots: region.area(geometry.slots_offset, slots * slot_bytes),
            geometry: geometry.clone(),
        }
    }

    /// Defines the site `id`, which counts from 1; `false`: no room, so that each record has to
    /// carry the definition. Defining a site again changes nothing.
    pub(crate) fn define_site(&self, id: u32, bytes: &[u8]) -> bool {
        if self.process[0].forked() || bytes.is_empty() {
            return false;
        }
        let Some(entry) = self.site_entry(id) else {
            return false;
        };
        // ORDERING: Relaxed, only whether it is 0 matters.
        // PAIRS WITH: the exchange below. The record that is pushed next shows the drain as much:
        //   its Acquire load in `site` finds the entry, too.
        // IF WEAKENED: it is the weakest already.
        if entry.load(Ordering::Relaxed) != 0 {
            return true;
        }
        let Some(offset) = self.claim_site_heap(bytes.len()) else {
            return false;
        };
        // SAFETY: the heap only grows, so that this part was never claimed before.
        unsafe { self.site_heap.write(offset as usize, bytes) };
        let length = u32::try_from(bytes.len()).unwrap_or(0);
        // ORDERING: Release, publishes the definition's bytes.
        // PAIRS WITH: the Acquire load in `site`.
        // IF WEAKENED: a reader sees zeroes (loom-tests: `a_site_is_defined_before_it_is_read`).
        // Who loses against another definition of the same id leaves its bytes unused.
        let _ =
            entry.compare_exchange(0, join(offset, length), Ordering::Release, Ordering::Relaxed);
        true
    }

    fn site_entry(&self, id: u32) -> Option<&AtomicU64> {
        self.site_index.get(id.checked_sub(1)? as usize)
    }

    /// Claims bytes of the site heap; `None` when it is full.
    fn claim_site_heap(&self, length: usize) -> Option<u32> {
        let word = &self.site_heap_used[0];
        // ORDERING: Relaxed, the number alone is what counts; the index publishes the bytes.
        // PAIRS WITH: the exchange below, by other threads.
        // IF WEAKENED: it is the weakest already.
        let mut used = word.load(Ordering::Relaxed);
        loop {
            let end = usize::try_from(used).ok()?.checked_add(length)?.next_multiple_of(8);
            if end > self.geometry.heap_bytes {
                return None;
            }
            let claimed = u64::try_from(end).ok()?;
            // ORDERING: Relaxed, as above.
            match word.compare_exchange(used, claimed, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return u32::try_from(used).ok(),
                Err(now) => used = now,
            }
        }
    }

    /// The definition of a site.
    pub(crate) fn site(&self, id: u32) -> Option<Bytes<'_>> {
        // ORDERING: Acquire, before the bytes are read.
        // PAIRS WITH: the Release exchange in `define_site`.
        // IF WEAKENED: see there.
        let entry = self.site_entry(id)?.load(Ordering::Acquire);
        if entry == 0 {
            return None;
        }
        // SAFETY: `define_site` wrote and published these bytes, and nobody writes them again.
        Some(unsafe { self.site_heap.bytes(high(entry) as usize, low(entry) as usize) })
    }

    /// The longest context that has room in a slot.
    pub(crate) fn context_bytes_max(&self) -> usize {
        self.geometry.slot_bytes as usize
    }

    /// Defines a context and gives it an id; `None`: no slot is free or the definition is too
    /// long, so that each record has to carry it. Lock-free.
    ///
    /// Who dies in between leaves one slot unusable and nothing else.
    pub(crate) fn define_context(&self, bytes: &[u8]) -> Option<u32> {
        if self.process[0].forked() || bytes.len() > self.context_bytes_max() {
            return None;
        }
        let slot = self.claim_slot()?;
        let tag = &self.tags[slot as usize];
        // ORDERING: Relaxed, the claim's Acquire has shown the tag that freed the slot.
        // PAIRS WITH: the store in `free_slots`.
        // IF WEAKENED: it is the weakest already.
        let generation = high(tag.load(Ordering::Relaxed));
        let start = slot as usize * self.geometry.slot_bytes as usize;
        // SAFETY: the slot was claimed, and the drain freed it only after it was last read.
        unsafe { self.slots.write(start, bytes) };
        let length = u32::try_from(bytes.len()).ok()?;
        // ORDERING: Release, publishes the definition's bytes.
        // PAIRS WITH: the Acquire load in `find`.
        // IF WEAKENED: nothing for a record's own context, which the record's commit publishes as
        //   well; but who asks for an id that it was not given sees half of a definition
        //   (loom-tests: `a_context_is_defined_before_it_is_read`).
        tag.store(join(generation, length << 1 | 1), Ordering::Release);
        Some(generation << 16 | (slot + 1))
    }

    fn claim_slot(&self) -> Option<u32> {
        for (index, word) in self.free.iter().enumerate() {
            // ORDERING: Relaxed, only a guess that the exchange below confirms.
            // PAIRS WITH: the additions in `free_slots` and `wipe_free_slots`.
            // IF WEAKENED: it is the weakest already; a free slot not seen yet is passed by.
            let mut bits = word.load(Ordering::Relaxed);
            while bits != 0 {
                let bit = bits.trailing_zeros();
                let rest = bits & (bits - 1);
                // ORDERING: Acquire, the claimer will overwrite the slot.
                // PAIRS WITH: the Release in `free_slots`.
                // IF WEAKENED: the definition is overwritten while the drain still reads it
                //   (loom-tests: `a_context_slot_is_reclaimed_only_after_a_pass`).
                match word.compare_exchange(bits, rest, Ordering::Acquire, Ordering::Relaxed) {
                    Ok(_) => return u32::try_from(index * 64).ok().map(|before| before + bit),
                    Err(now) => bits = now,
                }
            }
        }
        None
    }

    /// Says that no record will name the context from now on. A forked child has no say.
    pub(crate) fn retire_context(&self, id: u32) {
        if self.process[0].forked() {
            return;
        }
        let Some((slot, _)) = self.find(id) else {
            return;
        };
        // ORDERING: Release, the last record that names the context was committed before.
        // PAIRS WITH: the Acquire load in `retired`.
        // IF WEAKENED: the slot may be freed before that record is read
        //   (loom-tests: `a_context_slot_is_reclaimed_only_after_a_pass`).
        self.retired[slot / 64].fetch_or(1 << (slot % 64), Ordering::Release);
    }

    /// The slot of a context, and its length, if the id's generation is the slot's.
    fn find(&self, id: u32) -> Option<(usize, usize)> {
        let slot = (id & 0xFFFF).checked_sub(1)? as usize;
        // ORDERING: Acquire, before the bytes are read.
        // PAIRS WITH: the Release store in `define_context`.
        // IF WEAKENED: see there.
        let tag = self.tags.get(slot)?.load(Ordering::Acquire);
        let published = low(tag) & 1 == 1;
        (published && high(tag) == id >> 16).then_some((slot, (low(tag) >> 1) as usize))
    }

    /// The definition of a context.
    ///
    /// # Safety
    ///
    /// The caller is the drain, and gives no slot free while it borrows the bytes.
    pub(super) unsafe fn context(&self, id: u32) -> Option<Bytes<'_>> {
        let (slot, length) = self.find(id)?;
        let start = slot * self.geometry.slot_bytes as usize;
        // SAFETY: `define_context` wrote and published these bytes, and by the caller's contract
        // nobody can claim the slot meanwhile.
        Some(unsafe { self.slots.bytes(start, length) })
    }

    /// Writes the contexts anew for which `change` gives other bytes. What is too long for its slot
    /// is cut by `change`, or stays away: then the context is empty.
    ///
    /// # Safety
    ///
    /// The caller is the drain, and borrows no context's bytes.
    pub(super) unsafe fn change_contexts(&self, change: &mut dyn FnMut(&[u8]) -> Option<Vec<u8>>) {
        let slot_bytes = self.geometry.slot_bytes as usize;
        for (slot, tag) in self.tags.iter().enumerate() {
            // ORDERING: Acquire, before the bytes are read.
            // PAIRS WITH: the Release store in `define_context`.
            // IF WEAKENED: see there.
            let known = tag.load(Ordering::Acquire);
            if low(known) & 1 == 0 {
                continue;
            }
            let (start, length) = (slot * slot_bytes, (low(known) >> 1) as usize);
            // SAFETY: `define_context` wrote and published these bytes; a published slot is freed,
            // and claimed again, only after the drain says so, which is the caller.
            let bytes = unsafe { self.slots.bytes(start, length) }.to_vec();
            let Some(mut changed) = change(&bytes) else { continue };
            if changed.len() > slot_bytes {
                changed = vec![0, 0];
            }
            let length = u32::try_from(changed.len()).unwrap_or(0);
            // Nothing of what stood there is to be left behind it.
            changed.resize(slot_bytes, 0);
            // SAFETY: as above; nobody but the drain reads the bytes of a published slot.
            unsafe { self.slots.write(start, &changed) };
            // ORDERING: Relaxed, only the drain reads the length; others look at the generation,
            // which stays.
            // PAIRS WITH: the load in `find`, by the drain itself.
            // IF WEAKENED: it is the weakest already.
            tag.store(join(high(known), length << 1 | 1), Ordering::Relaxed);
        }
        self.wipe_free_slots();
    }

    /// Overwrites what contexts have left behind that are no more.
    fn wipe_free_slots(&self) {
        let slot_bytes = self.geometry.slot_bytes as usize;
        let zeros = vec![0; slot_bytes];
        for (index, word) in self.free.iter().enumerate() {
            // ORDERING: Acquire, as in `claim_slot`: the slots of this word are claimed, all of them.
            // PAIRS WITH: the Release in `free_slots`.
            // IF WEAKENED: see there.
            let claimed = word.swap(0, Ordering::Acquire);
            let mut rest = claimed;
            while rest != 0 {
                let slot = index * 64 + rest.trailing_zeros() as usize;
                rest &= rest - 1;
                // SAFETY: the slot was claimed above, and nothing reads one that is not published.
                unsafe { self.slots.write(slot * slot_bytes, &zeros) };
            }
            // ORDERING: Release, gives them back behind the writes.
            // PAIRS WITH: the Acquire exchange in `claim_slot`.
            // IF WEAKENED: a context's bytes may be overwritten after they were written.
            word.fetch_or(claimed, Ordering::Release);
        }
    }

    /// Number of words in a [`Retired`].
    pub(super) fn retired_words(&self) -> usize {
        self.retired.len()
    }

    /// Whether a slot is retired.
    pub(super) fn any_retired(&self) -> bool {
        // ORDERING: Relaxed, a guess: nothing is read behind it.
        // PAIRS WITH: the Release in `retire_context`.
        // IF WEAKENED: it is the weakest already; a slot not seen yet waits a little longer.
        self.retired.iter().any(|word| word.load(Ordering::Relaxed) != 0)
    }

    /// Which slots are retired at this moment; `false` if none is.
    pub(super) fn retired(&self, found: &mut Retired) -> bool {
        let mut any = false;
        for (into, word) in found.iter_mut().zip(self.retired.iter()) {
            // ORDERING: Acquire, before the drain looks how far the lanes have come.
            // PAIRS WITH: the Release in `retire_context`.
            // IF WEAKENED: see there.
            *into = word.load(Ordering::Acquire);
            any |= *into != 0;
        }
        any
    }

    /// Frees retired slots under their next generation; only the drain calls it.
    pub(super) fn free_slots(&self, found: &Retired) {
        for (index, &bits) in found.iter().enumerate() {
            let mut rest = bits;
            while rest != 0 {
                let slot = index * 64 + rest.trailing_zeros() as usize;
                rest &= rest - 1;
                let tag = &self.tags[slot];
                // ORDERING: Relaxed, published by the Release below; the drain owns the slot.
                // PAIRS WITH: the load in `define_context`, behind the claim.
                // IF WEAKENED: they are the weakest already.
                let generation = high(tag.load(Ordering::Relaxed)) + 1;
                tag.store(join(generation & 0xFFFF, 0), Ordering::Relaxed);
            }
            if bits != 0 {
                // ORDERING: Relaxed, these bits cannot be set again before the slot is free.
                // PAIRS WITH: the next addition in `retire_context`, by who claimed the slot.
                // IF WEAKENED: it is the weakest already.
                self.retired[index].fetch_and(!bits, Ordering::Relaxed);
                // ORDERING: Release, publishes the tags, the cleared bits and that the drain has
                // read the slots for the last time.
                // PAIRS WITH: the Acquire exchange in `claim_slot`.
                // IF WEAKENED: see there.
                self.free[index].fetch_or(bits, Ordering::Release);
            }
        }
    }
}
