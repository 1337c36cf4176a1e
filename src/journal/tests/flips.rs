//! Row 15: every byte of a segment of 1 MiB is flipped, and no reader gives a wrong record.
//!
//! A byte of a frame with records can touch that frame alone. So one byte of every second frame is
//! flipped at once and the whole segment is read: the other half must come as it was written, and
//! each flipped frame must be told as damage, no more and no less. Bytes of the header and of
//! definitions, on which more depends, are flipped one at a time.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::corruption::check;
use super::support::*;
use super::verify::frames;
use crate::journal::*;
use crate::record::{TimeKind, UnixNanos};

const SEGMENT_BYTES: usize = 1 << 20;
/// What a frame with records is called.
const RECORDS: u16 = 1;

/// A full segment, and another one behind it with its last entry.
struct Segment {
    index: SegmentIndex,
    file: Arc<File>,
    whole: Vec<u8>,
    lines: Vec<String>,
    flipped: Vec<bool>,
}

impl Segment {
    fn new() -> Self {
        let segment_bytes = SEGMENT_BYTES as u64;
        let mut writer =
            Writer::new(JournalOptions { segment_bytes, ..options(Place::Memory, false) });
        let mut known = Known::with_sites(3);
        known.add_context(0x1_0001, "BTC");
        for pass in 1.. {
            let site = (pass % 3 + 1) as u32;
            let name = format!("{pass:0>100}");
            let time = pass * 100 - 50;
            let context = if pass % 2 == 0 { 0x1_0001 } else { 0 };
            let run = record(site, context, TimeKind::OwnTicks, time, pass, &name);
            writer.pass(pass * 100, 1, &run, &known);
            if writer.rolls == 1 {
                break;
            }
        }
        let lines = read_all(&writer.index);
        let index = writer.index.clone();
        let file = index.open(1).unwrap().unwrap();
        let mut whole = vec![0; SEGMENT_BYTES];
        file.read_exact_at(&mut whole, 0).unwrap();
        Segment { index, file, whole, lines, flipped: vec![false; SEGMENT_BYTES] }
    }

    /// Flips bits of these bytes, and of no others.
    fn flip(&mut self, places: impl IntoIterator<Item = usize>) {
        let mut bytes = self.whole.clone();
        for at in places {
            bytes[at] ^= [0x01, 0x80, 0xff, 0x10, 0x08][at % 5];
            self.flipped[at] = true;
        }
        self.file.write_all_at(&bytes, 0).unwrap();
    }

    /// One byte alone: no wrong entry, and what is missing is told.
    fn flip_one(&mut self, at: usize) {
        self.flip([at]);
        check(&read_all(&self.index), &self.lines, &format!("byte {at}"));
    }
}

/// Every second frame, beginning with `first`, has its byte `at` flipped: the others come as they
/// were written, and each of these is told.
fn flip_in_frames(segment: &mut Segment, runs: &[(usize, usize)], first: usize, at: usize) {
    segment.flip(runs.iter().skip(first).step_by(2).map(|(start, _)| start + at));
    let mut reader = EntryReader::new(segment.index.clone(), None, Liveness::Ended);
    let mut flipped = runs.iter().skip(first).step_by(2);
    let kept = |number: &usize| number % 2 != first || *number == runs.len();
    let mut kept = (0..=runs.len()).filter(kept).map(|number| &segment.lines[number]);
    while let Some(event) = reader.next().unwrap() {
        match event {
            Event::Entry(entry, _) => assert_eq!(Some(&line(&entry)), kept.next(), "byte {at}"),
            Event::Damaged { sequence, from, to, .. } => {
                let (start, length) = flipped.next().expect("one damage for each flipped frame");
                let told = (sequence, from as usize, to as usize);
                assert_eq!(told, (1, *start, start + length), "byte {at} of frame {start}");
            }
            Event::Expired { .. } => panic!("nothing is recycled"),
        }
    }
    assert_eq!((kept.next(), flipped.next()), (None, None), "byte {at} of every second frame");
}

#[test]
fn row_15_every_flipped_byte_of_a_segment_of_a_mebibyte_is_told_and_gives_no_wrong_record() {
    let mut segment = Segment::new();
    let frames = frames(&segment.whole);
    let runs: Vec<(usize, usize)> =
        frames.iter().filter(|frame| frame.2 == RECORDS).map(|frame| (frame.0, frame.1)).collect();
    assert_eq!(runs.len() + 1, segment.lines.len());
    let length = runs[0].1;
    assert!(runs.iter().all(|run| run.1 == length));
    for at in 0..length {
        flip_in_frames(&mut segment, &runs, 0, at);
        flip_in_frames(&mut segment, &runs, 1, at);
    }
    // The header's fixed part, the opening line, the cursor; definitions, calibrations, the end.
    let others = frames.iter().filter(|frame| frame.2 != RECORDS);
    let others = others.flat_map(|&(start, length, _)| start..start + length);
    let alone: Vec<usize> = (0..224).chain(256..288).chain(512..520).chain(others).collect();
    for &at in &alone {
        segment.flip_one(at);
    }
    // One byte of every entry of the time index: nothing but the place where `--since` begins.
    for at in 0..24 {
        segment.flip((1024 + at..4096).step_by(24));
        assert!(read_all(&segment.index) == segment.lines, "byte {at} of the time index");
        let middle = LINE.unix_nanos + segment.lines.len() as i64 * 50;
        let from = JournalReader::seek(&segment.index, UnixNanos(middle).0).unwrap();
        let mut reader = EntryReader::new(segment.index.clone(), from, Liveness::Ended);
        assert!(segment.lines.ends_with(&drain(&mut reader)), "byte {at} of the time index");
    }
    // What nothing is read from, at once.
    let rest: Vec<usize> = (0..SEGMENT_BYTES).filter(|&at| !segment.flipped[at]).collect();
    segment.flip(rest.iter().copied());
    assert!(read_all(&segment.index) == segment.lines);
    let count = segment.flipped.iter().filter(|&&flipped| flipped).count();
    println!(
        "row 15: {count} flipped bytes of a segment, {} of them in {} frames with records, {} alone, \
         {} that nothing is read from",
        length * runs.len(),
        runs.len(),
        alone.len(),
        rest.len()
    );
    assert!(count == SEGMENT_BYTES && rest.len() < 2_000);
}
