//! The calls that are measured, and the values that they log.
//!
//! Every call has a number of its own, and its values follow from that number: so they differ from
//! call to call, and what the journal holds can be compared with what was logged. Each series has
//! its own text and so its own call site, inlined where it is measured, as in a program.

use std::hint::black_box;

use tapelog::{MetaLogger, Producer, UnixNanos, context, debug, info, now};

use super::series::{CaseName, FaceName, Series, StampBy, What};
use super::stores::Stores;

const TEXTS: usize = 64;
const LISTS: usize = 8;
/// Strings in a list.
const LIST_STRINGS: usize = 16;

/// The strings that are logged, made before anything is measured.
#[derive(Debug)]
pub(super) struct Strings {
    texts: Box<[String; TEXTS]>,
    lists: Box<[Vec<String>; LISTS]>,
}

impl Strings {
    pub(super) fn new() -> Self {
        let text = |at| format!("order {at:04} accepted by the exchange, LSE");
        let list = |at| (0..LIST_STRINGS).map(|leg| format!("leg {leg:02} of {at:02}")).collect();
        Self {
            texts: Box::new(std::array::from_fn(text)),
            lists: Box::new(std::array::from_fn(list)),
        }
    }

    /// The string of call `number`: 40 bytes.
    #[inline(always)]
    pub(super) fn text(&self, number: u64) -> &str {
        &self.texts[number as usize % TEXTS]
    }

    /// The list of call `number`: 16 strings of 12 bytes.
    #[inline(always)]
    pub(super) fn list(&self, number: u64) -> &[String] {
        &self.lists[number as usize % LISTS]
    }
}

/// The second integer of call `number`.
#[inline(always)]
pub(super) fn second(number: u64) -> u64 {
    number ^ 0x5555
}

/// The float of call `number`.
#[inline(always)]
pub(super) fn third(number: u64) -> f64 {
    f64::from(number as u32) * 0.25
}

/// A logger and a producer made from it.
#[derive(Debug)]
pub(super) struct Faces {
    pub(super) logger: MetaLogger,
    pub(super) producer: Producer,
}

impl Faces {
    pub(super) fn of(logger: &MetaLogger) -> Self {
        Self { logger: logger.clone(), producer: logger.producer() }
    }

    /// With six bound fields.
    pub(super) fn bound(logger: &MetaLogger) -> Self {
        Self::of(&logger.bind(context! {
            expert_name = "MyEmaBot", symbol = "BTCUSDT", trade_id = "T-1", order_id = "O-1",
            strategy_id = 7, account_id = "A-123",
        }))
    }
}

/// Measures stretches of calls. Generic, so that a call is inlined as it is in a program.
pub(super) trait Measure {
    /// Measures `call`, which is given the call's number and the caller's time stamp: both differ
    /// from call to call and are unknown to the compiler.
    fn stretch(&mut self, what: What, call: impl Fn(u64, UnixNanos));
}

/// Measures a case through both faces, with both stamps.
macro_rules! four_ways {
    ($measure:ident, $case:ident, $faces:ident, $level:ident,
     $own_producer:literal, $caller_producer:literal, $own_logger:literal, $caller_logger:literal,
     |$number:ident| { $($fields:tt)* }) => {{
        let Faces { logger, producer } = $faces;
        let way = |stamp, face| What::Call(Series { case: CaseName::$case, stamp, face });
        $measure.stretch(way(StampBy::Own, FaceName::Producer), |$number, _| {
            let _unused_by_some = $number;
            $level!(producer, $own_producer, $($fields)*);
        });
        $measure.stretch(way(StampBy::Caller, FaceName::Producer), |$number, at| {
            let _unused_by_some = $number;
            $level!(producer, at: at, $caller_producer, $($fields)*);
        });
        $measure.stretch(way(StampBy::Own, FaceName::Logger), |$number, _| {
            let _unused_by_some = $number;
            $level!(logger, $own_logger, $($fields)*);
        });
        $measure.stretch(way(StampBy::Caller, FaceName::Logger), |$number, at| {
            let _unused_by_some = $number;
            $level!(logger, at: at, $caller_logger, $($fields)*);
        });
    }};
}

