//! Masking by name: what stands under a sensitive name does not enter the ring.
//!
//! A call site with such a name never takes the usual path (see `Site::register`), so sites without
//! one pay nothing. Names match whole, whatever their case and however their words are joined:
//! `api_key`, `apiKey` and `API-KEY` are one name; of a dotted name, the last part counts too.

use smallvec::SmallVec;

use crate::definition::{
    ContextDefinition, DefinitionBytes, context_names, put_context_field, strip_raw,
};
use crate::record::{Args, Fields, Sink, Stored, TypeCode, Value};

/// What stands in place of a secret.
const MASK: &str = "***";

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

/// The name whose value keeps its last characters, in its canonical form.
const SHORTENED: &str = "accountid";

/// How many characters it keeps.
const TAIL_CHARS: usize = 3;

/// Shortened values are looked at up to here; what is longer is hidden.
const SHORTENED_BYTES_MAX: usize = 256;

/// What is done to a value because of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// It is logged as it is.
    Show,
    /// A mask stands in its place.
    Hide,
    /// A mask and its last three characters, if there are more than three.
    Shorten,
}

/// The sensitive names of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NameMask {
    /// In their canonical form, sorted.
    hidden: Vec<Box<str>>,
    shortens: bool,
    /// The letters that sensitive names begin with, one bit each: most names are told by these.
    beginnings: u32,
}

impl NameMask {
    /// The built-in names and `keys`: a name is added, or removed if a `-` stands before it.
    pub(crate) fn new<'a>(keys: impl IntoIterator<Item = &'a str>) -> Self {
        let hidden = HIDDEN.map(Box::from).to_vec();
        let mut mask = Self { hidden, shortens: true, beginnings: 0 };
        for key in keys {
            let (removed, name) = match key.strip_prefix('-') {
                Some(name) => (true, canonical(name)),
                None => (false, canonical(key)),
            };
            if name.as_str() == SHORTENED {
                // Named, it is hidden whole; removed, it is shown whole.
                mask.shortens = false;
            }
            match mask.hidden.binary_search_by(|known| (**known).cmp(name.as_str())) {
                Ok(at) if removed => drop(mask.hidden.remove(at)),
                Err(at) if !removed => mask.hidden.insert(at, name.as_str().into()),
                _ => {}
            }
        }
        let names = mask.hidden.iter().map(|name| &**name).chain([SHORTENED]);
        mask.beginnings = names.fold(0, |bits, name| bits | name.bytes().next().map_or(0, bit_of));
        mask
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
        if name.is_ascii() && self.beginnings & begins == 0 {
            return Treatment::Show;
        }
        let name = canonical(name);
        if self.hidden.binary_search_by(|known| (**known).cmp(name.as_str())).is_ok() {
            Treatment::Hide
        } else if self.shortens && name.as_str() == SHORTENED {
            Treatment::Shorten
        } else {
            Treatment::Show
        }
    }

    /// What is done to the values of these names, if anything is. Allocates only for a call of more
    /// than 32 fields.
    pub(crate) fn treatments<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Option<SmallVec<[Treatment; 32]>> {
        let all: SmallVec<_> = names.into_iter().map(|name| self.treatment(name)).collect();
        all.iter().any(|treatment| *treatment != Treatment::Show).then_some(all)
    }

    /// The context with its secrets masked, and how many there are; `None` if it has none.
    pub(crate) fn context(&self, bytes: &[u8]) -> Option<(DefinitionBytes, u64)> {
        let treatments = self.treatments(context_names(bytes))?;
        let context = ContextDefinition::decode(bytes).ok()?;
        let mut masked = DefinitionBytes::from_slice(&bytes[..2]);
        for ((field, (name, value)), treatment) in
            context.raw_fields().zip(context.iter()).zip(&treatments)
        {
            match treatment {
                Treatment::Show => masked.extend_from_slice(field.bytes),
                Treatment::Hide => put_context_field(&mut masked, name, TypeCode::STR, &MASK),
                Treatment::Shorten => {
                    let shortened = shortened(value);
                    put_context_field(&mut masked, name, TypeCode::STR, &shortened.as_str());
                }
            }
        }
        Some((masked, count(&treatments)))
    }
}

/// How many values are masked.
fn count(treatments: &[Treatment]) -> u64 {
    treatments.iter().filter(|treatment| **treatment != Treatment::Show).count() as u64
}

