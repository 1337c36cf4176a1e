//! Segments: rolling, recycling, what the store keeps and what it refuses.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::support::*;
use crate::journal::index::SEQUENCE_MAX;
use crate::journal::*;
use crate::record::TimeKind;

/// Fills about a tenth of a segment; returns the lines.
pub(super) fn fill(writer: &mut Writer, known: &Known, pass: u64) -> Vec<String> {
    let name = "n".repeat(1_000);
    let mut run = Vec::new();
    let mut lines = Vec::new();
    for n in 0..25 {
        let time = pass * 10_000 + n;
        run.extend(record(1, 0x1_0001, TimeKind::OwnTicks, time, n, &name));
        lines.push(format!("{time} event 1 symbol=BTC value={n} name={name}"));
    }
    writer.pass(pass * 10_000 + 5_000, 1, &run, known);
    lines
}

pub(super) fn known() -> Known {
    let mut known = Known::with_sites(1);
    known.add_context(0x1_0001, "BTC");
    known
}

pub(super) fn files(path: &Path) -> Vec<String> {
    let names = std::fs::read_dir(path.join("journal")).unwrap();
    let mut names: Vec<_> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_segment_defines_what_it_uses_and_the_oldest_is_recycled() {
    for (in_memory, mapped) in [(false, false), (false, true), (true, true)] {
        let home = tempfile::tempdir().unwrap();
        let place = if in_memory { Place::Memory } else { directory(home.path()) };
        let mut writer = Writer::new(options(place, mapped));
        let mut slow = EntryReader::new(writer.index.clone(), None, Liveness::Live);
        let known = known();
        let mut lines = Vec::new();
        for pass in 1..=100 {
            lines.push(fill(&mut writer, &known, pass));
            if pass == 2 {
                assert_eq!(drain(&mut slow), lines[0], "the second pass waits in the window");
            }
        }
        assert!(writer.rolls >= 8, "{} rolls", writer.rolls);
        let sequences = writer.index.sequences().unwrap();
        let newest = u64::from(writer.rolls) + 1;
        assert_eq!(sequences, (newest - 3..=newest).collect::<Vec<_>>());

        let read = read_all(&writer.index);
        let expected: Vec<_> = lines.concat();
        assert!(read.len() >= 3 * 200 && expected.ends_with(&read), "{} lines", read.len());

        let late = drain(&mut slow);
        assert_eq!(late[0], "[expired 1..=1]");
        assert_eq!(late[1], format!("[expired 2..={}]", newest - 4));
        assert_eq!(late[2..27], lines[1], "what had been read before");
        assert!(expected.join("\n").contains(&late[27..127].join("\n")));
    }
}

#[test]
fn a_segment_that_a_view_still_needs_is_not_recycled() {
    let home = tempfile::tempdir().unwrap();
    let (mut store, _) = SegmentStore::open(options(directory(home.path()), true)).unwrap();
    let mut made = Vec::new();
    while let Some(prepared) = store.prepare(1).unwrap() {
        made.push(prepared);
    }
    assert_eq!(made.iter().map(Prepared::sequence).collect::<Vec<_>>(), [1, 2, 3, 4]);
    made.drain(..2).for_each(|prepared| store.recycle(prepared));
    assert!(store.prepare(1).unwrap().is_none(), "held by the view");
    assert_eq!(store.prepare(2).unwrap().unwrap().sequence(), 5);
    assert!(store.prepare(2).unwrap().is_none());
    assert_eq!(files(home.path()).len(), 4);
}

#[test]
fn a_full_segment_has_room_for_one_early_barrier_which_lets_everything_out() {
    for rolls_on in [true, false] {
        let home = tempfile::tempdir().unwrap();
        let mut writer = Writer::new(options(directory(home.path()), true));
        let mut slow = EntryReader::new(writer.index.clone(), None, Liveness::Live);
        let known = known();
        let run: Vec<_> = (1..=40)
            .flat_map(|time| record(1, 0x1_0001, TimeKind::OwnTicks, time, time, &"n".repeat(900)))
            .collect();
        let position =
            LanePosition { ring_id: RING, lane: 1, generation: 1, serial: 1, offset: 64 };
        writer.appender.begin_pass(1_000, None);
        let mut records = 0;
        while let Ok(bytes) = writer.appender.append_run(position, &run, &known) {
            assert_eq!(bytes as usize, run.len());
            records += 40;
        }
        writer.appender.end_pass().unwrap();
        assert!(drain(&mut slow).is_empty(), "everything waits for its order");
        assert!(writer.appender.append_early_barrier().unwrap());
        assert!(!writer.appender.append_early_barrier().unwrap(), "one is enough");
        writer.appender.end_pass().unwrap();
        assert_eq!(drain(&mut slow).len(), records);
        if rolls_on {
            writer.roll();
            assert_eq!(writer.append(1, &run, &known) as usize, run.len());
            assert!(writer.appender.append_early_barrier().unwrap(), "each segment has its own");
            records += 40;
        }
        writer.appender.finish().0.unwrap();
        assert_eq!(read_all(&writer.index).len(), records, "the end found room, too");
    }
}

#[test]
fn a_restart_goes_on_behind_the_last_segment_and_keeps_foreign_files() {
    let home = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    let known = known();
    for run in 0..3_u64 {
        let mut writer = Writer::new(JournalOptions {
            ring_id: RING + run,
            ..options(directory(home.path()), run != 1)
        });
        assert_eq!(writer.appender.sequence(), run + 1);
        // Prepared ahead and never written: the number is used again.
        let spare = writer.store.prepare(u64::MAX).unwrap().unwrap();
        assert_eq!(spare.sequence(), run + 2);
        // Ticks start anew: the machine was booted.
        expected.extend(fill(&mut writer, &known, 3 - run));
        writer.appender.finish().0.unwrap();
    }
    assert_eq!(read_all(&SegmentIndex::directory(home.path().join("journal"))), expected);

    let foreign = home.path().join("journal/00000000000000000009.tape");
    std::fs::write(&foreign, "not ours").unwrap();
    std::fs::write(home.path().join("journal/notes.txt"), "mine").unwrap();
    let writer = Writer::new(options(directory(home.path()), true));
    assert_eq!(writer.appender.sequence(), 10, "no name is taken twice");
    assert_eq!(std::fs::read(&foreign).unwrap(), b"not ours");
    assert_eq!(std::fs::read(home.path().join("journal/notes.txt")).unwrap(), b"mine");
}

#[test]
fn fewer_or_smaller_segments_are_reached_by_removing_the_oldest() {
    let home = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(options(directory(home.path()), true));
    let known = known();
    (1..=100).for_each(|pass| drop(fill(&mut writer, &known, pass)));
    let newest = writer.appender.sequence();
    drop(writer);
    let smaller = JournalOptions {
        segments: 2,
        segment_bytes: 2 * SEGMENT_BYTES_MIN,
        ..options(directory(home.path()), true)
    };
    let (mut store, _) = SegmentStore::open(smaller).unwrap();
    let prepared = store.prepare(u64::MAX).unwrap().unwrap();
    assert_eq!(prepared.sequence(), newest + 1);
    let file = std::fs::metadata(home.path().join(format!("journal/{:020}.tape", newest + 1)));
    assert_eq!(file.unwrap().len(), 2 * SEGMENT_BYTES_MIN);
    assert_eq!(files(home.path()).len(), 2);
}

#[test]
fn modes_hold_whatever_the_umask_and_links_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let place =
        Place::Directory { path: home.path().join("journal"), file_mode: 0o666, dir_mode: 0o777 };
    let (mut store, _) = SegmentStore::open(options(place, false)).unwrap();
    let _prepared = store.prepare(u64::MAX).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home.path().join("journal")), 0o777);
    assert_eq!(mode(&home.path().join("journal/00000000000000000001.tape")), 0o666);

    let trap = tempfile::tempdir().unwrap();
    symlink(home.path(), trap.path().join("journal")).unwrap();
    let refused = SegmentStore::open(options(directory(trap.path()), false)).unwrap_err();
    assert!(refused.to_string().contains("journal is not a directory"), "{refused}");
}

