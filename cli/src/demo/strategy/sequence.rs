//! Do the depth updates follow each other?

use super::events::FeedGap;
use crate::demo::tick::Depth;

/// Remembers where the last depth update ended.
///
/// A futures message names the end of the one before (`pu`); a spot one must begin right after it.
#[derive(Debug, Default)]
pub(super) struct DepthSequence {
    last_update_id: Option<u64>,
}

impl DepthSequence {
    /// The gap between the message before and this one, if there is one. The first message follows
    /// nothing.
    pub(super) fn check(&mut self, at_ns: u64, depth: &Depth) -> Option<FeedGap> {
        let last = self.last_update_id.replace(depth.last_update_id)?;
        let (expected, found) = match depth.previous_update_id {
            Some(previous) => (last, previous),
            None => (last.saturating_add(1), depth.first_update_id),
        };
        (expected != found).then_some(FeedGap { at_ns, expected, found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (expected, found, skipped) of each gap in a sequence of (first, last, previous).
    fn gaps(updates: &[(u64, u64, Option<u64>)]) -> Vec<(u64, u64, u64)> {
        let mut sequence = DepthSequence::default();
        let depths = updates.iter().map(|&(first, last, previous)| Depth {
            first_update_id: first,
            last_update_id: last,
            previous_update_id: previous,
            bid_levels: 1,
            ask_levels: 1,
        });
        depths
            .filter_map(|depth| sequence.check(1, &depth))
            .map(|gap| (gap.expected, gap.found, gap.skipped()))
            .collect()
    }

    #[test]
    fn a_futures_update_must_name_the_end_of_the_one_before() {
        let updates = [(5, 9, Some(2)), (12, 20, Some(9)), (33, 40, Some(30)), (41, 50, Some(40))];
        assert_eq!(gaps(&updates), [(20, 30, 10)]);
    }

    #[test]
    fn a_spot_update_must_begin_one_after_the_end_of_the_one_before() {
        let updates = [(5, 9, None), (10, 20, None), (22, 30, None), (31, 31, None)];
        assert_eq!(gaps(&updates), [(21, 22, 1)]);
    }

    #[test]
    fn a_jump_back_and_a_repetition_are_gaps_too() {
        assert_eq!(gaps(&[(5, 9, Some(2)), (5, 9, Some(2))]), [(9, 2, 0)]);
        assert_eq!(gaps(&[(5, u64::MAX, None), (5, 9, None)]), [(u64::MAX, 5, 0)]);
    }
}