/// The arguments of a call with its secrets masked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Masked<'a, A> {
    args: &'a A,
    treatments: &'a [Treatment],
}

impl<'a, A: Args> Masked<'a, A> {
    /// `treatments` has one for each argument.
    pub(crate) fn new(args: &'a A, treatments: &'a [Treatment]) -> Self {
        Self { args, treatments }
    }

    /// How many values are masked.
    pub(crate) fn count(&self) -> u64 {
        count(self.treatments)
    }
}

impl<A: Args> Args for Masked<'_, A> {
    const FIXED: usize = 0;

    fn extra(&self, cap: usize) -> usize {
        let mut bytes = 0;
        self.each(&mut |_, value| bytes += value.bytes(cap));
        bytes
    }

    fn put(&self, sink: &mut Sink<'_>, cap: usize) {
        self.each(&mut |_, value| value.put_stored(sink, cap));
    }

    fn types(_tell: &mut dyn FnMut(TypeCode)) {
        // They depend on the treatments: `each` tells them.
    }

    fn each(&self, tell: &mut dyn FnMut(TypeCode, &dyn Stored)) {
        let mut treatments = self.treatments.iter();
        self.args.each(&mut |code, value| match treatments.next() {
            Some(Treatment::Show) => tell(code, value),
            Some(Treatment::Shorten) => {
                let mut stored = SmallVec::<[u8; SHORTENED_BYTES_MAX]>::new();
                stored.resize(value.bytes(SHORTENED_BYTES_MAX), 0);
                value.put_stored(&mut Sink::new(&mut stored), SHORTENED_BYTES_MAX);
                let value = Fields::new(&stored).next(code).unwrap_or(Value::None);
                tell(TypeCode::STR, &shortened(value).as_str());
            }
            // A value that no treatment stands for is hidden, to be on the safe side.
            Some(Treatment::Hide) | None => tell(TypeCode::STR, &MASK),
        });
    }
}

/// A mask and the value's last characters.
fn shortened(value: Value<'_>) -> Short {
    let mut text = Short::from(MASK);
    let mut number = itoa::Buffer::new();
    let whole = match value {
        Value::Str(text) if !text.cut => text.content,
        Value::Unsigned(value) => number.format(value),
        Value::Signed(value) => number.format(value),
        _ => "",
    };
    let chars = whole.chars().count();
    if chars > TAIL_CHARS {
        whole.chars().skip(chars - TAIL_CHARS).for_each(|char| text.push(char));
    }
    text
}

/// A short text that stays on the stack.
#[derive(Debug, Default)]
struct Short(SmallVec<[u8; 64]>);

impl Short {
    fn from(text: &str) -> Self {
        Self(SmallVec::from_slice(text.as_bytes()))
    }

    fn push(&mut self, char: char) {
        self.0.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn as_str(&self) -> &str {
        // Only whole characters are pushed.
        std::str::from_utf8(&self.0).unwrap_or(MASK)
    }
}

/// Whether names are told apart without it.
fn is_joint(byte: u8) -> bool {
    matches!(byte, b'_' | b'-' | b' ')
}

/// One bit for a letter in either case.
fn bit_of(byte: u8) -> u32 {
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
        use Treatment::{Hide, Shorten, Show};
        let spellings = ["api_key", "apiKey", "APIKEY", "Api-Key", "_api_key", "auth.api_key"];
        assert_eq!(treatments(&[], &spellings), [Hide; 6]);
        let others = ["api_keys", "key", "tokens", "secretary", "assignature", "token.count", ""];
        assert_eq!(treatments(&[], &others), [Show; 7]);
        let accounts = ["account_id", "accountId", "account"];
        assert_eq!(treatments(&[], &accounts), [Shorten, Shorten, Show]);
    }

    #[test]
    fn keys_add_names_and_take_them_away() {
        use Treatment::{Hide, Show};
        let keys = ["pin", "-Token", "ключ", "account_id", "r#type"];
        let names = ["PIN", "token", "access_token", "Ключ", "accountId", "type", "qty"];
        let expected = [Hide, Show, Hide, Hide, Hide, Hide, Show];
        assert_eq!(treatments(&keys, &names), expected);
        assert_eq!(treatments(&["-account_id"], &["account_id"]), [Show]);
    }

    #[test]
    fn every_built_in_name_is_in_its_canonical_form_and_in_order() {
        assert!(HIDDEN.is_sorted());
        assert!(HIDDEN.iter().all(|name| canonical(name).as_str() == *name));
    }
}
