//! Rings of any bytes, and what holds of whoever reads them. For the fuzzer, its corpus and the tests.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

pub(crate) use super::SalvageRun;
use super::*;
use crate::definition::{SiteSpec, encode_context};
use crate::level::Level;
use crate::record::{Args, Flags, GAP_RECORD_BYTES};
use crate::ring::{Class, GapRecord, Identity, Pages, PushError, Ring, RingConfig};
use crate::shared::{encode, ticks_now};
use crate::sync::{ParentsFile, Slot};

pub(crate) const LINE: Calibration =
    Calibration { ticks: 0, unix_nanos: 0, nanos_per_tick: 1 << 32, stepped: false };

/// Records of the lanes of the ring: with one site, and a context.
pub(crate) const RECORDS: [u64; 3] = [140, 20, 0];

/// The bytes of a ring of 64 KiB whose three lanes hold records, one of which has lost some.
pub(crate) fn bytes_of_a_ring() -> Vec<u8> {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    // ORDERING: Relaxed, a number that no other thread has.
    // PAIRS WITH: nothing.
    // IF WEAKENED: it is the weakest already.
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let directory =
        PathBuf::from(format!("/dev/shm/tapelog-hostile-{}-{number}", std::process::id()));
    assert!(fs::create_dir(&directory).is_ok(), "a place for a ring");
    let made = Ring::create(RingConfig {
        ring_bytes: 64 << 10,
        block_bytes: 4 << 10,
        reserve_blocks: 0,
        lanes: Some(4),
        dir: Some(directory.clone()),
        pages: Pages::default(),
        owner: b"/logs".to_vec(),
        gap: GapRecord { bytes: GAP_RECORD_BYTES, write: |_, _| {} },
        clock: ticks_now,
    });
    let Ok((ring, drain)) = made else { panic!("a ring") };
    fill(&ring);
    drop(drain);
    let file = fs::read_dir(&directory).ok().and_then(|mut found| found.next()?.ok());
    let bytes = file.and_then(|file| fs::read(file.path()).ok());
    // What cannot be removed is in memory and small.
    let _left = fs::remove_dir_all(directory);
    let Some(bytes) = bytes else { panic!("the ring has a file") };
    bytes
}

fn fill(ring: &Arc<Ring>) {
    let spec = SiteSpec {
        level: Level::Info,
        trade: false,
        line: 1,
        text: "event",
        target: "test",
        file: "test.rs",
        fields: &["number"],
    };
    let definition = spec.encode(<((), u64) as Args>::types);
    assert!(ring.definitions().define_site(1, &definition));
    let context = encode_context(&["symbol"], &((), "BTCUSDT"));
    let Some(context) = ring.definitions().define_context(&context) else { panic!("room") };
    for count in RECORDS {
        let handle = ring.register();
        for number in 0..count {
            let flags = Flags::of_time(TimeKind::OwnTicks);
            let header = RecordHeader { length: 32, site: 1, context, flags, time: number };
            let write = |mut slot: Slot<'_>| {
                encode(slot.bytes_mut(), header, &[], &((), number), usize::MAX);
            };
            assert!(handle.push(32, Class::default(), write).is_ok());
        }
        if count == 0 {
            handle.count_loss(PushError::Full, Class { privileged: true, trade: true });
        }
        // Its thread did not live to give it back.
        std::mem::forget(handle);
    }
}

/// What comes out of a ring: numbers by lane, in their order, losses told, and places that made no
/// sense.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Out {
    pub(crate) numbers: HashMap<u32, Vec<u64>>,
    pub(crate) lost: u64,
    pub(crate) unreadable: u64,
}

/// Reads the ring of `file`, which has these bytes, to its end, and gives each run to `run`; `None`
/// if it is no ring. `path` is what the ring's end removes or sets aside.
pub(crate) fn read(
    bytes: &[u8],
    file: File,
    path: PathBuf,
    mut run: impl FnMut(&SalvageRun<'_>),
) -> Option<Out> {
    let identity = Identity::read(bytes)?;
    let Ok(file) = ParentsFile::new(file) else { panic!("no descriptor") };
    let ring = DeadRing::open(file, identity).ok()??;
    let Ok(mut salvage) = Salvage::new(Stray { ring, path }, &Holdings::default(), LINE) else {
        panic!("the file can be read")
    };
    static MASKING: LazyLock<Masking> = LazyLock::new(|| Masking::new(&[], &[]));
    let mut out = Out::default();
    let mut taken = 0;
    loop {
        let Ok(peeked) = salvage.peek(&MASKING) else { panic!("the file can be read") };
        let Some(found) = peeked else { break };
        run(&found);
        let (lane, records) = (found.position.lane, found.records);
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
    assert!(salvage.commit().is_ok(), "the file can be written");
    let done = salvage.finish();
    (out.lost, out.unreadable) = (done.lost, done.unreadable);
    Some(out)
}
