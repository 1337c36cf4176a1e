//! The caller's side: a walk over the stack, without names, locks or allocation.

#![expect(unsafe_code, reason = "the walk itself; the crate's safe one takes a process-wide lock")]

use std::fmt;
use std::sync::Arc;

use super::{BACKTRACE, FRAMES_MAX, MODULES, Modules, NOWHERE, OFFSET_BITS};
use crate::config::Backtrace;
use crate::level::Level;
use crate::record::{LogValue, Stored, TypeCode};

/// Which calls of an engine carry a backtrace, and what their addresses are relative to.
#[derive(Debug)]
pub(crate) struct Stacks {
    least: Option<Level>,
    modules: Arc<Modules>,
}

impl Stacks {
    /// Looks at the modules of the process, if there will be backtraces at all.
    pub(crate) fn new(backtrace: Backtrace) -> Self {
        let least = match backtrace {
            Backtrace::Off => None,
            Backtrace::Error => Some(Level::Error),
            Backtrace::Critical => Some(Level::Critical),
        };
        let modules = if least.is_some() { Modules::of_process() } else { Modules::default() };
        Self { least, modules: Arc::new(modules) }
    }

    /// Whether entries of this level carry a backtrace.
    pub(crate) fn wanted(&self, level: Level) -> bool {
        self.least.is_some_and(|least| level >= least)
    }

    /// Walks the stack of a call of this level with fields of these names, if that is wanted. A
    /// call's own field `backtrace` stands for itself.
    ///
    /// Takes no lock of ours, allocates nothing and never waits; some microseconds.
    #[cold]
    #[inline(never)]
    pub(crate) fn capture(&self, level: Level, names: &[&str]) -> Option<Trace<'_>> {
        if !self.wanted(level) || names.contains(&BACKTRACE) {
            return None;
        }
        let mut trace = Trace { frames: [0; FRAMES_MAX], count: 0, names: [""; _], modules: 0 };
        // SAFETY: on Linux the unwinder may run in any number of threads at once; what the function
        // is unsafe for is a library of Windows. The callback does not panic: it indexes nothing.
        unsafe {
            backtrace::trace_unsynchronized(|frame| {
                trace.add(frame.ip().addr() as u64, &self.modules)
            });
        }
        (trace.count > 0).then_some(trace)
    }
}

/// The return addresses of a call's stack, innermost first.
pub(crate) struct Trace<'a> {
    frames: [u64; FRAMES_MAX],
    count: usize,
    /// The modules that the frames lie in.
    names: [&'a str; FRAMES_MAX],
    modules: usize,
}

impl fmt::Debug for Trace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace").field("frames", &self.count).finish_non_exhaustive()
    }
}

impl<'a> Trace<'a> {
    /// The names of the two fields that it makes.
    pub(crate) const FIELDS: [&'static str; 2] = [BACKTRACE, MODULES];

    /// Adds a frame; whether there is room for another one.
    fn add(&mut self, address: u64, modules: &'a Modules) -> bool {
        let (place, offset) = match modules.locate(address) {
            Some((name, offset)) => (self.place_of(name), offset),
            None => (NOWHERE, address),
        };
        let offset_mask = (1 << OFFSET_BITS) - 1;
        if let Some(frame) = self.frames.get_mut(self.count) {
            *frame = place << OFFSET_BITS | offset & offset_mask;
            self.count += 1;
        }
        self.count < FRAMES_MAX
    }

    /// Where the module stands in the second field. There are no more of them than frames.
    fn place_of(&mut self, name: &'a str) -> u64 {
        let known = self.names.iter().take(self.modules);
        let mut known = known.enumerate().filter(|(_, known)| known.as_ptr() == name.as_ptr());
        if let Some((place, _)) = known.next() {
            return place as u64;
        }
        match self.names.get_mut(self.modules) {
            Some(free) => {
                *free = name;
                self.modules += 1;
                self.modules as u64 - 1
            }
            None => NOWHERE,
        }
    }

    /// Tells the two fields with their types.
    pub(crate) fn tell(&self, tell: &mut dyn FnMut(TypeCode, &dyn Stored)) {
        let list = |scalar: TypeCode| TypeCode(scalar.0 | TypeCode::LIST);
        tell(list(TypeCode::U64), &self.frames[..self.count].stored());
        tell(list(TypeCode::STR), &self.names[..self.modules].stored());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_is_made_for_the_levels_that_ask_for_it() {
        let wanted = |backtrace, level| {
            let stacks = Stacks::new(backtrace);
            stacks.capture(level, &["error"]).is_some()
        };
        assert!(!wanted(Backtrace::Off, Level::Critical));
        assert!(
            wanted(Backtrace::Error, Level::Error) && !wanted(Backtrace::Error, Level::Warning)
        );
        assert!(wanted(Backtrace::Critical, Level::Critical));
        assert!(!wanted(Backtrace::Critical, Level::Error));
        assert!(Stacks::new(Backtrace::Error).capture(Level::Error, &[BACKTRACE]).is_none());
    }

    #[test]
    fn a_deep_stack_gives_so_many_frames_and_no_more() {
        fn descend(depth: u32, stacks: &Stacks) -> usize {
            let below = match depth {
                0 => stacks.capture(Level::Error, &[]).map_or(0, |trace| trace.count),
                _ => descend(depth - 1, stacks),
            };
            std::hint::black_box(below)
        }
        assert_eq!(descend(200, &Stacks::new(Backtrace::Error)), FRAMES_MAX);
    }

    #[test]
    fn frames_lie_in_modules_that_have_a_name_and_a_build() {
        let stacks = Stacks::new(Backtrace::Error);
        let trace = stacks.capture(Level::Error, &[]).unwrap();
        let (name, build) = trace.names[0].split_once(' ').unwrap();
        let own = std::env::current_exe().unwrap();
        assert_eq!(name, own.file_name().unwrap().to_str().unwrap());
        assert!(build.len() >= 8, "{build}");
        assert_eq!(trace.frames[0] >> OFFSET_BITS, 0, "the first frame is in the first module");
    }
}
