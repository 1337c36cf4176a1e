//! A log call's usual way, as machine code: no locked instruction, no call, few instructions.
//!
//! `TEST_CODE_SIZE=1 cargo test --test code_size` builds the example `sites` in release and
//! looks at it with `objdump`. Without the variable, without `objdump` or on another processor it
//! only says that nothing was looked at: a debug build proves nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Call sites, and how many instructions the usual way of each takes at most, the function's own
/// beginning included: what it takes today and two more, for another version of the compiler. What
/// masking, formats or configuration add to a call would stand here.
const INSTRUCTIONS_MAX: [(&str, usize); 5] = [
    ("site_producer_at", 56),
    ("site_producer_own", 63),
    ("site_logger_at", 59),
    ("site_logger_own", 67),
    ("site_one_i64", 51),
];

/// From a function's beginning to its first `ret`: the usual way. What is behind it is the jump
/// into the cold path.
fn usual_way(program: &Path, function: &str) -> Vec<String> {
    let output = Command::new("objdump")
        .args(["-d", "--no-show-raw-insn", &format!("--disassemble={function}")])
        .arg(program)
        .output()
        .unwrap();
    assert!(output.status.success(), "objdump: {}", String::from_utf8_lossy(&output.stderr));
    let listing = String::from_utf8(output.stdout).unwrap();
    // Instructions are lines like `  104e70:\tpush   %r15`.
    let code: Vec<_> =
        listing.lines().filter_map(|line| line.split_once(":\t")).map(|(_, code)| code).collect();
    let end = code.iter().position(|code| code.starts_with("ret"));
    let end = end.unwrap_or_else(|| panic!("{function} has no end in {}", program.display()));
    code[..=end].iter().map(|code| code.trim().to_owned()).collect()
}

/// Builds the example into the directory that this test was built in.
fn build_sites() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--example", "sites", "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .arg("--target-dir")
        .arg(target)
        .status();
    assert!(built.unwrap().success(), "the example `sites` was not built");
    target.join("release/examples/sites")
}

fn has_objdump() -> bool {
    Command::new("objdump").arg("--version").output().is_ok_and(|output| output.status.success())
}

#[test]
fn the_usual_way_of_a_call_is_short_and_neither_locks_nor_calls() {
    if std::env::var_os("TEST_CODE_SIZE").is_none() {
        eprintln!("skipped: TEST_CODE_SIZE is not set, and the test would build in release");
        return;
    }
    if !cfg!(target_arch = "x86_64") || !has_objdump() {
        eprintln!("skipped: it takes x86-64 and objdump");
        return;
    }
    let program = build_sites();
    for (function, most) in INSTRUCTIONS_MAX {
        let code = usual_way(&program, function);
        let listing = code.join("\n");
        println!("{function}: {} instructions, at most {most}", code.len());
        assert!(code.len() <= most, "{function} has {}:\n{listing}", code.len());
        for instruction in &code {
            let mnemonic = instruction.split_whitespace().next().unwrap();
            // An exchange with memory locks without the prefix.
            let locks =
                mnemonic == "lock" || mnemonic.starts_with("xchg") && instruction.contains('(');
            assert!(!locks, "{function} locks: {instruction}\n{listing}");
            assert!(!mnemonic.starts_with("call"), "{function} calls: {instruction}\n{listing}");
        }
        let writes = code.iter().any(|code| code.starts_with("prefetch"));
        assert!(writes, "{function} ends before it writes a record:\n{listing}");
    }
}
