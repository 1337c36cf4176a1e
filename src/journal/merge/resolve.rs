//! From the records of a frame to entries: what ids and stamps mean is settled while the
//! dictionary is the one of the frame.

use std::sync::Arc;

use super::parts::{Parts, arguments_match, split};
use super::queue::{Defines, Inline, Item, LATE, Run};
use super::state::LaneState;
use super::system::System;
use crate::clock::Calibration;
use crate::definition::{ContextDefinition, SiteDefinition};
use crate::journal::dictionary::{Dictionary, Site};
use crate::journal::kept::Kept;
use crate::record::{GAP_SITE, Gap, INLINE, RECORD_HEADER_BYTES, RecordHeader, TimeKind};

/// The limits of a frame's keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) boundary: u64,
    pub(super) pass_ticks: u64,
    /// Whether ticks can be turned into UTC.
    pub(super) calibrated: bool,
}

/// Turns records into entries; keeps what is decoded often.
#[derive(Debug, Default)]
pub(super) struct Resolver {
    system: System,
    inline_sites: Kept<Option<InlineSite>>,
    inline_contexts: Kept<Option<Arc<ContextDefinition>>>,
    sites: Cache,
    contexts: Cache,
}

/// Which id has which place in the run at hand.
#[derive(Debug)]
struct Cache([(u32, u32); 64]);

impl Default for Cache {
    fn default() -> Self {
        Self([(0, 0); 64])
    }
}

impl Cache {
    #[inline]
    fn get(&self, id: u32) -> Option<u32> {
        let (known, place) = self.0[id as usize % 64];
        (known == id).then_some(place)
    }

    #[inline]
    fn set(&mut self, id: u32, place: u32) {
        self.0[id as usize % 64] = (id, place);
    }
}

/// A decoded inline site, and the length of its arguments if that is fixed.
type InlineSite = (Arc<SiteDefinition>, Option<u32>);

/// The shape of a site's arguments, by its place in the run.
type Shapes = Vec<Option<u32>>;

impl Resolver {
    /// Fills `run` with the entries of `records`, which came from one lane of `ring_id`.
    pub(super) fn resolve(
        &mut self,
        run: &mut Run,
        lane: &mut LaneState,
        ring_id: u64,
        records: &[u8],
        dictionary: &Dictionary,
        limits: Limits,
    ) {
        self.sites = Cache::default();
        self.contexts = Cache::default();
        run.bytes.extend_from_slice(records);
        let mut shapes = Shapes::new();
        let mut at = 0;
        while at < records.len() {
            let Some(header) = RecordHeader::read(&records[at..]) else {
                // The frame is whole, so its writer wrote this: nothing behind it can be trusted.
                let rest = (records.len() - at) as u32;
                let stamp = Stamp::unknown(lane, run.calibration, limits);
                self.undecodable(run, &mut shapes, INLINE, rest, stamp);
                break;
            };
            let record = &records[at..at + header.length as usize];
            let stamp = Stamp::of(&header, lane, run.calibration, limits);
            self.record(run, &mut shapes, lane, (ring_id, dictionary), at, header, record, stamp);
            at += record.len();
        }
        run.brought = 0..run.inline.len();
        self.put_back(run);
    }

    /// Decodes the definitions inside the records of the `count` entries that were given out last.
    #[inline]
    pub(super) fn bring(&mut self, run: &mut Run, count: usize) {
        if !run.inline.is_empty() {
            self.decode(run, count);
        }
    }

    fn decode(&mut self, run: &mut Run, count: usize) {
        let place = |item| run.inline.partition_point(|inline| inline.item < item);
        run.brought = place(run.next - count)..place(run.next);
        let Run { inline, bytes, sites, contexts, .. } = run;
        for Inline { what, bytes: at, .. } in &inline[run.brought.clone()] {
            let bytes = &bytes[at.clone()];
            // They were decoded before: that cannot fail now.
            match *what {
                Defines::Site(place) => {
                    sites[place] = self
                        .inline_site(bytes)
                        .map_or_else(|| self.system.undecodable(), |(site, _)| site);
                }
                Defines::Context(place) => {
                    contexts[place] =
                        self.inline_context(bytes).unwrap_or_else(|| self.system.no_context());
                }
            }
        }
    }

