//! The names that are masked change while the program runs: call sites and bound contexts that were
//! used before go by the new ones.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::Path;

use support::{Desk, PATIENCE};
use tapelog::{MetaLogger, context, info};

/// How often `text` stands in the files of a directory.
fn count(directory: &Path, text: &str) -> usize {
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let of = |path: std::path::PathBuf| {
        if path.is_dir() {
            return count(&path, text);
        }
        // A segment has another name while it is made.
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return 0,
            read => read.unwrap(),
        };
        bytes.windows(text.len()).filter(|part| *part == text.as_bytes()).count()
    };
    files.map(of).sum()
}

fn log_pin(log: &MetaLogger, pin: &str) {
    info!(log, "a pin", pin, user = "ann");
}

#[test]
fn sites_and_contexts_follow_the_names_that_are_in_force() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    let bound = log.bind(context! { vault = "v-81423", pin = 90_210_u64, short = true });
    let last = log.bind(context! { desk = 7, vault = "which ends with t-70707" });
    let long = log.bind(context! { vault = "v-81423", filler = "x".repeat(510) });
    log_pin(&bound, "p-11111");
    log.flush(PATIENCE).unwrap();
    drop(log.bind(context! { vault = "v-81423", gone = true }));
    assert_eq!(count(&desk.ring_dir(), "v-81423"), 2, "in the definitions of the contexts");
    let before = count(&desk.logs(), "v-81423");

    log.set_mask_keys(&["pin", "va*", "short"]).unwrap();
    log_pin(&bound, "p-22222");
    info!(long, "it carries its context");
    let inner = bound.bind(context! { side = "BUY" });
    log_pin(&inner, "p-33333");
    log.info("dynamic", &[("pin", "p-44444".into())]).unwrap();
    log.flush(PATIENCE).unwrap();
    for secret in ["p-22222", "p-33333", "p-44444"] {
        assert_eq!(count(&desk.ring_dir(), secret), 0, "{secret} in the ring");
        assert_eq!(count(&desk.logs(), secret), 0, "{secret} in the logs");
    }
    assert_eq!(count(&desk.logs(), "v-81423"), before, "nothing new");
    assert_eq!(count(&desk.ring_dir(), "v-81423"), 0, "no bound context has it any more");
    assert_eq!(count(&desk.ring_dir(), "t-70707"), 0, "nor is its end left behind");

    log.set_mask_keys(&["-pin"; 1]).unwrap();
    log_pin(&log, "p-55555");
    drop((bound, inner, long, last));
    drop(guard);
    let lines = desk.lines("expert.log");
    assert!(lines[0].contains("pin=p-11111") && lines[0].contains("vault=v-81423"));
    for line in &lines[1..4] {
        assert!(line.contains("vault=***") && !line.contains("81423"), "{line}");
    }
    assert!(lines[1].contains("short=***") && lines[1].contains("pin=***"), "{}", lines[1]);
    assert!(lines[3].contains("side=BUY"), "{}", lines[3]);
    assert!(lines[4].ends_with("dynamic pin=***"), "{}", lines[4]);
    assert!(lines[5].contains("a pin pin=p-55555"), "{}", lines[5]);
}

#[test]
fn keys_change_under_threads_that_log_and_bind() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().ring_bytes(32_u64 << 20).build().unwrap();
    let changed = std::sync::atomic::AtomicBool::new(false);
    let order = std::sync::atomic::Ordering::SeqCst;
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..3_000 {
                    // Read before the call begins: from then on nothing may be seen.
                    let (pin, code) = match changed.load(order) {
                        false => ("early-pin", "early-code"),
                        true => ("LATER-PIN", "LATER-CODE"),
                    };
                    let bound = log.bind(context! { code });
                    log_pin(&bound, pin);
                }
            });
        }
        scope.spawn(|| {
            log.set_mask_keys(&["pin", "code"]).unwrap();
            changed.store(true, order);
        });
    });
    log.flush(PATIENCE).unwrap();
    assert_eq!(log.stats().lost.total(), 0);
    for secret in ["LATER-PIN", "LATER-CODE"] {
        assert_eq!(count(&desk.ring_dir(), secret), 0, "{secret} in the ring");
        assert_eq!(count(&desk.logs(), secret), 0, "{secret} in the logs");
    }
    drop(guard);
    assert_eq!(desk.lines("expert.log").len(), 9_000);
}

#[test]
fn what_is_no_key_is_refused_and_changes_nothing() {
    let desk = Desk::new();
    let (log, guard) = desk.builder().build().unwrap();
    let told = log.set_mask_keys(&["user", "a*b", "x:9"]).unwrap_err().to_string();
    assert!(
        told.contains(r#"mask_keys = "a*b""#) && told.contains(r#"mask_keys = "x:9""#),
        "{told}"
    );
    log_pin(&log, "p-66666");
    drop(guard);
    assert!(desk.lines("expert.log")[0].contains("user=ann"));
    let wrong = Desk::new().builder().mask_patterns(["(a".to_owned(), "b*".to_owned()]).build();
    let told = wrong.unwrap_err().to_string();
    assert!(told.contains("unclosed group") && told.contains("empty text"), "{told}");
}
