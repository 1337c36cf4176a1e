//! Masking by looks: secrets inside texts.
//!
//! A look at the whole text ([`is_clean`]) tells most texts to be free of secrets; only the others are searched.

use std::ops::Range;

use aho_corasick::AhoCorasick;
use regex::Regex;
use smallvec::SmallVec;

use super::MASK;
use super::glance::is_clean;
use super::named::named;
use super::names::NameMask;
use super::shapes::{is_bearer_token, keys, token, web_token};
use crate::config::compile_pattern;

/// Where secrets stand in a text, in bytes.
pub(super) type Spans = SmallVec<[Range<usize>; 4]>;

/// What tokens and PEM blocks begin with, in any case.
const MARKERS: [&str; 3] = ["bearer ", "eyj", "-----begin "];

/// The end of a PEM block: the line that begins with it.
const PEM_END: &[u8] = b"-----END ";
const PEM_DASHES: &[u8] = b"-----";

/// Finds secrets in texts.
#[derive(Debug)]
pub(crate) struct Texts {
    markers: Option<AhoCorasick>,
    patterns: Vec<Regex>,
}

impl Texts {
    /// The built-in patterns and these of the user's; what does not compile is passed over: the
    /// configuration was checked.
    pub(crate) fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Self {
        let markers = AhoCorasick::builder().ascii_case_insensitive(true).build(MARKERS).ok();
        let patterns =
            patterns.into_iter().filter_map(|pattern| compile_pattern(pattern).ok()).collect();
        Self { markers, patterns }
    }

    /// Whether a text need not be searched: so most texts. Inlined, because the call would cost as much as the
    /// look at a short one.
    #[inline(always)]
    pub(super) fn is_clean(&self, names: &NameMask, text: &[u8]) -> bool {
        // A sensitive name, a sign, and one character.
        let short = text.len() < names.shortest().saturating_add(2);
        (short || is_clean(text, names.ends())) && (self.patterns.is_empty() || !self.matches(text))
    }

    /// Whether a pattern of the user's matches anywhere: asked of each text where there are patterns, so
    /// by the engine's own first look and without places.
    #[inline(never)]
    fn matches(&self, text: &[u8]) -> bool {
        std::str::from_utf8(text)
            .is_ok_and(|text| self.patterns.iter().any(|pattern| pattern.is_match(text)))
    }

    /// Finds the secrets in `text`: their places in order, none within another. `is_field` tells the
    /// names that stand for values where the text has them in braces.
    #[cold]
    pub(super) fn find(
        &self,
        names: &NameMask,
        text: &[u8],
        is_field: &dyn Fn(&str) -> bool,
        found: &mut Spans,
    ) {
        found.clear();
        named(names, text, is_field, found);
        self.marked(text, found);
        keys(text, found);
        self.matching(text, found);
        join(text, found);
    }

    /// Tokens and PEM blocks: they tell what they are.
    #[cold]
    fn marked(&self, text: &[u8], found: &mut Spans) {
        let Some(markers) = &self.markers else { return };
        let mut done = 0;
        for marker in markers.find_iter(text) {
            let (start, end) = (marker.start(), marker.end());
            let inside_word = start > 0 && text[start - 1].is_ascii_alphanumeric();
            if start < done || inside_word {
                continue;
            }
            let span = match marker.pattern().as_usize() {
                0 => {
                    let blanks = text[end..].iter().take_while(|byte| **byte == b' ').count();
                    let token = token(&text[end + blanks..]);
                    let length = if is_bearer_token(token) { token.len() } else { 0 };
                    end + blanks..end + blanks + length
                }
                1 => start..start + web_token(&text[start..]).len(),
                _ => start..end + pem_rest(&text[end..]),
            };
            if !span.is_empty() {
                done = span.end;
                found.push(span);
            }
        }
    }

    /// What the user's patterns match: their first group, if they have one.
    fn matching(&self, text: &[u8], found: &mut Spans) {
        if self.patterns.is_empty() {
            return;
        }
        let Ok(text) = std::str::from_utf8(text) else { return };
        for pattern in &self.patterns {
            if pattern.captures_len() > 1 {
                let groups = pattern.captures_iter(text).filter_map(|groups| groups.get(1));
                found.extend(groups.map(|group| group.range()));
            } else {
                found.extend(pattern.find_iter(text).map(|all| all.range()));
            }
        }
    }
}

