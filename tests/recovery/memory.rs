//! Row 15: how much memory a recovery takes, however large the ring is, and however long its records.

use std::fs;
use std::os::unix::process::ExitStatusExt;

use crate::check::start_again;
use crate::support::{self, Desk, child, number, role, run, wait};
use tapelog::testing::hold_drain;
use tapelog::{PushError, context, try_info};

const RING_BYTES: u64 = 256 << 20;

/// What the reading of untrusted files may take.
const RESIDENT_KIB_MAX: u64 = 64 << 10;

/// The most that this process ever had resident.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Fills a large ring and dies, or recovers what it held.
fn is_child() -> bool {
    let Some(role) = role() else { return false };
    let parts: Vec<&str> = role.split(' ').collect();
    let [work, logs, rings] = parts[..] else { panic!("{role}") };
    // Nothing of the journal is mapped, and no line is rendered: what is resident is what the engine and
    // its recovery take.
    let builder = support::builder(logs.as_ref()).ring_dir(rings);
    let builder = builder.journal_mapped(false).render_logs(false);
    if work == "recover" {
        let stats = start_again(builder.ring_bytes(1_u64 << 20));
        println!("\nrecovered={} resident_kib={}", stats.recovered, peak_kib());
        return true;
    }
    let (log, _guard) = builder.ring_bytes(RING_BYTES).block_bytes(1_u32 << 20).build().unwrap();
    let _held = hold_drain(&log);
    let (text, filler) = ("x".repeat(60_000), "y".repeat(500));
    let mut accepted = 0_u64;
    loop {
        // Long ones, short ones, and contexts that each takes along.
        let bound = log.bind(context! { accepted, filler = &*filler });
        let pushed = match accepted % 4 {
            0 => try_info!(bound, "long", accepted, text = &*text),
            _ => try_info!(bound, "short", accepted),
        };
        match pushed {
            Ok(()) => accepted += 1,
            Err(PushError::Full) => break,
            Err(error) => panic!("{error}"),
        }
    }
    fs::write(format!("{logs}/accepted"), accepted.to_string()).unwrap();
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
        .unwrap();
    true
}

#[test]
fn row_15_a_full_ring_of_256_mib_is_recovered_in_64_mib_of_memory() {
    if is_child() {
        return;
    }
    let test = "memory::row_15_a_full_ring_of_256_mib_is_recovered_in_64_mib_of_memory";
    let desk = Desk::new();
    let role =
        |work: &str| format!("{work} {} {}", desk.logs().display(), desk.ring_dir().display());
    let status = wait(&mut child(test, &role("fill")).spawn().unwrap());
    assert_eq!(status.signal(), Some(9), "{status}");
    let accepted: u64 = fs::read_to_string(desk.logs().join("accepted")).unwrap().parse().unwrap();
    let told = String::from_utf8(run(child(test, &role("recover"))).stdout).unwrap();
    let told = told.lines().find(|line| line.starts_with("recovered=")).unwrap();
    println!("row 15: {} MiB of a ring, {told}", RING_BYTES >> 20);
    assert_eq!(number(told, "recovered"), accepted);
    assert!(number(told, "resident_kib") <= RESIDENT_KIB_MAX, "{told}");
    assert_eq!(desk.rings(), 0);
}
