//! Writing and reading through every writer and place.

use std::sync::Arc;

use super::support::*;
use crate::journal::*;
use crate::record::TimeKind;

#[test]
fn what_is_appended_is_read_back_through_every_writer() {
    for (in_memory, mapped) in [(false, false), (false, true), (true, false), (true, true)] {
        let home = tempfile::tempdir().unwrap();
        let place = if in_memory { Place::Memory } else { directory(home.path()) };
        let mut writer = Writer::new(options(place, mapped));
        let mut known = Known::with_sites(3);
        known.add_context(0x1_0001, "BTC");
        let mut expected = Vec::new();
        for pass in 1..=200_u64 {
            let mut run = Vec::new();
            for n in 0..10 {
                let (site, time) = ((pass % 3 + 1) as u32, pass * 100 + n);
                let context = if n % 2 == 0 { 0x1_0001 } else { 0 };
                run.extend(record(site, context, TimeKind::OwnTicks, time, n, "x"));
                let symbol = if context != 0 { " symbol=BTC" } else { "" };
                expected.push(format!("{time} event {site}{symbol} value={n} name=x"));
            }
            writer.pass(pass * 100 + 50, 1, &run, &known);
        }
        assert_eq!(read_all(&writer.index), expected, "before the end");
        writer.appender.finish().0.unwrap();
        assert_eq!(read_all(&writer.index), expected, "after it");
    }
}

#[test]
fn what_a_segment_does_not_use_is_not_decoded_anew_in_the_next() {
    let mut writer = Writer::new(options(Place::Memory, true));
    let mut known = Known::with_sites(2);
    known.add_context(0x1_0001, "BTC");
    known.add_context(0x1_0002, "ETH");
    for segment in 0..3_u64 {
        let other = (segment % 2) as u32;
        let (site, context, time) = (1 + other, 0x1_0001 + other, segment * 100);
        let run = record(site, context, TimeKind::OwnTicks, time, segment, "x");
        writer.pass(time + 50, 1, &run, &known);
        if segment < 2 {
            writer.roll();
        }
    }
    writer.appender.finish().0.unwrap();

    let mut reader = EntryReader::new(writer.index.clone(), None, Liveness::Ended);
    let mut given = Vec::new();
    while let Some(event) = reader.next().unwrap() {
        let Event::Entry(entry, _) = event else { panic!("{event:?}") };
        given.push((Arc::clone(entry.site), Arc::clone(entry.context.unwrap())));
    }
    let [(site, context), (other_site, other_context), (again, context_again)] = &given[..] else {
        panic!("{given:?}");
    };
    assert_eq!((&*site.text, &*other_site.text), ("event 1", "event 2"));
    assert!(Arc::ptr_eq(site, again) && !Arc::ptr_eq(site, other_site));
    assert!(Arc::ptr_eq(context, context_again) && !Arc::ptr_eq(context, other_context));
}
