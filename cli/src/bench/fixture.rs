//! A run as the laboratory saves it, made up for tests: the same each time.

use super::model::{Case, FORMAT, Machine, NapControl, Percentiles, Run, Throughput};

const NAMES: [&str; 6] =
    ["int_int_double", "int_int_string40", "no_args", "bound_context", "vec16_strings", "disabled"];
/// The store control.
const STORES: Percentiles = Percentiles { p50: 2.1, p90: 9.3, p99: 21.7, p999: 70.9, max: 83.3 };
const FLOOR_NS: f64 = 10.0;
const ROUNDS: u32 = 5;
const SAMPLES: u64 = 20_000;

/// A run in which every row of the budget is met.
pub(super) fn run() -> Run {
    let mut cases = Vec::new();
    let mut random = Random(7);
    for mode in ["batch20", "per_call"] {
        for name in NAMES {
            for (stamp, face) in [
                ("own", "producer"),
                ("caller", "producer"),
                ("own", "logger"),
                ("caller", "logger"),
            ] {
                cases.push(case(name, stamp, face, mode, &mut random));
            }
        }
    }
    let throughput = [
        ("journal_mapped", 1, 62.1e6, 48, 0.83),
        ("journal_plain", 1, 58.4e6, 48, 0.79),
        ("journal_mapped", 2, 55.0e6, 48, 0.74),
        ("text", 1, 6.31e6, 122, 0.22),
        ("json", 1, 5.12e6, 171, 0.25),
        ("all_three", 1, 3.07e6, 340, 0.31),
    ];
    Run {
        format: FORMAT,
        command: "tapelog bench --quick --json run.json --report run.html".to_owned(),
        commit: "4bbb090c1f0e".to_owned(),
        started: "2026-11-23T16:00:00Z".to_owned(),
        machine: Machine {
            cpu: "AMD EPYC 9R14 96-Core Processor".to_owned(),
            cores: 2,
            kernel: "Linux 6.18.0 x86_64".to_owned(),
            governor: "unknown".to_owned(),
            memory_bytes: 24 << 30,
            hypervisor: "KVM".to_owned(),
            tsc_invariant: true,
            tsc_hz: 2.6e9,
            filesystem: "ext4".to_owned(),
            rustc: "rustc 1.95.0".to_owned(),
        },
        rdtsc_floor_ns: FLOOR_NS,
        timer_pair_ns: Percentiles { p50: 10.0, p90: 10.0, p99: 10.0, p999: 90.1, max: 620.9 },
        store_control_ns: Some(STORES),
        cases,
        throughput: throughput.map(sustained).into(),
        nap_control: Some(NapControl { seconds: 2.1, naps: 30_000, late: 3, longest_ms: 8.25 }),
        problems: Vec::new(),
    }
}

fn sustained(
    (name, producers, rate, record_bytes, share): (&str, u32, f64, u64, f64),
) -> Throughput {
    let records = 4_000_000;
    let bytes_per_s = rate * record_bytes as f64;
    Throughput {
        name: name.to_owned(),
        producers,
        records,
        seconds: records as f64 / rate,
        records_per_s: rate,
        bytes_per_s,
        lost: 0,
        file_bytes: records * record_bytes,
        bytes_dirtied: records * record_bytes,
        rounds: 3,
        round_records_per_s: vec![rate * 0.95, rate, rate * 1.03],
        control_bytes_per_s: bytes_per_s / share,
        share_of_control: share,
        overflow: "block 5 ms".to_owned(),
    }
}

/// A case with a body, a shoulder and a tail, as measured ones have.
fn case(name: &str, stamp: &str, face: &str, mode: &str, random: &mut Random) -> Case {
    let clock = if stamp == "own" && name != "disabled" { FLOOR_NS } else { 0.0 };
    let work = match name {
        "int_int_string40" => 3.5,
        "vec16_strings" => 60.0,
        "disabled" => 0.3,
        _ => 1.2,
    };
    let detour = if face == "logger" && name != "disabled" { 1.0 } else { 0.0 };
    let (timer, step) = if mode == "batch20" { (0.0, 0.1) } else { (10.0, 10.0) };
    let base = clock + work + detour + timer;
    let mut samples: Vec<f64> = (0..SAMPLES)
        .map(|at| {
            let noise = match at % 2_000 {
                0 => 400.0 * random.tail(),
                1..=20 => 12.0 * random.tail().min(1.4),
                _ => 0.4 * random.unit(),
            };
            ((base + noise) / step).round() * step
        })
        .collect();
    samples.sort_by(f64::total_cmp);
    let at = |share: f64| samples[((SAMPLES - 1) as f64 * share) as usize];
    let times =
        Percentiles { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1.0) };
    Case {
        name: name.to_owned(),
        stamp: stamp.to_owned(),
        face: face.to_owned(),
        mode: mode.to_owned(),
        rounds: ROUNDS,
        calls: if mode == "batch20" { SAMPLES * 20 } else { SAMPLES },
        times,
        lost: 0,
        floor_p50: FLOOR_NS,
        round_p50: [0.97, 0.99, 1.0, 1.01, 1.04].map(|factor| times.p50 * factor).into(),
        round_p99: [0.9, 0.95, 1.0, 1.08, 1.2].map(|factor| times.p99 * factor).into(),
        histogram: counted(&samples),
        overflow: "drop".to_owned(),
    }
}

/// Sorted samples as upper ends and counts.
fn counted(samples: &[f64]) -> Vec<(f64, u64)> {
    let mut histogram: Vec<(f64, u64)> = Vec::new();
    for &sample in samples {
        match histogram.last_mut() {
            Some((upper, count)) if *upper == sample => *count += 1,
            _ => histogram.push((sample, 1)),
        }
    }
    histogram
}

/// Numbers that look random (SplitMix64).
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Mostly below 1, now and then far above.
    fn tail(&mut self) -> f64 {
        let unit = self.unit().max(1e-4);
        0.3 / unit.powf(0.7)
    }
}
