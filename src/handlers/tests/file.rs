//! Opening with distrust, appending, and following what others do to the file.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::super::HandlerError;
use super::super::error::Refusal;
use super::*;

fn refusal(path: &Path) -> Refusal {
    match FileHandler::open(options(path, 100, 1)) {
        Err(HandlerError::Refused { path: named, refusal }) => {
            assert_eq!(named, path);
            refusal
        }
        other => panic!("{}: {other:?}", path.display()),
    }
}

fn fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("a named pipe");
}

#[test]
fn lines_are_appended_to_what_is_there() {
    let directory = directory();
    let path = log_path(&directory);
    fs::write(&path, "old\n").unwrap();
    let mut log = open(&path, 100, 1);
    let written = log.write(&batch(["one", "two"])).unwrap();
    assert_eq!((written.lines, written.bytes, written.rotations), (2, 8, 0));
    assert_eq!(content(&path), "old\none\ntwo\n");
    let at = log.identity().unwrap();
    let found = fs::metadata(&path).unwrap();
    assert_eq!((at.dev, at.ino, at.len), (found.dev(), found.ino(), 12));
    log.sync().unwrap();
}

#[test]
fn a_write_can_go_on_in_the_middle_of_a_batch() {
    let directory = directory();
    let path = log_path(&directory);
    let written = open(&path, 100, 1).write_from(&batch(["one", "two", "three"]), 1).unwrap();
    assert_eq!(written.lines, 2);
    assert_eq!(content(&path), "two\nthree\n");
}

#[test]
fn a_torn_last_line_is_completed() {
    let directory = directory();
    let path = log_path(&directory);
    fs::write(&path, "old\nto").unwrap();
    open(&path, 100, 1).write(&batch(["one"])).unwrap();
    assert_eq!(content(&path), "old\nto\none\n");
}

#[test]
fn traps_are_refused_and_their_targets_untouched() {
    let directory = directory();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("target"), "precious").unwrap();
    symlink(at("target"), at("link")).unwrap();
    symlink(at("nowhere"), at("dangling")).unwrap();
    fs::create_dir(at("dir")).unwrap();
    fifo(&at("fifo"));
    let _socket = UnixListener::bind(at("socket")).unwrap();
    assert_eq!(refusal(&at("link")), Refusal::Symlink);
    assert_eq!(refusal(&at("dangling")), Refusal::Symlink);
    assert_eq!(refusal(&at("dir")), Refusal::Directory);
    assert_eq!(refusal(&at("fifo")), Refusal::Fifo);
    assert_eq!(refusal(&at("socket")), Refusal::Special);
    assert_eq!(refusal(Path::new("/dev/null")), Refusal::Special);
    fs::hard_link(at("target"), at("hard")).unwrap();
    assert_eq!(refusal(&at("hard")), Refusal::HardLinks { names: 2 });
    assert_eq!(content(&at("target")), "precious");
    assert!(!at("nowhere").exists());
}

#[test]
fn a_look_refuses_what_opening_would_and_makes_nothing() {
    let directory = directory();
    let path = log_path(&directory);
    FileHandler::look_at(&path).unwrap();
    assert!(!path.exists(), "it only looks");
    fs::write(&path, "ours\n").unwrap();
    FileHandler::look_at(&path).unwrap();
    let at = |name: &str| directory.path().join(name);
    symlink(&path, at("link")).unwrap();
    fifo(&at("pipe"));
    fs::create_dir(at("directory")).unwrap();
    fs::write(at("named"), "").unwrap();
    fs::hard_link(at("named"), at("named twice")).unwrap();
    for trap in ["link", "pipe", "directory", "named twice"].map(at) {
        match FileHandler::look_at(&trap) {
            Err(HandlerError::Refused { path: named, refusal: looked }) => {
                assert_eq!((named, looked), (trap.clone(), refusal(&trap)));
            }
            other => panic!("{}: {other:?}", trap.display()),
        }
    }
    assert_eq!(content(&path), "ours\n");
}

#[test]
fn a_link_that_takes_the_path_while_it_is_opened_is_not_followed() {
    let directory = directory();
    let (path, target) = (log_path(&directory), directory.path().join("target"));
    fs::write(&target, "precious").unwrap();
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let aside = directory.path().join("aside");
            // ORDERING: Relaxed, nothing else is handed over.
            while !ended.load(Ordering::Relaxed) {
                fs::write(&aside, "ours\n").expect("a file");
                fs::rename(&aside, &path).expect("a swap");
                symlink(&target, &aside).expect("a link");
                fs::rename(&aside, &path).expect("a swap");
            }
        });
        let until = Instant::now() + Duration::from_millis(200);
        while Instant::now() < until {
            // An error of any kind will do.
            drop(FileHandler::open(options(&path, 100, 1)));
        }
        // ORDERING: Relaxed, as above.
        ended.store(true, Ordering::Relaxed);
    });
    assert_eq!(content(&target), "precious");
}

#[test]
fn lines_that_fit_are_one_system_call() {
    let writes = || {
        let counters = fs::read_to_string("/proc/thread-self/io").ok()?;
        counters.lines().find_map(|line| line.strip_prefix("syscw: ")?.parse::<u64>().ok())
    };
    let directory = directory();
    let mut log = open(&log_path(&directory), 1000, 3);
    let lines = batch(["123456789"; 250]);
    let Some(before) = writes() else {
        println!("skipped: the kernel does not count system calls");
        return;
    };
    assert_eq!(log.write(&lines).unwrap().rotations, 2);
    assert_eq!(writes().unwrap() - before, 3);
}

