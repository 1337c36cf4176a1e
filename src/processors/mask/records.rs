//! The drain's look through records before they are written: at their texts, in the one walk over a
//! run; only a run with a suspicious text is searched.
//!
//! A record whose text holds a secret is written anew, in as many bytes as before: positions in the
//! journal and in the ring stay those of each other. Its texts get shorter, zeros follow behind its
//! arguments, and a flag says so.

use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use super::live::Masking;
use super::names::NameMask;
use super::texts::{Spans, Texts, put_masked};
use crate::definition::{DefinitionBytes, SITE_TEXT_OFFSET, site_fields};
use crate::journal::{Defined, Definitions, PassEnd, Screen, Survey, survey};
use crate::record::{
    CUT_BIT, FLAGS_OFFSET, Flags, GAP_SITE, INLINE, RECORD_HEADER_BYTES, RecordHeader, TypeCode,
};

/// Sites above this number are planned anew for each record.
const PLANS_MAX: usize = 1 << 16;

/// How to get over one argument, or over several of fixed size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    optional: bool,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// So many bytes.
    Fixed(usize),
    /// A length and a text to look at.
    Text,
    /// A length and bytes.
    Bytes,
    /// A count of elements of so many bytes.
    FixedList(usize),
    /// A count of texts to look at.
    TextList,
    /// A count of bytes, each behind its length.
    BytesList,
}

/// How to find the texts among the arguments of a site, up to the last one.
type Plan = SmallVec<[Step; 8]>;

fn plan(codes: impl Iterator<Item = TypeCode>) -> Plan {
    let mut plan = Plan::new();
    let mut whole = 0;
    for code in codes {
        let kind = match (code.scalar(), code.is_list()) {
            (TypeCode::STR, false) => Kind::Text,
            (TypeCode::STR, true) => Kind::TextList,
            (TypeCode::BYTES, false) => Kind::Bytes,
            (TypeCode::BYTES, true) => Kind::BytesList,
            (scalar, list) => match scalar.fixed_bytes() {
                Some(bytes) if list => Kind::FixedList(bytes),
                Some(bytes) => Kind::Fixed(bytes),
                // Nothing is known of what follows.
                None => break,
            },
        };
        let step = Step { optional: code.is_option(), kind };
        match (plan.last_mut(), step) {
            (
                Some(Step { optional: false, kind: Kind::Fixed(sum) }),
                Step { optional: false, kind: Kind::Fixed(bytes) },
            ) => *sum += bytes,
            _ => plan.push(step),
        }
        if matches!(kind, Kind::Text | Kind::TextList) {
            whole = plan.len();
        }
    }
    plan.truncate(whole);
    plan
}

/// Where the length of a site's only text stands in its records, if each has it at the same place.
fn only_text(plan: &Plan) -> Option<usize> {
    let place = match plan[..] {
        [Step { optional: false, kind: Kind::Text }] => 0,
        [
            Step { optional: false, kind: Kind::Fixed(bytes) },
            Step { optional: false, kind: Kind::Text },
        ] => bytes,
        _ => return None,
    };
    Some(RECORD_HEADER_BYTES + place)
}

/// A text with secrets in it.
#[derive(Debug)]
struct Edit {
    /// The text's bytes in the record; its length stands right in front of them.
    place: Range<usize>,
    /// Bytes of that length.
    width: usize,
    /// The secrets, in the text.
    found: Spans,
}

/// Masks secrets in the texts of records.
#[derive(Debug)]
pub(crate) struct TextScreen {
    masking: Arc<Masking>,
    /// The ring whose sites the plans are for.
    ring_id: u64,
    /// By number of the site.
    plans: Vec<Option<Plan>>,
    /// The site whose records were met last that have one text at the same place each, and where its
    /// length stands.
    usual: (u32, usize),
    /// The records as they are to be written, if they differ.
    out: Vec<u8>,
    edits: Vec<Edit>,
    /// Secrets masked in `out`.
    masked: u64,
    /// The changes of the names that were taken note of.
    changes: u64,
}

impl TextScreen {
    pub(crate) fn new(masking: Arc<Masking>) -> Self {
        let (plans, out, edits) = (Vec::new(), Vec::new(), Vec::new());
        Self { masking, ring_id: 0, plans, usual: NO_SITE, out, edits, masked: 0, changes: 0 }
    }

