//! A hole under a mapped segment (somebody has truncated the file) does not kill the program: the
//! records go to another segment, and what was lost is told. Every other SIGBUS goes where it would
//! have gone without the logger.
//!
//! Row 7 of the faults, as far as the live segment is concerned. Each scenario runs in a child,
//! because a failure would be a signal's death.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "signals and mappings are the subject")]

mod support;

use std::ffi::{c_int, c_void};
use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::{Desk, PATIENCE, child, number, role, run, until};
use tapelog::reading::{Format, Journal};
use tapelog::{MetaLogger, info, try_info};

const SEGMENT: u64 = 512 << 10;

/// In which a hole is met for sure.
const LONG_ENOUGH: Duration = Duration::from_secs(10);

/// Cuts every segment of a journal, the live one among them; how many.
fn truncate_all(journal: &Path, bytes: u64) -> usize {
    let paths = fs::read_dir(journal).unwrap().map(|entry| entry.unwrap().path());
    let segments = paths.filter(|path| path.extension() == Some("tape".as_ref()));
    // One may have been renamed since.
    let opened = segments.filter_map(|path| OpenOptions::new().write(true).open(path).ok());
    opened.map(|file| file.set_len(bytes).unwrap()).count()
}

/// The numbers in expert.log; each stands there once, in order.
fn logged(desk: &Desk) -> Vec<u64> {
    let lines = desk.lines("expert.log");
    let ours = lines.iter().filter(|line| line.contains("] entry number="));
    let numbers: Vec<_> = ours.map(|line| number(line, "number")).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "an entry twice, or out of order");
    numbers
}

#[test]
fn row_07_a_truncated_live_segment_kills_nobody_and_loses_nothing_untold() {
    const TEST: &str = "row_07_a_truncated_live_segment_kills_nobody_and_loses_nothing_untold";
    if role().is_none() {
        let output = run(child(TEST, "producer"));
        let told = String::from_utf8_lossy(&output.stderr).matches("the file has a hole").count();
        assert!(told >= 1, "it is told");
        return;
    }
    let desk = Desk::new();
    let builder = desk.builder().journal_segment_bytes(SEGMENT).journal_segments(8_u32);
    let (log, guard) = builder.log_backup_count(1000_u32).build().unwrap();
    if !log.stats().journal_mapped {
        support::skip(format_args!("segments are not mapped on this file system"));
        eprintln!("the file has a hole (skipped)");
        return;
    }
    let journal = desk.logs().join("journal");
    let stop = AtomicBool::new(false);
    let pushed = thread::scope(|scope| {
        let producer = scope.spawn(|| {
            let mut pushed = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                pushed += u64::from(try_info!(log, "entry", number = pushed).is_ok());
                if pushed.is_multiple_of(64) {
                    thread::sleep(Duration::from_micros(200));
                }
            }
            pushed
        });
        let mut rounds = 0;
        while rounds < 20 {
            let caught = log.stats().sigbus_caught;
            truncate_all(&journal, if rounds % 2 == 0 { 0 } else { 8192 });
            let begun = Instant::now();
            while log.stats().sigbus_caught == caught && begun.elapsed() < LONG_ENOUGH {
                thread::sleep(Duration::from_millis(1));
            }
            rounds += 1;
        }
        stop.store(true, Ordering::Relaxed);
        producer.join().unwrap()
    });
    log.flush(PATIENCE).unwrap();
    let stats = log.stats();
    // What the engine says of a file that failed for a second is an entry, too.
    let own = stats.accepted - pushed;
    assert!(own <= 20, "{own}: {stats:?}");
    assert_eq!(stats.journaled, stats.accepted, "every accepted record was written");
    assert!(stats.sigbus_caught >= 20, "{stats:?}");
    info!(log, "entry", number = u64::MAX);
    drop(guard);
    let mut seen = logged(&desk);
    assert_eq!(seen.pop(), Some(u64::MAX), "the logs go on");
    // What a log lacks stood in a part of the file that was cut before the view had read it.
    let lacking = pushed - seen.len() as u64;
    let counted = lacking..=lacking + own;
    assert!(
        counted.contains(&stats.unreadable),
        "what is missing is counted: {lacking}, {stats:?}"
    );
    let gaps = desk.lines("expert.log").iter().filter(|line| line.contains("logger.gap")).count();
    println!(
        "{pushed} records, {lacking} cut away, {gaps} gaps told, {} holes",
        stats.sigbus_caught
    );
    assert!(lacking == 0 || gaps > 0, "{lacking} entries are missing and nothing says so");
    assert!(log.stats().degraded.is_none(), "{:?}", log.stats().degraded);
}

