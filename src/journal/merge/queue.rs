//! Entries that wait for their turn, by lane.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use super::Release;
use crate::clock::Calibration;
use crate::definition::{ContextDefinition, SiteDefinition};
use crate::entry::Entry;
use crate::record::UnixNanos;

/// Set in [`Item::length`]: the entry came too late for its place.
pub(super) const LATE: u32 = 1 << 31;

/// One entry, told by places in its [`Run`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    pub(super) key: u64,
    pub(super) time: i64,
    /// Where the arguments begin in the run's bytes.
    pub(super) start: u32,
    /// Bytes of the arguments, and [`LATE`].
    pub(super) length: u32,
    pub(super) site: u32,
    /// One more than the place in the run's contexts, 0 for none.
    pub(super) context: u32,
}

const _: () = assert!(size_of::<Item>() == 32);

/// The entries of one frame, with all that they need after the reader has gone on.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) bytes: Vec<u8>,
    pub(super) items: Vec<Item>,
    pub(super) sites: Vec<Arc<SiteDefinition>>,
    pub(super) contexts: Vec<Arc<ContextDefinition>>,
    pub(super) calibration: Calibration,
    /// The definitions inside its records, in the order of the items.
    pub(super) inline: Vec<Inline>,
    /// Those of them that are decoded at the moment.
    pub(super) brought: Range<usize>,
    /// The frame's number in the history.
    pub(super) frame: u64,
    /// The first item that was not given out.
    pub(super) next: usize,
}

/// A definition inside a record. Decoded it takes several times its bytes; so it is only while its
/// entry is being resolved and while it is being given out.
#[derive(Debug)]
pub(super) struct Inline {
    pub(super) item: usize,
    pub(super) what: Defines,
    /// Where it stands in the run's bytes.
    pub(super) bytes: Range<usize>,
}

/// What is defined, and its place in the run.
#[derive(Debug, Clone, Copy)]
pub(super) enum Defines {
    Site(usize),
    Context(usize),
}

impl Run {
    /// A run without entries.
    pub(super) fn new(calibration: Calibration) -> Self {
        Self {
            bytes: Vec::new(),
            items: Vec::new(),
            sites: Vec::new(),
            contexts: Vec::new(),
            calibration,
            inline: Vec::new(),
            brought: 0..0,
            frame: 0,
            next: 0,
        }
    }

    /// Empties the run, keeping its memory.
    pub(super) fn reset(&mut self, calibration: Calibration) {
        self.bytes.clear();
        self.items.clear();
        self.sites.clear();
        self.contexts.clear();
        self.calibration = calibration;
        self.inline.clear();
        self.brought = 0..0;
        self.next = 0;
    }

    /// What it takes of the heap, whether it is in use or not.
    fn heap_bytes(&self) -> usize {
        let Run { bytes, items, sites, contexts, inline, .. } = self;
        bytes.capacity()
            + items.capacity() * size_of::<Item>()
            + inline.capacity() * size_of::<Inline>()
            + (sites.capacity() + contexts.capacity()) * size_of::<Arc<()>>()
    }

    /// The `count` entries that were given out last.
    fn last_given(&self, count: usize) -> Option<Given<'_>> {
        let items = self.items.get(self.next.checked_sub(count)?..self.next)?;
        let Run { bytes, sites, contexts, calibration, .. } = self;
        Some(Given { items: items.iter(), bytes, sites, contexts, calibration: *calibration })
    }
}

/// Runs that are kept for their memory: enough for the ordinary, not for the longest backlog ever.
const POOL_RUNS_MAX: usize = 16;
const POOL_BYTES_MAX: usize = 1 << 20;

/// Emptied runs.
#[derive(Debug, Default)]
pub(super) struct Pool(Vec<Run>);

impl Pool {
    /// An empty run.
    pub(super) fn take(&mut self, calibration: Calibration) -> Run {
        match self.0.pop() {
            Some(mut run) => {
                run.reset(calibration);
                run
            }
            None => Run::new(calibration),
        }
    }

    /// Keeps a run, unless there are enough of them.
    pub(super) fn keep(&mut self, run: Run) {
        let bytes: usize = self.0.iter().chain([&run]).map(Run::heap_bytes).sum();
        if self.0.len() < POOL_RUNS_MAX && bytes <= POOL_BYTES_MAX {
            self.0.push(run);
        }
    }
}

/// Entries of one run that were given out, each with whether it was late.
#[derive(Debug)]
pub(crate) struct Given<'a> {
    items: std::slice::Iter<'a, Item>,
    bytes: &'a [u8],
    sites: &'a [Arc<SiteDefinition>],
    contexts: &'a [Arc<ContextDefinition>],
    calibration: Calibration,
}

