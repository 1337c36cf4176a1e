//! After `warm_up` and one use of each call site, logging allocates nothing, faults no page and
//! makes no system call: over ten times the ring, through both faces, with strings, bound contexts
//! and values that are formatted on the caller.
//!
//! Nor does the drain make segments or fault their pages in: the janitor has done both before.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "a counting allocator, getrusage and seccomp")]
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod support;

#[path = "support/strace.rs"]
mod strace;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::hint::{black_box, spin_loop};
use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use support::{Desk, PATIENCE, child, role, run, until};
use tapelog::{
    Builder, Guard, Level, MetaLogger, Producer, Stats, context, now, try_debug, try_error,
    try_info, try_trade,
};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, with a count for each thread.
struct Counting;

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const RING_BYTES: u64 = 8 << 20;
/// Ten times the ring, and more: a record takes at least its header and a number.
const ROUNDS: u64 = 200_000;
const RECORDS_PER_ROUND: u64 = 8;
const _: () = assert!(ROUNDS * RECORDS_PER_ROUND * 56 > 10 * RING_BYTES);

/// Everything that the loop uses, made before.
struct Desks {
    log: MetaLogger,
    bound: MetaLogger,
    producer: Producer,
    symbols: Vec<String>,
    source: std::num::ParseIntError,
}

impl Desks {
    fn new(log: &MetaLogger) -> Self {
        let bound = context! { expert_name = "MyEmaBot", symbol = "BTCUSDT", strategy_id = 7 };
        Self {
            log: log.clone(),
            bound: log.bind(bound),
            producer: log.producer(),
            symbols: (0..10).map(|number| format!("SYMBOL{}", "X".repeat(4 * number))).collect(),
            source: "x".parse::<i32>().unwrap_err(),
        }
    }

    /// One use of each call site. Nothing is refused for good: a full ring is waited for.
    fn round(&self, number: u64) {
        let Desks { log, bound, producer, symbols, source } = self;
        let symbol = &*symbols[number as usize % symbols.len()];
        let price = 70_000.0 + number as f64 / 8.0;
        let stamp = now();
        while try_info!(log, "bar closed", number, price).is_err() {
            spin_loop();
        }
        while try_info!(bound, "signal of {symbol}", number, symbol, price).is_err() {
            spin_loop();
        }
        while try_info!(producer, at: stamp, "tick", number, price).is_err() {
            spin_loop();
        }
        while try_trade!(producer.with(bound), "filled", number, symbol, qty = Some(3_u8)).is_err()
        {
            spin_loop();
        }
        while try_info!(bound, every_n: 1, "shown", number, price = %price, side = ?'B').is_err() {
            spin_loop();
        }
        while try_error!(log, "rejected", number, error = source).is_err() {
            spin_loop();
        }
        while try_info!(producer, "list", number, levels = [price, price + 0.5]).is_err() {
            spin_loop();
        }
        while try_info!(log, "often", number, symbol, text = symbol, more = symbol).is_err() {
            spin_loop();
        }
        let disabled = try_debug!(bound, "not kept", number, symbol);
        black_box(disabled).ok();
    }
}

/// The logger of these tests: the loop outruns every view, so little is rendered.
fn start(builder: Builder) -> (MetaLogger, Guard) {
    let builder = builder.ring_bytes(RING_BYTES).log_level(Level::Critical);
    builder.journal_level(Level::Info).trade_log_level(Level::Critical).build().unwrap()
}

fn assert_all_arrived(stats: &Stats) {
    let expected = (ROUNDS + 1) * RECORDS_PER_ROUND;
    assert_eq!((stats.accepted, stats.journaled), (expected, expected));
    assert!(stats.journal_bytes > 10 * RING_BYTES);
    assert!(stats.crash_safe, "the ring lies on tmpfs: {:?}", stats.degraded);
}

/// Runs the loop between two looks at something that is counted.
fn counted<T>(look: impl Fn() -> T) -> (T, T) {
    let desk = Desk::new();
    let (log, guard) = start(desk.builder());
    let desks = Desks::new(&log);
    log.warm_up();
    desks.round(0);
    let before = look();
    for number in 1..=ROUNDS {
        desks.round(number);
    }
    let after = look();
    log.flush(PATIENCE).unwrap();
    assert_all_arrived(&log.stats());
    drop(guard);
    (before, after)
}

#[test]
fn it_allocates_nothing() {
    let (before, after) = counted(|| ALLOCATIONS.with(Cell::get));
    assert!(before > 0, "the count works");
    assert_eq!(after - before, 0, "allocations in {} calls", ROUNDS * RECORDS_PER_ROUND);
}

#[test]
fn it_faults_no_page() {
    let faults = || {
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: the pointer leads to room for the struct.
        unsafe { libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) };
        // SAFETY: integers that are zero or were filled in.
        let usage = unsafe { usage.assume_init() };
        (usage.ru_minflt, usage.ru_majflt)
    };
    let (before, after) = counted(faults);
    assert!(before.0 > 0, "the count works");
    assert_eq!(after, before, "page faults in {} calls", ROUNDS * RECORDS_PER_ROUND);
}

