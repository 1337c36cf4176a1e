//! Journals, records and readers for the tests.

use std::collections::HashMap;

use crate::clock::Calibration;
use crate::definition::{SiteSpec, encode_context};
pub(super) use crate::journal::position::Progress;
pub(super) use crate::journal::reader::{Body, Frame};
use crate::journal::*;
use crate::level::Level;
use crate::record::{Args, Flags, RECORD_HEADER_BYTES, RecordHeader, Sink, TimeKind, Value};

pub(super) const RING: u64 = 0x7269_6e67;

/// One tick is one nanosecond; tick 0 is 2023-11-14T22:13:20Z.
pub(super) const LINE: Calibration = Calibration {
    ticks: 0,
    unix_nanos: 1_700_000_000_000_000_000,
    nanos_per_tick: 1 << 32,
    stepped: false,
};

/// The order window of the tests, in ticks.
pub(super) const WINDOW: u64 = 1_000;

pub(super) fn options(place: Place, mapped: bool) -> JournalOptions {
    JournalOptions {
        place,
        segment_bytes: SEGMENT_BYTES_MIN,
        segments: 4,
        mapped,
        guarded: true,
        reserve_bytes: 0,
        hidden: true,
        prepare_bytes: 64 << 10,
        ring_id: RING,
        order_window_nanos: WINDOW,
        host: "host".into(),
        program: "program".into(),
        facility: 16,
    }
}

pub(super) fn directory(path: &std::path::Path) -> Place {
    Place::Directory { path: path.join("journal"), file_mode: 0o600, dir_mode: 0o700 }
}

/// Definitions in memory. Site n has the text `event n` and the fields `value` (u64), `name` (str).
#[derive(Debug, Default, Clone)]
pub(super) struct Known {
    pub(super) sites: HashMap<u32, Vec<u8>>,
    pub(super) contexts: HashMap<u32, Vec<u8>>,
}

impl Known {
    pub(super) fn with_sites(count: u32) -> Self {
        let mut known = Known::default();
        for id in 1..=count {
            known.sites.insert(id, site_bytes(id));
        }
        known
    }

    pub(super) fn add_context(&mut self, id: u32, symbol: &str) {
        self.contexts.insert(id, encode_context(&["symbol"], &((), symbol)).to_vec());
    }
}

pub(super) fn site_bytes(id: u32) -> Vec<u8> {
    let text = format!("event {id}");
    let spec = SiteSpec {
        level: Level::Info,
        trade: false,
        line: id,
        text: &text,
        target: "test",
        file: "test.rs",
        fields: &["value", "name"],
    };
    spec.encode(<(((), u64), &str) as Args>::types).to_vec()
}

impl Definitions for Known {
    fn site(&self, id: u32) -> Option<&[u8]> {
        self.sites.get(&id).map(Vec::as_slice)
    }

    fn context(&self, id: u32) -> Option<&[u8]> {
        self.contexts.get(&id).map(Vec::as_slice)
    }
}

const NAME_BYTES_MAX: usize = 16_000;

/// A record with the arguments `value` and `name`.
pub(super) fn record(
    site: u32,
    context: u32,
    kind: TimeKind,
    time: u64,
    value: u64,
    name: &str,
) -> Vec<u8> {
    let arguments = (((), value), name);
    let length =
        RECORD_HEADER_BYTES + <(((), u64), &str) as Args>::FIXED + arguments.extra(NAME_BYTES_MAX);
    let header = RecordHeader {
        length: length.next_multiple_of(8) as u32,
        site,
        context,
        flags: Flags::of_time(kind),
        time,
    };
    let mut bytes = vec![0; header.length as usize];
    header.write(bytes.first_chunk_mut().unwrap());
    arguments.put(&mut Sink::new(&mut bytes[RECORD_HEADER_BYTES..length]), NAME_BYTES_MAX);
    bytes
}

/// A store with its appender, rolling by itself.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) ring_id: u64,
    pub(super) store: SegmentStore,
    pub(super) index: SegmentIndex,
    pub(super) appender: Appender,
    pub(super) oldest_needed: u64,
    pub(super) rolls: u32,
}

impl Writer {
    pub(super) fn new(options: JournalOptions) -> Self {
        let ring_id = options.ring_id;
        let (mut store, index) = SegmentStore::open(options).unwrap();
        let first = store.prepare(u64::MAX).unwrap().unwrap();
        let mut appender = Appender::new(first, LINE);
        appender.stop_clock_for_test();
        Self { ring_id, store, index, appender, oldest_needed: u64::MAX, rolls: 0 }
    }

    pub(super) fn roll(&mut self) {
        let next = self.store.prepare(self.oldest_needed).unwrap().expect("a segment is free");
        let retired = self.appender.roll(next).unwrap();
        self.store.recycle(retired);
        self.rolls += 1;
    }

    pub(super) fn append(&mut self, lane: u32, records: &[u8], known: &Known) -> u32 {
        let ring_id = self.ring_id;
        let position = LanePosition { ring_id, lane, generation: 1, serial: 1, offset: 64 };
        loop {
            match self.appender.append_run(position, records, known) {
                Ok(bytes) => return bytes,
                Err(AppendError::Full) => self.roll(),
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// A pass that holds one run.
    pub(super) fn pass(
        &mut self,
        ticks: u64,
        lane: u32,
        records: &[u8],
        known: &Known,
    ) -> Progress {
        self.appender.begin_pass(ticks, None);
        assert_eq!(self.append(lane, records, known) as usize, records.len());
        self.appender.end_pass().unwrap()
    }
}

/// An entry as plain text: time, event, context, fields.
pub(super) fn line(entry: &crate::entry::Entry<'_>) -> String {
    let mut line = format!("{} {}", entry.time().0 - LINE.unix_nanos, entry.site().text);
    for (name, value) in entry.context() {
        line.push_str(&format!(" {name}={}", text(value)));
    }
    for field in entry.fields() {
        let (name, value) = field.unwrap();
        line.push_str(&format!(" {name}={}", text(value)));
    }
    line
}

fn text(value: Value<'_>) -> String {
    match value {
        Value::Str(text) => text.content.to_owned(),
        Value::Unsigned(number) => number.to_string(),
        Value::Time(time) => (time.0 - LINE.unix_nanos).to_string(),
        other => format!("{other:?}"),
    }
}

/// Everything that a reader of an ended journal gives: entries as lines, losses in brackets.
pub(super) fn read_all(index: &SegmentIndex) -> Vec<String> {
    drain(&mut EntryReader::new(index.clone(), None, Liveness::Ended))
}

pub(super) fn drain(reader: &mut EntryReader) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(event) = reader.next().unwrap() {
        lines.push(match event {
            Event::Entry(entry, _) => line(&entry),
            Event::Expired { first, last } => format!("[expired {first}..={last}]"),
            Event::Damaged { sequence, from, to, fault } => {
                format!("[damaged {sequence} {from}..{to}: {fault}]")
            }
        });
    }
    lines
}
