//! Time stamps as RFC 3339 writes them. The civil time of the last second is kept: lines come in
//! order, so that nearly all of them only differ behind the point.

use jiff::Timestamp;
use jiff::tz::{self, Offset};

use super::digits;
use crate::config::{TimePrecision, TimeZone};
use crate::record::UnixNanos;

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// `2026-01-02T03:04:05`
const SECOND_BYTES: usize = 19;

/// `2026-01-02T03:04:05.`: what is the same for all times of a second.
pub(super) const STAMP_BYTES: usize = SECOND_BYTES + 1;

/// The civil time of one second, kept until another is asked for.
#[derive(Debug)]
struct CivilSecond {
    second: i64,
    text: [u8; SECOND_BYTES],
}

impl CivilSecond {
    fn new() -> Self {
        Self { second: 0, text: civil(0, Offset::UTC) }
    }

    #[inline]
    fn at(&mut self, second: i64) -> &[u8; SECOND_BYTES] {
        if second != self.second {
            *self = Self { second, text: civil(second, Offset::UTC) };
        }
        &self.text
    }
}

/// The civil time at an offset. Every time that fits nanoseconds of 64 bits has a year of four digits.
#[cold]
fn civil(second: i64, offset: Offset) -> [u8; SECOND_BYTES] {
    let time = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
    let time = offset.to_datetime(time);
    let mut text = *b"0000-00-00T00:00:00";
    let year = time.year().unsigned_abs();
    let parts = [
        (0, (year / 100) as u8),
        (2, (year % 100) as u8),
        (5, time.month().unsigned_abs()),
        (8, time.day().unsigned_abs()),
        (11, time.hour().unsigned_abs()),
        (14, time.minute().unsigned_abs()),
        (17, time.second().unsigned_abs()),
    ];
    for (at, value) in parts {
        text[at..at + 2].copy_from_slice(&two_digits(value));
    }
    text
}

#[inline(always)]
fn two_digits(value: u8) -> [u8; 2] {
    [b'0' + value / 10, b'0' + value % 10]
}

/// Whole seconds and the nanoseconds behind them.
fn split(time: UnixNanos) -> (i64, u32) {
    let nanos = time.0.rem_euclid(NANOS_PER_SECOND);
    (time.0.div_euclid(NANOS_PER_SECOND), nanos as u32)
}

/// The zone that stamps are shown in.
#[derive(Debug, Clone)]
pub(super) struct Zone {
    /// None for UTC.
    local: Option<tz::TimeZone>,
}

/// `+02:00`, or `Z` for UTC.
#[derive(Debug, Clone, Copy)]
struct Mark {
    text: [u8; MARK_BYTES],
    length: usize,
}

const MARK_BYTES: usize = 6;

impl Zone {
    /// The zone that is configured; the machine's is looked up here, once.
    pub(super) fn new(zone: TimeZone) -> Self {
        match zone {
            TimeZone::Utc => Self { local: None },
            TimeZone::Local => Self { local: Some(tz::TimeZone::system()) },
        }
    }

    /// A given zone.
    #[cfg(test)]
    pub(super) fn of(zone: tz::TimeZone) -> Self {
        Self { local: Some(zone) }
    }

    /// The offset at a time, in whole minutes, and how it is marked.
    ///
    /// A zone that cannot be found is UTC with the mark of an unknown offset, `-00:00` (RFC 3339,
    /// section 4.3).
    fn at(&self, second: i64) -> (Offset, Mark) {
        let Some(zone) = &self.local else {
            return (Offset::UTC, Mark { text: *b"Z     ", length: 1 });
        };
        let time = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
        // Offsets of before zones were agreed on have seconds, which a stamp cannot show.
        let minutes = zone.to_offset(time).seconds().div_euclid(60);
        let offset = Offset::from_seconds(minutes * 60).unwrap_or(Offset::UTC);
        let mut text = *b"+00:00";
        if minutes < 0 || zone.is_unknown() {
            text[0] = b'-';
        }
        let minutes = minutes.unsigned_abs();
        // An offset is below 26 hours.
        text[1..3].copy_from_slice(&two_digits((minutes / 60) as u8));
        text[4..6].copy_from_slice(&two_digits((minutes % 60) as u8));
        (offset, Mark { text, length: MARK_BYTES })
    }
}

