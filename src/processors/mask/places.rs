//! What is done to the values of a call: by their names, and by what stands in front of their places
//! in the event's text, as in `password={pw}` and `Authorization: Bearer {t}`.

use std::ops::Range;

use memchr::memchr;
use smallvec::SmallVec;

use super::named::each_named;
use super::names::{NameMask, Treatment};
use crate::definition::{Part, cut};

/// What stands in the place of a placeholder while values are looked for: a part of a word.
const FILLER: u8 = b'x';

/// What makes a value a secret that stands directly behind it, whatever it looks like.
const BEARER: &[u8] = b"bearer ";

impl NameMask {
    /// What is done to the values of these fields, which stand in `text`, if anything is. Allocates
    /// only for a call of more than 32 fields, and for a text of more than 256 bytes.
    pub(crate) fn treatments(
        &self,
        fields: &[&str],
        text: &str,
    ) -> Option<SmallVec<[Treatment; 32]>> {
        let mut all: SmallVec<[Treatment; 32]> =
            fields.iter().map(|name| self.treatment(name)).collect();
        if memchr(b'{', text.as_bytes()).is_some() {
            self.look_at_places(fields, text, &mut all);
        }
        all.iter().any(|treatment| *treatment != Treatment::Show).then_some(all)
    }

    /// Has a value treated as what is looked for in rendered texts: each placeholder is taken for
    /// a word, and what is a secret in the text that comes of it, is one in every text.
    #[cold]
    fn look_at_places(&self, fields: &[&str], text: &str, all: &mut [Treatment]) {
        let mut filled = SmallVec::<[u8; 256]>::from_slice(text.as_bytes());
        let mut places = SmallVec::<[(Range<usize>, usize); 8]>::new();
        let field = |name: &str| fields.iter().position(|field| *field == name);
        cut(text, field, |part| {
            if let Part::Field(field, place) = part {
                filled[place.clone()].fill(FILLER);
                places.push((place, field));
            }
        });
        let mut treat = |secret: Range<usize>, treatment| {
            let touched = places
                .iter()
                .filter(|(place, _)| place.start < secret.end && secret.start < place.end);
            for &(_, field) in touched {
                if all[field] == Treatment::Show {
                    all[field] = treatment;
                }
            }
        };
        each_named(self, &filled, &|_| false, &mut treat);
        for (place, _) in &places {
            let front = &filled[..place.start];
            let bearer = front.len().checked_sub(BEARER.len()).map(|at| &front[at..]);
            if bearer.is_some_and(|front| front.eq_ignore_ascii_case(BEARER)) {
                treat(place.clone(), Treatment::Hide);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Treatment::{Hide, Keep, Show};
    use super::*;

    fn of(text: &str, fields: &[&str]) -> Vec<Treatment> {
        let treatments = NameMask::new([]).treatments(fields, text);
        treatments.map_or_else(|| vec![Show; fields.len()], |all| all.to_vec())
    }

    #[test]
    fn a_value_behind_a_sensitive_name_in_the_text_is_a_secret() {
        for text in [
            "login password={a}",
            "login password='{a}' as",
            "password: {a}",
            r#"{{"apiKey": "{a}", "qty": {b}}}"#,
            "GET /o?qty={b}&signature={a}&x=1",
            "Authorization: Bearer {a}",
            "sent bearer {a}",
            "Authorization: Basic {a} for {b}",
            "wss://ann:{a}@host:9443/ws",
            "secret: Some({a}), n: {b}",
            "token={a}.{a}, {b}",
            "private key = v1-{a}",
            "X-MBX-APIKEY: {a}",
        ] {
            assert_eq!(of(text, &["a", "b"]), [Hide, Show], "{text}");
        }
        assert_eq!(of("account_id={id} {qty}", &["id", "qty"]), [Keep(3), Show]);
        assert_eq!(of("mnemonic: {a} {b}", &["a", "b"]), [Hide, Hide]);
        assert_eq!(of("token={t}, {t}", &["t"]), [Hide], "wherever it is shown");
        assert_eq!(of("password {a}", &["password"]), [Hide], "by its own name");
    }

    #[test]
    fn a_value_of_an_ordinary_text_is_shown() {
        for text in [
            "filled {a} @ {b}",
            "tokens={a} secretary: {b}",
            "a={a} b={b}",
            "password=*** {a}",
            "token={other} {a}",
            "token={{a}} {b}",
            "http://host:{a}/path?limit={b}",
            "bearers {a} {b}",
        ] {
            assert_eq!(of(text, &["a", "b"]), [Show, Show], "{text}");
        }
    }
}
