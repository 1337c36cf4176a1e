//! What `mask_keys` and `mask_patterns` may hold, and what it means.

use regex::{Regex, RegexBuilder};

/// How many of a value's last characters may be kept.
const KEPT_CHARS_MAX: u8 = 8;

/// How many patterns there may be.
pub(super) const PATTERNS_MAX: usize = 64;

/// The longest pattern.
const PATTERN_BYTES_MAX: usize = 1024;

/// The memory that a pattern may take once compiled: what takes more would be slow, too.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// What one of `mask_keys` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MaskKey<'a> {
    /// A `-` in front: the name is not masked.
    pub(crate) removed: bool,
    /// A `*` in front: any beginning.
    pub(crate) any_before: bool,
    /// A `*` behind: any end.
    pub(crate) any_behind: bool,
    /// The name as written.
    pub(crate) name: &'a str,
    /// How many of the value's last characters are kept: `:n` behind the name.
    pub(crate) kept_chars: u8,
}

impl<'a> MaskKey<'a> {
    /// What is accepted.
    pub(super) const ACCEPTED: &'static str = "a field's name; with `*` in front or behind, all \
        names with such an end or beginning; with `:n` behind, the last n characters are kept (0 \
        to 8); with `-` in front, the name is not masked";

    /// Reads a key; `None` if it is none.
    pub(crate) fn parse(key: &'a str) -> Option<Self> {
        let (removed, rest) = match key.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, key),
        };
        let (rest, kept_chars) = match rest.rsplit_once(':') {
            Some((rest, chars)) if !removed => (rest, chars.parse().ok()?),
            Some(_) => return None,
            None => (rest, 0),
        };
        let (any_before, rest) = without(rest, rest.strip_prefix('*'));
        let (any_behind, name) = without(rest, rest.strip_suffix('*'));
        let named = name.chars().any(char::is_alphanumeric) && !name.contains('*');
        (named && kept_chars <= KEPT_CHARS_MAX).then_some(Self {
            removed,
            any_before,
            any_behind,
            name,
            kept_chars,
        })
    }
}

fn without<'a>(whole: &'a str, stripped: Option<&'a str>) -> (bool, &'a str) {
    (stripped.is_some(), stripped.unwrap_or(whole))
}

/// Compiles one of `mask_patterns`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn compile_pattern(pattern: &str) -> Result<Regex, String> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(format!("a pattern of at most {PATTERN_BYTES_MAX} bytes"));
    }
    let compiled = RegexBuilder::new(pattern)
        .size_limit(COMPILED_BYTES_MAX)
        .dfa_size_limit(COMPILED_BYTES_MAX)
        .build()
        .map_err(|error| format!("a regular expression ({})", one_line(&error.to_string())))?;
    if compiled.is_match("") {
        return Err(
            "a pattern that does not match the empty text: it would find a secret between \
                    any two characters"
                .to_owned(),
        );
    }
    Ok(compiled)
}

/// The last line of a regex error says what is wrong; the others draw where.
fn one_line(error: &str) -> String {
    let told = error.lines().map(str::trim).rfind(|line| !line.is_empty());
    told.unwrap_or(error).trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_name_with_marks_around_it() {
        let plain = MaskKey::parse("pin").unwrap();
        assert_eq!((plain.name, plain.removed, plain.kept_chars), ("pin", false, 0));
        let wild = MaskKey::parse("*_secret").unwrap();
        assert!(wild.any_before && !wild.any_behind && wild.name == "_secret");
        let kept = MaskKey::parse("client*:4").unwrap();
        assert!(kept.any_behind && kept.kept_chars == 4 && kept.name == "client");
        assert!(MaskKey::parse("-token").unwrap().removed);
        for wrong in ["", "-", "*", "__", "a*b", "x:9", "x:", "x:-1", "-x:3", "**x"] {
            assert_eq!(MaskKey::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_wrong_pattern_is_told_in_one_line() {
        assert!(compile_pattern(r"\bACC-\d+\b").is_ok());
        let wrong = |pattern: &str| compile_pattern(pattern).unwrap_err();
        assert_eq!(wrong("(a"), "a regular expression (unclosed group)");
        assert!(wrong("a*").contains("empty text"));
        assert!(wrong(&"a".repeat(1025)).contains("1024 bytes"));
        assert!(
            wrong(r"(\w{1000}){1000}").contains("size limit"),
            "{}",
            wrong(r"(\w{1000}){1000}")
        );
    }
}
