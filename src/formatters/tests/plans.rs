use std::sync::Arc;

use crate::clock::{Calibration, Ticks};
use crate::formatters::tests_support::{Sample, identity, line};
use crate::formatters::{JsonFormatter, TextFormatter};

#[test]
fn one_formatter_serves_many_sites_and_contexts_in_any_order() {
    let samples: Vec<_> = (0..60_u32)
        .map(|number| {
            let sample = Sample::new(&format!("event {number}")).field("call", number);
            match number % 3 {
                0 => sample.finish(),
                1 => sample.bound("bound", number).finish(),
                _ => sample.bound("call", number).bound("other", number).finish(),
            }
        })
        .collect();
    let (mut text, mut json) = (TextFormatter::new(false), JsonFormatter::new(identity()));
    for round in 0..200 {
        let sample = &samples[round * 7 % samples.len()];
        assert_eq!(line(&mut text, sample), line(&mut TextFormatter::new(false), sample));
        assert_eq!(line(&mut json, sample), line(&mut JsonFormatter::new(identity()), sample));
    }
}

#[test]
fn more_contexts_than_there_are_places_each_show_their_own_values() {
    let mut formatter = TextFormatter::new(false);
    let site = Sample::new("x").finish().site;
    for number in 0..10_000_u32 {
        // Dropped after its line: the next context may be given the same address, unless the
        // formatter keeps it.
        let mut sample = Sample::new("x").bound("number", number).finish();
        sample.site = Arc::clone(&site);
        let line = line(&mut formatter, &sample);
        assert!(line.ends_with(&format!("] x number={number}")), "{line}");
    }
}

#[test]
fn ticks_in_a_context_follow_the_calibration_of_the_entry() {
    let mut formatter = TextFormatter::new(false);
    let mut sample = Sample::new("x").bound("since", Ticks(1_000_000_000)).finish();
    assert!(line(&mut formatter, &sample).ends_with("since=1970-01-01T00:00:01Z"));
    sample.calibration = Calibration { unix_nanos: 5_000_000_000, ..sample.calibration };
    assert!(line(&mut formatter, &sample).ends_with("since=1970-01-01T00:00:06Z"));
}
