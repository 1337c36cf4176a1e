//! Programs under strace: what they ask of the system is seen, delayed or refused from outside.

use std::ffi::OsStr;
use std::process::{Command, Output};

/// Runs a program under strace with these options, which one blank parts; `None` where that cannot be
/// done here, with the reason printed.
pub(crate) fn under_strace(options: &str, inner: &Command) -> Option<Output> {
    let strace = |program: &OsStr| {
        let mut strace = Command::new("strace");
        strace.args(options.split(' ')).arg(program);
        strace
    };
    let may = strace("true".as_ref()).output();
    if !may.as_ref().is_ok_and(|output| output.status.success()) {
        crate::support::skip(format_args!("strace does not run here ({may:?})"));
        return None;
    }
    let mut strace = strace(inner.get_program());
    strace.args(inner.get_args());
    for (key, value) in inner.get_envs() {
        strace.env(key, value.unwrap());
    }
    Some(strace.output().unwrap())
}
