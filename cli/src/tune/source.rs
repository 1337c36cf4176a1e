//! Where loads come from: a recorded feed through the demo's bot, or a rate and bursts.

use std::path::Path;

use tapelog::{expert, testing::ring_shape};

use super::engine::Engine;
use super::event::{Catcher, Event, Player, record};
use super::load::{Load, Record};
use crate::demo::journalist::guest_of;
use crate::demo::market::Market;
use crate::demo::speed::Speed;
use crate::demo::strategy::{MyEmaBot, Settings};
use crate::failure::Failure;

/// A load has no more records than this: it is held in memory.
pub(super) const RECORDS_MAX: usize = 2_000_000;
/// How long a generated load goes on.
const GENERATED_NS: u64 = 2_000_000_000;
/// Sizes with which a ring can be cut, to learn what all rings have in common.
const ANY_RING: (u64, u32, u32) = (8 << 20, 64 << 10, 2);

/// What a feed gave.
#[derive(Debug)]
pub(super) struct Measured {
    /// What the bot logs, with its details at DEBUG.
    pub(super) load: Load,
    pub(super) messages: u64,
    /// Lines that gave no message.
    pub(super) malformed: u64,
    /// Whether the feed goes on beyond what a load can hold.
    pub(super) is_cut: bool,
}

/// The measuring run lost records: their sizes are not known.
#[derive(Debug, thiserror::Error)]
#[error(
    "{lost} records found no room while the load was measured: the machine is too busy or its disk \
     too slow, try again"
)]
struct Unmeasured {
    lost: u64,
}

/// What bursts cannot be.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoRate {
    #[error("--rate {rate} is no rate: give records per second, above 0 and at most 1e9")]
    Rate { rate: f64 },
    #[error("--burst {burst} is no burst: give 1 to {RECORDS_MAX} records")]
    Burst { burst: u64 },
}

/// Plays a market through the demo's bot and measures every record that the bot logs.
///
/// # Errors
/// The engine does not start, the feed cannot be read, or records were lost.
pub(super) fn market(mut market: Market, speed: Speed) -> Result<Measured, Failure> {
    let engine = Engine::start(None)?;
    let head_bytes = head_bytes();
    let mut expert = guest_of(&engine.log);
    let mut bot = MyEmaBot::new(Settings::default(), Catcher::default());
    let mut session = expert.start(&mut bot);
    let mut player = Player::new(&engine.log, None, 0);
    let mut clock = Clock::new(speed);
    let mut measured = Measured { load: Load::default(), messages: 0, malformed: 0, is_cut: false };
    while let Some(item) = market.next() {
        let tick = match item {
            Ok(tick) => tick,
            Err(error) if error.is_fatal() => return Err(error.into()),
            Err(_) => {
                measured.malformed += 1;
                continue;
            }
        };
        measured.messages += 1;
        player.set_symbol(market.symbol());
        // The bot stops for nothing.
        let _flow = session.dispatch(&expert::Event::Tick(tick));
        let at_ns = clock.at_ns(tick.received_ns);
        for event in session.strategy().log_mut().caught.drain(..) {
            let bytes = player.measure(&event, head_bytes);
            measured.load.records.push(record(&event, at_ns, bytes));
            measured.load.events.push(event);
        }
        if measured.load.records.len() >= RECORDS_MAX {
            measured.is_cut = true;
            break;
        }
    }
    measured.load.symbol = market.symbol().map(str::to_owned);
    lossless(&engine)?;
    Ok(measured)
}

/// The demo's generated market or a recording.
///
/// # Errors
/// The recording cannot be opened.
pub(super) fn open(feed: Option<&Path>, messages: u64) -> Result<Market, Failure> {
    Ok(match feed {
        Some(path) => Market::recorded(path)?,
        None => Market::generated(messages),
    })
}