    /// Forgets the sites of another ring.
    fn turn_to(&mut self, ring: u64) {
        if self.ring_id != ring {
            self.ring_id = ring;
            self.plans.clear();
            self.usual = NO_SITE;
        }
    }
}

/// No site has this number.
const NO_SITE: (u32, usize) = (GAP_SITE, 0);

/// Makes the plan of a site and remembers it.
#[cold]
fn plan_of(plans: &mut Vec<Option<Plan>>, site: u32, known: &dyn Definitions) -> Option<Plan> {
    let made = plan(site_fields(known.site(site)?).map(|(code, _)| code));
    let place = site as usize;
    if place < PLANS_MAX {
        if plans.len() <= place {
            plans.resize(place + 1, None);
        }
        plans[place] = Some(made.clone());
    }
    Some(made)
}

impl Screen for TextScreen {
    fn holds_text(&self, definition: &[u8]) -> bool {
        site_fields(definition).any(|(code, _)| code.scalar() == TypeCode::STR)
    }

    fn survey(&mut self, ring: u64, defined: &mut Defined, records: &[u8], end: PassEnd) -> Survey {
        self.turn_to(ring);
        let Self { masking, plans, usual, edits, .. } = self;
        let (texts, names) = (masking.texts(), masking.names());
        survey(defined, records, end, |header, record| {
            let inline = header.flags.contains(Flags::CONTEXT_INLINE);
            if header.site == usual.0 && !inline {
                return text_at(record, usual.1).is_some_and(|text| texts.is_clean(names, text));
            }
            let Some(Some(plan)) = plans.get(header.site as usize) else { return false };
            if let Some(length_at) = only_text(plan) {
                *usual = (header.site, length_at);
            }
            let mut look = Look { texts, names, record, edits: &mut *edits };
            // A malformed record is left to its readers.
            let _ = look.arguments(*header, RECORD_HEADER_BYTES, plan);
            let clean = edits.is_empty();
            edits.clear();
            clean
        })
    }

    fn screen(&mut self, ring: u64, records: &[u8], known: &dyn Definitions) -> Option<&[u8]> {
        self.turn_to(ring);
        let Self { masking, plans, out, edits, masked, .. } = self;
        let (texts, names) = (masking.texts(), masking.names());
        *masked = 0;
        let mut at = 0;
        while let Some(header) = RecordHeader::read(&records[at..]) {
            let end = at + header.length as usize;
            let record = &records[at..end];
            at = end;
            let mut look = Look { texts, names, record, edits };
            // A malformed record is left to its readers.
            let _ = match header.site {
                GAP_SITE => None,
                INLINE => look.inline(header),
                site => match plans.get(site as usize) {
                    Some(Some(plan)) => look.arguments(header, RECORD_HEADER_BYTES, plan),
                    _ => plan_of(plans, site, known)
                        .and_then(|plan| look.arguments(header, RECORD_HEADER_BYTES, &plan)),
                },
            };
            if !edits.is_empty() {
                if *masked == 0 {
                    out.clear();
                    out.extend_from_slice(records);
                }
                *masked += edits.iter().map(|edit| edit.found.len() as u64).sum::<u64>();
                rewrite(record, edits, &mut out[end - record.len()..end]);
                edits.clear();
            }
        }
        (*masked > 0).then_some(out)
    }

    fn renew(&mut self) -> bool {
        let changes = self.masking.changes();
        std::mem::replace(&mut self.changes, changes) != changes
    }

    fn context(&mut self, definition: &[u8]) -> Option<DefinitionBytes> {
        if self.changes == 0 { None } else { self.masking.context(definition) }
    }

    fn written(&mut self) {
        self.masking.count_in_texts(std::mem::take(&mut self.masked));
    }
}

/// The look at one record.
struct Look<'a> {
    texts: &'a Texts,
    names: &'a NameMask,
    record: &'a [u8],
    edits: &'a mut Vec<Edit>,
}

