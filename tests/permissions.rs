//! Files are 0600 and directories 0700 whatever the umask says, and a path that is not what it has
//! to be is refused and left untouched.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "the umask is set through libc")]
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod support;

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use support::{Desk, builder, child, role, run, tmpfs};
use tapelog::{StartError, info, trade};

/// Every file and directory below, with its permissions; the next segment is made under another name,
/// and may be gone by the time that it is looked at.
fn modes(directory: &Path, found: &mut Vec<(PathBuf, u32, bool)>) {
    if directory.extension().is_some_and(|extension| extension == "new") {
        return;
    }
    let metadata = fs::symlink_metadata(directory).unwrap();
    let mode = metadata.permissions().mode() & 0o7777;
    found.push((directory.to_owned(), mode, metadata.is_dir()));
    if metadata.is_dir() {
        for entry in fs::read_dir(directory).unwrap() {
            modes(&entry.unwrap().path(), found);
        }
    }
}

fn assert_modes(root: &Path, file_mode: u32, dir_mode: u32) -> usize {
    let mut found = Vec::new();
    modes(root, &mut found);
    for (path, mode, is_dir) in &found {
        let wanted = if *is_dir { dir_mode } else { file_mode };
        assert_eq!(*mode, wanted, "{path:?} is {mode:o}");
    }
    found.len()
}

/// In the child: logs under the umask with everything below `root`, and looks while it runs.
fn log_under(role: &str) {
    let parts: Vec<_> = role.split(' ').collect();
    let [umask, file_mode, dir_mode, root] = parts[..] else { panic!("{role}") };
    let octal = |text| u32::from_str_radix(text, 8).unwrap();
    // SAFETY: `umask` has no preconditions, and this process runs one test only.
    unsafe { libc::umask(octal(umask) as libc::mode_t) };
    let root = Path::new(root);
    let (log, guard) = builder(&root.join("nested/logs"))
        .ring_dir(root.join("ring"))
        .file_mode(octal(file_mode))
        .dir_mode(octal(dir_mode))
        .log_max_file_size(1_000_u64)
        .build()
        .unwrap();
    for number in 0..100 {
        info!(log, "entry", number);
        trade!(log, "trade", number);
    }
    log.flush(support::PATIENCE).unwrap();
    let nested = assert_modes(&root.join("nested"), octal(file_mode), octal(dir_mode));
    assert!(nested >= 1 + 1 + 1 + 6 + 6 + 1 + 2, "{nested} paths");
    // The ring is private in any case.
    assert_eq!(assert_modes(&root.join("ring"), 0o600, 0o700), 2);
    drop(guard);
    assert_modes(&root.join("nested"), octal(file_mode), octal(dir_mode));
    assert_eq!(assert_modes(&root.join("ring"), 0o600, 0o700), 1, "a clean end removes the ring");
}

#[test]
fn row_18_modes_do_not_depend_on_the_umask() {
    if let Some(role) = role() {
        return log_under(&role);
    }
    let wanted = [
        ("000", "600", "700"),
        ("077", "600", "700"),
        ("077", "640", "750"),
        ("022", "666", "777"),
    ];
    for (umask, file_mode, dir_mode) in wanted {
        let root = tmpfs();
        let root = root.path().display();
        run(child(
            "row_18_modes_do_not_depend_on_the_umask",
            &format!("{umask} {file_mode} {dir_mode} {root}"),
        ));
    }
    println!("row 18: {} umasks and modes, every file and directory looked at", wanted.len());
}

#[test]
fn a_directory_that_exists_keeps_its_permissions() {
    let desk = Desk::new();
    fs::DirBuilder::new().mode(0o755).create(desk.logs()).unwrap();
    fs::set_permissions(desk.logs(), fs::Permissions::from_mode(0o755)).unwrap();
    let (_log, guard) = desk.builder().build().unwrap();
    drop(guard);
    let mode = fs::metadata(desk.logs()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o755);
}