/// The rest of a PEM block, its last line included; everything where it has none.
fn pem_rest(text: &[u8]) -> usize {
    let end = memchr::memmem::find(text, PEM_END).and_then(|at| {
        let label = at + PEM_END.len();
        memchr::memmem::find(&text[label..], PEM_DASHES).map(|dashes| label + dashes)
    });
    end.map_or(text.len(), |dashes| dashes + PEM_DASHES.len())
}

/// Brings spans into order and joins those that overlap; what is masked already is left out.
fn join(text: &[u8], found: &mut Spans) {
    found.retain(|span| span.start < span.end && text[span.clone()] != *MASK.as_bytes());
    found.sort_by_key(|span| span.start);
    found.dedup_by(|next, last| {
        let overlaps = next.start < last.end;
        if overlaps {
            last.end = last.end.max(next.end);
        }
        overlaps
    });
}

/// Appends `text` with its secrets masked; never longer than before.
pub(super) fn put_masked(text: &[u8], found: &Spans, mut put: impl FnMut(&[u8])) {
    let mut at = 0;
    for span in found {
        put(&text[at..span.start]);
        put(&MASK.as_bytes()[..MASK.len().min(span.len())]);
        at = span.end;
    }
    put(&text[at..]);
}

#[cfg(test)]
pub(super) fn masked(texts: &Texts, names: &NameMask, text: &str) -> String {
    let (mut found, mut out) = (Spans::default(), Vec::new());
    texts.find(names, text.as_bytes(), &|_| false, &mut found);
    put_masked(text.as_bytes(), &found, |part| out.extend_from_slice(part));
    String::from_utf8(out).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        masked(&Texts::new([]), &NameMask::new([]), text)
    }

    const JWT: &str =
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3";

    #[test]
    fn tokens_are_masked_and_sentences_are_not() {
        assert_eq!(shown("sent Bearer a8f5f167aa to venue"), "sent Bearer *** to venue");
        assert_eq!(shown("BEARER  mF_9.B5f-4.1JqM!"), "BEARER  ***!");
        assert_eq!(shown(&format!("got {JWT}, valid")), "got ***, valid");
        assert_eq!(shown(&format!("Authorization: bearer {JWT}")), "Authorization: bearer ***");
        for text in ["the bearer of news came late", "a forbearer x8f5f167aa", "Bearer certificate"]
        {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn a_pem_block_is_masked_whole_and_one_without_an_end_to_the_end() {
        let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n".repeat(3);
        let block = format!("-----BEGIN PRIVATE KEY-----\n{body}-----END PRIVATE KEY-----");
        assert_eq!(shown(&format!("loaded {block} from disk")), "loaded *** from disk");
        let cut = block.split_at(150).0;
        assert_eq!(shown(&format!("loaded {cut}")), "loaded ***");
    }

    #[test]
    fn patterns_of_the_user_mask_a_match_or_its_first_group() {
        let texts = Texts::new([r"ACC-\d+", r"pin (\d{4})"]);
        let names = NameMask::new([]);
        assert_eq!(masked(&texts, &names, "of ACC-123 and ACC-9"), "of *** and ***");
        assert_eq!(masked(&texts, &names, "pin 1234 ok"), "pin *** ok");
        assert_eq!(masked(&texts, &names, "password=ACC-123 x"), "password=*** x");
        let suspicious = ["of ACC-123", "pin 1234", "ACC-1", "password=x y", "pin x pin 0000"];
        let found = suspicious.map(|text| !texts.is_clean(&names, text.as_bytes()));
        assert_eq!(found, [true; 5]);
        let ordinary = ["", "filled at 70000.5", "ACC-x", "pin 12a4", "accepted by the exchange"];
        assert_eq!(ordinary.map(|text| texts.is_clean(&names, text.as_bytes())), [true; 5]);
    }
}
