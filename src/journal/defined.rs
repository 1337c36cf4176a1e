//! What the segment that is being written defines already.

use smallvec::SmallVec;

/// Site ids above this are not remembered; no program has so many call sites.
const SITES_MAX: u32 = 1 << 20;

/// A site or a context that a run needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needed {
    Site(u32),
    Context(u32),
}

/// The definitions that a run needs and the segment does not have yet.
pub(super) type NeededList = SmallVec<[Needed; 8]>;

/// The sites and contexts of one ring that are defined in the segment.
#[derive(Debug)]
pub(crate) struct Defined {
    ring_id: u64,
    /// A bit for each site id.
    sites: Vec<u64>,
    /// The same, for sites whose records hold text; kept from segment to segment.
    texts: Vec<u64>,
    /// For each context slot the id that was defined last, 0 for none.
    contexts: Vec<u32>,
    /// The sites and contexts whose records are urgent. They are kept out of the tables above, so
    /// that the others cost nothing more.
    urgent: Vec<Needed>,
    /// Whether they are told apart.
    watches: bool,
}

impl Defined {
    pub(super) fn new(ring_id: u64) -> Self {
        Self {
            ring_id,
            sites: Vec::new(),
            texts: Vec::new(),
            contexts: Vec::new(),
            urgent: Vec::new(),
            watches: false,
        }
    }

    pub(super) fn ring_id(&self) -> u64 {
        self.ring_id
    }

    /// Starts a new segment.
    pub(super) fn clear(&mut self) {
        self.sites.fill(0);
        self.contexts.fill(0);
        self.urgent.clear();
    }

    /// Asks for urgent records to be told apart.
    pub(super) fn watch(&mut self) {
        self.watches = true;
    }

    /// Whether urgent records are to be told apart.
    pub(super) fn watches(&self) -> bool {
        self.watches
    }

    /// Notes what was defined. What is urgent is found to be needed again by the next run that names
    /// it, and [`Defined::take_urgent`] then knows it.
    pub(super) fn settle(&mut self, defined: Needed, urgent: bool) {
        if let Needed::Context(id) = defined {
            // One slot has one context.
            let same_slot = |known: &Needed| matches!(known, Needed::Context(other) if other & 0xffff == id & 0xffff);
            self.urgent.retain(|known| !same_slot(known));
        }
        if urgent {
            self.forget(defined);
            self.urgent.push(defined);
        }
    }

    /// Takes out of what a run needs what is urgent, and defined already; whether there was any.
    #[inline]
    pub(super) fn take_urgent(&mut self, needed: &mut NeededList) -> bool {
        if self.urgent.is_empty() || needed.is_empty() {
            return false;
        }
        let before = needed.len();
        needed.retain(|needed| {
            let known = self.urgent.contains(needed);
            if known {
                self.forget(*needed);
            }
            !known
        });
        needed.len() < before
    }

    /// Notes that records of site `id` hold text.
    pub(super) fn note_text(&mut self, id: u32) {
        let word = id as usize / 64;
        if id < SITES_MAX {
            if self.texts.len() <= word {
                self.texts.resize((word + 1).next_power_of_two(), 0);
            }
            self.texts[word] |= 1 << (id % 64);
        }
    }

    /// Notes that a record names site `id`; adds it to `needed` the first time. Whether its records
    /// are known to hold text.
    #[inline]
    pub(super) fn note_site(&mut self, id: u32, needed: &mut NeededList) -> bool {
        let (word, bit) = (id as usize / 64, 1_u64 << (id % 64));
        match self.sites.get_mut(word) {
            Some(bits) if *bits & bit != 0 => {}
            Some(bits) => {
                *bits |= bit;
                needed.push(Needed::Site(id));
            }
            None => self.note_high_site(id, needed),
        }
        self.texts.get(word).is_some_and(|bits| bits & bit != 0)
    }

    #[cold]
    fn note_high_site(&mut self, id: u32, needed: &mut NeededList) {
        if id >= SITES_MAX {
            if !needed.contains(&Needed::Site(id)) {
                needed.push(Needed::Site(id));
            }
            return;
        }
        self.sites.resize((id as usize / 64 + 1).next_power_of_two(), 0);
        self.note_site(id, needed);
    }

    /// Notes that a record names context `id`; adds it to `needed` unless it is the one that was
    /// defined last for its slot.
    #[inline]
    pub(super) fn note_context(&mut self, id: u32, needed: &mut NeededList) {
        let slot = (id & 0xffff) as usize;
        if slot >= self.contexts.len() {
            self.contexts.resize((slot + 1).next_power_of_two(), 0);
        }
        if self.contexts[slot] != id {
            self.contexts[slot] = id;
            needed.push(Needed::Context(id));
        }
    }

    /// Every context is needed again, an urgent one, too.
    pub(super) fn forget_contexts(&mut self) {
        self.contexts.fill(0);
        self.urgent.retain(|known| !matches!(known, Needed::Context(_)));
    }

    /// Takes a note back: the definition was not written.
    pub(super) fn forget(&mut self, needed: Needed) {
        match needed {
            Needed::Site(id) => {
                if let Some(bits) = self.sites.get_mut(id as usize / 64) {
                    *bits &= !(1 << (id % 64));
                }
            }
            Needed::Context(id) => {
                if let Some(last) = self.contexts.get_mut((id & 0xffff) as usize) {
                    *last = 0;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_urgent_is_met_in_every_run_and_defined_once() {
        let mut defined = Defined::new(1);
        let run = |defined: &mut Defined| {
            let mut needed = NeededList::new();
            for _ in 0..3 {
                defined.note_site(1, &mut needed);
                defined.note_site(2, &mut needed);
                defined.note_context(0x1_0001, &mut needed);
            }
            let urgent = defined.take_urgent(&mut needed);
            (needed.to_vec(), urgent)
        };
        let all = vec![Needed::Site(1), Needed::Site(2), Needed::Context(0x1_0001)];
        assert_eq!(run(&mut defined), (all.clone(), false));
        for needed in all {
            defined.settle(needed, needed == Needed::Site(2));
        }
        assert_eq!(run(&mut defined), (vec![], true));
        assert_eq!(run(&mut defined), (vec![], true));
        defined.settle(Needed::Context(0x1_0001), true);
        defined.settle(Needed::Context(0x2_0001), false);
        let mut needed = NeededList::new();
        defined.note_context(0x1_0001, &mut needed);
        assert!(!defined.take_urgent(&mut needed), "its slot has another one now");
        assert_eq!(needed.len(), 1);
    }

    #[test]
    fn a_definition_is_needed_once_and_again_when_its_slot_was_used_by_another() {
        let mut defined = Defined::new(1);
        let mut needed = NeededList::new();
        for id in [1, 70, 1, 70, SITES_MAX + 1, SITES_MAX + 1] {
            defined.note_site(id, &mut needed);
        }
        for id in [0x1_0001, 0x1_0001, 0x2_0001, 0x1_0001] {
            defined.note_context(id, &mut needed);
        }
        let expected = [
            Needed::Site(1),
            Needed::Site(70),
            Needed::Site(SITES_MAX + 1),
            Needed::Context(0x1_0001),
            Needed::Context(0x2_0001),
            Needed::Context(0x1_0001),
        ];
        assert_eq!(needed[..], expected);
        defined.forget(Needed::Site(70));
        defined.note_site(70, &mut needed);
        assert_eq!(needed.last(), Some(&Needed::Site(70)));
    }
}
