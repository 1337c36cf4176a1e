//! Methods for callers that learn of their texts and fields at run time.

use super::{MetaLogger, lanes};
use crate::context::DynamicValue;
use crate::definition::SiteSpec;
use crate::face::{Face, Stamp};
use crate::level::Level;
use crate::processors::Masked;
use crate::record::{Encode, INLINE, Stored, TypeCode, UnixNanos, Values};
use crate::ring::{Class, PushError};
use crate::shared::{Bindings, ContextRef, Lanes, Scoped, Unusual, market_time, refuse_nested};
use crate::site::MARKET_TIME;

/// The values of a dynamic call.
struct Dynamic<'a> {
    fields: &'a [(&'a str, DynamicValue<'a>)],
    /// In a backtest, what stands behind them.
    market_time: Option<UnixNanos>,
}

impl Values for Dynamic<'_> {
    fn tell(&self, tell: &mut dyn FnMut(TypeCode, &dyn Stored)) {
        for (_, value) in self.fields {
            value.tell(tell);
        }
        if let Some(time) = self.market_time {
            tell(UnixNanos::TYPE, &time);
        }
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
        let mut names: smallvec::SmallVec<[&str; 16]> =
            fields.iter().map(|(name, _)| *name).collect();
        let category = fields.iter().find(|(name, _)| *name == "category");
        let own_trade = category.map(|(_, value)| *value == DynamicValue::Str("trade"));
        let trade = trade || own_trade.unwrap_or(self.trade);
        let levels = &self.core.levels;
        // It is of no module: `log_filter` counts it among the others.
        let filtered = !trade && levels.by_module() && (level as u8) < levels.kept_of("");
        if filtered || !self.enabled(level, trade) {
            return Ok(());
        }
        let stamp = Stamp::own();
        let market_time = market_time().filter(|_| !names.contains(&MARKET_TIME));
        names.extend(market_time.map(|_| MARKET_TIME));
        let spec = SiteSpec { level, trade, line: 0, text, target: "", file: "", fields: &names };
        let values = Dynamic { fields, market_time };
        let class = Class { privileged: trade || level >= Level::Warning, trade };
        match self.core.masking.names().treatments(names.iter().copied()) {
            None => self.push_dynamic(spec, class, stamp, &values),
            Some(treatments) => {
                let masked = Masked::new(&values, &treatments);
                self.core.masking.count_by_name(masked.count());
                self.push_dynamic(spec, class, stamp, &masked)
            }
        }
    }

    fn push_dynamic(
        &self,
        spec: SiteSpec<'_>,
        class: Class,
        stamp: Stamp,
        values: &dyn Values,
    ) -> Result<(), PushError> {
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
