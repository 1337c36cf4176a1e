//! Writing and reading through every writer and place.

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
        writer.appender.finish().unwrap();
        assert_eq!(read_all(&writer.index), expected, "after it");
    }
}
