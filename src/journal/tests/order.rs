//! The order of entries against a plain model of the rule, and restarts at every point.

use std::collections::HashMap;

use proptest::prelude::*;

use super::support::*;
use crate::clock::Calibration;
use crate::journal::*;
use crate::record::TimeKind;

/// One thing that a writer does.
#[derive(Debug, Clone)]
enum Act {
    /// A pass so many ticks after the last one: for each run the lane, and for each record the
    /// kind of its stamp and how far it lies behind (or before) the pass.
    Pass(u64, Vec<(u32, Vec<(u8, i64)>)>),
    Barrier,
    Step,
    Restart,
    Roll,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let records = prop::collection::vec((0_u8..3, -200_i64..3_000), 1..8);
    let runs = prop::collection::vec((0_u32..4, records), 0..4);
    let act = prop_oneof![
        12 => (1_u64..1_500, runs).prop_map(|(ticks, runs)| Act::Pass(ticks, runs)),
        1 => Just(Act::Barrier),
        1 => Just(Act::Step),
        1 => Just(Act::Restart),
        1 => Just(Act::Roll),
    ];
    prop::collection::vec(act, 1..25)
}

/// The rule once more, as simply as it can be said.
#[derive(Debug, Default)]
struct Model {
    waiting: Vec<(u64, u32, u64)>,
    last_keys: HashMap<u32, u64>,
    previous: u64,
    now: u64,
    count: u64,
    given: Vec<u64>,
    late: u64,
}

impl Model {
    fn begin_pass(&mut self, now: u64) {
        (self.previous, self.now) = (self.now, now);
    }

    fn boundary(&self) -> u64 {
        self.previous.saturating_sub(WINDOW)
    }

    fn record(&mut self, lane: u32, time: u64) {
        let last = self.last_keys.entry(lane).or_default();
        let boundary = self.previous.saturating_sub(WINDOW);
        let key = time.min(self.now).max(boundary).max(*last);
        *last = key;
        self.late += u64::from(time < boundary);
        self.waiting.push((key, lane, self.count));
        self.count += 1;
    }

    fn give(&mut self, below: u64) {
        self.waiting.sort_unstable();
        let due = self.waiting.partition_point(|(key, ..)| *key < below);
        self.given.extend(self.waiting.drain(..due).map(|(_, _, number)| number));
    }

    fn give_all(&mut self) {
        self.give(u64::MAX);
    }
}

/// Writes a journal; returns its index and what a reader should give.
fn write(home: &std::path::Path, acts: &[Act]) -> (SegmentIndex, Model) {
    let options =
        |ring_id| JournalOptions { segments: 64, ring_id, ..options(directory(home), true) };
    let known = Known::with_sites(1);
    let mut ring_id = 1;
    let mut writer = Writer::new(options(ring_id));
    let mut model = Model::default();
    for act in acts {
        match act {
            Act::Pass(ticks, runs) => {
                let now = model.now + ticks;
                model.begin_pass(now);
                writer.appender.begin_pass(now, None);
                for (lane, records) in runs {
                    let mut run = Vec::new();
                    for (kind, behind) in records {
                        let time = now.saturating_add_signed(-behind);
                        // Own stamps of the future stay in the ring: not the journal's business.
                        let time = if *kind == 0 { time.min(now) } else { time };
                        let (kind, stamp) = match kind {
                            0 => (TimeKind::OwnTicks, time),
                            1 => (TimeKind::CallerTicks, time),
                            _ => (TimeKind::CallerUnixNanos, LINE.unix_nanos as u64 + time),
                        };
                        run.extend(record(1, 0, kind, stamp, model.count, ""));
                        model.record(*lane, time);
                    }
                    let taken = writer.append(*lane, &run, &known);
                    assert_eq!(taken as usize, run.len());
                }
                if runs.iter().any(|(_, records)| !records.is_empty()) {
                    model.give(model.boundary());
                }
                writer.appender.end_pass().unwrap();
            }
            Act::Barrier => {
                writer.appender.append_barrier().unwrap();
                model.give_all();
            }
            Act::Step => {
                // The line stays, so that keys of UTC stamps stay; the step is told all the same.
                writer.appender.begin_pass(model.now, Some(Calibration { stepped: true, ..LINE }));
                model.begin_pass(model.now);
                let now = model.now;
                let run = record(1, 0, TimeKind::CallerTicks, now, model.count, "");
                writer.append(0, &run, &known);
                model.give_all();
                model.record(0, now);
                model.give(model.boundary());
                writer.appender.end_pass().unwrap();
            }
            Act::Roll => writer.roll(),
            Act::Restart => {
                drop(writer);
                ring_id += 1;
                writer = Writer::new(options(ring_id));
                // Found out by the next frame of the new writer; nothing else comes before it.
                model.give_all();
                model = Model {
                    given: model.given,
                    count: model.count,
                    late: model.late,
                    ..Model::default()
                };
            }
        }
    }
    model.give_all();
    (writer.index.clone(), model)
}

