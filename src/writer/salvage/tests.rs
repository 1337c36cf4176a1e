//! Row 15: a ring's file whose bytes were changed at random is read to some end, within bounds.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::definition::{SiteSpec, encode_context};
use crate::level::Level;
use crate::record::{Flags, GAP_RECORD_BYTES};
use crate::ring::{Class, GapRecord, Identity, Pages, PushError, Ring, RingConfig};
use crate::shared::{encode, ticks_now};
use crate::sync::ParentsFile;

const LINE: Calibration =
    Calibration { ticks: 0, unix_nanos: 0, nanos_per_tick: 1 << 32, stepped: false };

/// Records of the lanes of the ring: with one site, and a context.
const RECORDS: [u64; 3] = [700, 40, 0];

/// The bytes of a ring of 64 KiB whose three lanes hold records, one of which has lost some.
fn bytes_of_a_ring() -> Vec<u8> {
    let directory =
        tempfile::Builder::new().prefix("tapelog-test-").tempdir_in("/dev/shm").unwrap();
    let (ring, drain) = Ring::create(RingConfig {
        ring_bytes: 64 << 10,
        block_bytes: 4 << 10,
        reserve_blocks: 0,
        lanes: Some(4),
        dir: Some(directory.path().to_owned()),
        pages: Pages::default(),
        owner: b"/logs".to_vec(),
        gap: GapRecord { bytes: GAP_RECORD_BYTES, write: |_, _| {} },
        clock: ticks_now,
    })
    .unwrap();
    let spec = SiteSpec {
        level: Level::Info,
        trade: false,
        line: 1,
        text: "event",
        target: "test",
        file: "test.rs",
        fields: &["number"],
    };
    let definition = spec.encode(<((), u64) as crate::record::Args>::types);
    assert!(ring.definitions().define_site(1, &definition));
    let context = encode_context(&["symbol"], &((), "BTCUSDT"));
    let context = ring.definitions().define_context(&context).unwrap();
    for count in RECORDS {
        let handle = ring.register();
        for number in 0..count {
            let flags = Flags::of_time(TimeKind::OwnTicks);
            let header = RecordHeader { length: 32, site: 1, context, flags, time: number };
            let write = |mut slot: crate::sync::Slot<'_>| {
                encode(slot.bytes_mut(), header, &[], &((), number), usize::MAX);
            };
            handle.push(32, Class::default(), write).unwrap();
        }
        if count == 0 {
            handle.count_loss(PushError::Full, Class { privileged: true, trade: true });
        }
        std::mem::forget(handle);
    }
    drop(drain);
    let file = fs::read_dir(directory.path()).unwrap().next().unwrap().unwrap().path();
    fs::read(file).unwrap()
}

/// What comes out of a ring: numbers by lane, in their order, losses told, and places that made no
/// sense; `None` if it is no ring.
#[derive(Debug, Default, PartialEq)]
struct Out {
    numbers: HashMap<u32, Vec<u64>>,
    lost: u64,
    unreadable: u64,
}

fn read(bytes: &[u8], path: &Path) -> Option<Out> {
    fs::write(path, bytes).unwrap();
    let identity = Identity::read(bytes)?;
    let file = ParentsFile::new(fs::File::options().read(true).write(true).open(path).unwrap());
    let ring = DeadRing::open(file.unwrap(), identity).ok()??;
    let stray = Stray { ring, path: path.to_owned() };
    let mut salvage = Salvage::new(stray, &Holdings::default(), LINE).unwrap();
    let masking = Masking::new(&[], &[]);
    let mut out = Out::default();
    let mut taken = 0;
    while let Some(run) = salvage.peek(&masking).unwrap() {
        let (lane, records) = (run.position.lane, run.records.to_vec());
        let _known = (run.known.site(1).map(<[u8]>::len), run.known.context(1).map(<[u8]>::len));
        let mut at = 0;
        while let Some(header) = RecordHeader::read(&records[at..]) {
            let number = records[at + RECORD_HEADER_BYTES..].first_chunk();
            let number = number.map_or(0, |number| u64::from_le_bytes(*number));
            out.numbers.entry(lane).or_default().push(number);
            at += header.length as usize;
        }
        assert!(at == records.len() && at > 0, "a run is whole records");
        salvage.take(lane, at as u32, 1);
        taken += at;
        assert!(taken <= bytes.len(), "no block is read twice");
        assert!(salvage.known.bytes <= KNOWN_BYTES_MAX + (128 << 10));
    }
    while let Some(gap) = salvage.gap() {
        salvage.told(&gap);
    }
    salvage.commit().unwrap();
    let done = salvage.finish();
    (out.lost, out.unreadable) = (done.lost, done.unreadable);
    let aside = path.with_extension(ASIDE);
    assert_eq!((path.exists(), aside.exists()), (false, done.unreadable > 0));
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
