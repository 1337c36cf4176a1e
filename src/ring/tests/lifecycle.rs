//! Lanes that come and go, the file, forks, definitions, and sizes that cannot be.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::time::Duration;

use super::*;

#[test]
fn a_lane_is_reused_under_a_new_generation() {
    let (ring, mut drain) = ring();
    for generation in 0..10 {
        let handle = ring.register();
        assert_eq!(handle.lane(), 0);
        assert!(!handle.is_shared());
        push(&handle, u64::from(generation), ORDINARY).unwrap();
        drop(handle);
        drain.begin_pass();
        assert_eq!(drain.peek(0).unwrap().generation, generation);
        assert_eq!(drain.peek(0).unwrap().serial, 1);
        assert_eq!(numbers(&take_lane(&drain, 0)), [u64::from(generation)]);
        drain.commit();
        assert_eq!(ring.occupancy().free_blocks, 12);
    }
    assert_eq!(drain.accepted(), 10);
    assert_eq!(drain.lanes(), 1);
}

#[test]
fn a_closed_lane_is_not_reused_before_it_is_drained() {
    let (ring, mut drain) = ring();
    let first = ring.register();
    push(&first, 1, ORDINARY).unwrap();
    drop(first);
    let second = ring.register();
    assert_eq!(second.lane(), 1);
    pass(&mut drain);
    assert_eq!(ring.register().lane(), 0);
}

#[test]
fn a_closed_lane_is_not_reused_before_its_losses_are_told() {
    let (ring, mut drain) = ring();
    let handle = ring.register();
    handle.count_loss(PushError::Full, TRADE);
    drop(handle);
    drain.begin_pass();
    assert!(drain.peek(0).is_none());
    drain.commit();
    assert_eq!(ring.register().lane(), 1, "its losses are not told");
    let told = Entry::Gap { generation: 0, by_reason: [1, 0, 0, 0, 0, 0], trade: 1 };
    assert_eq!(pass(&mut drain), [told]);
    let again = ring.register();
    assert_eq!(again.lane(), 0);
    assert_eq!(ring.losses().total(), 1, "what a retired lane lost stays in the sum");
    assert_eq!(ring.losses().trade, 1);
    push(&again, 5, ORDINARY).unwrap();
    assert_eq!(pass(&mut drain), [Entry::Record { len: 32, mark: 0, number: 5 }]);
}

#[test]
fn threads_beyond_the_table_share_the_last_lane() {
    let (ring, mut drain) = ring();
    let handles: Vec<_> = (0..6).map(|_| ring.register()).collect();
    let shared: Vec<_> = handles.iter().map(LaneHandle::is_shared).collect();
    assert_eq!(shared, [false, false, false, true, true, true]);
    assert_eq!(ring.occupancy().lanes_active, 3);
    for (number, handle) in (0..).zip(&handles[3..]) {
        push(handle, number, ORDINARY).unwrap();
        // While one thread is inside, another one is refused.
        let pushed = handles[3].push(32, ORDINARY, |slot| {
            assert_eq!(push(&handles[4], 0, TRADE), Err(PushError::Lane));
            fill(slot, 3, 10 + number);
        });
        assert_eq!(pushed, Ok(()));
    }
    let found = pass(&mut drain);
    assert_eq!(numbers(&found), [0, 10, 1, 11, 2, 12]);
    assert_eq!(ring.losses().by_reason, [0, 3, 0, 0, 0, 0]);
    drop(handles);
    pass(&mut drain);
    assert_eq!(ring.occupancy().lanes_active, 0);
}

#[test]
fn behind_the_gate_everything_is_refused_and_counted() {
    let (ring, mut drain) = ring();
    let before = ring.register();
    push(&before, 0, ORDINARY).unwrap();
    assert_eq!(ring.close_gate(Duration::from_millis(10)), 0);
    assert_eq!(push(&before, 1, ORDINARY), Err(PushError::Closed));
    assert_eq!(push(&ring.register(), 2, TRADE), Err(PushError::Closed));
    assert_eq!(numbers(&pass(&mut drain)), [0]);
    assert_eq!(ring.losses().by_reason, [0, 0, 0, 2, 0, 0]);
    assert_eq!(ring.losses().trade, 1);
    assert!(drain.is_drained());
}

