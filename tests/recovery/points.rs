//! Rows 2 and 9: deaths in the janitor's work and while a ring is set aside, and panics of recovery.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use crate::acknowledged::Acknowledged;
use crate::check::{
    Kind, check, in_order, in_the_logs, journal, kind, newest_in_order, start_again, texts,
};
use crate::kills::{
    GIVEN_UP_AFTER, PANICKED, Random, TIMES, Way, few_backups, is_child, kill, rings, start,
};
use crate::support::{self, Desk, wait};
use tapelog::testing::CrashPoint;

#[test]
fn row_02_a_death_while_a_segment_is_made_new_out_of_an_old_one_loses_nothing_of_the_logs() {
    if is_child() {
        return;
    }
    let test = "points::row_02_a_death_while_a_segment_is_made_new_out_of_an_old_one_loses_nothing_of_the_logs";
    let rounds = support::times(TIMES, 50);
    let mut random = Random::new();
    // The fourth segment is the first that was another one before.
    for (point, first) in [
        (CrashPoint::SegmentUnnamed, 1),
        (CrashPoint::SegmentHeaded, 4),
        (CrashPoint::SegmentNamed, 4),
    ] {
        let (mut records, mut recovered) = (0, 0);
        for round in 0..rounds {
            let (threads, way) = (1 + (round % 3) as usize, Way::of(round));
            let desk = Desk::new();
            let acknowledged = Acknowledged::open(&desk.path("acknowledged"));
            let work = format!("recycle@{point:?}#{}", first + random.below(2));
            let status = wait(&mut start(test, &work, way, &desk, threads));
            assert_eq!(status.signal(), Some(9), "{point:?}: {status}");
            let sure: Vec<u64> = (0..threads).map(|thread| acknowledged.of(thread)).collect();
            // With more segments, because all that there are may have to be rendered yet.
            recovered += start_again(way.next().builder_of(&desk)).recovered;
            // The journal has let go of its oldest records; the logs have them all.
            let counts = in_the_logs(&desk.logs(), threads, kind);
            for (found, sure) in counts.iter().zip(&sure) {
                assert!((*sure..=sure + 1).contains(found), "{point:?}: {counts:?} {sure:?}");
            }
            assert!(!journal(&desk.logs()).is_empty());
            records += counts.iter().sum::<u64>();
        }
        println!(
            "row 02: {} deaths at {point:?}, {records} records, {recovered} recovered",
            rounds
        );
    }
}

#[test]
fn row_02_a_death_inside_a_rotation_that_removes_the_oldest_file_loses_and_repeats_nothing() {
    if is_child() {
        return;
    }
    let test = "points::row_02_a_death_inside_a_rotation_that_removes_the_oldest_file_loses_and_repeats_nothing";
    let rounds = support::times(TIMES, 50);
    let mut random = Random::new();
    let mut records = 0;
    for round in 0..rounds {
        let (desk, way) = (Desk::new(), Way::of(round));
        let acknowledged = Acknowledged::open(&desk.path("acknowledged"));
        // The first rotations remove nothing yet.
        let work = format!("rotate@{:?}#{}", CrashPoint::FileRenamed, 10 + random.below(60));
        let status = wait(&mut start(test, &work, way, &desk, 1));
        assert_eq!(status.signal(), Some(9), "{status}");
        start_again(few_backups(way.next().builder_of(&desk)));
        let found = in_order("the journal", journal(&desk.logs()).iter(), 1, |_| true)[0];
        let sure = acknowledged.of(0);
        assert!((sure..=sure + 1).contains(&found), "{sure} of {found}");
        newest_in_order(&desk.logs(), "expert.log", |_| true, found);
        newest_in_order(&desk.logs(), "trades.log", |number| kind(number) == Kind::Trade, found);
        newest_in_order(&desk.logs(), "errors.log", |number| kind(number) == Kind::Error, found);
        records += found;
    }
    println!("row 02: {rounds} deaths inside such a rotation, {records} records");
}

#[test]
fn row_02_a_death_while_a_ring_is_set_aside_leaves_it_to_the_next_start() {
    if is_child() {
        return;
    }
    let test = "points::row_02_a_death_while_a_ring_is_set_aside_leaves_it_to_the_next_start";
    let rounds = support::times(TIMES, 50);
    let mut random = Random::new();
    for point in [CrashPoint::RingRefused, CrashPoint::RingSetAside] {
        for round in 0..rounds {
            let (desk, way) = (Desk::new(), Way::of(round));
            kill((test, "fill"), way, &desk, 1, &mut random);
            spoil_version(&desk);
            let status = wait(&mut start(test, &format!("recover@{point:?}#1"), way, &desk, 1));
            assert_eq!(status.signal(), Some(9), "{point:?}: {status}");
            let stats = start_again(way.builder_of(&desk));
            assert_eq!(stats.recovered, 0);
            assert_eq!(in_the_logs(&desk.logs(), 1, kind), [0]);
            let names = std::fs::read_dir(desk.ring_dir()).unwrap();
            let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(names.len(), 1, "{names:?}");
            assert!(names[0].to_string_lossy().ends_with(".ring.aside"), "{names:?}");
        }
        println!("row 02: {} deaths at {point:?}, each ring is set aside once", rounds);
    }
}

