//! Did you mean?

use super::describe::{Parameter, parameters};
use super::form::Shape;

/// The name of a parameter that is written nearly like this.
pub(super) fn key(written: &str) -> Option<String> {
    let wanted = written.to_ascii_lowercase().replace('-', "_");
    nearest(&wanted, parameters().iter().map(|parameter| parameter.key)).map(str::to_owned)
}

/// A word of the parameter's that is written nearly like this.
pub(super) fn word(parameter: &Parameter, written: &str) -> Option<String> {
    let words = words(&parameter.shape);
    nearest(&written.trim().to_ascii_lowercase(), words.into_iter()).map(str::to_owned)
}

fn words(shape: &Shape) -> Vec<&'static str> {
    match shape {
        Shape::Flag => vec!["true", "false"],
        Shape::Words(words) | Shape::WordsOrNumber { words, .. } => words.clone(),
        Shape::WordsOrSpans { words, .. } => words.clone(),
        Shape::Optional(inner) => {
            let mut words = words(inner);
            words.push("none");
            words
        }
        _ => Vec::new(),
    }
}

/// The candidate that differs least, if that is little: a third of its letters, or two; and half of those
/// of the shorter one, so that `on` is not taken for `off`.
fn nearest<'a>(written: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let apart = |candidate: &str| strsim::damerau_levenshtein(written, candidate);
    let (distance, best) = candidates.map(|candidate| (apart(candidate), candidate)).min()?;
    let shorter = written.len().min(best.len());
    let near = distance <= (best.len() / 3).max(2) && 2 * distance <= shorter;
    near.then_some(best)
}

#[cfg(test)]
mod tests {
    use super::super::describe::parameter;
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_the_name_and_nonsense_finds_none() {
        assert_eq!(key("log_levl").as_deref(), Some("log_level"));
        assert_eq!(key("LOG-DIR").as_deref(), Some("log_dir"));
        assert_eq!(key("ringbytes").as_deref(), Some("ring_bytes"));
        assert_eq!(key("colour_of_the_sky"), None);
        let suggested = |key, written| word(parameter(key).unwrap(), written);
        assert_eq!(suggested("log_level", "debgu").as_deref(), Some("debug"));
        assert_eq!(suggested("idle", "SPINN").as_deref(), Some("spin"));
        assert_eq!(suggested("mlock", "ture").as_deref(), Some("true"));
        assert_eq!(suggested("backtrace", "of").as_deref(), Some("off"));
        for (key, other) in [("log_level", "loud"), ("backtrace", "on"), ("time_precision", "s")] {
            assert_eq!(suggested(key, other), None, "{other}");
        }
        assert_eq!(suggested("ring_bytes", "big"), None);
    }
}
