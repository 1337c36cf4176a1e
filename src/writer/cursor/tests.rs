//! The cursor as it is left, and as somebody else may leave it.

use std::fs;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::*;
use crate::handlers::FileOptions;
use crate::journal::{Checkpoint, Merge};
use crate::shared::Part;

fn log(path: &Path) -> LogFile {
    let path = path.to_owned();
    let options = FileOptions { path, max_bytes: 1 << 20, backups: 3, mode: 0o600, group: None };
    LogFile::open(options, &Arc::default(), Part::Log(0))
}

#[test]
fn the_newest_whole_slot_counts_and_lines_behind_it_are_found_after_rotations() {
    let root = tempfile::tempdir().unwrap();
    let paths = ["e", "t", "x"].map(|name| root.path().join(name));
    let (mut cursor, left) = Cursor::open(root.path(), 0o600).unwrap();
    assert_eq!(left.checkpoint, None);
    fs::write(&paths[0], "before\n").unwrap();
    let [expert, trades, errors] = [0, 1, 2].map(|at| log(&paths[at]));
    let mut logs = Logs { expert, trades, errors };
    cursor.note(b"first", &logs, Skips::default()).unwrap();
    cursor.note(b"second", &logs, Skips { expert: 40, ..Skips::default() }).unwrap();
    let mut fallback = crate::handlers::StderrNotice::stderr();
    logs.expert.batch().line(|out| out.extend_from_slice(b"one"));
    logs.expert.write(Some(&mut fallback), |_, _, _| ());
    logs.expert.rotate();
    logs.expert.batch().line(|out| out.extend_from_slice(b"two"));
    logs.expert.write(Some(&mut fallback), |_, _, _| ());

    let (_, left) = Cursor::open(root.path(), 0o600).unwrap();
    assert_eq!(left.checkpoint.as_deref(), Some(b"second".as_slice()));
    let skips = [0, 1, 2].map(|at| left.marks[at].behind(&paths[at]).unwrap().skip);
    assert_eq!(skips, [42, 0, 0]);

    // The newer slot torn: the older one counts.
    let file = OpenOptions::new().write(true).open(root.path().join(FILE_NAME)).unwrap();
    file.write_all_at(b"torn", 20).unwrap();
    let (_, left) = Cursor::open(root.path(), 0o600).unwrap();
    assert_eq!(left.checkpoint.as_deref(), Some(b"first".as_slice()));
}

#[test]
fn lines_behind_a_rotation_that_was_cut_short_are_found() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("e");
    fs::write(&path, "newest\n").unwrap();
    fs::write(root.path().join("e.2"), "a\nb\n").unwrap();
    let found = fs::metadata(root.path().join("e.2")).unwrap();
    let mark = Mark { device: found.dev(), inode: found.ino(), length: 2, skip: 0, missing: 0 };
    assert_eq!(lines_behind(&path, mark).unwrap().entries, 2);
}

#[test]
fn a_log_that_was_moved_away_skips_nothing() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("e");
    fs::write(&path, "a\nb\nc").unwrap();
    let inode = fs::metadata(&path).unwrap();
    let mark = Mark { device: inode.dev(), inode: inode.ino(), length: 2, skip: 0, missing: 0 };
    assert_eq!(lines_behind(&path, mark).unwrap().entries, 1);
    assert_eq!(fs::read(&path).unwrap(), b"a\nb\n", "the torn line is taken back");
    fs::remove_file(&path).unwrap();
    assert_eq!(lines_behind(&path, mark).unwrap().entries, 0);
}

#[test]
fn a_mark_is_found_behind_a_backup_that_has_another_name() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("e");
    fs::write(&path, "newest\n").unwrap();
    fs::write(root.path().join("e.1"), "a\nb\n").unwrap();
    fs::write(root.path().join("e.2"), "a\nb\n").unwrap();
    fs::hard_link(root.path().join("e.1"), root.path().join("kept")).unwrap();
    let found = fs::metadata(root.path().join("e.2")).unwrap();
    let mark = Mark { device: found.dev(), inode: found.ino(), length: 2, skip: 0, missing: 0 };
    assert_eq!(mark.behind(&path).unwrap().skip, 4);
}

/// A log `e` with two rotated files, and marks in the newest two of its files.
fn rotated_log(root: &Path) -> (PathBuf, [Mark; 2]) {
    let path = root.join("e");
    fs::write(&path, "e\nf\n").unwrap();
    fs::write(root.join("e.1"), "c\nd\n").unwrap();
    fs::write(root.join("e.2"), "a\nb\n").unwrap();
    let mark = |name: &str| {
        let found = fs::metadata(root.join(name)).unwrap();
        Mark { device: found.dev(), inode: found.ino(), length: 4, skip: 0, missing: 0 }
    };
    let marks = [mark("e"), mark("e.1")];
    (path, marks)
}

