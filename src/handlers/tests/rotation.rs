//! Rotation by size: every line once, whole, in order.

use std::fs;
use std::os::unix::fs::symlink;

use proptest::prelude::*;

use super::super::HandlerError;
use super::super::error::Refusal;
use super::*;

#[test]
fn a_file_is_filled_to_the_exact_size() {
    let directory = directory();
    let path = log_path(&directory);
    let mut log = open(&path, 12, 2);
    let written = log.write(&batch(["123", "456", "789", "abc"])).unwrap();
    assert_eq!((written.lines, written.bytes, written.rotations), (4, 16, 1));
    assert_eq!(chain(&path, 2), ["123\n456\n789\n", "abc\n"]);
    assert_eq!(log.rotations(), 1);
}

#[test]
fn a_full_file_is_rotated_by_the_next_line_only() {
    let directory = directory();
    let path = log_path(&directory);
    let mut log = open(&path, 8, 2);
    log.write(&batch(["123", "456"])).unwrap();
    assert_eq!(chain(&path, 2), ["123\n456\n"]);
    log.write(&batch(["789"])).unwrap();
    assert_eq!(chain(&path, 2), ["123\n456\n", "789\n"]);
}

#[test]
fn one_byte_too_many_goes_into_the_next_file() {
    let directory = directory();
    let path = log_path(&directory);
    open(&path, 8, 2).write(&batch(["123", "4567"])).unwrap();
    assert_eq!(chain(&path, 2), ["123\n", "4567\n"]);
}

#[test]
fn a_line_longer_than_a_file_has_one_of_its_own() {
    let directory = directory();
    let path = log_path(&directory);
    open(&path, 8, 3).write(&batch(["1", "0123456789", "2", "3"])).unwrap();
    assert_eq!(chain(&path, 3), ["1\n", "0123456789\n", "2\n3\n"]);
}

#[test]
fn one_batch_can_fill_many_files() {
    let directory = directory();
    let path = log_path(&directory);
    let written = open(&path, 4, 2).write(&batch(["1", "2", "3", "4", "5", "6", "7"])).unwrap();
    assert_eq!((written.lines, written.rotations), (7, 3));
    assert_eq!(chain(&path, 2), ["3\n4\n", "5\n6\n", "7\n"]);
}

#[test]
fn one_backup_is_replaced() {
    let directory = directory();
    let path = log_path(&directory);
    open(&path, 2, 1).write(&batch(["1", "2", "3"])).unwrap();
    assert_eq!(chain(&path, 3), ["2\n", "3\n"]);
}

#[test]
fn without_backups_the_file_starts_anew() {
    let directory = directory();
    let path = log_path(&directory);
    let mut log = open(&path, 2, 0);
    let before = log.identity().unwrap();
    let mut old = fs::File::open(&path).unwrap();
    log.write(&batch(["1", "2"])).unwrap();
    assert_eq!(chain(&path, 1), ["2\n"]);
    assert_ne!(log.identity().unwrap().ino, before.ino);
    assert_eq!(io::read_to_string(&mut old).unwrap(), "1\n");
}

#[test]
fn a_long_file_found_at_start_is_rotated_by_the_first_line() {
    let directory = directory();
    let path = log_path(&directory);
    fs::write(&path, "longer than it may be\n").unwrap();
    open(&path, 8, 1).write(&batch(["1"])).unwrap();
    assert_eq!(chain(&path, 1), ["longer than it may be\n", "1\n"]);
}

#[test]
fn a_request_rotates_unless_the_file_is_empty() {
    let directory = directory();
    let path = log_path(&directory);
    let mut log = open(&path, 100, 2);
    log.rotate().unwrap();
    assert_eq!((chain(&path, 2), log.rotations()), (vec![String::new()], 0));
    log.write(&batch(["1"])).unwrap();
    log.rotate().unwrap();
    assert_eq!((chain(&path, 2), log.rotations()), (vec!["1\n".into(), String::new()], 1));
    log.sync().unwrap();
}

