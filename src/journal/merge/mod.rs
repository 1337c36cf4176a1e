//! The order of entries: one rule, which depends on the journal alone.
//!
//! Every pass P of the drain has the ticks `T` of its beginning and a *boundary* `B`, the ticks of
//! the pass before less the order window. An entry's key is its time in ticks, raised to the
//! greatest key of its lane so far and to `B`, and lowered to `T`. When a pass has arrived, all
//! entries with keys below `B` are due, smallest key first; equal keys go by lane number.
//!
//! Hence a lane's entries keep their order whatever their stamps say; entries that arrive within
//! the window are sorted; one that arrives later gets the key `B`, is given out when the next pass
//! has arrived, and counts as late. No later frame brings a key below `B`, so entries may be given
//! out any time after they are due with the same result. A barrier, a step of the clock, another
//! writer, and frames of more than [`COST_MAX`] bytes inside the window make everything due that
//! waits.

mod checkpoint;
pub(super) mod parts;
mod queue;
mod resolve;
mod state;
mod system;

use std::collections::VecDeque;

pub(crate) use checkpoint::Checkpoint;
use queue::{Given, Pool, Queues, Run};
use resolve::{Limits, Resolver};
use state::{History, State};
pub(crate) use system::TARGET as ENTRY_TARGET;

use super::frame::RunHeader;
use super::layout::FIRST_OFFSET;
use super::position::Position;
use super::reader::{Body, Frame};
use crate::entry::Entry;

/// Memory that waiting entries may take before they are given out early.
const COST_MAX: u64 = 24 << 20;
/// Lanes that are told apart; beyond it all are taken for new.
const LANES_MAX: usize = 16 << 10;

/// How an entry was given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Release {
    /// It arrived more than the order window after its time, so that later ones stand before it.
    pub(crate) late: bool,
}

/// Entries of one run that stand together in the order.
#[derive(Debug, Clone, Copy)]
struct Chosen {
    sealed: bool,
    /// The place of their lane.
    place: u32,
    /// How many; the last of them is the run's last one that was given out.
    count: usize,
}

/// Puts the entries of all lanes into one order.
#[derive(Debug)]
pub(crate) struct Merge {
    state: State,
    /// What [`Merge::advance`] was told, if that is more than the last frame's boundary.
    advanced: u64,
    open: Queues,
    /// Entries that are due whatever their keys, with the number of the frame behind them.
    sealed: VecDeque<(Queues, u64)>,
    history: History,
    resolver: Resolver,
    next_position: Position,
    skip: u64,
    pool: Pool,
    /// What was given out last.
    chosen: Option<Chosen>,
}

impl Default for Merge {
    fn default() -> Self {
        Self::new()
    }
}

impl Merge {
    /// A merge that begins at the front of a journal, or anywhere if losses and late entries of
    /// before do not matter.
    pub(crate) fn new() -> Self {
        Self::resume(Checkpoint::at(Position { sequence: 1, offset: FIRST_OFFSET.into() }))
    }

    /// Goes on where [`Merge::checkpoint`] was asked, once frames from [`Checkpoint::position`] on
    /// are pushed: what was given out before is not given out again.
    pub(crate) fn resume(checkpoint: Checkpoint) -> Self {
        Self {
            state: checkpoint.state,
            advanced: 0,
            open: Queues::default(),
            sealed: VecDeque::new(),
            history: History::default(),
            resolver: Resolver::default(),
            next_position: checkpoint.position,
            skip: checkpoint.skip,
            pool: Pool::default(),
            chosen: None,
        }
    }

    /// The same, with what this one has decoded: formatters find the plans they made for it.
    pub(crate) fn go_to(&mut self, checkpoint: Checkpoint) {
        let resolver = std::mem::take(&mut self.resolver);
        *self = Self { resolver, ..Self::resume(checkpoint) };
    }

    /// Takes the next frame of the journal in.
    pub(crate) fn push(&mut self, frame: &Frame<'_>) {
        if !matches!(frame.body, Body::End) && self.state.writer != Some(frame.writer) {
            self.reset();
            self.state.writer = Some(frame.writer);
        }
        match frame.body {
            Body::Run { header, records, .. } => self.push_run(frame, &header, records),
            Body::Barrier | Body::Calibration { stepped: true } => self.seal(),
            Body::Calibration { stepped: false } | Body::End => {}
        }
        self.next_position = frame.end;
    }

    fn push_run(&mut self, frame: &Frame<'_>, header: &RunHeader, records: &[u8]) {
        let key = (header.position.ring_id, header.position.lane);
        if self.state.lanes.len() >= LANES_MAX && !self.state.lanes.contains_key(&key) {
            let writer = self.state.writer;
            self.reset();
            self.state.writer = writer;
        }
        let number = self.history.next();
        self.history.note(frame.position, key, &self.state);
        self.state.pass_ticks = self.state.pass_ticks.max(header.pass_ticks);
        self.state.boundary = self.state.boundary.max(header.boundary.min(self.state.pass_ticks));
        let limits = Limits {
            boundary: self.state.boundary,
            pass_ticks: self.state.pass_ticks,
            calibrated: frame.dictionary.is_calibrated(),
        };

        let calibration = frame.dictionary.calibration();
        let mut run = self.pool.take(calibration);
        run.frame = number;
        let lane = self.state.lanes.entry(key).or_default();
        lane.enter(header.position.generation);
        self.resolver.resolve(&mut run, lane, key.0, records, frame.dictionary, limits);

        let entries = run.items.len() as u64;
        let cost = self.history.complete(&self.state, entries, records.len() as u64);
        if run.items.is_empty() {
            self.pool.keep(run);
        } else {
            self.open.push(key, run);
        }
        if self.sealed.is_empty() {
            self.history.forget_old(self.state.boundary);
        }
        if cost > COST_MAX {
            self.seal();
        }
    }

