//! Syslog messages of RFC 5424, one a line.
//!
//! ```text
//! <134>1 2026-01-02T03:04:05.123456Z desk7 metaexpert 4711 trade
//!   [meta sequenceId="17"][ctx@32473 qty="3" symbol="BTCUSDT"] filled 3
//! ```
//!
//! (one line; the fold is for this page)
//!
//! | element | is |
//! |---|---|
//! | HOSTNAME, APP-NAME | `-` when unknown; other than printable ASCII becomes `_`; 255 and 48 characters |
//! | PROCID | the process's id |
//! | MSGID | `trade` for trade events, else `-` |
//! | `meta` | `sequenceId`: 1 for the formatter's first message, up to 2147483647, then 1 again |
//! | `ctx@PEN` | the fields of call and context; missing when there are none |
//! | MSG | the event's text; missing when it is empty |
//!
//! - Of the registered parameters of `meta` (RFC 5424, section 7.3) `sysUpTime` tells of an SNMP
//!   agent and `language` of a natural language: neither is known here.
//! - A field's name has 1 to 32 printable ASCII characters: `=`, `]`, `"`, spaces and all others
//!   become `_`. Of names that became equal, the later ones end with `_2`, `_3`, ….
//! - Values are what the text format shows inside an event's text; `"`, `\` and `]` have a
//!   backslash in front. No frame holds a control character, so that a frame is a line.
//! - A text beyond ASCII begins with the byte order mark, as section 6.4 demands. A text in ASCII
//!   has none: the RFC allows that (MSG-ANY), and rsyslog and many others take the mark for a part
//!   of the text.

use super::Formatter;
use super::digits;
use super::escape;
use super::json::Identity;
use super::names::Names;
use super::plan::{Part, Plan, PlanCache, Shown};
use super::time::{LineStamp, STAMP_BYTES};
use super::values::Values;
use crate::definition::Piece;
use crate::entry::Entry;
use crate::level::{Category, Level};

/// The longest HOSTNAME.
const HOSTNAME_BYTES_MAX: usize = 255;
/// The longest APP-NAME. What stands as PROCID and MSGID is shorter than their limits, 128 and 32.
const APP_NAME_BYTES_MAX: usize = 48;
/// The longest PARAM-NAME.
const PARAM_NAME_BYTES_MAX: usize = 32;

/// After this number a sequence begins anew.
const SEQUENCE_MAX: u32 = 2_147_483_647;

/// The mark that begins a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Bytes that `<191>1 ` fits into.
const START_BYTES: usize = 8;

/// Renders entries as syslog messages of RFC 5424.
#[derive(Debug)]
pub(crate) struct Rfc5424Formatter {
    composer: Composer,
    plans: PlanCache,
    stamp: LineStamp<STAMP_BYTES>,
    values: Values,
    /// `<PRI>1 ` by level, and its length.
    starts: [([u8; START_BYTES], usize); Level::ALL.len()],
    /// The number of the last message.
    sequence: u32,
}

impl Rfc5424Formatter {
    /// A formatter for the messages of `identity`, whose fields stand under `ctx@enterprise_number`.
    pub(crate) fn new(identity: &Identity, enterprise_number: u32) -> Self {
        Self {
            composer: Composer::new(identity, enterprise_number),
            plans: PlanCache::new(),
            stamp: LineStamp::new(b""),
            values: Values::new(),
            starts: Level::ALL.map(|level| start(identity.facility, level)),
            sequence: 0,
        }
    }

    /// The same, behind so many messages.
    #[cfg(test)]
    pub(super) fn after(self, sequence: u32) -> Self {
        Self { sequence, ..self }
    }
}

/// `<PRI>1 `
fn start(facility: u8, level: Level) -> ([u8; START_BYTES], usize) {
    let priority = u16::from(facility.min(23)) * 8 + u16::from(level.severity());
    let text = format!("<{priority}>1 ");
    let mut bytes = [0; START_BYTES];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    (bytes, text.len())
}

