//! Sites and contexts.

use loom::thread;

use crate::bench::{Entry, Shape, push, ring, take_lane};
use crate::check::{check, others_first};

/// Who finds a site's definition finds all of it.
///
/// Caught: Relaxed in the exchange of `define_site` and in the load of `site`.
pub fn a_site_is_defined_before_it_is_read() {
    check(3, || {
        let (ring, _drain) = ring(Shape { blocks: 1, records: 1, lanes: 1 });
        let definer = {
            let ring = ring.clone();
            thread::spawn(move || assert!(ring.definitions().define_site(1, b"main.rs")))
        };
        others_first();
        if let Some(site) = ring.definitions().site(1) {
            assert_eq!(&site[..], b"main.rs");
        }
        definer.join().expect("the definer ends");
        assert_eq!(ring.definitions().site(1).as_deref(), Some(&b"main.rs"[..]));
    });
}

/// Who guesses the id of a context that is being defined finds all of it, or nothing.
///
/// Caught: Relaxed for the tag in `define_context` and in `find`.
pub fn a_context_is_defined_before_it_is_read() {
    check(3, || {
        let (ring, drain) = ring(Shape { blocks: 1, records: 1, lanes: 1 });
        let definer = {
            let ring = ring.clone();
            thread::spawn(move || ring.definitions().define_context(b"EURUSD"))
        };
        others_first();
        if let Some(context) = drain.context(1) {
            assert_eq!(&context[..], b"EURUSD");
        }
        assert_eq!(definer.join().expect("the definer ends"), Some(1));
        assert_eq!(drain.context(1).as_deref(), Some(&b"EURUSD"[..]));
    });
}

/// The only slot is retired behind the last record that names it. Another thread waits for the
/// slot; as long as that record was not drained, it does not get it, and the record's context is
/// what it was when it was pushed. The first pass takes nothing.
///
/// Caught: Relaxed in `retire_context`, `retired`, `free_slots` and `claim_slot`; slots freed
/// at the end of a pass that has not taken every lane past the moment of retirement.
pub fn a_context_slot_is_reclaimed_only_after_a_pass() {
    check(3, || {
        let (ring, mut drain) = ring(Shape { blocks: 2, records: 2, lanes: 2 });
        let handle = ring.register();
        let old = ring.definitions().define_context(b"old").expect("a free slot");
        let producer = thread::spawn(move || {
            assert_eq!(push(&handle, 0, u64::from(old)), Ok(()));
            handle.ring().definitions().retire_context(old);
            handle.ring().definitions().define_context(b"new")
        });
        others_first();
        let mut seen = 0;
        for takes in [false, true] {
            drain.begin_pass();
            let found = if takes { take_lane(&drain, 0) } else { Vec::new() };
            for entry in found {
                let Entry::Record { number, .. } = entry else { panic!("nothing is lost") };
                let id = u32::try_from(number).expect("an id");
                assert_eq!(drain.context(id).as_deref(), Some(&b"old"[..]));
                seen += 1;
            }
            drain.commit();
        }
        let new = producer.join().expect("the producer ends");
        if let Some(new) = new {
            assert_eq!(seen, 1, "the slot was free before its last record was drained");
            assert_eq!(new, old | 1 << 16);
            assert_eq!(drain.context(new).as_deref(), Some(&b"new"[..]));
            assert_eq!(drain.context(old), None);
        }
    });
}
