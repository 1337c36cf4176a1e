//! Parts of the engine by themselves, for `cargo bench --bench parts`. No program needs them, and
//! they may change with any release.

use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

use crate::clock::Calibration;
use crate::context::Context;
use crate::definition::SiteSpec;
use crate::entry::OwnEntry;
use crate::formatters::{
    Formatter, Identity, JsonFormatter, LogfmtFormatter, Rfc5424Formatter, TextFormatter,
};
use crate::journal::{
    Appender, Definitions, JournalOptions, JournalReader, LanePosition, Liveness, Merge, Place,
    Position, SegmentIndex, SegmentStore, Step, crc32c,
};
use crate::level::Level;
use crate::processors::{Chain, Installed, Masking, Processor, TextScreen};
use crate::record::{
    Args, Flags, GAP_RECORD_BYTES, RECORD_HEADER_BYTES, RecordHeader, TimeKind, UnixNanos,
};
use crate::ring::{
    BLOCK_HEADER_BYTES, Class, GapRecord, LaneHandle, Pages, Ring, RingConfig, RingDrain,
};
use crate::shared::{encode, ticks_now};

/// The arguments of the record that the parts work on: two integers and a float.
type Sample = ((((), u64), u64), f64);

/// The length of that record.
const BYTES: usize = RECORD_HEADER_BYTES + Sample::FIXED;

/// How many records one run of the journal holds.
const RUN_RECORDS: usize = 100;

const BLOCK_BYTES: u32 = 4 << 10;

fn header() -> RecordHeader {
    let flags = Flags::of_time(TimeKind::OwnTicks);
    RecordHeader { length: BYTES as u32, site: 1, context: 0, flags, time: 1 }
}

/// A record of a site, as it stands in a block.
fn record<A: Args>(site: u32, args: &A) -> Vec<u8> {
    let length = RECORD_HEADER_BYTES + A::FIXED + args.extra(usize::MAX);
    let mut record = vec![0; length.next_multiple_of(8)];
    let header = RecordHeader { length: record.len() as u32, site, ..header() };
    encode(&mut record, header, &[], args, usize::MAX);
    record
}

/// Encodes a record of `values` into `record`, as a log call does.
#[inline(always)]
pub fn encode_record(record: &mut [u8; 48], values: (u64, u64, f64)) {
    const { assert!(BYTES == 48) };
    let args: Sample = ((((), values.0), values.1), values.2);
    encode(record, header(), &[], &args, usize::MAX);
}

/// A ring in anonymous memory with one producer, and its drain, which works when it is told to.
#[derive(Debug)]
pub struct OneLane {
    lane: LaneHandle,
    drain: RingDrain,
}

impl OneLane {
    /// Records that one block holds.
    pub const OF_A_BLOCK: u64 = ((BLOCK_BYTES - BLOCK_HEADER_BYTES) / BYTES as u32) as u64;

    /// A ring of 1 MiB in blocks of 4 KiB.
    ///
    /// # Panics
    /// When there is no memory.
    #[must_use]
    pub fn new() -> Self {
        let made = Ring::create(RingConfig {
            ring_bytes: 1 << 20,
            block_bytes: BLOCK_BYTES,
            reserve_blocks: 0,
            lanes: Some(2),
            dir: None,
            pages: Pages::default(),
            owner: Vec::new(),
            gap: GapRecord { bytes: GAP_RECORD_BYTES, write: |_, _| {} },
            clock: ticks_now,
        });
        match made {
            Ok((ring, drain)) => Self { lane: ring.register(), drain },
            Err(error) => panic!("no ring to measure: {error}"),
        }
    }

    /// Pushes a record of 48 bytes; false when the ring is full.
    #[inline(always)]
    #[must_use]
    pub fn push(&self, value: u64) -> bool {
        let args: Sample = ((((), value), 2), 0.5);
        let write = |mut slot: crate::sync::Slot<'_>| {
            encode(slot.bytes_mut(), header(), &[], &args, usize::MAX);
        };
        self.lane.push(BYTES as u32, Class::default(), write).is_ok()
    }

    /// One pass: takes everything, gives the blocks back, and tells how many bytes there were.
    pub fn pass(&mut self) -> usize {
        let mut bytes = 0;
        self.drain.begin_pass();
        for lane in 0..self.drain.lanes() {
            while let Some(run) = self.drain.peek(lane) {
                let taken = run.bytes.len();
                bytes += taken;
                self.drain.take(lane, taken as u32);
            }
        }
        self.drain.commit();
        bytes
    }
}

impl Default for OneLane {
    fn default() -> Self {
        Self::new()
    }
}

/// What records refer to: sites, from 1 on.
#[derive(Debug)]
struct Sites(Vec<Vec<u8>>);

impl Definitions for Sites {
    fn site(&self, id: u32) -> Option<&[u8]> {
        self.0.get(id as usize - 1).map(Vec::as_slice)
    }

