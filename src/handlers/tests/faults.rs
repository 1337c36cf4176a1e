//! Writes that stop early: no torn line stays, nothing is lost silently, and the log goes on.

use std::fs;
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::*;

/// A tiny tmpfs, unmounted in the end; `None` where we may not mount.
struct TinyDisk(TempDir);

impl TinyDisk {
    fn mount(size: &str) -> Option<TinyDisk> {
        let disk = TinyDisk(directory());
        let options = format!("size={size},mode=700");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(disk.0.path())
            .output();
        mounted.is_ok_and(|output| output.status.success()).then_some(disk)
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        // Fails where nothing was mounted.
        let _ = Command::new("umount").arg(self.0.path()).output();
    }
}

#[test]
fn a_short_write_is_taken_back_to_the_last_whole_line() {
    if !is_child() {
        // Without the trap the first write past the limit would end the process.
        let test = "faults::a_short_write_is_taken_back_to_the_last_whole_line";
        assert_passed(&rerun(test, "trap '' XFSZ"));
        return;
    }
    let directory = directory();
    let path = log_path(&directory);
    let mut log = open(&path, 10_000, 2);
    let lines = batch(["123456789", "123456789", "123456789", "123456789"]);
    let before = getrlimit(Resource::Fsize);
    for limit in 20..30 {
        setrlimit(Resource::Fsize, Rlimit { current: Some(limit), ..before }).unwrap();
        let error = log.write(&lines).unwrap_err();
        setrlimit(Resource::Fsize, before).unwrap();
        assert_eq!((error.written.lines, error.written.bytes), (2, 20));
        assert!(error.source.to_string().contains("raise `ulimit -f`"), "{}", error.source);
        assert_eq!(content(&path), "123456789\n123456789\n");
        assert_eq!(log.identity().unwrap().len, 20);
        log.write_from(&lines, error.written.lines).unwrap();
        assert_eq!(fs::read(&path).unwrap(), lines.bytes());
        log.rotate().unwrap();
    }
}

#[test]
fn a_full_disk_stops_the_log_between_lines_until_there_is_room() {
    let Some(disk) = TinyDisk::mount("64k") else {
        println!("skipped: a tmpfs cannot be mounted here");
        return;
    };
    let path = log_path(&disk.0);
    let ballast = disk.0.path().join("ballast");
    fs::write(&ballast, vec![1; 20_000]).unwrap();
    let mut log = open(&path, 1 << 20, 2);
    let lines = batch((0..1000).map(|n| format!("{n:0>99}")));
    let error = log.write(&lines).unwrap_err();
    assert!(error.source.to_string().contains("the disk is full"), "{}", error.source);
    let kept = content(&path);
    assert_eq!(kept.len(), error.written.lines * 100);
    assert!(kept.ends_with('\n') && error.written.lines > 300);
    assert_eq!(log.write_from(&lines, error.written.lines).unwrap_err().written.lines, 0);
    assert_eq!(content(&path), kept);
    fs::remove_file(&ballast).unwrap();
    let rest = log.write_from(&lines, error.written.lines).unwrap_err().written;
    assert!(rest.lines > 100);
    assert_eq!(content(&path).as_bytes(), &lines.bytes()[..kept.len() + rest.bytes as usize]);
}

#[test]
fn a_rotation_on_a_full_disk_is_finished_when_there_is_room() {
    let Some(disk) = TinyDisk::mount("1m,nr_inodes=3") else {
        println!("skipped: a tmpfs cannot be mounted here");
        return;
    };
    let path = log_path(&disk.0);
    let mut log = open(&path, 4, 2);
    fs::write(disk.0.path().join("ballast"), "").unwrap();
    let lines = batch(["one", "two"]);
    let error = log.write(&lines).unwrap_err();
    assert_eq!((error.written.lines, error.written.rotations), (1, 1));
    assert!(log.identity().is_none());
    assert_eq!(log.write_from(&lines, 1).unwrap_err().written.lines, 0);
    fs::remove_file(disk.0.path().join("ballast")).unwrap();
    log.write_from(&lines, 1).unwrap();
    assert_eq!(chain(&path, 2), ["one\n", "two\n"]);
}