/// Whether a log bears out the first of these marks.
fn bears_out(path: &Path, marks: &[Mark]) -> bool {
    let place = |mark: &Mark| Left { marks: [*mark; 3], ..Left::default() };
    let older: Vec<_> = marks[1..].iter().map(place).collect();
    place(&marks[0]).is_borne_out(true, &older, &[path; 3])
}

#[test]
fn a_log_bears_a_mark_out_with_all_of_its_bytes_and_no_zero_among_them() {
    let root = tempfile::tempdir().unwrap();
    let (path, [live, rotated]) = rotated_log(root.path());
    assert!(bears_out(&path, &[live, rotated]) && bears_out(&path, &[rotated]));
    for torn in ["e\nf", "", "e\n\0\n", "e\n\0\0g\n"] {
        fs::write(&path, torn).unwrap();
        assert!(!bears_out(&path, &[live, rotated]), "{torn:?}");
        assert!(bears_out(&path, &[rotated]), "{torn:?}");
    }
    // A hole further in front than bytes are looked at.
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(0).unwrap();
    file.write_all_at(&[b'\n'; 2 << 20], 1 << 20).unwrap();
    assert!(!bears_out(&path, &[Mark { length: 3 << 20, ..live }]));
    // Of a rotated file its end must be there, too.
    for torn in ["c\nd", "", "c\n\0\n"] {
        fs::write(root.path().join("e.1"), torn).unwrap();
        assert!(!bears_out(&path, &[Mark { length: 0, ..rotated }]), "{torn:?}");
    }
}

#[test]
fn lines_behind_a_rotation_are_not_counted_where_something_newer_was_lost() {
    let root = tempfile::tempdir().unwrap();
    let (path, [live, rotated]) = rotated_log(root.path());
    let holds =
        |mark| Left { marks: [mark; 3], ..Left::default() }.is_borne_out(false, &[], &[&path; 3]);
    assert!(holds(live) && !holds(rotated));
}

#[test]
fn entries_that_a_log_had_in_front_of_an_empty_file_are_looked_for_in_the_one_before() {
    let root = tempfile::tempdir().unwrap();
    let (path, [live, _]) = rotated_log(root.path());
    let inside = Mark { length: 0, skip: 2, ..live };
    assert!(bears_out(&path, &[inside]));
    for torn in ["c\nd", "", "c\n\0\n"] {
        fs::write(root.path().join("e.1"), torn).unwrap();
        assert!(!bears_out(&path, &[inside]), "{torn:?}");
        assert!(bears_out(&path, &[Mark { skip: 0, ..inside }]), "{torn:?}: nothing is looked for");
    }
    fs::remove_file(root.path().join("e.1")).unwrap();
    assert!(bears_out(&path, &[inside]), "the log keeps no other");
}

#[test]
fn a_rotation_that_is_undone_is_told_from_a_log_that_was_moved() {
    let root = tempfile::tempdir().unwrap();
    let (path, marks) = rotated_log(root.path());
    fs::rename(&path, root.path().join("moved")).unwrap();
    assert!(bears_out(&path, &marks));
    fs::rename(root.path().join("e.1"), &path).unwrap();
    assert!(!bears_out(&path, &marks));
}

#[test]
fn lines_are_counted_up_to_a_zero_and_the_rest_is_cut_off() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("e");
    for torn in ["a\nb\n\0\0\0\0", "a\nb\n\0\0\nc\n", "a\nb\nc\0\n"] {
        fs::write(&path, torn).unwrap();
        let found = fs::metadata(&path).unwrap();
        let mark = Mark { device: found.dev(), inode: found.ino(), length: 2, skip: 0, missing: 0 };
        assert_eq!(mark.behind(&path).unwrap().skip, 1, "{torn:?}");
        assert_eq!(fs::read(&path).unwrap(), b"a\nb\n", "{torn:?}");
    }
}

#[test]
fn a_kept_place_stays_and_what_is_newer_is_wiped_out() {
    let root = tempfile::tempdir().unwrap();
    let paths = ["e", "t", "x"].map(|name| root.path().join(name));
    assert!(Place::newest(root.path()).is_none());
    let (mut cursor, _) = Cursor::open(root.path(), 0o600).unwrap();
    assert!(Place::newest(root.path()).is_none());
    let [expert, trades, errors] = [0, 1, 2].map(|at| log(&paths[at]));
    let logs = Logs { expert, trades, errors };
    for text in [b"one", b"two", b"six"] {
        cursor.note(text, &logs, Skips::default()).unwrap();
        Place::newest(root.path()).unwrap().keep().unwrap();
    }
    for text in [b"7th", b"8th"] {
        cursor.note(text, &logs, Skips::default()).unwrap();
    }
    let texts = |left: &Left| {
        let places = std::iter::once(left).chain(&left.older);
        let text = |left: &Left| String::from_utf8(left.checkpoint.clone().unwrap()).unwrap();
        places.map(text).collect::<Vec<_>>()
    };
    let (mut cursor, mut left) = Cursor::open(root.path(), 0o600).unwrap();
    assert_eq!(texts(&left), ["8th", "7th", "six", "two"]);
    cursor.go_back_to(&left.older.swap_remove(1)).unwrap();
    let (_, left) = Cursor::open(root.path(), 0o600).unwrap();
    assert_eq!(texts(&left), ["six", "two"]);
    cursor.note(b"new", &logs, Skips::default()).unwrap();
    let (_, left) = Cursor::open(root.path(), 0o600).unwrap();
    assert_eq!(texts(&left), ["new", "six", "two"]);
}

