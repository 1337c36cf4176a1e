//! What ids mean at one point of a segment; the reading end of the definition frames.

use std::collections::HashMap;
use std::sync::Arc;

use super::frame::{FrameHeader, Kind, read_calibration, read_definition};
use crate::clock::Calibration;
use crate::definition::{ContextDefinition, SiteDefinition};
use crate::record::TypeCode;

/// Estimated bytes of all definitions of one segment; what goes beyond stays undefined.
const BUDGET_BYTES: usize = 12 << 20;
/// Site ids above this are refused.
const SITES_MAX: u32 = 1 << 20;
/// Rings whose records stand in one segment: the writer's, and dead ones that are recovered.
const RINGS_MAX: usize = 64;

/// Before the first calibration: ticks are nanoseconds since 1970.
const NO_CALIBRATION: Calibration =
    Calibration { ticks: 0, unix_nanos: 0, nanos_per_tick: 1 << 32, stepped: false };

/// A call site, and what a reader wants to know about its arguments.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) definition: Arc<SiteDefinition>,
    /// Bytes of the arguments, if that is the same for every record and every byte is valid.
    pub(super) fixed_bytes: Option<u32>,
    bytes: Box<[u8]>,
}

impl Site {
    pub(super) fn decode(bytes: &[u8]) -> Option<Site> {
        let definition = SiteDefinition::decode(bytes).ok()?;
        let fixed_bytes = fixed_bytes(&definition);
        Some(Site { definition: Arc::new(definition), fixed_bytes, bytes: bytes.into() })
    }

    fn cost(&self) -> usize {
        let fields = self.definition.fields.len() + self.definition.template.len();
        256 + 5 * self.bytes.len() + 64 * fields
    }
}

/// The arguments' length, if every byte pattern of that length is valid.
fn fixed_bytes(site: &SiteDefinition) -> Option<u32> {
    let mut sum = 0;
    for field in &site.fields {
        if matches!(field.code, TypeCode::BOOL | TypeCode::CHAR) {
            return None;
        }
        sum += field.code.fixed_bytes()?;
    }
    u32::try_from(sum).ok()
}

/// What it costs that a table of `known` places gets one with this number.
fn table_cost<T>(known: usize, place: usize) -> usize {
    (place + 1).saturating_sub(known) * size_of::<T>()
}

fn context_cost(context: &ContextDefinition) -> usize {
    512 + context.bytes().len() + 64 * context.iter().count()
}

/// A slot's current and previous context.
type Slot = [Option<(u32, Arc<ContextDefinition>)>; 2];

#[derive(Debug, Default)]
struct RingDictionary {
    sites: Vec<Option<Site>>,
    contexts: Vec<Slot>,
}

impl RingDictionary {
    /// Takes what stands in no place of its own from an older one, up to so many bytes.
    fn adopt(&mut self, older: RingDictionary, mut budget: usize) {
        let mut spend = |cost: usize| {
            let left = budget.checked_sub(cost);
            budget = left.unwrap_or(budget);
            left.is_some()
        };
        let missing = older.sites.len().saturating_sub(self.sites.len());
        if spend(missing * size_of::<Option<Site>>()) {
            self.sites.resize(self.sites.len() + missing, None);
        }
        for (place, site) in self.sites.iter_mut().zip(older.sites) {
            if place.is_none() {
                *place = site.filter(|site| spend(site.cost()));
            }
        }
        let missing = older.contexts.len().saturating_sub(self.contexts.len());
        if spend(missing * size_of::<Slot>()) {
            self.contexts.resize(self.contexts.len() + missing, [None, None]);
        }
        for ([current, _], [context, _]) in self.contexts.iter_mut().zip(older.contexts) {
            if current.is_none() {
                *current = context.filter(|(_, context)| spend(context_cost(context)));
            }
        }
    }
}

/// The definitions in force.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    rings: HashMap<u64, RingDictionary>,
    /// Those of the segments before: what is defined again in the same words is not decoded again,
    /// and formatters find the plans they made for it.
    before: HashMap<u64, RingDictionary>,
    cost: usize,
    calibration: Option<Calibration>,
    writer: u64,
}

impl Dictionary {
    /// Starts a new segment: everything is defined anew.
    pub(super) fn start_segment(&mut self) {
        let mut older = std::mem::replace(&mut self.before, std::mem::take(&mut self.rings));
        // What the writer did not use in that segment it may use again.
        if let Some(older) = older.remove(&self.writer) {
            let budget = BUDGET_BYTES.saturating_sub(self.cost);
            self.before.entry(self.writer).or_default().adopt(older, budget);
        }
        self.cost = 0;
        self.calibration = None;
    }

    /// The line that turns ticks into UTC.
    pub(crate) fn calibration(&self) -> Calibration {
        self.calibration.unwrap_or(NO_CALIBRATION)
    }

    /// Whether a calibration was read: if not, the segment's opening is damaged, and only what
    /// callers stamped in UTC has a time.
    pub(crate) fn is_calibrated(&self) -> bool {
        self.calibration.is_some()
    }