/// The stamp of a line behind a constant beginning: `N` bytes, the last [`STAMP_BYTES`] of which
/// are the time down to the point.
#[derive(Debug)]
pub(super) struct LineStamp<const N: usize> {
    /// When the second began that the text shows, and how many nanoseconds it has.
    start: i64,
    length: u64,
    text: [u8; N],
    /// The seconds since 1970, if they have ten digits.
    unix: Option<[u8; 10]>,
    /// The digits behind the point of the last line.
    behind: [u8; 9],
    zone: Zone,
    mark: Mark,
    /// How many digits [`Self::write_alone`] shows behind the point.
    places: usize,
}

impl<const N: usize> LineStamp<N> {
    /// A stamp behind `beginning`, which has `N - STAMP_BYTES` bytes: in UTC, with microseconds.
    pub(super) fn new(beginning: &[u8]) -> Self {
        Self::with(beginning, Zone::new(TimeZone::Utc), TimePrecision::Micros)
    }

    /// The same in any zone and precision, for [`Self::write_alone`].
    pub(super) fn with(beginning: &[u8], zone: Zone, precision: TimePrecision) -> Self {
        let mut text = [b'.'; N];
        text[..N - STAMP_BYTES].copy_from_slice(beginning);
        let places = match precision {
            TimePrecision::Millis => 3,
            TimePrecision::Micros => 6,
            TimePrecision::Nanos => 9,
        };
        let (_, mark) = zone.at(0);
        let behind = [b'0'; 9];
        let mut stamp = Self { start: 0, length: 0, text, unix: None, behind, zone, mark, places };
        stamp.turn(0);
        stamp
    }

    /// Appends the beginning and the stamp of `time`, rounded down to the microsecond.
    #[inline]
    pub(super) fn write(&mut self, out: &mut Vec<u8>, time: UnixNanos) {
        let mut nanos = time.0.wrapping_sub(self.start).cast_unsigned();
        if nanos >= self.length {
            nanos = self.turn(time.0);
        }
        out.extend_from_slice(&self.text);
        let nanos = nanos as u32;
        let mut digits = digits::eight(nanos / 10);
        self.behind[..8].copy_from_slice(&digits);
        self.behind[8] = b'0' + (nanos % 10) as u8;
        // Six of them are shown.
        digits[6] = b'Z';
        digits::put(out, &digits, 7);
    }

    /// Appends the stamp of `time` without the beginning, in its zone, rounded down to its
    /// precision.
    pub(super) fn write_alone(&mut self, out: &mut Vec<u8>, time: UnixNanos) {
        let mut nanos = time.0.wrapping_sub(self.start).cast_unsigned();
        if nanos >= self.length {
            nanos = self.turn(time.0);
        }
        out.extend_from_slice(&self.text[N - STAMP_BYTES..]);
        let nanos = nanos as u32;
        self.behind[..8].copy_from_slice(&digits::eight(nanos / 10));
        self.behind[8] = b'0' + (nanos % 10) as u8;
        digits::put(out, &self.behind, self.places);
        digits::put(out, &self.mark.text, self.mark.length);
    }

    /// Appends the time of the last line as a count of nanoseconds since 1970.
    #[inline]
    pub(super) fn write_unix_nanos(&self, out: &mut Vec<u8>, time: UnixNanos) {
        match &self.unix {
            Some(seconds) => {
                out.extend_from_slice(seconds);
                out.extend_from_slice(&self.behind);
            }
            None => digits::signed(out, time.0),
        }
    }