/// Numbers that somebody may choose.
fn hostile(random: &mut u64) -> u64 {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    const CHOSEN: [u64; 12] = [
        0,
        1,
        4096,
        u32::MAX as u64,
        1 << 32,
        (1 << 60) - 1,
        1 << 60,
        i64::MAX as u64,
        1 << 63,
        u64::MAX - 8,
        u64::MAX - 1,
        u64::MAX,
    ];
    match *random % 16 {
        at if (at as usize) < CHOSEN.len() => CHOSEN[at as usize],
        at => *random >> (4 * (at - 12) + 8),
    }
}

#[test]
fn row_15_a_cursor_with_a_right_crc_may_hold_any_numbers() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("e");
    fs::write(&path, "a\nb\ntorn").unwrap();
    let found = fs::metadata(&path).unwrap();
    let mut random = 0x9E37_79B9_7F4A_7C15;
    let (mut whole, mut decoded, mut skipped) = (0, 0, 0);
    for _ in 0..20_000 {
        let lanes = hostile(&mut random) % 4;
        let mut body = vec![0; CHECKPOINT_OFFSET];
        body[8..16].copy_from_slice(&(hostile(&mut random) ^ FORM).to_le_bytes());
        for mark in body[16..].chunks_exact_mut(MARK_BYTES) {
            let known = hostile(&mut random).is_multiple_of(2);
            let (device, inode) = if known { (found.dev(), found.ino()) } else { (1, 2) };
            let [length, skip, missing] = [0; 3].map(|_| hostile(&mut random));
            let words = [device, inode, length, skip, missing];
            let words = words.map(u64::to_le_bytes).concat();
            mark.copy_from_slice(&words);
        }
        body.extend([1, hostile(&mut random) as u8, 0, 0]);
        body.extend((lanes as u32).to_le_bytes());
        (0..6 + 10 * lanes).for_each(|_| body.extend(hostile(&mut random).to_le_bytes()));
        let end = body.len();
        body[4..8].copy_from_slice(&(end as u32).to_le_bytes());
        let crc = crc32c(&body[4..]);
        body[..4].copy_from_slice(&crc.to_le_bytes());
        fs::write(root.path().join(FILE_NAME), &body).unwrap();

        let (mut cursor, left) = Cursor::open(root.path(), 0o600).unwrap();
        whole += u64::from(left.checkpoint.is_some());
        for mark in left.marks {
            let skip = mark.behind(&path).unwrap().skip;
            skipped += u64::from(skip > mark.skip);
            let skips = Skips { expert: skip, trades: skip, errors: skip };
            assert!(skips.and([0; 3], [u64::MAX; 3]).expert >= skip);
        }
        assert!(fs::read(&path).unwrap().starts_with(b"a\nb\n"), "whole lines stay");
        if let Some(checkpoint) = left.checkpoint.as_deref().and_then(Checkpoint::decode) {
            decoded += 1;
            let mut merge = Merge::resume(checkpoint);
            assert!(merge.checkpoint().position.sequence <= 1 << 60);
            merge.finish();
            assert_eq!(merge.waiting(), 0);
        }
        let [expert, trades, errors] = [0; 3].map(|_| log(&path));
        cursor.note(b"next", &Logs { expert, trades, errors }, Skips::default()).unwrap();
    }
    println!(
        "row 15: 20,000 cursors: {whole} whole, {decoded} places, {skipped} with lines behind"
    );
    assert!(whole > 10_000 && decoded > 1_000 && skipped > 100);
}

#[test]
fn a_cursor_of_an_earlier_version_is_read() {
    let root = tempfile::tempdir().unwrap();
    let mut slot = vec![0; 16];
    slot[8] = 7;
    for word in [[1_u64, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]].concat() {
        slot.extend(word.to_le_bytes());
    }
    slot.extend(b"place");
    let end = slot.len() as u32;
    slot[4..8].copy_from_slice(&end.to_le_bytes());
    let crc = crc32c(&slot[4..]);
    slot[..4].copy_from_slice(&crc.to_le_bytes());
    fs::write(root.path().join(FILE_NAME), &slot).unwrap();
    let (_, left) = Cursor::open(root.path(), 0o600).unwrap();
    assert_eq!((left.number, left.checkpoint.as_deref()), (7, Some(&b"place"[..])));
    let last = Mark { device: 9, inode: 10, length: 11, skip: 12, missing: 0 };
    assert_eq!(left.marks[2], last);
}