/// Bursts of `burst` records, so far apart that there are `rate` records a second.
///
/// # Errors
/// [`NoRate`], or the engine does not start.
pub(super) fn bursts(rate: f64, burst: u64, record_bytes: u32) -> Result<Load, Failure> {
    if !(rate > 0.0 && rate <= 1e9) {
        return Err(NoRate::Rate { rate }.into());
    }
    let fits = usize::try_from(burst).is_ok_and(|burst| (1..=RECORDS_MAX).contains(&burst));
    if !fits {
        return Err(NoRate::Burst { burst }.into());
    }
    let (bytes, text_bytes) = filler(record_bytes)?;
    let apart_ns = burst as f64 / rate * 1e9;
    let mut records = Vec::new();
    let (mut begin_ns, burst) = (0.0, burst as usize);
    // Two bursts at least, so that their distance is part of the load.
    while records.len() + burst <= RECORDS_MAX
        && (records.len() < 2 * burst || begin_ns < GENERATED_NS as f64)
    {
        let one = Record { at_ns: begin_ns as u64, bytes, privileged: false, detail: false };
        records.resize(records.len() + burst, one);
        begin_ns += apart_ns;
    }
    Ok(Load { records, text_bytes, endless: true, ..Load::default() })
}

/// How much text makes a filler's record as long as asked, and how long it then is.
fn filler(record_bytes: u32) -> Result<(u32, usize), Failure> {
    let engine = Engine::start(None)?;
    let head_bytes = head_bytes();
    let bare = Player::new(&engine.log, None, 0).measure(&Event::Filler, head_bytes);
    let text_bytes = record_bytes.saturating_sub(bare) as usize;
    let bytes = Player::new(&engine.log, None, text_bytes).measure(&Event::Filler, head_bytes);
    lossless(&engine)?;
    Ok((bytes, text_bytes))
}

fn head_bytes() -> u32 {
    let (ring_bytes, block_bytes, reserve_blocks) = ANY_RING;
    ring_shape(ring_bytes, block_bytes, reserve_blocks).map_or(0, |shape| shape.head_bytes)
}

fn lossless(engine: &Engine) -> Result<(), Unmeasured> {
    match engine.log.stats().lost.total() {
        0 => Ok(()),
        lost => Err(Unmeasured { lost }),
    }
}

/// The load's time, from the feed's.
#[derive(Debug)]
struct Clock {
    speed: Speed,
    first_ns: Option<u64>,
    last_ns: u64,
}

impl Clock {
    fn new(speed: Speed) -> Clock {
        Clock { speed, first_ns: None, last_ns: 0 }
    }

    /// The time since the first message; it never runs back.
    fn at_ns(&mut self, received_ns: u64) -> u64 {
        let first_ns = *self.first_ns.get_or_insert(received_ns);
        let since_ns = received_ns.saturating_sub(first_ns);
        let at_ns = match self.speed {
            Speed::Max => 0,
            Speed::Times(times) => (since_ns as f64 / times) as u64,
        };
        self.last_ns = self.last_ns.max(at_ns);
        self.last_ns
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn bursts_come_at_the_asked_rate_and_records_are_as_long_as_asked() {
        let load = bursts(10_000.0, 500, 120).unwrap();
        assert_eq!(load.records.len(), 20_000);
        assert_eq!(load.records[0].bytes, 120);
        assert_eq!((load.records[499].at_ns, load.records[500].at_ns), (0, 50_000_000));
        assert_eq!(load.worst(Duration::from_millis(10)).records(), 500);
        assert_eq!(bursts(1.0, 3, 0).unwrap().records.len(), 6, "two bursts at least");
    }

    #[test]
    fn what_is_no_rate_is_refused_with_the_option_s_name() {
        for (rate, burst, option) in [
            (0.0, 1, "--rate"),
            (f64::NAN, 1, "--rate"),
            (1.0, 0, "--burst"),
            (1.0, 1 << 40, "--burst"),
        ] {
            let error = bursts(rate, burst, 96).unwrap_err().to_string();
            assert!(error.contains(option), "{error}");
        }
    }

    #[test]
    fn the_bot_s_records_have_their_times_and_the_sizes_that_the_ring_gives_them() {
        let measured = market(Market::generated(3_000), Speed::Times(2.0)).unwrap();
        let load = &measured.load;
        assert_eq!((measured.messages, measured.malformed, measured.is_cut), (3_000, 0, false));
        assert!(load.records.len() >= 3_000 && load.records.len() == load.events.len());
        assert!(load.records.is_sorted_by_key(|record| record.at_ns));
        assert!(load.records.iter().all(|record| record.bytes >= 32 && record.bytes % 8 == 0));
        let full = market(Market::generated(3_000), Speed::Times(1.0)).unwrap().load;
        assert!(full.duration().abs_diff(2 * load.duration()) < Duration::from_micros(1));
        let max = market(Market::generated(3_000), Speed::Max).unwrap().load;
        assert_eq!((max.duration(), max.bytes()), (Duration::ZERO, load.bytes()));
    }
}
