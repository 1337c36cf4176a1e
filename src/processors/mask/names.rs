//! Masking by name: what stands under a sensitive name does not enter the ring.
//!
//! A call site with such a name never takes the usual path (see `Site::register`), so sites without
//! one pay nothing. Names match whole, whatever their case and however their words are joined:
//! `api_key`, `apiKey` and `API-KEY` are one name; of a dotted name, the last part counts too.

use super::args::Short;
use super::ends::Ends;
use crate::config::MaskKey;
use crate::definition::strip_raw;

/// Names whose values are hidden, in their canonical form.
const HIDDEN: [&str; 15] = [
    "accesstoken",
    "accountnumber",
    "apikey",
    "apisecret",
    "authorization",
    "mnemonic",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "refreshtoken",
    "secret",
    "secretkey",
    "signature",
    "token",
];

/// The name whose value keeps its last characters, and how many.
const SHORTENED: (&str, u8) = ("accountid", 3);

/// What is done to a value because of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// It is logged as it is.
    Show,
    /// A mask stands in its place.
    Hide,
    /// A mask and so many of its last characters, if it has more.
    Keep(u8),
}

impl Treatment {
    fn keeping(chars: u8) -> Self {
        if chars == 0 { Treatment::Hide } else { Treatment::Keep(chars) }
    }
}

/// A name in its canonical form, of which the beginning or the end, or both, are open.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wild {
    any_before: bool,
    any_behind: bool,
    name: Box<str>,
    treatment: Treatment,
}

impl Wild {
    fn matches(&self, name: &str) -> bool {
        match (self.any_before, self.any_behind) {
            (true, true) => name.contains(&*self.name),
            (true, false) => name.ends_with(&*self.name),
            _ => name.starts_with(&*self.name),
        }
    }
}

/// The sensitive names of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NameMask {
    /// In their canonical form, sorted. What is named as not to be masked stands here, too: it is
    /// not looked for among the open ones.
    known: Vec<(Box<str>, Treatment)>,
    wild: Vec<Wild>,
    /// The letters that sensitive names begin with, one bit each: by these and by `ends`, most names
    /// are told to be none.
    beginnings: u32,
    /// The fewest bytes of a sensitive name.
    shortest: usize,
    ends: Ends,
}

impl NameMask {
    /// The built-in names and `keys`; see [`MaskKey`]. What is no key is passed over.
    pub(crate) fn new<'a>(keys: impl IntoIterator<Item = &'a str>) -> Self {
        let built_in = HIDDEN.map(|name| (Box::<str>::from(name), Treatment::Hide));
        let (name, chars) = SHORTENED;
        let mut known = built_in.to_vec();
        known.push((name.into(), Treatment::Keep(chars)));
        known.sort_by(|one, other| one.0.cmp(&other.0));
        let (wild, ends) = (Vec::new(), Ends::new(std::iter::empty()));
        let mut mask = Self { known, wild, beginnings: 0, shortest: 0, ends };
        keys.into_iter().filter_map(MaskKey::parse).for_each(|key| mask.add(key));
        let names = mask.known.iter().filter(|(_, treatment)| *treatment != Treatment::Show);
        let bits = |bits, name: &str| bits | name.bytes().next().map_or(0, bit_of);
        mask.beginnings = names.clone().fold(0, |sum, (name, _)| bits(sum, name));
        mask.beginnings = mask.wild.iter().fold(mask.beginnings, |sum, wild| {
            if wild.any_before { u32::MAX } else { bits(sum, &wild.name) }
        });
        let lengths = names.map(|(name, _)| name.len());
        let open = mask.wild.iter().map(|wild| wild.name.len());
        mask.shortest = lengths.chain(open).min().unwrap_or(usize::MAX);
        mask.ends = mask.endings();
        mask
    }

    fn endings(&self) -> Ends {
        let known = self.known.iter().filter(|(_, treatment)| *treatment != Treatment::Show);
        let known = known.map(|(name, _)| &**name);
        let mut ends = Ends::new(known.chain(self.wild.iter().map(|wild| &*wild.name)));
        if self.wild.iter().any(|wild| wild.any_behind) {
            ends.open();
        }
        ends
    }

    fn add(&mut self, key: MaskKey<'_>) {
        let name = canonical(key.name);
        let treatment =
            if key.removed { Treatment::Show } else { Treatment::keeping(key.kept_chars) };
        if key.any_before || key.any_behind {
            let MaskKey { any_before, any_behind, .. } = key;
            let wild = Wild { any_before, any_behind, name: name.as_str().into(), treatment };
            self.wild.retain(|known| Wild { treatment, ..known.clone() } != wild);
            if !key.removed {
                self.wild.push(wild);
            }
            return;
        }
        match self.known.binary_search_by(|(known, _)| (**known).cmp(name.as_str())) {
            Ok(at) => self.known[at].1 = treatment,
            Err(at) => self.known.insert(at, (name.as_str().into(), treatment)),
        }
    }

    /// The fewest bytes of a sensitive name in its canonical form.
    pub(super) fn shortest(&self) -> usize {
        self.shortest
    }

    /// How sensitive names end.
    #[inline]
    pub(super) fn ends(&self) -> &Ends {
        &self.ends
    }

    /// What is done to the values of this name.
    pub(crate) fn treatment(&self, name: &str) -> Treatment {
        let whole = self.treatment_of_part(name);
        match name.rsplit_once('.') {
            Some((_, last)) if whole == Treatment::Show => self.treatment_of_part(last),
            _ => whole,
        }
    }

    fn treatment_of_part(&self, name: &str) -> Treatment {
        let name = strip_raw(name);
        let begins = name.bytes().find(|byte| !is_joint(*byte)).map_or(0, bit_of);
        let may_end = match name.as_bytes() {
            [.., before, last] => self.ends.may_end(*before, *last),
            _ => true,
        };
        if name.is_ascii() && (self.beginnings & begins == 0 || !may_end) {
            return Treatment::Show;
        }
        let name = canonical(name);
        if let Ok(at) = self.known.binary_search_by(|(known, _)| (**known).cmp(name.as_str())) {
            return self.known[at].1;
        }
        let wild = self.wild.iter().find(|wild| wild.matches(name.as_str()));
        wild.map_or(Treatment::Show, |wild| wild.treatment)
    }
}

