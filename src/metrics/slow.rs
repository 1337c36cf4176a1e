//! Calls that took too long, on their way from the thread that made them to the log.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::site::Site;

/// Bytes of a run-time text that are kept to name a call.
const TEXT_BYTES: usize = 64;

/// Where a call stands.
#[derive(Debug, Clone)]
pub(crate) enum Where {
    /// In the source, as a macro.
    Site(&'static Site),
    /// Nowhere: its text, made at run time, names it. Cut to 64 bytes.
    Text(SmallVec<[u8; TEXT_BYTES]>),
}

impl From<&'static Site> for Where {
    fn from(site: &'static Site) -> Self {
        Self::Site(site)
    }
}

impl From<&str> for Where {
    fn from(text: &str) -> Self {
        Self::Text(SmallVec::from_slice(&text.as_bytes()[..text.floor_char_boundary(TEXT_BYTES)]))
    }
}

/// A call that took too long.
#[derive(Debug, Clone)]
pub(crate) struct SlowCall {
    pub(crate) place: Where,
    pub(crate) ticks: u64,
    /// How many others were too slow since the last one was told.
    pub(crate) suppressed: u64,
}

/// Hands slow calls over: one waits to be told, the others are counted.
///
/// Neither side ever waits: who finds the slot in use leaves it. So a caller may be a signal
/// handler, or die inside.
#[derive(Debug)]
pub(crate) struct SlowCalls {
    /// From how many ticks on a call is slow.
    from_ticks: u64,
    waiting: Mutex<Option<(Where, u64)>>,
    suppressed: AtomicU64,
}

impl SlowCalls {
    /// For calls of `from_ticks` and more; none if that is 0.
    pub(crate) fn new(from_ticks: u64) -> Self {
        let from_ticks = if from_ticks == 0 { u64::MAX } else { from_ticks };
        Self { from_ticks, waiting: Mutex::new(None), suppressed: AtomicU64::new(0) }
    }

    /// Notes a call if it is a slow one. Never waits and never allocates.
    #[inline]
    pub(crate) fn note(&self, ticks: u64, place: impl FnOnce() -> Where) {
        if ticks >= self.from_ticks {
            self.hand_over(ticks, place());
        }
    }

    #[cold]
    fn hand_over(&self, ticks: u64, place: Where) {
        if let Some(mut waiting) = self.waiting.try_lock()
            && waiting.is_none()
        {
            *waiting = Some((place, ticks));
            return;
        }
        // ORDERING: Relaxed, a number of its own.
        // PAIRS WITH: the exchange in `take`.
        // IF WEAKENED: it is the weakest already.
        self.suppressed.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes back that a call was taken: it waits again, unless another one does already.
    pub(crate) fn put_back(&self, call: SlowCall) {
        // ORDERING: Relaxed, a number of its own.
        // PAIRS WITH: the exchange in `take`.
        // IF WEAKENED: it is the weakest already.
        self.suppressed.fetch_add(call.suppressed, Ordering::Relaxed);
        self.hand_over(call.ticks, call.place);
    }

    /// The slow call that waits to be told.
    pub(crate) fn take(&self) -> Option<SlowCall> {
        let (place, ticks) = self.waiting.try_lock()?.take()?;
        // ORDERING: Relaxed, a number of its own.
        // PAIRS WITH: the addition in `hand_over`.
        // IF WEAKENED: it is the weakest already.
        let suppressed = self.suppressed.swap(0, Ordering::Relaxed);
        Some(SlowCall { place, ticks, suppressed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_call_is_told_and_the_others_are_counted() {
        let slow = SlowCalls::new(100);
        slow.note(99, || unreachable!("not slow"));
        assert!(slow.take().is_none());
        for ticks in [100, 500, 300] {
            slow.note(ticks, || "a dynamic text".into());
        }
        let told = slow.take().unwrap();
        assert!(matches!(&told.place, Where::Text(text) if &text[..] == b"a dynamic text"));
        assert_eq!((told.ticks, told.suppressed), (100, 2));
        assert!(slow.take().is_none());
    }

    #[test]
    fn the_slot_is_left_alone_while_it_is_in_use() {
        let slow = SlowCalls::new(1);
        let held = slow.waiting.lock();
        slow.note(7, || "x".into());
        assert!(slow.take().is_none(), "nobody waits");
        drop(held);
        slow.note(8, || "y".into());
        assert_eq!(slow.take().map(|call| (call.ticks, call.suppressed)), Some((8, 1)));
    }

    #[test]
    fn a_long_text_is_cut_at_a_character_and_zero_means_never() {
        let Where::Text(text) = Where::from("ä".repeat(60).as_str()) else { panic!("a text") };
        assert_eq!(&text[..], "ä".repeat(32).as_bytes());
        assert!(!text.spilled(), "nothing is allocated");
        SlowCalls::new(0).note(u64::MAX - 1, || unreachable!("off"));
    }
}
