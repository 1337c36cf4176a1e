//! Row 15: a ring's file that was cut, or whose bytes were changed, each of them or some at random, is read
//! to some end, within bounds.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::hostile::{Out, RECORDS, bytes_of_a_ring};
use super::*;
use crate::journal::tests::damages;

fn read(bytes: &[u8], path: &Path) -> Option<Out> {
    fs::write(path, bytes).unwrap();
    let file = fs::File::options().read(true).write(true).open(path).unwrap();
    let out = hostile::read(bytes, file, path.to_owned(), |run| {
        let _known = (run.known.site(1).map(<[u8]>::len), run.known.context(1).map(<[u8]>::len));
    })?;
    let aside = path.with_extension(ASIDE);
    assert_eq!((path.exists(), aside.exists()), (false, out.unreadable > 0));
    let _gone = fs::remove_file(aside);
    Some(out)
}

#[test]
fn a_ring_gives_what_its_lanes_have_committed() {
    let directory = tempfile::tempdir().unwrap();
    let out = read(&bytes_of_a_ring(), &directory.path().join("a")).unwrap();
    assert_eq!((out.lost, out.unreadable), (1, 0));
    for (lane, count) in RECORDS.into_iter().enumerate().filter(|(_, count)| *count > 0) {
        assert_eq!(out.numbers[&(lane as u32)], (0..count).collect::<Vec<_>>());
    }
}

#[test]
fn a_ring_whose_links_lead_in_a_circle_has_an_end() {
    let directory = tempfile::tempdir().unwrap();
    let whole = bytes_of_a_ring();
    let data = u64::from_le_bytes(*whole[64..].first_chunk().unwrap()) as usize;
    for to in 0..14_u32 {
        let mut bytes = whole.clone();
        for block in 0..12 {
            bytes[data + block * 4096 + 8..][..4].copy_from_slice(&to.to_le_bytes());
        }
        read(&bytes, &directory.path().join("a")).unwrap();
    }
}

/// Reads rings of these bytes in memory, one after the other, each in little time.
struct Reader(File);

impl Reader {
    fn new() -> Self {
        let flags = rustix::fs::MemfdFlags::CLOEXEC;
        Self(rustix::fs::memfd_create("tapelog-test", flags).unwrap().into())
    }

    fn read(&self, bytes: &[u8]) -> Option<Out> {
        let begun = Instant::now();
        self.0.set_len(bytes.len() as u64).unwrap();
        self.0.write_all_at(bytes, 0).unwrap();
        // Nothing is there to be removed or set aside.
        let path = "/nowhere/tapelog.ring".into();
        let out = hostile::read(bytes, self.0.try_clone().unwrap(), path, |_| {});
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
        out
    }
}

/// The numbers of a lane's records as they were made.
fn made(lane: u32) -> Vec<u64> {
    (0..RECORDS[lane as usize]).collect()
}

/// Which record a byte belongs to, and where in it: lane, number, place.
fn record_of(whole: &[u8], at: usize) -> Option<(u32, u64, usize)> {
    let word = |at: usize| u64::from_le_bytes(*whole[at..].first_chunk().unwrap());
    let block = at.checked_sub(word(64) as usize)? / 4096 * 4096 + word(64) as usize;
    let offset = at - block;
    let committed = (word(block) & 0xFFFF_FFFF) as usize;
    let start = (64..committed).contains(&offset).then(|| block + 64 + (offset - 64) / 32 * 32)?;
    Some(((word(block + 8) >> 32) as u32, word(start + 24), at - start))
}

/// Looks at what came out of a ring with one changed byte.
fn check_flipped(whole: &[u8], at: usize, out: &Out) {
    let touched = record_of(whole, at);
    for (&lane, found) in &out.numbers {
        let made = made(lane);
        match touched.filter(|(of, ..)| *of == lane) {
            // A record has no checksum of its own: what stands in it is as it stands there.
            Some((_, number, place)) => {
                let (front, rest) = found.split_at((number as usize).min(found.len()));
                assert_eq!(front, &made[..number as usize], "byte {at}: {found:?}");
                let rest = rest.get(1..).unwrap_or_default();
                if place >= 4 {
                    assert_eq!(rest, &made[number as usize + 1..], "byte {at}: {found:?}");
                } else {
                    // Its length: how much of the block is lost with it is told as unreadable.
                    let known = rest.iter().all(|number| made.contains(number));
                    assert!(known, "byte {at}: {found:?}");
                }
            }
            None => {
                assert!(found.is_sorted_by(|a, b| a < b), "byte {at}: {found:?}");
                assert!(found.iter().all(|it| made.contains(it)), "byte {at}: {found:?}");
            }
        }
    }
    if let Some((of, ..)) = touched {
        for lane in [0, 1].into_iter().filter(|lane| *lane != of) {
            assert_eq!(out.numbers[&lane], made(lane), "byte {at} is of lane {of}");
        }
    }
}

#[test]
fn row_15_no_flipped_byte_of_a_ring_makes_a_record_that_was_never_made() {
    let (whole, reader) = (bytes_of_a_ring(), Reader::new());
    // What stands in pages that hold nothing is read by nobody.
    let is_used = |at: &usize| whole[at / 4096 * 4096..][..4096].iter().any(|byte| *byte != 0);
    let (mut flipped, mut rings) = (0, 0);
    for at in (0..whole.len()).filter(is_used) {
        for mask in [0xFF, 1 << (at % 8)] {
            let mut bytes = whole.clone();
            bytes[at] ^= mask;
            if let Some(out) = reader.read(&bytes) {
                check_flipped(&whole, at, &out);
                rings += 1;
            }
            flipped += 1;
        }
    }
    println!("row 15: {flipped} flips in a ring of {} bytes, {rings} of them read", whole.len());
}

#[test]
fn row_15_a_ring_that_was_cut_anywhere_is_no_ring() {
    let (whole, reader) = (bytes_of_a_ring(), Reader::new());
    assert!(reader.read(&whole).is_some());
    for length in 0..whole.len() {
        assert_eq!(reader.read(&whole[..length]), None, "cut to {length} bytes");
    }
    println!("row 15: {} cuts of a ring", whole.len());
}

/// Where a byte is changed: anywhere, or where it matters.
fn places() -> impl Strategy<Value = usize> {
    let block = (0..12_usize, 0..160_usize).prop_map(|(block, at)| (4 + block) * 4096 + at);
    prop_oneof![0..64_usize << 10, 4096..5400_usize, block, 8192..8300_usize]
}

#[test]
fn row_15_random_bytes_in_a_ring_neither_panic_nor_hang() {
    let cases = damages(5_000);
    let changes = prop::collection::vec((places(), any::<u8>()), 1..40);
    let cut = prop::option::weighted(0.05, 0..64_usize << 10);
    let config = ProptestConfig { cases, ..ProptestConfig::default() };
    let whole = bytes_of_a_ring();
    let read = TestRunner::new(config).run(&(changes, cut), |(changes, cut)| {
        let mut bytes = whole.clone();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        bytes.truncate(cut.unwrap_or(usize::MAX));
        let directory = tempfile::Builder::new().prefix("tapelog-test-").tempdir_in("/dev/shm");
        read(&bytes, &directory.unwrap().path().join("a"));
        Ok(())
    });
    read.unwrap();
    println!("row 15: {cases} rings with random bytes, read to some end");
}