/// Whether names are told apart without it.
#[inline]
pub(super) fn is_joint(byte: u8) -> bool {
    matches!(byte, b'_' | b'-' | b' ')
}

/// One bit for a letter in either case.
#[inline]
pub(super) fn bit_of(byte: u8) -> u32 {
    1 << (byte & 31)
}

/// A name in lower case with nothing between its words.
fn canonical(name: &str) -> Short {
    let mut text = Short::default();
    let name = strip_raw(name);
    if name.is_ascii() {
        let kept = name.bytes().filter(|byte| !is_joint(*byte));
        text.0.extend(kept.map(|byte| byte.to_ascii_lowercase()));
        return text;
    }
    let is_kept = |char: &char| u8::try_from(*char).map_or(true, |byte| !is_joint(byte));
    let kept = name.chars().filter(is_kept);
    kept.flat_map(char::to_lowercase).for_each(|char| text.push(char));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn treatments(keys: &[&str], names: &[&str]) -> Vec<Treatment> {
        let mask = NameMask::new(keys.iter().copied());
        names.iter().map(|name| mask.treatment(name)).collect()
    }

    #[test]
    fn a_name_is_known_in_every_spelling_and_never_as_a_part() {
        use Treatment::{Hide, Keep, Show};
        let spellings = ["api_key", "apiKey", "APIKEY", "Api-Key", "_api_key", "auth.api_key"];
        assert_eq!(treatments(&[], &spellings), [Hide; 6]);
        assert_eq!(
            treatments(&["x2"], &["token_", "api key-", "api_ke_y", "X_2", "x_2_"]),
            [Hide; 5]
        );
        let others = ["api_keys", "key", "tokens", "secretary", "assignature", "token.count", ""];
        assert_eq!(treatments(&[], &others), [Show; 7]);
        let accounts = ["account_id", "accountId", "account"];
        assert_eq!(treatments(&[], &accounts), [Keep(3), Keep(3), Show]);
    }

    #[test]
    fn the_whole_default_list_is_known_in_both_spellings() {
        let names = "password passwd token api_key apikey api_secret secret secret_key private_key \
            passphrase access_token refresh_token authorization signature mnemonic account_number \
            apiKey apiSecret secretKey privateKey accessToken refreshToken accountNumber";
        let names: Vec<_> = names.split(' ').collect();
        assert_eq!(treatments(&[], &names), vec![Treatment::Hide; names.len()]);
    }

    #[test]
    fn keys_add_names_and_take_them_away() {
        use Treatment::{Hide, Show};
        let keys = ["pin", "-Token", "ключ", "account_id", "r#type"];
        let names = ["PIN", "token", "access_token", "Ключ", "accountId", "type", "qty"];
        let expected = [Hide, Show, Hide, Hide, Hide, Hide, Show];
        assert_eq!(treatments(&keys, &names), expected);
        assert_eq!(treatments(&["-account_id"], &["account_id"]), [Show]);
        assert_eq!(treatments(&["-token", "token"], &["token"]), [Hide], "the last one counts");
    }

    #[test]
    fn a_star_stands_for_any_beginning_or_end_and_names_can_be_spared() {
        use Treatment::{Hide, Keep, Show};
        let keys = ["*_secret", "vault*:2", "*seed*", "-top_secret", "*_pin", "-*_pin"];
        let names =
            ["binanceSecret", "vault_id", "my_seeds", "top_secret", "card_pin", "secret_word"];
        assert_eq!(treatments(&keys, &names), [Hide, Keep(2), Hide, Show, Show, Show]);
        assert_eq!(treatments(&["client_id:4"], &["clientId", "client"]), [Keep(4), Show]);
        assert_eq!(treatments(&["account_id:5"], &["account_id"]), [Keep(5)]);
    }

    #[test]
    fn every_built_in_name_is_in_its_canonical_form() {
        assert!(HIDDEN.iter().all(|name| canonical(name).as_str() == *name));
        assert_eq!(NameMask::new([]).shortest(), 5);
        assert_eq!(NameMask::new(["pin"]).shortest(), 3);
    }
}
