//! Row 15: a ring's file whose bytes were changed at random is read to some end, within bounds.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::hostile::{Out, RECORDS, bytes_of_a_ring};
use super::*;

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

/// Where a byte is changed: anywhere, or where it matters.
fn places() -> impl Strategy<Value = usize> {
    let block = (0..12_usize, 0..160_usize).prop_map(|(block, at)| (4 + block) * 4096 + at);
    prop_oneof![0..64_usize << 10, 4096..5400_usize, block, 8192..8300_usize]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, ..ProptestConfig::default() })]

    #[test]
    fn row_15_random_bytes_in_a_ring_neither_panic_nor_hang(
        changes in prop::collection::vec((places(), any::<u8>()), 1..40),
        cut in prop::option::weighted(0.05, 0..64_usize << 10),
    ) {
        thread_local!(static WHOLE: Vec<u8> = bytes_of_a_ring());
        let mut bytes = WHOLE.with(Clone::clone);
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        bytes.truncate(cut.unwrap_or(usize::MAX));
        let directory = tempfile::Builder::new().prefix("tapelog-test-").tempdir_in("/dev/shm");
        read(&bytes, &directory.unwrap().path().join("a"));
    }
}