#[test]
fn another_users_file_is_refused() {
    let directory = directory();
    let path = log_path(&directory);
    fs::write(&path, "theirs\n").unwrap();
    if std::os::unix::fs::chown(&path, Some(12_345), None).is_err() {
        println!("skipped: only root can give a file away");
        return;
    }
    let user = rustix::process::geteuid().as_raw();
    assert_eq!(refusal(&path), Refusal::ForeignOwner { owner: 12_345, user });
    assert_eq!(content(&path), "theirs\n");
}

#[test]
fn a_missing_directory_is_named() {
    let directory = directory();
    let path = directory.path().join("missing/expert.log");
    let error = FileHandler::open(options(&path, 100, 1)).unwrap_err();
    assert!(matches!(error, HandlerError::NoDirectory { .. }), "{error:?}");
    assert!(error.to_string().contains(path.to_str().unwrap()));
}

#[test]
fn a_relative_path_does_not_move_with_the_host() {
    let directory = tempfile::tempdir_in(".").unwrap();
    let path = Path::new(directory.path().file_name().unwrap()).join("expert.log");
    assert!(open(&path, 100, 1).path().is_absolute());
}

#[test]
fn a_renamed_file_is_followed_to_a_new_one() {
    let directory = directory();
    let (path, aside) = (log_path(&directory), directory.path().join("aside"));
    let mut log = open(&path, 100, 1);
    log.write(&batch(["one"])).unwrap();
    assert!(!log.reopen_if_moved().unwrap());
    fs::rename(&path, &aside).unwrap();
    log.write(&batch(["two"])).unwrap();
    assert!(log.reopen_if_moved().unwrap());
    log.write(&batch(["three"])).unwrap();
    assert!(!log.reopen_if_moved().unwrap());
    assert_eq!((content(&aside), content(&path)), ("one\ntwo\n".into(), "three\n".into()));
}

#[test]
fn a_file_that_logrotate_created_is_taken_over() {
    let directory = directory();
    let path = log_path(&directory);
    let mut log = open(&path, 100, 1);
    fs::rename(&path, directory.path().join("expert.log-20260102")).unwrap();
    fs::write(&path, "").unwrap();
    assert!(log.reopen_if_moved().unwrap());
    log.write(&batch(["one"])).unwrap();
    assert_eq!(content(&path), "one\n");
}

#[test]
fn an_unlinked_file_is_made_again() {
    let directory = directory();
    let path = log_path(&directory);
    let mut log = open(&path, 100, 1);
    log.write(&batch(["one"])).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(log.reopen_if_moved().unwrap());
    log.write(&batch(["two"])).unwrap();
    assert_eq!(content(&path), "two\n");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
}

#[test]
fn a_truncated_file_goes_on_at_its_start() {
    let directory = directory();
    let path = log_path(&directory);
    let mut log = open(&path, 100, 1);
    log.write(&batch(["one", "two"])).unwrap();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
    assert!(log.reopen_if_moved().unwrap());
    log.write(&batch(["three"])).unwrap();
    assert_eq!(content(&path), "three\n");
    assert_eq!(log.identity().unwrap().len, 6);
}

#[test]
fn a_file_cut_inside_a_line_goes_on_with_a_new_line() {
    let directory = directory();
    let path = log_path(&directory);
    let mut log = open(&path, 100, 1);
    log.write(&batch(["one", "two"])).unwrap();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(5).unwrap();
    assert!(log.reopen_if_moved().unwrap());
    log.write(&batch(["three"])).unwrap();
    assert_eq!(content(&path), "one\nt\nthree\n");
}

#[test]
fn a_removed_directory_is_an_error_until_it_is_back() {
    let directory = directory();
    let logs = directory.path().join("logs");
    let path = logs.join("expert.log");
    fs::create_dir(&logs).unwrap();
    let mut log = open(&path, 100, 1);
    fs::remove_dir_all(&logs).unwrap();
    let error = log.reopen_if_moved().unwrap_err();
    assert!(matches!(error, HandlerError::NoDirectory { .. }), "{error:?}");
    assert_eq!(log.write(&batch(["lost"])).unwrap_err().written.lines, 0);
    assert!(log.identity().is_none());
    fs::create_dir(&logs).unwrap();
    log.write(&batch(["kept"])).unwrap();
    assert_eq!(content(&path), "kept\n");
}

#[test]
fn a_trap_in_place_of_the_live_file_stops_the_log() {
    let directory = directory();
    let (path, target) = (log_path(&directory), directory.path().join("target"));
    let mut log = open(&path, 100, 1);
    fs::write(&target, "precious").unwrap();
    fs::remove_file(&path).unwrap();
    symlink(&target, &path).unwrap();
    assert!(matches!(log.reopen_if_moved(), Err(HandlerError::Refused { .. })));
    assert!(log.write(&batch(["lost"])).is_err());
    assert!(log.rotate().is_err());
    assert_eq!(content(&target), "precious");
    fs::remove_file(&path).unwrap();
    log.write(&batch(["kept"])).unwrap();
    assert_eq!(content(&path), "kept\n");
}

#[test]
fn new_files_have_the_mode_that_was_asked_for() {
    if !is_child() {
        for umask in ["000", "077"] {
            let test = "file::new_files_have_the_mode_that_was_asked_for";
            assert_passed(&rerun(test, &format!("umask {umask}")));
        }
        return;
    }
    let directory = directory();
    for mode in [0o600, 0o640] {
        let path = directory.path().join(format!("{mode:o}.log"));
        let group = Some(rustix::process::getegid().as_raw());
        let asked = FileOptions { mode, group, ..options(&path, 4, 1) };
        FileHandler::open(asked).unwrap().write(&batch(["one", "two"])).unwrap();
        for number in 0..=1 {
            let found = fs::metadata(backup_path(&path, number)).unwrap();
            assert_eq!(found.permissions().mode() & 0o7777, mode);
        }
    }
}
