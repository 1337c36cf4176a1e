//! `tests/reader.py`, which knows `docs/format.md` and nothing else, reads what we read.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::properties::{fields, sample};
use crate::clock::Calibration;
use crate::entry::Entry;
use crate::formatters::tests_support::Finished;
use crate::formatters::values::{Values, json_string};
use crate::journal::{
    Appender, Definitions, EntryReader, Event, JournalOptions, LanePosition, Liveness, Place,
    SEGMENT_BYTES_MIN, SegmentIndex, SegmentStore,
};
use crate::level::Category;
use crate::record::{
    Flags, GAP_RECORD_BYTES, Gap, INLINE, RECORD_HEADER_BYTES, RecordHeader, TimeKind, Value,
};

const RING: u64 = 7;

/// 3 ticks in 2 nanoseconds; tick 0 is 2023-11-14T22:13:20Z.
const LINE: Calibration = Calibration {
    ticks: 0,
    unix_nanos: 1_700_000_000_000_000_000,
    nanos_per_tick: (2 << 32) / 3,
    stepped: false,
};

const SAMPLES: u32 = 300;
const PASSES: u64 = 700;
const PASS_TICKS: u64 = 10_000;

#[derive(Default)]
struct Known {
    sites: HashMap<u32, Vec<u8>>,
    contexts: HashMap<u32, Vec<u8>>,
}

impl Definitions for Known {
    fn site(&self, id: u32) -> Option<&[u8]> {
        self.sites.get(&id).map(Vec::as_slice)
    }

    fn context(&self, id: u32) -> Option<&[u8]> {
        self.contexts.get(&id).map(Vec::as_slice)
    }
}

/// A record of the sample; with an id of 0 its definitions stand in the record itself.
fn record(sample: &Finished, id: u32, kind: TimeKind, time: u64) -> Vec<u8> {
    let mut flags = Flags::of_time(kind);
    let mut body = Vec::new();
    let has_context = sample.context.is_some();
    let (site, context) = if id == 0 {
        flags = flags.with(Flags::SITE_INLINE);
        put_inline(&mut body, &sample.site_bytes);
        if has_context {
            flags = flags.with(Flags::CONTEXT_INLINE);
            put_inline(&mut body, &sample.context_bytes);
        }
        (INLINE, if has_context { INLINE } else { 0 })
    } else {
        (id, if has_context { 1 << 16 | id } else { 0 })
    };
    body.extend_from_slice(&sample.arguments);
    let length = (RECORD_HEADER_BYTES + body.len()).next_multiple_of(8);
    let mut bytes = vec![0; length];
    let header = RecordHeader { length: length as u32, site, context, flags, time };
    header.write(bytes.first_chunk_mut().unwrap());
    bytes[RECORD_HEADER_BYTES..][..body.len()].copy_from_slice(&body);
    bytes
}

fn put_inline(out: &mut Vec<u8>, definition: &[u8]) {
    out.extend_from_slice(&(definition.len() as u32).to_le_bytes());
    out.extend_from_slice(definition);
}

/// What the reader in Python prints for this entry.
fn expected(entry: &Entry<'_>) -> String {
    let mut values = Values::new();
    let mut pairs = |pairs: Vec<(&str, Value<'_>)>| {
        let mut out = b"[".to_vec();
        for (index, (name, value)) in pairs.into_iter().enumerate() {
            out.extend_from_slice(if index > 0 { b",[" } else { b"[" });
            json_string(&mut out, name, false);
            out.push(b',');
            values.json(&mut out, &value, entry.calibration);
            out.push(b']');
        }
        out.push(b']');
        String::from_utf8(out).unwrap()
    };
    format!(
        "{{\"time_ns\":{},\"level\":\"{}\",\"trade\":{},\"text\":{},\"fields\":{},\"context\":{}}}",
        entry.time().0,
        entry.level(),
        entry.category() == Category::Trade,
        serde_json::to_string(&entry.site().text).unwrap(),
        pairs(entry.fields().map(Result::unwrap).collect()),
        pairs(entry.context().collect()),
    )
}

fn ours(journal: &Path) -> (Vec<String>, bool) {
    let index = SegmentIndex::directory(journal);
    let mut reader = EntryReader::new(index, None, Liveness::Ended);
    let (mut lines, mut damaged) = (Vec::new(), false);
    while let Some(event) = reader.next().unwrap() {
        match event {
            // Its definition was damaged: the other reader tells that on stderr.
            Event::Entry(entry, _) if &*entry.site().text == "logger.undecodable" => {}
            Event::Entry(entry, _) => lines.push(expected(&entry)),
            _ => damaged = true,
        }
    }
    (lines, damaged)
}

fn theirs(journal: &Path) -> (Vec<String>, bool) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reader.py");
    let output = Command::new("python3").arg(script).arg(journal).output().unwrap();
    print!("{}", String::from_utf8_lossy(&output.stderr));
    let damaged = match output.status.code() {
        Some(0) => false,
        Some(1) => true,
        other => panic!("{other:?}"),
    };
    let lines = String::from_utf8(output.stdout).unwrap();
    (lines.lines().map(str::to_owned).collect(), damaged)
}

/// Both read the same entries, in the order of their times. Floats may be written in two ways.
fn agree(journal: &Path) -> usize {
    let ((mut ours, our_damage), (mut theirs, their_damage)) = (ours(journal), theirs(journal));
    assert_eq!(our_damage, their_damage);
    let parse = |line: &String| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let time = |line: &String| parse(line)["time_ns"].as_i64();
    ours.sort_by_cached_key(time);
    theirs.sort_by_cached_key(time);
    for (our, their) in ours.iter().zip(&theirs) {
        if our != their {
            assert_eq!(parse(our), parse(their), "\n{our}\n{their}");
        }
    }
    assert_eq!(ours.len(), theirs.len());
    ours.len()
}

