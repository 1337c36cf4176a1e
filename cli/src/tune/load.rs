//! A load: what is logged, when, and how much room each record takes in the ring.

use std::time::Duration;

use super::event::Event;

/// A record as the ring sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    /// When it is logged, from the load's beginning.
    pub(super) at_ns: u64,
    /// What it takes in the ring.
    pub(super) bytes: u32,
    /// Whether it may use the reserve: WARNING and above, and trade events.
    pub(super) privileged: bool,
    /// Whether it is logged at DEBUG only.
    pub(super) detail: bool,
}

/// Records and the events that make them, in the order of time.
#[derive(Debug, Clone, Default)]
pub(super) struct Load {
    pub(super) records: Vec<Record>,
    /// The event of each record; empty where all of them are fillers.
    pub(super) events: Vec<Event>,
    /// What is bound in the bot's context.
    pub(super) symbol: Option<String>,
    /// How much text a filler carries, in bytes.
    pub(super) text_bytes: usize,
    /// Whether the load goes on for ever as it is here.
    pub(super) endless: bool,
}

/// A stretch of a load, by record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stretch {
    pub(super) first: usize,
    pub(super) end: usize,
    pub(super) bytes: u64,
}

impl Stretch {
    pub(super) fn records(&self) -> usize {
        self.end - self.first
    }
}

impl Load {
    /// The load without what is logged at DEBUG only.
    pub(super) fn without_details(&self) -> Load {
        let kept = || self.records.iter().zip(&self.events).filter(|(record, _)| !record.detail);
        Load {
            records: kept().map(|(record, _)| *record).collect(),
            events: kept().map(|(_, event)| *event).collect(),
            ..self.clone()
        }
    }

    /// The event that makes a record.
    pub(super) fn event(&self, record: usize) -> &Event {
        self.events.get(record).unwrap_or(&Event::Filler)
    }

    /// All bytes in the ring.
    pub(super) fn bytes(&self) -> u64 {
        self.records.iter().map(|record| u64::from(record.bytes)).sum()
    }

    /// From the first record to the last.
    pub(super) fn duration(&self) -> Duration {
        let ends = self.records.first().zip(self.records.last());
        ends.map_or(Duration::ZERO, |(first, last)| {
            Duration::from_nanos(last.at_ns.saturating_sub(first.at_ns))
        })
    }

    /// The longest record.
    pub(super) fn longest(&self) -> u32 {
        self.records.iter().map(|record| record.bytes).max().unwrap_or(0)
    }

    /// The stretch of length `window` that has the most bytes; of equal ones the first.
    pub(super) fn worst(&self, window: Duration) -> Stretch {
        self.worst_of(window, |_| true)
    }

    /// The most bytes that WARNING and above and trade events make within `window`.
    pub(super) fn worst_privileged_bytes(&self, window: Duration) -> u64 {
        self.worst_of(window, |record| record.privileged).bytes
    }

    fn worst_of(&self, window: Duration, counts: impl Fn(&Record) -> bool) -> Stretch {
        let window = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX);
        let size = |record: &Record| if counts(record) { u64::from(record.bytes) } else { 0 };
        let (mut first, mut bytes) = (0, 0);
        let mut worst = Stretch::default();
        for (at, record) in self.records.iter().enumerate() {
            bytes += size(record);
            while record.at_ns.saturating_sub(self.records[first].at_ns) > window {
                bytes -= size(&self.records[first]);
                first += 1;
            }
            if bytes > worst.bytes {
                worst = Stretch { first, end: at + 1, bytes };
            }
        }
        worst
    }
}

/// A stretch of a load, repeated until it has so many bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Burst<'a> {
    load: &'a Load,
    stretch: Stretch,
    bytes: u64,
}

impl<'a> Burst<'a> {
    /// The stretch, as often as it takes to have `bytes` or just above.
    pub(super) fn new(load: &'a Load, stretch: Stretch, bytes: u64) -> Burst<'a> {
        Burst { load, stretch, bytes }
    }

    /// The same stretch with other repetitions.
    pub(super) fn of_bytes(&self, bytes: u64) -> Burst<'a> {
        Burst { bytes, ..*self }
    }

    /// The load that the burst is a part of.
    pub(super) fn load(&self) -> &'a Load {
        self.load
    }

    /// Its records, and the events that make them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a Record, &'a Event)> + use<'a> {
        let Burst { load, stretch, bytes } = *self;
        let part = stretch.first..stretch.end;
        let mut made = 0;
        let pairs = part.cycle().map(|at| (&load.records[at], load.event(at)));
        pairs.take_while(move |(record, _)| {
            let goes_on = made < bytes;
            made += u64::from(record.bytes);
            goes_on
        })
    }

    /// Its records alone.
    pub(super) fn records(&self) -> impl Iterator<Item = &'a Record> + use<'a> {
        self.iter().map(|(record, _)| record)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A load of records at the given milliseconds and with the given bytes.
    pub(crate) fn load(records: &[(u64, u32)]) -> Load {
        let record = |&(at_ms, bytes): &(u64, u32)| Record {
            at_ns: at_ms * 1_000_000,
            bytes,
            privileged: false,
            detail: false,
        };
        Load { records: records.iter().map(record).collect(), ..Load::default() }
    }

    #[test]
    fn the_worst_stretch_is_the_one_with_the_most_bytes() {
        let load = load(&[(0, 8), (10, 64), (15, 64), (20, 8), (21, 8), (22, 8), (90, 96)]);
        let worst = load.worst(Duration::from_millis(10));
        assert_eq!(worst, Stretch { first: 1, end: 4, bytes: 136 });
        let all = load.worst(Duration::from_secs(1));
        assert_eq!((all.first, all.end, all.bytes), (0, 7, load.bytes()));
        assert_eq!(load.worst(Duration::ZERO).bytes, 96);
        assert_eq!(Load::default().worst(Duration::ZERO), Stretch::default());
    }

    #[test]
    fn a_burst_repeats_its_stretch_until_it_has_its_bytes() {
        let load = load(&[(0, 8), (1, 16), (2, 24)]);
        let stretch = Stretch { first: 1, end: 3, bytes: 40 };
        let bytes = |bytes| -> Vec<u32> {
            let burst = Burst::new(&load, stretch, bytes);
            burst.records().map(|record| record.bytes).collect()
        };
        assert_eq!(bytes(40), [16, 24]);
        assert_eq!(bytes(41), [16, 24, 16]);
        assert_eq!(bytes(0), [0; 0]);
        assert_eq!(Burst::new(&load, Stretch::default(), 40).records().count(), 0);
    }

    #[test]
    fn what_only_debug_shows_can_be_left_out() {
        let mut load = load(&[(0, 8), (1, 16)]);
        load.events = vec![Event::Filler; 2];
        load.records[0].detail = true;
        load.records[1].privileged = true;
        assert_eq!(load.without_details().bytes(), 16);
        assert_eq!(load.worst_privileged_bytes(Duration::from_secs(1)), 16);
    }
}