impl Look<'_> {
    /// A record that carries its site's definition: the text was made at run time, perhaps.
    #[cold]
    fn inline(&mut self, header: RecordHeader) -> Option<()> {
        let start = RECORD_HEADER_BYTES + 4;
        let length = read_u32(self.record, RECORD_HEADER_BYTES)?;
        let definition = self.record.get(start..start.checked_add(length)?)?;
        let text = start + SITE_TEXT_OFFSET;
        let text_bytes = self.record.get(text - 2..text)?.first_chunk::<2>()?;
        let text_bytes = usize::from(u16::from_le_bytes(*text_bytes));
        let is_field = |name: &str| site_fields(definition).any(|(_, field)| field == name);
        self.text(text..text + text_bytes, 2, &is_field)?;
        let plan = plan(site_fields(definition).map(|(code, _)| code));
        self.arguments(header, start + length, &plan)
    }

    /// The texts among the arguments; an inline context in front of them was masked when it was
    /// bound.
    #[inline]
    fn arguments(&mut self, header: RecordHeader, start: usize, plan: &[Step]) -> Option<()> {
        let mut at = start;
        if header.flags.contains(Flags::CONTEXT_INLINE) {
            at += 4 + read_u32(self.record, at)?;
        }
        for step in plan {
            if step.optional {
                at += 1;
                if *self.record.get(at - 1)? == 0 {
                    continue;
                }
            }
            at = match step.kind {
                Kind::Fixed(bytes) => at + bytes,
                Kind::Text => self.texts(at, 1, true)?,
                Kind::Bytes => self.texts(at, 1, false)?,
                list => {
                    let count = read_u32(self.record, at)?;
                    match list {
                        Kind::FixedList(bytes) => at + 4 + count * bytes,
                        _ => self.texts(at + 4, count, list == Kind::TextList)?,
                    }
                }
            };
        }
        Some(())
    }

    /// Gets over so many texts, or bytes if those are not to be looked at.
    #[inline]
    fn texts(&mut self, mut at: usize, count: usize, looked_at: bool) -> Option<usize> {
        for _ in 0..count {
            let start = at + 4;
            at = start + read_u32(self.record, at)?;
            if looked_at {
                self.text(start..at, 4, &|_| false)?;
            }
        }
        Some(at)
    }

    #[inline]
    fn text(
        &mut self,
        place: Range<usize>,
        width: usize,
        is_field: &dyn Fn(&str) -> bool,
    ) -> Option<()> {
        let text = self.record.get(place.clone())?;
        if self.texts.is_clean(self.names, text) {
            return Some(());
        }
        let mut found = Spans::new();
        self.texts.find(self.names, text, is_field, &mut found);
        if !found.is_empty() {
            self.edits.push(Edit { place, width, found });
        }
        Some(())
    }
}

/// The text behind the length that stands there.
#[inline]
fn text_at(record: &[u8], length_at: usize) -> Option<&[u8]> {
    record.get(length_at + 4..)?.get(..read_u32(record, length_at)?)
}

/// A stored length or count, without the mark of what was cut.
#[inline]
fn read_u32(bytes: &[u8], at: usize) -> Option<usize> {
    let stored = bytes.get(at..)?.first_chunk::<4>()?;
    Some((u32::from_le_bytes(*stored) & !CUT_BIT) as usize)
}

/// Writes a record with its secrets masked over `out`, which is as long.
fn rewrite(record: &[u8], edits: &[Edit], out: &mut [u8]) {
    let (mut read, mut write) = (0, 0);
    for Edit { place, width, found } in edits {
        let copied = place.start - read;
        out[write..write + copied].copy_from_slice(&record[read..place.start]);
        write += copied;
        let start = write;
        put_masked(&record[place.clone()], found, |part| {
            out[write..write + part.len()].copy_from_slice(part);
            write += part.len();
        });
        let shorter = place.len() - (write - start);
        subtract(&mut out[start - width..start], shorter);
        if *width == 2 {
            // The site's text: the definition around it gets shorter, too.
            subtract(&mut out[RECORD_HEADER_BYTES..RECORD_HEADER_BYTES + 4], shorter);
        }
        read = place.end;
    }
    let rest = record.len() - read;
    out[write..write + rest].copy_from_slice(&record[read..]);
    out[write + rest..].fill(0);
    out[FLAGS_OFFSET] |= Flags::MASKED.0 as u8;
}

/// Subtracts from a stored length; the mark of what was cut stays.
fn subtract(stored: &mut [u8], less: usize) {
    let mut borrow = less;
    for byte in stored {
        let (digit, under) = byte.overflowing_sub((borrow & 0xff) as u8);
        *byte = digit;
        borrow = (borrow >> 8) + usize::from(under);
    }
}
