//! Many threads on one small ring, and what a push costs.

use std::hint::black_box;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use super::*;

const THREADS: u32 = 4;
const RECORDS: u64 = 200_000;

/// Pushes until the record is accepted.
fn push_for_sure(handle: &LaneHandle, mark: u32, number: u64) {
    let len = 16 + 8 * u32::try_from(number % 7).unwrap();
    while handle.try_push(len, ORDINARY, |slot| fill(slot, mark, number)).is_err() {
        thread::yield_now();
    }
}

/// Drains until `done`, once more after it, and checks each mark's numbers: 0, 1, 2, …
fn drain_all(drain: &mut RingDrain, done: &AtomicBool, next: &mut [u64]) {
    loop {
        // ORDERING: Acquire, what was pushed before the store is seen by the last pass.
        // PAIRS WITH: the Release stores of `done` below.
        // IF WEAKENED: the last pass may miss records, and the test fails.
        let last = done.load(Ordering::Acquire);
        for found in pass(drain) {
            match found {
                Entry::Record { mark, number, .. } => {
                    assert_eq!(number, next[mark as usize], "thread {mark}: lost or out of order");
                    next[mark as usize] += 1;
                }
                Entry::Gap { .. } => panic!("nothing was lost"),
            }
        }
        if last {
            return;
        }
    }
}

fn every_record_arrives_once_and_in_order(lanes: u32) {
    let (ring, mut drain) = Ring::create(RingConfig { lanes: Some(lanes), ..config() }).unwrap();
    let done = AtomicBool::new(false);
    let mut next = [0; THREADS as usize];
    thread::scope(|scope| {
        let drainer = scope.spawn(|| drain_all(&mut drain, &done, &mut next));
        let producers: Vec<_> = (0..THREADS)
            .map(|mark| {
                let ring = &ring;
                scope.spawn(move || {
                    let handle = ring.register();
                    for number in 0..RECORDS {
                        push_for_sure(&handle, mark, number);
                    }
                })
            })
            .collect();
        for producer in producers {
            producer.join().unwrap();
        }
        // ORDERING: Release, behind the pushes of all threads; see the load above.
        done.store(true, Ordering::Release);
        drainer.join().unwrap();
    });
    assert_eq!(next, [RECORDS; THREADS as usize]);
    assert_eq!(drain.accepted(), RECORDS * u64::from(THREADS));
    assert_eq!(ring.losses().total(), 0);
    assert!(drain.is_drained());
}

#[test]
fn every_record_of_four_lanes_arrives_once_and_in_order() {
    every_record_arrives_once_and_in_order(THREADS + 1);
}

#[test]
fn every_record_of_a_shared_lane_arrives_once_and_in_order() {
    every_record_arrives_once_and_in_order(2);
}

#[test]
fn lanes_are_reused_by_short_threads_and_nothing_is_lost_untold() {
    let (ring, mut drain) = ring();
    let done = AtomicBool::new(false);
    let pushed = AtomicU64::new(0);
    let refused = AtomicU64::new(0);
    let found = thread::scope(|scope| {
        let drainer = scope.spawn(|| {
            let mut found = 0;
            // ORDERING: Acquire, see `drain_all`.
            while !done.load(Ordering::Acquire) {
                found += numbers(&pass(&mut drain)).len() as u64;
            }
            found
        });
        for round in 0..500 {
            thread::scope(|scope| {
                for _ in 0..6 {
                    scope.spawn(|| {
                        let handle = ring.register();
                        for number in 0..20 {
                            // ORDERING: Relaxed, a count that is read behind the join.
                            pushed.fetch_add(1, Ordering::Relaxed);
                            if push(&handle, number + round, ORDINARY).is_err() {
                                // ORDERING: Relaxed, as above.
                                refused.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    });
                }
            });
        }
        // ORDERING: Release, see the load above.
        done.store(true, Ordering::Release);
        drainer.join().unwrap()
    });
    let mut rest = 0;
    while !drain.is_drained() {
        rest += numbers(&pass(&mut drain)).len() as u64;
    }
    // ORDERING: Relaxed, behind the join.
    let refused = refused.load(Ordering::Relaxed);
    // ORDERING: Relaxed, behind the join.
    assert_eq!(found + rest + refused, pushed.load(Ordering::Relaxed));
    assert_eq!(drain.accepted(), found + rest);
    assert_eq!(ring.losses().total(), refused, "accepted + lost = pushed");
    assert_eq!(ring.occupancy().lanes_active, 0);
}

#[test]
fn statistics_see_each_loss_once_while_lanes_are_retired() {
    const ROUNDS: u64 = 20_000;
    let (ring, mut drain) = ring();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut seen = Losses::default();
            // ORDERING: Acquire, as above.
            while !done.load(Ordering::Acquire) {
                let now = ring.losses();
                assert!(now.total() >= seen.total(), "a retired lane's losses were forgotten");
                assert!(now.trade >= now.total(), "all of them are trade events");
                assert!(now.total() <= ROUNDS, "a retired lane's losses were seen twice");
                seen = now;
            }
        });
        for _ in 0..ROUNDS {
            ring.register().count_loss(PushError::Full, TRADE);
            pass(&mut drain);
        }
        // ORDERING: Release, see the load above.
        done.store(true, Ordering::Release);
    });
    assert_eq!((ring.losses().total(), ring.losses().trade), (ROUNDS, ROUNDS));
    assert_eq!(drain.lanes(), 1);
}

