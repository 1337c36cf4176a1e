//! Syslog messages reach their receiver whole and in order; a receiver that goes, comes back or
//! never reads costs nothing but messages, and each of them is counted.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod support;

use std::io::{ErrorKind, Read};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use support::{Desk, PATIENCE, child, role, run, until};
use tapelog::{Level, MetaLogger, Stats, debug, error, info};

/// A receiver that notes what it gets until it is told to go away.
struct Receiver {
    url: String,
    messages: Arc<Mutex<Vec<String>>>,
    leave: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Something that has messages to give, or none yet.
type Source = Box<dyn FnMut(&mut Vec<String>) + Send>;

impl Receiver {
    fn start(url: String, mut source: Source) -> Self {
        let messages = Arc::new(Mutex::new(Vec::new()));
        let leave = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (messages, leave) = (Arc::clone(&messages), Arc::clone(&leave));
            move || {
                while !leave.load(Ordering::Acquire) {
                    let mut new = Vec::new();
                    source(&mut new);
                    if new.is_empty() {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    messages.lock().unwrap().append(&mut new);
                }
            }
        });
        Self { url, messages, leave, thread: Some(thread) }
    }

    fn udp(address: &str) -> Self {
        let socket = UdpSocket::bind(address).unwrap();
        socket.set_nonblocking(true).unwrap();
        let url = format!("udp://{}", socket.local_addr().unwrap());
        Self::start(url, datagrams(move |buffer| socket.recv(buffer)))
    }

    fn tcp(address: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("tcp://{}", listener.local_addr().unwrap());
        let accept = move || {
            let (stream, _) = listener.accept()?;
            stream.set_nonblocking(true)?;
            Ok(stream)
        };
        Self::start(url, stream(accept, counted))
    }

    fn unix_datagrams(path: PathBuf) -> Self {
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let url = format!("unix:{}", path.display());
        Self::start(url, datagrams(move |buffer| socket.recv(buffer)))
    }

    fn unix_stream(path: PathBuf) -> Self {
        let listener = UnixListener::bind(&path).unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("unix:{}", path.display());
        let accept = move || {
            let (stream, _) = listener.accept()?;
            stream.set_nonblocking(true)?;
            Ok(stream)
        };
        Self::start(url, stream(accept, line))
    }

    fn count(&self) -> usize {
        self.messages.lock().unwrap().len()
    }

    fn wait_for(&self, count: usize) {
        until("messages", || self.count() >= count);
    }

    /// Goes away, with its sockets; what it got.
    fn leave(mut self) -> Vec<String> {
        self.leave.store(true, Ordering::Release);
        self.thread.take().unwrap().join().unwrap();
        std::mem::take(&mut self.messages.lock().unwrap())
    }
}

/// The messages of datagrams.
fn datagrams(mut recv: impl FnMut(&mut [u8]) -> std::io::Result<usize> + Send + 'static) -> Source {
    let mut buffer = vec![0; 128 << 10];
    Box::new(move |messages| {
        while let Ok(length) = recv(&mut buffer) {
            messages.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
        }
    })
}

/// The messages of the newest connection, cut by `next`: how many bytes the first one takes.
fn stream<S: Read + Send + 'static>(
    mut accept: impl FnMut() -> std::io::Result<S> + Send + 'static,
    next: fn(&[u8]) -> Option<(usize, usize)>,
) -> Source {
    let mut connection = None;
    let mut bytes = Vec::new();
    Box::new(move |messages| {
        if let Ok(stream) = accept() {
            connection = Some(stream);
            // What the last connection left unfinished comes again as a whole.
            bytes.clear();
        }
        let Some(stream) = &mut connection else { return };
        let mut buffer = [0; 16 << 10];
        match stream.read(&mut buffer) {
            Ok(length) => bytes.extend_from_slice(&buffer[..length]),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        while let Some((head, length)) = next(&bytes) {
            let message = bytes.drain(..length).skip(head).collect();
            messages.push(String::from_utf8(message).unwrap().trim_end().to_owned());
        }
    })
}

/// `LENGTH SP MESSAGE` (RFC 6587, section 3.4.1).
fn counted(bytes: &[u8]) -> Option<(usize, usize)> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    let length = std::str::from_utf8(&bytes[..space]).unwrap().parse::<usize>().unwrap();
    assert_ne!(bytes[0], b'0');
    (bytes.len() > space + length).then_some((space + 1, space + 1 + length))
}

fn line(bytes: &[u8]) -> Option<(usize, usize)> {
    bytes.iter().position(|byte| *byte == b'\n').map(|end| (0, end + 1))
}