    /// Gives up what is decoded of the definitions inside the run's records.
    #[inline]
    pub(super) fn put_back(&mut self, run: &mut Run) {
        for inline in &run.inline[std::mem::take(&mut run.brought)] {
            match inline.what {
                Defines::Site(place) => run.sites[place] = self.system.undecodable(),
                Defines::Context(place) => run.contexts[place] = self.system.no_context(),
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the inner loop's state, all of it distinct")]
    #[inline]
    fn record(
        &mut self,
        run: &mut Run,
        shapes: &mut Shapes,
        lane: &mut LaneState,
        (ring_id, dictionary): (u64, &Dictionary),
        at: usize,
        header: RecordHeader,
        record: &[u8],
        stamp: Stamp,
    ) {
        if header.site == GAP_SITE {
            match Gap::read(header.time, &record[RECORD_HEADER_BYTES..]) {
                Ok(gap) => self.gap(run, shapes, lane, &gap, stamp),
                Err(_) => self.undecodable(run, shapes, GAP_SITE, header.length, stamp),
            }
            return;
        }
        let Some(parts) = split(header, at, record) else {
            return self.undecodable(run, shapes, header.site, header.length, stamp);
        };
        let site = self.site(run, shapes, ring_id, dictionary, &parts);
        let sound = site.filter(|&site| {
            stamp.known && arguments_match(&run.sites[site as usize], shapes[site as usize], &parts)
        });
        let Some(site) = sound else {
            return self.undecodable(run, shapes, header.site, header.length, stamp);
        };
        let context = self.context(run, ring_id, dictionary, &parts);
        lane.last_key = stamp.key;
        run.items.push(Item {
            key: stamp.key,
            time: stamp.time,
            start: parts.start as u32,
            length: parts.arguments.len() as u32 | stamp.late,
            site,
            context,
        });
    }

    /// The place of the record's site in the run.
    #[inline]
    fn site(
        &mut self,
        run: &mut Run,
        shapes: &mut Shapes,
        ring_id: u64,
        dictionary: &Dictionary,
        parts: &Parts<'_>,
    ) -> Option<u32> {
        let id = parts.header.site;
        if let Some(place) = self.sites.get(id) {
            return Some(place);
        }
        let (definition, shape) = match parts.site_inline {
            Some(bytes) => {
                let found = self.inline_site(bytes)?;
                let what = Defines::Site(run.sites.len());
                run.inline.push(Inline { item: run.items.len(), what, bytes: parts.site_at() });
                found
            }
            None => {
                let site = dictionary.site(ring_id, id)?;
                (Arc::clone(&site.definition), site.fixed_bytes)
            }
        };
        let place = run.sites.len() as u32;
        run.sites.push(definition);
        shapes.push(shape);
        if parts.site_inline.is_none() {
            self.sites.set(id, place);
        }
        Some(place)
    }

    fn inline_site(&mut self, bytes: &[u8]) -> Option<InlineSite> {
        let decode =
            |bytes: &[u8]| Site::decode(bytes).map(|site| (site.definition, site.fixed_bytes));
        self.inline_sites.get(bytes, decode).clone()
    }

    /// One more than the place of the record's context in the run, 0 for none.
    #[inline]
    fn context(
        &mut self,
        run: &mut Run,
        ring_id: u64,
        dictionary: &Dictionary,
        parts: &Parts<'_>,
    ) -> u32 {
        let id = parts.header.context;
        if id == 0 {
            return 0;
        }
        if let Some(place) = self.contexts.get(id) {
            return place;
        }
        let found = match parts.context_inline {
            Some(bytes) => self.inline_context(bytes).inspect(|_| {
                let what = Defines::Context(run.contexts.len());
                run.inline.push(Inline { item: run.items.len(), what, bytes: parts.context_at() });
            }),
            None => dictionary.context(ring_id, id).cloned(),
        };
        let Some(context) = found.or_else(|| self.system.undefined_context(id)) else { return 0 };
        run.contexts.push(context);
        let place = run.contexts.len() as u32;
        if parts.context_inline.is_none() {
            self.contexts.set(id, place);
        }
        place
    }

    fn inline_context(&mut self, bytes: &[u8]) -> Option<Arc<ContextDefinition>> {
        let decode = |bytes: &[u8]| ContextDefinition::decode(bytes).ok().map(Arc::new);
        self.inline_contexts.get(bytes, decode).clone()
    }

    /// An entry that tells of a record which cannot be read.
    #[cold]
    fn undecodable(
        &mut self,
        run: &mut Run,
        shapes: &mut Shapes,
        site: u32,
        length: u32,
        stamp: Stamp,
    ) {
        let definition = self.system.undecodable();
        let arguments = [site.to_le_bytes(), length.to_le_bytes()].concat();
        push_own(run, shapes, definition, &arguments, stamp);
    }

    /// An entry that tells how many records were lost since the last one of this lane did.
    #[cold]
    fn gap(
        &mut self,
        run: &mut Run,
        shapes: &mut Shapes,
        lane: &mut LaneState,
        gap: &Gap,
        stamp: Stamp,
    ) {
        let delta = lane.account(gap);
        if delta.total() > 0 {
            let (definition, arguments) = self.system.gap(&delta);
            lane.last_key = stamp.key;
            push_own(run, shapes, definition, &arguments, stamp);
        }
    }
}

/// Adds an entry whose arguments are no part of the record.
fn push_own(
    run: &mut Run,
    shapes: &mut Shapes,
    definition: Arc<SiteDefinition>,
    arguments: &[u8],
    stamp: Stamp,
) {
    let (start, site) = (run.bytes.len() as u32, run.sites.len() as u32);
    run.bytes.extend_from_slice(arguments);
    run.sites.push(definition);
    shapes.push(None);
    run.items.push(Item {
        key: stamp.key,
        time: stamp.time,
        start,
        length: arguments.len() as u32 | stamp.late,
        site,
        context: 0,
    });
}

/// When an entry happened, and where that puts it.
#[derive(Debug, Clone, Copy)]
struct Stamp {
    key: u64,
    time: i64,
    /// [`LATE`] or 0.
    late: u32,
    /// Whether the record's time is of a kind that this version knows.
    known: bool,
}

impl Stamp {
    #[inline]
    fn of(header: &RecordHeader, lane: &LaneState, line: Calibration, limits: Limits) -> Stamp {
        let (ticks, time) = match header.flags.time_kind() {
            Some(TimeKind::OwnTicks | TimeKind::CallerTicks) if limits.calibrated => {
                (header.time, line.to_unix(header.time).0)
            }
            Some(TimeKind::CallerUnixNanos) => {
                let time = header.time as i64;
                let ticks = if limits.calibrated { line.ticks_at(time) } else { 0 };
                (ticks, time)
            }
            _ => return Stamp::unknown(lane, line, limits),
        };
        let floor = lane.last_key.max(limits.boundary);
        Stamp {
            key: ticks.clamp(floor, limits.pass_ticks.max(floor)),
            time,
            late: if ticks < limits.boundary { LATE } else { 0 },
            known: true,
        }
    }

    #[cold]
    fn unknown(lane: &LaneState, line: Calibration, limits: Limits) -> Stamp {
        let floor = lane.last_key.max(limits.boundary);
        Stamp {
            key: limits.pass_ticks.max(floor),
            time: line.to_unix(limits.pass_ticks).0,
            late: 0,
            known: false,
        }
    }
}
