//! Methods for callers that learn of their texts and fields at run time.

use super::{MetaLogger, lanes};
use crate::context::DynamicValue;
use crate::definition::SiteSpec;
use crate::face::{Face, Stamp};
use crate::level::Level;
use crate::processors::Masked;
use crate::record::{Args, INLINE, Sink, Stored, TypeCode};
use crate::ring::{Class, PushError};
use crate::shared::{Bindings, ContextRef, Lanes, Scoped, Unusual, refuse_nested};

/// The values of a dynamic call.
#[derive(Clone, Copy)]
struct Values<'a>(&'a [(&'a str, DynamicValue<'a>)]);

impl Values<'_> {
    fn tell(&self, tell: &mut dyn FnMut(TypeCode, &dyn Stored)) {
        for (_, value) in self.0 {
            value.tell(tell);
        }
    }
}

impl Args for Values<'_> {
    const FIXED: usize = 0;

    fn extra(&self, cap: usize) -> usize {
        let mut bytes = 0;
        self.tell(&mut |_, value| bytes += value.bytes(cap));
        bytes
    }

    fn put(&self, sink: &mut Sink<'_>, cap: usize) {
        self.tell(&mut |_, value| value.put_stored(sink, cap));
    }

    fn types(_tell: &mut dyn FnMut(TypeCode)) {}

    fn each(&self, tell: &mut dyn FnMut(TypeCode, &dyn Stored)) {
        self.tell(tell);
    }
}

impl MetaLogger {
    /// Logs a text and fields that are known at run time only.
    ///
    /// Each record carries the text and the names itself, so this takes several times as long as
    /// a macro (about 100 ns), and may allocate. Where a name stands twice, the first value counts.
    ///
    /// # Errors
    /// [`PushError`] when the record is refused; the loss has been counted.
    pub fn log(
        &self,
        level: Level,
        text: &str,
        fields: &[(&str, DynamicValue<'_>)],
    ) -> Result<(), PushError> {
        self.log_dynamic(level, false, text, fields)
    }

    /// Logs a trade event at INFO; see [`log`](MetaLogger::log).
    ///
    /// # Errors
    /// [`PushError`] when the record is refused; the loss has been counted.
    pub fn log_trade(
        &self,
        text: &str,
        fields: &[(&str, DynamicValue<'_>)],
    ) -> Result<(), PushError> {
        self.log_dynamic(Level::Info, true, text, fields)
    }

    fn log_dynamic(
        &self,
        level: Level,
        trade: bool,
        text: &str,
        fields: &[(&str, DynamicValue<'_>)],
    ) -> Result<(), PushError> {
        let names: smallvec::SmallVec<[&str; 16]> = fields.iter().map(|(name, _)| *name).collect();
        let category = fields.iter().find(|(name, _)| *name == "category");
        let own_trade = category.map(|(_, value)| *value == DynamicValue::Str("trade"));
        let trade = trade || own_trade.unwrap_or(self.trade);
        if !self.enabled(level, trade) {
            return Ok(());
        }
        let stamp = Stamp::own();
        let spec = SiteSpec { level, trade, line: 0, text, target: "", file: "", fields: &names };
        let values = Values(fields);
        let class = Class { privileged: trade || level >= Level::Warning, trade };
        match self.core.mask.treatments(names.iter().copied()) {
            None => self.push_dynamic(spec, class, stamp, &values),
            Some(treatments) => {
                let masked = Masked::new(&values, &treatments);
                self.core.count_masked(masked.count());
                self.push_dynamic(spec, class, stamp, &masked)
            }
        }
    }

    fn push_dynamic(
        &self,
        spec: SiteSpec<'_>,
        class: Class,
        stamp: Stamp,
        values: &impl Args,
    ) -> Result<(), PushError> {
        let definition = spec.encode_with(|tell| values.each(&mut |code, _| tell(code)));
        lanes::OfThread.with(&self.core, |lane| {
            let scoped = lanes::OfThread.scoped(&self.core, self.context());
            let context = match &scoped {
                Scoped::Outside => self.context(),
                Scoped::Inside(merged) => ContextRef::of(merged),
                Scoped::Busy => return Err(refuse_nested(lane, spec.level, spec.trade)),
            };
            let record = Unusual { site: INLINE, definition: &definition, context, stamp };
            let pushed = self.core.push_record(lane, record, class, values);
            self.core.note_call(lane, stamp.time, 1, || spec.text.into());
            pushed
        })
    }
}

macro_rules! level_methods {
    ($($method:ident => $level:ident),* $(,)?) => {
        impl MetaLogger {$(
            #[doc = concat!("Logs at [`Level::", stringify!($level), "`]; see [`log`](MetaLogger::log).")]
            ///
            /// # Errors
            /// [`PushError`] when the record is refused; the loss has been counted.
            pub fn $method(
                &self,
                text: &str,
                fields: &[(&str, DynamicValue<'_>)],
            ) -> Result<(), PushError> {
                self.log(Level::$level, text, fields)
            }
        )*}
    };
}

level_methods!(
    debug => Debug,
    info => Info,
    warning => Warning,
    error => Error,
    critical => Critical,
);
