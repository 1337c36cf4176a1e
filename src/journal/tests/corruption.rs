//! Files that were cut, flipped, or made up.

use std::cell::Cell;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::damages;
use super::support::*;
use crate::journal::*;
use crate::record::TimeKind;

/// Two segments with two lanes, three sites, a context and an own gap; returns their lines.
fn small_journal(home: &Path) -> Vec<String> {
    let mut writer = Writer::new(options(directory(home), false));
    let mut known = Known::with_sites(3);
    known.add_context(0x1_0001, "BTC");
    for pass in 1..=6_u64 {
        writer.appender.begin_pass(pass * 100, (pass % 3 == 0).then_some(LINE));
        for lane in 1..=2 {
            let site = (pass % 3 + 1) as u32;
            let time = pass * 100 - 50 + u64::from(lane);
            let mut run = record(site, 0, TimeKind::OwnTicks, time, pass, "abc");
            run.extend(record(site, 0x1_0001, TimeKind::CallerTicks, time, lane.into(), "x"));
            writer.append(lane, &run, &known);
        }
        if pass == 4 {
            writer.roll();
        }
        writer.appender.end_pass().unwrap();
    }
    let lines = read_all(&writer.index);
    writer.appender.finish().0.unwrap();
    // The first segment is as large as it was made; only its head is of interest.
    let first = std::fs::OpenOptions::new().write(true).open(writer.index.path(1)).unwrap();
    first.set_len(end_of_data(&writer.index.path(1))).unwrap();
    assert_eq!(lines.len(), 24);
    assert_eq!(read_all(&writer.index), lines);
    lines
}

fn end_of_data(path: &Path) -> u64 {
    let bytes = std::fs::read(path).unwrap();
    u64::from_le_bytes(bytes[512..520].try_into().unwrap())
}

fn segments(home: &Path) -> [PathBuf; 2] {
    [1, 2].map(|sequence| home.join(format!("journal/{sequence:020}.tape")))
}

/// Whether a line reports a loss.
fn is_told(line: &str) -> bool {
    let marks = ["logger.undecodable", "undefined_context"];
    line.starts_with('[') || marks.iter().any(|mark| line.contains(mark))
}

/// Nothing but the expected lines, in their order; whether something is missing.
pub(super) fn check(read: &[String], expected: &[String], what: &str) -> bool {
    let mut rest = expected.iter();
    for line in read.iter().filter(|line| !is_told(line)) {
        assert!(rest.any(|expected| expected == line), "{what}: {line:?} is wrong: {read:#?}");
    }
    let missing = read.iter().filter(|line| !is_told(line)).count() < expected.len();
    assert!(!missing || read.iter().any(|line| is_told(line)), "{what}: a loss is not reported");
    missing
}

#[test]
fn row_15_a_flipped_byte_never_makes_a_wrong_entry_and_costs_at_most_its_frame() {
    let home = tempfile::tempdir().unwrap();
    let expected = small_journal(home.path());
    let index = SegmentIndex::directory(home.path().join("journal"));
    let (mut lost, mut flips) = (0, 0);
    for path in segments(home.path()) {
        let bytes = std::fs::read(&path).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        for (at, &byte) in bytes.iter().enumerate() {
            for mask in [0x01, 0x80, 0xff] {
                file.write_all_at(&[byte ^ mask], at as u64).unwrap();
                let read = read_all(&index);
                let what = format!("{} byte {at} ^ {mask:#x}", path.display());
                lost += u32::from(check(&read, &expected, &what));
                let whole = read.iter().filter(|line| expected.contains(line)).count();
                // A site is used by the records of two passes of two lanes at most.
                assert!(whole >= expected.len() - 12, "{what}: {whole} entries left");
                flips += 1;
            }
            file.write_all_at(&[byte], at as u64).unwrap();
        }
    }
    println!("row 15: {flips} flips, {lost} of them cost an entry");
    assert_eq!(read_all(&index), expected);
}

