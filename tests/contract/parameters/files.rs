//! Where the logs are, how large they grow, and who may read them.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::FromRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Stdio;

use tapelog::{MetaLogger, error, info, trade};

use crate::common::{assert_refused, child, console, default_of};
use crate::support::{self, Desk, LOGS, files, role, run, wait};

const A_FILE: &str = "relative to log_dir or absolute, without `..`";

#[test]
fn parameter_log_dir_is_created_when_missing() {
    assert_eq!(default_of("log_dir"), "\"logs\"");
    assert_refused("log_dir", &[""], "a directory");
    if role().is_some() {
        let (log, _guard) = MetaLogger::builder().code_only().build().unwrap();
        return info!(log, "here");
    }
    let desk = Desk::new();
    let mut command = child(parameter_log_dir_is_created_when_missing, "child");
    command.current_dir(desk.path(""));
    run(command);
    assert_eq!(desk.lines("expert.log").len(), 1);
    let deep = desk.path("deep/below");
    let (_log, _guard) = support::builder(&deep).ring_dir(desk.ring_dir()).build().unwrap();
    assert!(LOGS.iter().all(|log| deep.join(log).is_file()));
}

/// Logs one of each kind with a file somewhere else; how many lines that has.
fn lines_with(key: &str, path: &Path, desk: &Desk) -> usize {
    let (log, guard) = desk.builder().set(key, path.to_str().unwrap()).build().unwrap();
    info!(log, "one");
    trade!(log, "two");
    error!(log, "three");
    drop(guard);
    support::lines(&desk.logs().join(path)).len()
}

fn assert_a_file(key: &str, default: &str, taken: &str, lines: usize) {
    assert_eq!(default_of(key), format!("{default:?}"));
    assert_refused(key, &["../a.log", "a/../b.log", ""], A_FILE);
    assert_refused(key, &["journal/a.log"], "neither tapelog's own");
    let both = MetaLogger::builder().code_only().set(key, taken).configuration().unwrap_err();
    assert!(both.to_string().contains("another file than"), "{both}");
    let desk = Desk::new();
    assert_eq!(lines_with(key, Path::new("below/my.log"), &desk), lines);
    assert!(!desk.logs().join(default).exists());
    let desk = Desk::new();
    assert_eq!(lines_with(key, &desk.path("elsewhere.log"), &desk), lines);
}

#[test]
fn parameter_log_file_is_relative_to_log_dir_or_absolute() {
    assert_a_file("log_file", "expert.log", "trades.log", 3);
}

#[test]
fn parameter_trade_log_file_is_relative_to_log_dir_or_absolute() {
    assert_a_file("trade_log_file", "trades.log", "errors.log", 1);
}

#[test]
fn parameter_error_log_file_is_relative_to_log_dir_or_absolute() {
    assert_a_file("error_log_file", "errors.log", "expert.log", 1);
}

#[test]
fn parameter_log_to_file_off_makes_no_file() {
    assert_eq!(default_of("log_to_file"), "true");
    assert_refused("log_to_file", &["maybe"], "true or false");
    let neither = MetaLogger::builder().code_only().log_to_file(false).log_to_console(false);
    let told = neither.configuration().unwrap_err().to_string();
    let why = "true, because log_to_console is false and syslog is not set";
    assert!(told.contains("log_to_file = false") && told.contains(why), "{told}");
    if let Some(root) = role() {
        let logs = Path::new(&root).join("logs");
        let builder = support::builder(&logs).ring_dir(Path::new(&root).join("ring"));
        let (log, guard) = builder.log_to_file(false).log_to_console(true).build().unwrap();
        info!(log, "shown");
        drop(guard);
        assert_eq!(fs::read_dir(&root).unwrap().count(), 0, "nothing is made");
        return;
    }
    let desk = Desk::new();
    let root = desk.path("").display().to_string();
    let output = run(child(parameter_log_to_file_off_makes_no_file, &root));
    assert_eq!(console(&output.stderr).len(), 1);
}

