//! What a run was measured on, as far as the system tells.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tapelog::now;

use super::model::Machine;

const UNKNOWN: &str = "unknown";
/// How long the counter is compared with the system's clock.
const TICK_TIME: Duration = Duration::from_millis(100);
/// Readings in which the counter's step is looked for.
const STEP_READINGS: usize = 100_000;
/// Of so many differences between readings one must be the same, so that it counts: a counter that
/// a hypervisor scales is rounded now and then.
const COMMON_SHARE: usize = 50;

/// The counter behind `tapelog::now`, as it is on this machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counter {
    pub(super) nanos_per_tick: f64,
    /// What it counts on by at once: two readings differ by a multiple of this.
    pub(super) step_ns: f64,
}

impl Counter {
    /// How far it counts in this time.
    pub(super) fn ticks(self, time: Duration) -> u64 {
        (time.as_nanos() as f64 / self.nanos_per_tick) as u64
    }

    /// Compares it with the system's clock for a tenth of a second.
    pub(super) fn measure() -> Self {
        let (start, ticks) = (Instant::now(), now());
        while start.elapsed() < TICK_TIME {
            std::hint::spin_loop();
        }
        let passed = now().0.saturating_sub(ticks.0).max(1);
        let nanos_per_tick = start.elapsed().as_nanos() as f64 / passed as f64;
        let readings: Vec<u64> = (0..STEP_READINGS).map(|_| now().0).collect();
        let step = step_of(&readings);
        Self { nanos_per_tick, step_ns: step as f64 * nanos_per_tick }
    }
}

/// The least distance that successive readings commonly have: no shorter time can be told, whether
/// the counter steps by it or reading it takes so long. Readings in the same step of a counter that a
/// hypervisor scales may be one tick apart: that is rounding.
fn step_of(readings: &[u64]) -> u64 {
    let mut differences: Vec<u64> =
        readings.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
    differences.sort_unstable();
    differences
        .chunk_by(|one, other| one == other)
        .find(|chunk| chunk[0] > 1 && chunk.len() >= differences.len() / COMMON_SHARE)
        .map_or(1, |chunk| chunk[0])
}

/// Describes the machine, and the file system of `directory`.
pub(super) fn describe(directory: &Path, counter: Counter) -> Machine {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = cpu_field(&cpuinfo, "flags").unwrap_or_default();
    let has = |name| flags.split(' ').any(|flag| flag == name);
    Machine {
        cpu: cpu_name(&cpuinfo),
        cores: std::thread::available_parallelism().map_or(0, |cores| cores.get() as u32),
        kernel: first_line("/proc/sys/kernel/osrelease"),
        governor: first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        memory_bytes: memory_bytes(&fs::read_to_string("/proc/meminfo").unwrap_or_default()),
        hypervisor: if has("hypervisor") { hypervisor() } else { "none".to_owned() },
        tsc_invariant: has("constant_tsc") && has("nonstop_tsc"),
        tsc_hz: 1e9 / counter.nanos_per_tick,
        filesystem: filesystem(directory),
        rustc: env!("BUILT_WITH_RUSTC").to_owned(),
    }
}

/// The commit that the program was built from: that of its checkout, if it is still there.
pub(super) fn commit() -> String {
    if let Some(given) = option_env!("BUILT_WITH_COMMIT") {
        return given.to_owned();
    }
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        let output = git.arg("-C").arg(env!("CARGO_MANIFEST_DIR")).args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else { return UNKNOWN.to_owned() };
    let changes = git(&["status", "--porcelain", "--untracked-files=no"]);
    let is_clean = changes.is_some_and(|changes| changes.is_empty());
    if is_clean { commit } else { format!("{commit}+changes") }
}

fn first_line(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().next().map(str::trim).filter(|line| !line.is_empty());
    line.unwrap_or(UNKNOWN).to_owned()
}

fn cpu_field<'a>(cpuinfo: &'a str, name: &str) -> Option<&'a str> {
    cpuinfo.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

