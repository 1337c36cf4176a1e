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
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Tells the types of a call's fields, one after the other.
pub(crate) type Types = fn(&mut dyn FnMut(TypeCode));

/// The field that an entry of a backtest carries beside its own.
pub(crate) const MARKET_TIME: &str = "market_time";

/// A call site: one log macro in the source.
#[derive(Debug)]
pub struct Site {
    /// 0 until the first use; [`INLINE`] when some ring had no room for the definition, or some
    /// engine masks one of the fields, filters the calls out or wants a backtrace.
    id: AtomicU32,
    /// The number that it has, whether records name it or not.
    number: OnceLock<u32>,
    types: OnceLock<Types>,
    next: OnceLock<Option<&'static Site>>,
    /// The least level that an engine's filter keeps here, below the number of that filter.
    kept: AtomicU64,
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
            number: OnceLock::new(),
            types: OnceLock::new(),
            next: OnceLock::new(),
            kept: AtomicU64::new(0),
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
    /// Gives [`INLINE`] where a ring has no room, or its engine masks one of the fields, filters the
    /// calls out or wants a backtrace, and, for this one call, where the registry stays locked for a
    /// millisecond (another thread registers, or a signal handler interrupted that).
    #[cold]
    #[inline(never)]
    pub(crate) fn register(&'static self, types: Types) -> u32 {
        let Some(mut registry) = REGISTRY.try_lock_for(Duration::from_millis(1)) else {
            return INLINE;
        };
        registry.register(self, types)
    }

    /// The least level that is kept here by the filter of this number; `find` finds it out.
    #[inline]
    pub(crate) fn kept_by(&self, filter: u32, find: impl FnOnce(&str) -> u8) -> u8 {
        // ORDERING: Relaxed, a note of one word.
        // PAIRS WITH: the store below.
        // IF WEAKENED: it is the weakest already.
        let [kept, _, _, _, number @ ..] = self.kept.load(Ordering::Relaxed).to_le_bytes();
        if u32::from_le_bytes(number) == filter {
            return kept;
        }
        let kept = find(self.spec.target);
        let note = u64::from(filter) << 32 | u64::from(kept);
        // ORDERING: Relaxed, as above.
        // PAIRS WITH: the load above.
        // IF WEAKENED: it is the weakest already.
        self.kept.store(note, Ordering::Relaxed);
        kept
    }

    /// All that is known of it.
    pub(crate) fn spec(&self) -> SiteSpec<'static> {
        self.spec
    }

    fn set_id(&self, id: u32) {
        if self.id() == id {
            return;
        }
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

    /// Whether each record of the site is to be looked at: one of its values is masked, or its calls
    /// are filtered out.
    fn looks_at(&self, site: &Site) -> bool;

    /// Whether entries of this level carry a backtrace.
    fn traces(&self, level: Level) -> bool;
}

struct Registry {
    newest: Option<&'static Site>,
    count: u32,
    areas: Vec<Weak<dyn SiteArea>>,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry::new());

impl Registry {
    const fn new() -> Self {
        Self { newest: None, count: 0, areas: Vec::new() }
    }

    fn register(&mut self, site: &'static Site, types: Types) -> u32 {
        match site.id() {
            0 => self.add(site, types),
            known => known,
        }
    }

    fn attach(&mut self, area: Weak<dyn SiteArea>) {
        self.areas.retain(|known| known.strong_count() > 0);
        self.areas.push(area);
        self.settle_all();
    }

    fn add(&mut self, site: &'static Site, types: Types) -> u32 {
        let new = site.types.set(types).is_ok() && site.next.set(self.newest).is_ok();
        debug_assert!(new, "a site is added once");
        self.newest = Some(site);
        self.settle(site, types);
        site.id()
    }

    /// Gives the site its number, or takes it away, as its rings and their engines have it now.
    fn settle(&mut self, site: &'static Site, types: Types) {
        let areas = || self.areas.iter().filter_map(Weak::upgrade);
        if areas().any(|area| area.traces(site.level()) || area.looks_at(site)) {
            site.set_id(INLINE);
            return;
        }
        // A number that was taken is never another site's: some ring may define it.
        let number = *site.number.get_or_init(|| self.count + 1);
        let definition = site.definition(types);
        let fits = areas().all(|area| area.define_site(number, &definition));
        self.count = self.count.max(number);
        site.set_id(if fits { number } else { INLINE });
    }

