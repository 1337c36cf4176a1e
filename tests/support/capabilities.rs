//! What root may do beyond a user's rights, given up: for the calling thread, and for those that it starts
//! from then on. Programs that it executes have it again.

#![allow(dead_code, reason = "every scenario uses a part of this")]

use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

/// All of it.
pub(crate) fn give_up_all() {
    give_up(CapabilitySet::all());
}

/// Opening files whose mode does not allow it.
pub(crate) fn obey_modes() {
    give_up(CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH);
}

fn give_up(given_up: CapabilitySet) {
    let mut sets = capabilities(None).expect("the thread's capabilities");
    for set in [&mut sets.effective, &mut sets.permitted, &mut sets.inheritable] {
        set.remove(given_up);
    }
    set_capabilities(None, sets).expect("fewer capabilities");
}