#[test]
fn an_idle_engine_finds_the_hole_and_what_comes_next_is_in_the_logs() {
    const TEST: &str = "an_idle_engine_finds_the_hole_and_what_comes_next_is_in_the_logs";
    if role().is_none() {
        run(child(TEST, "idle"));
        return;
    }
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    for number in 0..100_u64 {
        info!(log, "entry", number);
    }
    log.flush(PATIENCE).unwrap();
    assert!(truncate_all(&desk.logs().join("journal"), 0) > 0);
    for number in 100..200_u64 {
        info!(log, "entry", number);
    }
    log.flush(PATIENCE).unwrap();
    drop(guard);
    assert_eq!(logged(&desk), Vec::from_iter(0..200), "nothing is lost, nothing stands twice");
}

#[test]
fn without_the_guard_segments_are_written_plainly() {
    const TEST: &str = "without_the_guard_segments_are_written_plainly";
    if role().is_none() {
        run(child(TEST, "plain"));
        return;
    }
    let desk = Desk::new();
    let before = disposition();
    let (log, guard) = desk.builder().sigbus_guard(false).build().unwrap();
    assert!(!log.stats().journal_mapped);
    assert_eq!(disposition(), before, "nothing is installed");
    info!(log, "entry", number = 1_u64);
    drop(guard);
    assert_eq!(logged(&desk), [1]);
}

#[test]
fn row_07_a_truncated_live_segment_that_is_written_plainly_is_left_for_another() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().journal_mapped(false).build().unwrap();
    let mut number = 0_u64;
    for round in 0..10 {
        for _ in 0..50 {
            info!(log, "entry", number);
            number += 1;
        }
        log.flush(PATIENCE).unwrap();
        assert!(
            truncate_all(&desk.logs().join("journal"), if round % 2 == 0 { 0 } else { 8192 }) > 0
        );
        let begun = Instant::now();
        // What comes later is found by everybody again.
        loop {
            info!(log, "entry", number);
            number += 1;
            log.flush(PATIENCE).unwrap();
            let mut text = Vec::new();
            let journal = Journal::open(desk.logs()).unwrap();
            let read = journal.write_to(Format::Text, &mut text);
            let newest = format!("number={}\n", number - 1);
            if read.is_ok() && String::from_utf8(text).unwrap().contains(&newest) {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "{:?}", log.stats());
            thread::sleep(Duration::from_millis(5));
        }
    }
    until("what was cut away is counted", || log.stats().in_memory_records > 0);
    drop(guard);
    assert_eq!(logged(&desk), Vec::from_iter(0..number), "the logs had read it before");
    println!("row 07: 10 segments were cut off, and left for others");
}

/// The page at which the host's handler was called.
static HOSTS: AtomicUsize = AtomicUsize::new(0);

/// What a host might do about a SIGBUS of its own: puts a page there, too.
extern "C" fn hosts(_signal: c_int, info: *mut libc::siginfo_t, _context: *mut c_void) {
    // SAFETY: the kernel hands the description over.
    let described = unsafe { &*info };
    // SAFETY: the signal was raised by a fault, which has an address.
    let address = unsafe { described.si_addr() } as usize;
    HOSTS.store(address, Ordering::Relaxed);
    put_page(address & !4095);
}

