//! The logfmt format, by the rules of go-kit/logfmt.
//!
//! ```text
//! time=2026-01-02T03:04:05.123456Z level=info event="bar closed" open=70000.5 symbol=BTCUSDT
//! ```
//!
//! - A value stands bare unless it is empty, `null`, or holds white space, `"`, `=`, a dangerous
//!   character or U+FFFD; then it is a JSON string. Absent values are a bare `null`.
//! - A text with placeholders is always in quotes.
//! - A name loses nothing: what it may not hold becomes `_`; of names that became equal, the later
//!   ones end with `_2`, `_3`, …. Fields called `time`, `level` or `event` are `fields.time` and so
//!   on.
//! - Lists are `[a,b]`, as in the text format.

use super::Formatter;
use super::escape;
use super::names::Names;
use super::plan::{Part, Plan, PlanCache, Shown};
use super::time::{LineStamp, STAMP_BYTES};
use super::values::Values;
use crate::definition::Piece;
use crate::entry::Entry;
use crate::one_line::is_dangerous;

const BEGINNING: &[u8] = b"time=";

/// Names that the format itself uses.
const RESERVED: [&str; 3] = ["time", "level", "event"];

/// Renders entries in the logfmt format.
#[derive(Debug)]
pub(crate) struct LogfmtFormatter {
    plans: PlanCache,
    stamp: LineStamp<{ STAMP_BYTES + BEGINNING.len() }>,
    values: Values,
}

impl LogfmtFormatter {
    pub(crate) fn new() -> Self {
        Self { plans: PlanCache::new(), stamp: LineStamp::new(BEGINNING), values: Values::new() }
    }
}

impl Formatter for LogfmtFormatter {
    fn line(&mut self, entry: &Entry<'_>, out: &mut Vec<u8>) {
        let Self { plans, stamp, values } = self;
        let plan = plans.get(entry, || compose(entry));
        stamp.write(out, entry.time);
        plan.render(entry, out, |out, part, value| match part {
            Part::Message(_) => values.stored_json_message(out, value, entry.calibration),
            Part::Field(_) => values.stored_logfmt(out, value, entry.calibration),
            _ => {}
        });
    }
}

#[cold]
fn compose(entry: &Entry<'_>) -> Plan {
    let mut plan = Plan::new();
    let level = entry.level().as_lower_str();
    plan.constant().extend_from_slice(format!(" level={level} event=").as_bytes());
    event(&mut plan, entry);
    let Shown { call, context } = Shown::of(entry);
    let mut names = Names::new(usize::MAX);
    for reserved in RESERVED {
        names.take(reserved, |_| true);
    }
    for (name, index) in call {
        key(plan.constant(), &mut names, name);
        plan.part(Part::Field(index));
    }
    let mut values = Values::new();
    for (name, value) in context {
        key(plan.constant(), &mut names, name);
        values.logfmt(plan.constant(), &value, entry.calibration);
    }
    plan
}

fn event(plan: &mut Plan, entry: &Entry<'_>) {
    match entry.template() {
        [] => escape::logfmt(plan.constant(), "", false),
        [Piece::Text(text)] => escape::logfmt(plan.constant(), text, false),
        pieces => {
            plan.constant().push(b'"');
            for piece in pieces {
                match piece {
                    Piece::Text(text) => escape::json(plan.constant(), text),
                    // A field's index is below its site's count, which has 16 bits.
                    Piece::Field(index) => plan.part(Part::Message(*index as u16)),
                }
            }
            plan.constant().push(b'"');
        }
    }
}

fn key(out: &mut Vec<u8>, names: &mut Names, name: &str) {
    let allowed = |c: char| !escape::is_special_in_logfmt(c) && !is_dangerous(c);
    let name = if RESERVED.contains(&name) {
        names.take(&format!("fields.{name}"), allowed)
    } else {
        names.take(name, allowed)
    };
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
}
