//! What stands in a frame with records: do the frame's numbers agree with them, and can each be
//! decoded with what its segment defines?

use crate::definition::ContextDefinition;
use crate::journal::dictionary::{Dictionary, Site};
use crate::journal::frame::{FrameHeader, Kind, RunHeader, run_flags};
use crate::journal::kept::Kept;
use crate::journal::merge::parts::{Parts, arguments_match, split};
use crate::record::{GAP_SITE, Gap, INLINE, RECORD_HEADER_BYTES, RecordHeader, TimeKind};

/// What is decoded of the definitions that records carry themselves.
#[derive(Debug, Default)]
pub(super) struct Inline {
    sites: Kept<Option<Site>>,
    contexts: Kept<bool>,
}

impl Inline {
    fn site(&mut self, bytes: &[u8]) -> Option<&Site> {
        self.sites.get(bytes, Site::decode).as_ref()
    }

    fn is_context(&mut self, bytes: &[u8]) -> bool {
        *self.contexts.get(bytes, |bytes| ContextDefinition::decode(bytes).is_ok())
    }
}

/// What the records of a frame came to.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// How many there are, gap records not counted.
    pub(super) count: u32,
    pub(super) gaps: Vec<Gap>,
    /// How many cannot be decoded, and why the first cannot.
    pub(super) bad: u32,
    pub(super) why: Option<&'static str>,
    /// What the frame says of them that is not so.
    pub(super) wrong: Option<&'static str>,
}

impl Records {
    fn bad(&mut self, why: &'static str) {
        self.bad += 1;
        self.why.get_or_insert(why);
    }
}

/// Checks the records of a frame whose checksum matches.
pub(super) fn check(
    header: &FrameHeader,
    run: &RunHeader,
    records: &[u8],
    dictionary: &Dictionary,
    inline: &mut Inline,
) -> Records {
    let mut found = Records::default();
    let ring = run.position.ring_id;
    let (mut at, mut count) = (0, 0_u32);
    let (mut first, mut last) = (None, None);
    while let Some(record) = RecordHeader::read(&records[at..]) {
        let bytes = &records[at..at + record.length as usize];
        match check_one(record, bytes, ring, dictionary, inline) {
            Ok(None) => found.count += 1,
            Ok(Some(gap)) => found.gaps.push(gap),
            Err(why) => found.bad(why),
        }
        first.get_or_insert(record);
        last = Some(record);
        count += 1;
        at += bytes.len();
    }
    if at < records.len() {
        found.wrong = Some("ends inside a record");
    } else if count != header.count || count == 0 {
        found.wrong = Some("tells another number of records than it has");
    } else if header.kind == Kind::GAP && (found.gaps.len() != 1 || count != 1) {
        found.wrong = Some("is to tell a loss and holds something else");
    }
    if let (Some(first), Some(last), None) = (first, last, found.wrong) {
        let kinds: [Option<TimeKind>; 2] = [first, last].map(|record| record.flags.time_kind());
        let told = run_flags(kinds[0], kinds[1]);
        if (run.first_time, run.last_time, header.flags) != (first.time, last.time, told) {
            found.wrong = Some("tells other times than those of its records");
        }
    }
    let position = run.position;
    let own = |gap: &Gap| (gap.lane, gap.generation) == (position.lane, position.generation);
    if !found.gaps.iter().all(own) {
        found.wrong = Some("tells the loss of another lane");
    }
    found
}

/// Checks one record; its losses if it is a gap record.
fn check_one(
    header: RecordHeader,
    record: &[u8],
    ring: u64,
    dictionary: &Dictionary,
    inline: &mut Inline,
) -> Result<Option<Gap>, &'static str> {
    let Some(kind) = header.flags.time_kind() else { return Err("its time is of an unknown kind") };
    if header.site == GAP_SITE {
        let gap = Gap::read(header.time, &record[RECORD_HEADER_BYTES..]);
        return gap.map(Some).map_err(|_| "a gap record has an impossible length");
    }
    if kind != TimeKind::CallerUnixNanos && !dictionary.is_calibrated() {
        return Err("nothing in the segment tells what time its ticks are");
    }
    let Some(parts) = split(header, 0, record) else {
        return Err("a definition inside it is cut short");
    };
    let matches = match parts.site_inline {
        Some(bytes) => inline.site(bytes).map(|site| fits(site, &parts)),
        None => dictionary.site(ring, header.site).map(|site| fits(site, &parts)),
    };
    match matches {
        None => return Err("its call site is not defined in the segment"),
        Some(false) => return Err("its arguments do not match the types of its call site"),
        Some(true) => {}
    }
    let known = match parts.context_inline {
        Some(bytes) => inline.is_context(bytes),
        None if header.context == 0 => true,
        None => header.context != INLINE && dictionary.context(ring, header.context).is_some(),
    };
    if known { Ok(None) } else { Err("its context is not defined in the segment") }
}

fn fits(site: &Site, parts: &Parts<'_>) -> bool {
    arguments_match(&site.definition, site.fixed_bytes, parts)
}