#[test]
fn a_link_in_a_segments_place_is_neither_read_nor_written() {
    let home = tempfile::tempdir().unwrap();
    let target = home.path().join("target");
    std::fs::write(&target, "precious").unwrap();
    std::fs::create_dir(home.path().join("journal")).unwrap();
    symlink(&target, home.path().join("journal/00000000000000000001.tape")).unwrap();
    symlink(&target, home.path().join("journal/next.tape.new")).unwrap();
    let writer = Writer::new(options(directory(home.path()), true));
    assert_eq!(writer.appender.sequence(), 2);
    assert_eq!(std::fs::read(&target).unwrap(), b"precious");
}

#[test]
fn row_17_the_highest_numbers_are_nobodys_and_a_taken_name_is_passed_by() {
    let home = tempfile::tempdir().unwrap();
    let journal = home.path().join("journal");
    std::fs::create_dir(&journal).unwrap();
    let place = |sequence: u64| journal.join(format!("{sequence:020}.tape"));
    for sequence in [u64::MAX, u64::MAX - 1, SEQUENCE_MAX + 1] {
        std::fs::write(place(sequence), "precious").unwrap();
    }
    let mut writer = Writer::new(options(directory(home.path()), true));
    assert_eq!(writer.appender.sequence(), 1, "names that no engine gives say nothing");
    // Somebody is faster than the store: first with a fresh segment, then with one made new.
    let known = known();
    for pass in 1..=120 {
        let next = writer.appender.sequence() + 1;
        if [3, 9].contains(&next) {
            std::fs::write(place(next), "precious").unwrap();
        }
        fill(&mut writer, &known, pass);
    }
    assert!(writer.rolls > 9 && !writer.appender.is_in_memory(), "{} rolls", writer.rolls);
    writer.appender.finish().0.unwrap();
    let others = [u64::MAX, u64::MAX - 1, SEQUENCE_MAX + 1, 3, 9];
    for sequence in others {
        assert_eq!(std::fs::read(place(sequence)).unwrap(), b"precious", "{sequence}");
    }

    // The highest number there can be: nothing is counted on from it, and it is told.
    std::fs::write(place(SEQUENCE_MAX), "precious").unwrap();
    let mut store = SegmentStore::open(options(directory(home.path()), true)).unwrap().0;
    let in_memory = [(); 2].map(|()| store.prepare(u64::MAX).unwrap().unwrap().is_in_memory());
    assert_eq!(in_memory, [true; 2]);
    let told = store.trouble().unwrap().to_string();
    assert!(told.contains("01152921504606846976.tape") && told.contains("move it away"), "{told}");
    println!("row 17: {} files of others among the segments are left alone", others.len() + 1);
}

