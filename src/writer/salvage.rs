//! A dead process's ring on its way into the journal.

use std::collections::HashMap;
use std::io;

use super::recovery::{ASIDE, Stray, remove, set_aside};
use crate::clock::Calibration;
use crate::definition::{ContextDefinition, SiteDefinition, fit_context};
use crate::journal::{Definitions, Holdings, LanePosition};
use crate::processors::Masking;
use crate::record::{GAP_SITE, Gap, INLINE, RECORD_HEADER_BYTES, RecordHeader, TimeKind};
use crate::ring::{DeadLane, DeadRing, Losses, Place};
use crate::shared::Recovered;

/// A run is at most this long: a block is no longer.
const RUN_BYTES_MAX: usize = 1 << 20;
/// Definitions that are kept at hand, in bytes; a run names no more than that.
const KNOWN_BYTES_MAX: usize = 4 << 20;
/// What a definition counts beside its bytes.
const KNOWN_COST: usize = 64;
/// A context is no longer than a slot, masked or not.
const CONTEXT_BYTES_MAX: usize = 512;

/// No lane loses more.
const LOST_MAX: u64 = 1 << 56;

/// A ring that is being read.
#[derive(Debug)]
pub(super) struct Salvage {
    ring: DeadRing,
    line: Calibration,
    lanes: Vec<Lane>,
    known: Known,
    buffer: Vec<u8>,
    /// What is left of it in the end.
    done: Recovered,
    kept: Counts,
}

/// A lane, and how far it is safe in the journal.
#[derive(Debug)]
struct Lane {
    now: DeadLane,
    kept: DeadLane,
    /// What the ring's own word says.
    noted: Option<Place>,
    /// When its next record was made; `None` at its end, or if that was not looked up yet.
    head: Option<u64>,
    looked_up: bool,
    /// Whether its untold losses are told; and that as of the last commit.
    told: bool,
    told_kept: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    records: u64,
    lost: u64,
    unreadable: u64,
}

/// The definitions that the run at hand names.
#[derive(Debug, Default)]
pub(crate) struct Known {
    sites: HashMap<u32, Option<Box<[u8]>>>,
    contexts: HashMap<u32, Option<Box<[u8]>>>,
    bytes: usize,
}

impl Definitions for Known {
    fn site(&self, id: u32) -> Option<&[u8]> {
        self.sites.get(&id)?.as_deref()
    }

    fn context(&self, id: u32) -> Option<&[u8]> {
        self.contexts.get(&id)?.as_deref()
    }
}

/// The next records of a lane.
#[derive(Debug)]
pub(crate) struct SalvageRun<'a> {
    pub(crate) position: LanePosition,
    pub(crate) records: &'a [u8],
    pub(crate) known: &'a Known,
}

impl Salvage {
    /// Goes in every lane to where the journal's part ends.
    ///
    /// # Errors
    /// The ring cannot be read: what is to be told of it.
    pub(super) fn new(
        Stray { ring, path }: Stray,
        holdings: &Holdings,
        line: Calibration,
    ) -> Result<Self, Recovered> {
        let identity = ring.identity();
        let (id, pid) = (identity.id, identity.pid);
        let mut done = Recovered { path, pid, records: 0, lost: 0, unreadable: 0, failure: None };
        let lanes = (0..ring.lanes()).map(|lane| Lane::find(&ring, lane, holdings, id));
        match lanes.collect::<io::Result<Vec<_>>>() {
            Ok(lanes) => {
                let buffer = vec![0; RUN_BYTES_MAX];
                let (known, kept) = (Known::default(), Counts::default());
                Ok(Self { ring, line, lanes, known, buffer, done, kept })
            }
            Err(error) => {
                done.failure = Some(unreadable(&error));
                Err(done)
            }
        }
    }

