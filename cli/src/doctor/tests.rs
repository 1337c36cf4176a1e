//! Each check against prepared texts, numbers and directories.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::finding::{Finding, Verdict, size};
use super::machine::{
    clock, cores, file_size, logind_texts, memlock, open_files, remove_ipc, swap,
};
use super::places::{directory, file_system, mount_options, reserve, room, tmpfs};

const MIB: u64 = 1 << 20;

/// The verdict; whoever is told of a drawback is told what to change.
fn verdict(finding: &Finding) -> Verdict {
    assert_eq!(finding.advice.is_none(), finding.verdict == Verdict::Ok, "{finding:?}");
    finding.verdict
}

#[test]
fn a_counter_that_is_not_invariant_is_a_problem() {
    let invariant = "processor : 0\nflags : fpu tsc constant_tsc nonstop_tsc\n";
    assert_eq!(verdict(&clock(invariant, "tsc", true)), Verdict::Ok);
    assert_eq!(verdict(&clock(invariant, "kvm-clock", true)), Verdict::Note);
    let stops = "flags : fpu tsc constant_tsc\n";
    assert_eq!(verdict(&clock(stops, "tsc", true)), Verdict::Problem);
    assert_eq!(verdict(&clock("", "arch_sys_counter", false)), Verdict::Ok);
}

#[test]
fn cores_and_swap_are_judged() {
    let verdicts = [1, 2, 3].map(|count| verdict(&cores(count)));
    assert_eq!(verdicts, [Verdict::Problem, Verdict::Note, Verdict::Ok]);
    let header = "Filename Type Size Used Priority\n";
    assert_eq!(verdict(&swap(header, false)), Verdict::Ok);
    let swaps = format!("{header}/dev/sda2 partition 1 0 -2\n");
    assert_eq!(verdict(&swap(&swaps, false)), Verdict::Note);
    assert_eq!(verdict(&swap(&swaps, true)), Verdict::Ok);
}

#[test]
fn logind_is_a_problem_for_ordinary_users_unless_it_is_told_otherwise() {
    let root = tempfile::tempdir().unwrap();
    let etc = root.path().join("etc/systemd/logind.conf.d");
    fs::create_dir_all(&etc).unwrap();
    let judged = |user, logind| verdict(&remove_ipc(&logind_texts(root.path()), user, logind));
    assert_eq!(judged(1000, true), Verdict::Problem, "it is the default");
    assert_eq!(judged(1000, false), Verdict::Ok);
    assert_eq!(judged(999, true), Verdict::Ok);
    fs::write(root.path().join("etc/systemd/logind.conf"), "[Login]\n#RemoveIPC=no\n").unwrap();
    assert_eq!(judged(1000, true), Verdict::Problem, "a comment says nothing");
    fs::write(root.path().join("etc/systemd/logind.conf"), "[Login]\nRemoveIPC = no\n").unwrap();
    assert_eq!(judged(1000, true), Verdict::Ok);
    fs::write(etc.join("90-again.conf"), "[Login]\nRemoveIPC=yes\n").unwrap();
    assert_eq!(judged(1000, true), Verdict::Problem, "the last one counts");
}

#[test]
fn limits_are_compared_with_what_is_needed() {
    assert_eq!(verdict(&memlock(64 << 10, None)), Verdict::Ok);
    assert_eq!(verdict(&memlock(9 * MIB, Some(9 * MIB))), Verdict::Ok);
    assert_eq!(verdict(&memlock(8 * MIB, Some(9 * MIB))), Verdict::Problem);
    let verdicts = [63, 64, 256].map(|limit| verdict(&open_files(limit)));
    assert_eq!(verdicts, [Verdict::Problem, Verdict::Note, Verdict::Ok]);
    assert_eq!(verdict(&file_size(16 * MIB, 16 * MIB)), Verdict::Ok);
    assert_eq!(verdict(&file_size(16 * MIB - 1, 16 * MIB)), Verdict::Problem);
}

