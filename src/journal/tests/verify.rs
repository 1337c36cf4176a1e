//! What a check of a journal tells: nothing of one that is whole, and each kind of damage.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::support::*;
use crate::journal::bytes::{crc32c, get_u16, get_u32, put_u32, put_u64};
use crate::journal::*;
use crate::record::{Gap, TimeKind};

/// Where a lane of the test goes on.
struct Lane {
    number: u32,
    serial: u64,
    offset: u32,
}

impl Lane {
    fn new(number: u32) -> Self {
        Lane { number, serial: 1, offset: 64 }
    }

    fn position(&self) -> LanePosition {
        let Lane { number: lane, serial, offset } = *self;
        LanePosition { ring_id: RING, lane, generation: 1, serial, offset }
    }

    fn append(&mut self, writer: &mut Writer, records: &[u8], known: &Known) {
        let position = self.position();
        let taken = writer.appender.append_run(position, records, known).unwrap();
        assert_eq!(taken as usize, records.len());
        self.offset += taken;
    }
}

fn record_at(time: u64, context: u32) -> Vec<u8> {
    record((time % 3 + 1) as u32, context, TimeKind::OwnTicks, time, time, "abc")
}

/// A journal of two segments and two lanes with a gap; nothing is wrong with it.
pub(super) fn journal(home: &Path) -> SegmentIndex {
    let mut writer = Writer::new(options(directory(home), false));
    let mut known = Known::with_sites(3);
    known.add_context(0x1_0001, "BTC");
    let mut lanes = [Lane::new(1), Lane::new(2)];
    for pass in 1..=6_u64 {
        writer.appender.begin_pass(pass * 100, (pass == 3).then_some(LINE));
        for lane in &mut lanes {
            let run = [record_at(pass * 100 - 50, 0), record_at(pass * 100 - 40, 0x1_0001)];
            lane.append(&mut writer, &run.concat(), &known);
        }
        if pass == 2 {
            let lost =
                Gap { lane: 1, generation: 1, by_reason: [5, 0, 0, 0, 0, 1], ..Gap::default() };
            writer.appender.append_gap(&lost).unwrap();
            writer.appender.append_barrier().unwrap();
        }
        if pass == 4 {
            writer.roll();
            lanes[0] = Lane { serial: 2, ..Lane::new(1) };
        }
        writer.appender.end_pass().unwrap();
    }
    let index = writer.index.clone();
    writer.appender.finish().0.unwrap();
    index
}

fn check(index: &SegmentIndex) -> Vec<Checked> {
    let sequences = index.sequences().unwrap();
    let mut verifier = Verifier::new(index.clone(), sequences[0], Liveness::Ended);
    sequences.iter().map(|&sequence| verifier.segment(sequence, &mut |_| {}).unwrap()).collect()
}

/// Every problem of a journal, as text.
fn problems(index: &SegmentIndex) -> Vec<String> {
    let checked = check(index);
    checked.iter().flat_map(|checked| &checked.problems).map(ToString::to_string).collect()
}

/// Offset, length and kind of the frames of a segment.
pub(super) fn frames(bytes: &[u8]) -> Vec<(usize, usize, u16)> {
    let end = get_u32(bytes, 512) as usize;
    let mut at = 4096;
    let mut found = Vec::new();
    while at < end {
        let length = get_u32(bytes, at + 4) as usize;
        found.push((at, length, get_u16(bytes, at + 8)));
        at += length;
    }
    found
}

/// Changes the `nth` frame of a kind in segment 1, and makes its checksum right again.
fn forge(home: &Path, kind: u16, nth: usize, change: impl Fn(&mut [u8])) -> Vec<String> {
    let index = journal(home);
    let path = index.path(1);
    let mut bytes = fs::read(&path).unwrap();
    let (at, length, _) =
        frames(&bytes).into_iter().filter(|frame| frame.2 == kind).nth(nth).unwrap();
    change(&mut bytes[at..at + length]);
    let crc = crc32c(&bytes[at + 4..at + length]);
    put_u32(&mut bytes, at, crc);
    fs::write(&path, bytes).unwrap();
    problems(&index)
}