    /// Turns to another second; the nanoseconds behind it.
    #[cold]
    fn turn(&mut self, nanos: i64) -> u64 {
        let (second, behind) = split(UnixNanos(nanos));
        // The beginning of the very first second cannot be told: it is turned to for each line.
        let start = second.checked_mul(NANOS_PER_SECOND);
        self.start = start.unwrap_or(0);
        self.length = start.map_or(0, |_| NANOS_PER_SECOND.cast_unsigned());
        let (offset, mark) = self.zone.at(second);
        self.mark = mark;
        self.text[N - STAMP_BYTES..][..SECOND_BYTES].copy_from_slice(&civil(second, offset));
        self.unix = second.to_string().as_bytes().try_into().ok().filter(|_| second > 0);
        behind.into()
    }
}

/// Writes time values: as many digits as the value needs, in groups of three.
#[derive(Debug)]
pub(super) struct TimeValues {
    civil: CivilSecond,
}

impl TimeValues {
    pub(super) fn new() -> Self {
        Self { civil: CivilSecond::new() }
    }

    /// Appends `time`: `2026-01-02T03:04:05Z`, `….120Z`, `….123456Z` or `….123456789Z`.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, time: UnixNanos) {
        let (second, nanos) = split(time);
        out.extend_from_slice(self.civil.at(second));
        if nanos != 0 {
            // A point in front of nine digits.
            let mut digits = [b'.'; 10];
            digits[1..9].copy_from_slice(&digits::eight(nanos / 10));
            digits[9] = b'0' + (nanos % 10) as u8;
            let kept = match nanos {
                _ if !nanos.is_multiple_of(1_000) => 9,
                _ if !nanos.is_multiple_of(1_000_000) => 6,
                _ => 3,
            };
            out.extend_from_slice(&digits[..=kept]);
        }
        out.push(b'Z');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(nanos: i64) -> String {
        let mut stamp = LineStamp::<{ STAMP_BYTES + 1 }>::new(b"[");
        let mut out = Vec::new();
        stamp.write(&mut out, UnixNanos(nanos));
        let end = out.len();
        stamp.write_unix_nanos(&mut out, UnixNanos(nanos));
        assert_eq!(out[end..], *nanos.to_string().as_bytes());
        String::from_utf8(out[..end].to_vec()).unwrap()
    }