#[test]
fn parameters_out_of_range_are_refused_by_name() {
    let refused = |change: fn(&mut JournalOptions)| {
        let mut options = options(Place::Memory, true);
        change(&mut options);
        SegmentStore::open(options).unwrap_err().to_string()
    };
    let size = refused(|options| options.segment_bytes = 100_000);
    assert!(size.contains("journal_segment_bytes = 100000"), "{size}");
    let count = refused(|options| options.segments = 1);
    assert!(count.contains("journal_segments = 1") && count.contains("at least 2"), "{count}");
}

#[test]
fn reading_can_begin_at_a_time_and_finds_the_definitions_of_before() {
    let home = tempfile::tempdir().unwrap();
    let mut writer =
        Writer::new(JournalOptions { segments: 20, ..options(directory(home.path()), true) });
    let known = known();
    let lines: Vec<_> = (1..=100).map(|pass| fill(&mut writer, &known, pass)).collect();
    writer.appender.finish().0.unwrap();
    for pass in [1, 2, 7, 30, 31, 32, 33, 64, 99, 100] {
        let since = LINE.unix_nanos + pass * 10_000;
        let from = JournalReader::seek(&writer.index, since).unwrap();
        let mut reader = EntryReader::new(writer.index.clone(), from, Liveness::Ended);
        let read = drain(&mut reader);
        let wanted = &lines[pass as usize - 1..].concat();
        assert!(read.ends_with(wanted), "pass {pass}");
        assert!(read.len() <= wanted.len() + 12 * 25, "pass {pass}: not all of it is read");
        assert!(pass < 10 || from.is_some());
    }
}