    /// The oldest record that is left, by its lane's head, and what stands behind it in its block.
    ///
    /// # Errors
    /// The ring cannot be read.
    pub(super) fn peek(&mut self, masking: &Masking) -> io::Result<Option<SalvageRun<'_>>> {
        loop {
            let Some(at) = self.oldest()? else { return Ok(None) };
            let lane = &mut self.lanes[at];
            let Some(place) = lane.now.place else { continue };
            let bytes = self.ring.read(&place, &mut self.buffer)?.len();
            let length = self.known.gather(&self.ring, &self.buffer[..bytes], masking)?;
            if length == 0 {
                // No record stands there, and where the next one begins is not known.
                lane.now.damaged += 1;
                lane.skip_block();
                continue;
            }
            let position = LanePosition {
                ring_id: self.ring.identity().id,
                lane: lane.now.lane,
                generation: lane.now.generation,
                serial: place.serial,
                offset: place.offset,
            };
            let records = &self.buffer[..length];
            return Ok(Some(SalvageRun { position, records, known: &self.known }));
        }
    }

    /// Takes the first bytes of the run that [`Salvage::peek`] gave, which are so many records.
    pub(super) fn take(&mut self, lane: u32, bytes: u32, records: u64) {
        let Some(lane) = self.lanes.get_mut(lane as usize) else { return };
        if let Some(place) = &mut lane.now.place {
            place.offset = place.offset.saturating_add(bytes).min(place.end);
        }
        lane.looked_up = false;
        self.done.records += records;
    }

    /// The next record cannot be brought home: goes over it.
    pub(super) fn leave(&mut self, lane: u32, bytes: u32) {
        self.take(lane, bytes, 0);
        self.done.unreadable += 1;
    }

    /// The next gap record that nobody has made.
    pub(super) fn gap(&mut self) -> Option<Gap> {
        let lane = self.lanes.iter_mut().find(|lane| !lane.told)?;
        let DeadLane { lane, generation, losses, .. } = lane.now;
        Some(Gap {
            ticks: losses.last_ticks,
            lane,
            generation,
            by_reason: losses.by_reason,
            trade: losses.trade,
            first_ticks: losses.first_ticks,
            last_ticks: losses.last_ticks,
        })
    }

    /// The gap record is made.
    pub(super) fn told(&mut self, gap: &Gap) {
        if let Some(lane) = self.lanes.get_mut(gap.lane as usize) {
            self.done.lost += gap.total().saturating_sub(lane.now.reported);
            lane.told = true;
        }
    }

    /// What was taken is safe in the journal: the ring remembers it.
    ///
    /// # Errors
    /// The ring's file cannot be written.
    pub(super) fn commit(&mut self) -> io::Result<()> {
        for lane in &mut self.lanes {
            if let Some(place) = lane.now.place.filter(|place| lane.noted != Some(*place)) {
                self.ring.note_taken(lane.now.lane, &place)?;
                lane.noted = Some(place);
            }
            if lane.told && !lane.told_kept {
                self.ring.note_told(lane.now.lane, lane.now.losses.total())?;
                lane.told_kept = true;
            }
            lane.kept = lane.now.clone();
        }
        self.kept = self.counts();
        Ok(())
    }

    /// Forgets what was taken since the last commit.
    pub(super) fn rewind(&mut self) {
        for lane in &mut self.lanes {
            lane.now = lane.kept.clone();
            lane.told = lane.told_kept;
            lane.looked_up = false;
        }
        let Counts { records, lost, unreadable } = self.kept;
        (self.done.records, self.done.lost, self.done.unreadable) = (records, lost, unreadable);
    }

    /// Ends it: all of it is safe in the journal, and the file goes. One that could not be believed
    /// everywhere is set aside.
    pub(super) fn finish(mut self) -> Recovered {
        self.done.unreadable += self.lanes.iter().map(|lane| lane.now.damaged).sum::<u64>();
        self.done.lost += self.ring.in_memory().min(LOST_MAX);
        let (path, unreadable) = (&self.done.path, self.done.unreadable);
        let ended = if unreadable == 0 { remove(path) } else { set_aside(path) };
        self.done.failure = match ended {
            Ok(()) if unreadable == 0 => None,
            Ok(()) => Some(format!(
                "{unreadable} places in it make no sense, what stood there is missing, and it is \
                 kept as *.{ASIDE}"
            )),
            Err(error) => Some(format!(
                "what can be read of it is in the journal, but its file cannot be removed \
                 ({error}): remove it"
            )),
        };
        self.done
    }

    /// Gives it up, for some reason: what is left stays in the file.
    pub(super) fn fail(mut self, error: &io::Error) -> Recovered {
        self.done.failure = Some(unreadable(error));
        self.done
    }

    /// The ring's id.
    pub(super) fn id(&self) -> u64 {
        self.ring.identity().id
    }

    fn counts(&self) -> Counts {
        let Recovered { records, lost, unreadable, .. } = self.done;
        Counts { records, lost, unreadable }
    }

    /// The lane whose next record is the oldest.
    fn oldest(&mut self) -> io::Result<Option<usize>> {
        let mut oldest = None;
        for (at, lane) in self.lanes.iter_mut().enumerate() {
            if !lane.looked_up {
                lane.look_up(&self.ring, self.line)?;
            }
            if let Some(head) = lane.head
                && oldest.is_none_or(|(_, time)| head < time)
            {
                oldest = Some((at, head));
            }
        }
        Ok(oldest.map(|(at, _)| at))
    }
}

