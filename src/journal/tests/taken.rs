//! Files that are shorter than they were: cut by their writer, or by somebody.

use std::fs::OpenOptions;

use super::support::*;
use crate::record::TimeKind;

const BOTH: [bool; 2] = [false, true];

/// A writer whose only segment has a few records, and up to where that is published.
fn with_records(home: &std::path::Path, mapped: bool) -> (Writer, u64) {
    let mut writer = Writer::new(options(directory(home), mapped));
    let published = pass(&mut writer, 100);
    (writer, published)
}

/// Three records more.
fn pass(writer: &mut Writer, ticks: u64) -> u64 {
    let known = Known::with_sites(1);
    let run = (0..3).flat_map(|it| record(1, 0, TimeKind::OwnTicks, ticks - 50 + it, it, "abc"));
    writer.pass(ticks, 1, &run.collect::<Vec<u8>>(), &known).position.offset
}

/// The segments that somebody has taken away, and the records in them.
fn taken(writer: &mut Writer) -> Vec<(u64, u64)> {
    writer.store.take_taken().iter().map(|taken| (taken.sequence, taken.records)).collect()
}

fn misplaced(writer: &Writer) -> Vec<u64> {
    writer.store.misplaced().map(|(sequence, _)| sequence).collect()
}

fn cut(writer: &Writer, sequence: u64, length: u64) {
    let file = OpenOptions::new().write(true).open(writer.index.path(sequence)).unwrap();
    file.set_len(length).unwrap();
}

#[test]
fn what_its_writer_cuts_is_taken_by_nobody() {
    for mapped in BOTH {
        let home = tempfile::tempdir().unwrap();
        let (mut writer, _) = with_records(home.path(), mapped);
        // A panic between two publications leaves the segment without a failure.
        let next = writer.store.prepare(u64::MAX).unwrap().unwrap();
        let left = writer.appender.abandon(next);
        assert_eq!(misplaced(&writer).len(), 0, "the janitor does not have it back so far");
        writer.store.recycle(left);
        assert_eq!(taken(&mut writer).len(), 0);
        pass(&mut writer, 200);
        let (ended, last) = writer.appender.finish();
        ended.unwrap();
        assert_eq!(writer.store.misplaced().count(), 0);
        writer.store.note_if_taken(&last);
        assert_eq!(writer.store.take_taken().len(), 0);
    }
}

#[test]
fn what_somebody_cuts_is_taken_as_far_as_it_loses_records() {
    for mapped in BOTH {
        let home = tempfile::tempdir().unwrap();
        let (mut writer, published) = with_records(home.path(), mapped);
        cut(&writer, 1, published - 1);
        assert_eq!(misplaced(&writer), [1]);
        let next = writer.store.prepare(u64::MAX).unwrap().unwrap();
        let left = writer.appender.abandon(next);
        writer.store.recycle(left);
        assert_eq!(taken(&mut writer), [(1, 3)], "{mapped}");
        // Behind what is published: nothing of a mapped one is lost. Of the other, nobody knows what was
        // cut off and written again.
        let published = pass(&mut writer, 200);
        cut(&writer, 2, published);
        assert_eq!(misplaced(&writer), [2]);
        let next = writer.store.prepare(u64::MAX).unwrap().unwrap();
        let left = writer.appender.abandon(next);
        writer.store.recycle(left);
        let expected: &[_] = if mapped { &[] } else { &[(2, 3)] };
        assert_eq!(taken(&mut writer), expected, "{mapped}");
        // At the end.
        pass(&mut writer, 300);
        std::fs::remove_file(writer.index.path(3)).unwrap();
        let (ended, last) = writer.appender.finish();
        ended.unwrap();
        writer.store.note_if_taken(&last);
        let taken = writer.store.take_taken();
        assert_eq!((taken.len(), taken[0].sequence, taken[0].records), (1, 3, 3));
    }
}