    /// Says that a pass without frames is complete, so that what waits for it is due: `boundary`
    /// as told by [`super::Progress`]. All frames in front of it must have been pushed.
    pub(crate) fn advance(&mut self, boundary: u64) {
        self.advanced = self.advanced.max(boundary);
    }

    /// Says that there is no frame in front of `position` that was not pushed.
    pub(crate) fn skip_to(&mut self, position: Position) {
        self.next_position = self.next_position.max(position);
    }

    /// Makes everything due that waits: nothing more is coming.
    pub(crate) fn finish(&mut self) {
        self.seal();
    }

    /// Makes everything due that waits.
    fn seal(&mut self) {
        self.put_back();
        self.history.seal();
        if self.open.waiting() > 0 {
            let queues = std::mem::take(&mut self.open);
            self.sealed.push_back((queues, self.history.next()));
        } else if let Some((_, end)) = self.sealed.back_mut() {
            *end = self.history.next();
        } else {
            self.history.forget_until(self.history.next());
        }
    }

    /// Another engine writes: ticks and lanes start anew. What was told of losses is remembered, as
    /// far as the new engine may tell more of them: those of a ring that it brings home.
    fn reset(&mut self) {
        self.seal();
        self.advanced = 0;
        let next = self.state.for_the_next_writer();
        self.history.reset(std::mem::replace(&mut self.state, next));
    }

    /// The next entry that is due.
    pub(crate) fn next(&mut self) -> Option<(Entry<'_>, Release)> {
        self.next_entries(1)?.next()
    }

    /// The next entries that are due, at most `most` of them, which count as given out. There may
    /// be more although there are fewer.
    pub(crate) fn next_entries(&mut self, most: usize) -> Option<Given<'_>> {
        if self.prepare(most) { self.prepared() } else { None }
    }

    /// Chooses the next entries that are due, as [`Merge::next_entries`]; whether there are any.
    pub(crate) fn prepare(&mut self, most: usize) -> bool {
        self.put_back();
        self.chosen = self.step(most);
        if let Some((run, resolver, count)) = self.chosen_run() {
            resolver.bring(run, count);
        }
        self.chosen.is_some()
    }

    /// What was chosen is no longer at hand: what was decoded for it is given up.
    fn put_back(&mut self) {
        if let Some((run, resolver, _)) = self.chosen_run() {
            resolver.put_back(run);
        }
        self.chosen = None;
    }

    /// The run of what is chosen, and how many of its entries are.
    #[inline]
    fn chosen_run(&mut self) -> Option<(&mut Run, &mut Resolver, usize)> {
        let Chosen { sealed, place, count } = self.chosen?;
        let queues = if sealed { &mut self.sealed.front_mut()?.0 } else { &mut self.open };
        Some((queues.first_run(place)?, &mut self.resolver, count))
    }

    /// The entries that the last [`Merge::prepare`] has chosen.
    pub(crate) fn prepared(&self) -> Option<Given<'_>> {
        let Chosen { sealed, place, count } = self.chosen?;
        let queues = if sealed { &self.sealed.front()?.0 } else { &self.open };
        queues.given(place, count)
    }

    fn step(&mut self, most: usize) -> Option<Chosen> {
        loop {
            let (history, pool) = (&mut self.history, &mut self.pool);
            let mut done = |run: Run| {
                history.done(run.frame);
                pool.keep(run);
            };
            let sealed = self.sealed.front_mut();
            let (sealed, found) = match sealed {
                Some((queues, _)) => (true, queues.next(None, most, &mut done)),
                None => {
                    let boundary = self.state.boundary.max(self.advanced);
                    let found = self.open.next(Some(boundary), most, &mut done);
                    if found.is_none() {
                        self.history.forget_old(boundary);
                        return None;
                    }
                    (false, found)
                }
            };
            let Some((place, count)) = found else {
                if let Some((_, end)) = self.sealed.pop_front() {
                    self.history.forget_until(end);
                }
                continue;
            };
            let skipped = self.skip.min(count as u64);
            self.skip -= skipped;
            let count = count - skipped as usize;
            if count > 0 {
                return Some(Chosen { sealed, place, count });
            }
        }
    }

    /// Where a merge can be resumed so that exactly the entries follow that were not given out.
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        let sealed: u64 = self.sealed.iter().map(|(queues, _)| queues.waiting()).sum();
        let given = self.history.entries() - self.open.waiting() - sealed;
        Checkpoint {
            position: self.history.position().unwrap_or(self.next_position),
            skip: given.saturating_add(self.skip),
            state: self.history.state_before(&self.state),
        }
    }

    /// Says that everything from here on is new: nothing of it was given out before.
    pub(crate) fn forget_skip(&mut self) {
        self.skip = 0;
    }

    /// The oldest segment with entries that were not given out, or the one that is read next.
    pub(crate) fn oldest_needed(&self) -> u64 {
        self.history.position().unwrap_or(self.next_position).sequence
    }

    /// How many entries wait.
    pub(crate) fn waiting(&self) -> u64 {
        self.open.waiting() + self.sealed.iter().map(|(queues, _)| queues.waiting()).sum::<u64>()
    }
}
