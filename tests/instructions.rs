//! A second producer costs the first one nothing: each call executes the same number of
//! instructions, none of them locked, whether another thread logs or not.
//!
//! Counted, not timed: a child process stops in front of and behind a call, and between the two
//! its parent lets it execute one instruction after the other.

#![cfg(target_arch = "x86_64")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unsafe_code, reason = "ptrace and signals have no safe face")]

mod support;

#[path = "support/stepping.rs"]
mod stepping;

use std::collections::BTreeMap;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use stepping::{be_traced, go_on, is_step, stop, wait};
use support::Desk;
use tapelog::{MetaLogger, Producer, info, now};

const CHILD: &str = "TEST_STEPPED_CHILD";

/// So often each call is counted: one of them may meet a sample point or the end of a block.
const TIMES: usize = 9;

/// What is counted, in this order, once alone and once beside a second producer.
const REGIONS: [&str; 3] = ["nothing", "Producer", "MetaLogger"];

#[test]
fn a_call_executes_the_same_instructions_beside_a_second_producer() {
    if std::env::var_os(CHILD).is_some() {
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_stepped_child"])
        .env(CHILD, "1")
        .spawn()
        .unwrap();
    let counts = steps(&mut child);
    assert_eq!(counts.len(), 2 * REGIONS.len() * TIMES);
    let mut usual = counts.chunks(TIMES).map(most_frequent);
    let alone: Vec<u64> = usual.by_ref().take(REGIONS.len()).collect();
    let beside: Vec<u64> = usual.collect();
    for (region, (alone, beside)) in REGIONS.iter().zip(alone.iter().zip(&beside)) {
        println!("{region}: {alone} instructions alone, {beside} beside a second producer");
    }
    assert!(alone[1] > alone[0] && alone[2] > alone[0], "the calls are counted: {alone:?}");
    assert_eq!(alone, beside);
}

/// Runs as the child of the test above.
#[test]
fn the_stepped_child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let desk = Desk::new();
    let (log, _guard) = desk.builder().build().unwrap();
    let producer = log.producer();
    for number in 0..100 {
        call_producer(&producer, number);
        call_logger(&log, number);
    }
    be_traced();
    let all = || {
        count(|_| ());
        count(|number| call_producer(&producer, number));
        count(|number| call_logger(&log, number));
    };
    all();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (begun, beginning) = std::sync::mpsc::channel();
        let (log, ended) = (&log, &ended);
        scope.spawn(move || {
            let second = log.producer();
            let mut number = 0;
            while !ended.load(Relaxed) {
                call_producer(&second, number);
                number += 1;
                if number == 1000 {
                    begun.send(()).unwrap();
                }
            }
        });
        beginning.recv().unwrap();
        all();
        ended.store(true, Relaxed);
    });
}

#[inline(never)]
fn call_producer(producer: &Producer, number: u64) {
    info!(producer, at: now(), "a number", number, other = 7_u64, price = 0.5);
}

#[inline(never)]
fn call_logger(log: &MetaLogger, number: u64) {
    info!(log, at: now(), "a number", number, other = 7_u64, price = 0.5);
}

/// Stops in front of and behind each of some calls.
fn count(call: impl Fn(u64)) {
    for number in 0..TIMES {
        stop();
        call(number as u64);
        stop();
    }
}

/// Steps through the child's counted regions: how many instructions each has.
fn steps(child: &mut Child) -> Vec<u64> {
    let mut counts = Vec::new();
    let mut inside = false;
    let mut steps = 0;
    while let Some(thread) = wait(child) {
        if is_step(thread) {
            steps += 1;
        } else {
            if inside {
                counts.push(steps);
            }
            (inside, steps) = (!inside, 0);
        }
        go_on(thread, inside);
    }
    counts
}

fn most_frequent(counts: &[u64]) -> u64 {
    let mut times = BTreeMap::new();
    for count in counts {
        *times.entry(*count).or_insert(0) += 1;
    }
    times.into_iter().max_by_key(|(_, times)| *times).unwrap().0
}