/// The page that the handler below is to repair: it is not told an address.
static HOLE: AtomicUsize = AtomicUsize::new(0);

/// The same as `signal` installs it.
extern "C" fn hosts_plain(signal: c_int) {
    assert_eq!(signal, libc::SIGBUS);
    let address = HOLE.load(Ordering::Relaxed);
    HOSTS.store(address, Ordering::Relaxed);
    put_page(address);
}

fn put_page(address: usize) {
    let page = ptr::without_provenance_mut(address);
    let (access, kind) = (
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
    );
    // SAFETY: the page is the host's own, made by `page_with_hole`.
    unsafe { libc::mmap(page, 4096, access, kind, -1, 0) };
}

/// The address of the present handler of SIGBUS.
fn disposition() -> usize {
    // SAFETY: all zero is an action.
    let mut now = unsafe { std::mem::zeroed::<libc::sigaction>() };
    // SAFETY: asks for the action, for which there is room.
    assert_eq!(unsafe { libc::sigaction(libc::SIGBUS, ptr::null(), &raw mut now) }, 0);
    now.sa_sigaction
}

fn set_action(handler: usize, flags: c_int) {
    // SAFETY: all zero is an action.
    let mut new = unsafe { std::mem::zeroed::<libc::sigaction>() };
    new.sa_sigaction = handler;
    new.sa_flags = flags;
    // SAFETY: a whole action, whose handler is one of this test's or a constant.
    assert_eq!(unsafe { libc::sigaction(libc::SIGBUS, &raw const new, ptr::null_mut()) }, 0);
}

/// A death that is meant leaves no core file.
fn no_core() {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a whole limit.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
}

/// A mapping of the host whose file is empty: a store there is a SIGBUS.
fn page_with_hole(desk: &Desk) -> *mut u8 {
    let path = desk.path("host");
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path);
    let file = file.unwrap();
    file.set_len(4096).unwrap();
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping.
    let page =
        unsafe { libc::mmap(ptr::null_mut(), 4096, access, libc::MAP_SHARED, file.as_raw_fd(), 0) };
    assert_ne!(page, libc::MAP_FAILED);
    file.set_len(0).unwrap();
    page.cast()
}

fn start(desk: &Desk, name: &str) -> (MetaLogger, tapelog::Guard) {
    support::builder(&desk.path(name)).ring_dir(desk.ring_dir()).build().unwrap()
}

#[test]
fn the_hosts_own_handler_gets_its_own_faults_and_is_put_back_by_the_last_engine() {
    const TEST: &str =
        "the_hosts_own_handler_gets_its_own_faults_and_is_put_back_by_the_last_engine";
    if role().is_none() {
        run(child(TEST, "host"));
        return;
    }
    let desk = Desk::new();
    set_action(hosts as *const () as usize, libc::SA_SIGINFO);
    let before = disposition();
    let (first, first_guard) = start(&desk, "first");
    assert_ne!(disposition(), before, "the guard is there");
    let ours = disposition();
    let (second, second_guard) = start(&desk, "second");
    assert_eq!(disposition(), ours, "one handler for all");

    fault(&desk);
    info!(first, "entry", number = 1_u64);
    assert_eq!(first.stats().sigbus_caught + second.stats().sigbus_caught, 0);

    drop((first, first_guard));
    assert_eq!(disposition(), ours, "the second engine still needs it");
    drop((second, second_guard));
    assert_eq!(disposition(), before, "what was there before is back");

    let (third, third_guard) = start(&desk, "third");
    set_action(libc::SIG_IGN, libc::SA_SIGINFO);
    drop((third, third_guard));
    assert_eq!(disposition(), libc::SIG_IGN, "what the host has installed since stays");
}

/// A fault of the host's own, at a page that its handler repairs.
fn fault(desk: &Desk) {
    let place = page_with_hole(desk);
    HOLE.store(place.addr(), Ordering::Relaxed);
    // SAFETY: inside the host's mapping; its handler repairs it, or the process ends.
    unsafe { place.write_volatile(7) };
    // SAFETY: as above.
    assert_eq!(unsafe { place.read_volatile() }, 7);
    assert_eq!(HOSTS.load(Ordering::Relaxed), place.addr());
}

