//! The JSON format: one object per line, which carries the elements of RFC 5424 as well.
//!
//! ```text
//! {"timestamp":"2026-01-02T03:04:05.123456Z","level":"info","event":"event text",
//!  …the call's fields…,…the context's fields…,"fields":{…those with reserved names…},
//!  "pri":134,"facility":16,"severity":6,"version":1,"hostname":"desk7","app_name":"metaexpert",
//!  "procid":"4711","msgid":null,"timestamp_ns":"1767323045123456789"}
//! ```
//!
//! | value | JSON |
//! |---|---|
//! | integers, decimals | a number with all its digits, however many; on request integers beyond 2^53 are strings |
//! | floats | the shortest number that reads back the same; `"NaN"`, `"Infinity"`, `"-Infinity"` |
//! | text, characters, bytes (hexadecimal), times (RFC 3339), UUIDs | a string |
//! | lists | an array, with `"…"` at the end when elements were cut off |
//! | absent | `null` |

use super::Formatter;
use super::escape;
use super::plan::{Part, Plan, PlanCache, Shown};
use super::time::{LineStamp, STAMP_BYTES};
use super::values::{Values, json_string};
use crate::config::BigInts;
use crate::definition::Piece;
use crate::entry::Entry;
use crate::level::Category;
use crate::record::Value;

/// Names that the format itself uses: fields called so move under `fields`.
const RESERVED: [&str; 13] = [
    "timestamp",
    "level",
    "event",
    "pri",
    "facility",
    "severity",
    "version",
    "hostname",
    "app_name",
    "procid",
    "msgid",
    "timestamp_ns",
    "fields",
];

/// The version of the RFC 5424 protocol.
const SYSLOG_VERSION: u8 = 1;

const BEGINNING: &[u8] = b"{\"timestamp\":\"";

/// Who logs: the elements of RFC 5424 that are the same on every line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The program's name; `null` when empty.
    pub(crate) app_name: String,
    /// The machine's name; `null` when empty.
    pub(crate) hostname: String,
    /// The process's id.
    pub(crate) procid: u32,
    /// The facility's code, 0 to 23: 16 is local0.
    pub(crate) facility: u8,
}

/// Renders entries as JSON.
#[derive(Debug)]
pub(crate) struct JsonFormatter {
    composer: Composer,
    plans: PlanCache,
    stamp: LineStamp<{ STAMP_BYTES + BEGINNING.len() }>,
    values: Values,
}

impl JsonFormatter {
    /// A formatter for the lines of `identity`.
    pub(crate) fn new(identity: Identity) -> Self {
        Self::with(identity, BigInts::Number)
    }

    /// The same, with integers beyond 2^53 shown so.
    pub(crate) fn with(identity: Identity, big_ints: BigInts) -> Self {
        Self {
            composer: Composer { identity, big_ints },
            plans: PlanCache::new(),
            stamp: LineStamp::new(BEGINNING),
            values: Values::with(big_ints),
        }
    }
}

impl Formatter for JsonFormatter {
    fn line(&mut self, entry: &Entry<'_>, out: &mut Vec<u8>) {
        let Self { composer, plans, stamp, values } = self;
        let plan = plans.get(entry, || composer.compose(entry));
        stamp.write(out, entry.time);
        plan.render(entry, out, |out, part, value| match part {
            Part::Message(_) => values.stored_json_message(out, value, entry.calibration),
            Part::Field(_) => values.stored_json(out, value, entry.calibration),
            Part::Category => message_id(out, entry.category()),
            _ => {}
        });
        stamp.write_unix_nanos(out, entry.time);
        out.extend_from_slice(b"\"}");
    }
}

fn message_id(out: &mut Vec<u8>, category: Category) {
    out.extend_from_slice(match category {
        Category::Trade => b"\"trade\"",
        Category::General => b"null",
    });
}

/// Composes the constant parts of lines.
#[derive(Debug)]
struct Composer {
    identity: Identity,
    big_ints: BigInts,
}

impl Composer {
    #[cold]
    fn compose(&self, entry: &Entry<'_>) -> Plan {
        let mut plan = Plan::new();
        let level = entry.level().as_lower_str();
        plan.constant().extend_from_slice(format!("\",\"level\":\"{level}\"").as_bytes());
        event(&mut plan, entry);
        fields(&mut plan, entry, Values::with(self.big_ints));
        self.tail(&mut plan, entry);
        plan
    }

    /// The elements of RFC 5424, up to the digits of `timestamp_ns`.
    fn tail(&self, plan: &mut Plan, entry: &Entry<'_>) {
        let Identity { app_name, hostname, procid, facility } = &self.identity;
        let severity = entry.level().severity();
        let priority = u16::from(*facility) * 8 + u16::from(severity);
        let numbers = format!(
            ",\"pri\":{priority},\"facility\":{facility},\"severity\":{severity},\
             \"version\":{SYSLOG_VERSION}",
        );
        plan.constant().extend_from_slice(numbers.as_bytes());
        for (name, text) in [("hostname", hostname), ("app_name", app_name)] {
            key(plan.constant(), name, true);
            if text.is_empty() {
                plan.constant().extend_from_slice(b"null");
            } else {
                json_string(plan.constant(), text, false);
            }
        }
        plan.constant().extend_from_slice(format!(",\"procid\":\"{procid}\"").as_bytes());
        key(plan.constant(), "msgid", true);
        if entry.has_dynamic_category() {
            plan.part(Part::Category);
        } else {
            message_id(plan.constant(), entry.category());
        }
        plan.constant().extend_from_slice(b",\"timestamp_ns\":\"");
    }
}

fn event(plan: &mut Plan, entry: &Entry<'_>) {
    key(plan.constant(), "event", true);
    plan.constant().push(b'"');
    for piece in entry.template() {
        match piece {
            Piece::Text(text) => escape::json(plan.constant(), text),
            // A field's index is below its site's count, which has 16 bits.
            Piece::Field(index) => plan.part(Part::Message(*index as u16)),
        }
    }
    plan.constant().push(b'"');
}

/// The fields of call and context: first those under their own names, then the others.
fn fields(plan: &mut Plan, entry: &Entry<'_>, mut values: Values) {
    let Shown { call, context } = Shown::of(entry);
    let mut own = |plan: &mut Plan, source: Source<'_>| match source {
        Source::Call(index) => plan.part(Part::Field(index)),
        Source::Context(value) => values.json(plan.constant(), &value, entry.calibration),
    };
    let all = || {
        let call = call.iter().map(|(name, index)| (*name, Source::Call(*index)));
        call.chain(context.iter().map(|(name, value)| (*name, Source::Context(*value))))
    };
    let reserved = |name: &str| RESERVED.contains(&name);
    for (name, source) in all().filter(|(name, _)| !reserved(name)) {
        key(plan.constant(), name, true);
        own(plan, source);
    }
    let mut moved = all().filter(|(name, _)| reserved(name)).peekable();
    if moved.peek().is_none() {
        return;
    }
    key(plan.constant(), "fields", true);
    for (index, (name, source)) in moved.enumerate() {
        if index == 0 {
            plan.constant().push(b'{');
        }
        key(plan.constant(), name, index > 0);
        own(plan, source);
    }
    plan.constant().push(b'}');
}

/// Where a field's value comes from.
#[derive(Clone, Copy)]
enum Source<'a> {
    Call(u16),
    Context(Value<'a>),
}

fn key(out: &mut Vec<u8>, name: &str, comma: bool) {
    if comma {
        out.push(b',');
    }
    json_string(out, name, false);
    out.push(b':');
}
