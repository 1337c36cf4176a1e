//! One line of a recording → one tick.
//!
//! A line is `<local receive time, ns> <raw JSON>`. The JSON is a combined-stream message,
//! `{"stream":…,"data":{…}}`, or a bare snapshot, `{"lastUpdateId":…,"bids":[…],"asks":[…]}`.
//! Text is borrowed from the line and depth levels are counted as they go by: no allocation.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

use super::error::{LineFault, printable, printable_message};
use crate::demo::decimal::{Decimal, DecimalError};
use crate::demo::tick::{BookTicker, Depth, Message, Snapshot, Tick, Trade};

/// Text that is borrowed from the line unless it holds escapes.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The outer object: a stream's message, or the keys of a bare snapshot.
#[derive(serde::Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    stream: Option<Text<'a>>,
    #[serde(borrow)]
    data: Option<Payload<'a>>,
    #[serde(rename = "lastUpdateId")]
    last_update_id: Option<u64>,
    #[serde(borrow)]
    bids: Option<PriceOrLevels<'a>>,
    #[serde(borrow)]
    asks: Option<PriceOrLevels<'a>>,
}

/// The union of the keys of all streams; single letters are the exchange's own names.
#[derive(serde::Deserialize)]
struct Payload<'a> {
    #[serde(borrow)]
    e: Option<Text<'a>>,
    #[serde(borrow)]
    s: Option<Text<'a>>,
    #[serde(rename = "U")]
    first: Option<u64>,
    #[serde(rename = "u")]
    last: Option<u64>,
    pu: Option<u64>,
    #[serde(borrow)]
    b: Option<PriceOrLevels<'a>>,
    #[serde(borrow)]
    a: Option<PriceOrLevels<'a>>,
    #[serde(borrow, rename = "B")]
    bid_qty: Option<Text<'a>>,
    #[serde(borrow, rename = "A")]
    ask_qty: Option<Text<'a>>,
    t: Option<u64>,
    #[serde(borrow)]
    p: Option<Text<'a>>,
    #[serde(borrow)]
    q: Option<Text<'a>>,
    m: Option<bool>,
}

/// `b` and `a`: one price in a bookTicker, a list of `[price, quantity]` in a depthUpdate.
enum PriceOrLevels<'a> {
    Price(Cow<'a, str>),
    Levels(u32),
}

impl<'de: 'a, 'a> Deserialize<'de> for PriceOrLevels<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PriceOrLevelsVisitor)
    }
}

struct PriceOrLevelsVisitor;

impl<'de> Visitor<'de> for PriceOrLevelsVisitor {
    type Value = PriceOrLevels<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a price in quotes or a list of [price, quantity]")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(PriceOrLevels::Price(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(PriceOrLevels::Price(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut levels: A) -> Result<Self::Value, A::Error> {
        let mut count = 0;
        while let Some((price, qty)) = levels.next_element::<(Text<'de>, Text<'de>)>()? {
            for (what, text) in [("price", price), ("quantity", qty)] {
                Decimal::parse(&text.0).map_err(|reason| {
                    de::Error::custom(format_args!("a depth level's {what} {reason}"))
                })?;
            }
            count += 1;
        }
        Ok(PriceOrLevels::Levels(count))
    }
}

/// A line's tick, and the symbol that it names (a snapshot names none).
pub(super) struct Parsed<'a> {
    pub(super) tick: Tick,
    pub(super) symbol: Option<Cow<'a, str>>,
}

/// Parses a line without its line end.
pub(super) fn parse_line(line: &[u8]) -> Result<Parsed<'_>, LineFault> {
    let line = std::str::from_utf8(line)
        .map_err(|error| LineFault::NotUtf8 { at: error.valid_up_to() + 1 })?;
    if line.trim().is_empty() {
        return Err(LineFault::Blank);
    }
    let (time, json) = line.split_once(' ').ok_or(LineFault::NoSpace)?;
    if !time.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(LineFault::BadTime);
    }
    let received_ns = time.parse().map_err(|_| LineFault::BadTime)?;
    let json_start = time.len() + 1;
    let envelope = serde_json::from_str(json).map_err(|error| json_fault(&error, json_start))?;
    let (message, symbol) = message(envelope)?;
    Ok(Parsed { tick: Tick { received_ns, message }, symbol })
}

/// serde's message without its "at line 1 column 9": the column is counted in the whole line.
fn json_fault(error: &serde_json::Error, json_start: usize) -> LineFault {
    let text = error.to_string();
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    LineFault::Json { column: json_start + error.column(), message: printable_message(message) }
}

type MessageAndSymbol<'a> = (Message, Option<Cow<'a, str>>);

