//! quicklog, whose full queue refuses a record: the call is made again until it is taken. It has no
//! thread of its own; a thread here does what its `flush!` does. Its own file is opened for every
//! line, so it gets a buffered one.

use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use quicklog::Log;
use quicklog_flush::Flush;

use super::FILE;
use super::writer::Quiet;
use crate::bench::Bench;

const NAP: Duration = Duration::from_micros(50);

struct Lines(Quiet);

impl Flush for Lines {
    fn flush_one(&mut self, line: String) {
        self.0.write_all(line.as_bytes()).expect("the log file can be written");
    }
}

macro_rules! insist {
    ($($arguments:tt)*) => {
        while quicklog::try_log!(quicklog::level::Level::Info, $($arguments)*).is_err() {
            std::hint::spin_loop();
        }
    };
}

pub(super) fn run(bench: &mut Bench) -> Result<(), Box<dyn Error>> {
    let file = Quiet::new(&bench.directory().join(FILE))?;
    quicklog::init!();
    quicklog::with_flush!(Lines(file.clone()));
    let ending = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&ending);
    let writer = thread::spawn(move || {
        loop {
            // Read before the queue is: what was logged before it was set is written.
            let last = told.load(Ordering::Acquire);
            while quicklog::logger().flush_one().is_ok() {}
            if last {
                return;
            }
            thread::sleep(NAP);
        }
    });
    formatted!(bench, insist)?;
    ending.store(true, Ordering::Release);
    writer.join().map_err(|_| "the thread that writes quicklog's lines panicked")?;
    file.finish()?;
    bench.in_file();
    Ok(())
}
