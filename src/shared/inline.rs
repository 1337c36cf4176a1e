//! Records that carry their site's definition: of sites without a number, and of dynamic calls.

use smallvec::SmallVec;

use super::bindings::ContextRef;
use super::core::{Core, Unusual};
use crate::call::Stamp;
use crate::definition::{SiteSpec, mark_backtrace};
use crate::record::{Args, INLINE, Stored, Told, TypeCode, Values};
use crate::ring::{Class, LaneHandle, PushError};
use crate::site::{Site, Types};
use crate::stack::Trace;

/// A call's values, with a backtrace behind them if there is one.
struct WithTrace<'a> {
    values: &'a dyn Values,
    trace: Option<&'a Trace<'a>>,
}

impl Values for WithTrace<'_> {
    fn tell(&self, tell: &mut dyn FnMut(TypeCode, &dyn Stored)) {
        self.values.tell(tell);
        if let Some(trace) = self.trace {
            trace.tell(tell);
        }
    }
}

impl Core {
    /// Logs an entry through a lane of its own: also while a push of the calling thread is under
    /// way, which its own lane would refuse.
    ///
    /// # Errors
    /// [`PushError`] when it is refused; the loss has been counted.
    pub(crate) fn push_apart<A: Args>(
        &self,
        site: &'static Site,
        args: A,
    ) -> Result<(), PushError> {
        let (lane, site) = (self.ring.register(), (site, A::types as Types));
        self.push_exceptional(&lane, ContextRef::NONE, site, Stamp::own(), args)
    }

    /// Encodes a record with the definition of its site, which is `spec`; and with a backtrace, if
    /// entries of its level have one. `record` names no definition yet.
    ///
    /// # Errors
    /// [`PushError`] when it is refused; the loss has been counted.
    #[cold]
    #[inline(never)]
    pub(crate) fn push_inline(
        &self,
        lane: &LaneHandle,
        record: Unusual<'_>,
        class: Class,
        spec: &SiteSpec<'_>,
        values: &dyn Values,
    ) -> Result<(), PushError> {
        let trace = self.stacks.capture(spec.level, spec.fields);
        let values = WithTrace { values, trace: trace.as_ref() };
        let mut names: SmallVec<[&str; 32]> = SmallVec::from_slice(spec.fields);
        if trace.is_some() {
            names.extend(Trace::FIELDS);
        }
        let spec = SiteSpec { fields: &names, ..*spec };
        let mut definition = spec.encode_with(|tell| values.tell(&mut |code, _| tell(code)));
        if trace.is_some() {
            mark_backtrace(&mut definition);
        }
        let record = Unusual { site: INLINE, definition: &definition, ..record };
        self.push_record(lane, record, class, &Told(&values))
    }
}