#[test]
fn parameter_log_to_console_shows_entries_on_stderr() {
    assert_eq!(default_of("log_to_console"), "true");
    assert_refused("log_to_console", &["maybe"], "true or false");
    if let Some(given) = role() {
        let (on, logs) = given.split_once(' ').unwrap();
        let builder = support::builder(logs.as_ref()).set("log_to_console", on);
        let (log, _guard) = builder.build().unwrap();
        return info!(log, "entry");
    }
    for (on, shown) in [("yes", 1), ("off", 0)] {
        let desk = Desk::new();
        let test = parameter_log_to_console_shows_entries_on_stderr;
        let output = run(child(test, &format!("{on} {}", desk.logs().display())));
        assert_eq!(console(&output.stderr).len(), shown, "{on}");
        assert_eq!(desk.lines("expert.log").len(), 1);
    }
}

#[test]
fn parameter_log_max_file_size_is_where_a_log_rotates() {
    assert_eq!(default_of("log_max_file_size"), "\"10MiB\"");
    assert_refused("log_max_file_size", &["0", "1025MiB", "1.5MiB"], "1 byte to 1 GiB");
    let desk = Desk::new();
    let builder = desk.builder().set("log_max_file_size", "2KiB").log_backup_count(100_u32);
    let (log, guard) = builder.build().unwrap();
    (0..200_u64).for_each(|number| info!(log, "entry", number));
    drop(guard);
    let files = files(&desk.logs().join("expert.log"));
    let sizes: Vec<_> = files.iter().map(|file| fs::metadata(file).unwrap().len()).collect();
    let (_live, full) = sizes.split_last().unwrap();
    assert!(full.len() >= 4 && full.iter().all(|size| (1_900..=2_048).contains(size)), "{sizes:?}");
}

#[test]
fn parameter_log_backup_count_is_how_many_rotated_files_stay() {
    assert_eq!(default_of("log_backup_count"), "5");
    assert_refused("log_backup_count", &["-1", "five"], "0 to 4294967295");
    for backups in [0_u32, 1, 7] {
        let desk = Desk::new();
        let builder = desk.builder().log_max_file_size(500_u64).log_backup_count(backups);
        let (log, guard) = builder.build().unwrap();
        (0..200_u64).for_each(|number| info!(log, "entry", number));
        drop(guard);
        assert_eq!(files(&desk.logs().join("expert.log")).len(), 1 + backups as usize);
    }
}

/// Bytes of all files in a directory and below.
fn bytes_below(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let bytes = entries.map(|entry| match entry.metadata().unwrap() {
        found if found.is_dir() => bytes_below(&entry.path()),
        found => found.len(),
    });
    bytes.sum()
}

#[test]
fn row_21_fewer_backups_are_kept_from_the_next_start_on_and_the_shown_bound_holds() {
    let desk = Desk::new();
    for backups in [9_u32, 2, 0] {
        let builder = desk.builder().log_max_file_size(500_u64).log_backup_count(backups);
        let builder = builder
            .block_bytes(64_u32 << 10)
            .journal_segment_bytes(512_u64 << 10)
            .journal_segments(3_u32);
        let shown = builder.configuration().unwrap();
        let (log, guard) = builder.build().unwrap();
        assert!(files(&desk.logs().join("expert.log")).len() <= 1 + backups as usize);
        for number in 0..200_u64 {
            info!(log, "entry", number);
            trade!(log, "filled", number);
            error!(log, "failed", number);
        }
        drop(guard);
        for log in support::LOGS {
            assert_eq!(files(&desk.logs().join(log)).len(), 1 + backups as usize, "{log}");
        }
        let (logs, journal) = shown.disk_bytes_max();
        let beside = "# And 68KiB beside them: .tapelog.lock 4KiB, journal/views.cursor 64KiB.";
        assert!(shown.to_toml().contains(beside), "{}", shown.to_toml());
        let found = bytes_below(&desk.logs());
        assert!(found <= logs + journal + (68 << 10), "{found} of {logs} + {journal}");
    }
}

/// A terminal: who looks at it, and who writes to it.
#[expect(unsafe_code, reason = "std knows no terminals")]
fn terminal() -> (File, File) {
    let (mut master, mut slave) = (0, 0);
    let null = std::ptr::null_mut();
    // SAFETY: room for two descriptors; no name, settings or size are asked for.
    let made =
        unsafe { libc::openpty(&raw mut master, &raw mut slave, null, null.cast(), null.cast()) };
    assert_eq!(made, 0);
    // SAFETY: a descriptor that was just made, and that nobody else has.
    let master = unsafe { File::from_raw_fd(master) };
    // SAFETY: as above.
    (master, unsafe { File::from_raw_fd(slave) })
}

