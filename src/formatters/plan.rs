//! The constant parts of a line, composed once for each pair of call site and context.

use std::collections::HashSet;
use std::sync::Arc;

use smallvec::SmallVec;

use super::digits;
use crate::clock::Calibration;
use crate::config::Column;
use crate::definition::{ContextDefinition, SiteDefinition};
use crate::entry::Entry;
use crate::record::{Fields, TypeCode, Value};

/// What a line is made of behind its time stamp: constants, and what stands between them.
///
/// ```text
/// constant │ value │ constant │ value │ … │ constant
///          └ steps[0].end     └ steps[1].end       └ end
/// ```
#[derive(Debug)]
pub(super) struct Plan {
    /// Once the plan is complete, [`PIECE_BYTES`] more than are shown.
    constants: Vec<u8>,
    end: usize,
    steps: SmallVec<[Step; 8]>,
    /// Whether a value does not begin at the same place in all records.
    moving: bool,
}

/// A constant's end and what follows it.
#[derive(Debug, Clone, Copy)]
struct Step {
    end: u32,
    part: Part,
    /// The value's type, and where it begins in the arguments if that is always the same place.
    code: TypeCode,
    start: Option<u32>,
}

/// Constants up to this length are copied as one piece of it.
const PIECE_BYTES: usize = 32;

/// Bytes of constants that most plans need at most.
const USUAL_BYTES: usize = 512;

/// What differs from line to line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The value of the call's field with this index, inside the event's text.
    Message(u16),
    /// The value of the call's field with this index.
    Field(u16),
    /// Whether the entry is a trade event, where its fields decide that.
    Category,
    /// The number of the line.
    Sequence,
    /// Nothing: the event's text begins here.
    EventStart,
    /// The time stamp.
    Time,
    /// The time in nanoseconds since 1970.
    UnixNanos,
    /// Nothing: a column begins here.
    ColumnStart,
    /// The blanks that fill the column.
    ColumnEnd(Column),
}

impl Plan {
    /// A plan that consists of an empty constant.
    pub(super) fn new() -> Self {
        let constants = Vec::with_capacity(USUAL_BYTES);
        Self { constants, end: 0, steps: SmallVec::new(), moving: false }
    }

    /// The constant that is being composed, to append to.
    pub(super) fn constant(&mut self) -> &mut Vec<u8> {
        &mut self.constants
    }

    /// Ends the constant: `part` follows it.
    pub(super) fn part(&mut self, part: Part) {
        let end = self.constants.len() as u32;
        self.steps.push(Step { end, part, code: TypeCode(0), start: None });
    }

    /// Completes the plan for the records of a site.
    fn complete(&mut self, site: &SiteDefinition) {
        self.end = self.constants.len();
        self.constants.resize(self.end + PIECE_BYTES, 0);
        for step in &mut self.steps {
            if let Part::Message(index) | Part::Field(index) = step.part {
                let index = usize::from(index);
                let before = site.fields[..index].iter().map(|field| field.code.fixed_bytes());
                step.code = site.fields[index].code;
                step.start = before.sum::<Option<usize>>().map(|start| start as u32);
                self.moving |= step.start.is_none();
            }
        }
    }

    /// Writes a line: the constants, and through `write` what stands between them, with the
    /// stored form of its value.
    #[inline]
    pub(super) fn render(
        &self,
        entry: &Entry<'_>,
        out: &mut Vec<u8>,
        mut write: impl FnMut(&mut Vec<u8>, Part, StoredValue<'_>),
    ) {
        let starts = if self.moving { starts(entry) } else { SmallVec::new() };
        let mut start = 0;
        for step in &self.steps {
            let end = step.end as usize;
            self.constant_between(start, end, out);
            start = end;
            let at = match (step.start, step.part) {
                (Some(at), _) => at,
                (None, Part::Message(index) | Part::Field(index)) => starts[usize::from(index)],
                (None, _) => u32::MAX,
            };
            let bytes = entry.arguments.get(at as usize..).unwrap_or_default();
            write(out, step.part, StoredValue { code: step.code, bytes });
        }
        self.constant_between(start, self.end, out);
    }

    #[inline(always)]
    fn constant_between(&self, start: usize, end: usize, out: &mut Vec<u8>) {
        match self.constants[start..].first_chunk::<PIECE_BYTES>() {
            Some(piece) if end - start <= PIECE_BYTES => digits::put(out, piece, end - start),
            _ => out.extend_from_slice(&self.constants[start..end]),
        }
    }
}

/// What is shown in place of a value that cannot be decoded.
const UNDECODABLE: &str = "<undecodable>";

/// A value in its stored form: the bytes begin with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoredValue<'a> {
    pub(super) code: TypeCode,
    pub(super) bytes: &'a [u8],
}

impl<'a> StoredValue<'a> {
    /// The value, or what takes its place if it cannot be decoded.
    pub(super) fn decode(self) -> Value<'a> {
        Fields::new(self.bytes).next(self.code).unwrap_or(Value::from(UNDECODABLE))
    }
}

/// Where the values of the call's fields begin; past the end of the arguments for those that
/// cannot be found.
#[inline]
pub(super) fn starts(entry: &Entry<'_>) -> SmallVec<[u32; 16]> {
    let mut starts = SmallVec::new();
    let mut start = 0_u32;
    for field in &entry.site.fields {
        starts.push(start);
        start = match field.code.fixed_bytes() {
            Some(bytes) => start.saturating_add(bytes as u32),
            None => end_of_variable(entry.arguments, start, field.code),
        };
    }
    starts
}

/// The bytes of a stored text and those behind it; `None` if it was cut: the mark makes its length
/// longer than any record.
#[inline]
pub(super) fn whole_text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

