//! Sites and contexts.

use super::*;

#[test]
fn sites_are_defined_once_until_the_room_is_used_up() {
    let (ring, _drain) = ring();
    let definitions = ring.definitions();
    assert_eq!(definitions.site(1), None);
    assert!(definitions.define_site(1, b"src/main.rs:10"));
    assert!(definitions.define_site(1, b"another"), "defining it again changes nothing");
    assert_eq!(definitions.site(1).unwrap(), b"src/main.rs:10");
    assert!(!definitions.define_site(0, b"no id"));
    assert!(!definitions.define_site(u32::MAX, b"an id beyond the index"));
    assert!(!definitions.define_site(2, &[0; 5000]), "more than the heap holds");
    let long = [7; 1000];
    let defined = (2..20).filter(|&id| definitions.define_site(id, &long)).count();
    assert_eq!(defined, 3, "half of 8 KiB, less the index");
    assert_eq!(definitions.site(4).unwrap(), long);
    assert_eq!(definitions.site(5), None);
}

#[test]
fn a_context_slot_is_free_again_after_one_whole_pass() {
    let (ring, mut drain) = ring();
    let definitions = ring.definitions();
    let handle = ring.register();
    let slots: Vec<_> =
        std::iter::from_fn(|| definitions.define_context(b"some context")).collect();
    assert!(slots.len() >= 4);
    assert_eq!(drain.context(slots[0]).unwrap(), b"some context");
    push(&handle, u64::from(slots[0]), ORDINARY).unwrap();
    drain.begin_pass();
    definitions.retire_context(slots[0]);
    take_lane(&drain, 0);
    drain.commit();
    assert_eq!(definitions.define_context(b"new"), None, "the pass began before it was retired");
    push(&handle, u64::from(slots[0]), ORDINARY).unwrap();
    drain.begin_pass();
    drain.commit();
    assert_eq!(definitions.define_context(b"new"), None, "the pass took nothing");
    assert_eq!(drain.context(slots[0]).unwrap(), b"some context");
    push(&handle, 0, ORDINARY).unwrap();
    drain.begin_pass();
    drain.take(0, {
        let _ = drain.peek(0);
        32
    });
    drain.commit();
    let new = definitions.define_context(b"new").unwrap();
    assert_eq!(new, slots[0] | 1 << 16, "the same slot under a new generation");
    assert_eq!(drain.context(slots[0]), None, "an old id never finds a new context");
    assert_eq!(drain.context(new).unwrap(), b"new");
    definitions.retire_context(slots[0]);
    pass(&mut drain);
    assert_eq!(drain.context(new).unwrap(), b"new", "an old id retires nothing");
    assert_eq!(definitions.define_context(&[0; 513]), None, "longer than a slot");
}