#[test]
fn row_15_a_cut_file_never_makes_a_wrong_entry() {
    let home = tempfile::tempdir().unwrap();
    let expected = small_journal(home.path());
    let index = SegmentIndex::directory(home.path().join("journal"));
    let mut cuts = 0;
    for path in segments(home.path()) {
        let bytes = std::fs::read(&path).unwrap();
        for length in 0..bytes.len() {
            cuts += 1;
            std::fs::write(&path, &bytes[..length]).unwrap();
            check(&read_all(&index), &expected, &format!("{} cut at {length}", path.display()));
        }
        std::fs::write(&path, &bytes).unwrap();
    }
    println!("row 15: {cuts} cuts of a journal");
}

#[test]
fn row_15_a_reader_that_resumes_in_a_damaged_file_stays_sane() {
    let home = tempfile::tempdir().unwrap();
    let expected = small_journal(home.path());
    let index = SegmentIndex::directory(home.path().join("journal"));
    let [path, _] = segments(home.path());
    let length = std::fs::metadata(&path).unwrap().len();
    println!("row 15: {} places to resume at", (length + 64).div_ceil(4));
    for offset in (0..length + 64).step_by(4) {
        let from = Some(Position { sequence: 1, offset });
        let mut reader = EntryReader::new(index.clone(), from, Liveness::Ended);
        let mut rest = expected.iter();
        for line in drain(&mut reader).iter().filter(|line| !is_told(line)) {
            assert!(rest.any(|expected| expected == line), "from {offset}: {line:?}");
        }
    }
}

/// Where, what, and how many bytes.
fn damage() -> impl Strategy<Value = (prop::sample::Index, u64, usize)> {
    (any::<prop::sample::Index>(), any::<u64>(), 1_usize..64)
}

fn files_of_noise() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..20_000)
}

/// Tries so many cases, and gives their number: [`proptest!`] would keep it to itself.
fn try_cases<S: Strategy>(strategy: &S, case: impl Fn(S::Value)) -> u32 {
    let cases = damages(60);
    let (tried, file) = (Cell::new(0), Some(file!()));
    let config = ProptestConfig { source_file: file, ..ProptestConfig::with_cases(cases) };
    let outcome = TestRunner::new(config).run(strategy, |value| {
        tried.set(tried.get() + 1);
        case(value);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    tried.get()
}

#[test]
fn row_15_several_damages_at_once_never_panic_or_hang() {
    let lost = Cell::new(0);
    let journals = try_cases(&prop::collection::vec(damage(), 1..20), |damages| {
        let home = tempfile::tempdir().unwrap();
        let expected = small_journal(home.path());
        for (place, value, length) in damages {
            let path = &segments(home.path())[value as usize % 2];
            let mut bytes = std::fs::read(path).unwrap();
            let at = place.index(bytes.len());
            let end = bytes.len().min(at + length);
            bytes[at..end].iter_mut().for_each(|byte| *byte = byte.wrapping_add(value as u8 | 1));
            std::fs::write(path, bytes).unwrap();
        }
        let index = SegmentIndex::directory(home.path().join("journal"));
        lost.set(lost.get() + u32::from(check(&read_all(&index), &expected, "many")));
    });
    println!("row 15: {journals} journals of many damages, {} of them lost an entry", lost.get());
}

#[test]
fn row_15_noise_is_no_journal() {
    let journals = try_cases(&(files_of_noise(), any::<bool>()), |(noise, with_header)| {
        let home = tempfile::tempdir().unwrap();
        small_journal(home.path());
        let [path, _] = segments(home.path());
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.truncate(if with_header { 4096 } else { 0 });
        bytes.extend(noise);
        std::fs::write(&path, bytes).unwrap();
        read_all(&SegmentIndex::directory(home.path().join("journal")));
    });
    println!("row 15: {journals} journals of noise");
}