fn message(envelope: Envelope<'_>) -> Result<MessageAndSymbol<'_>, LineFault> {
    let Some(payload) = envelope.data else {
        return Ok((snapshot(&envelope)?, None));
    };
    let message = match payload.e.as_ref().map(|e| e.0.as_ref()) {
        Some("trade") => trade(&payload)?,
        Some("bookTicker") => book_ticker(&payload)?,
        Some("depthUpdate") => depth(&payload)?,
        Some(kind) => {
            return Err(LineFault::UnknownKind { kind: printable(kind) });
        }
        // Spot's bookTicker names no event.
        None if is_book_ticker(envelope.stream.as_ref(), &payload) => book_ticker(&payload)?,
        None => {
            return Err(LineFault::Missing { message: "message", key: "e" });
        }
    };
    match payload.s {
        Some(symbol) => Ok((message, Some(symbol.0))),
        None => Err(LineFault::Missing { message: "message", key: "s" }),
    }
}

fn is_book_ticker(stream: Option<&Text<'_>>, payload: &Payload<'_>) -> bool {
    stream.is_some_and(|name| name.0.ends_with("@bookTicker"))
        || (payload.bid_qty.is_some() && payload.ask_qty.is_some())
}

fn trade(payload: &Payload<'_>) -> Result<Message, LineFault> {
    const KIND: &str = "trade";
    Ok(Message::Trade(Trade {
        trade_id: present(payload.t, KIND, "t")?,
        price: positive(text(payload.p.as_ref(), KIND, "p")?, "p")?,
        qty: positive(text(payload.q.as_ref(), KIND, "q")?, "q")?,
        buyer_is_maker: present(payload.m, KIND, "m")?,
    }))
}

fn book_ticker(payload: &Payload<'_>) -> Result<Message, LineFault> {
    const KIND: &str = "bookTicker";
    Ok(Message::BookTicker(BookTicker {
        update_id: present(payload.last, KIND, "u")?,
        bid: positive(price(payload.b.as_ref(), KIND, "b")?, "b")?,
        bid_qty: number(text(payload.bid_qty.as_ref(), KIND, "B")?, "B")?,
        ask: positive(price(payload.a.as_ref(), KIND, "a")?, "a")?,
        ask_qty: number(text(payload.ask_qty.as_ref(), KIND, "A")?, "A")?,
    }))
}

fn depth(payload: &Payload<'_>) -> Result<Message, LineFault> {
    const KIND: &str = "depthUpdate";
    let first = present(payload.first, KIND, "U")?;
    let last = present(payload.last, KIND, "u")?;
    if last < first {
        return Err(LineFault::Backwards { first, last });
    }
    Ok(Message::Depth(Depth {
        first_update_id: first,
        last_update_id: last,
        previous_update_id: payload.pu,
        bid_levels: levels(payload.b.as_ref(), KIND, "b")?,
        ask_levels: levels(payload.a.as_ref(), KIND, "a")?,
    }))
}

fn snapshot(envelope: &Envelope<'_>) -> Result<Message, LineFault> {
    const KIND: &str = "snapshot";
    if envelope.last_update_id.is_none() && envelope.bids.is_none() && envelope.asks.is_none() {
        return Err(match envelope.stream {
            Some(_) => LineFault::Missing { message: "message", key: "data" },
            None => LineFault::NotAMessage,
        });
    }
    Ok(Message::Snapshot(Snapshot {
        last_update_id: present(envelope.last_update_id, KIND, "lastUpdateId")?,
        bid_levels: levels(envelope.bids.as_ref(), KIND, "bids")?,
        ask_levels: levels(envelope.asks.as_ref(), KIND, "asks")?,
    }))
}

fn present<T>(value: Option<T>, message: &'static str, key: &'static str) -> Result<T, LineFault> {
    value.ok_or(LineFault::Missing { message, key })
}

fn text<'a>(
    value: Option<&'a Text<'_>>,
    message: &'static str,
    key: &'static str,
) -> Result<&'a str, LineFault> {
    present(value, message, key).map(|text| text.0.as_ref())
}

fn price<'a>(
    value: Option<&'a PriceOrLevels<'_>>,
    message: &'static str,
    key: &'static str,
) -> Result<&'a str, LineFault> {
    match present(value, message, key)? {
        PriceOrLevels::Price(price) => Ok(price),
        PriceOrLevels::Levels(_) => Err(LineFault::BadShape { key }),
    }
}

fn levels(
    value: Option<&PriceOrLevels<'_>>,
    message: &'static str,
    key: &'static str,
) -> Result<u32, LineFault> {
    match present(value, message, key)? {
        PriceOrLevels::Levels(count) => Ok(*count),
        PriceOrLevels::Price(_) => Err(LineFault::BadShape { key }),
    }
}

fn number(text: &str, key: &'static str) -> Result<Decimal, LineFault> {
    Decimal::parse(text).map_err(|reason| bad_number(text, key, reason))
}

fn positive(text: &str, key: &'static str) -> Result<Decimal, LineFault> {
    let value = number(text, key)?;
    if value.is_zero() { Err(bad_number(text, key, DecimalError::Zero)) } else { Ok(value) }
}

fn bad_number(text: &str, key: &'static str, reason: DecimalError) -> LineFault {
    LineFault::BadNumber { key, value: printable(text), reason }
}
