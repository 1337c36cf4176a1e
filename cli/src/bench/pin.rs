//! Pins the calling thread to a processor.

use std::io;

use rustix::thread::{CpuSet, sched_setaffinity};

use super::plan::Cpus;

/// A thread cannot be pinned.
#[derive(Debug, thiserror::Error)]
#[error("cannot pin a producer to processor {cpu}: --producer-cpu names others")]
pub(super) struct NoSuchCpu {
    cpu: u32,
    source: io::Error,
}

/// Pins the calling thread, if a processor is given.
///
/// # Errors
/// [`NoSuchCpu`] if the machine has no such processor, or the process may not use it.
pub(super) fn to(cpu: Option<u32>) -> Result<(), NoSuchCpu> {
    let Some(cpu) = cpu else { return Ok(()) };
    let refused = |source| NoSuchCpu { cpu, source };
    if cpu as usize >= CpuSet::MAX_CPU {
        return Err(refused(io::ErrorKind::InvalidInput.into()));
    }
    let mut cpus = CpuSet::new();
    cpus.set(cpu as usize);
    sched_setaffinity(None, &cpus).map_err(|error| refused(error.into()))
}

/// Tries every processor that producers are to be pinned to, on a thread of its own.
///
/// # Errors
/// [`NoSuchCpu`] names the first that cannot be had.
pub(super) fn check(cpus: &Cpus) -> Result<(), NoSuchCpu> {
    let first_refused = || cpus.producers.iter().try_for_each(|&cpu| to(Some(cpu)));
    std::thread::scope(|scope| scope.spawn(first_refused).join().unwrap_or(Ok(())))
}
