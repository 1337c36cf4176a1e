//! The lock-free core: a bounded ring of blocks, many producers and one consumer.
//!
//! One arena is cut into blocks. A producer owns a *lane*; it claims a free block, fills it
//! privately with plain stores and one Release store of the block's `committed` cursor for each
//! record, and links the next block when it is full. The drain follows each lane's chain and gives
//! emptied blocks back. A thread that stops, dies or pauses inside a record holds nobody up and
//! leaves no hole.
//!
//! | file | is |
//! |---|---|
//! | `layout` | where everything lies in the arena, byte by byte |
//! | `arena` | the memory: a file on tmpfs, or anonymous |
//! | `header` | the first page: whose ring it is |
//! | `dead` | reading what a dead process left |
//! | `pool` | the free blocks |
//! | `lane` | a lane's two halves: the producer's own, and what it shares |
//! | `producer` | [`LaneHandle`]: pushing |
//! | `drain` | [`RingDrain`]: taking, giving back, retiring lanes |
//! | `sampling` | which calls are to be timed |
//! | `loss` | counters and gap records |
//! | `definitions` | what sites and contexts mean, for who reads a dead process's ring |
//! | `shutdown` | the gate |

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::sync::{AtomicU32, AtomicU64, Blocks, Ordering, Table, register_heavy_fence};

mod arena;
mod dead;
mod definitions;
mod drain;
mod error;
mod header;
mod lane;
mod layout;
mod loss;
mod pool;
mod producer;
mod sampling;
mod shutdown;

#[allow(unused_imports, reason = "the models have no dead ring")]
pub(crate) use dead::{DeadLane, DeadRing, Place};
pub(crate) use definitions::Definitions;
pub(crate) use drain::RingDrain;
pub use error::PushError;
pub(crate) use error::RingError;
#[allow(unused_imports, reason = "the models have no dead ring")]
pub(crate) use header::{Identity, VERSION, boot_id};
#[allow(unused_imports, reason = "the models measure blocks by their own geometries")]
pub(crate) use layout::BLOCK_HEADER_BYTES;
#[allow(unused_imports, reason = "the models make geometries of their own")]
pub(crate) use layout::DefinitionGeometry;
pub(crate) use layout::Geometry;
#[cfg(test)]
pub(crate) use loss::LOSS_REASONS;
pub(crate) use loss::{GAP_BYTES_MAX, GapInfo, GapRecord, LossReason, Losses};
pub(crate) use producer::{Class, LaneHandle, Passed};

use arena::Arena;
#[allow(unused_imports, reason = "the models have no files")]
pub(crate) use arena::UNFINISHED;
use lane::{LaneEntry, Process};
use layout::BlockHeader;
use loss::LossCounters;
use pool::Pool;

/// What a ring is made from.
#[derive(Debug, Clone)]
pub(crate) struct RingConfig {
    /// The whole arena, in bytes.
    pub(crate) ring_bytes: usize,
    /// One block, in bytes.
    pub(crate) block_bytes: u32,
    /// Blocks that only privileged records may claim.
    pub(crate) reserve_blocks: u32,
    /// Lanes, the shared one included; `None`: 64, or half as many as blocks.
    pub(crate) lanes: Option<u32>,
    /// A directory on tmpfs; `None`: anonymous memory.
    pub(crate) dir: Option<PathBuf>,
    /// Which pages it should have.
    pub(crate) pages: Pages,
    /// Whose ring it is: the path of the log directory, for recovery.
    pub(crate) owner: Vec<u8>,
    /// How a gap record is written.
    pub(crate) gap: GapRecord,
    /// The clock, in ticks; async-signal-safe.
    pub(crate) clock: fn() -> u64,
}

/// What is asked of the kernel for a ring's pages. None of it is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Pages {
    /// Huge ones.
    pub(crate) huge: bool,
    /// Such that are never swapped out.
    pub(crate) locked: bool,
    /// Such that no core dump holds.
    pub(crate) hidden: bool,
}

/// How full a ring is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Occupancy {
    /// Free blocks, the reserve included.
    pub(crate) free_blocks: u32,
    /// All data blocks.
    pub(crate) blocks: u32,
    /// The most blocks that were ever in use.
    pub(crate) used_blocks_max: u32,
    /// Lanes that a thread holds, without the shared one.
    pub(crate) lanes_active: u32,
}

