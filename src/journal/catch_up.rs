//! Beginning in the middle of a segment: what is defined in front of the place.

use super::dictionary::Dictionary;
use super::layout::FIRST_OFFSET;
use super::segment_reader::SegmentReader;

/// Takes in what is defined in front of `place`, through the chain of definitions or, where that
/// is broken or does not reach the place, by reading all of it.
pub(super) fn catch_up(segment: &mut SegmentReader, place: u64, dictionary: &mut Dictionary) {
    if follow_chain(segment, place, dictionary).is_none() {
        read_definitions(segment, place, dictionary);
    }
}

/// Takes in what is defined in front of the frame at `place`, from the last definition to the
/// first. `None` if the chain cannot be followed to its end.
fn follow_chain(
    segment: &mut SegmentReader,
    place: u64,
    dictionary: &mut Dictionary,
) -> Option<()> {
    let mut from = place;
    let mut at = u64::from(segment.frame_at(place).ok()?.previous_definition);
    segment.read_small(true);
    while at != 0 {
        let header = segment.frame_at(at).ok().filter(|header| {
            at < from && header.kind.is_definition() && u64::from(header.previous_definition) < at
        });
        let Some(header) = header else {
            segment.read_small(false);
            return None;
        };
        dictionary.absorb_older(&header, segment.bytes(&header));
        from = at;
        at = header.previous_definition.into();
    }
    segment.read_small(false);
    Some(())
}

/// Takes in what is defined in front of `place` by reading all of it: for a place where no frame
/// stands so far, and around damage.
fn read_definitions(segment: &mut SegmentReader, place: u64, dictionary: &mut Dictionary) {
    let mut at = u64::from(FIRST_OFFSET);
    while at < place {
        match segment.frame_at(at) {
            Ok(header) => {
                dictionary.absorb(&header, segment.bytes(&header));
                at += u64::from(header.length);
            }
            Err(_) => match segment.resync(at + 8) {
                Some(next) => at = next,
                None => break,
            },
        }
    }
}