#[test]
fn a_producer_that_stays_busy_is_counted_at_the_gate() {
    let (ring, _drain) = ring();
    let handle = ring.register();
    let pushed = handle.push(32, ORDINARY, |slot| {
        assert_eq!(ring.close_gate(Duration::from_millis(1)), 1);
        fill(slot, 0, 0);
    });
    assert_eq!(pushed, Ok(()));
    assert_eq!(ring.close_gate(Duration::from_millis(1)), 0);
}

/// Runs `body` in a forked child and gives its exit code.
#[expect(unsafe_code, reason = "a test of fork needs fork")]
fn in_child(body: impl FnOnce() -> i32) -> i32 {
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

#[test]
fn a_forked_child_is_refused_and_touches_nothing() {
    let directory = memory_directory();
    let dir = Some(directory.path().join("ring"));
    let (ring, mut drain) = Ring::create(RingConfig { dir, ..config() }).unwrap();
    let mut handles: Vec<_> = (0..5).map(|_| ring.register()).collect();
    for (number, handle) in (0..).zip(&handles) {
        push(handle, number, ORDINARY).unwrap();
    }
    let context = ring.definitions().define_context(b"parent").unwrap();
    let losses = ring.losses();
    let code = in_child(|| {
        let forked = Err(PushError::Forked);
        for handle in &handles {
            for _ in 0..3 {
                if push(handle, 99, TRADE) != forked {
                    return 1;
                }
            }
        }
        ring.definitions().retire_context(context);
        if ring.definitions().define_context(b"child").is_some() {
            return 2;
        }
        if ring.definitions().define_site(1, b"child") {
            return 3;
        }
        let late = ring.register();
        if push(&late, 99, TRADE) != forked || ring.close_gate(Duration::ZERO) != 0 {
            return 4;
        }
        drop(late);
        handles.clear();
        ring.remove_file();
        drain.begin_pass();
        drain.commit();
        0
    });
    assert_eq!(code, 0);
    assert!(ring.path().unwrap().exists());
    assert_eq!(ring.losses(), losses);
    assert_eq!(ring.occupancy().lanes_active, 3, "the child closed no lane");
    push(&handles[0], 5, ORDINARY).unwrap();
    pass(&mut drain);
    assert_eq!(drain.context(context).unwrap(), b"parent");
    assert_eq!(drain.accepted(), 6);
}

#[test]
fn the_file_is_private_whole_and_removed_at_the_end() {
    let directory = memory_directory();
    let dir = directory.path().join("ring");
    let (ring, _drain) = Ring::create(RingConfig { dir: Some(dir.clone()), ..config() }).unwrap();
    assert!(ring.crash_safe());
    assert_eq!(ring.fallback_reason(), None);
    let path = ring.path().unwrap();
    let name = format!("{}-{:016x}.ring", std::process::id(), ring.id());
    assert_eq!(path, dir.join(name));
    let file = std::fs::metadata(&path).unwrap();
    assert_eq!(file.permissions().mode() & 0o7777, 0o600);
    assert_eq!((file.len(), file.blocks() * 512), (64 << 10, 64 << 10));
    assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o7777, 0o700);
    ring.remove_file();
    assert!(!path.exists());
}

#[test]
fn the_file_can_be_read_by_its_layout() {
    let directory = memory_directory();
    let dir = Some(directory.path().to_owned());
    let (ring, mut drain) = Ring::create(RingConfig { dir, ..config() }).unwrap();
    let handle = ring.register();
    push(&handle, 0, ORDINARY).unwrap();
    pass(&mut drain);
    push(&handle, 1, ORDINARY).unwrap();
    handle.count_loss(PushError::Full, TRADE);
    let bytes = std::fs::read(ring.path().unwrap()).unwrap();
    let number = |offset: usize| u32::try_from(word(&bytes, offset) & 0xFFFF_FFFF).unwrap();
    assert_eq!(&bytes[..8], b"TAPERING");
    assert_eq!((number(8), number(12)), (1, 4096));
    assert_eq!(word(&bytes, 16), 64 << 10);
    assert_eq!([number(24), number(28), number(32), number(36)], [4096, 12, 4, 2]);
    assert_eq!(word(&bytes, 72), ring.id());
    assert_eq!(number(80), std::process::id());
    assert_eq!(number(132), 12);
    assert_eq!(&bytes[1024..1036], b"/var/log/bot");
    let lane = usize::try_from(word(&bytes, 48)).unwrap();
    assert_eq!(word(&bytes, lane), 1, "generation 0, active");
    assert_eq!(number(lane + 8), 1, "its chain begins with block 0");
    assert_eq!(word(&bytes, lane + 16), (64 + 32) << 32 | 1, "one record is drained");
    assert_eq!(word(&bytes, lane + 128), 1, "one lost because the ring was full");
    assert_eq!(word(&bytes, lane + 176), 1, "and that was a trade event");
    let block = usize::try_from(word(&bytes, 64)).unwrap();
    assert_eq!(word(&bytes, block), 2 << 32 | (64 + 64), "two records, and where they end");
    assert_eq!(word(&bytes, block + 24), 1, "the lane's first block");
    assert_eq!(
        entries(&bytes[block + 96..block + 128])[0],
        Entry::Record { len: 32, mark: 0, number: 1 }
    );
}

