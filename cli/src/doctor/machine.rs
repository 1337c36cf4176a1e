//! What the machine and the session give: clock, cores, swap, limits, logind.

use std::fs;
use std::path::Path;

use rustix::process::{Resource, getrlimit};
use tapelog::Configuration;

use super::finding::{Finding, size};

/// Users below this are the system's: logind leaves their files alone.
const FIRST_ORDINARY_USER: u32 = 1000;
/// Memory that is locked beside the ring.
const LOCKED_BESIDE_BYTES: u64 = 1 << 20;

/// Everything about the machine.
pub(super) fn check(configuration: &Configuration, findings: &mut Vec<Finding>) {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let source = read("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    findings.push(clock(&read("/proc/cpuinfo"), source.trim(), cfg!(target_arch = "x86_64")));
    findings.push(cores(std::thread::available_parallelism().map_or(1, usize::from)));
    findings.push(swap(&read("/proc/swaps"), configuration.mlock));
    let user = rustix::process::geteuid().as_raw();
    let logind = Path::new("/run/systemd/seats").is_dir();
    findings.push(remove_ipc(&logind_texts(Path::new("/")), user, logind));
    limits(configuration, findings);
}

/// Whether ticks of all cores are the same and go on for ever.
pub(super) fn clock(cpuinfo: &str, source: &str, x86: bool) -> Finding {
    const CHECK: &str = "clock";
    if !x86 {
        return Finding::ok(CHECK, "the architecture's counter is the same on all cores");
    }
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    let has = |name: &str| flags.split_whitespace().any(|flag| flag == name);
    if has("constant_tsc") && has("nonstop_tsc") {
        if source == "tsc" || source.is_empty() {
            return Finding::ok(CHECK, "the time stamp counter is invariant");
        }
        return Finding::note(
            CHECK,
            format!("the counter is invariant, but the kernel's clock source is {source}"),
            "see what `dmesg | grep -i tsc` says; on a virtual machine that is often the \
             hypervisor's choice and no harm",
        );
    }
    Finding::problem(
        CHECK,
        "the processor does not tell constant_tsc and nonstop_tsc: ticks may differ between cores",
        "stamps may be wrong: use a machine with an invariant counter, or bring your own with `at:`",
    )
}

/// Whether the writer has a core beside the program's.
pub(super) fn cores(count: usize) -> Finding {
    const CHECK: &str = "cores";
    match count {
        1 => Finding::problem(
            CHECK,
            "one core: the writer takes the trading thread's time",
            "give the process a second core (affinity, cgroup, machine)",
        ),
        2 => Finding::note(
            CHECK,
            "two cores: drain and view share one under load",
            "threading = \"shared\" saves a thread; a third core lets the logs keep up",
        ),
        _ => Finding::ok(CHECK, format!("{count} cores")),
    }
}

/// Whether the ring can be swapped out.
pub(super) fn swap(swaps: &str, mlock: bool) -> Finding {
    const CHECK: &str = "swap";
    if swaps.lines().skip(1).all(|line| line.trim().is_empty()) {
        Finding::ok(CHECK, "no swap")
    } else if mlock {
        Finding::ok(CHECK, "there is swap, and mlock = true keeps the ring in memory")
    } else {
        Finding::note(
            CHECK,
            "there is swap: the ring may be swapped out, and a call then waits for the disk",
            "mlock = true, or no swap on a trading machine",
        )
    }
}

/// The configuration files of logind in the order in which they count.
pub(super) fn logind_texts(root: &Path) -> Vec<String> {
    let mut texts = vec!["etc/systemd/logind.conf".into()];
    for directory in ["usr/lib/systemd/logind.conf.d", "etc/systemd/logind.conf.d"] {
        let listed = fs::read_dir(root.join(directory)).into_iter().flatten().flatten();
        let mut names: Vec<_> = listed.map(|entry| entry.path()).collect();
        names.sort();
        texts.extend(names);
    }
    texts.iter().filter_map(|path| fs::read_to_string(root.join(path)).ok()).collect()
}

/// Whether logind removes the ring when its user logs out.
pub(super) fn remove_ipc(texts: &[String], user: u32, logind: bool) -> Finding {
    const CHECK: &str = "RemoveIPC";
    if !logind || user < FIRST_ORDINARY_USER {
        let why = if logind { "it spares the system's users" } else { "there is none" };
        return Finding::ok(CHECK, format!("logind removes no rings: {why}"));
    }
    let mut values = texts.iter().flat_map(|text| text.lines()).filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "RemoveIPC").then(|| value.trim().to_ascii_lowercase())
    });
    if values.next_back().is_some_and(|value| matches!(&*value, "no" | "false" | "off" | "0")) {
        return Finding::ok(CHECK, "RemoveIPC = no");
    }
    Finding::problem(
        CHECK,
        "logind removes this user's files in /dev/shm when the last session ends: a program that \
         runs on has no ring that could be recovered",
        "RemoveIPC=no in /etc/systemd/logind.conf, `loginctl enable-linger`, or a system user",
    )
}

fn limits(configuration: &Configuration, findings: &mut Vec<Finding>) {
    let limit = |what| getrlimit(what).current.unwrap_or(u64::MAX);
    let locked = configuration.ring_bytes.saturating_add(LOCKED_BESIDE_BYTES);
    findings.push(memlock(limit(Resource::Memlock), configuration.mlock.then_some(locked)));
    findings.push(open_files(limit(Resource::Nofile)));
    let longest = [
        configuration.ring_bytes,
        configuration.journal_segment_bytes,
        configuration.log_max_file_size,
    ];
    findings.push(file_size(limit(Resource::Fsize), longest.into_iter().max().unwrap_or(0)));
}

pub(super) fn memlock(limit: u64, wanted: Option<u64>) -> Finding {
    const CHECK: &str = "memlock";
    match wanted {
        Some(wanted) if limit < wanted => Finding::problem(
            CHECK,
            format!("RLIMIT_MEMLOCK is {}, and mlock = true needs {}", size(limit), size(wanted)),
            "raise it: `ulimit -l`, LimitMEMLOCK=, or limits.conf",
        ),
        Some(_) => Finding::ok(CHECK, "RLIMIT_MEMLOCK allows mlock = true"),
        None => Finding::ok(CHECK, "mlock = false: no memory is locked"),
    }
}

pub(super) fn open_files(limit: u64) -> Finding {
    const CHECK: &str = "nofile";
    match limit {
        0..64 => Finding::problem(
            CHECK,
            format!("only {limit} open files: logs and segments may not be opened"),
            "raise it: `ulimit -n`, LimitNOFILE=",
        ),
        64..256 => Finding::note(
            CHECK,
            format!("only {limit} open files, for the program and its logs together"),
            "raise it: `ulimit -n`, LimitNOFILE=",
        ),
        _ => Finding::ok(CHECK, "enough open files"),
    }
}

pub(super) fn file_size(limit: u64, longest: u64) -> Finding {
    const CHECK: &str = "fsize";
    if limit < longest {
        return Finding::problem(
            CHECK,
            format!("RLIMIT_FSIZE is {}, the longest file has {}", size(limit), size(longest)),
            "raise it: `ulimit -f`; until then journal or ring lie in ordinary memory",
        );
    }
    Finding::ok(CHECK, "files may be as long as they get")
}