#[test]
fn after_the_gate_is_closed_one_pass_takes_everything() {
    for _ in 0..100 {
        let (ring, mut drain) = ring();
        let accepted = AtomicU64::new(0);
        let (busy, found) = thread::scope(|scope| {
            let producers: Vec<_> = (0..THREADS)
                .map(|_| {
                    scope.spawn(|| {
                        let handle = ring.register();
                        loop {
                            match push(&handle, 0, ORDINARY) {
                                // ORDERING: Relaxed, a count that is read behind the join.
                                Ok(()) => _ = accepted.fetch_add(1, Ordering::Relaxed),
                                Err(PushError::Closed) => return,
                                Err(_) => thread::yield_now(),
                            }
                        }
                    })
                })
                .collect();
            // ORDERING: Relaxed, a sign that some were pushed, which publishes nothing.
            while accepted.load(Ordering::Relaxed) < 50 {
                thread::yield_now();
            }
            let busy = ring.close_gate(Duration::from_secs(5));
            let found = numbers(&pass(&mut drain)).len() as u64;
            for producer in producers {
                producer.join().unwrap();
            }
            (busy, found)
        });
        assert_eq!(busy, 0);
        // ORDERING: Relaxed, behind the join.
        assert_eq!(found, accepted.load(Ordering::Relaxed));
        assert!(pass(&mut drain).iter().all(|entry| matches!(entry, Entry::Gap { .. })));
    }
}

/// A record as a trading loop would write it: 24 bytes of header, three numbers.
fn write_record(mut slot: crate::sync::Slot<'_>, stamp: u64, a: u64, b: u64) {
    slot.write_u64(0, 48 | 7 << 32);
    slot.write_u64(8, 3);
    slot.write_u64(16, stamp);
    slot.write_u64(24, a);
    slot.write_u64(32, b);
    slot.write_u64(40, a ^ b);
}

#[cold]
#[inline(never)]
fn log_call_cold(handle: &LaneHandle, stamp: u64, a: u64, b: u64) -> bool {
    handle.try_push(48, ORDINARY, |slot| write_record(slot, stamp, a, b)).is_ok()
}

#[inline(never)]
fn log_call(handle: &LaneHandle, stamp: u64, a: u64, b: u64) -> bool {
    handle.push_hot(48, |slot| write_record(slot, stamp, a, b))
        || log_call_cold(handle, stamp, a, b)
}

/// The median and the 99th percentile of a batch of calls, in ns per call.
fn percentiles(mut batches_ns: Vec<u128>, batch: u64) -> (f64, f64) {
    batches_ns.sort_unstable();
    let at = |percent: usize| batches_ns[batches_ns.len() * percent / 100] as f64 / batch as f64;
    (at(50), at(99))
}

#[test]
fn a_push_takes_nanoseconds() {
    const BATCH: u64 = 20;
    let sizes = RingConfig { ring_bytes: 8 << 20, block_bytes: 64 << 10, ..config() };
    let (ring, mut drain) = Ring::create(sizes).unwrap();
    let handle = ring.register();
    let (mut calls, mut timers) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        for batch in 0..5_000 {
            let begin = Instant::now();
            timers.push(begin.elapsed().as_nanos());
            let begin = Instant::now();
            for call in 0..BATCH {
                let number = black_box(batch * BATCH + call);
                assert!(log_call(&handle, number, number, number));
            }
            calls.push(begin.elapsed().as_nanos());
        }
        drain.begin_pass();
        while let Some(run) = drain.peek(0) {
            drain.take(0, u32::try_from(run.bytes.len()).unwrap());
        }
        drain.commit();
    }
    let ((p50, p99), (timer, _)) = (percentiles(calls, BATCH), percentiles(timers, BATCH));
    println!("push of 48 bytes: p50 {p50:.2} ns, p99 {p99:.2} ns, of it the timer {timer:.2} ns");
    assert!(p50 < 1_000.0, "a push does not enter the kernel");
}
