//! From addresses in this process to functions, files and lines.

use std::path::Path;

/// Bytes of a function's name; what is longer is cut.
const NAME_BYTES_MAX: usize = 200;

/// The functions at a return address, the innermost of inlined ones first: `name (file:line)`.
/// Empty where nothing is known.
///
/// Reads and keeps the debug information of the module at first: slow, allocates, takes a lock.
pub(crate) fn functions_at(address: u64) -> Vec<String> {
    let mut functions = Vec::new();
    let here = std::ptr::without_provenance_mut(usize::try_from(address).unwrap_or(0));
    backtrace::resolve(here, |symbol| {
        let Some(name) = symbol.name() else { return };
        let mut text = format!("{name:#}");
        if text.len() > NAME_BYTES_MAX {
            text.truncate(text.floor_char_boundary(NAME_BYTES_MAX));
            text.push('…');
        }
        if let Some(file) = symbol.filename() {
            text.push_str(" (");
            text.push_str(&short(file));
            if let Some(line) = symbol.lineno() {
                text.push_str(&format!(":{line}"));
            }
            text.push(')');
        }
        functions.push(text);
    });
    functions
}

/// A source file without what is the same for all of its package: the working directory, the
/// registry's, the toolchain's.
fn short(file: &Path) -> String {
    let whole = file.to_string_lossy();
    if let Ok(here) = std::env::current_dir()
        && let Ok(inside) = file.strip_prefix(&here)
    {
        return inside.to_string_lossy().into_owned();
    }
    let behind = |mark: &str, parts: usize| {
        let (_, rest) = whole.split_once(mark)?;
        (0..parts).try_fold(rest, |rest, _| Some(rest.split_once('/')?.1))
    };
    let found = behind("/rustc/", 1).or_else(|| behind("/registry/src/", 1));
    found.unwrap_or(&whole).to_owned()
}

/// The functions that a reader wants to see: without ours that took the backtrace, without those of
/// a panic in front of the one that panicked, and without those that start threads.
pub(super) fn of_interest<T: AsRef<str>>(functions: &[T]) -> &[T] {
    const OURS: [&str; 4] = ["tapelog::", "<tapelog::", "backtrace::", "<backtrace::"];
    const PANICS: [&str; 3] =
        ["core::panicking::", "__rustc::rust_begin_unwind", "std::panicking::"];
    let find = |mark: &str| functions.iter().position(|name| name.as_ref().contains(mark));
    let begins = |name: &T, with: &[&str]| with.iter().any(|with| name.as_ref().starts_with(with));
    let ours = |name: &T| begins(name, &OURS) || is_our_trait(name.as_ref());
    let mut first = functions.iter().take_while(|name| ours(name)).count();
    if let Some(panicked) = find("::__rust_end_short_backtrace") {
        first = panicked + 1;
        first += functions[first..].iter().take_while(|name| begins(name, &PANICS)).count();
    }
    let last = find("::__rust_begin_short_backtrace").unwrap_or(functions.len());
    match functions.get(first..last) {
        Some(wanted) if !wanted.is_empty() => wanted,
        _ => functions,
    }
}

/// Whether it is the implementation of a trait of ours, for whatever type.
fn is_our_trait(function: &str) -> bool {
    function.starts_with('<') && function.contains(" as tapelog::")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gives_its_function_with_file_and_line() {
        let here = functions_at as *const () as u64 + 1;
        let functions = functions_at(here);
        let own = functions.last().unwrap();
        assert!(
            own.starts_with("tapelog::stack::symbols::functions_at (src/stack/symbols.rs:"),
            "{own}"
        );
        assert_eq!(functions_at(8), Vec::<String>::new());
    }

    #[test]
    fn files_are_shown_without_the_place_of_their_package() {
        let here = std::env::current_dir().unwrap();
        let files = [
            (here.join("src/a.rs"), "src/a.rs"),
            ("/rustc/0123/library/std/src/panicking.rs".into(), "library/std/src/panicking.rs"),
            ("/h/.cargo/registry/src/index.io-1/jiff-0.2/src/x.rs".into(), "jiff-0.2/src/x.rs"),
            ("/other/src/b.rs".into(), "/other/src/b.rs"),
            ("src/c.rs".into(), "src/c.rs"),
        ];
        for (file, shown) in files {
            assert_eq!(short(&file), shown);
        }
    }

    #[test]
    fn what_everybody_has_in_common_is_left_out() {
        let stack = [
            "backtrace::backtrace::trace_unsynchronized (backtrace-0.3/src/backtrace/mod.rs:1)",
            "<tapelog::logger::MetaLogger as tapelog::face::Face>::submit (src/logger/mod.rs:3)",
            "<&F as tapelog::face::Face>::submit (src/face/mod.rs:3)",
            "bot::risk::check (src/risk.rs:9)",
            "bot::main (src/main.rs:2)",
            "std::sys::backtrace::__rust_begin_short_backtrace (library/std/src/sys/b.rs:1)",
            "main",
        ];
        assert_eq!(of_interest(&stack), &stack[3..5]);
        let panicked = [
            "tapelog::engine::panics::tell",
            "std::sys::backtrace::__rust_end_short_backtrace",
            "__rustc::rust_begin_unwind",
            "core::panicking::panic_fmt",
            "bot::main",
        ];
        assert_eq!(of_interest(&panicked), ["bot::main"]);
        assert_eq!(of_interest(&panicked[..1]), &panicked[..1], "better ours than none");
        assert_eq!(of_interest::<&str>(&[]), [""; 0]);
    }
}