/// Name, family and model: a hypervisor often leaves little of the name.
fn cpu_name(cpuinfo: &str) -> String {
    let Some(name) = cpu_field(cpuinfo, "model name") else { return UNKNOWN.to_owned() };
    match (cpu_field(cpuinfo, "cpu family"), cpu_field(cpuinfo, "model")) {
        (Some(family), Some(model)) => format!("{name} (family {family}, model {model})"),
        _ => name.to_owned(),
    }
}

fn memory_bytes(meminfo: &str) -> u64 {
    let total = cpu_field(meminfo, "MemTotal").unwrap_or_default();
    let kib = total.split(' ').next().and_then(|number| number.parse().ok());
    kib.unwrap_or(0) * 1024
}

/// What the hypervisor calls itself in leaf 4000_0000h, which is kept free for that.
#[cfg(target_arch = "x86_64")]
fn hypervisor() -> String {
    let leaf = std::arch::x86_64::__cpuid(0x4000_0000);
    let bytes = [leaf.ebx, leaf.ecx, leaf.edx].map(u32::to_le_bytes).concat();
    let name = String::from_utf8_lossy(&bytes);
    let name = name.trim_end_matches('\0');
    let name = match name {
        "" => UNKNOWN,
        "KVMKVMKVM" => "KVM",
        "Microsoft Hv" => "Hyper-V",
        "VMwareVMware" => "VMware",
        "XenVMMXenVMM" => "Xen",
        other => other,
    };
    name.to_owned()
}

#[cfg(not(target_arch = "x86_64"))]
fn hypervisor() -> String {
    first_line("/sys/hypervisor/type")
}

/// The type of the file system that holds `directory`.
fn filesystem(directory: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    filesystem_in(&mounts, &directory)
}

/// Looks in the lines of `mountinfo` (proc(5)): the fifth word is the mount point, the word behind
/// ` - ` the type. The longest mount point counts, and of equal ones the last.
fn filesystem_in(mounts: &str, directory: &Path) -> String {
    let mount = |line: &str| {
        let (mount, kind) = line.split_once(" - ")?;
        let point = PathBuf::from(mount.split(' ').nth(4)?);
        Some((point, kind.split(' ').next()?.to_owned()))
    };
    let holding = mounts.lines().filter_map(mount).filter(|(at, _)| directory.starts_with(at));
    let deepest = holding.max_by_key(|(at, _)| at.components().count());
    deepest.map_or_else(|| UNKNOWN.to_owned(), |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_mount_tells_the_file_system() {
        let mounts = "21 1 8:1 / / rw - ext4 /dev/vda rw\n\
                      22 21 0:5 / /dev rw - devtmpfs dev rw\n\
                      23 22 0:6 / /dev/shm rw - tmpfs tmpfs rw\n";
        assert_eq!(filesystem_in(mounts, Path::new("/dev/shm/x")), "tmpfs");
        assert_eq!(filesystem_in(mounts, Path::new("/home/x")), "ext4");
        assert_eq!(filesystem_in("", Path::new("/home/x")), UNKNOWN);
    }

    #[test]
    fn the_step_is_what_common_differences_differ_by() {
        let readings = |differences: &[u64]| {
            let mut at = 1_000;
            let next = |difference: &u64| {
                at += difference;
                at
            };
            differences.iter().cycle().take(1_000).map(next).collect::<Vec<_>>()
        };
        assert_eq!(step_of(&readings(&[26, 26, 52, 26])), 26);
        assert_eq!(step_of(&readings(&[0, 26, 1, 52])), 26);
        assert_eq!(step_of(&readings(&[25, 26, 26, 26, 51, 52, 52])), 25);
        assert_eq!(step_of(&[7]), 1);
    }

    #[test]
    fn fields_are_read_and_missing_ones_are_unknown() {
        let cpuinfo = "cpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n";
        assert_eq!(cpu_name(cpuinfo), "AMD EPYC (family 25, model 17)");
        assert_eq!(cpu_name(""), UNKNOWN);
        assert_eq!(memory_bytes("MemTotal:       1000 kB\n"), 1_024_000);
        assert_eq!(first_line("/nonexistent"), UNKNOWN);
    }
}
