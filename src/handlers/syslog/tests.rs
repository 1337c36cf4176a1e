//! The feed's bound, and the courier against sockets of the test.

use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::config::SyslogTarget;

const TEXT: &str = "<134>1 2026-01-02T03:04:05Z desk bot 7 - -";

fn message(number: usize) -> String {
    format!("{TEXT} message {number}")
}

/// Sends messages through a courier of its own; the counters at the end.
fn send(url: &str, messages: &[String]) -> Arc<SyslogCounts> {
    let counts = Arc::new(SyslogCounts::default());
    let (mut feed, chunks) = feed(Arc::clone(&counts));
    let stop = Arc::new(Stop::default());
    let target = SyslogTarget::parse(url).unwrap();
    let mut courier = Courier::new(target, chunks, Arc::clone(&counts), Arc::clone(&stop));
    for message in messages {
        assert!(feed.message(message.as_bytes()));
        feed.hand_over();
    }
    drop(feed);
    stop.at(Instant::now() + Duration::from_secs(30));
    courier.begin();
    while courier.step().is_continue() {}
    counts.close();
    assert_eq!(counts.sent() + counts.dropped(), messages.len() as u64);
    assert_eq!(counts.waiting_bytes(), 0);
    counts
}

fn messages() -> Vec<String> {
    (0..100).map(message).collect()
}

#[test]
fn a_full_feed_refuses_until_half_of_it_is_free_and_then_tells_how_many_it_lost() {
    let counts = Arc::new(SyslogCounts::default());
    let (mut feed, chunks) = feed(Arc::clone(&counts));
    let long = vec![b'x'; 64 << 10];
    let taken = (0..200).filter(|_| feed.message(&long)).count() as u64;
    let room = WAITING_BYTES_MAX / (65 << 10)..=WAITING_BYTES_MAX / (64 << 10);
    assert!(room.contains(&taken));
    assert_eq!((counts.dropped(), feed.untold()), (200 - taken, 0), "not told while it is full");
    feed.hand_over();
    let mut chunk = chunks.0.recv().unwrap();
    for _ in 0..taken / 2 - 1 {
        chunk.sent(&counts);
    }
    assert!(!feed.message(b"short"), "half of it is not free yet");
    for _ in 0..2 {
        chunk.sent(&counts);
    }
    assert_eq!(feed.untold(), 201 - taken);
    feed.gap(201 - taken, b"gap");
    assert_eq!(feed.untold(), 0);
    assert!(feed.message(b"short"));
    feed.hand_over();
    let next: Vec<_> = chunks.0.recv().unwrap().rest().map(<[u8]>::to_vec).collect();
    assert_eq!(next, [b"gap".to_vec(), b"short".to_vec()]);
    counts.close();
    assert_eq!((counts.sent(), counts.dropped()), (taken / 2 + 1, 202 - taken / 2 - 1));
}

#[test]
fn a_stream_counts_octets_and_a_local_one_ends_lines() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    let counts = send(&url, &messages());
    assert_eq!((counts.sent(), counts.dropped()), (100, 0));
    let mut read = String::new();
    listener.accept().unwrap().0.read_to_string(&mut read).unwrap();
    let framed = |message: String| format!("{} {message}", message.len());
    assert_eq!(read, messages().into_iter().map(framed).collect::<String>());

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let listener = UnixListener::bind(&path).unwrap();
    assert_eq!(send(&format!("unix:{}", path.display()), &messages()).sent(), 100);
    let mut read = String::new();
    listener.accept().unwrap().0.read_to_string(&mut read).unwrap();
    assert_eq!(read, messages().into_iter().map(|line| line + "\n").collect::<String>());
}

#[test]
fn a_datagram_holds_one_message_and_no_more_than_fits() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let url = format!("udp://{}", socket.local_addr().unwrap());
    let long = format!("{TEXT} {}", "x".repeat(UDP_BYTES_MAX));
    let counts = send(&url, &[message(1), long, "no message".repeat(UDP_BYTES_MAX)]);
    assert_eq!((counts.sent(), counts.cut(), counts.dropped()), (2, 1, 1));
    let mut read = [0; 4096];
    let mut next = |socket: &UdpSocket| {
        let length = socket.recv(&mut read).unwrap();
        String::from_utf8(read[..length].to_vec()).unwrap()
    };
    assert_eq!(next(&socket), message(1));
    let cut = next(&socket);
    assert_eq!(cut.len(), UDP_BYTES_MAX);
    assert!(cut.starts_with(TEXT) && cut.ends_with("xx..."));

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let socket = UnixDatagram::bind(&path).unwrap();
    let long = format!("{TEXT} {}", "x".repeat(UNIX_BYTES_MAX));
    let counts = send(&format!("unix:{}", path.display()), &[message(1), long]);
    assert_eq!((counts.sent(), counts.cut()), (2, 1));
    let mut read = vec![0; 128 << 10];
    assert_eq!(socket.recv(&mut read).unwrap(), message(1).len());
    assert_eq!(socket.recv(&mut read).unwrap(), UNIX_BYTES_MAX);
}

#[test]
fn at_the_end_a_receiver_that_is_away_is_waited_for_only_a_second() {
    let directory = tempfile::tempdir().unwrap();
    let nowhere = format!("unix:{}", directory.path().join("log").display());
    let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for url in [nowhere, format!("udp://{free}"), format!("tcp://{free}")] {
        let began = Instant::now();
        let counts = send(&url, &messages());
        assert_eq!((counts.sent(), counts.dropped()), (0, 100), "{url}");
        assert!(began.elapsed() < Duration::from_secs(15), "{url} took {:?}", began.elapsed());
    }
}
