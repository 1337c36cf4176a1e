//! The bridge from `tracing`: a layer of `tracing-subscriber`.

use tracing_core::callsite::rebuild_interest_cache;
use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::subscriber::{Interest, Subscriber};
use tracing_core::{Event, LevelFilter, Metadata};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context as At, Filter};
use tracing_subscriber::registry::LookupSpan;

use super::fields::{Fields, MESSAGE, Place};
use super::spans::{self, number_of_a_layer};
use crate::call::Stamp;
use crate::context::Context;
use crate::definition::CATEGORY;
use crate::level::Level;
use crate::logger::MetaLogger;
use crate::record::Told;

/// The layer with the filter that belongs to it: what most programs want.
///
/// Events and spans that no log keeps are left out by `tracing` itself, at the cost of a load, and
/// that follows every change of level; other layers still get them. As everywhere in `tracing`, a
/// span whose level is not kept does not exist, so its fields stand on no entry.
///
/// ```
/// use tracing_subscriber::layer::SubscriberExt;
///
/// let (log, captured) = tapelog::testing::capture();
/// let subscriber = tracing_subscriber::registry().with(tapelog::bridge::tracing::layer(&log));
/// tracing::subscriber::with_default(subscriber, || {
///     let _order = tracing::info_span!("order", order_id = 9).entered();
///     tracing::info!(qty = 0.5, "filled");
/// });
///
/// let entries = captured.entries();
/// assert_eq!(entries[0].event, "filled");
/// assert_eq!(entries[0].fields["qty"], "0.5");
/// assert_eq!(entries[0].context["order_id"], "9");
/// ```
pub fn layer<S>(log: &MetaLogger) -> impl Layer<S> + Send + Sync + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    log.core().followers.tracing.get_or_init(|| |_levels| rebuild_interest_cache());
    TapelogLayer::new(log).with_filter(KeptByTheEngine { log: log.clone() })
}

/// Takes the events of `tracing`.
///
/// An event's `message` is the entry's text; its other fields keep their types, and errors
/// (`error = &err as &dyn Error`) their whole chain of sources. What `?` and `%` say is formatted
/// on the caller. The target is what `log_filter` goes by.
///
/// The fields of the spans around an event stand on its entry as bound ones do: the inner span's
/// value wins, the event's own over all, and values that are recorded later count from then on. What
/// a span's fields come to is bound at the first event inside of it, and kept until the span is
/// closed. A span's `category = "trade"` makes trade events of the entries that `log_level` lets
/// through.
///
/// This is the layer alone, to be combined with a filter of your own; [`layer()`] has the one that
/// belongs to it. Alone it gets every event, and leaves out what no log keeps. Costs and limits are
/// told in [`bridge`](crate::bridge).
#[derive(Debug)]
pub struct TapelogLayer {
    log: MetaLogger,
    /// Tells what this layer keeps in a span from what others do.
    number: u64,
}

impl TapelogLayer {
    /// A layer that hands events to this logger: what is bound to it stands on every entry.
    #[must_use]
    pub fn new(log: &MetaLogger) -> Self {
        Self { log: log.clone(), number: number_of_a_layer() }
    }
}

impl<S> Layer<S> for TapelogLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, at: At<'_, S>) {
        let own = context_of(|visitor| attributes.record(visitor));
        if let (Some(own), Some(span)) = (own, at.span(id)) {
            spans::add(&span, self.number, own);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, at: At<'_, S>) {
        let more = context_of(|visitor| values.record(visitor));
        if let (Some(more), Some(span)) = (more, at.span(id)) {
            spans::add(&span, self.number, more);
        }
    }

    fn on_event(&self, event: &Event<'_>, at: At<'_, S>) {
        if !keeps(&self.log, event.metadata()) {
            return;
        }
        let stamp = Stamp::own();
        let mut visitor = Visitor { fields: Fields::default(), of_event: true };
        event.record(&mut visitor);
        let metadata = event.metadata();
        let place = Place {
            level: level_of(metadata.level()),
            target: metadata.target(),
            file: metadata.file().unwrap_or_default(),
            line: metadata.line().unwrap_or_default(),
        };
        let inside = at
            .event_scope(event)
            .and_then(|scope| spans::logger_inside(scope, self.number, &self.log));
        let log = inside.as_ref().unwrap_or(&self.log);
        visitor.fields.submit(log, stamp, place, metadata.name());
    }
}