/// From now on, any system call of this thread but the end of the process ends the process.
fn forbid_system_calls() {
    // Offset of the call's number in `seccomp_data`.
    const NUMBER: u32 = 0;
    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let load = statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, NUMBER);
    let jump = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let is_exit =
        libc::sock_filter { code: jump as u16, jt: 0, jf: 1, k: libc::SYS_exit_group as u32 };
    let end = libc::BPF_RET | libc::BPF_K;
    let mut program = [
        load,
        is_exit,
        statement(end, libc::SECCOMP_RET_ALLOW),
        statement(end, libc::SECCOMP_RET_KILL_PROCESS),
    ];
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: takes four integers.
    let set = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(set, 0);
    // SAFETY: the filter leads to a program of that length, which the kernel copies.
    let set = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &filter) };
    assert_eq!(set, 0);
}

/// Logs on a thread that may not enter the kernel, then looks at what arrived.
fn log_without_the_kernel(directory: &Path, calls_after: bool) {
    static DONE: AtomicU64 = AtomicU64::new(0);
    let builder = support::builder(&directory.join("logs")).ring_dir(directory.join("ring"));
    let (log, guard) = start(builder);
    let logger = log.clone();
    thread::spawn(move || {
        let desks = Desks::new(&logger);
        logger.warm_up();
        desks.round(0);
        forbid_system_calls();
        for number in 1..=ROUNDS {
            desks.round(number);
        }
        if calls_after {
            thread::yield_now();
        }
        // ORDERING: Release, pairs with the Acquire load of the main thread.
        DONE.store(1, Ordering::Release);
        // Not even the thread's end is allowed.
        loop {
            spin_loop();
        }
    });
    while DONE.load(Ordering::Acquire) == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    log.flush(PATIENCE).unwrap();
    assert_all_arrived(&log.stats());
    drop(guard);
    // SAFETY: ends the process; nothing is left to be written.
    unsafe { libc::_exit(0) };
}

#[test]
fn it_never_enters_the_kernel() {
    use std::os::unix::process::ExitStatusExt;

    if let Some(role) = role() {
        let (what, directory) = role.split_once(' ').unwrap();
        return log_without_the_kernel(Path::new(directory), what == "call");
    }
    // The parent's, so that it goes whatever becomes of the child.
    let directory = support::tmpfs();
    let directory = directory.path().display();
    let test = "it_never_enters_the_kernel";
    run(child(test, &format!("log {directory}")));
    let output = child(test, &format!("call {directory}")).output().unwrap();
    assert_eq!(output.status.signal(), Some(libc::SIGSYS), "the filter works: {output:?}");
}

/// A record of a thousand bytes and more.
const LONG: usize = 1_000;

const PAGE: u64 = 4096;

/// Whether all segments that are mapped are resident. It is not looked for the last pages, which a machine
/// that is short of memory may have taken.
fn segments_are_resident(journal: &Path) -> bool {
    let maps = fs::read_to_string("/proc/self/smaps").unwrap();
    let journal = journal.display().to_string();
    let kib = |line: &str| line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap();
    let (mut ours, mut size, mut found) = (false, 0, 0);
    for line in maps.lines() {
        if let Some(bytes) = line.strip_prefix("Size:").filter(|_| ours) {
            size = kib(bytes);
        } else if let Some(bytes) = line.strip_prefix("Rss:").filter(|_| ours) {
            if kib(bytes) * 16 < size * 15 {
                return false;
            }
            found += 1;
        } else if line.split(' ').next().is_some_and(|range| range.contains('-')) {
            ours = line.contains(&journal);
        }
    }
    // The one that is written, one for the drain to take, one more.
    found >= 3
}

/// The tasks of this process and their names.
fn tasks() -> Vec<(String, String)> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let id = |task: &Path| task.file_name().unwrap().to_str().unwrap().to_owned();
    let name = |task: &Path| fs::read_to_string(task.join("comm")).unwrap().trim().to_owned();
    tasks.map(|task| (id(&task), name(&task))).collect()
}

/// Page faults of a task that needed no disk.
fn faults_of(task: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/self/task/{task}/stat")).unwrap();
    // The name may have blanks in it; what follows begins with the third field.
    text.rsplit_once(") ").unwrap().1.split(' ').nth(10 - 3).unwrap().parse().unwrap()
}

/// Whether the kernel makes pages for whoever asks: Linux 5.14.
fn populates() -> bool {
    let (access, kind) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping.
    let page = unsafe { libc::mmap(std::ptr::null_mut(), PAGE as usize, access, kind, -1, 0) };
    assert_ne!(page, libc::MAP_FAILED);
    // SAFETY: advice about a page that nobody else uses.
    (unsafe { libc::madvise(page, PAGE as usize, libc::MADV_POPULATE_WRITE) }) == 0
}

/// What a child says where it cannot be tried.
const SKIPPED: &str = "there are no segments in memory that are mapped and made resident here";

