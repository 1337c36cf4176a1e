//! The machine: which core a thread runs on, what the time stamp counter counts, what is under us.

use std::error::Error;
use std::fs::read_to_string;
use std::path::Path;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_setaffinity};
use tapelog::now;

/// Pins the calling thread; threads that it starts from now on inherit the core.
pub(crate) fn pin(core: usize) -> Result<(), Box<dyn Error>> {
    let mut set = CpuSet::new();
    if core >= CpuSet::MAX_CPU {
        return Err(format!("core {core}: there are none above {}", CpuSet::MAX_CPU - 1).into());
    }
    set.set(core);
    sched_setaffinity(None, &set).map_err(|error| {
        format!("core {core}: {error}; choose two cores of this machine with --cores P,B")
    })?;
    Ok(())
}

/// How many ticks of the time stamp counter make a nanosecond.
pub(crate) fn ticks_per_ns() -> f64 {
    let (start, ticks) = (Instant::now(), now());
    while start.elapsed() < Duration::from_millis(100) {
        std::hint::spin_loop();
    }
    (now().0 - ticks.0) as f64 / start.elapsed().as_nanos() as f64
}

/// One line about the machine and the file system that the logs are on.
pub(crate) fn description(directory: &Path) -> String {
    let field = |text: &str, key: &str| {
        text.lines()
            .find(|line| line.starts_with(key))
            .and_then(|line| line.split_once(':'))
            .map(|(_, value)| value.trim().to_owned())
    };
    let processors = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = field(&processors, "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let governor = read_to_string("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    let uname = rustix::system::uname();
    format!(
        "{model}, {} cores, governor {}, {} {}, {}",
        available_parallelism().map_or(1, usize::from),
        governor.as_deref().map_or("unknown", str::trim),
        uname.sysname().to_string_lossy(),
        uname.release().to_string_lossy(),
        file_system(directory),
    )
}

fn file_system(directory: &Path) -> String {
    match rustix::fs::statfs(directory).map(|found| found.f_type as u64 & 0xffff_ffff) {
        Ok(0xef53) => "ext4".to_owned(),
        Ok(0x5846_5342) => "xfs".to_owned(),
        Ok(0x9123_683e) => "btrfs".to_owned(),
        Ok(0x0102_1994) => "tmpfs".to_owned(),
        Ok(other) => format!("file system {other:#x}"),
        Err(error) => format!("file system unknown ({error})"),
    }
}
