//! What panics three times in a row is gone over, told and counted, and what is behind it comes.

use crate::panics::panic_again;
use crate::support::{Desk, PATIENCE, child, field, number, role, run, until};
use crate::{builder, told, with_receiver};
use tapelog::testing::{CrashPoint, capture};
use tapelog::{Threading, info};

/// Where this is not the child yet: runs it. Its hook is for the whole process.
fn is_parent(test: &str) -> bool {
    let parent = role().is_none();
    if parent {
        print!("{}", String::from_utf8_lossy(&run(child(test, "panics")).stdout));
    }
    parent
}

#[test]
fn row_09_an_entry_that_can_never_be_rendered_is_left_out_and_told() {
    if is_parent("three_times::row_09_an_entry_that_can_never_be_rendered_is_left_out_and_told") {
        return;
    }
    let (log, captured) = capture();
    info!(log, "before");
    log.flush(PATIENCE).unwrap();
    panic_again(CrashPoint::EntryShown, 3);
    for number in 0..8_u64 {
        info!(log, "entry", number);
    }
    let entries = captured.entries();
    let numbers = entries.iter().filter(|entry| entry.event == "entry");
    let numbers: Vec<_> = numbers.map(|entry| entry.fields["number"].clone()).collect();
    assert_eq!(numbers, ["1", "2", "3", "4", "5", "6", "7"], "the first one panicked three times");
    let gaps = entries.iter().filter(|entry| entry.event == "logger.gap").count();
    // The panics have made entries, too.
    until("all entries", || log.stats().accepted == 12);
    log.flush(PATIENCE).unwrap();
    let stats = log.stats();
    assert_eq!((gaps, stats.unreadable, stats.writer_panics), (1, 1, 3), "{entries:#?}");
    assert_eq!(stats.shown + stats.unreadable, stats.journaled);
    println!("row 09: 3 panics over 1 entry, which is told; 7 others are there");
}

#[test]
fn row_09_the_rest_of_a_segment_that_panics_its_reader_is_left_out_and_told() {
    let test =
        "three_times::row_09_the_rest_of_a_segment_that_panics_its_reader_is_left_out_and_told";
    if is_parent(test) {
        return;
    }
    for threading in [Threading::Dedicated, Threading::Shared] {
        let desk = Desk::new();
        let (log, guard) = builder(&desk, threading).build().unwrap();
        let mut logged = 0_u64;
        let mut push = |count: u64| {
            (logged..logged + count).for_each(|number| info!(log, "entry", number));
            logged += count;
            log.flush(PATIENCE).unwrap();
        };
        push(100);
        panic_again(CrashPoint::FrameRead, 3);
        until("three panics", || {
            push(1);
            log.stats().writer_panics == 3
        });
        // Two segments are made ahead.
        let fourth = desk.logs().join("journal/00000000000000000004.tape");
        until("the second segment", || {
            push(100);
            fourth.exists()
        });
        push(100);
        let stats = log.stats();
        drop(guard);
        let lines = desk.lines("expert.log");
        let is_entry = |line: &&String| line.contains("] entry ");
        let numbers: Vec<_> =
            lines.iter().filter(is_entry).map(|line| number(line, "number")).collect();
        let holes: Vec<_> = numbers.windows(2).filter(|pair| pair[0] + 1 != pair[1]).collect();
        let [&[last, next]] = holes[..] else { panic!("{threading:?}: {holes:?}") };
        let [first, end] = [numbers.first(), numbers.last()];
        assert_eq!((first, last, end), (Some(&0), 99, Some(&(logged - 1))), "{threading:?}");
        let gaps: Vec<_> = lines.iter().filter(|line| line.contains("] logger.gap ")).collect();
        let [gap] = gaps[..] else { panic!("{threading:?}: {gaps:?}") };
        assert!(gap.contains("segment 1 cannot be read: the writer panics over it"), "{gap}");
        // The entries that tell the panics are among what is left out.
        let left_out = next - last - 1 + 3 - told(&desk).len() as u64;
        assert_eq!((stats.unreadable, stats.writer_panics), (left_out, 3), "{threading:?}");
        assert_eq!(stats.shown + stats.unreadable, stats.journaled, "{threading:?}: {stats:?}");
        println!(
            "row 09: 3 panics of the reader over a segment ({threading:?}), {left_out} records told, \
             {} others are there",
            stats.shown
        );
    }
}

#[test]
fn row_09_a_message_that_panics_the_syslog_thread_is_dropped_and_counted() {
    let test = "three_times::row_09_a_message_that_panics_the_syslog_thread_is_dropped_and_counted";
    if is_parent(test) {
        return;
    }
    const MESSAGES: u64 = 100;
    let desk = Desk::new();
    let (socket, builder) = with_receiver(&desk);
    let (log, guard) = builder.build().unwrap();
    info!(log, "message", number = 0);
    until("the first message", || log.stats().syslog_sent == 1);
    panic_again(CrashPoint::MessagesTaken, 3);
    (1..MESSAGES).for_each(|number| info!(log, "message", number));
    until("three panics", || log.stats().writer_panics == 3);
    let (mut buffer, mut numbers) = ([0; 4096], Vec::new());
    while numbers.last() != Some(&(MESSAGES - 1)) {
        let bytes = socket.recv(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..bytes]).into_owned();
        if !text.contains("logger.writer_panic") {
            let number = field(&text, "number").unwrap_or_else(|| panic!("{text}"));
            numbers.push(number.split('"').nth(1).unwrap().parse().unwrap());
        }
    }
    drop(guard);
    let others: Vec<u64> = (0..MESSAGES).filter(|&number| number != 1).collect();
    assert_eq!(numbers, others, "the first one behind the panics is dropped, and no other");
    assert_eq!((log.stats().syslog_dropped, told(&desk).len()), (1, 3));
    println!("row 09: 3 panics over 1 message, which is counted; {} others came", numbers.len());
}