/// Makes a ring with a directory that cannot be used, and gives the reason.
fn fallback(dir: PathBuf) -> String {
    let (ring, mut drain) = Ring::create(RingConfig { dir: Some(dir), ..config() }).unwrap();
    assert!(!ring.crash_safe());
    assert_eq!(ring.path(), None);
    push(&ring.register(), 1, ORDINARY).unwrap();
    assert_eq!(numbers(&pass(&mut drain)), [1]);
    ring.fallback_reason().unwrap()
}

#[test]
fn a_directory_that_cannot_be_used_is_no_failure() {
    let directory = memory_directory();
    let path = directory.path();
    let missing = fallback(path.join("a/b"));
    assert!(missing.contains("cannot make the directory"), "{missing}");
    symlink("/dev/shm", path.join("link")).unwrap();
    let link = fallback(path.join("link"));
    assert!(link.contains("/link: cannot open it"), "{link}");
    std::fs::write(path.join("file"), b"").unwrap();
    let file = fallback(path.join("file"));
    assert!(file.contains("/file: cannot open it"), "{file}");
    let disk = fallback(PathBuf::from("/proc/self/fdinfo"));
    assert!(disk.contains("not on tmpfs"), "{disk}");
    if rustix::process::geteuid().is_root() {
        std::fs::create_dir(path.join("foreign")).unwrap();
        std::os::unix::fs::chown(path.join("foreign"), Some(65_534), None).unwrap();
        let foreign = fallback(path.join("foreign"));
        assert!(foreign.contains("belongs to user 65534"), "{foreign}");
    }
}