/// A parameter of a message's structured data.
fn parameter<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    let start = message.find(&format!(" {name}=\""))? + name.len() + 3;
    message[start..].split('"').next()
}

fn numbers(messages: &[String]) -> Vec<u64> {
    let counted = messages.iter().filter(|message| !is_gap(message));
    counted.map(|message| parameter(message, "n").unwrap().parse().unwrap()).collect()
}

fn is_gap(message: &str) -> bool {
    message.ends_with("logger.gap")
}

/// What the gap messages say was lost.
fn told_lost(messages: &[String]) -> u64 {
    let gaps = messages.iter().filter(|message| is_gap(message));
    gaps.map(|gap| parameter(gap, "lost").unwrap().parse::<u64>().unwrap()).sum()
}

#[test]
fn every_message_arrives_whole_and_in_order_over_every_transport() {
    const ENTRIES: u64 = 2_000;
    let desk = Desk::new();
    for receiver in [
        Receiver::udp("127.0.0.1:0"),
        Receiver::udp("[::1]:0"),
        Receiver::tcp("127.0.0.1:0"),
        Receiver::unix_datagrams(desk.path("datagrams")),
        Receiver::unix_stream(desk.path("stream")),
    ] {
        let (log, guard) = desk.builder().syslog(receiver.url.clone()).build().unwrap();
        for n in 0..ENTRIES {
            info!(log, "naïve “text” [{n}]", n, quote = "a \"b\" \\ ]\n");
            if n % 50 == 49 {
                // A datagram socket keeps only so many.
                receiver.wait_for(n as usize + 1);
            }
        }
        drop(guard);
        receiver.wait_for(ENTRIES as usize);
        let stats = log.stats();
        let url = receiver.url.clone();
        let messages = receiver.leave();
        assert_eq!((stats.syslog_sent, stats.syslog_dropped), (ENTRIES, 0), "{url}");
        assert_eq!(numbers(&messages), (0..ENTRIES).collect::<Vec<_>>(), "{url}");
        for message in &messages {
            assert!(message.starts_with("<134>1 "), "{message}");
            assert!(message.contains(r#" quote="a \"b\" \\ \]"#), "{message}");
            assert!(message.contains("\u{feff}naïve “text” ["), "{message}");
        }
    }
}

/// Logs while the receiver is there, then away for more than what may wait, then there again.
fn go_and_come_back(desk: &Desk, start: fn(&str) -> Receiver) -> (Stats, Vec<String>, u64) {
    const BEFORE: u64 = 100;
    const AWAY: u64 = 8_000;
    const AFTER: u64 = 100;
    let receiver = start("127.0.0.1:0");
    let url = receiver.url.clone();
    let address = url.split_once("//").unwrap().1.to_owned();
    let (log, guard) = desk.builder().syslog(url).build().unwrap();
    let mut n = 0_u64;
    let mut log_some = |count: u64| {
        let padding = "x".repeat(1_500);
        for _ in 0..count {
            info!(log, "entry", n, padding = &*padding);
            n += 1;
        }
        log.flush(PATIENCE).unwrap();
    };
    // A receiver's socket has room for only so many, the ring for some more.
    for sent in (10..=BEFORE as usize).step_by(10) {
        log_some(10);
        receiver.wait_for(sent);
    }
    let mut messages = receiver.leave();
    (0..AWAY).step_by(500).for_each(|_| log_some(500));
    until("a loss", || log.stats().syslog_dropped > 0);
    let dropped = log.stats().syslog_dropped;
    assert!(dropped < AWAY, "the first megabytes wait");
    let receiver = start(&address);
    until("the rest", || log.stats().syslog_sent == BEFORE + AWAY - dropped);
    (0..AFTER).step_by(10).for_each(|_| log_some(10));
    drop(guard);
    let stats = log.stats();
    assert_eq!(stats.syslog_sent + stats.syslog_dropped, BEFORE + AWAY + AFTER);
    assert_eq!(desk.lines("expert.log").len() as u64, BEFORE + AWAY + AFTER);
    // The kernel has them; a datagram that finds no room there is lost, so others cannot be waited for.
    match receiver.url.starts_with("tcp") {
        true => receiver.wait_for((AWAY - dropped + AFTER) as usize),
        false => std::thread::sleep(Duration::from_millis(200)),
    }
    messages.extend(receiver.leave());
    (stats, messages, dropped)
}

#[test]
fn a_receiver_that_comes_back_gets_what_waited_and_is_told_what_is_missing() {
    if let Some(root) = role() {
        let desk = Desk::new();
        let (stats, messages, dropped) = go_and_come_back(&desk, Receiver::tcp);
        assert_eq!(stats.syslog_dropped, dropped, "nothing was lost after it came back");
        let numbers = numbers(&messages);
        assert_eq!(numbers.len() as u64, stats.syslog_sent, "what was sent has arrived, once");
        assert!(numbers.is_sorted_by(|one, next| one < next));
        assert_eq!(messages.iter().filter(|message| is_gap(message)).count(), 1);
        assert_eq!(told_lost(&messages), dropped);
        let gap = messages.iter().position(|message| is_gap(message)).unwrap();
        let missing = numbers[gap] - numbers[gap - 1] - 1;
        assert_eq!(missing, dropped, "the gap stands where they are missing");
        return std::fs::write(Path::new(&root).join("dropped"), dropped.to_string()).unwrap();
    }
    let desk = Desk::new();
    let name = "a_receiver_that_comes_back_gets_what_waited_and_is_told_what_is_missing";
    let root = desk.path("").display().to_string();
    let output = run(child(name, &root));
    let stderr = String::from_utf8(output.stderr).unwrap();
    let notices: Vec<_> =
        stderr.lines().filter(|line| line.starts_with("tapelog: syslog")).collect();
    assert_eq!(notices.len(), 3, "{stderr}");
    let dropped = std::fs::read_to_string(desk.path("dropped")).unwrap();
    assert!(notices[0].starts_with("tapelog: syslog tcp://127.0.0.1:"), "{stderr}");
    assert!(notices[0].contains("; up to 8 MiB of messages wait"), "{stderr}");
    assert!(notices[1].starts_with("tapelog: syslog: 8 MiB of messages wait"), "{stderr}");
    let recovery = format!("messages are taken again; {dropped} were dropped meanwhile");
    assert!(notices[2].ends_with(&recovery), "{stderr}");
}

#[test]
fn datagrams_that_nobody_took_are_not_counted_as_sent() {
    let desk = Desk::new();
    let (stats, messages, _) = go_and_come_back(&desk, Receiver::udp);
    // Its socket's buffer may be full for a moment: then the kernel drops, and nobody is told.
    let arrived = numbers(&messages);
    assert!(arrived.is_sorted_by(|one, next| one < next));
    assert!(arrived.len() as u64 <= stats.syslog_sent);
    assert!(arrived[..100].iter().copied().eq(0..100), "what came before");
    let lost_in_between = stats.syslog_sent - arrived.len() as u64;
    println!("of {} datagrams {lost_in_between} found no room", stats.syslog_sent);
}

#[test]
fn a_receiver_that_never_reads_holds_up_neither_the_logs_nor_the_end() {
    const ENTRIES: u64 = 30_000;
    let desk = Desk::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    let timeout = Duration::from_secs(1);
    let builder = desk.builder().syslog(url).shutdown_timeout(timeout);
    let (log, guard) = builder.build().unwrap();
    let _connection: TcpStream = listener.accept().unwrap().0;
    let padding = "x".repeat(1_000);
    for n in 0..ENTRIES {
        info!(log, "entry", n, padding = &*padding);
        if n % 1_000 == 0 {
            log.flush(PATIENCE).unwrap();
        }
    }
    log.flush(PATIENCE).unwrap();
    assert_eq!(log.stats().log_lines, ENTRIES);
    assert!(log.stats().syslog_dropped > 0, "{:?}", log.stats());
    let began = Instant::now();
    drop(guard);
    let took = began.elapsed();
    assert!(took < timeout + Duration::from_secs(30), "the end took {took:?}");
    let stats = log.stats();
    assert_eq!(stats.syslog_sent + stats.syslog_dropped, ENTRIES);
    println!("{} sent into the socket's buffers, the end took {took:?}", stats.syslog_sent);
}

#[test]
fn syslog_alone_makes_no_file_and_has_a_level_of_its_own() {
    let desk = Desk::new();
    let receiver = Receiver::tcp("127.0.0.1:0");
    let builder = desk.builder().log_to_file(false).syslog(receiver.url.clone());
    let (log, guard) = builder.syslog_level(Level::Debug).log_level(Level::Error).build().unwrap();
    debug!(log, "one", n = 0);
    error!(log, "two", n = 1);
    drop(guard);
    receiver.wait_for(2);
    assert_eq!(log.stats().syslog_sent, 2);
    let messages = receiver.leave();
    assert!(messages[0].starts_with("<135>1 ") && messages[1].starts_with("<131>1 "));
    assert!(!desk.logs().exists());

    let error = MetaLogger::builder().log_to_console(false).syslog("tcp:host").build().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("syslog = \"tcp:host\""), "{text}");
    assert!(text.contains("udp://host:port (port 514 if left out)"), "{text}");
}