fn end_of_variable(arguments: &[u8], start: u32, code: TypeCode) -> u32 {
    let Some(bytes) = arguments.get(start as usize..) else { return u32::MAX };
    let rest = match (code, whole_text(bytes)) {
        (TypeCode::STR, Some((_, rest))) => rest,
        _ => {
            let mut fields = Fields::new(bytes);
            if fields.next(code).is_err() {
                return u32::MAX;
            }
            fields.rest()
        }
    };
    // A record's length has 32 bits.
    (arguments.len() - rest.len()) as u32
}

/// The fields that a line shows: no name twice, the call before the context.
pub(super) struct Shown<'a> {
    /// Name and index of the call's fields.
    pub(super) call: SmallVec<[(&'a str, u16); 8]>,
    /// Names and values of the context's fields.
    pub(super) context: SmallVec<[(&'a str, Value<'a>); 8]>,
}

impl<'a> Shown<'a> {
    pub(super) fn of(entry: &Entry<'a>) -> Self {
        let mut seen = Names::default();
        let site: &'a SiteDefinition = entry.site;
        // A definition counts its fields in 16 bits.
        let call = site
            .fields
            .iter()
            .zip(0_u16..)
            .map(|(field, index)| (&*field.name, index))
            .filter(|(name, _)| seen.add(name))
            .collect();
        let context = entry.context().filter(|(name, _)| seen.add(name)).collect();
        Self { call, context }
    }
}

/// A set of names: a short list, for few of them.
#[derive(Default)]
struct Names<'a> {
    few: SmallVec<[&'a str; 16]>,
    many: HashSet<&'a str>,
}

impl<'a> Names<'a> {
    /// Adds a name; `false` if it was there already.
    fn add(&mut self, name: &'a str) -> bool {
        if self.few.contains(&name) {
            return false;
        }
        if self.few.len() < self.few.inline_size() {
            self.few.push(name);
            return true;
        }
        self.many.insert(name)
    }
}

/// How many plans are kept: some 100 call sites with some 40 contexts each.
const SLOTS: usize = 4096;

/// Bytes that plans and their definitions take at most. Ordinary ones take a third of it.
const BYTES_MAX: usize = 16 << 20;

/// The plans of the pairs of call site and context that were seen last.
///
/// A table in which every pair has one place, so that it stays bounded. It is emptied as a whole only
/// if definitions are much larger than any log call makes them. A kept plan keeps its definitions
/// alive: an address stands for one definition only.
pub(super) struct PlanCache {
    slots: Box<[Option<Box<Kept>>]>,
    /// Bytes that were kept since it was empty.
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    site: Arc<SiteDefinition>,
    context: Option<Arc<ContextDefinition>>,
    /// The calibration that ticks in the context were turned into time with, if there are any.
    calibration: Option<Calibration>,
    plan: Plan,
}

impl std::fmt::Debug for PlanCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kept = self.slots.iter().flatten().count();
        f.debug_struct("PlanCache").field("kept", &kept).finish_non_exhaustive()
    }
}

impl PlanCache {
    pub(super) fn new() -> Self {
        Self { slots: std::iter::repeat_with(|| None).take(SLOTS).collect(), bytes: 0 }
    }

    /// The plan of the entry's pair, made by `make` if it is not at hand.
    #[inline]
    pub(super) fn get(&mut self, entry: &Entry<'_>, make: impl FnOnce() -> Plan) -> &Plan {
        let place = place(entry);
        if !self.slots[place].as_ref().is_some_and(|kept| kept.serves(entry)) {
            self.forget(place);
        }
        let Self { slots, bytes } = self;
        let make = || {
            let kept = Kept::new(entry, make());
            *bytes += kept.bytes();
            kept
        };
        &slots[place].get_or_insert_with(make).plan
    }

    /// Makes room in a place, and in all of them if too much is kept.
    #[cold]
    fn forget(&mut self, place: usize) {
        if let Some(kept) = self.slots[place].take() {
            self.bytes -= kept.bytes();
        }
        if self.bytes > BYTES_MAX {
            self.slots.fill_with(|| None);
            self.bytes = 0;
        }
    }
}

/// Fibonacci hashing of the two addresses.
#[inline]
fn place(entry: &Entry<'_>) -> usize {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let site = Arc::as_ptr(entry.site).addr() as u64;
    let context = entry.context.map_or(0, |context| Arc::as_ptr(context).addr()) as u64;
    let mixed = (site ^ context.rotate_left(32)).wrapping_mul(FACTOR);
    (mixed >> (u64::BITS - SLOTS.ilog2())) as usize
}

impl Kept {
    #[cold]
    fn new(entry: &Entry<'_>, mut plan: Plan) -> Box<Self> {
        plan.complete(entry.site);
        let has_ticks = entry.context.is_some_and(|context| context.has_ticks());
        Box::new(Self {
            site: Arc::clone(entry.site),
            context: entry.context.cloned(),
            calibration: has_ticks.then_some(entry.calibration),
            plan,
        })
    }

    /// What it takes, its definitions included although others may share them.
    fn bytes(&self) -> usize {
        let context = self.context.as_ref().map_or(0, |context| context.bytes().len());
        let steps = self.plan.steps.capacity() * size_of::<Step>();
        self.plan.constants.capacity() + steps + self.site.bytes() + 4 * context
    }

    #[inline]
    fn serves(&self, entry: &Entry<'_>) -> bool {
        let same_context = match (&self.context, entry.context) {
            (Some(kept), Some(asked)) => Arc::ptr_eq(kept, asked),
            (None, None) => true,
            _ => false,
        };
        same_context
            && Arc::ptr_eq(&self.site, entry.site)
            && self.calibration.is_none_or(|kept| kept == entry.calibration)
    }
}