    fn context(&self, _id: u32) -> Option<&[u8]> {
        None
    }
}

const SITE: SiteSpec<'static> = SiteSpec {
    level: Level::Info,
    trade: false,
    line: 1,
    text: "order sent",
    target: "bot::orders",
    file: "src/orders.rs",
    fields: &["order_id", "quantity", "price"],
};

/// The same with a text in place of the second integer.
const TEXT_SITE: SiteSpec<'static> = SiteSpec { fields: &["order_id", "note", "price"], ..SITE };

/// A journal in memory, written through a mapping.
#[derive(Debug)]
pub struct InMemory {
    store: SegmentStore,
    index: SegmentIndex,
    appender: Appender,
    records: Vec<u8>,
    sites: Sites,
}

impl InMemory {
    /// Runs that one segment surely holds.
    pub const OF_A_SEGMENT: u64 = 384;
    /// Records of a run.
    pub const OF_A_RUN: u64 = RUN_RECORDS as u64;
    /// Bytes of a run's records.
    pub const RUN_BYTES: u64 = (RUN_RECORDS * BYTES) as u64;

    /// A journal of segments of 4 MiB.
    ///
    /// # Panics
    /// When there is no memory.
    #[must_use]
    pub fn new() -> Self {
        let args: Sample = ((((), 1), 2), 0.5);
        let sites = vec![SITE.encode(Sample::types).to_vec()];
        Self::of(sites, record(1, &args).repeat(RUN_RECORDS))
    }

    /// The same for records with a text in place of the second integer.
    ///
    /// # Panics
    /// When there is no memory.
    #[must_use]
    pub fn texts(text: &str) -> Self {
        let (sites, record) = Self::text_site(1, text);
        Self::of(vec![sites], record.repeat(RUN_RECORDS))
    }

    /// The same for what the demo's strategy logs: of a hundred records, 42 have numbers alone, and 58
    /// a side as well, in no order.
    ///
    /// # Panics
    /// When there is no memory.
    #[must_use]
    pub fn of_the_demo() -> Self {
        let numbers = record::<Sample>(1, &((((), 1), 2), 0.5));
        let (site, buy) = Self::text_site(2, "BUY");
        let (_, sell) = Self::text_site(2, "SELL");
        let mut state = 1_u64;
        let records = (0..RUN_RECORDS).flat_map(|at| {
            // 61 has no divisor in common with 100: each remainder comes once.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            match at * 61 % RUN_RECORDS {
                0..42 => &numbers,
                _ if state >> 63 == 0 => &buy,
                _ => &sell,
            }
        });
        let records = records.copied().collect();
        Self::of(vec![SITE.encode(Sample::types).to_vec(), site], records)
    }

    /// A site with a text, and a record of it.
    fn text_site(number: u32, text: &str) -> (Vec<u8>, Vec<u8>) {
        fn both<A: Args>(number: u32, args: &A) -> (Vec<u8>, Vec<u8>) {
            (TEXT_SITE.encode(A::types).to_vec(), record(number, args))
        }
        both(number, &((((), 1_u64), text), 0.5))
    }

    /// The same, looking through the records for secrets as the drain does.
    #[must_use]
    pub fn screened(mut self) -> Self {
        let screen = TextScreen::new(Arc::new(Masking::new(&[], &[])));
        self.appender.screen_with(Box::new(screen));
        self
    }

    fn of(sites: Vec<Vec<u8>>, records: Vec<u8>) -> Self {
        let options = JournalOptions {
            place: Place::Memory,
            segment_bytes: 4 << 20,
            segments: 4,
            mapped: true,
            guarded: true,
            hidden: true,
            reserve_bytes: 0,
            prepare_bytes: 4 << 20,
            ring_id: 1,
            order_window_nanos: 0,
            host: String::new(),
            program: String::new(),
            facility: 16,
        };
        let opened = SegmentStore::open(options).and_then(|(mut store, index)| {
            let first = store.prepare(u64::MAX)?;
            Ok((store, index, first))
        });
        let Ok((store, index, Some(first))) = opened else { panic!("no journal to measure") };
        let line = Calibration { ticks: 0, unix_nanos: 0, nanos_per_tick: 1 << 32, stepped: false };
        let mut appender = Appender::new(first, line);
        appender.begin_pass(2, None);
        Self { store, index, appender, records, sites: Sites(sites) }
    }

    /// Reads the current segment as the views do: checks its frames and brings the entries into
    /// their order. How many there were.
    ///
    /// # Panics
    /// When it is damaged.
    #[must_use]
    pub fn read(&self) -> usize {
        let from = Position::start_of(self.appender.sequence());
        let mut reader = JournalReader::new(self.index.clone(), Some(from), Liveness::Ended);
        let mut merge = Merge::new();
        let mut entries = 0;
        loop {
            match reader.next_frame() {
                Ok(Step::Frame(frame)) => merge.push(&frame),
                Ok(Step::EndOfData) => merge.finish(),
                other => panic!("the segment is not read: {other:?}"),
            }
            let before = entries;
            while let Some(given) = merge.next_entries(256) {
                entries += given.inspect(|given| _ = black_box(given)).count();
            }
            if before < entries {
                return entries;
            }
        }
    }

    /// Appends one run of 100 records: surveys it, copies it behind a frame's head, seals it.
    ///
    /// # Panics
    /// When the segment is full.
    pub fn append(&mut self) {
        let position = LanePosition { ring_id: 1, lane: 0, generation: 0, serial: 1, offset: 64 };
        if let Err(error) = self.appender.append_run(position, &self.records, &self.sites) {
            panic!("the run is not appended: {error}");
        }
    }

    /// Goes on in the next segment.
    ///
    /// # Panics
    /// When there is none.
    pub fn roll(&mut self) {
        let Ok(Some(next)) = self.store.prepare(u64::MAX) else { panic!("no next segment") };
        let Ok(retired) = self.appender.roll(next) else { panic!("the segment does not end") };
        self.store.recycle(retired);
    }

    /// The CRC of a run's records.
    #[must_use]
    pub fn checksum(&self) -> u32 {
        crc32c(&self.records)
    }
}