/// The ring, as its producers and the engine see it.
#[derive(Debug)]
pub(crate) struct Ring {
    geometry: Geometry,
    id: u64,
    lanes: Table<LaneEntry>,
    privates: Table<lane::Private>,
    /// Records that were drained to memory alone, and how many of them were told.
    in_memory: Table<AtomicU64>,
    process: Table<Process>,
    pool: Pool,
    blocks: Blocks<BlockHeader>,
    definitions: Definitions,
    gap: GapRecord,
    clock: fn() -> u64,
    /// Lanes that were ever used, as a count from the table's start.
    lanes_used: AtomicU32,
    /// What a full ring is put down to: a [`LossReason`].
    full_reason: AtomicU32,
    /// What was refused behind the gate; no lane can tell of these.
    closed_losses: LossCounters,
    /// What retired generations lost.
    folded: loss::Folded,
    arena: Arena,
}

impl Ring {
    /// Makes a ring and its one consumer.
    ///
    /// # Errors
    /// The sizes are impossible, or the kernel gives no memory. Trouble with the file is no error:
    /// the ring then lies in anonymous memory; see [`fallback_reason`](Ring::fallback_reason).
    pub(crate) fn create(config: RingConfig) -> Result<(Arc<Ring>, RingDrain), RingError> {
        let geometry = Geometry::plan(
            config.ring_bytes,
            config.block_bytes,
            config.reserve_blocks,
            config.lanes,
        )?;
        Ring::with_geometry(geometry, config)
    }

    /// The same with a geometry of the caller's, which the models make very small.
    pub(crate) fn with_geometry(
        geometry: Geometry,
        config: RingConfig,
    ) -> Result<(Arc<Ring>, RingDrain), RingError> {
        let gap = config.gap;
        if gap.bytes > GAP_BYTES_MAX || !gap.bytes.is_multiple_of(8) {
            return Err(RingError::GapBytes { bytes: gap.bytes });
        }
        register_heavy_fence();
        let arena = Arena::create(&geometry, config.dir.as_deref(), config.pages, &config.owner)?;
        let shared = arena.shared();
        let words = shared.table(geometry.bitmap_offset, geometry.blocks.div_ceil(64) as usize);
        let (process, privates) = arena.private_tables(&geometry);
        let lanes: Table<LaneEntry> = shared.table(geometry.lanes_offset, geometry.lanes as usize);
        let mut ring = Ring {
            id: arena.id(),
            pool: Pool::new(words, &geometry),
            blocks: shared.blocks(geometry.data_offset, geometry.blocks, geometry.block_bytes),
            definitions: Definitions::new(shared, &geometry.definitions, process.clone()),
            lanes,
            privates,
            in_memory: shared.table(layout::IN_MEMORY_OFFSET, 2),
            process,
            gap,
            clock: config.clock,
            lanes_used: AtomicU32::new(0),
            full_reason: AtomicU32::new(0),
            closed_losses: LossCounters::default(),
            folded: loss::Folded::default(),
            arena,
            geometry,
        };
        ring.begin();
        ring.arena.seal();
        let ring = Arc::new(ring);
        let drain = RingDrain::new(Arc::clone(&ring));
        Ok((ring, drain))
    }

    /// Brings the private state of this process to life.
    fn begin(&self) {
        self.process().begin();
        let shared = self.geometry.lanes - 1;
        // The shared lane is always active; its first and only generation is 0.
        let generation = self.lanes[shared as usize].acquire().unwrap_or(0);
        self.privates[shared as usize].begin(shared, generation, &self.geometry);
        producer::always_busy(&self.privates[self.geometry.lanes as usize]);
    }

    /// A random number that tells this ring from all others.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Gives the calling thread a lane of its own, or a share in the last lane when the others are
    /// taken. Lock-free. In a forked child the handle refuses everything.
    pub(crate) fn register(self: &Arc<Self>) -> LaneHandle {
        let shared = self.geometry.lanes - 1;
        if self.process().forked() {
            return LaneHandle::new(self, shared, 0, true);
        }
        for lane in 0..shared {
            if let Some(generation) = self.lanes[lane as usize].acquire() {
                self.privates[lane as usize].begin(lane, generation, &self.geometry);
                self.note_lane(lane);
                return LaneHandle::new(self, lane, generation, false);
            }
        }
        self.note_lane(shared);
        LaneHandle::new(self, shared, 0, true)
    }

    fn note_lane(&self, lane: u32) {
        // ORDERING: Relaxed, a number of its own: the lane's entry is found through its own words.
        // PAIRS WITH: the load in `lanes_used`.
        // IF WEAKENED: it is the weakest already.
        self.lanes_used.fetch_max(lane + 1, Ordering::Relaxed);
    }

    /// How many lanes, from the table's start, were ever used.
    fn lanes_used(&self) -> u32 {
        // ORDERING: Relaxed. A new lane may be seen a pass later; but not behind the gate, whose
        // heavy fence, or the Acquire load of a lane's `busy`, shows it to the last drain.
        // PAIRS WITH: the maximum in `note_lane`.
        // IF WEAKENED: it is the weakest already.
        self.lanes_used.load(Ordering::Relaxed)
    }