impl Formatter for Rfc5424Formatter {
    fn line(&mut self, entry: &Entry<'_>, out: &mut Vec<u8>) {
        let Self { composer, plans, stamp, values, starts, sequence } = self;
        *sequence = if *sequence >= SEQUENCE_MAX { 1 } else { *sequence + 1 };
        let plan = plans.get(entry, || composer.compose(entry));
        // Codes of levels begin with 1.
        let (start, length) = &starts[entry.level() as usize - 1];
        digits::put(out, start, *length);
        stamp.write(out, entry.time);
        let mut event = usize::MAX;
        plan.render(entry, out, |out, part, value| match part {
            Part::Message(_) => values.stored_message(out, value, entry.calibration),
            Part::Field(_) => values.stored_parameter(out, value, entry.calibration),
            Part::Sequence => digits::unsigned(out, (*sequence).into()),
            Part::EventStart => event = out.len(),
            Part::Category => out.extend_from_slice(message_id(entry.category())),
            _ => {}
        });
        if out.get(event..).is_some_and(|text| !text.is_ascii()) {
            out.splice(event..event, BYTE_ORDER_MARK.iter().copied());
        }
    }
}

fn message_id(category: Category) -> &'static [u8] {
    match category {
        Category::Trade => b"trade",
        Category::General => b"-",
    }
}

/// Composes the constant parts of messages.
#[derive(Debug)]
struct Composer {
    /// ` HOSTNAME APP-NAME PROCID `
    head: String,
    /// `"][ctx@PEN`
    fields: String,
}

impl Composer {
    fn new(identity: &Identity, enterprise_number: u32) -> Self {
        let host = printable(&identity.hostname, HOSTNAME_BYTES_MAX);
        let program = printable(&identity.app_name, APP_NAME_BYTES_MAX);
        let process = match identity.procid {
            0 => "-".to_owned(),
            id => id.to_string(),
        };
        Self {
            head: format!(" {host} {program} {process} "),
            fields: format!("\"][ctx@{enterprise_number}"),
        }
    }

    #[cold]
    fn compose(&self, entry: &Entry<'_>) -> Plan {
        let mut plan = Plan::new();
        plan.constant().extend_from_slice(self.head.as_bytes());
        if entry.has_dynamic_category() {
            plan.part(Part::Category);
        } else {
            plan.constant().extend_from_slice(message_id(entry.category()));
        }
        plan.constant().extend_from_slice(b" [meta sequenceId=\"");
        plan.part(Part::Sequence);
        self.fields(&mut plan, entry);
        event(&mut plan, entry);
        plan
    }

    /// The fields of call and context, and the bracket that ends the structured data.
    fn fields(&self, plan: &mut Plan, entry: &Entry<'_>) {
        let Shown { call, context } = Shown::of(entry);
        if call.is_empty() && context.is_empty() {
            plan.constant().extend_from_slice(b"\"]");
            return;
        }
        plan.constant().extend_from_slice(self.fields.as_bytes());
        let mut names = Names::new(PARAM_NAME_BYTES_MAX);
        let mut values = Values::new();
        for (name, index) in call {
            param_name(plan.constant(), &mut names, name);
            plan.part(Part::Field(index));
            plan.constant().push(b'"');
        }
        for (name, value) in context {
            param_name(plan.constant(), &mut names, name);
            values.parameter(plan.constant(), &value, entry.calibration);
            plan.constant().push(b'"');
        }
        plan.constant().push(b']');
    }
}

fn event(plan: &mut Plan, entry: &Entry<'_>) {
    if entry.template().is_empty() {
        return;
    }
    plan.constant().push(b' ');
    plan.part(Part::EventStart);
    for piece in entry.template() {
        match piece {
            Piece::Text(text) => escape::message(plan.constant(), text),
            // A field's index is below its site's count, which has 16 bits.
            Piece::Field(index) => plan.part(Part::Message(*index as u16)),
        }
    }
}

/// `text` as an element of the header: printable ASCII, or `-` for none.
fn printable(text: &str, bytes_max: usize) -> String {
    let usable = |c: char| if c.is_ascii_graphic() { c } else { '_' };
    let text: String = text.chars().take(bytes_max).map(usable).collect();
    if text.is_empty() { "-".to_owned() } else { text }
}

/// Appends ` name="`, with a name that no other parameter has.
fn param_name(out: &mut Vec<u8>, names: &mut Names, name: &str) {
    let allowed = |c: char| c.is_ascii_graphic() && !matches!(c, '=' | ']' | '"');
    out.push(b' ');
    out.extend_from_slice(names.take(name, allowed).as_bytes());
    out.extend_from_slice(b"=\"");
}
