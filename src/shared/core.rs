//! What every logger of an engine shares: its ring, its levels, and the way to ask for a flush.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::bindings::{Bindings, ContextRef, Scoped};
use super::control::Control;
use super::encode::{encode, largest_cap};
use super::file_error::FileError;
use super::followers::Followers;
use super::lanes::Lanes;
use super::levels::Levels;
use super::market::{WithMarketTime, market_time};
use crate::call::{Call, Stamp};
use crate::clock;
use crate::config::{Configuration, Overflow};
use crate::handlers::{SyslogCounts, notice};
use crate::level::Level;
use crate::metrics::{Metrics, Where};
use crate::processors::{Masked, Masking};
use crate::record::{
    Args, Flags, INLINE, RECORD_HEADER_BYTES, RecordHeader, Sink, TimeKind, TypeCode, UnixNanos,
};
use crate::ring::{Class, LaneHandle, Passed, PushError, Ring};
use crate::site::{self, Site, Types};
use crate::stack::Stacks;

/// An entry may keep its caller waiting this long when `async_logging` is off.
const SYNCHRONOUS_WAIT: Duration = Duration::from_millis(5);

/// The engine, as its producers see it.
///
/// What every push reads stands in one cache line, in which nothing is written but a changed level:
/// the counts of the `Arc` around it, which clones change, lie in front of that line.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Core {
    pub(crate) levels: Levels,
    /// The ring's id, as threads remember it beside their lanes.
    pub(crate) ring_id: u64,
    /// The longest record, in bytes.
    pub(crate) record_bytes_max: u32,
    /// The process that the engine runs in.
    pub(crate) pid: u32,
    pub(crate) ring: Arc<Ring>,
    pub(crate) control: Arc<Control>,
    /// How many ticks pass in a second, roughly: for limits of call sites.
    pub(crate) ticks_per_second: u64,
    /// What the engine measures of itself.
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) masking: Arc<Masking>,
    /// The number of the filter in force: call sites remember it with what the filter keeps.
    pub(crate) filter: AtomicU32,
    /// Which calls carry a backtrace.
    pub(crate) stacks: Stacks,
    /// Calls that have waited long for room.
    pub(crate) urgent: AtomicU32,
    /// What became of the messages to syslog.
    pub(crate) syslog: Arc<SyslogCounts>,
    pub(crate) configuration: Configuration,
    /// The one that was read last while running.
    pub(crate) reread: Mutex<Option<Configuration>>,
    /// Who is told when levels have changed.
    pub(crate) followers: Followers,
    /// Held by the core alone: tells threads that keep a lane when no logger is left.
    pub(crate) alive: Arc<()>,
}

const _: () = assert!(std::mem::offset_of!(Core, record_bytes_max) + 4 <= 64);

/// A record's length: a multiple of 8.
const fn padded(bytes: usize) -> usize {
    (bytes + 7) & !7
}

/// Records up to this length fit into any ring that can be configured (a quarter of 4 KiB).
const FITS_ANYWHERE: usize = 1024;

impl Core {
    /// Whether an entry of this level is kept.
    #[inline(always)]
    pub(crate) fn enabled(&self, level: Level, trade: bool) -> bool {
        self.levels.admits(level, trade)
    }