/// The numbers of the next `limit` entries.
fn numbers(reader: &mut EntryReader, limit: usize) -> Vec<u64> {
    numbers_and_late(reader, limit).0
}

/// The numbers of the next `limit` entries, and how many of these are late.
fn numbers_and_late(reader: &mut EntryReader, limit: usize) -> (Vec<u64>, u64) {
    let mut late = 0;
    let mut numbers = Vec::new();
    while numbers.len() < limit {
        match reader.next().unwrap() {
            Some(Event::Entry(entry, release)) => {
                late += u64::from(release.late);
                match entry.fields().next() {
                    Some(Ok((_, crate::record::Value::Unsigned(number)))) => numbers.push(number),
                    other => panic!("{other:?}"),
                }
            }
            Some(other) => panic!("{other:?}"),
            None => break,
        }
    }
    (numbers, late)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn entries_come_in_the_order_of_the_rule_and_a_restart_repeats_and_loses_none(acts in acts()) {
        let home = tempfile::tempdir().unwrap();
        let (index, model) = write(home.path(), &acts);
        let mut reader = EntryReader::new(index.clone(), None, Liveness::Ended);
        let (all, late) = numbers_and_late(&mut reader, usize::MAX);
        prop_assert_eq!(&all, &model.given);
        prop_assert_eq!(late, model.late);

        let mut stopped = EntryReader::new(index.clone(), None, Liveness::Ended);
        for given in 0..=all.len() {
            let checkpoint = stopped.merge().checkpoint();
            let mut bytes = Vec::new();
            checkpoint.encode(&mut bytes);
            let decoded = Checkpoint::decode(&bytes).unwrap();
            prop_assert_eq!(decoded.position, checkpoint.position);
            let mut resumed = EntryReader::resume(index.clone(), decoded, Liveness::Ended);
            prop_assert_eq!(numbers(&mut resumed, usize::MAX), &all[given..], "after {}", given);
            numbers(&mut stopped, 1);
        }
    }

    #[test]
    fn a_resumed_reader_can_be_stopped_again(
        acts in acts(),
        cuts in prop::collection::vec(0_usize..6, 1..40),
    ) {
        let home = tempfile::tempdir().unwrap();
        let (index, model) = write(home.path(), &acts);
        let mut all = Vec::new();
        let mut reader = EntryReader::new(index.clone(), None, Liveness::Ended);
        for cut in cuts {
            all.extend(numbers(&mut reader, cut));
            let checkpoint = reader.merge().checkpoint();
            reader = EntryReader::resume(index.clone(), checkpoint, Liveness::Ended);
        }
        all.extend(numbers(&mut reader, usize::MAX));
        prop_assert_eq!(all, model.given);
    }

    #[test]
    fn a_live_view_gives_the_same_order(
        acts in acts(),
        bites in prop::collection::vec(0_usize..5, 1..20),
    ) {
        let home = tempfile::tempdir().unwrap();
        let (index, model) = write(home.path(), &acts);
        let mut reader = JournalReader::new(index, None, Liveness::Ended);
        let mut merge = Merge::new();
        let mut given = Vec::new();
        let mut bites = bites.iter().cycle();
        while let Step::Frame(frame) = reader.next_frame().unwrap() {
            merge.push(&frame);
            // A view that takes only a bite, or everything, before it reads on.
            let bite = *bites.next().unwrap();
            let limit = if bite == 0 { usize::MAX } else { bite };
            for _ in 0..limit {
                let Some((entry, _)) = merge.next() else { break };
                given.push(line(&entry));
            }
        }
        merge.finish();
        while let Some((entry, _)) = merge.next() {
            given.push(line(&entry));
        }
        let numbers = model.given.iter().map(|number| format!("value={number} "));
        let numbers: Vec<String> = numbers.collect();
        prop_assert_eq!(given.len(), numbers.len());
        let mut pairs = given.iter().zip(&numbers);
        prop_assert!(pairs.all(|(line, number)| line.contains(number.as_str())));
    }
}