#[test]
fn an_interrupted_chain_is_resumed_without_losing_a_backup() {
    for hole in 1..=3 {
        let directory = directory();
        let path = log_path(&directory);
        fs::write(&path, "0\n").unwrap();
        for number in (1..=3).filter(|number| *number != hole) {
            fs::write(backup_path(&path, number), format!("{number}\n")).unwrap();
        }
        open(&path, 2, 3).write(&batch(["new"])).unwrap();
        let kept = (1..=3).rev().filter(|number| *number != hole);
        let mut expected: Vec<String> = kept.map(|number| format!("{number}\n")).collect();
        expected.extend(["0\n".into(), "new\n".into()]);
        assert_eq!(chain(&path, 3), expected, "hole at {hole}");
    }
}

#[test]
fn the_backup_that_had_to_go_is_given_open_once() {
    let directory = directory();
    let path = log_path(&directory);
    fs::write(backup_path(&path, 1), "oldest\n").unwrap();
    let mut log = open(&path, 4, 1);
    assert!(log.take_removed().is_none());
    log.write(&batch(["one", "two"])).unwrap();
    let removed = log.take_removed().expect("the backup that was replaced");
    assert_eq!(std::io::read_to_string(removed).unwrap(), "oldest\n");
    assert!(log.take_removed().is_none());
    assert_eq!(chain(&path, 1), ["one\n", "two\n"]);
}

#[test]
fn a_rotation_cut_off_before_the_new_file_is_finished_by_the_next_start() {
    let directory = directory();
    let path = log_path(&directory);
    fs::write(backup_path(&path, 1), "1\n").unwrap();
    open(&path, 100, 2).write(&batch(["new"])).unwrap();
    assert_eq!(chain(&path, 2), ["1\n", "new\n"]);
}

#[test]
fn a_trap_in_the_chain_is_refused_by_name_and_nothing_moves() {
    let directory = directory();
    let (path, target) = (log_path(&directory), directory.path().join("target"));
    fs::write(&target, "precious").unwrap();
    fs::write(backup_path(&path, 1), "1\n").unwrap();
    let trap = backup_path(&path, 2);
    symlink(&target, &trap).unwrap();
    let mut log = open(&path, 4, 2);
    let error = log.write(&batch(["one", "two"])).unwrap_err();
    assert_eq!(error.written.lines, 1);
    match error.source {
        HandlerError::Refused { path: named, refusal } => {
            assert_eq!((named, refusal), (trap.clone(), Refusal::Symlink));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!((content(&target), content(&path)), ("precious".into(), "one\n".into()));
    assert_eq!(content(&backup_path(&path, 1)), "1\n");
    fs::remove_file(&trap).unwrap();
    fs::create_dir(&trap).unwrap();
    assert!(log.rotate().is_err());
    fs::remove_dir(&trap).unwrap();
    let rest = batch(["one", "two"]);
    let rotated = log.write_from(&rest, error.written.lines).unwrap();
    assert_eq!((rotated.lines, rotated.rotations), (0, 1), "the rest is the next call's");
    log.write_from(&rest, error.written.lines).unwrap();
    assert_eq!(chain(&path, 2), ["1\n", "one\n", "two\n"]);
}

#[test]
fn a_file_that_someone_else_put_there_is_not_renamed() {
    let directory = directory();
    let path = log_path(&directory);
    let mut log = open(&path, 4, 2);
    log.write(&batch(["one"])).unwrap();
    fs::rename(&path, directory.path().join("aside")).unwrap();
    fs::write(&path, "").unwrap();
    let written = log.write(&batch(["two"])).unwrap();
    assert_eq!((written.lines, written.rotations), (1, 0));
    assert_eq!(chain(&path, 2), ["two\n"]);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96, failure_persistence: None, ..Default::default()
    })]

    #[test]
    fn no_line_is_lost_split_or_repeated(
        lengths in prop::collection::vec(0_usize..90, 1..150),
        cuts in prop::collection::vec(1_usize..40, 1..20),
        max_bytes in 1_u64..300,
        restart_every in 1_usize..6,
    ) {
        let directory = directory();
        let path = log_path(&directory);
        let backups = lengths.len() as u32;
        let lines: Vec<String> =
            lengths.iter().enumerate().map(|(i, n)| format!("{i}{}", "x".repeat(*n))).collect();
        let (mut rest, mut cuts) = (&lines[..], cuts.iter().cycle().enumerate());
        let mut log = open(&path, max_bytes, backups);
        while !rest.is_empty() {
            let (turn, cut) = cuts.next().unwrap();
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            prop_assert_eq!(log.write(&batch(now)).unwrap().lines, now.len());
            prop_assert_eq!(log.identity().unwrap().len, content(&path).len() as u64);
            if turn % restart_every == 0 {
                log = open(&path, max_bytes, backups);
            }
            rest = later;
        }
        let files = chain(&path, backups);
        let whole: String = lines.iter().map(|line| format!("{line}\n")).collect();
        prop_assert_eq!(files.concat(), whole);
        for pair in files.windows(2) {
            let next = pair[1].split_inclusive('\n').next().unwrap();
            let alone = pair[0].lines().count() == 1;
            prop_assert!(pair[0].ends_with('\n'));
            prop_assert!(pair[0].len() as u64 <= max_bytes || alone);
            prop_assert!((pair[0].len() + next.len()) as u64 > max_bytes, "rotated too early");
        }
    }
}

