//! `panic_hook = true`: a panic is logged as CRITICAL, with its place, and the logs are flushed;
//! then the hook goes on that was there before.
//!
//! The hook is put in place once, for all engines of the process, and stays: another one may have
//! been set behind it, so it cannot be taken out. Without an engine that asks for it, it does nothing
//! but call the one before. Nothing in it may panic (that would end the process at once), wait for
//! long, or need the lane of the thread, which may be inside a push.

use std::panic::{self, PanicHookInfo};
use std::sync::{Arc, Once, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use crate::handlers::notice;
use crate::level::Level;
use crate::record::Text;
use crate::shared::Core;
use crate::site::Site;
use crate::writer;

/// How long a panicking thread waits until what was logged is in the logs.
const FLUSH: Duration = Duration::from_secs(1);

/// How long it waits for a thread that starts or ends an engine.
const LOCK_WAIT: Duration = Duration::from_millis(100);

/// The engines that log panics.
static ENGINES: Mutex<Vec<Weak<Core>>> = Mutex::new(Vec::new());

static PANIC: Site = Site::new(
    Level::Critical,
    false,
    "panic",
    (module_path!(), file!(), line!()),
    &["message", "location", "thread"],
);

/// Has the engine log every panic of the process, until its end.
///
/// A thread that is panicking itself cannot set the hook; then a notice says so.
pub(super) fn watch(core: &Arc<Core>) {
    static HOOK: Once = Once::new();
    if std::thread::panicking() && !HOOK.is_completed() {
        notice(
            "panic_hook = true, but the logger is started by a panicking thread: no hook is set",
        );
        return;
    }
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            tell(info);
            before(info);
        }));
    });
    ENGINES.lock().push(Arc::downgrade(core));
}

/// Panics are no longer this engine's.
pub(super) fn unwatch(core: &Arc<Core>) {
    let own = Arc::as_ptr(core);
    ENGINES
        .lock()
        .retain(|engine| engine.strong_count() > 0 && !std::ptr::eq(engine.as_ptr(), own));
}

/// Logs the panic wherever that is asked for, and waits a little for the logs.
fn tell(info: &PanicHookInfo<'_>) {
    let location = info.location().map(Text::display);
    let location = location.as_ref().map_or("unknown", Text::as_str);
    if writer::note_location(location) {
        return;
    }
    let Some(engines) = ENGINES.try_lock_for(LOCK_WAIT) else {
        notice("a panic is not in the logs: another thread starts or ends a logger");
        return;
    };
    let engines: Vec<Arc<Core>> = engines.iter().filter_map(Weak::upgrade).collect();
    for core in engines.iter().filter(|core| !core.is_forked()) {
        let message = info.payload_as_str().unwrap_or("no text");
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        let pushed = core.push_apart(&PANIC, ((((), message), location), thread));
        if let Err(refused) = pushed {
            notice(&format!("the panic at {location} is not in the logs: {refused}"));
        } else if !writer::is_own_thread() && core.control.flush(FLUSH).is_err() {
            notice(&format!("the panic at {location} is on its way, but not in the logs yet"));
        }
    }
}