    /// A number that no filter of the process has.
    pub(crate) fn next_filter() -> u32 {
        static FILTERS: AtomicU32 = AtomicU32::new(1);
        // ORDERING: Relaxed, the number alone is what counts.
        // PAIRS WITH: nothing.
        // IF WEAKENED: it is the weakest already.
        FILTERS.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether `log_filter` keeps none of a site's calls but trade events.
    #[inline]
    pub(crate) fn filters_out(&self, site: &Site) -> bool {
        // ORDERING: Acquire, before the levels are read.
        // PAIRS WITH: the Release store in `change_levels`.
        // IF WEAKENED: what the old levels keep is remembered under the new number.
        let filter = self.filter.load(Ordering::Acquire);
        let by_module = self.levels.by_module();
        by_module
            && (site.level() as u8) < site.kept_by(filter, |target| self.levels.kept_of(target))
    }

    /// Puts other names to be masked in force. The keys were checked.
    pub(crate) fn set_mask_keys(&self, keys: &[String]) {
        if self.masking.set_keys(keys) {
            site::review();
            // The drain masks what is bound.
            self.control.wake_drain();
        }
    }

    /// Changes `log_level`, and what follows it.
    pub(crate) fn set_level(&self, level: Level) {
        self.change_levels(|levels| levels.set_log_level(level));
    }

    /// Changes levels; call sites find out again what is kept of them.
    pub(crate) fn change_levels(&self, change: impl FnOnce(&Levels)) {
        change(&self.levels);
        if self.levels.by_module() {
            // ORDERING: Release, publishes the levels set above.
            // PAIRS WITH: the Acquire load in `filters_out`.
            // IF WEAKENED: see there.
            self.filter.store(Self::next_filter(), Ordering::Release);
            site::review();
        }
        self.followers.tell(&self.levels);
    }

    /// Whether what is in the ring outlives the process: a later start finds it.
    pub(crate) fn outlives_the_process(&self) -> bool {
        self.ring.crash_safe() && !self.control.ring_missing()
    }

    /// Tells, once, that a later start would not find the ring. Called by the janitor.
    pub(crate) fn look_for_ring(&self) {
        // Who ends the engine removes it.
        if self.control.ring_missing() || self.control.stopping() {
            return;
        }
        let Some((path, why)) = self.ring.missing_file() else { return };
        let error = FileError::refused("recover", path, why.to_owned());
        let reason = format!(
            "{error}: if this process is killed, what the writer has not taken yet is lost; start it \
             again to have a new ring, and keep cleaners away from ring_dir"
        );
        notice(&reason);
        self.control.degrade(&reason);
        self.control.outage().stays(error);
        // Whoever sees this finds the reason.
        self.control.set_ring_missing();
    }

    /// Whether this is a forked child: the writer's threads and locks are its parent's. One system
    /// call.
    pub(crate) fn is_forked(&self) -> bool {
        std::process::id() != self.pid
    }

    /// How many ticks pass in `duration`.
    pub(crate) fn ticks_in(&self, duration: Duration) -> u64 {
        let ticks = duration.as_nanos() * u128::from(self.ticks_per_second) / 1_000_000_000;
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }

    /// How long so many ticks are.
    pub(crate) fn duration_of(&self, ticks: u64) -> Duration {
        let nanos = u128::from(ticks) * 1_000_000_000 / u128::from(self.ticks_per_second.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Encodes one call's record into the ring.
    #[inline(always)]
    pub(crate) fn push<A: Args>(
        &self,
        lanes: impl Lanes,
        bindings: &impl Bindings,
        call: Call,
        args: A,
    ) -> Result<(), PushError> {
        if let Some(lane) = lanes.usual(self)
            && self.push_usual(lane, bindings.context_id(), call, &args)
        {
            return Ok(());
        }
        // Small values and references only: what is handed over in memory would have to be stored
        // there in every call (PERF.md, "registers").
        let Call { site, stamp: Stamp { time, kind } } = call;
        self.push_unusual(lanes, bindings, site, (time, kind), args)
    }

    /// The usual case: whether it was one, and the record is in the ring.
    #[inline(always)]
    fn push_usual<A: Args>(&self, lane: &LaneHandle, context: u32, call: Call, args: &A) -> bool {
        let length = padded(RECORD_HEADER_BYTES + A::FIXED + args.extra(usize::MAX));
        let site = call.site.id();
        // One comparison: 0 means not registered, and INLINE is the one negative number.
        let usual = site.cast_signed() > 0 && context != INLINE;
        let fits = length <= FITS_ANYWHERE || length <= self.record_bytes_max as usize;
        if !(usual && fits) || self.levels.detours() {
            return false;
        }
        let header = RecordHeader {
            length: length as u32,
            site,
            context,
            flags: Flags::of_time(call.stamp.kind),
            time: call.stamp.time,
        };
        lane.push_hot(length as u32, |mut slot| {
            encode(slot.bytes_mut(), header, &[], args, usize::MAX);
        })
    }

    /// Everything but the usual case; and the usual case when it is to be timed.
    #[cold]
    #[inline(never)]
    fn push_unusual<A: Args>(
        &self,
        lanes: impl Lanes,
        bindings: &impl Bindings,
        site: &'static Site,
        (time, kind): (u64, TimeKind),
        args: A,
    ) -> Result<(), PushError> {
        let context = bindings.context();
        if self.filters_out(site) && !is_trade(site, &args, context.trade) {
            return Ok(());
        }
        let stamp = Stamp { time, kind };
        lanes.with(self, |lane| {
            let merged;
            let (context, in_scope) = match lanes.scoped(self, context) {
                Scoped::Outside => (context, false),
                Scoped::Inside(becomes) => {
                    merged = becomes;
                    (ContextRef::of(&merged), true)
                }
                Scoped::Busy => return Err(refuse_nested(lane, site.level(), site.is_trade())),
            };
            if let Some(market) = market_time()
                && let Some(site) = site.with_market_time()
            {
                let types = <(A, UnixNanos) as Args>::types;
                let args = WithMarketTime::new(&args, market);
                return self.push_exceptional(lane, context, (site, types), stamp, args);
            }
            // A scope alone is no reason to time the call: first the usual case.
            if in_scope && self.push_usual(lane, context.id, Call { site, stamp }, &args) {
                return Ok(());
            }
            self.push_timed(lane, context, site, stamp, args)
        })
    }

    /// The usual case beyond a limit: as short as can be, for it runs in cold caches.
    fn push_timed<A: Args>(
        &self,
        lane: &LaneHandle,
        context: ContextRef<'_>,
        site: &'static Site,
        stamp: Stamp,
        args: A,
    ) -> Result<(), PushError> {
        let length = padded(RECORD_HEADER_BYTES + A::FIXED + args.extra(usize::MAX));
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let left = if stamp.kind == TimeKind::OwnTicks { stamp.time } else { ticks_now() };
        if let Some(passed) = lane.pass_limit(length, self.nobody_waits_long()) {
            let (begun, calls) = match passed {
                Passed::Sample { calls } => (clock::now_after_loads().0, calls),
                Passed::Block => (left, 1),
            };
            if self.push_usual(lane, context.id, Call { site, stamp }, &args) {
                self.note_call(lane, begun, calls, || site.into());
                return Ok(());
            }
        }
        let pushed = self.push_exceptional(lane, context, (site, A::types), stamp, args);
        self.note_call(lane, left, 1, || site.into());
        pushed
    }

    /// Notes how long a call took that stands for `calls` calls. Waits for nobody.
    pub(crate) fn note_call(
        &self,
        lane: &LaneHandle,
        begun: u64,
        calls: u64,
        place: impl FnOnce() -> Where,
    ) {
        let ticks = clock::now_after_loads().0.saturating_sub(begun);
        self.metrics.note_call(lane.lane(), ticks, calls);
        self.metrics.slow.note(ticks, place);
    }

    /// A first use, a full ring, a record that carries definitions or must be cut, the policies that
    /// wait.
    #[inline(never)]
    pub(super) fn push_exceptional<A: Args>(
        &self,
        lane: &LaneHandle,
        context: ContextRef<'_>,
        (site, types): (&'static Site, Types),
        stamp: Stamp,
        args: A,
    ) -> Result<(), PushError> {
        let id = match site.id() {
            0 => site.register(types),
            known => known,
        };
        let trade = is_trade(site, &args, context.trade);
        let class = Class { privileged: trade || site.level() >= Level::Warning, trade };
        let known = Unusual { site: id, definition: &[], context, stamp };
        if id != INLINE {
            return self.push_record(lane, known, class, &args);
        }
        match self.masking.names().treatments(site.fields(), site.text()) {
            None => self.push_inline(lane, known, class, &site.spec(), &args),
            Some(treatments) => {
                let args = Masked::new(&args, &treatments);
                self.masking.count_by_name(args.count());
                self.push_inline(lane, known, class, &site.spec(), &args)
            }
        }
    }

    /// Encodes a record with what it must carry, cutting its longest strings until it fits.
    pub(crate) fn push_record<A: Args>(
        &self,
        lane: &LaneHandle,
        record: Unusual<'_>,
        class: Class,
        args: &A,
    ) -> Result<(), PushError> {
        let bound = record.context.bound.filter(|_| record.context.id == INLINE);
        let context = bound.map(|bound| bound.masked(self));
        let Some(plan) = self.plan(&record, context.as_deref().unwrap_or_default(), args) else {
            lane.count_loss(PushError::TooLong, class);
            return Err(PushError::TooLong);
        };
        let begun = self.waits().then(Instant::now);
        let length = plan.header.length;
        let pushed = self.push_waiting(lane, length, class, || plan.push(lane, class, args));
        if let Err(error) = pushed {
            lane.count_loss(error, class);
        } else if !self.configuration.async_logging {
            // Room and writing together take no longer than either may.
            let spent = begun.map_or(Duration::ZERO, |begun| begun.elapsed());
            self.control.wait_for_synchronous(SYNCHRONOUS_WAIT.saturating_sub(spent));
        }
        pushed
    }

    /// Logs an entry of the engine's own, whatever the levels are. Never waits.
    ///
    /// # Errors
    /// It was refused. That is no loss: what it tells, a later one can tell.
    pub(crate) fn push_own<A: Args>(&self, site: &'static Site, args: &A) -> Result<(), PushError> {
        let id = match site.id() {
            0 => site.register(A::types),
            known => known,
        };
        let definition = if id == INLINE { site.definition(A::types) } else { Default::default() };
        let context = ContextRef::NONE;
        let record = Unusual { site: id, definition: &definition, context, stamp: Stamp::own() };
        let class = Class { privileged: site.level() >= Level::Warning, trade: false };
        let plan = self.plan(&record, &[], args).ok_or(PushError::TooLong)?;
        // A lane for this one record: an idle one would keep a block.
        plan.push(&self.ring.register(), class, args)
    }

    /// How a record is encoded; none if it is too long even without its strings.
    fn plan<'a, A: Args>(
        &self,
        record: &Unusual<'a>,
        bound: &'a [u8],
        args: &A,
    ) -> Option<Plan<'a>> {
        let Unusual { site, definition, context, stamp } = *record;
        let mut flags = Flags::of_time(stamp.kind);
        let mut inline: [&[u8]; 2] = [&[], &[]];
        if site == INLINE {
            flags = flags.with(Flags::SITE_INLINE);
            inline[0] = definition;
        }
        if context.id == INLINE {
            flags = flags.with(Flags::CONTEXT_INLINE);
            inline[1] = bound;
        }
        let carried: usize =
            inline.iter().filter(|part| !part.is_empty()).map(|part| 4 + part.len()).sum();
        let fixed = RECORD_HEADER_BYTES + carried + A::FIXED;
        let bytes = |cap| padded(fixed + args.extra(cap));
        let cap = largest_cap(bytes, self.record_bytes_max as usize)?;
        if cap != usize::MAX {
            flags = flags.with(Flags::CUT);
        }
        let length = bytes(cap) as u32;
        let header = RecordHeader { length, site, context: context.id, flags, time: stamp.time };
        Some(Plan { header, inline, cap })
    }

    /// Whether a call may have to wait at all.
    fn waits(&self) -> bool {
        !self.configuration.async_logging || self.configuration.overflow != Overflow::Drop
    }
}

/// Whether a call is a trade event: by its macro, by its own field, by its logger's context.
fn is_trade(site: &Site, args: &impl Args, bound: bool) -> bool {
    site.is_trade() || is_trade_by_field(site, args).unwrap_or(bound)
}

/// Counts a call as lost that interrupts the thread's work on its scopes: which context its entry
/// has cannot be told.
#[cold]
pub(crate) fn refuse_nested(lane: &LaneHandle, level: Level, trade: bool) -> PushError {
    let class = Class { privileged: trade || level >= Level::Warning, trade };
    lane.count_loss(PushError::Reentrant, class);
    PushError::Reentrant
}

/// What the call's own `category` says, if it has one: it wins over the bound one.
fn is_trade_by_field(site: &Site, args: &impl Args) -> Option<bool> {
    const TRADE: &[u8; 9] = b"\x05\0\0\0trade";
    let place = site.fields().iter().position(|name| *name == "category")?;
    let (mut at, mut found) = (0, false);
    args.each(&mut |code, value| {
        if at == place && code == TypeCode::STR && value.bytes(usize::MAX) == TRADE.len() {
            let mut stored = [0; TRADE.len()];
            value.put_stored(&mut Sink::new(&mut stored), usize::MAX);
            found = stored == *TRADE;
        }
        at += 1;
    });
    Some(found)
}

/// A record that does not take the usual path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unusual<'a> {
    /// The site's number, or [`INLINE`].
    pub(crate) site: u32,
    /// The site's definition when it stands in the record.
    pub(crate) definition: &'a [u8],
    pub(crate) context: ContextRef<'a>,
    pub(crate) stamp: Stamp,
}

/// How such a record is encoded: what it carries, and to how many bytes its strings are cut.
#[derive(Debug)]
struct Plan<'a> {
    header: RecordHeader,
    inline: [&'a [u8]; 2],
    cap: usize,
}

impl Plan<'_> {
    fn push(&self, lane: &LaneHandle, class: Class, args: &impl Args) -> Result<(), PushError> {
        lane.try_push(self.header.length, class, |mut slot| {
            encode(slot.bytes_mut(), self.header, &self.inline, args, self.cap);
        })
    }
}

/// A clock that a signal handler may read, too.
pub(crate) fn ticks_now() -> u64 {
    clock::now().0
}
