//! The console is stderr: it shows what `console_level` lets through, never blocks, and is the last
//! resort when no file can be written.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]
#![expect(
    unsafe_code,
    reason = "a descriptor is closed and written to by its number, and a signal sent"
)]

mod support;

use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use support::{Desk, PATIENCE, child, role, run, until, wait};
use tapelog::{Level, MetaLogger, UseColors, debug, error, info, trade, warning};

/// The lines of entries that a child showed.
fn shown(stderr: &[u8]) -> Vec<String> {
    let text = String::from_utf8(stderr.to_vec()).unwrap();
    text.lines().filter(|line| line.starts_with('[')).map(str::to_owned).collect()
}

fn log_some(log: &MetaLogger) {
    debug!(log, "one");
    info!(log, "two", side = "BUY");
    trade!(log, "three");
    warning!(log, "four");
    error!(log, "five");
}

#[test]
fn a_pipe_gets_the_lines_without_colours() {
    if let Some(directory) = role() {
        let builder = MetaLogger::builder().log_dir(directory).console_level(Level::Warning);
        let builder = builder.latency_warning(Duration::ZERO);
        let (log, _guard) = builder.build().unwrap();
        return log_some(&log);
    }
    let desk = Desk::new();
    let role = desk.logs().display().to_string();
    let output = run(child("a_pipe_gets_the_lines_without_colours", &role));
    let shown = shown(&output.stderr);
    let expert = desk.lines("expert.log");
    assert_eq!(expert.len(), 4);
    assert_eq!(shown, expert[2..], "warning and above, in the words of expert.log");
}