    fn settle_all(&mut self) {
        let mut next = self.newest;
        while let Some(site) = next {
            next = site.next.get().copied().flatten();
            if let Some(types) = site.types.get() {
                self.settle(site, *types);
            }
        }
    }
}

/// Writes every known site into a new ring, and every later one too. Nobody logs into it yet.
pub(crate) fn attach(area: Weak<dyn SiteArea>) {
    REGISTRY.lock().attach(area);
}

/// Looks at every known site again: what an engine masks or filters has changed. Calls that begin
/// after this has returned go by it.
pub(crate) fn review() {
    REGISTRY.lock().settle_all();
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
        blind: std::sync::atomic::AtomicBool,
    }

    impl Area {
        /// In a registry of the test's own: engines of other tests have a say in the global one.
        fn attached_to(registry: &mut Registry) -> Arc<Self> {
            let area = Arc::new(Self::default());
            let weak: Weak<dyn SiteArea> = Arc::downgrade(&(area.clone() as Arc<dyn SiteArea>));
            registry.attach(weak);
            area
        }
    }

    impl SiteArea for Area {
        fn define_site(&self, id: u32, definition: &[u8]) -> bool {
            self.defined.lock().push((id, definition.to_vec()));
            true
        }

        fn looks_at(&self, site: &Site) -> bool {
            // ORDERING: Relaxed, one thread alone uses it.
            !self.blind.load(Ordering::Relaxed) && site.fields() == ["secret"]
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
        let mut registry = Registry::new();
        registry.register(&EARLY, types);
        let area = Area::attached_to(&mut registry);
        assert_eq!(
            (EARLY.id(), registry.register(&LATE, types), LATE.id()),
            (INLINE, INLINE, INLINE)
        );
        let secret = |(_, bytes): &(u32, Vec<u8>)| {
            SiteDefinition::decode(bytes).unwrap().fields.iter().any(|f| &*f.name == "secret")
        };
        assert!(!area.defined.lock().iter().any(secret));

        // ORDERING: Relaxed, as above.
        area.blind.store(true, Ordering::Relaxed);
        registry.settle_all();
        assert!(EARLY.id() != INLINE && LATE.id() != INLINE && EARLY.id() != LATE.id());
        assert_eq!(area.defined.lock().iter().filter(|one| secret(one)).count(), 2);
        // ORDERING: Relaxed, as above.
        area.blind.store(false, Ordering::Relaxed);
        registry.settle_all();
        assert_eq!((EARLY.id(), LATE.id()), (INLINE, INLINE));
    }

    #[test]
    fn what_a_filter_keeps_is_found_out_once() {
        static SITE: Site = Site::new(Level::Info, false, "kept", ("bot::risk", "f.rs", 5), &[]);
        let found = |filter, kept| SITE.kept_by(filter, |target| target.len() as u8 + kept);
        assert_eq!((found(1, 0), found(1, 7), found(2, 7), found(1, 0)), (9, 9, 16, 9));
    }

    #[test]
    fn a_site_whose_entries_carry_a_backtrace_somewhere_has_no_number() {
        static CRITICAL: Site = Site::new(Level::Critical, false, "c", ("t", "f.rs", 5), &[]);
        static ERROR: Site = Site::new(Level::Error, false, "e", ("t", "f.rs", 6), &[]);
        let mut registry = Registry::new();
        let _area = Area::attached_to(&mut registry);
        let types = <() as Args>::types;
        assert_eq!((registry.register(&CRITICAL, types), CRITICAL.id()), (INLINE, INLINE));
        assert_ne!(registry.register(&ERROR, types), INLINE);
    }

    #[test]
    fn a_site_is_defined_in_every_ring_before_it_has_a_number() {
        static EARLY: Site = Site::new(Level::Info, false, "early", ("t", "f.rs", 1), &["x"]);
        static LATE: Site = Site::new(Level::Info, true, "late", ("t", "f.rs", 2), &[]);
        let types = <((), u8) as Args>::types;

        let mut registry = Registry::new();
        let early = registry.register(&EARLY, types);
        assert_eq!(registry.register(&EARLY, types), early, "registering again changes nothing");
        let area = Area::attached_to(&mut registry);
        let late = registry.register(&LATE, <() as Args>::types);
        assert!(early != late && early != INLINE && late != INLINE);

        for (id, text) in [(early, "early"), (late, "late")] {
            let defined = area.defined.lock();
            let (_, bytes) = defined.iter().find(|(known, _)| *known == id).unwrap();
            assert_eq!(&*SiteDefinition::decode(bytes).unwrap().text, text);
        }
    }
}