#[test]
fn a_journal_that_is_whole_has_no_problem_and_is_counted() {
    let home = tempfile::tempdir().unwrap();
    let checked = check(&journal(home.path()));
    let [first, second] = &checked[..] else { panic!("{checked:?}") };
    assert!(first.problems.is_empty() && second.problems.is_empty(), "{checked:?}");
    assert_eq!((first.records, second.records), (16, 8));
    assert_eq!((first.lost, second.lost), ([5, 0, 0, 0, 0, 1], [0; 6]));
    assert_eq!((first.next, second.next), (Some(2), Some(3)));
    assert_eq!((first.outcome, first.live), (Outcome::Checked, false));
}

#[test]
fn row_15_each_flipped_byte_of_header_or_frames_is_noticed() {
    let home = tempfile::tempdir().unwrap();
    let index = journal(home.path());
    let mut flips = 0;
    for sequence in [1, 2] {
        let bytes = fs::read(index.path(sequence)).unwrap();
        let end = get_u32(&bytes, 512) as usize;
        let file = fs::OpenOptions::new().write(true).open(index.path(sequence)).unwrap();
        for at in (0..224).chain(4096..end) {
            file.write_all_at(&[bytes[at] ^ 0x10], at as u64).unwrap();
            let found = check(&index);
            let damaged: u64 = found.iter().map(|checked| checked.damaged).sum();
            assert!(damaged > 0, "segment {sequence}, byte {at}: {found:?}");
            file.write_all_at(&[bytes[at]], at as u64).unwrap();
            flips += 1;
        }
    }
    println!("row 15: {flips} flipped bytes of header or frames, each noticed by verify");
    assert!(problems(&index).is_empty());
}

#[test]
fn a_frame_whose_numbers_disagree_with_its_records_is_told_although_its_checksum_matches() {
    let home = || tempfile::tempdir().unwrap();
    let told = |found: Vec<String>, what: &str| {
        assert!(found.iter().any(|text| text.contains(what)), "{what}: {found:?}");
    };
    let count = |frame: &mut [u8]| put_u32(frame, 12, 7);
    told(forge(home().path(), 1, 0, count), "another number of records");
    told(forge(home().path(), 1, 0, |frame| put_u64(frame, 88, 1)), "other times");
    told(forge(home().path(), 1, 0, |frame| put_u32(frame, 104, 4096)), "ends inside a record");
    told(forge(home().path(), 1, 2, |frame| put_u64(frame, 40, 0)), "earlier pass");
    told(forge(home().path(), 1, 0, |frame| put_u32(frame, 24, 0)), "names another definition");
    told(forge(home().path(), 5, 0, |frame| put_u32(frame, 104 + 24, 9)), "loss of another lane");
    told(forge(home().path(), 5, 0, |frame| put_u32(frame, 104 + 4, 1)), "something else");
    told(forge(home().path(), 6, 0, |frame| put_u64(frame, 40, 0)), "earlier pass");
    told(forge(home().path(), 2, 0, |frame| put_u32(frame, 44, 3)), "definition that cannot");
    told(forge(home().path(), 4, 0, |frame| put_u64(frame, 56, 1)), "another writer");
    told(forge(home().path(), 4, 1, |frame| put_u64(frame, 48, 0)), "stands still");
}

#[test]
fn records_that_cannot_be_decoded_are_told_with_the_reason() {
    let home = || tempfile::tempdir().unwrap();
    let told = |found: Vec<String>, what: &str| {
        assert!(found.iter().any(|text| text.contains(what)), "{what}: {found:?}");
    };
    let id = |frame: &mut [u8]| put_u32(frame, 40, 99);
    told(forge(home().path(), 2, 0, id), "its call site is not defined");
    told(forge(home().path(), 3, 0, id), "its context is not defined");
    told(forge(home().path(), 1, 0, |frame| put_u32(frame, 104 + 32, 9_999)), "do not match");
    told(forge(home().path(), 1, 0, |frame| frame[104 + 12] = 3), "unknown kind");
    told(forge(home().path(), 1, 0, |frame| frame[104 + 12] = 4), "cut short");
}

