//! What the spans of `tracing` hold for the entries inside of them.

use std::sync::atomic::{AtomicU64, Ordering};

use smallvec::SmallVec;
use tracing_subscriber::registry::{LookupSpan, Scope, SpanRef};

use crate::context::Context;
use crate::logger::MetaLogger;

/// A number that no other layer of the process has.
pub(super) fn number_of_a_layer() -> u64 {
    static NEWEST: AtomicU64 = AtomicU64::new(0);
    // ORDERING: Relaxed, the number alone is what counts.
    // PAIRS WITH: nothing.
    // IF WEAKENED: it is the weakest already.
    NEWEST.fetch_add(1, Ordering::Relaxed)
}

/// What layers keep in a span: most often there is one.
#[derive(Debug, Default)]
struct Kept(SmallVec<[OfLayer; 1]>);

/// What one layer keeps in a span.
#[derive(Debug)]
struct OfLayer {
    layer: u64,
    /// The span's own fields. Not masked: these are the program's own values until they are bound.
    own: Context,
    /// How often they have changed.
    changes: u64,
    /// The logger with the fields of all the spans up to this one, for so many changes of them all.
    bound: Option<(u64, MetaLogger)>,
}

impl Kept {
    fn of(&self, layer: u64) -> Option<&OfLayer> {
        self.0.iter().find(|kept| kept.layer == layer)
    }

    fn of_mut(&mut self, layer: u64) -> &mut OfLayer {
        let known = self.0.iter().position(|kept| kept.layer == layer);
        let place = known.unwrap_or_else(|| {
            self.0.push(OfLayer { layer, own: Context::new(), changes: 0, bound: None });
            self.0.len() - 1
        });
        &mut self.0[place]
    }
}

/// Works with what a layer keeps in a span. Nothing of the program's may run inside: the span is
/// locked.
fn with_kept<'a, S: LookupSpan<'a>, R>(
    span: &SpanRef<'a, S>,
    layer: u64,
    work: impl FnOnce(&mut OfLayer) -> R,
) -> R {
    let mut extensions = span.extensions_mut();
    if let Some(kept) = extensions.get_mut::<Kept>() {
        return work(kept.of_mut(layer));
    }
    let mut kept = Kept::default();
    let result = work(kept.of_mut(layer));
    extensions.replace(kept);
    result
}

/// Adds fields to a span's own; where it has one of them, the new value counts.
pub(super) fn add<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>, layer: u64, fields: Context) {
    with_kept(span, layer, |kept| {
        kept.own = fields.within(std::mem::take(&mut kept.own));
        kept.changes += 1;
    });
}

/// `log` with the fields of the spans of `scope` bound to it; none if they have no field.
pub(super) fn logger_inside<'a, S: LookupSpan<'a>>(
    scope: Scope<'a, S>,
    layer: u64,
    log: &MetaLogger,
) -> Option<MetaLogger> {
    let spans: SmallVec<[SpanRef<'a, S>; 8]> = scope.collect();
    // A span's parents are always the same ones and their changes only grow: so does the sum.
    let changes = |span: &SpanRef<'a, S>| {
        span.extensions()
            .get::<Kept>()
            .and_then(|kept| kept.of(layer))
            .map_or(0, |kept| kept.changes)
    };
    let changes = spans.iter().map(changes).sum::<u64>();
    let inner = spans.first().filter(|_| changes > 0)?;
    let known = with_kept(inner, layer, |kept| {
        kept.bound.as_ref().filter(|(known, _)| *known == changes).map(|(_, log)| log.clone())
    });
    known.or_else(|| {
        let mut all = Context::new();
        for span in &spans {
            let extensions = span.extensions();
            if let Some(kept) = extensions.get::<Kept>().and_then(|kept| kept.of(layer)) {
                all = all.within(kept.own.clone());
            }
        }
        let bound = log.bind(all);
        let old = with_kept(inner, layer, |kept| kept.bound.replace((changes, bound.clone())));
        drop(old);
        Some(bound)
    })
}
