//! The advice, proven: what was computed is seen on a real engine.

use std::ops::Range;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::advice::{Advice, Demand};
use super::engine::Engine;
use super::event::Player;
use super::load::{Burst, Load, Record, Stretch};
use super::model::Model;
use crate::failure::Failure;

/// A silence is no longer than a stall in the rehearsal, and than this.
const SILENCE_MAX: Duration = Duration::from_millis(250);
/// A rehearsal shows about so many stalls, and takes no longer than this.
const STALLS_SHOWN: u32 = 8;
const REHEARSAL_MIN: Duration = Duration::from_millis(200);
const REHEARSAL_MAX: Duration = Duration::from_secs(3);
/// How often the ring is looked at.
const LOOK: Duration = Duration::from_micros(200);

/// A burst into a ring whose drain is held.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Proof {
    pub(super) ring_bytes: u64,
    pub(super) block_bytes: u32,
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) predicted_lost: u64,
    pub(super) observed_lost: u64,
}

impl Proof {
    /// Whether the ring did what was computed.
    pub(super) fn holds(&self) -> bool {
        self.predicted_lost == self.observed_lost
    }
}

/// Logs the burst while the drain is held.
///
/// # Errors
/// The engine does not start, its drain does not come to rest, or does not write in time what was held.
pub(super) fn prove(advice: &Advice, burst: &Burst<'_>) -> Result<Proof, Failure> {
    let engine = Engine::start(Some(advice))?;
    let mut player = player(&engine, burst.load());
    let hold = tapelog::testing::hold_drain(&engine.log);
    if !hold.is_still() {
        return Err("the drain does not come to rest: the machine is too busy, try again".into());
    }
    let before = engine.log.stats();
    let taken = before.blocks - before.free_blocks;
    let shape = advice.shape().ok_or("the library refuses the ring that it was asked for")?;
    let predicted_lost = Model::new(shape, taken).losses(burst.records());
    let (mut records, mut bytes) = (0, 0);
    for (record, event) in burst.iter() {
        player.play(event);
        records += 1;
        bytes += u64::from(record.bytes);
    }
    let observed_lost = engine.log.stats().lost.total() - before.lost.total();
    drop(hold);
    drop(engine.settled()?);
    let (ring_bytes, block_bytes) = (advice.ring_bytes, advice.block_bytes);
    Ok(Proof { ring_bytes, block_bytes, records, bytes, predicted_lost, observed_lost })
}

fn player(engine: &Engine, load: &Load) -> Player {
    Player::new(&engine.log, load.symbol.as_deref(), load.text_bytes)
}

/// The ring's occupancy while a part of the load ran in real time.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Rehearsal {
    /// Nanoseconds since the beginning, and bytes of records in the ring.
    #[serde(skip)]
    pub(super) occupancy: Vec<(u64, u64)>,
    /// The most bytes that were in the ring.
    pub(super) peak_bytes: u64,
    /// When the drain was held, in nanoseconds since the beginning.
    pub(super) held_ns: (u64, u64),
    pub(super) lost: u64,
    pub(super) records: u64,
    /// Longer silences were cut to this.
    pub(super) silence_ns: u64,
}

