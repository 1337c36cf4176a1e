//! Call sites: what is known of a log call before it runs, and the process-wide registry of them.
//!
//! A site gets its number at its first use and keeps it for the life of the process. Its definition
//! is then written into the definition area of every ring, before any record names the number; so a
//! ring outlives its process and can still be read.

use std::sync::{OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use crate::definition::{DefinitionBytes, SiteSpec};
use crate::level::Level;
use crate::record::{INLINE, TypeCode};
use std::sync::atomic::{AtomicU32, Ordering};

/// Tells the types of a call's fields, one after the other.
pub(crate) type Types = fn(&mut dyn FnMut(TypeCode));

/// The field that an entry of a backtest carries beside its own.
pub(crate) const MARKET_TIME: &str = "market_time";

/// A call site: one log macro in the source.
#[derive(Debug)]
pub struct Site {
    /// 0 until the first use; [`INLINE`] when some ring had no room for the definition, or some
    /// engine masks one of the fields or wants a backtrace.
    id: AtomicU32,
    types: OnceLock<Types>,
    next: OnceLock<Option<&'static Site>>,
    /// The same call with one field more; see [`Site::with_market_time`].
    in_market: OnceLock<Option<&'static Site>>,
    spec: SiteSpec<'static>,
}

impl Site {
    /// A site that has not been used. Called by the macros, in a `static`.
    #[must_use]
    pub const fn new(
        level: Level,
        trade: bool,
        text: &'static str,
        (target, file, line): (&'static str, &'static str, u32),
        fields: &'static [&'static str],
    ) -> Self {
        Self {
            id: AtomicU32::new(0),
            types: OnceLock::new(),
            next: OnceLock::new(),
            in_market: OnceLock::new(),
            spec: SiteSpec { level, trade, line, text, target, file, fields },
        }
    }

    /// The number that records name; 0 before the first use.
    #[inline(always)]
    pub(crate) fn id(&self) -> u32 {
        // ORDERING: Acquire, so that a record committed after this load is published after the
        //   definition, even when another thread has written that.
        // PAIRS WITH: the Release store in `register`.
        // IF WEAKENED: the drain may meet a number that its ring does not define yet.
        self.id.load(Ordering::Acquire)
    }

    /// The level of its entries.
    pub(crate) fn level(&self) -> Level {
        self.spec.level
    }

    /// The text of its entries.
    pub(crate) fn text(&self) -> &'static str {
        self.spec.text
    }

    /// Where it stands: target, file, line.
    pub(crate) fn place(&self) -> (&'static str, &'static str, u32) {
        (self.spec.target, self.spec.file, self.spec.line)
    }

    /// The names of its fields.
    pub(crate) fn fields(&self) -> &'static [&'static str] {
        self.spec.fields
    }

    /// Whether all its entries are trade events.
    pub(crate) fn is_trade(&self) -> bool {
        self.spec.trade
    }

    /// The same call with the field `market_time` behind its own: what it logs in a backtest. Made
    /// at the first use and kept for the life of the process. `None` if the call has such a field
    /// itself, which then says it all.
    pub(crate) fn with_market_time(&self) -> Option<&'static Site> {
        *self.in_market.get_or_init(|| {
            let SiteSpec { level, trade, text, target, file, line, fields } = self.spec;
            if fields.contains(&MARKET_TIME) {
                return None;
            }
            let fields = [fields, &[MARKET_TIME]].concat().leak();
            Some(Box::leak(Box::new(Site::new(level, trade, text, (target, file, line), fields))))
        })
    }

    /// The definition's bytes, for the record that must carry it.
    pub(crate) fn definition(&self, types: Types) -> DefinitionBytes {
        self.spec.encode(types)
    }

    /// Gives the site its number and writes its definition into every ring.
    ///
    /// Gives [`INLINE`] where a ring has no room or its engine masks one of the fields or wants a
    /// backtrace, and, for this one call, where the registry stays locked for a millisecond (another
    /// thread registers, or a signal handler interrupted that).
    #[cold]
    #[inline(never)]
    pub(crate) fn register(&'static self, types: Types) -> u32 {
        let Some(mut registry) = REGISTRY.try_lock_for(Duration::from_millis(1)) else {
            return INLINE;
        };
        match self.id() {
            0 => registry.add(self, types),
            known => known,
        }
    }

    /// Whether each of its records is looked at in this ring, and so carries its own definition.
    fn is_special_in(&self, area: &dyn SiteArea) -> bool {
        area.traces(self.spec.level) || self.spec.fields.iter().any(|name| area.masks(name))
    }

    /// All that is known of it.
    pub(crate) fn spec(&self) -> SiteSpec<'static> {
        self.spec
    }

    fn set_id(&self, id: u32) {
        // ORDERING: Release, publishes the definition written to every ring before.
        // PAIRS WITH: the Acquire load in `id`.
        // IF WEAKENED: see there.
        self.id.store(id, Ordering::Release);
    }
}

/// Where the definitions of sites are kept: a ring, seen from here.
pub(crate) trait SiteArea: Send + Sync {
    /// Writes the definition of site `id`; false when there is no room.
    fn define_site(&self, id: u32, definition: &[u8]) -> bool;

    /// Whether values of this name are masked: then each record of the site is looked at.
    fn masks(&self, name: &str) -> bool;

