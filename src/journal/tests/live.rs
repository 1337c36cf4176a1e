//! Reading while somebody writes.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::support::*;
use crate::journal::*;
use crate::record::TimeKind;

#[test]
fn a_live_reader_sees_only_what_is_published_and_all_of_it_in_order() {
    for (in_memory, mapped) in [(false, false), (false, true), (true, true)] {
        let home = tempfile::tempdir().unwrap();
        let place = if in_memory { Place::Memory } else { directory(home.path()) };
        let mut writer = Writer::new(JournalOptions { segments: 100, ..options(place, mapped) });
        let index = writer.index.clone();
        let stop = AtomicBool::new(false);
        const PASSES: u64 = 3_000;
        let read = std::thread::scope(|scope| {
            let stop = &stop;
            let reader = scope.spawn(move || {
                let mut reader = JournalReader::new(index, None, Liveness::Live);
                let mut seen = Vec::new();
                loop {
                    // ORDERING: Relaxed, only ends the test; what is read is checked by itself.
                    let last_round = stop.load(Relaxed);
                    loop {
                        match reader.next_frame().unwrap() {
                            Step::Frame(Frame {
                                body: Body::Run { header, records, .. }, ..
                            }) => {
                                assert_eq!(records[40..48], header.pass.to_le_bytes());
                                seen.push(header.pass);
                            }
                            Step::Frame(_) => {}
                            Step::EndOfData => break,
                            lost => panic!("{lost:?}"),
                        }
                    }
                    if last_round {
                        return seen;
                    }
                }
            });
            let known = Known::with_sites(5);
            for pass in 1..=PASSES {
                let site = (pass % 5 + 1) as u32;
                let mut run = record(site, 0, TimeKind::OwnTicks, pass, 0, "a name of 16 byt");
                let at = run.len() - 16;
                run[40..48].copy_from_slice(&pass.to_le_bytes());
                assert_eq!(at, 40, "the name's place");
                run.extend_from_slice(&run.clone().repeat(20));
                writer.pass(pass * 10, 1, &run, &known);
            }
            // ORDERING: Relaxed, as above: the reader makes one more round after it.
            stop.store(true, Relaxed);
            reader.join().unwrap()
        });
        assert_eq!(read, (1..=PASSES).collect::<Vec<_>>());
        assert!(writer.rolls > 5);
    }
}

#[test]
fn nothing_of_a_pass_is_seen_before_the_pass_has_ended() {
    let home = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(options(directory(home.path()), true));
    let known = Known::with_sites(1);
    let mut reader = JournalReader::new(writer.index.clone(), None, Liveness::Live);
    let run = record(1, 0, TimeKind::OwnTicks, 5, 0, "x");
    writer.appender.begin_pass(10, None);
    writer.append(1, &run, &known);
    assert!(matches!(reader.next_frame().unwrap(), Step::EndOfData));
    let progress = writer.appender.end_pass().unwrap();
    let mut frames = 0;
    while let Step::Frame(frame) = reader.next_frame().unwrap() {
        frames += 1;
        assert!(frame.end <= progress.position);
    }
    assert_eq!((frames, reader.position()), (2, Some(progress.position)));
}

#[test]
fn a_quiet_pass_lets_entries_out_that_wait_for_it() {
    let home = tempfile::tempdir().unwrap();
    let mut writer = Writer::new(options(directory(home.path()), true));
    let known = Known::with_sites(1);
    let run = record(1, 0, TimeKind::OwnTicks, 50, 0, "x");
    writer.pass(100, 1, &run, &known);
    let mut reader = JournalReader::new(writer.index.clone(), None, Liveness::Live);
    let mut merge = Merge::new();
    while let Step::Frame(frame) = reader.next_frame().unwrap() {
        merge.push(&frame);
    }
    assert!(merge.next().is_none());
    writer.appender.begin_pass(100 + WINDOW, None);
    merge.advance(writer.appender.end_pass().unwrap().boundary);
    assert_eq!(line(&merge.next().unwrap().0), "50 event 1 value=0 name=x");
    assert!(merge.next().is_none());
}
