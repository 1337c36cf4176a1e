//! The text format, for people.
//!
//! ```text
//! [2026-01-02T03:04:05.123456Z] [INFO     ] event text key1=value1 key2="two words"
//! ```
//!
//! Names and values stand bare where they are not empty and hold no white space, quote, equals
//! sign or dangerous character; otherwise in quotes. Lists are `[a,b]`, absent values `null`.

use anstyle::{AnsiColor, Color, Style};

use super::Formatter;
use super::escape;
use super::plan::{Part, Plan, PlanCache, Shown};
use super::time::{LineStamp, STAMP_BYTES};
use super::values::Values;
use crate::definition::Piece;
use crate::entry::Entry;
use crate::level::Level;

/// Renders entries in the text format.
#[derive(Debug)]
pub(crate) struct TextFormatter {
    composer: Composer,
    plans: PlanCache,
    stamp: LineStamp<{ STAMP_BYTES + 1 }>,
    values: Values,
}

impl TextFormatter {
    /// A formatter; with `colours`, the level and the names are coloured by ANSI sequences.
    pub(crate) fn new(colours: bool) -> Self {
        Self {
            composer: Composer { colours },
            plans: PlanCache::new(),
            stamp: LineStamp::new(b"["),
            values: Values::new(),
        }
    }
}

impl Formatter for TextFormatter {
    fn line(&mut self, entry: &Entry<'_>, out: &mut Vec<u8>) {
        let Self { composer, plans, stamp, values } = self;
        let plan = plans.get(entry, || composer.compose(entry));
        stamp.write(out, entry.time);
        plan.render(entry, out, |out, part, value| match part {
            Part::Message(_) => values.stored_message(out, value, entry.calibration),
            Part::Field(_) => values.stored_text(out, value, entry.calibration),
            _ => {}
        });
    }
}

/// Composes the constant parts of lines.
#[derive(Debug, Clone, Copy)]
struct Composer {
    colours: bool,
}

impl Composer {
    #[cold]
    fn compose(self, entry: &Entry<'_>) -> Plan {
        let mut plan = Plan::new();
        let level = entry.level();
        plan.constant().extend_from_slice(b"] [");
        self.styled(plan.constant(), level_style(level), |out| {
            out.extend_from_slice(format!("{:<9}", level.as_str()).as_bytes());
        });
        plan.constant().push(b']');
        self.event(&mut plan, entry);
        let shown = Shown::of(entry);
        for (name, index) in shown.call {
            self.name(plan.constant(), name);
            plan.part(Part::Field(index));
        }
        let mut values = Values::new();
        for (name, value) in shown.context {
            self.name(plan.constant(), name);
            values.text(plan.constant(), &value, entry.calibration);
        }
        plan
    }

    fn event(self, plan: &mut Plan, entry: &Entry<'_>) {
        if !entry.template().is_empty() {
            plan.constant().push(b' ');
        }
        for piece in entry.template() {
            match piece {
                Piece::Text(text) => escape::message(plan.constant(), text),
                // A field's index is below its site's count, which has 16 bits.
                Piece::Field(index) => plan.part(Part::Message(*index as u16)),
            }
        }
    }

    fn name(self, out: &mut Vec<u8>, name: &str) {
        out.push(b' ');
        self.styled(out, AnsiColor::Cyan.on_default(), |out| {
            escape::bare_or_quoted(out, name, false);
        });
        out.push(b'=');
    }

    fn styled(self, out: &mut Vec<u8>, style: Style, write: impl FnOnce(&mut Vec<u8>)) {
        if self.colours {
            out.extend_from_slice(style.render().to_string().as_bytes());
            write(out);
            out.extend_from_slice(style.render_reset().to_string().as_bytes());
        } else {
            write(out);
        }
    }
}

fn level_style(level: Level) -> Style {
    let colour = match level {
        Level::Trace | Level::Debug => AnsiColor::BrightBlack,
        Level::Info => AnsiColor::Green,
        Level::Warning => AnsiColor::Yellow,
        Level::Error | Level::Critical => AnsiColor::Red,
    };
    let style = Style::new().fg_color(Some(Color::Ansi(colour)));
    if level == Level::Critical { style.bold() } else { style }
}
