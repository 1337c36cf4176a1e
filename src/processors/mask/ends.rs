//! How sensitive names end: what stands in front of a `=` or `:` is told by its last letters to be
//! none of them.

use super::names::{bit_of, is_joint};

/// Letters by which an ending is known.
const TAIL_BYTES: usize = 8;

/// Names of HTTP headers that carry keys and signatures: Binance, OKX, Bybit, Kraken.
pub(super) const HEADERS: [&str; 9] = [
    "X-MBX-APIKEY",
    "OK-ACCESS-KEY",
    "OK-ACCESS-SIGN",
    "OK-ACCESS-PASSPHRASE",
    "X-BAPI-API-KEY",
    "X-BAPI-SIGN",
    "API-Sign",
    "Cookie",
    "Set-Cookie",
];

/// The endings of all sensitive names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ends {
    /// For each byte that may be the last one, the letters in front of it; see [`bit_of`].
    pairs: Box<[u32; 256]>,
    /// The last letters, the last one lowest, and which of the eight count.
    tails: Vec<(u64, u64)>,
    /// Whether any ending may be one of a sensitive name.
    all: bool,
}

impl Ends {
    /// The endings of `names`, in their canonical form, and of [`HEADERS`].
    pub(super) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut ends = Self { pairs: Box::new([0; 256]), tails: Vec::new(), all: false };
        names.chain(HEADERS).for_each(|name| ends.add(name));
        for byte in *b" \"'\\_-" {
            // The name's last letter stands further in front.
            ends.pairs[usize::from(byte)] = u32::MAX;
        }
        ends
    }

    /// From now on, any ending may be one of a sensitive name.
    pub(super) fn open(&mut self) {
        self.pairs.fill(u32::MAX);
        self.all = true;
    }

    fn add(&mut self, name: &str) {
        let mut letters = name.bytes().rev().filter(|byte| !is_joint(*byte));
        let (Some(last), before) = (letters.next(), letters.next()) else { return };
        if !name.is_ascii() || [Some(last), before].contains(&Some(b'k')) {
            // The Kelvin sign is a `k`, too.
            return self.open();
        }
        let joints = b"_- ".iter().fold(0, |bits, joint| bits | bit_of(*joint));
        let bits = before.map_or(u32::MAX, |byte| bit_of(byte) | joints);
        for last in [last.to_ascii_lowercase(), last.to_ascii_uppercase()] {
            self.pairs[usize::from(last)] |= bits;
        }
        let (tail, mask) = tail(name.as_bytes());
        if !self.tails.contains(&(tail, mask)) {
            self.tails.push((tail, mask));
        }
    }

    /// Whether a sensitive name may end with these two bytes, or further in front of them.
    #[inline]
    pub(super) fn may_end(&self, before: u8, last: u8) -> bool {
        self.pairs[usize::from(last)] & bit_of(before) != 0
    }

    /// Whether a sensitive name may be the end of `text`.
    pub(super) fn may_be_behind(&self, text: &[u8]) -> bool {
        let (found, _) = tail(text);
        let is_foreign = found & ((u64::MAX / 255) << 7) != 0;
        self.all || is_foreign || self.tails.iter().any(|(tail, mask)| found & mask == *tail)
    }
}

/// The last letters of a text in lower case, the last one lowest, and a mask of where they are.
fn tail(text: &[u8]) -> (u64, u64) {
    let letters = text.iter().rev().filter(|byte| !is_joint(**byte)).take(TAIL_BYTES);
    letters.zip(0..).fold((0, 0), |(tail, mask), (byte, at)| {
        (tail | u64::from(byte.to_ascii_lowercase()) << (8 * at), mask | 0xff << (8 * at))
    })
}

#[cfg(test)]
mod tests {
    use super::super::names::NameMask;

    #[test]
    fn endings_of_other_names_are_told_apart() {
        let mask = NameMask::new(["pin", "x2"]);
        let ends = mask.ends();
        for name in ["token", "api_key", "Api-Key", "access token", "a_pin", "X2", "set-cookie"] {
            let [.., before, last] = *name.as_bytes() else { panic!("two letters") };
            assert!(ends.may_end(before, last) && ends.may_be_behind(name.as_bytes()), "{name}");
        }
        assert!(ends.may_end(b'i', b'd') && !ends.may_be_behind(b"order_id"));
        assert!(
            ends.may_be_behind(b"account_id")
                && !ends.may_be_behind(b"position")
                && ends.may_be_behind("to\u{212a}en".as_bytes())
        );
        assert!(!ends.may_end(b'c', b'e') && !ends.may_end(b'1', b'2'));
        // The last letter may stand alone; and an `m` has the bit of a `-`.
        for joint in *b"_- " {
            assert!(ends.may_end(joint, b'2') && ends.may_end(joint, b'N'));
        }
        let ends = NameMask::new(["coma", "a_b_c_d_e_f_g_h_i_j"]);
        assert!(ends.ends().may_end(b'm', b'a') && ends.ends().may_end(b'-', b'a'));
    }

    #[test]
    fn a_name_with_an_open_end_may_end_with_anything() {
        for key in ["vault*", "ключ", "risk"] {
            assert!(NameMask::new([key]).ends().may_end(b'q', b'q'), "{key}");
        }
        assert!(!NameMask::new(["*_pin"]).ends().may_end(b'q', b'q'));
    }
}
