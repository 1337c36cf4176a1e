//! Segments in which nothing was written: nobody misses them.

use super::segments::{files, fill, known};
use super::support::*;
use crate::journal::*;
use crate::record::Gap;

#[test]
fn row_02_a_segment_in_which_nothing_was_written_before_a_death_is_missed_by_nobody() {
    let home = tempfile::tempdir().unwrap();
    let options = || options(directory(home.path()), false);
    let known = known();
    // The views had come to its beginning, and the process died.
    drop(Writer::new(options()));
    let start = Position::start_of(1);
    let (mut store, index) = SegmentStore::open(options()).unwrap();
    assert!(store.begin_behind(start));
    let mut reader = EntryReader::new(index, Some(start), Liveness::Live);
    let again = store.prepare(1).unwrap().unwrap();
    assert_eq!((again.sequence(), drain(&mut reader)), (1, Vec::new()));
    drop((again, store));
    // Where they had read something of it, its entries may be missing.
    let inside = Position { offset: start.offset + 64, ..start };
    let (mut store, index) = SegmentStore::open(options()).unwrap();
    assert!(store.begin_behind(inside));
    let next = store.prepare(1).unwrap().unwrap();
    assert_eq!(next.sequence(), 2);
    let mut reader = EntryReader::new(index, Some(inside), Liveness::Live);
    assert_eq!(drain(&mut reader), ["[expired 1..=1]"]);
    drop((next, store));

    // The same with a later segment behind it.
    let mut writer = Writer::new(options());
    fill(&mut writer, &known, 1);
    writer.roll();
    let empty = writer.appender.sequence();
    let next = writer.store.prepare(u64::MAX).unwrap().unwrap();
    writer.store.recycle(writer.appender.abandon(next));
    let lines = fill(&mut writer, &known, 2);
    writer.appender.finish().0.unwrap();
    drop(writer.store);
    for (offset, told) in [(start.offset, false), (inside.offset, true)] {
        let (mut store, index) = SegmentStore::open(options()).unwrap();
        let place = Position { sequence: empty, offset };
        assert!(store.begin_behind(place));
        let mut found = drain(&mut EntryReader::new(index, Some(place), Liveness::Ended));
        if told {
            assert_eq!(found.remove(0), format!("[expired {empty}..={empty}]"));
        }
        assert_eq!(found, lines);
    }
}

#[test]
fn row_06_a_segment_made_ahead_does_not_name_one_that_was_given_up_empty() {
    for mapped in [false, true] {
        let home = tempfile::tempdir().unwrap();
        let mut writer = Writer::new(options(directory(home.path()), mapped));
        fill(&mut writer, &known(), 1);
        // All are made before anybody knows that the first two of them take nothing.
        let mut ahead = || writer.store.prepare(u64::MAX).unwrap().unwrap();
        let (second, third, fourth) = (ahead(), ahead(), ahead());
        assert_eq!(fourth.sequence(), 4);
        let retired = writer.appender.roll(second).unwrap();
        writer.store.recycle(retired);
        for next in [third, fourth] {
            writer.appender.break_for_test(std::fs::File::open("/dev/null").unwrap());
            writer.appender.begin_pass(1_000_000, None);
            writer.appender.append_gap(&Gap::default()).unwrap();
            writer.appender.end_pass().unwrap_err();
            let given_up = writer.appender.abandon(next);
            writer.store.recycle(given_up);
        }
        fill(&mut writer, &known(), 2);
        let index = SegmentIndex::directory(home.path().join("journal"));
        let after = |sequence| index.header(sequence).unwrap().after;
        assert_eq!((after(1), after(4)), (0, 1), "mapped: {mapped}");
        // One that follows what is kept says nothing.
        let next = writer.store.prepare_file(u64::MAX).unwrap().unwrap();
        drop(writer.appender.roll(next).unwrap());
        assert_eq!((writer.appender.sequence(), after(5)), (5, 0));
    }
}

#[test]
fn row_06_an_empty_segment_does_not_say_that_a_number_in_front_of_it_is_missing() {
    let home = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(options(directory(home.path()), false));
    fill(&mut writer, &known(), 1);
    let mut ahead = || writer.store.prepare(u64::MAX).unwrap().unwrap();
    let (second, mut third, fourth) = (ahead(), ahead(), ahead());
    let broken = || std::fs::File::open("/dev/null").unwrap();
    drop(writer.appender.roll(second).unwrap());
    writer.appender.break_for_test(broken());
    writer.appender.end_pass().unwrap_err();
    // The header of this one cannot be corrected, and the file of the one in front is made new.
    third.segment.writer = Box::new(writer::PlainWriter::new(std::sync::Arc::new(broken())));
    drop(writer.appender.abandon(third));
    std::fs::remove_file(writer.index.path(2)).unwrap();
    writer.appender.end_pass().unwrap_err();
    drop(writer.appender.abandon(fourth));
    fill(&mut writer, &known(), 2);
    writer.appender.finish().0.unwrap();
    let journal = crate::reading::Journal::open(home.path()).unwrap();
    let found = journal.verify(&mut |_| {}).unwrap();
    assert_eq!((&*found.missing, &*found.in_memory), (&[][..], &[(2, 2)][..]), "{found:?}");
}