    fn value(nanos: i64) -> String {
        let mut out = Vec::new();
        TimeValues::new().write(&mut out, UnixNanos(nanos));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn stamps_hold_from_the_first_to_the_last_time_there_is() {
        assert_eq!(stamp(0), "[1970-01-01T00:00:00.000000Z");
        assert_eq!(stamp(1_767_323_045_123_456_789), "[2026-01-02T03:04:05.123456Z");
        assert_eq!(stamp(-1), "[1969-12-31T23:59:59.999999Z");
        assert_eq!(stamp(1_709_210_096_000_000_001), "[2024-02-29T12:34:56.000000Z");
        assert_eq!(stamp(999_999_999_999_999_999), "[2001-09-09T01:46:39.999999Z");
        assert_eq!(stamp(1_000_000_000_000_000_000), "[2001-09-09T01:46:40.000000Z");
        assert_eq!(stamp(-1_000_000_000_000_000_001), "[1938-04-24T22:13:19.999999Z");
        assert_eq!(stamp(i64::MAX), "[2262-04-11T23:47:16.854775Z");
        assert_eq!(stamp(i64::MIN), "[1677-09-21T00:12:43.145224Z");
    }

    fn alone(zone: &str, precision: TimePrecision, nanos: i64) -> String {
        let zone = Zone::of(tz::TimeZone::posix(zone).unwrap());
        let mut stamp = LineStamp::<STAMP_BYTES>::with(b"", zone, precision);
        let mut out = Vec::new();
        stamp.write_alone(&mut out, UnixNanos(nanos));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_zone_shows_its_own_time_and_its_offset_on_both_sides_of_a_clock_change() {
        const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
        let berlin = |second: i64| alone(BERLIN, TimePrecision::Millis, second * 1_000_000_000);
        // 2026-03-29, 01:00 UTC: 02:00 becomes 03:00.
        assert_eq!(berlin(1_774_745_999), "2026-03-29T01:59:59.000+01:00");
        assert_eq!(berlin(1_774_746_000), "2026-03-29T03:00:00.000+02:00");
        // 2026-10-25, 01:00 UTC: 03:00 becomes 02:00, so that an hour comes twice.
        assert_eq!(berlin(1_792_889_999), "2026-10-25T02:59:59.000+02:00");
        assert_eq!(berlin(1_792_890_000), "2026-10-25T02:00:00.000+01:00");
        let newfoundland = alone("NST3:30", TimePrecision::Micros, 1_767_323_045_123_456_789);
        assert_eq!(newfoundland, "2026-01-01T23:34:05.123456-03:30");
        let nanos = alone("<+0545>-5:45", TimePrecision::Nanos, 1_767_323_045_123_456_789);
        assert_eq!(nanos, "2026-01-02T08:49:05.123456789+05:45");
        assert_eq!(alone("UTC0", TimePrecision::Millis, -1), "1969-12-31T23:59:59.999+00:00");
    }

    #[test]
    fn one_stamp_follows_its_zone_from_second_to_second() {
        let zone = Zone::of(tz::TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap());
        let mut stamp = LineStamp::<STAMP_BYTES>::with(b"", zone, TimePrecision::Nanos);
        for second in [1_774_745_999, 1_774_746_000, 1_774_745_999, 1_792_890_000, 0] {
            for nanos in [0, 1, 999_999_999] {
                let time = second * NANOS_PER_SECOND + nanos;
                let mut out = Vec::new();
                stamp.write_alone(&mut out, UnixNanos(time));
                let read: Timestamp = String::from_utf8(out).unwrap().parse().unwrap();
                assert_eq!(read.as_nanosecond(), i128::from(time));
            }
        }
    }

    #[test]
    fn a_zone_that_cannot_be_found_is_marked_as_unknown() {
        let zone = Zone::of(tz::TimeZone::unknown());
        let mut stamp = LineStamp::<STAMP_BYTES>::with(b"", zone, TimePrecision::Millis);
        let mut out = Vec::new();
        stamp.write_alone(&mut out, UnixNanos(0));
        assert_eq!(String::from_utf8(out).unwrap(), "1970-01-01T00:00:00.000-00:00");
    }

    #[test]
    fn an_offset_with_seconds_is_shown_in_minutes_and_the_stamp_still_reads_back() {
        let shown = alone("LMT-0:53:28", TimePrecision::Millis, 0);
        assert_eq!(shown, "1970-01-01T00:53:00.000+00:53");
        let read: Timestamp = shown.parse().unwrap();
        assert_eq!(read, Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn a_kept_second_is_used_for_that_second_only() {
        let mut stamp = LineStamp::<STAMP_BYTES>::new(b"");
        let mut text = |nanos| {
            let mut out = Vec::new();
            stamp.write(&mut out, UnixNanos(nanos));
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text(1_000_000_000), "1970-01-01T00:00:01.000000Z");
        assert_eq!(text(1_999_999_999), "1970-01-01T00:00:01.999999Z");
        assert_eq!(text(2_000_000_000), "1970-01-01T00:00:02.000000Z");
        assert_eq!(text(1_000_001_000), "1970-01-01T00:00:01.000001Z");
        assert_eq!(text(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(text(i64::MIN), "1677-09-21T00:12:43.145224Z");
        assert_eq!(text(i64::MIN + 1_000_000), "1677-09-21T00:12:43.146224Z");
        assert_eq!(text(i64::MIN + 1_000_000_000), "1677-09-21T00:12:44.145224Z");
        assert_eq!(text(i64::MAX), "2262-04-11T23:47:16.854775Z");
    }

    #[test]
    fn values_have_as_many_digits_as_they_need() {
        assert_eq!(value(1_767_323_045_000_000_000), "2026-01-02T03:04:05Z");
        assert_eq!(value(1_767_323_045_120_000_000), "2026-01-02T03:04:05.120Z");
        assert_eq!(value(1_767_323_045_123_450_000), "2026-01-02T03:04:05.123450Z");
        assert_eq!(value(1_767_323_045_123_456_789), "2026-01-02T03:04:05.123456789Z");
        assert_eq!(value(-1), "1969-12-31T23:59:59.999999999Z");
    }
}