/// Opens the log as a start does.
fn open_first(path: &Path, backups: u32) {
    FileHandler::remove_surplus(&options(path, 100, backups));
    drop(open(path, 100, backups));
}

#[test]
fn row_17_backups_that_are_too_many_go_and_what_is_not_ours_among_them_stays() {
    let directory = directory();
    let path = log_path(&directory);
    let fill = || (0..=9).for_each(|number| fs::write(backup_path(&path, number), "a\n").unwrap());
    let left = || {
        let there =
            (1..=12).filter(|&number| backup_path(&path, number).symlink_metadata().is_ok());
        there.collect::<Vec<_>>()
    };
    fill();
    open_first(&path, 9);
    assert_eq!(left(), (1..=9).collect::<Vec<_>>());
    // Whoever opens the log again, because it failed, leaves them.
    drop(open(&path, 100, 2));
    assert_eq!(left(), (1..=9).collect::<Vec<_>>());
    open_first(&path, 2);
    assert_eq!(left(), [1, 2]);
    // A rotation was cut short, when more were kept.
    fill();
    fs::remove_file(backup_path(&path, 3)).unwrap();
    open_first(&path, 2);
    assert_eq!(left(), [1, 2]);
    open_first(&path, 0);
    assert!(left().is_empty());

    let target = directory.path().join("target");
    fs::write(&target, "precious").unwrap();
    let traps: [&dyn Fn(&Path); 3] = [
        &|place| symlink(&target, place).unwrap(),
        &|place| fs::hard_link(&target, place).unwrap(),
        &|place| fs::create_dir(place).unwrap(),
    ];
    let count = traps.len();
    for trap in traps {
        fill();
        fs::remove_file(backup_path(&path, 5)).unwrap();
        trap(&backup_path(&path, 5));
        // Far behind it is somebody else's, too.
        fs::write(backup_path(&path, 12), "a\n").unwrap();
        open_first(&path, 2);
        assert_eq!(left(), [1, 2, 5, 6, 7, 8, 9, 12]);
        assert_eq!(content(&target), "precious");
        let place = backup_path(&path, 5);
        let _gone = fs::remove_file(&place).or_else(|_| fs::remove_dir(&place));
    }
    fill();
    open_first(&path, 2);
    assert_eq!(left(), [1, 2, 12], "two numbers in a row are missing in front of it");
    println!("row 17: {count} traps among backups that are too many are left alone");
}
