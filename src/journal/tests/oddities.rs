//! Records and frames out of the ordinary.

use super::support::*;
use crate::clock::Calibration;
use crate::journal::*;
use crate::level::Level;
use crate::record::{Flags, Gap, INLINE, RECORD_HEADER_BYTES, RecordHeader, TimeKind};

fn one_pass(fill: impl FnOnce(&mut Writer)) -> Vec<String> {
    let mut writer = Writer::new(options(Place::Memory, true));
    writer.appender.begin_pass(1_000, None);
    fill(&mut writer);
    writer.appender.end_pass().unwrap();
    read_all(&writer.index)
}

#[test]
fn definitions_inside_a_record_are_used() {
    let plain = record(INLINE, INLINE, TimeKind::OwnTicks, 5, 7, "x");
    let mut known = Known::default();
    known.add_context(1, "ETH");
    // Without the padding of the plain record: 8 + 4 + 1 bytes of arguments.
    let arguments = &plain[RECORD_HEADER_BYTES..RECORD_HEADER_BYTES + 13];
    let mut bytes = plain[..RECORD_HEADER_BYTES].to_vec();
    for definition in [&site_bytes(9), &known.contexts[&1]] {
        bytes.extend((definition.len() as u32).to_le_bytes());
        bytes.extend(definition);
    }
    bytes.extend(arguments);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let header = RecordHeader {
        length: bytes.len() as u32,
        flags: Flags::SITE_INLINE.with(Flags::CONTEXT_INLINE),
        ..RecordHeader::read(&plain).unwrap()
    };
    header.write(bytes.first_chunk_mut().unwrap());
    let cut = bytes.len();
    bytes.extend_from_within(..cut);
    let lines = one_pass(|writer| {
        writer.append(1, &bytes, &known);
    });
    assert_eq!(lines, ["5 event 9 symbol=ETH value=7 name=x"; 2]);
}

#[test]
fn a_record_that_cannot_be_read_becomes_an_entry_that_says_so() {
    let mut run = record(1, 0, TimeKind::OwnTicks, 1, 1, "before");
    run.extend(record(77, 0, TimeKind::OwnTicks, 2, 1, "no such site"));
    let mut torn = record(1, 0, TimeKind::OwnTicks, 3, 1, "x");
    torn[32] = 200;
    run.extend(torn);
    run.extend(record(1, 0x9_0009, TimeKind::OwnTicks, 4, 1, "no such context"));
    let mut later = record(1, 0, TimeKind::OwnTicks, 5, 1, "later kind of time");
    later[12] = 3;
    run.extend(later);
    run.extend(record(INLINE, 0, TimeKind::OwnTicks, 6, 1, "x"));
    let lines = one_pass(|writer| {
        writer.append(1, &run, &Known::with_sites(1));
    });
    assert_eq!(
        lines,
        [
            "1 event 1 value=1 name=before",
            "2 logger.undecodable site=77 length=48",
            "3 logger.undecodable site=1 length=40",
            "4 event 1 undefined_context=589833 value=1 name=no such context",
            "1000 logger.undecodable site=1 length=56",
            "6 logger.undecodable site=4294967295 length=40",
        ]
    );
}

#[test]
fn losses_are_told_once_by_what_was_added() {
    let gap = |full: u64, disk: u64, trade: u64| Gap {
        ticks: 500,
        lane: 3,
        generation: 1,
        by_reason: [full, 0, 0, 0, 0, disk],
        trade,
        first_ticks: 100,
        last_ticks: 400,
    };
    let mut writer = Writer::new(options(Place::Memory, true));
    writer.appender.begin_pass(1_000, None);
    for report in [gap(0, 0, 0), gap(5, 0, 0), gap(5, 0, 0), gap(7, 1, 2)] {
        writer.appender.append_gap(&report).unwrap();
    }
    // In the lane's own stream, and of a new generation, whose totals start again.
    let mut bytes = [0; crate::record::GAP_RECORD_BYTES as usize];
    Gap { generation: 2, ..gap(4, 0, 0) }.write(&mut bytes);
    let position = LanePosition { ring_id: RING, lane: 3, generation: 2, serial: 0, offset: 64 };
    writer.appender.append_run(position, &bytes, &Known::default()).unwrap();
    writer.appender.end_pass().unwrap();

    let mut reader = EntryReader::new(writer.index.clone(), None, Liveness::Ended);
    let mut found = Vec::new();
    while let Some(Event::Entry(entry, _)) = reader.next().unwrap() {
        assert_eq!(entry.level(), Level::Warning);
        found.push((line(&entry), entry.category() == crate::Category::Trade));
    }
    let expected = [
        ("500 logger.gap lost=5 full=5 trade=0 first=100 last=400", false),
        ("500 logger.gap lost=3 full=2 disk=1 trade=2 first=100 last=400", true),
        ("500 logger.gap lost=4 full=4 trade=0 first=100 last=400", false),
    ];
    assert_eq!(found, expected.map(|(line, trade)| (line.to_owned(), trade)));
}