/// Runs the part of the load around the worst stretch on the advised ring, with the spacing that the
/// records have, and holds the drain for the length of the stall when the worst begins.
///
/// # Errors
/// The engine does not start, or does not write what it took.
pub(super) fn rehearse(
    advice: &Advice,
    load: &Load,
    worst: &Stretch,
    demand: &Demand,
) -> Result<Rehearsal, Failure> {
    let engine = Engine::start(Some(advice))?;
    let mut player = player(&engine, load);
    let timeline = Timeline::new(load, worst, demand.stall);
    let length = (demand.stall * STALLS_SHOWN).clamp(REHEARSAL_MIN, REHEARSAL_MAX);
    let part = timeline.around(worst, length);
    let mut watch = Watch::new(&engine, load, part);
    let mut hold = None;
    let (mut due_ns, mut back_ns) = (0, u64::MAX);
    for at in part.first..part.end {
        due_ns += timeline.pause_before_ns(at, part.first);
        if at == worst.first {
            watch.wait_until(due_ns, None);
            hold = Some(tapelog::testing::hold_drain(&engine.log));
            watch.seen.held_ns.0 = watch.now_ns();
            back_ns = watch.now_ns() + demand.stall.as_nanos() as u64;
        }
        // The drain comes back when the stall is over and the worst has been logged.
        if at >= worst.end && hold.is_some() && due_ns >= back_ns {
            watch.wait_until(back_ns, None);
            drop(hold.take());
            watch.seen.held_ns.1 = watch.now_ns();
        }
        watch.wait_until(due_ns, None);
        player.play(load.event(at));
        watch.logged += 1;
    }
    if hold.is_some() {
        watch.wait_until(back_ns, None);
        drop(hold.take());
        watch.seen.held_ns.1 = watch.now_ns();
    }
    // How the ring empties is a part of the picture.
    watch.wait_until(watch.now_ns() + REHEARSAL_MIN.as_nanos() as u64, Some(0));
    watch.wait_until(watch.now_ns() + demand.stall.as_nanos() as u64 / 4, None);
    watch.look();
    let stats = engine.settled()?;
    let (records, silence_ns) = (part.records() as u64, timeline.silence_ns);
    Ok(Rehearsal { lost: stats.lost.total(), records, silence_ns, ..watch.seen })
}

/// The times of a rehearsal: those of the load, but with short silences outside of the stall.
struct Timeline<'a> {
    records: &'a [Record],
    /// The stretch of time that nothing is cut from.
    kept_ns: Range<u64>,
    /// What is left of a longer silence elsewhere: enough for the drain to empty the ring.
    silence_ns: u64,
}

impl<'a> Timeline<'a> {
    fn new(load: &'a Load, worst: &Stretch, stall: Duration) -> Timeline<'a> {
        let from_ns = load.records.get(worst.first).map_or(0, |record| record.at_ns);
        let kept_ns = from_ns..from_ns + stall.as_nanos() as u64;
        let silence_ns = stall.min(SILENCE_MAX).as_nanos() as u64;
        Timeline { records: &load.records, kept_ns, silence_ns }
    }

    /// The pause before a record, if it is not the first one.
    fn pause_before_ns(&self, at: usize, first: usize) -> u64 {
        if at == first {
            return 0;
        }
        let (from_ns, to_ns) = (self.records[at - 1].at_ns, self.records[at].at_ns);
        let kept = to_ns.min(self.kept_ns.end).saturating_sub(from_ns.max(self.kept_ns.start));
        kept + (to_ns - from_ns - kept).min(self.silence_ns)
    }

    /// The part of the load that a rehearsal of such a length has room for, with the worst stretch
    /// in its middle.
    fn around(&self, worst: &Stretch, length: Duration) -> Stretch {
        let side_ns = length.as_nanos() as u64 / 2;
        let (mut first, mut end) = (worst.first, worst.end);
        let mut left_ns = Some(side_ns);
        while first > 0 {
            left_ns = left_ns.and_then(|left| left.checked_sub(self.pause_before_ns(first, 0)));
            if left_ns.is_none() {
                break;
            }
            first -= 1;
        }
        left_ns = Some(side_ns);
        while end < self.records.len() {
            left_ns = left_ns.and_then(|left| left.checked_sub(self.pause_before_ns(end, 0)));
            if left_ns.is_none() {
                break;
            }
            end += 1;
        }
        Stretch { first, end, bytes: 0 }
    }
}

/// Looks at the ring while time goes by.
struct Watch<'a> {
    engine: &'a Engine,
    begin: Instant,
    looked: Instant,
    /// Bytes of all records of the part up to each one.
    bytes_before: Vec<u64>,
    logged: usize,
    journaled_before: u64,
    seen: Rehearsal,
}

