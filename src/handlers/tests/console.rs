//! A console that has no room, no reader, or is a terminal.

use std::fs::File;
use std::io::{Read, Seek, pipe};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_getfl};

use super::super::console::ColorChoice;
use super::super::outlet::{Outlet, Took, Way};
use super::super::{Console, finish_notices, notice};
use super::*;

fn numbered(from: usize, count: usize) -> Batch {
    batch((from..from + count).map(|n| format!("{n} {}", "z".repeat(n * 7 % 300))))
}

/// Fills a console that nobody reads, then reads it to its end.
fn fill_then_read(console: Console, writer: impl AsFd, mut reader: impl Read + Send) {
    let mut console = console;
    let mut times = Vec::new();
    let mut pushed = 0;
    for turn in 0..200 {
        // The second large one is longer than the room that is left, so that a line is begun only.
        let count = 1 + turn * 211 % 400;
        let lines = numbered(pushed, count);
        let started = Instant::now();
        console.write(&lines);
        times.push(started.elapsed());
        pushed += count;
    }
    // A busy machine may stop anybody, but not most of the time.
    times.sort_unstable();
    assert!(times[100] < Duration::from_millis(10), "it waited: {times:?}");
    assert!(times[199] < Duration::from_secs(30), "it waited: {times:?}");
    assert!(console.dropped() > 0 && !console.is_dead());
    let flags = fcntl_getfl(&writer).expect("the flags");
    assert!(!flags.contains(OFlags::NONBLOCK), "the host's flags were changed");
    thread::scope(|scope| {
        let text = scope.spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).expect("no torn character");
            text
        });
        while !console.settle() {
            thread::yield_now();
        }
        let last = batch(["the end"]);
        while console.write(&last) == 0 {
            thread::yield_now();
        }
        while !console.settle() {
            thread::yield_now();
        }
        let dropped = console.dropped();
        drop((console, writer));
        check(&text.join().expect("the reader"), pushed, dropped);
    });
}

/// Every line is whole and in order, and those that are missing are counted.
fn check(text: &str, pushed: usize, dropped: u64) {
    let (mut shown, mut reported, mut next) = (0, 0, 0);
    for line in text.lines() {
        if let Some(report) = line.strip_prefix("tapelog: ") {
            let count = report.strip_suffix(" console lines dropped").expect("a report");
            reported += count.parse::<u64>().expect("a number");
        } else if line != "the end" {
            let n: usize = line.split(' ').next().and_then(|n| n.parse().ok()).expect("a number");
            assert!(n >= next, "line {n} after {next}");
            assert_eq!(line, format!("{n} {}", "z".repeat(n * 7 % 300)));
            (shown, next) = (shown + 1, n + 1);
        }
    }
    assert!(text.contains("the end\n") && text.ends_with('\n'));
    assert_eq!(reported, dropped);
    // Attempts to write "the end" that found no room are among the dropped.
    assert!(shown + dropped as usize >= pushed && shown > 0);
}

fn on(fd: BorrowedFd<'_>) -> Console {
    Console::on(fd, ColorChoice::Auto)
}

#[test]
fn a_full_pipe_is_never_waited_for() {
    let (reader, writer) = pipe().unwrap();
    assert_eq!(Outlet::new(writer.as_fd()).way(), Some(Way::Own));
    fill_then_read(on(writer.as_fd()), writer, reader);
}

#[test]
fn a_full_socket_is_never_waited_for() {
    let (reader, writer) = UnixStream::pair().unwrap();
    assert_eq!(Outlet::new(writer.as_fd()).way(), Some(Way::Socket));
    fill_then_read(on(writer.as_fd()), writer, reader);
}

#[test]
fn a_pipe_that_cannot_be_opened_again_is_never_waited_for() {
    let (reader, writer) = pipe().unwrap();
    let mut outlet = Outlet::polled(writer.as_fd(), 4096);
    let mut room = 0;
    while let Took::Bytes(count) = outlet.write(&[b'p'; 10_000]) {
        room += count;
    }
    assert!(room >= 4096 && !outlet.is_dead());
    drop(reader);
    assert_eq!(outlet.write(b"p"), Took::Dead);
}