    /// The opening calibration from the header page, if the first frame does not tell it.
    pub(super) fn open(&mut self, writer: u64, line: Calibration) {
        if self.calibration.is_none() {
            self.calibration = Some(line);
            self.writer = writer;
        }
    }

    /// The ring of the engine that wrote the segment, once its first frame was read.
    pub(crate) fn writer(&self) -> u64 {
        self.writer
    }

    /// Site `id` of a ring.
    #[inline]
    pub(crate) fn site(&self, ring_id: u64, id: u32) -> Option<&Site> {
        self.rings.get(&ring_id)?.sites.get(id as usize)?.as_ref()
    }

    /// Context `id` of a ring.
    #[inline]
    pub(crate) fn context(&self, ring_id: u64, id: u32) -> Option<&Arc<ContextDefinition>> {
        let slot = self.rings.get(&ring_id)?.contexts.get((id & 0xffff) as usize)?;
        slot.iter().flatten().find(|(defined, _)| *defined == id).map(|(_, context)| context)
    }

    /// Takes a checked definition frame in; other frames change nothing.
    pub(super) fn absorb(&mut self, header: &FrameHeader, frame: &[u8]) {
        match header.kind {
            Kind::CALIBRATION => {
                let (line, writer) = read_calibration(frame, header.flags);
                self.calibration = Some(line);
                self.writer = writer;
            }
            Kind::SITE | Kind::CONTEXT => {
                // A definition that is malformed or one too many leaves its id undefined.
                if let Some((ring_id, id, bytes)) = read_definition(frame) {
                    let _ = match header.kind {
                        Kind::SITE => self.define_site(ring_id, id, bytes),
                        _ => self.define_context(ring_id, id, bytes),
                    };
                }
            }
            _ => {}
        }
    }

    /// As [`Dictionary::absorb`], for frames met from the last to the first: what is defined
    /// already stays.
    pub(super) fn absorb_older(&mut self, header: &FrameHeader, frame: &[u8]) {
        let known = match header.kind {
            Kind::CALIBRATION => self.calibration.is_some(),
            Kind::SITE | Kind::CONTEXT => {
                read_definition(frame).is_some_and(|(ring_id, id, _)| match header.kind {
                    Kind::SITE => self.site(ring_id, id).is_some(),
                    _ => self.slot_is_taken(ring_id, id),
                })
            }
            _ => true,
        };
        if !known {
            self.absorb(header, frame);
        }
    }

    fn slot_is_taken(&self, ring_id: u64, id: u32) -> bool {
        let slot =
            self.rings.get(&ring_id).and_then(|ring| ring.contexts.get((id & 0xffff) as usize));
        slot.is_some_and(|[current, _]| current.is_some())
    }

    fn define_site(&mut self, ring_id: u64, id: u32, bytes: &[u8]) -> Option<()> {
        if id >= SITES_MAX {
            return None;
        }
        let before =
            self.before.get(&ring_id).and_then(|ring| ring.sites.get(id as usize)?.as_ref());
        let site = match before {
            Some(site) if *site.bytes == *bytes => site.clone(),
            _ => Site::decode(bytes)?,
        };
        let known = self.rings.get(&ring_id).map_or(0, |ring| ring.sites.len());
        self.spend(site.cost() + table_cost::<Option<Site>>(known, id as usize))?;
        let sites = &mut self.ring(ring_id)?.sites;
        if sites.len() <= id as usize {
            sites.resize(id as usize + 1, None);
        }
        sites[id as usize] = Some(site);
        Some(())
    }

    fn define_context(&mut self, ring_id: u64, id: u32, bytes: &[u8]) -> Option<()> {
        let slot = (id & 0xffff) as usize;
        let before = self.before.get(&ring_id).and_then(|ring| {
            let found = ring.contexts.get(slot)?[0].as_ref();
            found.filter(|(defined, context)| *defined == id && context.bytes() == bytes)
        });
        let context = match before {
            Some((_, context)) => Arc::clone(context),
            None => Arc::new(ContextDefinition::decode(bytes).ok()?),
        };
        let known = self.rings.get(&ring_id).map_or(0, |ring| ring.contexts.len());
        let table = table_cost::<Slot>(known, slot);
        self.spend(context_cost(&context) + table)?;
        let contexts = &mut self.ring(ring_id)?.contexts;
        if contexts.len() <= slot {
            contexts.resize(slot + 1, [None, None]);
        }
        let [current, previous] = &mut contexts[slot];
        let replaced = current.replace((id, context));
        let forgotten = std::mem::replace(previous, replaced.filter(|(defined, _)| *defined != id));
        if let Some((_, context)) = forgotten {
            self.cost = self.cost.saturating_sub(context_cost(&context));
        }
        Some(())
    }

    fn ring(&mut self, ring_id: u64) -> Option<&mut RingDictionary> {
        if self.rings.len() >= RINGS_MAX && !self.rings.contains_key(&ring_id) {
            return None;
        }
        Some(self.rings.entry(ring_id).or_default())
    }

    fn spend(&mut self, cost: usize) -> Option<()> {
        let sum = self.cost + cost;
        if sum > BUDGET_BYTES {
            return None;
        }
        self.cost = sum;
        Some(())
    }
}
