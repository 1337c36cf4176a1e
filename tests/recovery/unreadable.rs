//! A dead process's ring that cannot be read for a while.

use std::path::Path;

use rustix::process::{Signal, getpid, kill_process};

use crate::check::start_again;
use crate::strace::under_strace;
use crate::support::{self, Desk, PATIENCE, child, number, role};
use tapelog::testing::hold_drain;
use tapelog::{Builder, context, info};

const HELD: u64 = 200;

fn builder(logs: &Path, rings: &Path) -> Builder {
    support::builder(logs).ring_dir(rings).ring_bytes(256_u64 << 10).block_bytes(4_u32 << 10)
}

/// In the child: dies with entries that are in the ring alone, or starts where that has happened.
fn die_or_start(role: &str) {
    let [work, logs, rings] = role.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{role}") };
    let builder = builder(logs.as_ref(), rings.as_ref());
    if work == "start" {
        return println!("\n{} recovered", start_again(builder).recovered);
    }
    let (log, _guard) = builder.build().unwrap();
    log.flush(PATIENCE).unwrap();
    let _held = hold_drain(&log);
    let bound = log.bind(context! { symbol = "BTCUSDT" });
    (0..HELD).for_each(|number| info!(bound, "held", number));
    kill_process(getpid(), Signal::KILL).unwrap();
}

#[test]
fn row_06_a_dead_ring_that_cannot_be_read_is_told_and_left_to_the_next_start() {
    const TEST: &str =
        "unreadable::row_06_a_dead_ring_that_cannot_be_read_is_told_and_left_to_the_next_start";
    if let Some(role) = role() {
        return die_or_start(&role);
    }
    let (mut outages, mut refused) = (0, 0);
    // From the first read of the ring on, or from a later one.
    for first in [1, 2, 3, 5, 8, 13, 21] {
        let desk = Desk::new();
        let of = |work: &str| {
            let role = format!("{work} {} {}", desk.logs().display(), desk.ring_dir().display());
            child(TEST, &role)
        };
        let died = of("die").output().unwrap();
        assert!(!died.status.success() && desk.rings() == 1, "{died:?}");
        let mut rings = std::fs::read_dir(desk.ring_dir()).unwrap();
        let ring = rings.next().unwrap().unwrap().path();
        let fails = format!(
            "-f -o {} -P {} -e trace=pread64 -e inject=pread64:error=EIO:when={first}+",
            desk.path("trace").display(),
            ring.display()
        );
        let Some(output) = under_strace(&fails, &of("start")) else { return };
        assert!(output.status.success(), "{output:?}");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let trace = std::fs::read_to_string(desk.path("trace")).unwrap();
        let failed = trace.matches("(INJECTED)").count();
        if failed > 0 {
            let name = ring.file_name().unwrap().to_str().unwrap();
            assert!(told.contains(name) && told.contains("os error 5"), "{first}: {told}");
            assert_eq!(desk.rings(), 1, "{first}: it stays");
            outages += 1;
            refused += failed;
        }
        let stats = start_again(builder(&desk.logs(), &desk.ring_dir()));
        assert_eq!(desk.rings(), 0, "{first}: {stats:?}");
        let lines = desk.lines("expert.log");
        let held = lines.iter().filter(|line| line.contains("] held "));
        let numbers: Vec<_> = held.clone().map(|line| number(line, "number")).collect();
        assert!(numbers.into_iter().eq(0..HELD), "{first}: each once and in order");
        assert!(held.clone().all(|line| line.contains("symbol=BTCUSDT")), "{first}");
    }
    assert!(outages >= 5, "{outages}");
    println!("row 06: {outages} starts whose dead ring could not be read, {refused} reads failed");
}