/// The host's own handlers of other kinds: whether each is told where, and whether it is there but once.
const KINDS: [(&str, bool, bool); 4] = [
    ("plain", false, false),
    ("once", true, true),
    ("plain and once", false, true),
    (USED_UP, true, true),
];

/// The role in which there is no second fault.
const USED_UP: &str = "once, and no second";

#[test]
fn a_plain_handler_of_the_host_and_one_for_a_single_signal_get_what_is_theirs() {
    const TEST: &str = "a_plain_handler_of_the_host_and_one_for_a_single_signal_get_what_is_theirs";
    let Some(role) = role() else {
        for (role, _, once) in KINDS {
            let output = child(TEST, role).output().unwrap();
            // Of the second fault.
            let dies = once && role != USED_UP;
            assert_eq!(output.status.signal(), dies.then_some(libc::SIGBUS), "{role}: {output:?}");
            assert_eq!(output.status.success(), !dies, "{role}: {output:?}");
            let told = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(told.contains("the first was handled"), "{role}: {output:?}");
        }
        return;
    };
    no_core();
    let (_, full, once) = *KINDS.iter().find(|(kind, ..)| *kind == role).unwrap();
    let handler = if full { hosts as *const () } else { hosts_plain as *const () } as usize;
    if full || once {
        let flags = if full { libc::SA_SIGINFO } else { 0 };
        set_action(handler, flags | libc::SA_RESETHAND);
    } else {
        // SAFETY: the handler is one for a plain signal.
        assert_ne!(unsafe { libc::signal(libc::SIGBUS, handler) }, libc::SIG_ERR);
    }
    // SAFETY: ends the process by a signal, should it fault for ever.
    unsafe { libc::alarm(PATIENCE.as_secs() as u32) };
    let before = disposition();
    let desk = Desk::new();
    let (log, guard) = start(&desk, "logs");
    assert_ne!(disposition(), before, "the guard is there");
    fault(&desk);
    println!("the first was handled");
    // Its own handler is gone where it was for a single signal, as without the logger.
    if role == USED_UP {
        drop((log, guard));
        return assert_eq!(disposition(), libc::SIG_DFL);
    }
    fault(&desk);
    info!(log, "entry", number = 1_u64);
    assert_eq!(log.stats().sigbus_caught, 0);
    drop((log, guard));
    assert_eq!(disposition(), before, "what was there before is back");
}

/// What the guard's handler has put into a hole: whether it is memory that is in no file, and left out of
/// core dumps; none: no hole was met.
static FILLED: Mutex<Option<(bool, bool)>> = Mutex::new(None);

/// The guard's handler, which stands beneath the one below.
static GUARDS: AtomicUsize = AtomicUsize::new(0);

/// Has the guard do its work and looks at it. The interrupted code stores into a segment, so it may
/// do what a handler otherwise may not.
extern "C" fn above(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    type Full = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
    // SAFETY: the guard has installed this address as a handler with SA_SIGINFO.
    let guards = unsafe { std::mem::transmute::<usize, Full>(GUARDS.load(Ordering::Relaxed)) };
    guards(signal, info, context);
    // SAFETY: the kernel hands the description over.
    let described = unsafe { &*info };
    // SAFETY: the signal was raised by a fault, which has an address.
    let address = unsafe { described.si_addr() } as usize;
    *FILLED.lock().unwrap() = mapping_at(address);
}