/// What a child shows on a terminal.
fn on_a_terminal(colors: &str, no_color: Option<&str>) -> String {
    let desk = Desk::new();
    let (mut master, slave) = terminal();
    let test = parameter_use_colors_is_for_terminals_and_no_color_wins;
    let mut command = child(test, &format!("{colors} {}", desk.logs().display()));
    command.env("TERM", "xterm").stdout(Stdio::null()).stderr(slave);
    command.envs(no_color.map(|value| ("NO_COLOR", value)));
    let mut running = command.spawn().unwrap();
    drop(command);
    let mut shown = Vec::new();
    // A terminal that nobody writes to any more ends in an error.
    while let Ok(bytes @ 1..) = master.by_ref().take(4_096).read_to_end(&mut shown) {
        assert!(bytes > 0);
    }
    assert!(wait(&mut running).success());
    String::from_utf8(shown).unwrap()
}

#[test]
fn parameter_use_colors_is_for_terminals_and_no_color_wins() {
    assert_eq!(default_of("use_colors"), "\"auto\"");
    assert_refused("use_colors", &["alway"], "auto, always or never");
    if let Some(given) = role() {
        let (colors, logs) = given.split_once(' ').unwrap();
        let builder =
            support::builder(logs.as_ref()).log_to_console(true).set("use_colors", colors);
        let (log, _guard) = builder.build().unwrap();
        return error!(log, "entry");
    }
    for (colors, no_color, coloured) in [
        ("auto", None, true),
        ("auto", Some("1"), false),
        ("always", Some("1"), false),
        ("never", None, false),
    ] {
        let shown = on_a_terminal(colors, no_color);
        assert!(shown.contains("entry"), "{shown:?}");
        assert_eq!(shown.contains('\u{1b}'), coloured, "{colors} {no_color:?}: {shown:?}");
    }
    let desk = Desk::new();
    let given = format!("always {}", desk.logs().display());
    let piped = run(child(parameter_use_colors_is_for_terminals_and_no_color_wins, &given));
    assert!(!piped.stderr.contains(&0x1b), "a pipe gets none");
}

const BITS: &str = "permission bits that let the owner read and write";

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn parameter_file_mode_is_that_of_every_file() {
    assert_eq!(default_of("file_mode"), "0o600");
    assert_refused("file_mode", &["0400", "rw-------", "1600"], BITS);
    for (given, expected) in [("0o600", 0o600), ("0640", 0o640)] {
        let desk = Desk::new();
        let (_log, _guard) = desk.builder().set("file_mode", given).build().unwrap();
        let journal = desk.logs().join("journal/00000000000000000001.tape");
        let logs = LOGS.map(|log| desk.logs().join(log));
        assert!(logs.iter().chain([&journal]).all(|file| mode(file) == expected));
    }
}

#[test]
fn parameter_dir_mode_is_that_of_every_directory() {
    assert_eq!(default_of("dir_mode"), "0o700");
    let enter = "let the owner read, write and enter: 0o700 to 0o777";
    assert_refused("dir_mode", &["0500", "1777", "0600", "0677"], enter);
    for (given, expected) in [("0o700", 0o700), ("0750", 0o750)] {
        let desk = Desk::new();
        let (_log, _guard) = desk.builder().set("dir_mode", given).build().unwrap();
        for directory in [desk.logs(), desk.logs().join("journal")] {
            assert_eq!(mode(&directory), expected, "{directory:?}");
        }
    }
}

#[test]
fn parameter_file_group_owns_the_files() {
    assert_eq!(default_of("file_group"), "\"none\"");
    assert_refused("file_group", &["wheel", "-1"], "none, or the number of a group");
    let own = rustix::process::getgid().as_raw();
    // Only root may give files to any group.
    let group = if rustix::process::geteuid().is_root() { own + 4_711 } else { own };
    let desk = Desk::new();
    let (log, guard) = desk.builder().file_group(group).build().unwrap();
    info!(log, "entry");
    drop(guard);
    assert!(LOGS.iter().all(|log| fs::metadata(desk.logs().join(log)).unwrap().gid() == group));
    let plain = Desk::new();
    let (_log, _guard) = plain.builder().build().unwrap();
    assert_eq!(fs::metadata(plain.logs().join("expert.log")).unwrap().gid(), own);
}
