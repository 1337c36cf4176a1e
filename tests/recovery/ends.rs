//! Row 3: the ends of a process that nobody wished for. What was accepted comes into the logs with the
//! next start, and with the guard, or where signals are handled, without one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use std::os::unix::process::ExitStatusExt;

use crate::acknowledged::Acknowledged;
use crate::check::{check, kind, mark, start_again, try_entry};
use crate::kills::{Random, Way, start};
use crate::support::{self, Desk, PATIENCE, role, wait};
use tapelog::{MetaLogger, context};

const THREADS: usize = 2;

extern "C" fn cannot_unwind() {
    panic!("a panic that aborts");
}

/// Ends this process, by the name of an end.
fn end(how: &str) {
    match how {
        "panic" => cannot_unwind(),
        "exit" => std::process::exit(0),
        "abort" => std::process::abort(),
        "segv" => {
            let nowhere = std::ptr::without_provenance_mut::<u8>(8);
            // SAFETY: never sound: nothing is mapped there, and the process is to die of it.
            unsafe { nowhere.write_volatile(1) };
        }
        "term" => {
            let pid = std::process::id().cast_signed();
            // SAFETY: sends a signal to this process.
            unsafe { libc::kill(pid, libc::SIGTERM) };
            thread::sleep(PATIENCE);
        }
        "oom" => {
            let mut taken = Vec::new();
            loop {
                taken.push(vec![1_u8; 1 << 20]);
                std::hint::black_box(&taken);
            }
        }
        other => panic!("no such end: {other}"),
    }
}

/// Does what the role says, if this is a child: logs with two threads, and ends.
fn is_child() -> bool {
    let Some(role) = role() else { return false };
    let parts: Vec<&str> = role.split(' ').collect();
    let [how, way, _, logs, rings, acknowledged] = parts[..] else { panic!("{role}") };
    let way = Way(way.parse().unwrap());
    let (how, guarded) = how.strip_prefix("guarded-").map_or((how, false), |how| (how, true));
    let acknowledged = Acknowledged::open(acknowledged.as_ref());
    let builder = way.builder(logs.as_ref(), rings.as_ref()).handle_signals(guarded);
    let (log, guard) = builder.build().unwrap();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (log, acknowledged) = (&log, &acknowledged);
            scope.spawn(move || log_on(log, acknowledged, thread));
        }
        let mut random = Random::new();
        while (0..THREADS).any(|thread| acknowledged.of(thread) == 0) {
            thread::yield_now();
        }
        thread::sleep(random.micros(3_000));
        if how == "return" {
            drop(guard);
            // The threads log on, and are refused.
            std::process::exit(0);
        }
        end(how);
    });
    true
}

fn log_on(log: &MetaLogger, acknowledged: &Acknowledged, thread: usize) {
    let bound = log.bind(context! { strategy = "grid", thread = thread as u64 });
    let mut sequence = 0;
    loop {
        let mark = mark(thread as u64, sequence);
        if try_entry!(bound, sequence, mark).is_ok() {
            sequence += 1;
            acknowledged.set(thread, sequence);
        }
        if sequence.is_multiple_of(64) {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A memory group of this test's own, in which a child meets the out-of-memory killer.
struct Group(PathBuf);

impl Group {
    const BYTES: &str = "134217728";

    /// None where this machine lets us make none.
    fn make() -> Option<Self> {
        let name = format!("tapelog-test-{}", std::process::id());
        for (parent, limit) in
            [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")]
        {
            let path = Path::new(parent).join(&name);
            if fs::create_dir(&path).is_err() {
                continue;
            }
            let group = Self(path);
            if fs::write(group.0.join(limit), Self::BYTES).is_ok() {
                let _no_swap = fs::write(group.0.join("memory.swap.max"), "0");
                return Some(group);
            }
        }
        None
    }

    fn take(&self, child: &Child) -> bool {
        fs::write(self.0.join("cgroup.procs"), child.id().to_string()).is_ok()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while fs::remove_dir(&self.0).is_err() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn row_03_however_a_process_ends_every_accepted_record_is_recovered() {
    if is_child() {
        return;
    }
    let test = "ends::row_03_however_a_process_ends_every_accepted_record_is_recovered";
    let (times, group) = (support::times("TEST_ENDS", 20), Group::make());
    for (how, signal) in [
        ("panic", Some(libc::SIGABRT)),
        ("exit", None),
        ("abort", Some(libc::SIGABRT)),
        ("segv", Some(libc::SIGSEGV)),
        ("term", Some(libc::SIGTERM)),
        ("oom", Some(libc::SIGKILL)),
    ] {
        if how == "oom" && group.is_none() {
            crate::support::skip(format_args!(
                "no memory group can be made here, so nobody meets the OOM killer"
            ));
            continue;
        }
        let (mut records, mut recovered) = (0, 0);
        for round in 0..times {
            let (desk, way) = (Desk::new(), Way::of(round));
            let acknowledged = Acknowledged::open(&desk.path("acknowledged"));
            let mut child = start(test, how, way, &desk, THREADS);
            if how == "oom" {
                assert!(group.as_ref().unwrap().take(&child));
            }
            let status = wait(&mut child);
            assert_eq!(status.signal(), signal, "{how}: {status}");
            let sure: Vec<u64> = (0..THREADS).map(|thread| acknowledged.of(thread)).collect();
            recovered += start_again(way.next().builder_of(&desk)).recovered;
            records += check(&desk, THREADS, &sure, kind).iter().sum::<u64>();
        }
        println!("row 03: {times} ends by {how}, {records} records, {recovered} recovered");
    }
}

#[test]
fn row_03_with_the_guard_exit_and_sigterm_leave_nothing_to_the_next_start() {
    if is_child() {
        return;
    }
    let test = "ends::row_03_with_the_guard_exit_and_sigterm_leave_nothing_to_the_next_start";
    let times = support::times("TEST_ENDS", 20);
    for (how, signal) in [
        ("return", None),
        ("guarded-return", None),
        ("guarded-exit", None),
        ("guarded-term", Some(libc::SIGTERM)),
    ] {
        let (mut records, mut left) = (0, 0);
        for round in 0..times {
            let (desk, way) = (Desk::new(), Way::of(round));
            let acknowledged = Acknowledged::open(&desk.path("acknowledged"));
            let status = wait(&mut start(test, how, way, &desk, THREADS));
            assert_eq!(status.signal(), signal, "{how}: {status}");
            let sure: Vec<u64> = (0..THREADS).map(|thread| acknowledged.of(thread)).collect();
            // No ring is left, and nobody starts again; but where a thread was kept from its processor inside
            // a push for longer than the end waits for it, that record is left to the next start.
            if desk.rings() > 0 {
                left += 1;
                let stats = start_again(way.next().builder_of(&desk));
                assert!(stats.recovered <= THREADS as u64, "{how}: {stats:?}");
            }
            records += check(&desk, THREADS, &sure, kind).iter().sum::<u64>();
        }
        println!(
            "row 03: {times} ends by {how}, {records} records, all in the logs; {left} rings were left \
             where a thread stood inside a push"
        );
        assert!(left <= 2.max(times / 20), "{how}: {left} rings were left");
    }
}
