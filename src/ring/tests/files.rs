//! The file in which a ring lies, its fallback, and sizes that cannot be.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;

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