#[test]
fn own_stamps_younger_than_the_pass_wait_and_callers_stamps_do_not() {
    let mut run = record(1, 0, TimeKind::OwnTicks, 1_000, 1, "x");
    run.extend(record(1, 0, TimeKind::CallerTicks, 5_000, 2, "x"));
    let expected = run.len();
    run.extend(record(1, 0, TimeKind::OwnTicks, 1_001, 3, "x"));
    let known = Known::with_sites(1);
    one_pass(|writer| {
        assert_eq!(writer.append(1, &run, &known) as usize, expected);
        assert_eq!(writer.append(1, &run[expected..], &known), 0);
        assert_eq!(writer.append(1, &[], &known), 0);
    });
}

#[test]
fn a_run_with_more_definitions_than_a_segment_holds_is_taken_in_parts() {
    let mut known = Known::with_sites(1);
    let mut run = Vec::new();
    let count = 1_000;
    for n in 1..=count {
        known.add_context(0x1_0000 + n, &"s".repeat(400));
        run.extend(record(1, 0x1_0000 + n, TimeKind::OwnTicks, n.into(), n.into(), "x"));
    }
    let mut writer = Writer::new(JournalOptions { segments: 10, ..options(Place::Memory, true) });
    writer.appender.begin_pass(10_000, None);
    let mut taken = 0;
    while taken < run.len() {
        taken += writer.append(1, &run[taken..], &known) as usize;
    }
    writer.appender.end_pass().unwrap();
    assert!(writer.rolls >= 1);
    let lines = read_all(&writer.index);
    assert_eq!(lines.len(), count as usize);
    assert!(lines.iter().all(|line| line.contains("symbol=sss")));
}

#[test]
fn a_new_calibration_holds_from_its_frame_on() {
    let known = Known::with_sites(1);
    let mut writer = Writer::new(options(Place::Memory, true));
    writer.pass(100, 1, &record(1, 0, TimeKind::OwnTicks, 50, 1, "x"), &known);
    let hour = Calibration { unix_nanos: LINE.unix_nanos + 3_600, stepped: true, ..LINE };
    writer.appender.begin_pass(200, Some(hour));
    writer.append(1, &record(1, 0, TimeKind::OwnTicks, 150, 2, "x"), &known);
    writer.appender.end_pass().unwrap();
    writer.roll();
    writer.pass(300, 1, &record(1, 0, TimeKind::OwnTicks, 250, 3, "x"), &known);
    let expected =
        ["50 event 1 value=1 name=x", "3750 event 1 value=2 name=x", "3850 event 1 value=3 name=x"];
    assert_eq!(read_all(&writer.index), expected);
}

#[test]
fn a_frame_of_an_unknown_kind_is_skipped() {
    let known = Known::with_sites(1);
    let mut writer = Writer::new(options(Place::Memory, false));
    writer.pass(100, 1, &record(1, 0, TimeKind::OwnTicks, 50, 1, "x"), &known);
    writer.appender.begin_pass(200, None);
    writer.appender.append_unknown_for_test(4_711, 96);
    writer.append(1, &record(1, 0, TimeKind::OwnTicks, 150, 2, "x"), &known);
    writer.appender.end_pass().unwrap();
    let expected = ["50 event 1 value=1 name=x", "150 event 1 value=2 name=x"];
    assert_eq!(read_all(&writer.index), expected);
}