impl<'a> Watch<'a> {
    fn new(engine: &'a Engine, load: &Load, part: Stretch) -> Watch<'a> {
        let mut bytes_before = vec![0];
        let mut sum = 0;
        for record in &load.records[part.first..part.end] {
            sum += u64::from(record.bytes);
            bytes_before.push(sum);
        }
        let now = Instant::now();
        Watch {
            engine,
            begin: now,
            looked: now,
            bytes_before,
            logged: 0,
            journaled_before: engine.log.stats().journaled,
            seen: Rehearsal::default(),
        }
    }

    fn now_ns(&self) -> u64 {
        self.begin.elapsed().as_nanos() as u64
    }

    /// Waits until then, or until no more than `enough` bytes are in the ring.
    fn wait_until(&mut self, due_ns: u64, enough: Option<u64>) {
        loop {
            if self.looked.elapsed() >= LOOK {
                let bytes = self.look();
                if enough.is_some_and(|enough| bytes <= enough) {
                    return;
                }
            }
            let left_ns = due_ns.saturating_sub(self.now_ns());
            if left_ns == 0 {
                return;
            }
            // The drain may have to share a core with this thread.
            if left_ns > 2 * LOOK.as_nanos() as u64 {
                std::thread::sleep(LOOK);
            }
        }
    }

    fn look(&mut self) -> u64 {
        let journaled = self.engine.log.stats().journaled - self.journaled_before;
        let written = usize::try_from(journaled).unwrap_or(usize::MAX).min(self.logged);
        let bytes = self.bytes_before[self.logged] - self.bytes_before[written];
        self.looked = Instant::now();
        self.seen.peak_bytes = self.seen.peak_bytes.max(bytes);
        self.seen.occupancy.push((self.now_ns(), bytes));
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::super::advice::VIEWS_BEHIND;
    use super::super::load::tests::load;
    use super::*;

    #[test]
    fn a_rehearsal_shows_what_is_around_the_worst_without_the_silence() {
        let load =
            load(&[(0, 8), (10_000, 8), (10_001, 64), (10_002, 64), (20_000, 8), (90_000, 8)]);
        let worst = load.worst(Duration::from_millis(5));
        assert_eq!((worst.first, worst.end), (1, 4));
        let timeline = Timeline::new(&load, &worst, Duration::from_millis(5));
        let pauses = [1, 2, 3, 4, 5].map(|at| timeline.pause_before_ns(at, 0) / 1_000_000);
        assert_eq!(pauses, [5, 1, 1, 3 + 5, 5], "what is left of the stall, and one more");
        let part = |ms| timeline.around(&worst, Duration::from_millis(ms));
        assert_eq!((part(16).first, part(16).end), (0, 5));
        assert_eq!((part(10).first, part(10).end), (0, 4));
        assert_eq!((part(9).first, part(9).end), (1, 4));
    }

    #[test]
    fn a_ring_loses_what_is_computed_and_the_occupancy_rises_while_the_drain_is_held() {
        let load = super::super::source::bursts(50_000.0, 2_000, 200).unwrap();
        let stall = Duration::from_millis(20);
        let demand = Demand { stall, headroom: 2.0, threads: 1, views_behind: VIEWS_BEHIND };
        let worst = load.worst(demand.stall);
        let advice = Advice::find(&load, &worst, &demand).unwrap();
        let burst = Burst::new(&load, worst, demand.bytes(&worst));
        let proof = prove(&advice, &burst).unwrap();
        assert_eq!((proof.predicted_lost, proof.observed_lost), (0, 0), "{proof:?}");
        let quarter = advice.shrunk_to(advice.ring_bytes / 4, load.longest()).unwrap_or(advice);
        let proof = prove(&quarter, &Burst::new(&load, worst, 4 * advice.ring_bytes)).unwrap();
        assert!(proof.holds() && proof.observed_lost > proof.records / 2, "{proof:?}");
        // A busy machine may keep the drain away for longer than the stall that was asked for.
        let mut rehearsals = (0..5).map(|_| rehearse(&advice, &load, &worst, &demand).unwrap());
        let seen = rehearsals.find(|seen| seen.lost == 0).expect("a rehearsal without a loss");
        let peak = seen.peak_bytes;
        assert!(peak >= worst.bytes, "{peak} {worst:?}");
        assert!(seen.held_ns.1 - seen.held_ns.0 >= 20_000_000);
        assert_eq!(seen.occupancy.last().unwrap().1, 0, "the drain has caught up");
    }
}