/// What a child has told; none: it could not try, which is told.
fn told(output: &Output) -> Option<String> {
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    if told.contains(SKIPPED) {
        support::skip(format_args!("{SKIPPED}"));
        return None;
    }
    Some(told)
}

/// In the child: has the drain fill so many segments of so many MiB, each of which was made before; then
/// the drain's page faults are told.
fn fill_segments(segments: u64, mebibytes: u64) {
    let memory = support::tmpfs();
    let (logs, bytes) = (memory.path().join("logs"), mebibytes << 20);
    let builder = support::builder(&logs).ring_dir(memory.path().join("ring"));
    let builder = builder.journal_segment_bytes(bytes).journal_segments(segments as u32 + 4);
    let (log, guard) = start(builder);
    // On a disk, pages are made clean from time to time, and the next store faults.
    let in_memory = memory.path().starts_with("/dev/shm");
    if !in_memory || !log.stats().journal_mapped || !populates() {
        return println!("\n{SKIPPED}");
    }
    let task_of = |name: &str| {
        let mut task = None;
        // A thread gives itself its name.
        until(name, || {
            task = tasks().into_iter().find_map(|(task, its)| (its == name).then_some(task));
            task.is_some()
        });
        task.unwrap()
    };
    let [drain, janitor] = ["tapelog-drain", "tapelog-janitor"].map(task_of);
    println!("\ndrain {drain}\njanitor {janitor}");
    let text = "x".repeat(LONG);
    let log_up_to = |journal_bytes| {
        while log.stats().journal_bytes < journal_bytes {
            until("resident segments", || segments_are_resident(&logs.join("journal")));
            // Less than a segment, so it is met how the drain goes on from one to the next.
            for number in 0..bytes / LONG as u64 / 4 {
                while try_info!(log, "long", number, text).is_err() {
                    thread::yield_now();
                }
            }
            log.flush(PATIENCE).unwrap();
        }
    };
    until("resident segments", || segments_are_resident(&logs.join("journal")));
    let before = faults_of(&drain);
    log_up_to(segments * bytes);
    let (faults, pages) = (faults_of(&drain) - before, segments * bytes / PAGE);
    let stats = log.stats();
    assert!(stats.journal_mapped && !stats.journal_in_memory, "{stats:?}");
    println!("{faults} page faults of the drain in segments of {pages} pages");
    assert!(before > 0, "the count works");
    assert!(faults <= pages / 20, "{faults} in {pages} pages");
    drop(guard);
}

#[test]
fn the_drain_faults_no_page_of_a_segment() {
    let test = "the_drain_faults_no_page_of_a_segment";
    if let Some(role) = role() {
        let (segments, mebibytes) = role.split_once(' ').unwrap();
        return fill_segments(segments.parse().unwrap(), mebibytes.parse().unwrap());
    }
    // Of the large ones the janitor makes the first 4 MiB resident, and the rest when the drain has
    // what it waits for.
    for role in ["10 1", "3 5"] {
        let Some(told) = told(&run(child(test, role))) else { return };
        println!("{}", told.lines().find(|line| line.contains("page faults")).unwrap());
    }
}

#[test]
fn segments_are_made_by_the_janitor_and_not_by_the_drain() {
    let test = "segments_are_made_by_the_janitor_and_not_by_the_drain";
    if role().is_some() {
        return fill_segments(10, 1);
    }
    let desk = Desk::new();
    let trace = desk.path("trace");
    let options =
        format!("-f -e trace=%file,fallocate,ftruncate,mmap,madvise -o {}", trace.display());
    let Some(output) = strace::under_strace(&options, &child(test, "traced")) else { return };
    let Some(told) = told(&output) else { return };
    let trace = fs::read_to_string(trace).unwrap();
    let of = |name: &str| -> Vec<_> {
        let task = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let task = task.expect("a thread of that name");
        let ours = trace.lines().filter_map(|line| line.strip_prefix(task)?.strip_prefix(' '));
        ours.map(str::trim_start).collect()
    };
    let (drain, janitor) = (of("drain"), of("janitor"));
    let count = |call: &str, of_what: &str| {
        janitor.iter().filter(|line| line.starts_with(call) && line.contains(of_what)).count()
    };
    for (call, of_what) in [
        ("openat(", "next.tape.new\", O_RDWR|O_CREAT"),
        ("fallocate(", ""),
        ("rename", ".tape\""),
        ("mmap(", "MAP_SHARED"),
        ("madvise(", "MADV_POPULATE_WRITE"),
    ] {
        assert!(count(call, of_what) >= 10, "{call} {of_what}: {janitor:#?}");
    }
    // It has memory of its own, and cuts the last segment in the end.
    let of_segments =
        ["open", "fallocate(", "rename", "unlink", "MAP_SHARED", "MADV_POPULATE_WRITE"];
    let made = drain.iter().filter(|line| of_segments.iter().any(|call| line.contains(call)));
    assert_eq!(made.count(), 0, "{drain:#?}");
    let cuts = drain.iter().filter(|line| line.starts_with("ftruncate(")).count();
    assert!(cuts <= 1, "{drain:#?}");
}