    fn process(&self) -> &Process {
        &self.process[0]
    }

    /// What sites and contexts mean.
    pub(crate) fn definitions(&self) -> &Definitions {
        &self.definitions
    }

    /// Number of lanes, the shared one included.
    pub(crate) fn lanes(&self) -> u32 {
        self.geometry.lanes
    }

    /// The longest record that a push takes.
    pub(crate) fn max_record_bytes(&self) -> u32 {
        self.geometry.record_bytes_max
    }

    /// Whether what was committed survives the death of the process.
    pub(crate) fn crash_safe(&self) -> bool {
        self.arena.crash_safe()
    }

    /// The ring's file, and why a later start does not find it, if that is so: it was removed, renamed,
    /// or replaced. Makes system calls.
    pub(crate) fn missing_file(&self) -> Option<(&Path, &'static str)> {
        self.arena.missing_file()
    }

    /// Has the next start know how many records are in no file, should this process die before it
    /// tells of them. Called by the drain, before it gives their blocks back.
    pub(crate) fn note_in_memory(&self, records: u64) {
        // ORDERING: Release, in front of the `drained` words of these records.
        // PAIRS WITH: nothing in this process; another one reads the file once this one is dead.
        // IF WEAKENED: after a kill right here, they might be told by nobody.
        self.in_memory[0].store(records, Ordering::Release);
    }

    /// Has it know how many of them are told. Called by the janitor.
    pub(crate) fn note_in_memory_told(&self, records: u64) {
        let told = &self.in_memory[1];
        // ORDERING: Relaxed, this thread alone writes it.
        // PAIRS WITH: the store below.
        // IF WEAKENED: it is the weakest already.
        let before = told.load(Ordering::Relaxed);
        // ORDERING: Release, behind the record that tells it.
        // PAIRS WITH: as in `note_in_memory`.
        // IF WEAKENED: after a kill right here, the record may be missing, and they are told by nobody.
        told.store(before + records, Ordering::Release);
    }

    /// How many of them are not told yet.
    pub(crate) fn in_memory_untold(&self) -> u64 {
        // ORDERING: Relaxed for both, for the process's end: the threads that write them are gone, or
        //   are left behind.
        // PAIRS WITH: the stores above.
        // IF WEAKENED: it is the weakest already.
        let [records, told] =
            [&self.in_memory[0], &self.in_memory[1]].map(|word| word.load(Ordering::Relaxed));
        records.saturating_sub(told)
    }

    /// Why the ring lies in anonymous memory although a directory was given.
    pub(crate) fn fallback_reason(&self) -> Option<String> {
        self.arena.fallback_reason().map(str::to_owned)
    }

    /// What was asked for the pages and could not be had.
    pub(crate) fn page_troubles(&self) -> &[String] {
        self.arena.page_troubles()
    }

    /// The path of the ring file, if there is one.
    #[cfg(test)]
    pub(crate) fn path(&self) -> Option<PathBuf> {
        self.arena.path()
    }

    /// Removes the ring file at a clean end. A forked child has none to remove.
    pub(crate) fn remove_file(&self) {
        if !self.process().forked() {
            self.arena.remove_file();
        }
    }

    /// Says what a full ring is to be put down to from now on: `Full`, `ViewLag` or `Disk`.
    pub(crate) fn set_full_reason(&self, reason: LossReason) {
        // ORDERING: Relaxed, a hint of its own.
        // PAIRS WITH: the load in `full_reason`.
        // IF WEAKENED: it is the weakest already.
        self.full_reason.store(reason as u32, Ordering::Relaxed);
    }

    fn full_reason(&self) -> LossReason {
        // ORDERING: Relaxed, a hint of its own.
        // PAIRS WITH: the store in `set_full_reason`.
        // IF WEAKENED: it is the weakest already.
        let index = self.full_reason.load(Ordering::Relaxed) as usize;
        LossReason::ALL.get(index).copied().unwrap_or(LossReason::Full)
    }

    /// What was lost since the ring was made, over all lanes and generations.
    pub(crate) fn losses(&self) -> Losses {
        let mut sum = self.folded.read_with(|| {
            let mut sum = Losses::default();
            for entry in self.lanes.iter() {
                sum.add(&entry.losses.totals());
            }
            sum
        });
        sum.add(&self.closed_losses.totals());
        sum
    }

    /// How full the ring is.
    pub(crate) fn occupancy(&self) -> Occupancy {
        let own_lanes = &self.lanes[..self.geometry.lanes as usize - 1];
        let active = own_lanes.iter().filter(|entry| entry.active()).count();
        Occupancy {
            free_blocks: self.pool.free(),
            blocks: self.pool.blocks(),
            used_blocks_max: self.pool.used_max(),
            lanes_active: u32::try_from(active).unwrap_or(u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests;