/// Lets through what some log keeps.
#[derive(Debug)]
struct KeptByTheEngine {
    log: MetaLogger,
}

impl<S> Filter<S> for KeptByTheEngine {
    fn enabled(&self, metadata: &Metadata<'_>, _at: &At<'_, S>) -> bool {
        keeps(&self.log, metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Asked again when levels change.
        if keeps(&self.log, metadata) { Interest::always() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match Level::from_code(self.log.core().levels.least_kept()) {
            Some(Level::Trace) => LevelFilter::TRACE,
            Some(Level::Debug) => LevelFilter::DEBUG,
            Some(Level::Info) => LevelFilter::INFO,
            Some(Level::Warning) => LevelFilter::WARN,
            Some(Level::Error) => LevelFilter::ERROR,
            // `tracing` has nothing that is more severe than an error.
            Some(Level::Critical) | None => LevelFilter::OFF,
        })
    }
}

/// Whether some log keeps events of this call site. A span is of use to the events of any module, so
/// `log_filter` does not count for it.
fn keeps(log: &MetaLogger, metadata: &Metadata<'_>) -> bool {
    let may_be_trade = log.is_trade() || metadata.fields().field(CATEGORY).is_some();
    let level = level_of(metadata.level());
    let regardless_of_module = metadata.is_span() && log.core().enabled(level, may_be_trade);
    regardless_of_module || log.keeps(level, metadata.target(), may_be_trade)
}

fn level_of(level: &tracing_core::Level) -> Level {
    match *level {
        tracing_core::Level::ERROR => Level::Error,
        tracing_core::Level::WARN => Level::Warning,
        tracing_core::Level::INFO => Level::Info,
        tracing_core::Level::DEBUG => Level::Debug,
        tracing_core::Level::TRACE => Level::Trace,
    }
}

/// The fields that `record` tells, as they are bound; none if there is no field.
fn context_of(record: impl FnOnce(&mut Visitor)) -> Option<Context> {
    let mut visitor = Visitor { fields: Fields::default(), of_event: false };
    record(&mut visitor);
    let fields = visitor.fields;
    let context = || Context::from_fields(&fields.names(), &Told(&fields));
    (!fields.is_empty()).then(context)
}

/// Collects the fields of an event or a span.
#[derive(Debug)]
struct Visitor {
    fields: Fields<&'static str>,
    /// Whether a field `message` is the text.
    of_event: bool,
}

impl Visitor {
    fn is_text(&self, field: &Field) -> bool {
        self.of_event && field.name() == MESSAGE
    }
}

macro_rules! record {
    ($($method:ident: $type:ty => $collect:ident),* $(,)?) => {$(
        fn $method(&mut self, field: &Field, value: $type) {
            if self.is_text(field) {
                self.fields.message(format_args!("{value}"));
            } else {
                self.fields.$collect(field.name(), value);
            }
        }
    )*};
}

impl Visit for Visitor {
    record!(
        record_bool: bool => bool,
        record_u64: u64 => unsigned,
        record_i64: i64 => signed,
        record_u128: u128 => wide,
        record_i128: i128 => wide_signed,
        record_f64: f64 => float,
        record_str: &str => str,
    );

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        self.fields.bytes(field.name(), value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.fields.error(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if self.is_text(field) {
            self.fields.message(format_args!("{value:?}"));
        } else {
            self.fields.formatted(field.name(), format_args!("{value:?}"));
        }
    }
}
