//! A decoded log entry: what formatters and handlers work on.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::clock::Calibration;
use crate::definition::{
    CATEGORY, ContextDefinition, Piece, RawField, SiteDefinition, SiteSpec, category_of,
};
use crate::level::{Category, Level};
use crate::record::{Args, Fields, Malformed, Sink, UnixNanos, Value};

/// One entry, borrowed from the record it was read from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) time: UnixNanos,
    pub(crate) site: &'a Arc<SiteDefinition>,
    pub(crate) context: Option<&'a Arc<ContextDefinition>>,
    pub(crate) arguments: &'a [u8],
    pub(crate) calibration: Calibration,
}

impl<'a> Entry<'a> {
    /// When it happened.
    #[must_use]
    pub(crate) fn time(&self) -> UnixNanos {
        self.time
    }

    /// How severe it is.
    #[must_use]
    pub(crate) fn level(&self) -> Level {
        self.site.level
    }

    /// The call site it came from.
    #[must_use]
    pub(crate) fn site(&self) -> &'a SiteDefinition {
        self.site
    }

    /// Whether it belongs into the trade log: its call site says so, or its `category` field, or
    /// the `category` bound in its context, is `"trade"`; the call wins over the context.
    #[must_use]
    pub(crate) fn category(&self) -> Category {
        if self.site.trade {
            return Category::Trade;
        }
        let own = if self.site.has_category {
            self.fields().flatten().find(|(name, _)| *name == CATEGORY)
        } else {
            None
        };
        match own {
            Some((_, value)) => category_of(&value),
            None => self.context.map_or(Category::General, |context| context.category()),
        }
    }

    /// Whether [`Self::category`] depends on the values given at the call, and not on the call
    /// site and the context alone.
    pub(crate) fn has_dynamic_category(&self) -> bool {
        !self.site.trade && self.site.has_category
    }

    /// The fields given at the call, in their order. After an error nothing more follows.
    pub(crate) fn fields(
        &self,
    ) -> impl Iterator<Item = Result<(&'a str, Value<'a>), Malformed>> + use<'a> {
        let mut values = Fields::new(self.arguments);
        let calibration = self.calibration;
        let mut failed = false;
        let site: &'a SiteDefinition = self.site;
        site.fields.iter().map_while(move |field| {
            if failed {
                return None;
            }
            let value = values.next(field.code).map(|value| resolve(value, calibration));
            failed = value.is_err();
            Some(value.map(|value| (&*field.name, value)))
        })
    }

    /// The bound context's fields, in the order they were bound.
    pub(crate) fn context(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> + use<'a> {
        let calibration = self.calibration;
        let context: Option<&'a Arc<ContextDefinition>> = self.context;
        context
            .into_iter()
            .flat_map(|context| context.iter())
            .map(move |(name, value)| (name, resolve(value, calibration)))
    }

    /// The names of the bound context's fields.
    pub(crate) fn context_names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let context: Option<&'a Arc<ContextDefinition>> = self.context;
        context.into_iter().flat_map(|context| context.names())
    }

    /// The bound context's field with this index.
    pub(crate) fn context_field(&self, index: u16) -> Option<RawField<'a>> {
        let context: Option<&'a Arc<ContextDefinition>> = self.context;
        context?.raw_fields().nth(usize::from(index))
    }

    /// The value as it is shown: ticks become a point in time.
    pub(crate) fn resolve<'v>(&self, value: Value<'v>) -> Value<'v> {
        resolve(value, self.calibration)
    }

    /// The pieces of the event's text.
    #[must_use]
    pub(crate) fn template(&self) -> &'a [Piece] {
        &self.site.template
    }
}

/// An entry that the engine itself makes, outside any record.
#[derive(Debug)]
pub(crate) struct OwnEntry {
    site: Arc<SiteDefinition>,
    arguments: Vec<u8>,
    time: UnixNanos,
}

impl OwnEntry {
    /// An entry with these fields.
    pub(crate) fn new<A: Args>(spec: SiteSpec<'_>, args: &A, time: UnixNanos) -> Option<Self> {
        let site = own_site(&spec.encode(A::types))?;
        let mut arguments = vec![0; A::FIXED + args.extra(usize::MAX)];
        args.put(&mut Sink::new(&mut arguments), usize::MAX);
        Some(Self { site, arguments, time })
    }

    /// The entry, for formatters.
    pub(crate) fn entry(&self) -> Entry<'_> {
        Entry {
            time: self.time,
            site: &self.site,
            context: None,
            arguments: &self.arguments,
            calibration: Calibration { ticks: 0, unix_nanos: 0, nanos_per_tick: 0, stepped: false },
        }
    }
}

/// The definition with these bytes, the same each time: formatters make a plan for every other one.
fn own_site(bytes: &[u8]) -> Option<Arc<SiteDefinition>> {
    /// The engine has few of them.
    const KNOWN_MAX: usize = 32;
    type Known = (Box<[u8]>, Arc<SiteDefinition>);
    static KNOWN: Mutex<Vec<Known>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock();
    if let Some((_, site)) = known.iter().find(|(known, _)| **known == *bytes) {
        return Some(Arc::clone(site));
    }
    let site = Arc::new(SiteDefinition::decode(bytes).ok()?);
    if known.len() < KNOWN_MAX {
        known.push((bytes.into(), Arc::clone(&site)));
    }
    Some(site)
}

fn resolve(value: Value<'_>, calibration: Calibration) -> Value<'_> {
    match value {
        Value::Ticks(ticks) => Value::Time(calibration.to_unix(ticks.0)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_our_own_share_their_definition() {
        let spec = SiteSpec {
            level: Level::Warning,
            trade: false,
            line: 1,
            text: "own",
            target: "here",
            file: "entry.rs",
            fields: &["lost"],
        };
        let [first, second] =
            [1, 2].map(|lost: u64| OwnEntry::new(spec, &((), lost), UnixNanos(0)));
        let (first, second) = (first.unwrap(), second.unwrap());
        assert!(Arc::ptr_eq(&first.site, &second.site));
        assert_ne!(first.arguments, second.arguments);
    }
}