impl Lane {
    fn find(ring: &DeadRing, lane: u32, holdings: &Holdings, id: u64) -> io::Result<Self> {
        let mut now = ring.lane(lane)?;
        let noted = now.place;
        if let Some(reached) = holdings.reached(id, lane, now.generation) {
            ring.pass_over(&mut now, reached.serial, reached.end)?;
        }
        let Losses { by_reason, trade, .. } = &now.losses;
        if by_reason.iter().chain([trade]).any(|count| *count > LOST_MAX) {
            now.damaged += 1;
            now.losses = Losses::default();
        }
        now.reported = now.reported.max(holdings.told(id, lane, now.generation));
        let told = now.losses.total() <= now.reported;
        let kept = now.clone();
        Ok(Self { now, kept, noted, head: None, looked_up: false, told, told_kept: told })
    }

    /// Moves to the next block where one is at its end, and looks when the next record was made.
    fn look_up(&mut self, ring: &DeadRing, line: Calibration) -> io::Result<()> {
        self.head = None;
        self.looked_up = true;
        while let Some(Place { offset, end, .. }) = self.now.place {
            if offset < end {
                break;
            }
            if !ring.next_block(&mut self.now)? {
                return Ok(());
            }
        }
        if let Some(place) = self.now.place {
            let mut head = [0; RECORD_HEADER_BYTES];
            let bytes = ring.read(&place, &mut head)?.len();
            self.head = Some(made_at(&head[..bytes], line));
        }
        Ok(())
    }

    fn skip_block(&mut self) {
        if let Some(place) = &mut self.now.place {
            place.offset = place.end;
        }
        self.looked_up = false;
    }
}

impl Known {
    /// Walks over the records in front of `bytes` and finds what they name: the length of those that
    /// are whole and whose definitions are at hand.
    fn gather(&mut self, ring: &DeadRing, bytes: &[u8], masking: &Masking) -> io::Result<usize> {
        let mut at = 0;
        while let Some(header) = RecordHeader::read(&bytes[at..]) {
            if self.bytes > KNOWN_BYTES_MAX {
                if at > 0 {
                    break;
                }
                *self = Self::default();
            }
            let RecordHeader { site, context, .. } = header;
            if site != GAP_SITE && site != INLINE && !self.sites.contains_key(&site) {
                let found = ring.site(site)?.filter(|site| SiteDefinition::decode(site).is_ok());
                self.bytes += KNOWN_COST + found.as_ref().map_or(0, Vec::len);
                self.sites.insert(site, found.map(Vec::into_boxed_slice));
            }
            if context != 0 && context != INLINE && !self.contexts.contains_key(&context) {
                let found = ring.context(context)?.and_then(|found| masked(found, masking));
                self.bytes += KNOWN_COST + found.as_ref().map_or(0, |found| found.len());
                self.contexts.insert(context, found);
            }
            at += header.length as usize;
        }
        Ok(at)
    }
}

/// A context that makes sense, with what is sensitive by the names of this process masked as well.
fn masked(context: Vec<u8>, masking: &Masking) -> Option<Box<[u8]>> {
    ContextDefinition::decode(&context).ok()?;
    let Some(mut masked) = masking.context(&context) else {
        return Some(context.into_boxed_slice());
    };
    fit_context(&mut masked, CONTEXT_BYTES_MAX);
    Some(masked.into_vec().into_boxed_slice())
}

/// When the record at the front of `bytes` was made, in ticks.
fn made_at(bytes: &[u8], line: Calibration) -> u64 {
    let Some(fixed) = bytes.first_chunk::<RECORD_HEADER_BYTES>() else { return 0 };
    let header = RecordHeader::read_fixed(fixed);
    match header.flags.time_kind() {
        Some(TimeKind::CallerUnixNanos) => line.ticks_at(header.time as i64),
        _ => header.time,
    }
}

fn unreadable(error: &io::Error) -> String {
    format!(
        "it cannot be read or written ({error}): what is left in it stays there, and the next start \
         tries again"
    )
}

#[cfg(any(test, fuzzing))]
pub(crate) mod hostile;
#[cfg(test)]
mod tests;
