//! Writers that die or fail, and segments without an end.

use super::support::*;
use crate::journal::*;
use crate::record::TimeKind;

fn run(time: u64) -> Vec<u8> {
    record(1, 0, TimeKind::OwnTicks, time, time, "x")
}

fn expected(times: impl IntoIterator<Item = u64>) -> Vec<String> {
    times.into_iter().map(|time| format!("{time} event 1 value={time} name=x")).collect()
}

#[test]
fn frames_behind_the_cursor_of_a_dead_writer_are_read_and_the_next_run_follows() {
    let home = tempfile::tempdir().unwrap();
    let known = Known::with_sites(1);
    let mut writer = Writer::new(options(directory(home.path()), true));
    writer.pass(10, 1, &run(5), &known);
    writer.appender.begin_pass(20, None);
    writer.append(1, &run(15), &known);
    let index = writer.index.clone();
    let mut live = EntryReader::new(index.clone(), None, Liveness::Live);
    assert!(drain(&mut live).is_empty(), "both wait, one is not even published");
    drop(writer);

    assert_eq!(read_all(&index), expected([5, 15]), "nobody writes any more");
    let mut next =
        Writer::new(JournalOptions { ring_id: 7, ..options(directory(home.path()), true) });
    assert!(drain(&mut live).is_empty(), "the new segment holds nothing");
    next.pass(30, 1, &run(25), &known);
    assert_eq!(read_all(&index), expected([5, 15, 25]));
}

#[test]
fn a_live_reader_leaves_a_dead_segment_once_its_successor_has_data() {
    let home = tempfile::tempdir().unwrap();
    let known = Known::with_sites(1);
    let mut writer = Writer::new(options(directory(home.path()), true));
    writer.pass(10, 1, &run(5), &known);
    writer.appender.begin_pass(20, None);
    writer.append(1, &run(15), &known);
    let mut live = EntryReader::new(writer.index.clone(), None, Liveness::Live);
    assert!(drain(&mut live).is_empty());
    drop(writer);
    let mut next =
        Writer::new(JournalOptions { ring_id: 7, ..options(directory(home.path()), true) });
    next.pass(30, 1, &run(25), &known);
    let mut lines = Vec::new();
    (0..40).for_each(|_| lines.extend(drain(&mut live)));
    assert_eq!(lines, expected([5, 15]), "the new run's entry waits in the window");
}

#[test]
fn a_segment_whose_writes_fail_is_given_up_and_the_pass_is_written_again() {
    let home = tempfile::tempdir().unwrap();
    let known = Known::with_sites(1);
    let mut writer = Writer::new(options(directory(home.path()), false));
    writer.pass(10, 1, &run(5), &known);
    // A descriptor that cannot be written stands in for a failing disk.
    let path = writer.index.path(1);
    writer.appender.break_for_test(std::fs::File::open(&path).unwrap());
    writer.appender.begin_pass(20, None);
    writer.append(1, &run(15), &known);
    let failed = writer.appender.end_pass().unwrap_err();
    assert!(failed.to_string().contains("00000000000000000001.tape"), "{failed}");
    let position = LanePosition { ring_id: RING, lane: 1, generation: 1, serial: 1, offset: 64 };
    let again = writer.appender.append_run(position, &run(15), &known);
    assert!(matches!(again, Err(AppendError::Failed(_))));

    let next = writer.store.prepare(u64::MAX).unwrap().unwrap();
    let (next, _) = *writer.appender.roll(next).unwrap_err();
    let retired = writer.appender.abandon(next);
    assert_eq!(retired.sequence(), 1);
    writer.append(1, &run(15), &known);
    writer.appender.end_pass().unwrap();
    assert_eq!(read_all(&writer.index), expected([5, 15]));
}

#[test]
fn a_pass_may_span_two_segments() {
    let home = tempfile::tempdir().unwrap();
    let known = Known::with_sites(1);
    let mut writer = Writer::new(options(directory(home.path()), true));
    writer.appender.begin_pass(100, None);
    writer.append(1, &run(5), &known);
    writer.roll();
    writer.append(1, &run(6), &known);
    let progress = writer.appender.end_pass().unwrap();
    assert_eq!((progress.position.sequence, progress.records), (2, 2));
    assert_eq!(read_all(&writer.index), expected([5, 6]));
}
