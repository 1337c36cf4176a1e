//! Goal: what the contract says of the crate's face as a whole: types that may grow say so, and a
//! platform that is not supported is told.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<String> {
    let mut sources = Vec::new();
    let mut pending = vec![root().join("src")];
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            sources.push(fs::read_to_string(path).unwrap());
        }
    }
    sources
}

/// The names behind `pub use module::` in the crate's root.
fn exported(library: &str, module: &str) -> Vec<String> {
    let begin = format!("pub use {module}::");
    let uses = library.split(&begin).skip(1);
    let names = uses.flat_map(|rest| rest.split(';').next().unwrap().split([',', '{', '}']));
    names.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

/// Whether the attributes above a public type's definition have `non_exhaustive`; `None` where no
/// source defines it.
fn may_grow(sources: &[String], name: &str) -> Option<bool> {
    let definitions = ["struct", "enum"].map(|kind| format!("pub {kind} {name}"));
    let (source, at) = sources.iter().find_map(|source| {
        let is_name = |at: usize, definition: &String| {
            source[at + definition.len()..].starts_with([' ', '(', '<'])
        };
        let mut places = definitions.iter().flat_map(|definition| {
            source.match_indices(definition.as_str()).map(move |(at, _)| (at, definition))
        });
        let (at, _) = places.find(|(at, definition)| is_name(*at, definition))?;
        Some((source, at))
    })?;
    let attributes = source[..at].lines().rev().skip_while(|line| line.trim().is_empty());
    let mut attributes = attributes.take_while(|line| line.trim().starts_with('#'));
    Some(attributes.any(|line| line.trim() == "#[non_exhaustive]"))
}

/// Errors, configuration and stats types.
#[test]
fn types_that_may_grow_are_non_exhaustive() {
    let library = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let sources = sources();
    let mut names: Vec<_> = ["config", "engine", "shared", "ring", "level", "recovery", "reading"]
        .iter()
        .flat_map(|module| exported(&library, module))
        .filter(|name| !["parameters", "Category", "Level", "LogArgs"].contains(&name.as_str()))
        .collect();
    // Errors of modules that are public themselves.
    let errors = sources.iter().flat_map(|source| source.split("pub enum ").skip(1));
    let errors = errors.filter_map(|rest| rest.split([' ', '<']).next());
    names.extend(errors.filter(|name| name.ends_with("Error")).map(str::to_owned));
    let choices = fs::read_to_string(root().join("src/config/kinds.rs")).unwrap();
    assert_eq!(may_grow(&sources, "$name"), Some(true), "the choices of the configuration");
    for name in &names {
        let grows = may_grow(&sources, name)
            .or_else(|| choices.contains(&format!("\n    {name} {{\n")).then_some(true));
        assert_eq!(grows, Some(true), "{name} is not #[non_exhaustive]");
    }
    println!("{} types may grow", names.len());
    assert!(names.len() >= 30, "{names:?}");
}

/// Compiles the item of the crate's root that refuses platforms, alone, for a target, whose standard
/// library need not be there; gives what the compiler said if it refused.
fn refused(directory: &Path, target: &str) -> Option<String> {
    let library = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let (_, item) = library.split_once("#[cfg(not(all(target_os").unwrap();
    let (item, _) = item.split_once(");\n").unwrap();
    let path = directory.join("platform.rs");
    let program = format!(
        "#![feature(no_core, rustc_attrs)]\n#![allow(internal_features, unused_macros)]\n#![no_core]\n\
         #[rustc_builtin_macro]\nmacro_rules! compile_error {{ () => {{}} }}\n\
         #[cfg(not(all(target_os{item});\n"
    );
    fs::write(&path, program).unwrap();
    let rustc = std::env::var_os("RUSTC").map_or_else(|| "rustc".into(), PathBuf::from);
    let output = Command::new(rustc)
        // A crate without `core` takes what a stable compiler allows only so.
        .env("RUSTC_BOOTSTRAP", "1")
        .args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata"])
        .args(["--target", target, "--out-dir"])
        .args([directory, &path])
        .output()
        .unwrap();
    (!output.status.success()).then(|| String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_platform_that_is_not_supported_is_a_clear_compile_error() {
    let directory = tempfile::tempdir().unwrap();
    for target in ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"] {
        assert_eq!(refused(directory.path(), target), None);
    }
    for target in ["aarch64-apple-darwin", "x86_64-pc-windows-msvc", "riscv64gc-unknown-linux-gnu"]
    {
        let told = refused(directory.path(), target).unwrap_or_else(|| panic!("{target}"));
        let clear = "error: tapelog runs on Linux, on x86-64 and aarch64, only";
        assert!(told.contains(clear), "{target}: {told}");
        assert_eq!(told.matches("error: ").count(), 2, "and that it was aborted: {told}");
    }
}