#[test]
fn own_stamps_within_the_window_come_out_sorted_across_lanes() {
    let known = Known::with_sites(1);
    let mut writer = Writer::new(options(Place::Memory, true));
    let mut times: Vec<u64> = Vec::new();
    for pass in 1..=100_u64 {
        writer.appender.begin_pass(1_000 + pass * 500, None);
        for lane in 0..8_u32 {
            // Every lane is up to one pass behind.
            let base = 1_000 + pass * 500 - 500 - u64::from(lane) * 60;
            let run: Vec<_> = (0..20).map(|n| base + n * (u64::from(lane) + 1)).collect();
            times.extend(&run);
            let records: Vec<u8> = run
                .iter()
                .flat_map(|&time| record(1, 0, TimeKind::OwnTicks, time, 0, ""))
                .collect();
            writer.append(lane, &records, &known);
        }
        writer.appender.end_pass().unwrap();
    }
    let mut reader = EntryReader::new(writer.index.clone(), None, Liveness::Ended);
    let mut read = Vec::new();
    while let Some(Event::Entry(entry, release)) = reader.next().unwrap() {
        assert!(!release.late);
        read.push((entry.time().0 - LINE.unix_nanos) as u64);
    }
    times.sort_unstable();
    assert_eq!(read, times);
}

#[test]
fn more_than_fits_into_memory_inside_the_window_is_given_out_early_and_resumes_exactly() {
    let known = Known::with_sites(1);
    let mut writer = Writer::new(JournalOptions {
        segment_bytes: 16 << 20,
        segments: 8,
        order_window_nanos: 1 << 60,
        ..options(Place::Memory, true)
    });
    let name = "n".repeat(4_000);
    let mut number = 0;
    for pass in 1..=1_500_u64 {
        let mut run = Vec::new();
        for _ in 0..8 {
            run.extend(record(1, 0, TimeKind::OwnTicks, pass * 10 - number % 7, number, &name));
            number += 1;
        }
        writer.pass(pass * 10, (pass % 3) as u32, &run, &known);
    }
    let mut reader = EntryReader::new(writer.index.clone(), None, Liveness::Ended);
    let mut all = Vec::new();
    let mut checkpoints = Vec::new();
    loop {
        assert!(reader.merge().waiting() * 4_060 < 26 << 20, "bounded");
        if all.len() % 997 == 0 {
            checkpoints.push((all.len(), reader.merge().checkpoint()));
        }
        let next = numbers(&mut reader, 1);
        if next.is_empty() {
            break;
        }
        all.extend(next);
    }
    assert_eq!(all.len(), number as usize);
    for (given, checkpoint) in checkpoints {
        let mut resumed = EntryReader::resume(writer.index.clone(), checkpoint, Liveness::Ended);
        assert_eq!(numbers(&mut resumed, usize::MAX), all[given..], "after {given}");
    }
}
