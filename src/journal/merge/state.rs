//! What the order of coming entries depends on, and how to find it as it was at an earlier frame.

use std::collections::{HashMap, VecDeque};

use super::queue::{Item, LaneKey};
use crate::journal::position::Position;
use crate::record::Gap;

/// What a lane has brought so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct LaneState {
    pub(super) generation: u32,
    /// No entry of the lane gets a smaller key.
    pub(super) last_key: u64,
    /// Losses told so far by this generation: by reason, and trade events.
    pub(super) lost: [u64; 6],
    pub(super) lost_trade: u64,
}

impl LaneState {
    /// Takes the totals of a gap record in; returns what was not told before.
    pub(super) fn account(&mut self, gap: &Gap) -> Gap {
        let mut delta = *gap;
        for ((new, told), total) in
            delta.by_reason.iter_mut().zip(&mut self.lost).zip(gap.by_reason)
        {
            *new = total.saturating_sub(*told);
            *told = total.max(*told);
        }
        delta.trade = gap.trade.saturating_sub(self.lost_trade);
        self.lost_trade = self.lost_trade.max(gap.trade);
        delta
    }

    /// Begins a new generation, whose totals start at zero.
    pub(super) fn enter(&mut self, generation: u32) {
        if self.generation != generation {
            *self = LaneState { generation, last_key: self.last_key, ..LaneState::default() };
        }
    }
}

/// All that decides about keys, at one point of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct State {
    /// The ring of the engine that writes, once a frame was seen.
    pub(super) writer: Option<u64>,
    pub(super) boundary: u64,
    pub(super) pass_ticks: u64,
    pub(super) lanes: HashMap<LaneKey, LaneState>,
}

/// Lanes whose losses are remembered beyond their own engine.
const REMEMBERED_MAX: usize = 96;

impl State {
    /// What the next engine that writes begins with: the losses told by the lanes of this one, which
    /// the next one may bring home, and of those that this one had to bring home itself.
    pub(super) fn for_the_next_writer(&self) -> State {
        let lossy = |lane: &LaneState| lane.lost_trade != 0 || lane.lost != [0; 6];
        let mut told: Vec<_> = self.lanes.iter().filter(|(_, lane)| lossy(lane)).collect();
        // Its own lanes first.
        told.sort_unstable_by_key(|(key, _)| (Some(key.0) != self.writer, **key));
        told.truncate(REMEMBERED_MAX);
        let remembered = |lane: &LaneState| LaneState { last_key: 0, ..*lane };
        let lanes = told.into_iter().map(|(key, lane)| (*key, remembered(lane))).collect();
        State { lanes, ..State::default() }
    }
}

/// What a waiting entry counts beside its record.
const ENTRY_COST: u64 = size_of::<Item>() as u64;
/// What a frame counts beside its records and entries.
const FRAME_COST: u64 = 160;

const _: () = assert!(size_of::<Note>() as u64 <= FRAME_COST);

/// One frame with entries.
#[derive(Debug)]
struct Note {
    position: Position,
    pass_ticks: u64,
    entries: u64,
    cost: u64,
    done: bool,
    /// The state before the frame, as far as the frame changed it.
    lane: LaneKey,
    lane_before: Option<LaneState>,
    boundary_before: u64,
    pass_ticks_before: u64,
}

/// The frames whose entries may be waiting or may have to be read again after a restart.
#[derive(Debug, Default)]
pub(super) struct History {
    notes: VecDeque<Note>,
    /// The number of the first note.
    first: u64,
    entries: u64,
    /// From this frame on, `cost` counts.
    costly: u64,
    cost: u64,
    /// What the state was before it was given up, and before which frame that was.
    resets: VecDeque<(u64, State)>,
}

impl History {
    /// The number that the next frame gets.
    pub(super) fn next(&self) -> u64 {
        self.first + self.notes.len() as u64
    }

    /// Notes a frame that is about to change `state`.
    pub(super) fn note(&mut self, position: Position, lane: LaneKey, state: &State) {
        self.notes.push_back(Note {
            position,
            pass_ticks: 0,
            entries: 0,
            cost: 0,
            done: false,
            lane,
            lane_before: state.lanes.get(&lane).copied(),
            boundary_before: state.boundary,
            pass_ticks_before: state.pass_ticks,
        });
    }

    /// Completes the last note. Returns the estimated memory of all frames whose pass is not
    /// older than the boundary: a function of the journal, not of when entries were given out.
    pub(super) fn complete(&mut self, state: &State, entries: u64, bytes: u64) -> u64 {
        let cost = bytes + ENTRY_COST * entries + FRAME_COST;
        if let Some(note) = self.notes.back_mut() {
            note.pass_ticks = state.pass_ticks;
            note.entries = entries;
            note.cost = cost;
            note.done = entries == 0;
        }
        self.entries += entries;
        self.cost += cost;
        while self.costly < self.next() {
            let at = self.costly.saturating_sub(self.first) as usize;
            match self.notes.get(at) {
                Some(note) if note.pass_ticks < state.boundary => self.cost -= note.cost,
                _ => break,
            }
            self.costly += 1;
        }
        self.cost
    }

    /// All frames so far are about to be given out completely: they cost nothing from now on.
    pub(super) fn seal(&mut self) {
        self.costly = self.next();
        self.cost = 0;
    }

    /// The state is about to be given up.
    pub(super) fn reset(&mut self, state: State) {
        if !self.notes.is_empty() {
            self.resets.push_back((self.next(), state));
        }
    }

    /// All entries of frame `number` were given out.
    pub(super) fn done(&mut self, number: u64) {
        let at = number.checked_sub(self.first).map(|at| at as usize);
        if let Some(note) = at.and_then(|at| self.notes.get_mut(at)) {
            note.done = true;
        }
    }

    /// Forgets the frames in front of number `end`, which were given out.
    pub(super) fn forget_until(&mut self, end: u64) {
        while self.first < end && self.forget_first() {}
    }

    /// Forgets the frames at the front that were given out and are older than the boundary.
    pub(super) fn forget_old(&mut self, boundary: u64) {
        while self.notes.front().is_some_and(|note| note.done && note.pass_ticks < boundary) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) -> bool {
        let Some(note) = self.notes.pop_front() else { return false };
        if self.costly <= self.first {
            self.cost -= note.cost;
            self.costly = self.first + 1;
        }
        self.entries -= note.entries;
        self.first += 1;
        while self.resets.front().is_some_and(|(before, _)| *before <= self.first) {
            self.resets.pop_front();
        }
        true
    }

    /// How many entries the noted frames have.
    pub(super) fn entries(&self) -> u64 {
        self.entries
    }

    /// Where the first noted frame stands.
    pub(super) fn position(&self) -> Option<Position> {
        self.notes.front().map(|note| note.position)
    }

    /// The state as it was before the first noted frame.
    pub(super) fn state_before(&self, now: &State) -> State {
        let mut state = now.clone();
        let mut resets = self.resets.iter().rev().peekable();
        for (at, note) in self.notes.iter().enumerate().rev() {
            let number = self.first + at as u64;
            while let Some((_, before)) = resets.next_if(|(before, _)| *before > number) {
                state = before.clone();
            }
            match note.lane_before {
                Some(before) => state.lanes.insert(note.lane, before),
                None => state.lanes.remove(&note.lane),
            };
            state.boundary = note.boundary_before;
            state.pass_ticks = note.pass_ticks_before;
        }
        state
    }
}