#[test]
fn a_reader_that_goes_away_kills_the_console_only() {
    let (pipe_reader, pipe_writer) = pipe().unwrap();
    let (socket_reader, socket_writer) = UnixStream::pair().unwrap();
    for mut console in [on(pipe_writer.as_fd()), on(socket_writer.as_fd())] {
        assert_eq!(console.write(&numbered(0, 3)), 3);
        assert!(!console.colours());
    }
    let mut consoles = [on(pipe_writer.as_fd()), on(socket_writer.as_fd())];
    drop((pipe_reader, socket_reader));
    for console in &mut consoles {
        for turn in 1..=3 {
            assert_eq!(console.write(&numbered(0, 5)), 0);
            assert_eq!(console.dropped(), turn * 5);
        }
        assert!(console.is_dead() && !console.settle());
    }
}

#[test]
fn a_file_gets_all_lines_and_a_full_device_counts_them() {
    let mut file = tempfile::tempfile().unwrap();
    let mut console = on(file.as_fd());
    assert_eq!(console.write(&numbered(0, 1000)), 1000);
    file.rewind().unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text.as_bytes(), numbered(0, 1000).bytes());
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut console = on(full.as_fd());
    assert_eq!(console.write(&numbered(0, 10)), 0);
    assert_eq!((console.dropped(), console.is_dead()), (10, false));
}

#[test]
fn notices_are_limited_escaped_and_prefixed() {
    if is_child() {
        for n in 0..250 {
            notice(&format!("trouble {n} in a\nb\u{1b}[31m\u{2028}\u{202e}"));
        }
        finish_notices();
        return;
    }
    let output = rerun("console::notices_are_limited_escaped_and_prefixed", ":");
    assert_passed(&output);
    let text = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("tapelog: ")).collect();
    let trouble = lines.iter().filter(|line| line.contains("trouble")).count();
    let suppressed: usize = lines
        .iter()
        .filter_map(|line| line.strip_prefix("tapelog: ")?.strip_suffix(" more suppressed"))
        .map(|count| count.parse::<usize>().unwrap())
        .sum();
    assert!(trouble >= 100 && suppressed > 0);
    assert_eq!(trouble + suppressed, 250);
    assert_eq!(lines[7], r"tapelog: trouble 7 in a\nb\u{1b}[31m\u{2028}\u{202e}");
}

#[test]
fn notices_wait_for_nobody_when_stderr_is_not_read() {
    let (done, finished) = mpsc::channel();
    if is_child() {
        let long = "x".repeat(4000);
        for _ in 0..100 {
            notice(&long);
        }
        finish_notices();
        return;
    }
    let thread = thread::spawn(move || {
        // The child itself holds the pipe's other end and takes nothing out of it.
        let directory = directory();
        let fifo = directory.path().join("stderr").display().to_string();
        let prelude = format!("mkfifo '{fifo}'; exec 2<>'{fifo}'");
        let output = rerun("console::notices_wait_for_nobody_when_stderr_is_not_read", &prelude);
        done.send(()).expect("the test waits");
        output
    });
    finished.recv_timeout(Duration::from_secs(20)).expect("it waited for the reader");
    assert_passed(&thread.join().unwrap());
}

#[test]
fn a_terminal_has_colours_and_a_description_of_its_own() {
    if is_child() {
        let console = Console::stderr(ColorChoice::Auto);
        let way = Outlet::new(std::io::stderr().as_fd()).way();
        println!("colours: {}, way: {way:?}", console.colours());
        let flags = fcntl_getfl(std::io::stderr()).unwrap();
        assert!(!flags.contains(OFlags::NONBLOCK));
        return;
    }
    let program = std::env::current_exe().unwrap();
    let test = "handlers::tests::console::a_terminal_has_colours_and_a_description_of_its_own";
    let command = format!("{} --exact {test} --nocapture", program.display());
    let output = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .env(CHILD, "1")
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .output();
    let Ok(output) = output else {
        println!("skipped: `script` is not installed, so there is no terminal");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("colours: true, way: Some(Own)"), "{text}");
}
