//! What the macros check at compile time.

use crate::level::Level;

/// Refuses a field that stands twice and one without a name.
///
/// # Panics
/// At compile time, with the reason.
pub const fn check_names(names: &[&str]) {
    let mut at = 0;
    while at < names.len() {
        assert!(!bare(names[at]).is_empty(), "a field needs a name");
        let mut other = at + 1;
        while other < names.len() {
            assert!(
                !equal(bare(names[at]), bare(names[other])),
                "a field stands twice in one call: give it another name"
            );
            other += 1;
        }
        at += 1;
    }
}

const LONE_BRACE: &str = "a lone `}` in the text of a log call: write `}}`";
const OPEN_BRACE: &str =
    "a `{` in the text of a log call is not closed: write `{{` for the brace itself";
const UNKNOWN_FIELD: &str = "a `{name}` in the text of a log call must name one of its fields; \
                             write `{{` for a brace that stands for itself";

/// Refuses a placeholder that names no field, and a brace that belongs to none.
///
/// # Panics
/// At compile time, with the reason.
pub const fn check_text(text: &str, names: &[&str]) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let doubled = at + 1 < bytes.len() && bytes[at + 1] == bytes[at];
        match bytes[at] {
            b'{' | b'}' if doubled => at += 2,
            b'{' => {
                let end = closing_brace(bytes, at);
                let (_, from) = bytes.split_at(at + 1);
                let (name, _) = from.split_at(end - at - 1);
                assert!(names_one_of(name, names), "{}", UNKNOWN_FIELD);
                at = end + 1;
            }
            b'}' => panic!("{}", LONE_BRACE),
            _ => at += 1,
        }
    }
}

const fn closing_brace(bytes: &[u8], open: usize) -> usize {
    let mut at = open;
    while at < bytes.len() {
        if bytes[at] == b'}' {
            return at;
        }
        at += 1;
    }
    panic!("{}", OPEN_BRACE);
}

const fn names_one_of(name: &[u8], names: &[&str]) -> bool {
    let mut at = 0;
    while at < names.len() {
        if equal(name, bare(names[at])) {
            return true;
        }
        at += 1;
    }
    false
}

/// A name without `r#`.
const fn bare(name: &str) -> &[u8] {
    match name.as_bytes() {
        [b'r', b'#', rest @ ..] => rest,
        whole => whole,
    }
}

const fn equal(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut at = 0;
    while at < left.len() {
        if left[at] != right[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Whether the call is, or may turn out to be, a trade event.
#[must_use]
pub const fn may_be_trade(trade: bool, names: &[&str]) -> bool {
    trade || names_one_of(b"category", names)
}

/// The least severe level that is compiled in: the environment variable `TAPELOG_STATIC_LEVEL` at
/// compile time, else everything.
const STATIC_LEVEL: u8 = match option_env!("TAPELOG_STATIC_LEVEL") {
    None => Level::Trace as u8,
    Some(name) => static_level(name.as_bytes()),
};

const fn static_level(name: &[u8]) -> u8 {
    let mut at = 0;
    while at < Level::ALL.len() {
        if name.eq_ignore_ascii_case(Level::ALL[at].as_str().as_bytes()) {
            return Level::ALL[at] as u8;
        }
        at += 1;
    }
    panic!("TAPELOG_STATIC_LEVEL must be trace, debug, info, warning, error or critical");
}

/// Whether calls of this level are compiled in. Folds to a constant.
#[inline(always)]
#[must_use]
pub const fn compiled_in(level: Level) -> bool {
    level as u8 >= STATIC_LEVEL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_checked_against_the_fields() {
        check_text("plain {{x}} {qty} {type}", &["qty", "r#type"]);
        assert!(std::panic::catch_unwind(|| check_text("{px}", &["qty"])).is_err());
        assert!(std::panic::catch_unwind(|| check_text("{qty", &["qty"])).is_err());
        assert!(std::panic::catch_unwind(|| check_text("qty}", &["qty"])).is_err());
        assert!(std::panic::catch_unwind(|| check_names(&["a", "r#a"])).is_err());
        assert!(may_be_trade(false, &["category"]) && !may_be_trade(false, &["x"]));
        assert_eq!(static_level(b"Warning"), Level::Warning as u8);
    }
}