/// Writes another version into the ring that a child has left: it is of no use.
fn spoil_version(desk: &Desk) {
    let mut names = std::fs::read_dir(desk.ring_dir()).unwrap().map(|entry| entry.unwrap().path());
    let ring = names.find(|path| path.to_string_lossy().ends_with(".ring")).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(ring).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &99_u32.to_le_bytes(), 8).unwrap();
}

#[test]
fn row_09_a_ring_whose_recovery_panics_three_times_is_left_to_the_next_start() {
    if is_child() {
        return;
    }
    let test = "points::row_09_a_ring_whose_recovery_panics_three_times_is_left_to_the_next_start";
    for (point, round) in [
        CrashPoint::FramesWritten,
        CrashPoint::CursorWritten,
        CrashPoint::RecoveryPublished,
        CrashPoint::RecoveryNoted,
        CrashPoint::RecoveryEnded,
    ]
    .into_iter()
    .zip(0..)
    {
        let (desk, way) = (Desk::new(), Way::of(round));
        let sure = fill(test, way, &desk, 2);
        let ring = rings(&desk);
        let work = format!("give_up!{point:?}#1");
        assert!(wait(&mut start(test, &work, way.next(), &desk, 2)).success(), "{point:?}");
        let panicked = Acknowledged::open(&desk.path("acknowledged")).of(PANICKED);
        assert_eq!((rings(&desk), panicked), (ring.clone(), GIVEN_UP_AFTER), "{point:?}");
        let told = texts(&desk.logs(), "errors.log");
        let told: Vec<_> = told.iter().filter(|line| line.contains("recovery_failed")).collect();
        let [told] = told[..] else { panic!("{point:?}: {told:?}") };
        let name = ring[0].display().to_string();
        assert!(told.contains("the writer panics over it") && told.contains(&name), "{told}");
        let left = start_again(way.builder_of(&desk)).recovered;
        let records = check(&desk, 2, &sure, kind).iter().sum::<u64>();
        match point {
            CrashPoint::FramesWritten => assert_eq!(left, records, "nothing was published"),
            CrashPoint::RecoveryEnded => assert_eq!(left, 0, "all of it was"),
            _ => assert!(left < records, "{point:?}: what was published is left, too"),
        }
        println!(
            "row 09: {panicked} panics of a recovery at {point:?}, {left} of {records} records left \
             to the next start, each there once"
        );
    }
}

/// Has a child fill its ring, and kills it: what it had acknowledged.
fn fill(test: &str, way: Way, desk: &Desk, threads: usize) -> Vec<u64> {
    let acknowledged = Acknowledged::open(&desk.path("acknowledged"));
    let mut child = start(test, "fill", way, desk, threads);
    let counts = || (0..threads).map(|thread| acknowledged.of(thread)).collect::<Vec<_>>();
    let mut before = counts();
    support::until("a full ring", || {
        std::thread::sleep(Duration::from_millis(20));
        let now = counts();
        now == std::mem::replace(&mut before, now.clone()) && now[0] > 0
    });
    child.kill().unwrap();
    child.wait().unwrap();
    counts()
}

#[test]
fn row_09_a_recovery_that_panics_at_any_point_goes_on() {
    if is_child() {
        return;
    }
    let test = "points::row_09_a_recovery_that_panics_at_any_point_goes_on";
    let wanted = support::times(TIMES, 5);
    let mut random = Random::new();
    for (point, often) in [
        (CrashPoint::RecoveryBegun, 1),
        (CrashPoint::FramesWritten, 2),
        (CrashPoint::CursorWritten, 2),
        (CrashPoint::RecoveryPublished, 2),
        (CrashPoint::RecoveryNoted, 2),
        (CrashPoint::RecoveryEnded, 1),
        (CrashPoint::SegmentBegun, 1),
    ] {
        let (mut panicked, mut rounds) = (0, 0);
        while panicked < wanted {
            assert!(
                rounds < 9 * wanted,
                "of {rounds} recoveries, {panicked} panicked at {point:?}"
            );
            let (desk, way) = (Desk::new(), Way::of(rounds));
            // Who recovers little does not come to a second segment.
            let sure = match point {
                CrashPoint::SegmentBegun => fill(test, way, &desk, 2),
                _ => kill((test, "fill"), way, &desk, 2, &mut random),
            };
            let work = format!("recover!{point:?}#{}", 1 + random.below(often));
            assert!(wait(&mut start(test, &work, way.next(), &desk, 2)).success(), "{point:?}");
            assert_eq!(rings(&desk).len(), 0, "{point:?}: it was given up");
            panicked += Acknowledged::open(&desk.path("acknowledged")).of(PANICKED);
            assert_eq!(start_again(way.builder_of(&desk)).recovered, 0, "{point:?}: it went on");
            check(&desk, 2, &sure, kind);
            rounds += 1;
        }
        println!("row 09: {panicked} recoveries panicked at {point:?} and went on, of {rounds}");
    }
}
