//! From the two stored fields of a backtrace to the one that is shown.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::symbols::of_interest;
use super::{BACKTRACE, FRAMES_MAX, Modules, NOWHERE, OFFSET_BITS, functions_at};
use crate::definition::{Field, SiteDefinition};
use crate::entry::Entry;
use crate::record::{Encode, Fields, LogValue, Sink, TypeCode, Value};

/// Addresses and sites that are remembered.
const KEPT_MAX: usize = 8192;
/// Bytes that the sites with backtraces take at most.
const SITE_BYTES_MAX: usize = 4 << 20;

/// The functions at an address, the innermost first; none if nothing is known of it.
pub(crate) type Functions = Arc<[String]>;

/// What stands at addresses of this process.
pub(crate) type Found = HashMap<u64, Functions>;

/// A way to learn what stands at addresses.
pub(crate) trait LookUp: fmt::Debug {
    /// Adds to `found` what stands at these addresses, as far as it is to be had now.
    fn look_up(&mut self, addresses: &[u64], found: &mut Found);
}

/// Looks up while the caller waits, as long as it takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AtOnce;

impl LookUp for AtOnce {
    fn look_up(&mut self, addresses: &[u64], found: &mut Found) {
        found.extend(addresses.iter().map(|address| (*address, functions_at(*address).into())));
    }
}

/// Makes entries with backtraces ready to be shown; remembers what it has looked up.
#[derive(Debug)]
pub(crate) struct Shower<L> {
    look_up: L,
    /// The modules of this process, once somebody asks.
    modules: Option<Arc<Modules>>,
    found: Found,
    /// What is shown of a stored site, with the stored one, by the place of that.
    sites: HashMap<usize, [Arc<SiteDefinition>; 2]>,
    site_bytes: usize,
    site: Option<Arc<SiteDefinition>>,
    arguments: Vec<u8>,
}

/// A frame, decoded.
struct Frame<'a> {
    /// The module's name and build; none if the offset is the address itself.
    module: Option<&'a str>,
    offset: u64,
    /// The address in this process, if that has the very same build loaded.
    address: Option<u64>,
}

impl<L: LookUp> Shower<L> {
    pub(crate) fn new(look_up: L) -> Self {
        Self {
            look_up,
            modules: None,
            found: Found::new(),
            sites: HashMap::new(),
            site_bytes: 0,
            site: None,
            arguments: Vec::new(),
        }
    }

    /// The entry with its backtrace as it is shown; `None` if it has none.
    #[cold]
    pub(crate) fn show<'s, 'e: 's>(&'s mut self, entry: &Entry<'e>) -> Option<Entry<'s>> {
        let stored = entry.site().fields.len().checked_sub(2)?;
        let mut values = Fields::new(entry.arguments);
        for field in &entry.site().fields[..stored] {
            values.next(field.code).ok()?;
        }
        let kept = entry.arguments.len() - values.rest().len();
        let mut list = |place: usize| match values.next(entry.site().fields[place].code) {
            Ok(Value::List(list)) => Some(list),
            _ => None,
        };
        let (frames, names) = (list(stored)?, list(stored + 1)?);
        let names: Vec<&str> = names
            .iter()
            .map_while(|name| match name {
                Ok(Value::Str(text)) => Some(text.content),
                _ => None,
            })
            .collect();
        let modules = self.modules.get_or_insert_with(|| Arc::new(Modules::of_process()));
        let decoded: Vec<Frame<'_>> = frames
            .iter()
            .map_while(|frame| match frame {
                Ok(Value::Unsigned(frame)) => Some(Frame::decode(frame, &names, modules)),
                _ => None,
            })
            .collect();
        let mut shown = self.functions(&decoded);
        if frames.is_cut() || decoded.len() == FRAMES_MAX {
            shown.push("…".to_owned());
        }
        let list = shown.stored();
        self.arguments.clear();
        self.arguments.extend_from_slice(&entry.arguments[..kept]);
        self.arguments.resize(kept + Self::FIXED + list.extra(usize::MAX), 0);
        list.put(&mut Sink::new(&mut self.arguments[kept..]), usize::MAX);
        self.site = Some(self.site_of(entry.site));
        let site = self.site.as_ref()?;
        Some(Entry { site, arguments: &self.arguments, ..*entry })
    }

    /// Bytes of a list without its elements.
    const FIXED: usize = 4;