#[test]
fn row_02_a_start_that_dies_before_its_first_segment_does_not_make_an_empty_one_a_missing_one() {
    let home = tempfile::tempdir().unwrap();
    let options = || options(directory(home.path()), true);
    let length = |sequence| {
        let path = SegmentIndex::directory(home.path().join("journal")).path(sequence);
        std::fs::metadata(path).map_or(0, |found| found.len())
    };
    // The run had prepared two, and died; so do those after it, before they have a segment, or with one.
    let (mut store, _) = SegmentStore::open(options()).unwrap();
    let mut prepare = || store.prepare(1).unwrap().unwrap().sequence();
    assert_eq!([prepare(), prepare()], [1, 2]);
    drop(store);
    let start = Position::start_of(1);
    for _ in 0..2 {
        let (mut store, _) = SegmentStore::open(options()).unwrap();
        assert!(store.begin_behind(start));
        assert_eq!([length(1), length(2)], [4096; 2], "their room is given back");
    }
    let (mut store, _) = SegmentStore::open(options()).unwrap();
    assert!(store.begin_behind(start));
    assert_eq!(store.prepare(1).unwrap().unwrap().sequence(), 1);
    assert_eq!([length(1), length(2)], [SEGMENT_BYTES_MIN, 4096]);
    drop(store);
    let journal = crate::reading::Journal::open(home.path()).unwrap();
    assert!(journal.verify(&mut |_| {}).unwrap().is_intact());

    // Where nobody asks for them, and where memory takes the number, there is no such file.
    let (mut store, _) = SegmentStore::open(options()).unwrap();
    assert_eq!(store.prepare(u64::MAX).unwrap().unwrap().sequence(), 1);
    assert_eq!(files(home.path()).len(), 1);
    drop(store);
    let in_the_way = home.path().join("journal/next.tape.new");
    std::fs::create_dir_all(in_the_way.join("a directory")).unwrap();
    let (mut store, index) = SegmentStore::open(options()).unwrap();
    assert!(store.begin_behind(start));
    assert!(store.prepare(1).unwrap().unwrap().is_in_memory());
    assert_eq!(files(home.path()), ["next.tape.new"]);
    std::fs::remove_dir_all(in_the_way).unwrap();
    drop((store, index));
    let (mut store, index) = SegmentStore::open(options()).unwrap();
    assert!(store.begin_behind(start));
    assert_eq!(store.prepare(1).unwrap().unwrap().sequence(), 2);
    let mut reader = EntryReader::new(index, Some(start), Liveness::Live);
    assert_eq!(drain(&mut reader), ["[expired 1..=1]"], "what memory held is gone");
}

#[test]
fn a_segment_without_a_header_is_removed_or_used_again_in_its_turn() {
    let home = tempfile::tempdir().unwrap();
    let options = || options(directory(home.path()), false);
    let mut writer = Writer::new(options());
    fill(&mut writer, &known(), 1);
    writer.appender.finish().0.unwrap();
    drop(writer.store);
    // A power cut took the header of one that had frames, of one that had none, and all of a third.
    let path = |number| SegmentIndex::directory(home.path().join("journal")).path(number);
    let mut frames = vec![0; SEGMENT_BYTES_MIN as usize];
    frames[8192..8300].fill(7);
    std::fs::write(path(2), frames).unwrap();
    std::fs::File::create(path(3)).unwrap().set_len(SEGMENT_BYTES_MIN).unwrap();
    std::fs::File::create(path(4)).unwrap();
    let mut writer = Writer::new(options());
    assert_eq!(writer.appender.sequence(), 3);
    let names = |numbers: &[u64]| -> Vec<_> {
        let named = |&number: &u64| path(number).file_name().unwrap().to_str().unwrap().to_owned();
        numbers.iter().map(named).collect()
    };
    assert_eq!(files(home.path()), names(&[1, 2, 3]));
    (1..=60).for_each(|pass| drop(fill(&mut writer, &known(), pass)));
    let newest = writer.appender.sequence();
    writer.appender.finish().0.unwrap();
    assert!(newest > 6);
    assert_eq!(files(home.path()), names(&[newest - 3, newest - 2, newest - 1, newest]));
    let read = read_all(&SegmentIndex::directory(home.path().join("journal")));
    assert!(read.len() > 200 && !read.iter().any(|line| line.starts_with('[')), "{read:?}");
}

#[test]
fn row_07_an_empty_segment_that_cannot_be_removed_is_passed_over() {
    let home = tempfile::tempdir().unwrap();
    let options = || options(directory(home.path()), true);
    let (mut store, index) = SegmentStore::open(options()).unwrap();
    assert_eq!(store.prepare(1).unwrap().unwrap().sequence(), 1);
    drop(store);
    let chattr = |flag: &str| {
        let done = std::process::Command::new("chattr").arg(flag).arg(index.path(1)).output();
        done.is_ok_and(|output| output.status.success())
    };
    if !chattr("+i") {
        println!("row 07: skipped: no file can be made immutable here");
        return;
    }
    let (mut store, _) = SegmentStore::open(options()).unwrap();
    let made = store.prepare(1).unwrap().unwrap();
    let (trouble, sequence) = (store.trouble().is_some(), made.sequence());
    assert!(chattr("-i"));
    assert!(!trouble && !made.is_in_memory() && sequence == 2);
}
