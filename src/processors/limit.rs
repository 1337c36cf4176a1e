//! Leaving out what comes too often.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Event, Processor, Verdict};
use crate::definition::SiteDefinition;
use crate::level::Level;

/// So many call sites are told apart; with more of them, counting begins anew.
const SITES_MAX: usize = 4096;

/// Shows only some of the entries of each call site: one in so many, or one in so much time.
///
/// ERROR and CRITICAL are always shown, unless [`errors_too`](Limit::errors_too) is set. Limits at
/// the call, `info!(log, every_n: 100, …)`, save the call's time as well, and the journal's room;
/// this one needs no change of the program, and leaves everything in the journal.
#[derive(Debug, Clone)]
pub struct Limit {
    rule: Rule,
    errors_too: bool,
    /// Where the state of a site is: by its address, which its kept definition holds fast.
    known: HashMap<usize, (Arc<SiteDefinition>, usize)>,
    by_place: HashMap<Place, usize>,
    states: Vec<State>,
}

#[derive(Debug, Clone, Copy)]
enum Rule {
    EveryN(u64),
    Every { nanos: i64 },
}

/// What a call site is known by in every segment of the journal.
type Place = (Box<str>, Box<str>, Box<str>, u32);

#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// Entries so far.
    seen: u64,
    /// When the last one was shown.
    shown_at: Option<i64>,
}

impl Limit {
    /// Shows the first of every `n` entries of a call site; with 0 or 1, all of them.
    #[must_use]
    pub fn every_n(n: u64) -> Self {
        Self::new(Rule::EveryN(n.max(1)))
    }

    /// Shows at most one entry of a call site in so much time, by the entries' own time stamps.
    #[must_use]
    pub fn every(period: Duration) -> Self {
        let nanos = i64::try_from(period.as_nanos()).unwrap_or(i64::MAX);
        Self::new(Rule::Every { nanos })
    }

    fn new(rule: Rule) -> Self {
        let (known, by_place, states) = (HashMap::new(), HashMap::new(), Vec::new());
        Self { rule, errors_too: false, known, by_place, states }
    }

    /// Limits ERROR and CRITICAL as well.
    #[must_use]
    pub fn errors_too(self) -> Self {
        Self { errors_too: true, ..self }
    }

    fn state(&mut self, site: &Arc<SiteDefinition>) -> &mut State {
        let address = Arc::as_ptr(site).addr();
        if let Some((_, at)) = self.known.get(&address) {
            return &mut self.states[*at];
        }
        if self.states.len() >= SITES_MAX {
            self.states.clear();
            self.by_place.clear();
            self.known.clear();
        }
        if self.known.len() >= 4 * SITES_MAX {
            self.known.clear();
        }
        let SiteDefinition { text, target, file, line, .. } = &**site;
        let place = (text.clone(), target.clone(), file.clone(), *line);
        let at = *self.by_place.entry(place).or_insert(self.states.len());
        if at == self.states.len() {
            self.states.push(State::default());
        }
        self.known.insert(address, (Arc::clone(site), at));
        &mut self.states[at]
    }
}

impl Processor for Limit {
    fn process(&mut self, event: &mut Event<'_>) -> Verdict {
        if event.level() >= Level::Error && !self.errors_too {
            return Verdict::Keep;
        }
        let (rule, now) = (self.rule, event.time().0);
        let state = self.state(event.site());
        let shown = match (rule, state.shown_at) {
            (Rule::EveryN(n), _) => state.seen.is_multiple_of(n),
            // A stamp far in the past is another clock's: it begins anew.
            (Rule::Every { nanos }, Some(last)) => now.abs_diff(last) >= nanos.unsigned_abs(),
            (Rule::Every { .. }, None) => true,
        };
        state.seen += 1;
        if shown {
            state.shown_at = Some(now);
            Verdict::Keep
        } else {
            Verdict::Drop
        }
    }
}