    /// What is shown of the frames.
    fn functions(&mut self, frames: &[Frame<'_>]) -> Vec<String> {
        let addresses = || frames.iter().filter_map(|frame| frame.address);
        if self.found.len() > KEPT_MAX {
            self.found.clear();
        }
        let unknown: Vec<u64> =
            addresses().filter(|address| !self.found.contains_key(address)).collect();
        if !unknown.is_empty() {
            self.look_up.look_up(&unknown, &mut self.found);
        }
        let mut shown = Vec::new();
        for frame in frames {
            let found = frame.address.and_then(|address| self.found.get(&address));
            match found.filter(|functions| !functions.is_empty()) {
                Some(functions) => shown.extend(functions.iter().cloned()),
                None => shown.push(frame.place()),
            }
        }
        of_interest(&shown).to_vec()
    }

    /// The stored site with one field for a backtrace in place of two.
    fn site_of(&mut self, stored: &Arc<SiteDefinition>) -> Arc<SiteDefinition> {
        if self.site_bytes > SITE_BYTES_MAX {
            self.sites.clear();
            self.site_bytes = 0;
        }
        let Self { sites, site_bytes, .. } = self;
        let known = sites.entry(Arc::as_ptr(stored).addr()).or_insert_with(|| {
            *site_bytes += 2 * stored.bytes();
            let mut site = SiteDefinition::clone(stored);
            site.has_backtrace = false;
            site.fields.truncate(site.fields.len().saturating_sub(2));
            let code = TypeCode(TypeCode::STR.0 | TypeCode::LIST);
            site.fields.push(Field { name: BACKTRACE.into(), code });
            [Arc::new(site), Arc::clone(stored)]
        });
        Arc::clone(&known[0])
    }
}

impl<'a> Frame<'a> {
    fn decode(stored: u64, names: &[&'a str], modules: &Modules) -> Self {
        let (place, offset) = (stored >> OFFSET_BITS, stored & ((1 << OFFSET_BITS) - 1));
        if place == NOWHERE {
            return Self { module: None, offset, address: None };
        }
        let module = names.get(place as usize).copied();
        let base = module.and_then(|module| modules.base_of(module));
        let address = base.and_then(|base| base.checked_add(offset));
        // A module whose name was cut off is still one.
        Self { module: module.or(Some("unknown")), offset, address }
    }

    /// Where it is, for who has the module's file: `module+0xoffset`.
    fn place(&self) -> String {
        match self.module {
            Some(module) => {
                let file = module.rsplit_once(' ').map_or(module, |(file, _)| file);
                format!("{file}+{:#x}", self.offset)
            }
            None => format!("{:#x}", self.offset),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Calibration;
    use crate::definition::{SiteSpec, mark_backtrace};
    use crate::level::Level;
    use crate::record::{Args, UnixNanos};
    use crate::stack::Trace;

    /// Knows one function, whatever the address; counts what it is asked.
    #[derive(Debug, Default)]
    struct Fake(usize);

    impl LookUp for Fake {
        fn look_up(&mut self, addresses: &[u64], found: &mut Found) {
            self.0 += addresses.len();
            let functions = ["bot::inlined (src/b.rs:2)".to_owned(), "bot::main".to_owned()];
            found.extend(addresses.iter().map(|address| (*address, functions.clone().into())));
        }
    }

    /// What is shown of an entry with these frames and modules.
    fn shown(shower: &mut Shower<Fake>, frames: &[u64], modules: &[&str]) -> Vec<String> {
        let names = ["qty", Trace::FIELDS[0], Trace::FIELDS[1]];
        let spec = SiteSpec {
            level: Level::Error,
            trade: false,
            line: 1,
            text: "rejected {qty}",
            target: "bot",
            file: "src/bot.rs",
            fields: &names,
        };
        let args = ((((), 7_u64), frames.stored()), modules.stored());
        let mut definition = spec.encode_with(|tell| args.each(&mut |code, _| tell(code)));
        mark_backtrace(&mut definition);
        let site = Arc::new(SiteDefinition::decode(&definition).unwrap());
        assert!(site.has_backtrace);
        let mut arguments = vec![0; 8 + 8 + args.extra(usize::MAX)];
        args.put(&mut Sink::new(&mut arguments), usize::MAX);
        let calibration =
            Calibration { ticks: 0, unix_nanos: 0, nanos_per_tick: 0, stepped: false };
        let time = UnixNanos(1);
        let entry = Entry { time, site: &site, context: None, arguments: &arguments, calibration };
        let entry = shower.show(&entry).unwrap();
        let fields: Vec<_> = entry.fields().map(Result::unwrap).collect();
        assert_eq!(fields.len(), 2);
        assert_eq!(fields[0], ("qty", Value::Unsigned(7)));
        let (BACKTRACE, Value::List(list)) = fields[1] else { panic!("{fields:?}") };
        list.iter()
            .map(|text| match text {
                Ok(Value::Str(text)) => text.content.to_owned(),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn another_build_is_never_asked_for_names() {
        let mut shower = Shower::new(Fake::default());
        let frames = [0x1234, 1 << OFFSET_BITS | 0xff, NOWHERE << OFFSET_BITS | 0x7f00, 9 << 48];
        let modules = ["bot 00ff", "lib two.so 00ee"];
        let expected = ["bot+0x1234", "lib two.so+0xff", "0x7f00", "unknown+0x0"];
        assert_eq!(shown(&mut shower, &frames, &modules), expected);
        assert_eq!(shower.look_up.0, 0);
        assert_eq!(shown(&mut shower, &[], &[]), [""; 0]);
    }

    #[test]
    fn this_build_is_asked_once_and_inlined_functions_are_shown() {
        let modules = Modules::of_process();
        let here = this_build_is_asked_once_and_inlined_functions_are_shown as *const () as u64;
        let (name, offset) = modules.locate(here).unwrap();
        let mut shower = Shower::new(Fake::default());
        let expected = ["bot::inlined (src/b.rs:2)", "bot::main", "old+0x5"];
        for _ in 0..3 {
            let frames = [offset, 1 << OFFSET_BITS | 5];
            assert_eq!(shown(&mut shower, &frames, &[name, "old 12"]), expected);
        }
        assert_eq!(shower.look_up.0, 1);
    }

    #[test]
    fn a_stack_as_deep_as_what_is_kept_ends_with_a_mark() {
        let mut shower = Shower::new(Fake::default());
        let frames = shown(&mut shower, &[1; FRAMES_MAX], &["bot 1"]);
        assert_eq!((frames.len(), &*frames[FRAMES_MAX]), (FRAMES_MAX + 1, "…"));
    }
}
