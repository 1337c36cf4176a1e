//! Goal: a second demo in a directory in use is refused with the owner's number and advice, and
//! harms nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod support;

use std::time::Duration;

use support::{cat, log, stderr, stdout, tapelog};
use tapelog::{MetaLogger, info};

#[test]
fn a_directory_in_use_is_refused_and_its_owner_goes_on() {
    let root = tempfile::tempdir().unwrap();
    let builder = MetaLogger::builder().log_dir(root.path()).log_to_console(false);
    // Lines are counted: a call that the machine holds up is not told.
    let (owner, guard) = builder.latency_warning(Duration::ZERO).build().unwrap();
    info!(owner, "before");
    let run = tapelog().args(["demo", "--dir"]).arg(root.path()).output().unwrap();
    assert_eq!((run.status.code(), stdout(&run).as_str()), (Some(1), ""));
    let told = stderr(&run);
    assert!(told.starts_with("tapelog: the demo cannot log to "), "{told}");
    assert!(told.contains(&format!("process {}", std::process::id())), "{told}");
    assert!(told.contains("--dir") && told.contains("directory of its own"), "{told}");
    info!(owner, "after");
    owner.flush(Duration::from_secs(20)).unwrap();
    drop(guard);
    assert_eq!(log(root.path(), "expert.log").lines().count(), 2);
    assert_eq!(cat(root.path(), "text"), log(root.path(), "expert.log"));
}