#[test]
fn the_console_alone_makes_no_file() {
    if let Some(root) = role() {
        std::env::set_current_dir(&root).unwrap();
        let (log, guard) = MetaLogger::builder()
            .log_to_file(false)
            .ring_dir(format!("{root}/ring"))
            .use_colors(UseColors::Always)
            .latency_warning(Duration::ZERO)
            .build()
            .unwrap();
        log_some(&log);
        log.flush(PATIENCE).unwrap();
        assert!(!log.stats().crash_safe);
        drop(guard);
        return;
    }
    let desk = Desk::new();
    let root = desk.path("");
    let mut command = child("the_console_alone_makes_no_file", &root.display().to_string());
    command.env_remove("NO_COLOR");
    let output = run(command);
    assert_eq!(std::fs::read_dir(&root).unwrap().count(), 0, "no file, no directory");
    let shown = shown(&output.stderr);
    assert_eq!(shown.len(), 4);
    assert!(!shown.concat().contains('\u{1b}'), "a pipe never gets colours: {shown:?}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let notices = stderr.lines().filter(|line| line.starts_with("tapelog")).count();
    assert_eq!(notices, 0, "nothing to complain of: {stderr}");
}

#[test]
fn row_13_a_console_that_nobody_reads_holds_nothing_up() {
    const LINES: u64 = 200_000;
    if let Some(directory) = role() {
        let builder = MetaLogger::builder().log_dir(directory).latency_warning(Duration::ZERO);
        // An end that waited for the reader would take as long.
        let builder = builder.shutdown_timeout(PATIENCE);
        let (log, guard) = builder.build().unwrap();
        for number in 0..LINES {
            while tapelog::try_info!(log, "unread", number).is_err() {
                std::hint::spin_loop();
            }
        }
        log.flush(PATIENCE).unwrap();
        let dropped = log.stats().console_dropped;
        let started = Instant::now();
        drop(guard);
        println!("dropped={dropped} shutdown_ms={}", started.elapsed().as_millis());
        return;
    }
    let desk = Desk::new();
    let mut command = child(
        "row_13_a_console_that_nobody_reads_holds_nothing_up",
        &desk.logs().display().to_string(),
    );
    let mut running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    assert!(wait(&mut running).success());
    let mut told = String::new();
    running.stdout.take().unwrap().read_to_string(&mut told).unwrap();
    let told = told.lines().find(|line| line.contains("shutdown_ms")).unwrap();
    println!("{told}");
    assert!(support::number(told, "dropped") > LINES / 2, "a pipe holds 64 KiB");
    assert!(support::number(told, "shutdown_ms") < 30_000);
    let lines = desk.lines("expert.log");
    assert_eq!(lines.len() as u64, LINES, "the file has them all");
}

/// Closes a standard stream, as a host does that was started without one and is no program of Rust's.
fn close(stream: i32) {
    // SAFETY: nobody else in this child owns the number.
    drop(unsafe { OwnedFd::from_raw_fd(stream) });
}

/// Prints to a stream by its number: whatever is open there gets it.
fn print(stream: i32) {
    let text = b"printed by the host\n";
    // SAFETY: the text is there for so many bytes; that nobody takes them is expected.
    let _written = unsafe { libc::write(stream, text.as_ptr().cast(), text.len()) };
}

#[test]
fn row_13_what_the_host_prints_to_a_closed_stream_is_in_no_file_of_ours() {
    let test = "row_13_what_the_host_prints_to_a_closed_stream_is_in_no_file_of_ours";
    const ENTRIES: u64 = 20_000;
    let Some(role) = role() else {
        for when in ["before", "running"] {
            let desk = Desk::new();
            // A ring to be recovered, too.
            let role = |when: &str| {
                format!("{when} {} {}", desk.logs().display(), desk.ring_dir().display())
            };
            let dying = child(test, &role("dying")).output();
            assert_eq!(dying.unwrap().status.signal(), Some(libc::SIGABRT));
            // Without the pipes of `run`, which the child's streams are.
            let mut child = child(test, &role(when));
            let ended = child.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
            assert!(ended.success(), "{when}");
            let mut lines = desk.lines("expert.log");
            lines.retain(|line| !line.contains("] logger."));
            assert_eq!(lines.len() as u64, ENTRIES + ENTRIES / 10, "{when}");
            let journal = tapelog::reading::Journal::open(desk.logs()).unwrap();
            assert!(journal.verify(&mut |_| {}).unwrap().is_intact(), "{when}");
            for directory in [desk.logs(), desk.ring_dir()] {
                let foreign = support::holders(&directory, "printed by the host");
                assert_eq!(foreign, [""; 0], "{when}");
            }
            assert_eq!(desk.rings(), 0, "{when}");
        }
        return;
    };
    let parts: Vec<&str> = role.split(' ').collect();
    let [when, logs, rings] = parts[..] else { panic!("{role}") };
    if when == "before" {
        (0..3).for_each(close);
    }
    let streams = [0, 1, 2];
    // Small files, so that new ones are opened all the time.
    let builder = support::builder(logs.as_ref()).ring_dir(rings);
    let builder = builder.log_max_file_size(64_u64 << 10).log_backup_count(1_000_u32);
    let builder = builder.journal_segment_bytes(512_u64 << 10).journal_segments(64_u32);
    let (log, guard) = builder.build().unwrap();
    if when == "dying" {
        let _held = tapelog::testing::hold_drain(&log);
        (0..ENTRIES / 10).for_each(|number| info!(log, "left", number));
        std::process::abort();
    }
    streams.into_iter().for_each(print);
    if when == "running" {
        streams.into_iter().for_each(close);
    }
    for number in 0..ENTRIES {
        while tapelog::try_info!(log, "entry", number).is_err() {
            std::thread::yield_now();
        }
        if number % 100 == 0 {
            streams.into_iter().for_each(print);
        }
    }
    log.flush(PATIENCE).unwrap();
    streams.into_iter().for_each(print);
    drop(guard);
}

#[test]
fn row_13_a_console_that_takes_nothing_is_no_trouble_and_its_lines_are_counted() {
    const LINES: u64 = 1_000;
    let test = "row_13_a_console_that_takes_nothing_is_no_trouble_and_its_lines_are_counted";
    if let Some(role) = role() {
        let (how, directory) = role.split_once(' ').unwrap();
        let builder = MetaLogger::builder().log_dir(directory).latency_warning(Duration::ZERO);
        let running = (how == "leaves").then(|| builder.clone().build().unwrap());
        // By now, the parent has closed its end of the pipe.
        std::io::stdin().read_line(&mut String::new()).unwrap();
        if how == "closed" {
            close(2);
        }
        let (log, guard) = running.unwrap_or_else(|| builder.build().unwrap());
        for number in 0..LINES {
            info!(log, "unheard", number);
            if number % 100 == 0 {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        drop(guard);
        let stats = log.stats();
        assert_eq!((stats.accepted, stats.lost.total()), (LINES, 0));
        println!("dropped={}", stats.console_dropped);
        return;
    }
    for how in ["closed", "full", "epipe", "leaves"] {
        let desk = Desk::new();
        let mut command = child(test, &format!("{how} {}", desk.logs().display()));
        match how {
            "full" => {
                let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
                command.stderr(full);
            }
            _ => drop(command.stderr(Stdio::piped())),
        }
        let mut running = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        drop(running.stderr.take());
        running.stdin.take().unwrap().write_all(b"go on\n").unwrap();
        assert!(wait(&mut running).success(), "{how}: no signal, no panic");
        let mut told = String::new();
        running.stdout.take().unwrap().read_to_string(&mut told).unwrap();
        let told = told.lines().find(|line| line.contains("dropped=")).unwrap();
        assert_eq!(support::number(told, "dropped"), LINES, "{how}");
        assert_eq!(desk.lines("expert.log").len() as u64, LINES, "{how}: the file has them all");
        for entry in std::fs::read_dir(desk.logs()).unwrap() {
            let path = entry.unwrap().path();
            let foreign = path.is_file() && !path.to_string_lossy().ends_with(".log");
            let text = if foreign { std::fs::read(&path).unwrap() } else { Vec::new() };
            let text = String::from_utf8_lossy(&text);
            assert!(!text.contains("unheard"), "{how}: no other file gets lines: {path:?}");
        }
        println!("row 13: stderr {how}: {told} of {LINES} lines");
    }
}

/// Switches the console of a child in both ways; what is said while it is on has odd numbers.
fn switch_the_console(root: &Path) {
    // SAFETY: no function is set. Under `nohup` the signal is ignored, and would stay so.
    assert_ne!(unsafe { libc::signal(libc::SIGHUP, libc::SIG_DFL) }, libc::SIG_ERR);
    let file = root.join("desk.toml");
    std::fs::write(&file, "log_to_console = true\n").unwrap();
    let builder = MetaLogger::builder().env_prefix("TAPELOG_NONE_").config_file(&file);
    let builder = builder.log_dir(root.join("logs")).handle_signals(true);
    let (log, guard) = builder.build().unwrap();
    let say = |number: u32| {
        info!(log, "said", number);
        log.flush(PATIENCE).unwrap();
    };
    let mut reloads = 0;
    let mut hang_up = |text: &str| {
        std::fs::write(&file, text).unwrap();
        // The process has a handler by now.
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::HUP)
            .unwrap();
        reloads += 1;
        until("the file is in force", || {
            log.flush(PATIENCE).unwrap();
            let told = std::fs::read_to_string(root.join("logs/expert.log")).unwrap();
            told.matches("] logger.reload ").count() == reloads
        });
    };
    say(1);
    log.set_log_to_console(false).unwrap();
    say(2);
    log.set_log_to_console(true).unwrap();
    say(3);
    hang_up("log_to_console = false\n");
    say(4);
    hang_up("log_to_console = true\nnap = \"1ms\"\n");
    say(5);
    // The thread that serves this one has told what it could not do for the one before.
    hang_up("log_to_console = false\n");
    say(6);
    drop(guard);
}

#[test]
fn the_console_is_switched_while_running_by_code_and_by_file() {
    if let Some(root) = role() {
        return switch_the_console(Path::new(&root));
    }
    let desk = Desk::new();
    let root = desk.path("").display().to_string();
    let output = run(child("the_console_is_switched_while_running_by_code_and_by_file", &root));
    let said = |lines: Vec<String>| {
        let said = lines.into_iter().filter(|line| line.contains("] said "));
        said.map(|line| support::number(&line, "number")).collect::<Vec<_>>()
    };
    assert_eq!(said(shown(&output.stderr)), [1, 3, 5]);
    assert_eq!(said(desk.lines("expert.log")), [1, 2, 3, 4, 5, 6]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let refused = stderr.lines().filter(|line| line.starts_with("tapelog") && line.contains("nap"));
    assert_eq!(refused.count(), 1, "the key that takes a restart: {stderr}");
}

#[test]
fn a_directory_that_cannot_be_made_leaves_the_console() {
    // Nobody may make a directory there, root included.
    const NOWHERE: &str = "/sys/tapelog-test/logs";
    if role().is_some() {
        let builder = MetaLogger::builder().log_dir(NOWHERE).log_to_console(false);
        let builder = builder.latency_warning(Duration::ZERO);
        let (log, guard) = builder.build().expect("an unwritable disk is no failure");
        log_some(&log);
        log.flush(PATIENCE).unwrap();
        let degraded = log.stats().degraded.expect("a reason");
        assert!(degraded.contains("/sys/tapelog-test"), "{degraded}");
        assert_eq!(log.stats().lost.total(), 0);
        drop(guard);
        return;
    }
    let output = run(child("a_directory_that_cannot_be_made_leaves_the_console", "child"));
    assert_eq!(shown(&output.stderr).len(), 4, "the entries go to stderr, asked for or not");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let notices = stderr.lines().filter(|line| line.contains("/sys/tapelog-test")).count();
    assert_eq!(notices, 1, "one notice: {stderr}");
}

/// More than the file that stderr is has by then, and less than a ring.
const LIMIT: u64 = 512 << 10;

#[test]
fn row_14_a_stderr_that_is_a_file_at_its_limit_kills_nobody() {
    const TEST: &str = "row_14_a_stderr_that_is_a_file_at_its_limit_kills_nobody";
    if let Some(root) = role() {
        let limit = rustix::process::Rlimit { current: Some(LIMIT), maximum: Some(LIMIT) };
        rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
        // A torn line at the very limit would be completed at the start.
        let logs = Path::new(&root).join("logs");
        std::fs::create_dir(&logs).unwrap();
        std::fs::write(logs.join("errors.log"), vec![b'x'; LIMIT as usize]).unwrap();
        let (log, guard) = support::builder(&logs)
            .ring_dir(Path::new(&root).join("rings"))
            .ring_bytes(4 * LIMIT)
            .log_to_console(true)
            .build()
            .unwrap();
        log_some(&log);
        log.flush(PATIENCE).unwrap();
        assert!(!log.stats().crash_safe, "its ring has no room: it is told, or was to be");
        return drop(guard);
    }
    for append in [false, true] {
        let desk = Desk::new();
        let path = desk.path("stderr");
        std::fs::write(&path, vec![b'\n'; LIMIT as usize]).unwrap();
        let mut file = std::fs::File::options().write(true).append(append).open(&path).unwrap();
        std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0)).unwrap();
        let mut child = child(TEST, &desk.path("").display().to_string());
        let status = child.stderr(file).stdout(Stdio::null()).status().unwrap();
        assert_eq!(status.signal(), None, "append: {append}");
        assert!(status.success(), "append: {append}: {status}");
        assert_eq!(std::fs::metadata(&path).unwrap().len(), LIMIT);
    }
    println!("row 14: 2 programs whose stderr took nothing any more lived");
}
