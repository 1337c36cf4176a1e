//! The loop: messages into two strategies, one that logs and one that is silent.
//!
//! Both take the same messages in the same pieces, and the clock is read in the same places, so
//! that their times differ by the logging alone. Which of the two goes first changes from piece to
//! piece: the second one finds the messages in the processor's caches.

use std::time::{Duration, Instant};

use tapelog::MetaExpert;
use tapelog::expert::{Event, Session};

use super::decimal::Decimal;
use super::feed::LineError;
use super::journalist::{Journalist, guest_of};
use super::market::Market;
use super::progress::Progress;
use super::speed::{Pace, Speed};
use super::stopwatch::{TickLength, Timed, Times};
use super::strategy::events::OrderId;
use super::strategy::{Binance, Counts, MyEmaBot, Settings, Silent, StrategyLog};
use crate::failure::with_causes;

/// Messages that are read ahead and then taken in one go, at full speed.
const PIECE_MESSAGES: usize = 8 << 10;

/// A strategy with a log whose calls are timed.
type TimedBot<L> = MyEmaBot<Timed<L>>;

/// A strategy on its host, and the time that its decisions take.
#[derive(Debug)]
struct Bot<'e, L: StrategyLog> {
    session: Session<'e, TimedBot<L>, Binance>,
    decisions: Times,
}

impl<'e, L: StrategyLog> Bot<'e, L> {
    fn new(expert: &'e mut MetaExpert, bot: &'e mut TimedBot<L>) -> Self {
        Bot { session: expert.start(bot), decisions: Times::new() }
    }

    /// Takes messages, and times each from its taking to the decision.
    fn take(&mut self, events: &[Event<Binance>]) {
        for event in events {
            let before = tapelog::now();
            // The bot stops for nothing.
            let _flow = std::hint::black_box(self.session.dispatch(event));
            self.decisions.record_since(before);
        }
    }

    /// The log that it tells.
    fn log(&mut self) -> &mut L {
        &mut self.session.strategy().log_mut().log
    }

    fn end(self) -> Times {
        self.session.end();
        self.decisions
    }
}

/// What a replay came to.
#[derive(Debug)]
pub(super) struct Outcome {
    /// What the strategy told its log.
    pub(super) counts: Counts,
    /// What it holds at the end.
    pub(super) position: Decimal,
    /// Lines that gave no message.
    pub(super) malformed: u64,
    /// Why the feed ended before its end.
    pub(super) feed_error: Option<LineError>,
    /// Log calls, and the empty timer pair.
    pub(super) calls: Times,
    pub(super) timer_pairs: Times,
    /// From message to decision, with logging and without.
    pub(super) logged: Times,
    pub(super) unlogged: Times,
    /// Nanoseconds of a tick.
    pub(super) tick_nanos: f64,
    /// From the first message's time to the last one's.
    pub(super) market_time: Duration,
    /// How long it all took.
    pub(super) elapsed: Duration,
    /// An order that was rejected, or else one that was not.
    pub(super) order: Option<OrderId>,
}

impl Outcome {
    /// Calls that must have given a record.
    pub(super) fn calls_made(&self) -> u64 {
        self.counts.entries() + self.malformed
    }

    /// Seconds that the strategy took for all messages, with its logging.
    pub(super) fn loop_seconds(&self) -> f64 {
        self.logged.sum_ticks() as f64 * self.tick_nanos / 1e9
    }
}

/// Replays the market to its end.
pub(super) fn run(expert: &mut MetaExpert, market: &mut Market, speed: Speed) -> Outcome {
    let mut silent_expert = guest_of(expert.logger());
    let mut loud_bot = TimedBot::new(Settings::default(), Timed::new(Journalist::new(expert)));
    let mut silent_bot = TimedBot::new(Settings::default(), Timed::new(Silent));
    let mut logging = Bot::new(expert, &mut loud_bot);
    let mut silent = Bot::new(&mut silent_expert, &mut silent_bot);

    let mut progress = Progress::new(market);
    let mut pace = Pace::new(speed);
    let room = if pace.is_some() { 1 } else { PIECE_MESSAGES };
    let mut piece = Vec::with_capacity(room);
    let mut reader = Reader::default();
    let (tick_length, begin) = (TickLength::begin(), Instant::now());
    let mut logging_first = false;
    while reader.fill(&mut piece, room, market, logging.log(), &mut progress) {
        logging.log().set_symbol(market.symbol());
        if let (Some(pace), Some(Event::Tick(tick))) = (&mut pace, piece.first()) {
            pace.wait_for(tick);
        }
        if logging_first {
            logging.take(&piece);
            silent.take(&piece);
        } else {
            silent.take(&piece);
            logging.take(&piece);
        }
        logging_first = !logging_first;
        progress.show(market);
    }
    let elapsed = begin.elapsed();
    progress.finish();
    let (logged, unlogged) = (logging.end(), silent.end());
    let (counts, position) = (loud_bot.counts(), loud_bot.position());
    let Timed { log: journalist, calls } = loud_bot.into_log();
    Outcome {
        counts,
        position,
        malformed: reader.malformed,
        feed_error: reader.fatal,
        tick_nanos: tick_length.nanos(),
        market_time: Duration::from_nanos(reader.last_ns.saturating_sub(reader.first_ns)),
        elapsed,
        order: journalist.order_of_interest(),
        calls,
        timer_pairs: silent_bot.into_log().calls,
        logged,
        unlogged,
    }
}

/// Reads messages ahead, and deals with lines that are none.
#[derive(Debug, Default)]
struct Reader {
    malformed: u64,
    fatal: Option<LineError>,
    first_ns: u64,
    last_ns: u64,
}

impl Reader {
    /// Fills a piece; whether there is anything in it.
    fn fill(
        &mut self,
        piece: &mut Vec<Event<Binance>>,
        room: usize,
        market: &mut Market,
        journalist: &Journalist,
        progress: &mut Progress,
    ) -> bool {
        piece.clear();
        while piece.len() < room && self.fatal.is_none() {
            match market.next() {
                None => break,
                Some(Ok(tick)) => {
                    if self.last_ns == 0 {
                        self.first_ns = tick.received_ns;
                    }
                    self.last_ns = tick.received_ns;
                    piece.push(Event::Tick(tick));
                }
                Some(Err(error)) if error.is_fatal() => self.fatal = Some(error),
                Some(Err(error)) => {
                    self.malformed += 1;
                    journalist.malformed_line(&error);
                    progress.tell(&with_causes(&error));
                }
            }
        }
        !piece.is_empty()
    }
}
