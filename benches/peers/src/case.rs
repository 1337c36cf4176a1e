//! What is logged, and how the calls are timed.

use std::str::FromStr;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use tapelog::Ticks;

/// The values of one call, made before the call is timed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arguments {
    /// A stamp taken before the call, for those who take one.
    pub(crate) at: Ticks,
    pub(crate) seq: u64,
    pub(crate) next: u64,
    pub(crate) price: f64,
    /// 40 bytes.
    pub(crate) text: &'static str,
}

impl Arguments {
    /// The values of call number `seq`: a verifier computes them again.
    pub(crate) fn of(seq: u64, at: Ticks) -> Arguments {
        Arguments { at, seq, next: next(seq), price: price(seq), text: text(seq) }
    }
}

pub(crate) fn next(seq: u64) -> u64 {
    seq * 3 + 1
}

pub(crate) fn price(seq: u64) -> f64 {
    70_000.0 + (seq % 4096) as f64 * 0.25
}

pub(crate) fn text(seq: u64) -> &'static str {
    &TEXTS[(seq % TEXTS.len() as u64) as usize]
}

static TEXTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    (0..64)
        .map(|number| format!("{:-<40}", format!("resting-order-{number:02}-in-the-book")))
        .collect()
});

macro_rules! named {
    ($(#[$doc:meta])+ $type:ident { $($(#[$variant_doc:meta])+ $variant:ident = $name:literal,)+ }) => {
        $(#[$doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub(crate) enum $type { $($(#[$variant_doc])+ #[serde(rename = $name)] $variant,)+ }

        impl $type {
            pub(crate) const ALL: [$type; [$($name),+].len()] = [$($type::$variant),+];

            pub(crate) fn name(self) -> &'static str {
                match self { $($type::$variant => $name,)+ }
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(name: &str) -> Result<$type, String> {
                match name {
                    $($name => Ok($type::$variant),)+
                    _ => Err(format!("{name} is none of {}", [$($name),+].join(", "))),
                }
            }
        }
    };
}

named! {
    /// Which arguments a call has.
    Case {
        /// `seq`, `next` and `price`.
        IntIntDouble = "int_int_double",
        /// `seq`, `next` and a string of 40 bytes.
        IntIntString40 = "int_int_string40",
        /// A message alone.
        NoArgs = "no_args",
    }
}

named! {
    /// How the calls follow each other.
    Mode {
        /// 20 calls are timed together, then a busy pause of 2 ms.
        Batch20 = "batch20",
        /// Each call is timed; a busy pause of 200 µs after every 20.
        PerCall = "per_call",
        /// No pause, each call is timed; the run ends when the last line is in the file.
        Saturated = "saturated",
    }
}
