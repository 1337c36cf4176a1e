//! The processors of an engine, one after the other.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::Mutex;

use super::draft::{Backup, Draft};
use super::mask::Masking;
use super::rebuilt::Rebuilt;
use super::{Event, Processor, Verdict};
use crate::entry::Entry;
use crate::handlers::notice;

/// A processor that panics so many times in a row is left out.
const PANICS_IN_A_ROW_MAX: u32 = 100;

/// A processor as a builder holds it; clones of the builder share it.
#[derive(Clone)]
pub(crate) struct Installed {
    name: &'static str,
    processor: Arc<Mutex<Box<dyn Processor>>>,
}

impl fmt::Debug for Installed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Installed {
    pub(crate) fn new<P: Processor + 'static>(processor: P) -> Self {
        let processor: Box<dyn Processor> = Box::new(processor);
        Self { name: std::any::type_name::<P>(), processor: Arc::new(Mutex::new(processor)) }
    }
}

/// A processor that several engines use, because their builders were clones.
struct Shared(Arc<Mutex<Box<dyn Processor>>>);

impl Processor for Shared {
    fn process(&mut self, event: &mut Event<'_>) -> Verdict {
        self.0.lock().process(event)
    }
}

/// What a chain did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ChainCounts {
    /// Entries that were left out.
    pub(crate) filtered: u64,
    /// Panics of processors.
    pub(crate) panics: u64,
}

/// The processors of an engine.
#[derive(Debug)]
pub(crate) struct Chain {
    links: Vec<Link>,
    draft: Draft,
    backup: Backup,
    rebuilt: Rebuilt,
    counts: ChainCounts,
}

struct Link {
    name: &'static str,
    processor: Box<dyn Processor>,
    panics_in_a_row: u32,
    told: bool,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Chain {
    /// A chain; none of no processors.
    pub(crate) fn of(installed: Vec<Installed>) -> Option<Box<Self>> {
        if installed.is_empty() {
            return None;
        }
        let link = |Installed { name, processor }| {
            let processor = match Arc::try_unwrap(processor) {
                Ok(own) => own.into_inner(),
                Err(shared) => Box::new(Shared(shared)),
            };
            Link { name, processor, panics_in_a_row: 0, told: false }
        };
        Some(Box::new(Self {
            links: installed.into_iter().map(link).collect(),
            draft: Draft::default(),
            backup: Backup::default(),
            rebuilt: Rebuilt::new(),
            counts: ChainCounts::default(),
        }))
    }

    /// The entry as it is to be shown; none if it is left out. What processors have put under sensitive
    /// names is masked.
    pub(crate) fn process<'a>(
        &'a mut self,
        entry: &Entry<'a>,
        masking: &Masking,
    ) -> Option<Entry<'a>> {
        let Self { links, draft, backup, rebuilt, counts } = self;
        draft.clear();
        for link in links.iter_mut().filter(|link| !link.is_out()) {
            draft.save(backup);
            let process = || link.processor.process(&mut Event::new(*entry, draft));
            match catch_unwind(AssertUnwindSafe(process)) {
                Ok(Verdict::Keep) => link.panics_in_a_row = 0,
                Ok(Verdict::Drop) => {
                    link.panics_in_a_row = 0;
                    counts.filtered += 1;
                    return None;
                }
                Err(panic) => {
                    draft.restore(backup);
                    counts.panics += 1;
                    link.tell(&*panic);
                }
            }
        }
        let masked = draft.mask(entry, masking.names());
        if masked > 0 {
            masking.count_by_name(masked);
        }
        Some(if draft.is_changed() { rebuilt.entry(entry, draft) } else { *entry })
    }

    pub(crate) fn counts(&self) -> ChainCounts {
        self.counts
    }
}

impl Link {
    fn is_out(&self) -> bool {
        self.panics_in_a_row >= PANICS_IN_A_ROW_MAX
    }

    #[cold]
    fn tell(&mut self, panic: &(dyn Any + Send)) {
        self.panics_in_a_row += 1;
        if self.is_out() {
            notice(&format!(
                "the processor {} has panicked {PANICS_IN_A_ROW_MAX} times in a row and is left \
                 out from now on",
                self.name,
            ));
        } else if !std::mem::replace(&mut self.told, true) {
            let text = panic.downcast_ref::<&str>().copied();
            let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
            notice(&format!(
                "the processor {} has panicked ({}): the entry is shown without it, later panics \
                 are counted only",
                self.name,
                text.unwrap_or("no text"),
            ));
        }
    }
}