impl<'a> Iterator for Given<'a> {
    type Item = (Entry<'a>, Release);

    #[inline]
    fn next(&mut self) -> Option<(Entry<'a>, Release)> {
        let item = self.items.next()?;
        let start = item.start as usize;
        let entry = Entry {
            time: UnixNanos(item.time),
            site: self.sites.get(item.site as usize)?,
            context: match item.context {
                0 => None,
                at => self.contexts.get(at as usize - 1),
            },
            arguments: self.bytes.get(start..start + (item.length & !LATE) as usize)?,
            calibration: self.calibration,
        };
        Some((entry, Release { late: item.length & LATE != 0 }))
    }
}

/// A lane: its ring and its number in it.
pub(super) type LaneKey = (u64, u32);

/// Where two keys are equal, the lanes' numbers decide.
type Order = (u64, u32, u64);

#[derive(Debug, Default)]
struct LaneQueue {
    runs: VecDeque<Run>,
    key: LaneKey,
}

impl LaneQueue {
    fn head(&self) -> Option<Order> {
        let run = self.runs.front()?;
        let item = run.items.get(run.next)?;
        Some((item.key, self.key.1, self.key.0))
    }
}

/// Waiting entries of several lanes, each in its order; the lanes' heads are compared run by run.
#[derive(Debug, Default)]
pub(super) struct Queues {
    lanes: Vec<LaneQueue>,
    places: HashMap<LaneKey, u32>,
    /// The heads of all lanes with entries, except the current one.
    heads: BinaryHeap<Reverse<(Order, u32)>>,
    /// The lane that is being given out.
    current: Option<u32>,
    /// So many entries of the current lane's first run come before those of all other lanes.
    streak: usize,
    waiting: u64,
}

impl Queues {
    /// How many entries wait.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting
    }

    /// Adds a run that has entries behind those of its lane.
    pub(super) fn push(&mut self, key: LaneKey, run: Run) {
        self.waiting += run.items.len() as u64;
        self.streak = 0;
        let next = self.lanes.len() as u32;
        let place = *self.places.entry(key).or_insert(next);
        if place == next {
            self.lanes.push(LaneQueue { runs: VecDeque::new(), key });
        }
        let lane = &mut self.lanes[place as usize];
        let was_idle = lane.head().is_none();
        lane.runs.push_back(run);
        if was_idle && self.current != Some(place) {
            self.heads.extend(lane.head().map(|order| Reverse((order, place))));
        }
    }

    /// Gives out the entries with the smallest keys that stand together in one run, at most `most`,
    /// as far as they are below `boundary` (`None` for any): the place of their lane, and how many.
    /// Runs that are exhausted go to `done` first.
    #[inline]
    pub(super) fn next(
        &mut self,
        boundary: Option<u64>,
        most: usize,
        done: &mut impl FnMut(Run),
    ) -> Option<(u32, usize)> {
        if self.streak == 0 {
            self.begin_streak(boundary, done)?;
        }
        let place = self.current?;
        let run = self.lanes.get_mut(place as usize)?.runs.front_mut()?;
        let count = self.streak.min(most);
        run.next += count;
        self.streak -= count;
        self.waiting -= count as u64;
        Some((place, count))
    }

    /// Finds out how many entries of one run come before those of all other lanes.
    fn begin_streak(&mut self, boundary: Option<u64>, done: &mut impl FnMut(Run)) -> Option<()> {
        let place = self.choose(done)?;
        let lane = &self.lanes[place as usize];
        let run = lane.runs.front()?;
        let top = self.heads.peek().map(|Reverse((order, _))| *order);
        // The keys of a run never fall.
        let streak = run.items.get(run.next..)?.partition_point(|item| {
            let first = top.is_none_or(|top| (item.key, lane.key.1, lane.key.0) <= top);
            first && boundary.is_none_or(|boundary| item.key < boundary)
        });
        self.streak = streak;
        (streak > 0).then_some(())
    }

    /// The lane with the smallest head.
    fn choose(&mut self, done: &mut impl FnMut(Run)) -> Option<u32> {
        if let Some(place) = self.current {
            let lane = &mut self.lanes[place as usize];
            while let Some(run) = lane.runs.front()
                && run.next >= run.items.len()
            {
                lane.runs.pop_front().into_iter().for_each(&mut *done);
            }
            let top = self.heads.peek().map(|Reverse((order, _))| *order);
            match (lane.head(), top) {
                (Some(_), None) => return Some(place),
                (Some(head), Some(top)) if head <= top => return Some(place),
                (Some(head), Some(_)) => self.heads.push(Reverse((head, place))),
                (None, _) => {}
            }
        }
        self.current = self.heads.pop().map(|Reverse((_, place))| place);
        self.current
    }

    /// The run of lane `place` that is being given out.
    #[inline]
    pub(super) fn first_run(&mut self, place: u32) -> Option<&mut Run> {
        self.lanes.get_mut(place as usize)?.runs.front_mut()
    }

    /// The `count` entries that the last [`Queues::next`] gave out of lane `place`.
    pub(super) fn given(&self, place: u32, count: usize) -> Option<Given<'_>> {
        self.lanes.get(place as usize)?.runs.front()?.last_given(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pool_does_not_keep_what_the_longest_backlog_needed() {
        let calibration =
            Calibration { ticks: 0, unix_nanos: 0, nanos_per_tick: 1 << 32, stepped: false };
        let mut pool = Pool::default();
        let run = |bytes| Run { bytes: Vec::with_capacity(bytes), ..Run::new(calibration) };
        for size in [POOL_BYTES_MAX / 2, POOL_BYTES_MAX, POOL_BYTES_MAX / 2] {
            pool.keep(run(size));
        }
        assert_eq!(pool.0.len(), 2);
        pool.keep(run(1));
        assert_eq!(pool.0.len(), 2);
        for _ in 0..3 {
            let run = pool.take(calibration);
            assert!(run.bytes.is_empty() && run.bytes.capacity() < POOL_BYTES_MAX);
        }
        (0..100).for_each(|_| pool.keep(run(64)));
        assert_eq!(pool.0.len(), POOL_RUNS_MAX);
    }
}