#[test]
fn too_little_room_on_tmpfs_is_no_failure_and_leaves_no_file() {
    let directory = memory_directory();
    let dir = directory.path().to_owned();
    let code = in_child(|| {
        // A limit on file sizes stands in for a full file system.
        let limit = rustix::process::Rlimit { current: Some(32 << 10), maximum: Some(32 << 10) };
        let resource = rustix::process::Resource::Fsize;
        if rustix::process::setrlimit(resource, limit).is_err() {
            return 1;
        }
        let made = Ring::create(RingConfig { dir: Some(dir.clone()), ..config() });
        let Ok((ring, _drain)) = made else { return 2 };
        let told = ring.fallback_reason().is_some_and(|reason| reason.contains("65536 bytes"));
        if ring.crash_safe() || !told { 3 } else { 0 }
    });
    assert_eq!(code, 0);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn sizes_that_cannot_be_are_refused_by_name() {
    let message = |config: RingConfig| Ring::create(config).unwrap_err().to_string();
    for block_bytes in [0, 2048, 5000, 2 << 20] {
        let refused = message(RingConfig { block_bytes, ..config() });
        assert!(refused.starts_with(&format!("block_bytes = {block_bytes}:")), "{refused}");
    }
    for ring_bytes in [0, 4096, 16 << 10, (64 << 10) + 1, 2 << 30] {
        let refused = message(RingConfig { ring_bytes, ..config() });
        assert!(refused.starts_with(&format!("ring_bytes = {ring_bytes} ")), "{refused}");
    }
    for lanes in [0, 1, 7, u32::MAX] {
        let refused = message(RingConfig { lanes: Some(lanes), ..config() });
        assert!(refused.starts_with(&format!("{lanes} lanes in")), "{refused}");
    }
    let refused = message(RingConfig { reserve_blocks: 6, ..config() });
    assert!(refused.starts_with("reserve_blocks = 6 of 12 data blocks"), "{refused}");
    let gap = GapRecord { bytes: 264, write: |_, _| {} };
    assert!(message(RingConfig { gap, ..config() }).starts_with("a gap record of 264 bytes"));
}

#[test]
fn the_default_sizes_fit() {
    let geometry = Geometry::plan(8 << 20, 64 << 10, 2, None).unwrap();
    assert_eq!((geometry.blocks, geometry.lanes, geometry.reserve), (111, 55, 2));
    assert_eq!(geometry.definitions.sites, 4096);
    assert!(geometry.definitions.slots > 990);
    let end = geometry.data_offset + geometry.blocks as usize * geometry.block_bytes as usize;
    assert_eq!(end, geometry.ring_bytes);
    for ring_bytes in (1..=1024).map(|blocks| blocks << 12) {
        if let Ok(geometry) = Geometry::plan(ring_bytes, 4096, 0, None) {
            let definitions = &geometry.definitions;
            let slots = definitions.slots as usize * definitions.slot_bytes as usize;
            assert!(definitions.slots_offset + slots <= geometry.data_offset);
            assert!(
                definitions.tags_offset + definitions.slots as usize * 8
                    <= definitions.slots_offset
            );
            assert!(geometry.lanes_offset + geometry.lanes as usize * 256 <= definitions.offset);
        }
    }
}

#[test]
fn sites_are_defined_once_until_the_room_is_used_up() {
    let (ring, _drain) = ring();
    let definitions = ring.definitions();
    assert_eq!(definitions.site(1), None);
    assert!(definitions.define_site(1, b"src/main.rs:10"));
    assert!(definitions.define_site(1, b"another"), "defining it again changes nothing");
    assert_eq!(definitions.site(1).unwrap(), b"src/main.rs:10");
    assert!(!definitions.define_site(0, b"no id"));
    assert!(!definitions.define_site(u32::MAX, b"an id beyond the index"));
    assert!(!definitions.define_site(2, &[0; 5000]), "more than the heap holds");
    let long = [7; 1000];
    let defined = (2..20).filter(|&id| definitions.define_site(id, &long)).count();
    assert_eq!(defined, 3, "half of 8 KiB, less the index");
    assert_eq!(definitions.site(4).unwrap(), long);
    assert_eq!(definitions.site(5), None);
}

#[test]
fn a_context_slot_is_free_again_after_one_whole_pass() {
    let (ring, mut drain) = ring();
    let definitions = ring.definitions();
    let handle = ring.register();
    let slots: Vec<_> =
        std::iter::from_fn(|| definitions.define_context(b"some context")).collect();
    assert!(slots.len() >= 4);
    assert_eq!(drain.context(slots[0]).unwrap(), b"some context");
    push(&handle, u64::from(slots[0]), ORDINARY).unwrap();
    drain.begin_pass();
    definitions.retire_context(slots[0]);
    take_lane(&drain, 0);
    drain.commit();
    assert_eq!(definitions.define_context(b"new"), None, "the pass began before it was retired");
    push(&handle, u64::from(slots[0]), ORDINARY).unwrap();
    drain.begin_pass();
    drain.commit();
    assert_eq!(definitions.define_context(b"new"), None, "the pass took nothing");
    assert_eq!(drain.context(slots[0]).unwrap(), b"some context");
    push(&handle, 0, ORDINARY).unwrap();
    drain.begin_pass();
    drain.take(0, {
        let _ = drain.peek(0);
        32
    });
    drain.commit();
    let new = definitions.define_context(b"new").unwrap();
    assert_eq!(new, slots[0] | 1 << 16, "the same slot under a new generation");
    assert_eq!(drain.context(slots[0]), None, "an old id never finds a new context");
    assert_eq!(drain.context(new).unwrap(), b"new");
    definitions.retire_context(slots[0]);
    pass(&mut drain);
    assert_eq!(drain.context(new).unwrap(), b"new", "an old id retires nothing");
    assert_eq!(definitions.define_context(&[0; 513]), None, "longer than a slot");
}