#[test]
fn a_ring_needs_a_tmpfs_with_room() {
    let judged = |kind, free, options| {
        verdict(&tmpfs(Path::new("/dev/shm"), kind, (64 * MIB, free), 8 * MIB, options))
    };
    assert_eq!(judged(0x0102_1994, 32 * MIB, "rw,nosuid"), Verdict::Ok);
    assert_eq!(judged(0x0102_1994, 15 * MIB, "rw"), Verdict::Note);
    assert_eq!(judged(0x0102_1994, 7 * MIB, "rw"), Verdict::Problem);
    assert_eq!(judged(0x0102_1994, 32 * MIB, "ro,nosuid"), Verdict::Problem);
    assert_eq!(judged(0xef53, 32 * MIB, "rw"), Verdict::Problem);
    let mounts = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
                  30 22 0:5 / /dev/shm rw,nosuid shared:2 - tmpfs tmpfs rw,size=65536k\n";
    let options = mount_options(mounts, Path::new("/dev/shm/tapelog-0"));
    assert_eq!(options.as_deref(), Some("rw,nosuid,rw,size=65536k"));
    assert_eq!(mount_options(mounts, Path::new("/dev/shmem")).as_deref(), Some("rw,relatime,rw"));
}

#[test]
fn file_systems_are_told_apart() {
    for (kind, expected) in [
        (0xef53, Verdict::Ok),
        (0x5846_5342, Verdict::Ok),
        (0x9123_683e, Verdict::Note),
        (0x794c_7630, Verdict::Note),
        (0x0102_1994, Verdict::Note),
        (0x6969, Verdict::Problem),
        (0x1234, Verdict::Note),
    ] {
        assert_eq!(verdict(&file_system(kind)), expected, "{kind:#x}");
    }
}

#[test]
fn the_room_that_is_left_is_compared_with_the_bound() {
    assert_eq!(verdict(&room(100 * MIB, 200 * MIB, 300 * MIB, 0)), Verdict::Ok);
    assert_eq!(verdict(&room(99 * MIB, 200 * MIB, 300 * MIB, 0)), Verdict::Problem);
    assert_eq!([size(4096), size(5 * MIB), size(3 << 29)], ["4 KiB", "5 MiB", "1.5 GiB"]);
}

#[test]
fn the_room_that_the_engine_leaves_free_is_needed_beside_the_bound() {
    assert_eq!(verdict(&room(164 * MIB, 200 * MIB, 300 * MIB, 64 * MIB)), Verdict::Ok);
    let short = room(163 * MIB, 200 * MIB, 300 * MIB, 64 * MIB);
    assert_eq!(verdict(&short), Verdict::Problem);
    assert!(short.what.contains("64 MiB of it stay so"), "{short:?}");
    assert!(short.advice.is_some_and(|advice| advice.contains("disk_reserve")));
    // Logging stops there, even if all that may come is there already.
    assert_eq!(verdict(&room(63 * MIB, 300 * MIB, 300 * MIB, 64 * MIB)), Verdict::Problem);
    let reserves = [(64, 10_000), (64, 1_000), (0, 1_000)].map(|(set, total)| reserve(set, total));
    assert_eq!(reserves, [64, 50, 0], "a twentieth of the file system at most");
}

#[test]
fn directories_are_judged_by_owner_mode_and_kind() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("logs");
    let judged = |path: &Path, own| {
        let mut findings = Vec::new();
        directory("log_dir", path, own, &mut findings);
        findings.iter().map(verdict).max_by_key(|verdict| *verdict as u8).unwrap()
    };
    assert_eq!(judged(&path, false), Verdict::Ok, "the first start makes it");
    fs::create_dir(&path).unwrap();
    for (mode, expected) in [
        (0o700, Verdict::Ok),
        (0o750, Verdict::Ok),
        (0o755, Verdict::Note),
        (0o1777, Verdict::Note),
        (0o777, Verdict::Problem),
        (0o720, Verdict::Problem),
    ] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        assert_eq!(judged(&path, true), expected, "{mode:o}");
    }
    fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
    let link = root.path().join("link");
    symlink(&path, &link).unwrap();
    assert_eq!(judged(&link, false), Verdict::Ok, "the operator's choice");
    assert_eq!(judged(&link, true), Verdict::Problem);
    let file = root.path().join("file");
    fs::write(&file, "").unwrap();
    assert_eq!(judged(&file, false), Verdict::Problem);
    if std::os::unix::fs::chown(&path, Some(4_242), None).is_err() {
        return println!("skipped: only root can give directories away");
    }
    assert_eq!((judged(&path, false), judged(&path, true)), (Verdict::Note, Verdict::Problem));
}
