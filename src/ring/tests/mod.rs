//! Tests of the ring on real memory; the orderings are checked by the models in `loom-tests`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

mod definitions;
mod files;
mod lifecycle;
mod model;
mod rules;
mod sampling;
mod threads;

/// Bytes of a test's gap record: length, mark, lane, generation, the totals by reason, trade.
pub(super) const GAP_BYTES: u32 = 88;
/// What stands in place of a number in a gap record.
const GAP_MARK: u32 = u32::MAX;

/// A record as the tests write and read it: length, lane's mark, number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    Record { len: u32, mark: u32, number: u64 },
    Gap { generation: u32, by_reason: [u64; LOSS_REASONS], trade: u64 },
}

pub(super) const ORDINARY: Class = Class { privileged: false, trade: false };
pub(super) const PRIVILEGED: Class = Class { privileged: true, trade: false };
pub(super) const TRADE: Class = Class { privileged: true, trade: true };

fn ticks() -> u64 {
    static TICKS: AtomicU64 = AtomicU64::new(1);
    // ORDERING: Relaxed, only that each number comes once.
    TICKS.fetch_add(1, Ordering::Relaxed)
}

fn write_gap(bytes: &mut [u8], info: &GapInfo) {
    bytes[0..4].copy_from_slice(&GAP_BYTES.to_le_bytes());
    bytes[4..8].copy_from_slice(&GAP_MARK.to_le_bytes());
    bytes[8..12].copy_from_slice(&info.lane.to_le_bytes());
    bytes[12..16].copy_from_slice(&info.generation.to_le_bytes());
    for (index, count) in info.losses.by_reason.iter().enumerate() {
        bytes[16 + index * 8..][..8].copy_from_slice(&count.to_le_bytes());
    }
    bytes[64..72].copy_from_slice(&info.losses.trade.to_le_bytes());
    bytes[72..80].copy_from_slice(&info.losses.first_ticks.to_le_bytes());
    bytes[80..88].copy_from_slice(&info.losses.last_ticks.to_le_bytes());
}

/// Sixteen blocks of 4 KiB: two for the head, two for definitions, twelve for data.
pub(super) fn config() -> RingConfig {
    RingConfig {
        ring_bytes: 64 << 10,
        block_bytes: 4 << 10,
        reserve_blocks: 2,
        lanes: Some(4),
        dir: None,
        pages: Pages::default(),
        owner: b"/var/log/bot".to_vec(),
        gap: GapRecord { bytes: GAP_BYTES, write: write_gap },
        clock: ticks,
    }
}

pub(super) fn ring() -> (Arc<Ring>, RingDrain) {
    Ring::create(config()).unwrap()
}

/// A directory on tmpfs that vanishes with the value.
pub(super) fn memory_directory() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("tapelog-test-").tempdir_in("/dev/shm").unwrap()
}

/// Fills a slot as `entries` reads it.
pub(super) fn fill(mut slot: crate::sync::Slot<'_>, mark: u32, number: u64) {
    let len = slot.len();
    slot.write_u64(0, u64::from(mark) << 32 | u64::from(len));
    slot.write_u64(8, number);
    for offset in (16..len).step_by(8) {
        slot.write_u64(offset, number ^ u64::from(offset));
    }
}

/// Pushes a record of 32 bytes.
pub(super) fn push(handle: &LaneHandle, number: u64, class: Class) -> Result<(), PushError> {
    handle.push(32, class, |slot| fill(slot, handle.lane(), number))
}

fn word(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(bytes[offset..offset + 8].try_into().unwrap())
}

/// Reads one record, checking each of its bytes.
fn entry(bytes: &[u8]) -> Entry {
    let mark = u32::try_from(word(bytes, 0) >> 32).unwrap();
    if mark == GAP_MARK {
        return Entry::Gap {
            generation: u32::try_from(word(bytes, 8) >> 32).unwrap(),
            by_reason: std::array::from_fn(|i| word(bytes, 16 + i * 8)),
            trade: word(bytes, 64),
        };
    }
    let number = word(bytes, 8);
    for offset in (16..bytes.len()).step_by(8) {
        assert_eq!(word(bytes, offset), number ^ offset as u64, "byte {offset} is torn");
    }
    Entry::Record { len: u32::try_from(bytes.len()).unwrap(), mark, number }
}

/// Reads a run.
pub(super) fn entries(mut bytes: &[u8]) -> Vec<Entry> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let len = (word(bytes, 0) & 0xFFFF_FFFF) as usize;
        assert!(len >= 16 && len.is_multiple_of(8) && len <= bytes.len(), "a torn length: {len}");
        let (record, rest) = bytes.split_at(len);
        found.push(entry(record));
        bytes = rest;
    }
    found
}

/// Takes everything that a lane holds.
pub(super) fn take_lane(drain: &RingDrain, lane: u32) -> Vec<Entry> {
    let mut found = Vec::new();
    while let Some(run) = drain.peek(lane) {
        found.extend(entries(run.bytes));
        drain.take(lane, u32::try_from(run.bytes.len()).unwrap());
    }
    found
}

/// One whole pass, gap records of silent lanes included.
pub(super) fn pass(drain: &mut RingDrain) -> Vec<Entry> {
    drain.begin_pass();
    let mut found = Vec::new();
    for lane in 0..drain.lanes() {
        found.extend(take_lane(drain, lane));
        if let Some(info) = drain.unreported_losses(lane) {
            found.push(Entry::Gap {
                generation: info.generation,
                by_reason: info.losses.by_reason,
                trade: info.losses.trade,
            });
            drain.mark_reported(lane, &info);
        }
    }
    drain.commit();
    found
}

/// The numbers of the records, gap records left out.
pub(super) fn numbers(found: &[Entry]) -> Vec<u64> {
    found
        .iter()
        .filter_map(|entry| match entry {
            Entry::Record { number, .. } => Some(*number),
            Entry::Gap { .. } => None,
        })
        .collect()
}

/// Runs `body` in a forked child and gives its exit code.
#[expect(unsafe_code, reason = "a test of fork needs fork")]
pub(super) fn in_child(body: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the child runs `body` and ends by `_exit`; it takes no lock of another thread,
    // since `body` neither allocates nor prints.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        let code = body();
        // SAFETY: ends the process at once, without the parent's exit handlers.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: `status` is a valid place for the result, and the child is this process's own.
    let waited = unsafe { libc::waitpid(pid, &mut status, 0) };
    assert_eq!(waited, pid);
    assert!(libc::WIFEXITED(status));
    libc::WEXITSTATUS(status)
}
