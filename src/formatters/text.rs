//! The text format, for people.
//!
//! ```text
//! [2026-01-02T03:04:05.123456Z] [INFO     ] event text key1=value1 key2="two words"
//! ```
//!
//! Names and values stand bare where they are not empty and hold no white space, quote, equals
//! sign or dangerous character; otherwise in quotes. Lists are `[a,b]`, absent values `null`.
//!
//! A pattern may put the parts of a line together in another way. Where an event's text, the
//! fields or the context are empty, the blanks in front of them are left out, too.

use anstyle::{AnsiColor, Color, Style};

use super::Formatter;
use super::digits;
use super::escape;
use super::json::Identity;
use super::plan::{Part, Plan, PlanCache, Shown};
use super::time::{LineStamp, STAMP_BYTES, Zone};
use super::values::Values;
use crate::config::{
    Column, Configuration, Pattern, PatternPart, PatternPiece, TimePrecision, TimeZone,
};
use crate::definition::Piece;
use crate::entry::Entry;
use crate::level::{Category, Level};

/// Renders entries in the text format.
#[derive(Debug)]
pub(crate) struct TextFormatter {
    composer: Composer,
    plans: PlanCache,
    stamp: LineStamp<{ STAMP_BYTES + 1 }>,
    values: Values,
}

/// What lines of text look like.
#[derive(Debug, Clone)]
pub(crate) struct TextStyle {
    pub(crate) pattern: Pattern,
    pub(crate) time_zone: TimeZone,
    pub(crate) time_precision: TimePrecision,
    pub(crate) identity: Identity,
}

impl TextStyle {
    /// The configured one.
    pub(crate) fn of(configuration: &Configuration, identity: Identity) -> Self {
        // A configuration's pattern was checked.
        let pattern = Pattern::parse(&configuration.text_pattern);
        Self {
            pattern: pattern.unwrap_or_else(|_| Pattern::usual()),
            time_zone: configuration.time_zone,
            time_precision: configuration.time_precision,
            identity,
        }
    }
}

impl TextFormatter {
    /// A formatter of the usual lines; with `colours`, the level and the names are coloured by
    /// ANSI sequences.
    pub(crate) fn new(colours: bool) -> Self {
        let identity =
            Identity { app_name: String::new(), hostname: String::new(), procid: 0, facility: 0 };
        let style = TextStyle {
            pattern: Pattern::usual(),
            time_zone: TimeZone::Utc,
            time_precision: TimePrecision::Micros,
            identity,
        };
        Self::with(style, colours)
    }

    /// A formatter of lines that look like `style` says.
    pub(crate) fn with(style: TextStyle, colours: bool) -> Self {
        Self::in_zone(Zone::new(style.time_zone), style, colours)
    }

    pub(super) fn in_zone(zone: Zone, style: TextStyle, colours: bool) -> Self {
        let TextStyle { pattern: Pattern { mut pieces }, identity, .. } = style;
        let stamp_first = matches!(
            &*pieces,
            [PatternPiece::Text(text), PatternPiece::Part(PatternPart::Time, None), ..] if text == "["
        );
        let usual_stamp =
            (style.time_zone, style.time_precision) == (TimeZone::Utc, TimePrecision::Micros);
        let quick = stamp_first && usual_stamp;
        if quick {
            pieces.drain(..2);
        }
        Self {
            composer: Composer { colours, quick, pieces, identity },
            plans: PlanCache::new(),
            stamp: LineStamp::with(b"[", zone, style.time_precision),
            values: Values::new(),
        }
    }
}

impl Formatter for TextFormatter {
    fn line(&mut self, entry: &Entry<'_>, out: &mut Vec<u8>) {
        let Self { composer, plans, stamp, values } = self;
        let plan = plans.get(entry, || composer.compose(entry));
        if composer.quick {
            stamp.write(out, entry.time);
        }
        let mut column = 0;
        plan.render(entry, out, |out, part, value| match part {
            Part::Message(_) => values.stored_message(out, value, entry.calibration),
            Part::Field(_) => values.stored_text(out, value, entry.calibration),
            Part::Time => stamp.write_alone(out, entry.time),
            Part::UnixNanos => digits::signed(out, entry.time.0),
            Part::Category => out.extend_from_slice(category_name(entry.category())),
            Part::ColumnStart => column = out.len(),
            Part::ColumnEnd(end) => fill(out, column, end),
            Part::Sequence | Part::EventStart => {}
        });
    }
}

fn category_name(category: Category) -> &'static [u8] {
    match category {
        Category::Trade => b"trade",
        Category::General => b"general",
    }
}

/// Fills a column that begins at `start` with blanks.
fn fill(out: &mut Vec<u8>, start: usize, Column { width, right }: Column) {
    let blanks = usize::from(width).saturating_sub(shown_width(&out[start..]));
    let place = if right { start } else { out.len() };
    out.splice(place..place, std::iter::repeat_n(b' ', blanks));
}

/// How many characters are shown: all but those of the sequences that colour them.
fn shown_width(text: &[u8]) -> usize {
    let (mut width, mut in_sequence) = (0, false);
    for &byte in text {
        if in_sequence {
            in_sequence = byte != b'm';
        } else if byte == b'\x1b' {
            in_sequence = true;
        } else {
            // A character's other bytes are 10xxxxxx.
            width += usize::from(byte & 0xc0 != 0x80);
        }
    }
    width
}