impl Default for InMemory {
    fn default() -> Self {
        Self::new()
    }
}

/// A formatter and an entry, two integers and a float, a microsecond later at each line.
pub struct Lines {
    formatter: Box<dyn Formatter>,
    entry: OwnEntry,
    after: i64,
    line: Vec<u8>,
    chain: Option<(Box<Chain>, Masking)>,
}

impl Lines {
    /// In the text format.
    #[must_use]
    pub fn text() -> Self {
        Self::new(Box::new(TextFormatter::new(false)))
    }

    /// In the text format, with a text in place of the second integer.
    #[must_use]
    pub fn texts(text: &str) -> Self {
        Self::of(Box::new(TextFormatter::new(false)), TEXT_SITE, &((((), 1_u64), text), 0.5))
    }

    /// In the JSON format.
    #[must_use]
    pub fn json() -> Self {
        Self::new(Box::new(JsonFormatter::new(Self::identity())))
    }

    /// In the logfmt format.
    #[must_use]
    pub fn logfmt() -> Self {
        Self::new(Box::new(LogfmtFormatter::new()))
    }

    /// As syslog messages of RFC 5424.
    #[must_use]
    pub fn rfc5424() -> Self {
        Self::new(Box::new(Rfc5424Formatter::new(&Self::identity(), 32473)))
    }

    fn identity() -> Identity {
        let (app_name, hostname) = ("bot".into(), "desk7".into());
        Identity { app_name, hostname, procid: 4711, facility: 16 }
    }

    fn new(formatter: Box<dyn Formatter>) -> Self {
        let args: Sample = ((((), 1_234_567), 3), 70_010.25);
        Self::of(formatter, SITE, &args)
    }

    fn of<A: Args>(formatter: Box<dyn Formatter>, spec: SiteSpec<'_>, args: &A) -> Self {
        let time = UnixNanos(1_767_323_045_123_456_789);
        let Some(entry) = OwnEntry::new(spec, args, time) else { panic!("an entry decodes") };
        Self { formatter, entry, after: 0, line: Vec::new(), chain: None }
    }

    /// The same through a processor.
    #[must_use]
    pub fn through(self, processor: impl Processor + 'static) -> Self {
        let chain = Chain::of(vec![Installed::new(processor)]);
        Self { chain: chain.map(|chain| (chain, Masking::new(&[], &[]))), ..self }
    }

    /// Renders the next line.
    pub fn next_line(&mut self) -> &[u8] {
        self.after += 1_000;
        self.line.clear();
        let mut entry = self.entry.entry();
        entry.time.0 += self.after;
        let entry = match &mut self.chain {
            None => entry,
            Some((chain, masking)) => match chain.process(&entry, masking) {
                Some(processed) => processed,
                None => return &self.line,
            },
        };
        self.formatter.line(&entry, &mut self.line);
        &self.line
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("entry", &self.entry).finish_non_exhaustive()
    }
}

/// The built-in sensitive names.
#[derive(Debug)]
pub struct Mask(Masking);

impl Mask {
    /// The mask of an engine without `mask_keys`.
    #[must_use]
    pub fn new() -> Self {
        Self(Masking::new(&[], &[]))
    }

    /// Whether any of these names is sensitive: what a call site's registration asks.
    #[must_use]
    pub fn finds(&self, names: &[&str]) -> bool {
        self.0.names().treatments(names, "").is_some()
    }

    /// Masks a context's values: what a bind asks.
    pub fn mask(&self, context: &mut Context) {
        context.mask(&self.0);
    }
}

impl Default for Mask {
    fn default() -> Self {
        Self::new()
    }
}