#[test]
fn row_05_a_disk_that_takes_no_write_costs_nothing_of_what_it_has_taken() {
    let home = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(options(directory(home.path()), false));
    let known = known();
    (1..=60).for_each(|pass| drop(fill(&mut writer, &known, pass)));
    assert!(writer.rolls >= 4);
    let broken = || std::fs::File::open("/dev/null").unwrap();
    let run = record(1, 0x1_0001, TimeKind::OwnTicks, 1, 1, "lost");
    let mut before = Vec::new();
    for failures in 1..=50 {
        writer.appender.break_for_test(broken());
        writer.appender.begin_pass(1_000_000 + failures, None);
        let position =
            LanePosition { ring_id: RING, lane: 1, generation: 1, serial: 1, offset: 64 };
        writer.appender.append_run(position, &run, &known).unwrap();
        writer.appender.end_pass().unwrap_err();
        let next = writer.store.prepare_file(u64::MAX).unwrap().expect("a segment");
        let given_up = writer.appender.abandon(next);
        writer.store.recycle(given_up);
        let instead = writer.store.prepare(u64::MAX).unwrap().unwrap();
        assert!(instead.is_in_memory() && writer.store.trouble().is_some());
        writer.store.discard(instead);
        if failures == 2 {
            // One is being written and one is ready: so many were made new.
            before = read_all(&SegmentIndex::directory(home.path().join("journal")));
        }
    }
    let mut after = read_all(&SegmentIndex::directory(home.path().join("journal")));
    after.retain(|line| !line.starts_with('['));
    before.retain(|line| !line.starts_with('['));
    println!("row 05: 50 failed segments, {} entries intact", after.len());
    assert!(before.len() > 200 && after == before, "{} of {}", after.len(), before.len());
}

#[test]
fn row_05_segments_in_memory_take_the_place_of_files_and_are_no_damage_afterwards() {
    let home = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(options(directory(home.path()), true));
    let mut slow = EntryReader::new(writer.index.clone(), None, Liveness::Live);
    let known = known();
    let mut lines = fill(&mut writer, &known, 1);
    // Nothing can be made there.
    let (journal, aside) = (home.path().join("journal"), home.path().join("aside"));
    std::fs::rename(&journal, &aside).unwrap();
    std::fs::write(&journal, "in the way").unwrap();
    for pass in 2..=11 {
        lines.extend(fill(&mut writer, &known, pass));
    }
    writer.roll();
    assert!(writer.appender.is_in_memory());
    assert!(writer.store.trouble().is_some());
    std::fs::remove_file(&journal).unwrap();
    std::fs::rename(&aside, &journal).unwrap();
    lines.extend(fill(&mut writer, &known, 12));
    assert!(writer.appender.in_memory_records() >= 25);
    writer.roll();
    assert!(!writer.appender.is_in_memory());
    lines.extend(fill(&mut writer, &known, 13));
    writer.appender.finish().0.unwrap();
    assert!(lines.starts_with(&drain(&mut slow)), "views read on");
    let index = SegmentIndex::directory(&journal);
    let sequences = index.sequences().unwrap();
    let newest = index.header(*sequences.last().unwrap()).unwrap();
    let before = sequences[sequences.len() - 2];
    assert!(newest.after == before && newest.sequence > before + 1, "{newest:?}");
    let read = read_all(&index);
    let gap = format!("[expired {}..={}]", before + 1, newest.sequence - 1);
    assert!(read.contains(&gap), "{gap}");
    assert!(!read.iter().any(|line| line.starts_with("[damaged")));
    // What a view may still read stays; the rest is given back.
    let (known, mut store) = (writer.index, writer.store);
    let in_memory = || {
        let held = known.sequences().unwrap();
        held.into_iter().filter(|sequence| (before + 1..newest.sequence).contains(sequence)).count()
    };
    let held = in_memory();
    assert!(held > 0);
    store.release_memory(before + 1);
    assert_eq!(in_memory(), held);
    store.release_memory(u64::MAX);
    assert_eq!(in_memory(), 0);
}

#[test]
fn row_05_one_segment_of_an_earlier_run_at_most_goes_where_no_other_can_be_made() {
    let home = tempfile::tempdir().unwrap();
    let journal = home.path().join("journal");
    let known = known();
    let mut writer = Writer::new(options(directory(home.path()), true));
    (1..=60).for_each(|pass| drop(fill(&mut writer, &known, pass)));
    writer.appender.finish().0.unwrap();
    drop(writer.store);
    let before = files(home.path());
    assert_eq!(before.len(), 4);

    // A new one cannot be made: one gives its room, and that is all.
    std::fs::create_dir_all(journal.join("next.tape.new/in the way")).unwrap();
    let (mut store, _) = SegmentStore::open(options(directory(home.path()), true)).unwrap();
    for _ in 0..5 {
        let made = store.prepare(u64::MAX).unwrap().unwrap();
        assert!(made.is_in_memory() && store.trouble().is_some());
        store.discard(made);
    }
    let after = files(home.path());
    let kept = before.iter().filter(|name| after.contains(name)).count();
    assert_eq!(kept, 3, "{after:?}");
}