#[test]
fn a_lane_that_leaves_records_out_or_goes_back_is_told() {
    for (next, what) in [
        (Lane { number: 1, serial: 1, offset: 64 + 40 + 24 }, "24 bytes are missing"),
        (Lane { number: 1, serial: 3, offset: 64 }, "what stood between is missing"),
        (Lane { number: 1, serial: 2, offset: 72 }, "what stood between is missing"),
        (Lane::new(1), "records stand in it twice"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let mut writer = Writer::new(options(directory(home.path()), false));
        let known = Known::with_sites(3);
        let run = record(1, 0, TimeKind::OwnTicks, 5, 0, "");
        assert_eq!(run.len(), 40, "a header, a number, a length, no padding");
        writer.appender.begin_pass(10, None);
        Lane::new(1).append(&mut writer, &run, &known);
        let mut next = next;
        next.append(&mut writer, &run, &known);
        writer.appender.end_pass().unwrap();
        let found = problems(&writer.index);
        assert!(matches!(&found[..], [text] if text.contains(what)), "{what}: {found:?}");
    }
}

#[test]
fn a_lane_whose_beginning_is_not_there_is_told_only_if_nothing_was_recycled() {
    let home = tempfile::tempdir().unwrap();
    let index = journal(home.path());
    // The second segment goes on where the first has stopped; the first is gone.
    fs::remove_file(index.path(1)).unwrap();
    assert!(problems(&index).is_empty());
    let home = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(options(directory(home.path()), false));
    let known = Known::with_sites(3);
    writer.appender.begin_pass(10, None);
    Lane { serial: 4, ..Lane::new(1) }.append(&mut writer, &record_at(5, 0), &known);
    writer.appender.end_pass().unwrap();
    let found = problems(&writer.index);
    assert!(matches!(&found[..], [text] if text.contains("instead of block 1")), "{found:?}");
}

#[test]
fn a_wrong_time_index_is_told() {
    let home = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(options(directory(home.path()), false));
    let known = Known::with_sites(3);
    let mut lane = Lane::new(1);
    for pass in 1..=100 {
        writer.appender.begin_pass(pass * 100, None);
        let run = (0..10).map(|at| record_at(pass * 100 - 50 + at, 0)).collect::<Vec<_>>();
        lane.append(&mut writer, &run.concat(), &known);
        writer.appender.end_pass().unwrap();
    }
    let index = writer.index.clone();
    writer.appender.finish().0.unwrap();
    assert!(problems(&index).is_empty());
    let whole = fs::read(index.path(1)).unwrap();
    let place = 1024 + 3 * 24;
    for (at, what) in [(8, "points to where no frame begins"), (12, "another definition")] {
        let mut bytes = whole.clone();
        let value = get_u32(&bytes, place + at) - 8;
        put_u32(&mut bytes, place + at, value);
        let covered = [&bytes[40..48], &bytes[place..place + 16]].concat();
        put_u32(&mut bytes, place + 16, crc32c(&covered));
        fs::write(index.path(1), bytes).unwrap();
        let found = problems(&index);
        assert!(matches!(&found[..], [text] if text.contains(what)), "{what}: {found:?}");
    }
    let mut bytes = whole;
    bytes[place] ^= 1;
    fs::write(index.path(1), bytes).unwrap();
    let found = problems(&index);
    assert!(matches!(&found[..], [text] if text.contains("is damaged")), "{found:?}");
}

/// A journal whose writer is gone, its file, and where what is published in it ends: a whole frame behind
/// that is not.
fn with_an_unpublished_frame(home: &Path) -> (SegmentIndex, fs::File, u64) {
    let known = Known::with_sites(3);
    let mut writer = Writer::new(options(directory(home), true));
    let mut lane = Lane::new(1);
    writer.appender.begin_pass(100, None);
    lane.append(&mut writer, &record_at(50, 0), &known);
    let published = writer.appender.end_pass().unwrap().position.offset;
    writer.appender.begin_pass(200, None);
    lane.append(&mut writer, &record_at(149, 0), &known);
    let index = writer.index.clone();
    drop(writer);
    let file = fs::OpenOptions::new().read(true).write(true).open(index.path(1)).unwrap();
    (index, file, published)
}

#[test]
fn an_unfinished_frame_is_torn_until_a_later_run_has_gone_on() {
    let home = tempfile::tempdir().unwrap();
    let (index, file, published) = with_an_unpublished_frame(home.path());
    // The last bytes of the frame have not come so far.
    file.write_all_at(&[0xee; 16], published + 120).unwrap();
    let checked = check(&index).remove(0);
    assert_eq!(checked.torn.map(|torn| torn.from), Some(published), "{checked:?}");
    assert_eq!((checked.damaged, checked.records, checked.end), (1, 1, published));

    let mut next =
        Writer::new(JournalOptions { ring_id: 7, ..options(directory(home.path()), true) });
    next.appender.begin_pass(300, None);
    next.appender.append_barrier().unwrap();
    next.appender.end_pass().unwrap();
    let checked = check(&index).remove(0);
    assert_eq!((checked.damaged, checked.problems.len()), (0, 1), "{checked:?}");
}

#[test]
fn a_file_that_was_cut_inside_its_last_frame_is_torn_wherever_that_was() {
    let home = tempfile::tempdir().unwrap();
    let (index, file, published) = with_an_unpublished_frame(home.path());
    for left in (1..=100).rev() {
        file.set_len(published + left).unwrap();
        let mut kept = vec![0; left as usize];
        file.read_exact_at(&mut kept, published).unwrap();
        // A frame begins with its CRC, whose first byte may be a zero: alone, it is no trace of a frame.
        let torn = kept.iter().any(|&byte| byte != 0);
        assert!(torn || left < 4, "{left}");
        let checked = check(&index).remove(0);
        let from = checked.torn.as_ref().map(|torn| torn.from);
        assert_eq!(from, torn.then_some(published), "{left}: {checked:?}");
        assert_eq!((checked.damaged, checked.end), (u64::from(torn), published), "{left}");
    }
    file.set_len(published).unwrap();
    let checked = check(&index).remove(0);
    assert_eq!((checked.torn, checked.damaged), (None, 0), "{checked:?}");
}

#[test]
fn a_segment_that_is_recycled_under_the_check_has_expired() {
    let home = tempfile::tempdir().unwrap();
    let known = Known::with_sites(3);
    let mut writer =
        Writer::new(JournalOptions { segments: 2, ..options(directory(home.path()), false) });
    let mut lane = Lane::new(1);
    for pass in 1..=3 {
        writer.appender.begin_pass(pass * 100, None);
        lane.append(&mut writer, &record_at(pass * 100 - 50, 0), &known);
        writer.appender.end_pass().unwrap();
    }
    let mut verifier = Verifier::new(writer.index.clone(), 1, Liveness::Live);
    let live = verifier.segment(1, &mut |_| {}).unwrap();
    assert_eq!((live.outcome, live.live, live.records), (Outcome::Checked, true, 3));
    let mut verifier = Verifier::new(writer.index.clone(), 1, Liveness::Live);
    let mut rolled = false;
    let checked = verifier
        .segment(1, &mut |_| {
            if !std::mem::replace(&mut rolled, true) {
                (0..2).for_each(|_| writer.roll());
            }
        })
        .unwrap();
    assert_eq!(checked.outcome, Outcome::Expired, "{checked:?}");
    assert!(checked.problems.is_empty());
    assert_eq!(verifier.segment(1, &mut |_| {}).unwrap().outcome, Outcome::Expired);
    let third = verifier.segment(3, &mut |_| {}).unwrap();
    assert!(third.problems.is_empty(), "{third:?}");
}
