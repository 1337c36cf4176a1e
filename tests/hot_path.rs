//! After `warm_up` and one use of each call site, logging allocates nothing, faults no page and
//! makes no system call: over ten times the ring, through both faces, with strings, bound contexts
//! and values that are formatted on the caller.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(unsafe_code, reason = "a counting allocator, getrusage and seccomp")]
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::{black_box, spin_loop};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use support::{Desk, PATIENCE, child, role, run};
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