/// Composes the constant parts of lines.
#[derive(Debug)]
struct Composer {
    colours: bool,
    /// Whether lines begin with a bracket and the stamp in UTC, which are not among the pieces.
    quick: bool,
    pieces: Vec<PatternPiece>,
    identity: Identity,
}

impl Composer {
    #[cold]
    fn compose(&self, entry: &Entry<'_>) -> Plan {
        let mut plan = Plan::new();
        let shown = Shown::of(entry);
        let mut text_start = 0;
        for piece in &self.pieces {
            match piece {
                PatternPiece::Text(text) => {
                    text_start = plan.constant().len();
                    plan.constant().extend_from_slice(text.as_bytes());
                }
                PatternPiece::Part(part, None) => {
                    if is_empty(*part, entry, &shown) {
                        let constant = plan.constant();
                        while constant.len() > text_start && constant.last() == Some(&b' ') {
                            constant.pop();
                        }
                    }
                    self.part(&mut plan, *part, entry, &shown);
                    text_start = plan.constant().len();
                }
                PatternPiece::Part(PatternPart::Level, Some(column)) => {
                    self.level(plan.constant(), entry.level(), Some(*column));
                    text_start = plan.constant().len();
                }
                PatternPiece::Part(part, Some(column)) => {
                    plan.part(Part::ColumnStart);
                    self.part(&mut plan, *part, entry, &shown);
                    plan.part(Part::ColumnEnd(*column));
                    text_start = plan.constant().len();
                }
            }
        }
        plan
    }

    fn part(&self, plan: &mut Plan, part: PatternPart, entry: &Entry<'_>, shown: &Shown<'_>) {
        let site = entry.site();
        match part {
            PatternPart::Time => plan.part(Part::Time),
            PatternPart::UnixNanos => plan.part(Part::UnixNanos),
            PatternPart::Level => self.level(plan.constant(), entry.level(), None),
            PatternPart::Event => event(plan, entry),
            PatternPart::Fields => self.fields(plan, shown),
            PatternPart::Context => self.context(plan.constant(), entry, shown),
            PatternPart::Target => escape::message(plan.constant(), &site.target),
            PatternPart::File => escape::message(plan.constant(), &site.file),
            PatternPart::Line => digits::unsigned(plan.constant(), site.line.into()),
            PatternPart::Pid => digits::unsigned(plan.constant(), self.identity.procid.into()),
            PatternPart::Host => escape::message(plan.constant(), &self.identity.hostname),
            PatternPart::Name => escape::message(plan.constant(), &self.identity.app_name),
            PatternPart::Category if entry.has_dynamic_category() => plan.part(Part::Category),
            PatternPart::Category => {
                plan.constant().extend_from_slice(category_name(entry.category()));
            }
        }
    }

    fn level(&self, out: &mut Vec<u8>, level: Level, column: Option<Column>) {
        let width = column.map_or(0, |column| usize::from(column.width));
        let name = level.as_str();
        let text = if column.is_some_and(|column| column.right) {
            format!("{name:>width$}")
        } else {
            format!("{name:<width$}")
        };
        self.styled(out, level_style(level), |out| out.extend_from_slice(text.as_bytes()));
    }

    fn fields(&self, plan: &mut Plan, shown: &Shown<'_>) {
        for (number, (name, index)) in shown.call.iter().enumerate() {
            self.name(plan.constant(), name, number > 0);
            plan.part(Part::Field(*index));
        }
    }

    fn context(&self, out: &mut Vec<u8>, entry: &Entry<'_>, shown: &Shown<'_>) {
        let mut values = Values::new();
        for (number, (name, value)) in shown.context.iter().enumerate() {
            self.name(out, name, number > 0);
            values.text(out, value, entry.calibration);
        }
    }

    fn name(&self, out: &mut Vec<u8>, name: &str, blank: bool) {
        if blank {
            out.push(b' ');
        }
        self.styled(out, AnsiColor::Cyan.on_default(), |out| {
            escape::bare_or_quoted(out, name, false);
        });
        out.push(b'=');
    }

    fn styled(&self, out: &mut Vec<u8>, style: Style, write: impl FnOnce(&mut Vec<u8>)) {
        if self.colours {
            out.extend_from_slice(style.render().to_string().as_bytes());
            write(out);
            out.extend_from_slice(style.render_reset().to_string().as_bytes());
        } else {
            write(out);
        }
    }
}

/// Whether a part shows nothing for all entries of this call site and context.
fn is_empty(part: PatternPart, entry: &Entry<'_>, shown: &Shown<'_>) -> bool {
    match part {
        PatternPart::Event => entry.template().is_empty(),
        PatternPart::Fields => shown.call.is_empty(),
        PatternPart::Context => shown.context.is_empty(),
        _ => false,
    }
}

fn event(plan: &mut Plan, entry: &Entry<'_>) {
    for piece in entry.template() {
        match piece {
            Piece::Text(text) => escape::message(plan.constant(), text),
            // A field's index is below its site's count, which has 16 bits.
            Piece::Field(index) => plan.part(Part::Message(*index as u16)),
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