fn gap(lane: u32, ticks: u64, count: u64) -> Gap {
    let by_reason = [count, 0, count / 2, 0, 0, count / 3];
    let trade = if lane == 2 { 0 } else { count / 5 };
    let (first_ticks, last_ticks) = (ticks - 20, ticks - 10);
    Gap { ticks, lane, generation: 1, by_reason, trade, first_ticks, last_ticks }
}

/// A journal of segments that roll and are recycled, written by three lanes.
struct Writing {
    store: SegmentStore,
    appender: Appender,
    samples: Vec<Finished>,
    known: Known,
    records: usize,
}

impl Writing {
    fn start(journal: &Path) -> Self {
        let (mut store, _index) = SegmentStore::open(JournalOptions {
            place: Place::Directory { path: journal.into(), file_mode: 0o600, dir_mode: 0o700 },
            segment_bytes: SEGMENT_BYTES_MIN,
            segments: 4,
            mapped: true,
            guarded: true,
            hidden: true,
            reserve_bytes: 0,
            prepare_bytes: 64 << 10,
            ring_id: RING,
            order_window_nanos: 1_000,
            host: "desk7".into(),
            program: String::new(),
            facility: 16,
        })
        .unwrap();
        let first = store.prepare(u64::MAX).unwrap().unwrap();
        let (samples, known) = any_samples();
        let mut appender = Appender::new(first, LINE);
        appender.stop_clock_for_test();
        Self { store, appender, samples, known, records: 0 }
    }

    fn pass(&mut self, number: u64) {
        let ticks = number * PASS_TICKS;
        let unix_nanos = LINE.to_unix(ticks).0;
        let line = Calibration { ticks, unix_nanos, ..LINE };
        self.appender.begin_pass(ticks, number.is_multiple_of(50).then_some(line));
        for lane in 1..=3_u32 {
            let run = self.run(number, lane);
            let position =
                LanePosition { ring_id: RING, lane, generation: 1, serial: number, offset: 64 };
            while self.appender.append_run(position, &run, &self.known).is_err() {
                let next = self.store.prepare(u64::MAX).unwrap().unwrap();
                self.store.recycle(self.appender.roll(next).unwrap());
            }
        }
        self.appender.end_pass().unwrap();
    }

    /// Records of every kind of time, with definitions in front and inside, and of losses.
    fn run(&mut self, pass: u64, lane: u32) -> Vec<u8> {
        let mut run = Vec::new();
        let start = pass * PASS_TICKS - 1_000 + u64::from(lane);
        for n in 0..4_u64 {
            let time = start + n * 10;
            let (kind, time) = match n {
                0 => (TimeKind::CallerTicks, time),
                1 => (TimeKind::CallerUnixNanos, LINE.to_unix(time).0 as u64),
                _ => (TimeKind::OwnTicks, time),
            };
            let number = (pass * 12 + u64::from(lane) * 4 + n) % u64::from(SAMPLES);
            let id = if n == 3 { 0 } else { number as u32 + 1 };
            run.extend(record(&self.samples[number as usize], id, kind, time));
        }
        self.records += 4;
        if pass.is_multiple_of(40) {
            let mut bytes = [0; GAP_RECORD_BYTES as usize];
            gap(lane, start + 500, pass).write(&mut bytes);
            run.extend(bytes);
            self.records += 1;
        }
        run
    }
}

/// Sites and contexts with names and values of all kinds.
fn any_samples() -> (Vec<Finished>, Known) {
    let mut runner = TestRunner::deterministic();
    let mut known = Known::default();
    let make = |id: u32| {
        let (call, bound) = (fields(), fields()).new_tree(&mut runner).unwrap().current();
        let finished = sample("event {{", &call, &bound, 0).finish();
        known.sites.insert(id, finished.site_bytes.clone());
        known.contexts.insert(1 << 16 | id, finished.context_bytes.clone());
        finished
    };
    ((1..=SAMPLES).map(make).collect(), known)
}

/// Changes a byte of every segment: in the middle of what was written; of the last, in its first
/// page.
fn damage(journal: &Path) {
    let mut files: Vec<_> =
        std::fs::read_dir(journal).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for (number, file) in files.iter().enumerate() {
        let mut bytes = std::fs::read(file).unwrap();
        let cursor = u64::from_le_bytes(*bytes[512..].first_chunk().unwrap()) as usize;
        let at = if number == files.len() - 1 { 40 } else { (4096 + cursor) / 2 };
        bytes[at] ^= 0x55;
        std::fs::write(file, bytes).unwrap();
    }
}

#[test]
fn a_reader_written_from_the_document_agrees_with_ours() {
    if Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: there is no python3");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let journal = home.path().join("journal");
    let mut writing = Writing::start(&journal);
    for number in 1..=PASSES {
        writing.pass(number);
    }
    writing.appender.begin_pass((PASSES + 1) * PASS_TICKS, None);
    writing.appender.append_gap(&gap(9, PASSES * PASS_TICKS, 77)).unwrap();
    writing.appender.end_pass().unwrap();
    let whole = agree(&journal);
    println!("{whole} of {} entries are kept, and both readers agree", writing.records + 1);
    assert!(whole < writing.records, "segments were recycled");

    writing.appender.finish().0.unwrap();
    assert_eq!(agree(&journal), whole);
    damage(&journal);
    let left = agree(&journal);
    println!("{left} are left after damage, and both readers agree");
    assert!(left < whole && left > whole / 2);
}
