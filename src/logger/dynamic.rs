//! Methods for callers that learn of their texts and fields at run time.

use smallvec::SmallVec;

use super::{MetaLogger, lanes};
use crate::context::DynamicValue;
use crate::definition::{CATEGORY, SiteSpec};
use crate::face::{Face, Stamp};
use crate::level::Level;
use crate::processors::Masked;
use crate::record::{Encode, INLINE, Stored, TypeCode, UnixNanos, Values};
use crate::ring::{Class, PushError};
use crate::shared::{Bindings, ContextRef, Lanes, Scoped, Unusual, market_time, refuse_nested};
use crate::site::MARKET_TIME;

/// The fields of a dynamic call.
struct Dynamic<'a>(&'a [(&'a str, DynamicValue<'a>)]);

impl Values for Dynamic<'_> {
    fn tell(&self, tell: &mut dyn FnMut(TypeCode, &dyn Stored)) {
        for (_, value) in self.0 {
            value.tell(tell);
        }
    }
}

/// In a backtest: values, and the market's time behind them.
struct InMarket<'a> {
    values: &'a dyn Values,
    time: UnixNanos,
}

impl Values for InMarket<'_> {
    fn tell(&self, tell: &mut dyn FnMut(TypeCode, &dyn Stored)) {
        self.values.tell(tell);
        tell(UnixNanos::TYPE, &self.time);
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
        let names: SmallVec<[&str; 16]> = fields.iter().map(|(name, _)| *name).collect();
        let category = fields.iter().find(|(name, _)| *name == CATEGORY);
        let own_trade = category.map(|(_, value)| *value == DynamicValue::Str("trade"));
        let trade = trade || own_trade.unwrap_or(self.trade);
        // It is of no module: `log_filter` counts it among the others.
        if !self.keeps(level, "", trade) {
            return Ok(());
        }
        let spec = SiteSpec { level, trade, line: 0, text, target: "", file: "", fields: &names };
        self.submit_dynamic(Stamp::own(), spec, &Dynamic(fields))
    }

    /// Whether an entry of a module is kept.
    pub(crate) fn keeps(&self, level: Level, target: &str, trade: bool) -> bool {
        let levels = &self.core.levels;
        let filtered = !trade && levels.by_module() && (level as u8) < levels.kept_of(target);
        !filtered && self.enabled(level, trade)
    }

    /// Whether every entry is a trade event that does not say otherwise.
    #[cfg(any(feature = "log", feature = "tracing"))]
    pub(crate) fn is_trade(&self) -> bool {
        self.trade
    }

    /// Hands over an entry that is kept, and known at run time only. Its record carries its site.
    ///
    /// # Errors
    /// [`PushError`] when the record is refused; the loss has been counted.
    pub(crate) fn submit_dynamic(
        &self,
        stamp: Stamp,
        spec: SiteSpec<'_>,
        values: &dyn Values,
    ) -> Result<(), PushError> {
        let Some(time) = market_time().filter(|_| !spec.fields.contains(&MARKET_TIME)) else {
            return self.push_masked(stamp, spec, values);
        };
        let names = [spec.fields, &[MARKET_TIME]].concat();
        let spec = SiteSpec { fields: &names, ..spec };
        self.push_masked(stamp, spec, &InMarket { values, time })
    }

    fn push_masked(
        &self,
        stamp: Stamp,
        spec: SiteSpec<'_>,
        values: &dyn Values,
    ) -> Result<(), PushError> {
        match self.core.masking.names().treatments(spec.fields, spec.text) {
            None => self.push_dynamic(spec, stamp, values),
            Some(treatments) => {
                let masked = Masked::new(values, &treatments);
                self.core.masking.count_by_name(masked.count());
                self.push_dynamic(spec, stamp, &masked)
            }
        }
    }

    fn push_dynamic(
        &self,
        spec: SiteSpec<'_>,
        stamp: Stamp,
        values: &dyn Values,
    ) -> Result<(), PushError> {
        let privileged = spec.trade || spec.level >= Level::Warning;
        let class = Class { privileged, trade: spec.trade };
        lanes::OfThread.with(&self.core, |lane| {
            let scoped = lanes::OfThread.scoped(&self.core, self.context());
            let context = match &scoped {
                Scoped::Outside => self.context(),
                Scoped::Inside(merged) => ContextRef::of(merged),
                Scoped::Busy => return Err(refuse_nested(lane, spec.level, spec.trade)),
            };
            let record = Unusual { site: INLINE, definition: &[], context, stamp };
            let pushed = self.core.push_inline(lane, record, class, &spec, values);
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