/// Of the mapping at an address: whether it is of no file, and whether it is left out of core dumps.
fn mapping_at(address: usize) -> Option<(bool, bool)> {
    let maps = fs::read_to_string("/proc/self/smaps").unwrap();
    let mut lines = maps.lines().skip_while(|line| {
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        let number = |text| usize::from_str_radix(text, 16).ok();
        let range = range.and_then(|(start, end)| Some(number(start)?..number(end)?));
        !range.is_some_and(|range| range.contains(&address))
    });
    let of_no_file = lines.next()?.split_whitespace().nth(4) == Some("0");
    let flags = lines.find_map(|line| line.strip_prefix("VmFlags:"))?;
    Some((of_no_file, flags.split(' ').any(|flag| flag == "dd")))
}

#[test]
fn row_19_what_takes_the_place_of_a_hole_is_in_no_core_dump() {
    const TEST: &str = "row_19_what_takes_the_place_of_a_hole_is_in_no_core_dump";
    if role().is_none() {
        let output = run(child(TEST, "holes"));
        if !String::from_utf8_lossy(&output.stdout).contains("it was looked at") {
            support::skip(format_args!("segments are not mapped on this file system"));
        }
        return;
    }
    let desk = Desk::new();
    let (log, guard) = start(&desk, "logs");
    if !log.stats().journal_mapped {
        return;
    }
    GUARDS.store(disposition(), Ordering::Relaxed);
    set_action(above as *const () as usize, libc::SA_SIGINFO);
    until("a hole", || {
        truncate_all(&desk.path("logs").join("journal"), 0);
        info!(log, "entry", number = 1_u64);
        log.flush(PATIENCE).unwrap();
        FILLED.lock().unwrap().is_some()
    });
    assert_eq!(*FILLED.lock().unwrap(), Some((true, true)), "memory, and left out");
    assert!(log.stats().sigbus_caught > 0);
    println!("it was looked at");
    drop(guard);
}

#[test]
fn a_fault_elsewhere_still_kills_and_so_does_a_signal_that_was_sent() {
    const TEST: &str = "a_fault_elsewhere_still_kills_and_so_does_a_signal_that_was_sent";
    let Some(role) = role() else {
        for role in ["fault", "sent", "fault, ignored", "fault, the standard library's handler"] {
            let output = child(TEST, role).output().unwrap();
            assert_eq!(output.status.signal(), Some(libc::SIGBUS), "{role}: {output:?}");
        }
        run(child(TEST, "sent, ignored"));
        return;
    };
    no_core();
    let desk = Desk::new();
    match role.as_str() {
        "fault" | "sent" => set_action(libc::SIG_DFL, libc::SA_SIGINFO),
        "fault, ignored" | "sent, ignored" => set_action(libc::SIG_IGN, libc::SA_SIGINFO),
        _ => {}
    }
    let (log, guard) = start(&desk, "logs");
    info!(log, "entry", number = 1_u64);
    if role.starts_with("sent") {
        // SAFETY: sends a signal to this thread.
        unsafe { libc::raise(libc::SIGBUS) };
    } else {
        let page = page_with_hole(&desk);
        // SAFETY: inside the mapping; it is meant to fault.
        unsafe { page.write_volatile(1) };
    }
    drop(guard);
}

#[test]
fn every_hole_of_a_long_file_is_filled_while_two_engines_share_the_handler() {
    const TEST: &str = "every_hole_of_a_long_file_is_filled_while_two_engines_share_the_handler";
    if role().is_none() {
        run(child(TEST, "two"));
        return;
    }
    let desk = Desk::new();
    let names = ["one", "two"];
    let engines = names.map(|name| start(&desk, name));
    let log = |name| engines[usize::from(name == "two")].0.clone();
    let counts: Vec<_> = thread::scope(|scope| {
        let threads = names.map(|name| {
            let (log, journal) = (log(name), desk.path(name).join("journal"));
            scope.spawn(move || {
                for number in 0..2000_u64 {
                    info!(log, "entry", number);
                    if number % 500 == 250 {
                        truncate_all(&journal, 0);
                    }
                }
                log.flush(PATIENCE).unwrap();
                log.stats().journaled
            })
        });
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    // What became of the files may be told by entries of the engine's own.
    assert!(counts.iter().all(|count| (2000..2020).contains(count)), "{counts:?}");
}