    /// Whether entries of this level carry a backtrace.
    fn traces(&self, level: Level) -> bool;
}

struct Registry {
    newest: Option<&'static Site>,
    count: u32,
    areas: Vec<Weak<dyn SiteArea>>,
}

static REGISTRY: Mutex<Registry> =
    Mutex::new(Registry { newest: None, count: 0, areas: Vec::new() });

impl Registry {
    fn add(&mut self, site: &'static Site, types: Types) -> u32 {
        let areas = || self.areas.iter().filter_map(Weak::upgrade);
        if areas().any(|area| site.is_special_in(&*area)) {
            site.set_id(INLINE);
            return INLINE;
        }
        let definition = site.definition(types);
        let id = self.count + 1;
        let mut fits = true;
        for area in areas() {
            fits &= area.define_site(id, &definition);
        }
        if !fits {
            site.set_id(INLINE);
            return INLINE;
        }
        let linked = site.types.set(types).is_ok() && site.next.set(self.newest).is_ok();
        debug_assert!(linked, "a site is added once");
        self.newest = Some(site);
        self.count = id;
        site.set_id(id);
        id
    }
}

/// Writes every known site into a new ring, and every later one too.
pub(crate) fn attach(area: Weak<dyn SiteArea>) {
    let Some(strong) = area.upgrade() else { return };
    let mut registry = REGISTRY.lock();
    let mut next = registry.newest;
    while let Some(site) = next {
        next = site.next.get().copied().flatten();
        let (id, Some(types)) = (site.id(), site.types.get()) else { continue };
        let defined = || strong.define_site(id, &site.definition(*types));
        if id != INLINE && (site.is_special_in(&*strong) || !defined()) {
            // Nobody logs into the new ring yet, so no record there can name the number.
            site.set_id(INLINE);
        }
    }
    registry.areas.retain(|known| known.strong_count() > 0);
    registry.areas.push(area);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::definition::SiteDefinition;
    use crate::record::Args;

    #[derive(Default)]
    struct Area {
        defined: Mutex<Vec<(u32, Vec<u8>)>>,
        full: bool,
    }

    impl SiteArea for Area {
        fn define_site(&self, id: u32, definition: &[u8]) -> bool {
            if !self.full {
                self.defined.lock().push((id, definition.to_vec()));
            }
            !self.full
        }

        fn masks(&self, name: &str) -> bool {
            name == "secret"
        }

        fn traces(&self, level: Level) -> bool {
            level == Level::Critical
        }
    }

    #[test]
    fn a_site_that_some_engine_masks_has_no_number() {
        static EARLY: Site = Site::new(Level::Info, false, "early", ("t", "f.rs", 3), &["secret"]);
        static LATE: Site = Site::new(Level::Info, false, "late", ("t", "f.rs", 4), &["secret"]);
        let types = <((), u8) as Args>::types;
        EARLY.register(types);
        let area = Arc::new(Area::default());
        let weak: Weak<dyn SiteArea> = Arc::downgrade(&(area.clone() as Arc<dyn SiteArea>));
        attach(weak);
        assert_eq!((EARLY.id(), LATE.register(types), LATE.id()), (INLINE, INLINE, INLINE));
        let secret = |(_, bytes): &(u32, Vec<u8>)| {
            SiteDefinition::decode(bytes).unwrap().fields.iter().any(|f| &*f.name == "secret")
        };
        assert!(!area.defined.lock().iter().any(secret));
    }

    #[test]
    fn a_site_whose_entries_carry_a_backtrace_somewhere_has_no_number() {
        static CRITICAL: Site = Site::new(Level::Critical, false, "c", ("t", "f.rs", 5), &[]);
        static ERROR: Site = Site::new(Level::Error, false, "e", ("t", "f.rs", 6), &[]);
        let area = Arc::new(Area::default());
        let weak: Weak<dyn SiteArea> = Arc::downgrade(&(area.clone() as Arc<dyn SiteArea>));
        attach(weak);
        let types = <() as Args>::types;
        assert_eq!((CRITICAL.register(types), CRITICAL.id()), (INLINE, INLINE));
        assert_ne!(ERROR.register(types), INLINE);
    }

    #[test]
    fn a_site_is_defined_in_every_ring_before_it_has_a_number() {
        static EARLY: Site = Site::new(Level::Info, false, "early", ("t", "f.rs", 1), &["x"]);
        static LATE: Site = Site::new(Level::Info, true, "late", ("t", "f.rs", 2), &[]);
        let types = <((), u8) as Args>::types;

        let early = EARLY.register(types);
        assert_eq!(EARLY.register(types), early, "registering again changes nothing");
        let area = Arc::new(Area::default());
        let weak: Weak<dyn SiteArea> = Arc::downgrade(&(area.clone() as Arc<dyn SiteArea>));
        attach(weak);
        let late = LATE.register(<() as Args>::types);
        assert!(early != late && early != INLINE && late != INLINE);

        for (id, text) in [(early, "early"), (late, "late")] {
            let defined = area.defined.lock();
            let (_, bytes) = defined.iter().find(|(known, _)| *known == id).unwrap();
            assert_eq!(&*SiteDefinition::decode(bytes).unwrap().text, text);
        }
    }
}