fn refusal(desk: &Desk) -> String {
    match desk.builder().build() {
        Err(StartError::Refused { reason }) => reason,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn row_17_links_pipes_and_directories_at_our_paths_are_refused_and_left_alone() {
    let own = [".tapelog.lock", "journal/views.cursor"];
    let mut traps = 0;
    for log in support::LOGS.into_iter().chain(own) {
        let desk = Desk::new();
        fs::create_dir(desk.logs()).unwrap();
        if log.starts_with("journal") {
            fs::create_dir(desk.logs().join("journal")).unwrap();
        }
        let (path, target) = (desk.logs().join(log), desk.path("target"));
        fs::write(&target, "precious\n").unwrap();

        symlink(&target, &path).unwrap();
        let reason = refusal(&desk);
        assert!(reason.contains(log) && reason.contains("symbolic link"), "{reason}");
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
        fs::remove_file(&path).unwrap();

        fs::hard_link(&target, &path).unwrap();
        assert!(refusal(&desk).contains("hard link"));
        fs::remove_file(&path).unwrap();

        fs::create_dir(&path).unwrap();
        assert!(refusal(&desk).contains("directory"));
        fs::remove_dir(&path).unwrap();

        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
        assert!(refusal(&desk).contains("pipe"));
        fs::remove_file(&path).unwrap();
        // A link, a hard link, a directory, a pipe.
        traps += 4;

        assert_eq!(fs::read_to_string(&target).unwrap(), "precious\n");
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o644);
        let (log, guard) = desk.builder().build().expect("once the way is clear");
        info!(log, "entry");
        drop(guard);
    }
    println!("row 17: {traps} traps at our paths, each refused and left alone");
}

#[test]
fn row_17_what_stands_in_the_place_of_a_directory_is_refused_and_left_alone() {
    let desk = Desk::new();
    fs::write(desk.logs(), "a file").unwrap();
    let reason = refusal(&desk);
    assert!(reason.contains(&desk.logs().display().to_string()), "{reason}");
    assert_eq!(fs::read_to_string(desk.logs()).unwrap(), "a file");

    let below = Desk::new();
    fs::write(below.path("file"), "a file").unwrap();
    match builder(&below.path("file/logs")).build() {
        Err(StartError::Refused { reason }) => assert!(reason.contains("file/logs"), "{reason}"),
        other => panic!("not refused: {other:?}"),
    }
    let journal = Desk::new();
    fs::create_dir(journal.logs()).unwrap();
    symlink(journal.path(""), journal.logs().join("journal")).unwrap();
    let reason = refusal(&journal);
    assert!(reason.contains("journal"), "{reason}");
    assert!(fs::read_dir(journal.path("")).unwrap().count() == 1, "nothing was written through it");
    println!("row 17: 3 traps at our directories, each refused and left alone");
}

#[test]
fn row_17_another_users_files_are_refused_and_left_alone() {
    let foreign = Some(4_242);
    let owned = ["expert.log", "trades.log", "errors.log", ".tapelog.lock", "journal"];
    let mut refused = 0;
    for name in owned.into_iter().chain(["journal/views.cursor"]) {
        let desk = Desk::new();
        let path = desk.logs().join(name);
        fs::create_dir_all(desk.logs().join("journal")).unwrap();
        if name != "journal" {
            fs::write(&path, "precious\n").unwrap();
        }
        if std::os::unix::fs::chown(&path, foreign, None).is_err() {
            return support::skip(format_args!("only root can give files away"));
        }
        let reason = refusal(&desk);
        let told = reason.contains(name) && reason.contains("belongs to user 4242");
        assert!(told, "{name}: {reason}");
        if name != "journal" {
            assert_eq!(fs::read_to_string(&path).unwrap(), "precious\n");
        }
        refused += 1;
    }
    println!("row 17: {refused} paths of another user, each refused and left alone");
}

/// A link in the chain of backups keeps a log from being rotated: it ends at its size limit, and what it
/// misses is told. Everything else is evaded.
#[test]
fn row_17_traps_among_backups_and_segments_are_left_alone_and_lines_that_they_cost_are_told() {
    const LIMIT: u64 = 500;
    let trapped = ["expert.log.1", "journal/00000000000000000001.tape", "journal/next.tape.new"];
    println!("row 17: {} traps among backups and segments", 2 * trapped.len());
    for (name, linked) in trapped.iter().flat_map(|name| [(*name, true), (*name, false)]) {
        let desk = Desk::new();
        fs::create_dir_all(desk.logs().join("journal")).unwrap();
        let (path, target) = (desk.logs().join(name), desk.path("target"));
        fs::write(&target, "precious\n").unwrap();
        let trap = if linked { symlink(&target, &path) } else { fs::hard_link(&target, &path) };
        trap.unwrap();
        let builder = desk.builder().log_backup_count(100_u32);
        let (log, guard) = builder.log_max_file_size(LIMIT).build().unwrap();
        (0..50).for_each(|number| info!(log, "entry", number));
        log.flush(support::PATIENCE).unwrap();
        let stats = log.stats();
        drop(guard);
        assert_eq!((stats.accepted, stats.shown, stats.lost.total()), (50, 50, 0), "{name}");
        assert_eq!((stats.journaled, stats.in_memory_records), (50, 0), "{name}");
        assert_eq!(fs::read_to_string(&target).unwrap(), "precious\n", "{name}");
        let mut lines = fs::read_to_string(desk.logs().join("expert.log")).unwrap();
        if name == "expert.log.1" && linked {
            assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
            assert!(lines.len() as u64 <= LIMIT, "{} bytes", lines.len());
            let there = lines.lines().count() as u64;
            assert_eq!((there, stats.log_lines_missed), (stats.log_lines, 50 - there), "{stats:?}");
            assert!(there > 0 && stats.log_lines_missed > 0, "{stats:?}");
            let why = stats.degraded.expect("it is told");
            assert!(why.contains("expert.log.1") && why.contains("symbolic link"), "{why}");
            continue;
        }
        assert_eq!((stats.log_lines, stats.log_lines_missed), (50, 0), "{name}: {stats:?}");
        lines = support::lines(&desk.logs().join("expert.log")).join("\n");
        assert_eq!(lines.matches("] entry ").count(), 50, "{name}");
        assert_eq!(stats.degraded, None, "{name}");
    }
}

/// Logs until the journal of three small segments has none of those that it had before.
fn fill_segments(log: &tapelog::MetaLogger) {
    for number in 0..20_000 {
        info!(log, "filling", number);
        if number % 1_000 == 0 {
            log.flush(support::PATIENCE).unwrap();
        }
    }
    log.flush(support::PATIENCE).unwrap();
}

fn small(desk: &Desk) -> tapelog::Builder {
    desk.builder()
        .block_bytes(64_u32 << 10)
        .journal_segment_bytes(512_u64 << 10)
        .journal_segments(3_u32)
}

#[test]
fn row_17_another_users_segment_is_neither_read_nor_made_new() {
    let desk = Desk::new();
    let (log, guard) = small(&desk).build().unwrap();
    info!(log, "entry");
    drop(guard);
    let segment = desk.logs().join("journal/00000000000000000001.tape");
    if std::os::unix::fs::chown(&segment, Some(4_242), None).is_err() {
        return support::skip(format_args!("only root can give files away"));
    }
    let before = fs::read(&segment).unwrap();
    let (log, guard) = small(&desk).build().unwrap();
    fill_segments(&log);
    assert_eq!(log.stats().shown, 20_000);
    drop(guard);
    assert!(fs::read(&segment).unwrap() == before, "it is left alone");
    println!("row 17: 1 segment of another user, left alone");
}

#[test]
fn row_17_a_segment_that_has_another_name_is_not_written_over() {
    let desk = Desk::new();
    let (log, guard) = small(&desk).build().unwrap();
    let kept = desk.path("kept");
    fs::hard_link(desk.logs().join("journal/00000000000000000001.tape"), &kept).unwrap();
    let first = desk.logs().join("journal/00000000000000000001.tape");
    // How much of the journal as many entries take depends on how they fall into passes.
    support::until("its turn to be recycled", || {
        fill_segments(&log);
        !first.exists()
    });
    drop(guard);
    let bytes = fs::read(&kept).unwrap();
    assert_eq!(bytes[32..40], 1_u64.to_le_bytes(), "it still is the first one");
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    println!("row 17: 1 segment with a second name, left alone");
}

#[test]
fn row_17_a_segment_with_a_number_that_nobody_gives_is_left_alone_and_harms_nothing() {
    let desk = Desk::new();
    let journal = desk.logs().join("journal");
    fs::create_dir_all(&journal).unwrap();
    let traps = [u64::MAX, u64::MAX - 1].map(|number| journal.join(format!("{number}.tape")));
    for trap in &traps {
        fs::write(trap, "precious\n").unwrap();
    }
    for _ in 0..2 {
        let (log, guard) = small(&desk).build().unwrap();
        fill_segments(&log);
        let stats = log.stats();
        drop(guard);
        assert_eq!((stats.accepted, stats.shown, stats.file_errors), (20_000, 20_000, 0));
    }
    println!("row 17: {} segments with numbers that nobody gives, left alone", traps.len());
    for trap in traps {
        assert_eq!(fs::read_to_string(trap).unwrap(), "precious\n");
    }
    let summary = tapelog::reading::Journal::open(desk.logs()).unwrap();
    let summary = summary.write_to(tapelog::reading::Format::Text, &mut Vec::new()).unwrap();
    assert!(summary.is_intact() && summary.entries > 0, "{summary:?}");
}

#[test]
fn row_17_a_ring_directory_that_is_not_ours_alone_is_not_used() {
    let degraded = |desk: &Desk| {
        let (log, guard) = desk.builder().build().unwrap();
        let stats = log.stats();
        drop(guard);
        assert!(!stats.crash_safe);
        stats.degraded.expect("a reason")
    };
    let desk = Desk::new();
    let target = tmpfs();
    symlink(target.path(), desk.ring_dir()).unwrap();
    let reason = degraded(&desk);
    assert!(reason.contains("a directory of its own"), "{reason}");
    assert_eq!(fs::read_dir(target.path()).unwrap().count(), 0, "nothing was made there");
    fs::remove_file(desk.ring_dir()).unwrap();

    fs::create_dir(desk.ring_dir()).unwrap();
    fs::set_permissions(desk.ring_dir(), fs::Permissions::from_mode(0o777)).unwrap();
    let reason = degraded(&desk);
    assert!(reason.contains("others may write to it (mode 0777): chmod 700"), "{reason}");
    fs::set_permissions(desk.ring_dir(), fs::Permissions::from_mode(0o700)).unwrap();
    if std::os::unix::fs::chown(desk.ring_dir(), Some(4_242), None).is_err() {
        return support::skip(format_args!("only root can give directories away"));
    }
    let reason = degraded(&desk);
    assert!(reason.contains("belongs to user 4242"), "{reason}");
    assert_eq!(desk.rings(), 0, "nothing was made there");
    println!("row 17: 3 directories of rings that are not ours alone, none used");
}

#[test]
fn row_17_links_pipes_and_others_files_among_the_rings_are_told_and_left_alone() {
    let desk = Desk::new();
    let (_log, guard) = desk.builder().build().unwrap();
    let ring = fs::read_dir(desk.ring_dir()).unwrap().next().unwrap().unwrap().path();
    let target = desk.ring_dir().parent().unwrap().join("target");
    // As a killed process of this log directory leaves it.
    fs::copy(&ring, &target).unwrap();
    let bytes = fs::read(&target).unwrap();
    drop(guard);

    let place =
        |number: u32| desk.ring_dir().join(format!("{number}-000000000000000{number}.ring"));
    symlink(&target, place(1)).unwrap();
    fs::hard_link(&target, place(2)).unwrap();
    fs::create_dir(place(3)).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, place(4), rustix::fs::Mode::RUSR).unwrap();
    let mut traps = vec![
        (1, "a symbolic link stands there"),
        (2, "the file has 2 names (hard links)"),
        (3, "a directory stands there"),
        (4, "a named pipe stands there"),
    ];
    fs::write(place(5), &bytes).unwrap();
    if std::os::unix::fs::chown(place(5), Some(4_242), None).is_ok() {
        traps.push((5, "the file belongs to user 4242"));
    } else {
        support::skip(format_args!("only root can give files away"));
        fs::remove_file(place(5)).unwrap();
    }
    let (log, guard) = desk.builder().build().unwrap();
    info!(log, "entry");
    drop(guard);
    let told = desk.lines("errors.log");
    for (number, reason) in &traps {
        let path = place(*number).display().to_string();
        let line = told.iter().find(|line| line.contains(&path));
        let line = line.unwrap_or_else(|| panic!("{path}: {told:?}"));
        assert!(line.contains("logger.recovery_failed") && line.contains(reason), "{line}");
        assert!(line.contains("left untouched: remove it"), "{line}");
        assert!(fs::symlink_metadata(&path).is_ok());
    }
    let found = tapelog::recovery::rings(desk.ring_dir()).unwrap();
    let refused = |ring: &&tapelog::recovery::RingFile| {
        matches!(ring.state, tapelog::recovery::RingState::Refused { .. })
    };
    assert_eq!(found.iter().filter(refused).count(), traps.len(), "{found:?}");
    assert!(fs::read(&target).unwrap() == bytes, "what they lead to is as it was");
    println!("row 17: {} traps among the rings, each told and left alone", traps.len());
}