/// What the calls log through, and what they log and store.
#[derive(Debug)]
pub(super) struct Subjects<'a> {
    pub(super) plain: Faces,
    pub(super) bound: Faces,
    pub(super) strings: &'a Strings,
    pub(super) stores: Stores,
}

impl<'a> Subjects<'a> {
    pub(super) fn of(logger: &MetaLogger, strings: &'a Strings) -> Self {
        let (plain, bound) = (Faces::of(logger), Faces::bound(logger));
        Self { plain, bound, strings, stores: Stores::warmed() }
    }
}

/// Measures what the others are compared with.
pub(super) fn floors(measure: &mut impl Measure, stores: &Stores) {
    measure.stretch(What::Clock, |_, _| {
        black_box(now());
    });
    measure.stretch(What::TimerPair, |_, _| {});
    measure.stretch(What::Stores, |number, at| stores.store(number, at));
}

/// Measures every case once, each in all ways.
pub(super) fn each(subjects: &Subjects<'_>, measure: &mut impl Measure) {
    let Subjects { plain, bound, strings, stores } = subjects;
    floors(measure, stores);
    four_ways!(
        measure, IntIntDouble, plain, info,
        "int_int_double producer own", "int_int_double producer caller",
        "int_int_double logger own", "int_int_double logger caller",
        |n| { a = n, b = second(n), c = third(n) }
    );
    four_ways!(
        measure, IntIntString40, plain, info,
        "int_int_string40 producer own", "int_int_string40 producer caller",
        "int_int_string40 logger own", "int_int_string40 logger caller",
        |n| { a = n, b = second(n), text = strings.text(n) }
    );
    four_ways!(
        measure,
        NoArgs,
        plain,
        info,
        "no_args producer own",
        "no_args producer caller",
        "no_args logger own",
        "no_args logger caller",
        |n| {}
    );
    four_ways!(
        measure, BoundContext, bound, info,
        "bound_context producer own", "bound_context producer caller",
        "bound_context logger own", "bound_context logger caller",
        |n| { a = n, b = second(n), c = third(n) }
    );
    four_ways!(
        measure, Vec16Strings, plain, info,
        "vec16_strings producer own", "vec16_strings producer caller",
        "vec16_strings logger own", "vec16_strings logger caller",
        |n| { a = n, items = strings.list(n) }
    );
    four_ways!(
        measure, Disabled, plain, debug,
        "disabled producer own", "disabled producer caller",
        "disabled logger own", "disabled logger caller",
        |n| { a = n, b = second(n), c = third(n) }
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_have_the_lengths_that_the_cases_are_named_after() {
        let strings = Strings::new();
        for number in 0..100 {
            assert_eq!(strings.text(number).len(), 40);
            assert_eq!(strings.list(number).len(), 16);
            assert!(strings.list(number).iter().all(|text| text.len() == 12));
        }
        assert_ne!(strings.text(0), strings.text(1));
    }

    /// Collects what is measured.
    #[derive(Default)]
    struct Names(Vec<What>);

    impl Measure for Names {
        fn stretch(&mut self, what: What, call: impl Fn(u64, UnixNanos)) {
            call(self.0.len() as u64, UnixNanos(1));
            self.0.push(what);
        }
    }

    #[test]
    fn each_series_logs_under_its_own_text() {
        let (log, captured) = tapelog::testing::capture();
        let mut names = Names::default();
        each(&Subjects::of(&log, &Strings::new()), &mut names);
        let logged: Vec<String> = captured.entries().into_iter().map(|entry| entry.event).collect();
        let calls = names.0.into_iter().filter_map(|what| match what {
            What::Call(series) => Some(series.event()),
            What::Clock | What::TimerPair | What::Stores => None,
        });
        for event in calls {
            // The capture keeps everything from DEBUG up, so that disabled calls are seen, too.
            assert_eq!(logged.iter().filter(|text| **text == event).count(), 1, "{event}");
        }
    }
}
