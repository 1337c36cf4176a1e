//! The thread that sends: connects, waits, tries again, and tells what happens.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::WAITING_BYTES_MAX;
use super::counts::SyslogCounts;
use super::feed::{Chunk, Chunks};
use super::link::{Link, LinkError, Step};
use super::patience::{Backoff, Stop};
use crate::config::SyslogTarget;
use crate::crash::{self, CrashPoint};
use crate::handlers::notice;

/// A receiver that takes nothing for so long is told.
const STUCK: Duration = Duration::from_secs(1);

/// A message over which the thread panics so often is dropped.
const PANICS_MAX: u32 = 3;

/// A connection that held for so long makes the next wait short again.
const HELD: Duration = Duration::from_secs(1);

/// Sends what the feed hands over, until the feed is gone and everything is dealt with.
#[derive(Debug)]
pub(crate) struct Courier {
    target: SyslogTarget,
    chunks: Chunks,
    /// What is being sent, and how often a panic has come in between.
    chunk: Chunk,
    panics: u32,
    counts: Arc<SyslogCounts>,
    stop: Arc<Stop>,
    link: Option<Link>,
    attempts: usize,
    backoff: Backoff,
    /// While something is wrong, how many messages had been dropped when it began.
    trouble: Option<u64>,
    /// Since when the receiver takes nothing.
    stuck_since: Option<Instant>,
}

impl Courier {
    pub(crate) fn new(
        target: SyslogTarget,
        chunks: Chunks,
        counts: Arc<SyslogCounts>,
        stop: Arc<Stop>,
    ) -> Self {
        Self {
            target,
            chunks,
            chunk: Chunk::default(),
            panics: 0,
            counts,
            stop,
            link: None,
            attempts: 0,
            backoff: Backoff::new(),
            trouble: None,
            stuck_since: None,
        }
    }

    /// The first thing to do: at once, so that a wrong address is told at the start.
    pub(crate) fn begin(&mut self) {
        if let Err(error) = self.connect() {
            self.fail(&error);
        }
    }

    /// Deals with the next messages; breaks when there are none and no more will come. Name
    /// resolution takes as long as the system's resolver does; all other waits end soon after the
    /// stop's deadline.
    ///
    /// # Panics
    /// Where there is a fault in it. The next call connects anew and goes on with the same messages.
    pub(crate) fn step(&mut self) -> ControlFlow<()> {
        if self.chunk.is_done() {
            match self.chunks.0.recv() {
                Ok(chunk) => (self.chunk, self.panics) = (chunk, 0),
                Err(_) => return ControlFlow::Break(()),
            }
        } else {
            self.link = None;
            self.panics += 1;
            if self.panics.is_multiple_of(PANICS_MAX) {
                self.chunk.dropped(&self.counts);
            }
        }
        crash::pass(CrashPoint::MessagesTaken);
        self.deliver();
        ControlFlow::Continue(())
    }

    fn deliver(&mut self) {
        while !self.chunk.is_done() {
            if self.stop.is_over(self.link.is_some()) {
                while !self.chunk.is_done() {
                    self.chunk.dropped(&self.counts);
                }
                return;
            }
            if let Err(error) = self.send() {
                self.fail(&error);
                self.stop.sleep(self.backoff.next());
            }
        }
    }

    fn send(&mut self) -> Result<(), LinkError> {
        let link = match &mut self.link {
            Some(link) => link,
            None => {
                self.connect()?;
                return Ok(());
            }
        };
        match link.send(&mut self.chunk, &self.counts)? {
            Step::Took if link.is_proven() => {
                self.stuck_since = None;
                self.recover();
            }
            Step::Took => self.stuck_since = None,
            Step::Full => {
                let since = *self.stuck_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= STUCK {
                    self.tell("the receiver takes no messages");
                }
            }
        }
        Ok(())
    }

    fn connect(&mut self) -> Result<(), LinkError> {
        let attempt = self.attempts;
        self.attempts += 1;
        self.link = Some(Link::open(&self.target, attempt, &self.stop)?);
        Ok(())
    }

    fn fail(&mut self, error: &LinkError) {
        if let Some(link) = self.link.take()
            && link.is_proven()
            && link.since.elapsed() >= HELD
        {
            self.backoff.reset();
        }
        self.stuck_since = None;
        self.tell(&error.to_string());
    }

    /// Tells what is wrong, once until it is right again.
    fn tell(&mut self, what: &str) {
        if self.trouble.is_none() {
            self.trouble = Some(self.counts.dropped());
            notice(&format!(
                "syslog {}: {what}; up to {} MiB of messages wait until it takes them again",
                self.target,
                WAITING_BYTES_MAX >> 20,
            ));
        }
    }

    fn recover(&mut self) {
        if let Some(before) = self.trouble.take() {
            let dropped = self.counts.dropped().saturating_sub(before);
            notice(&format!(
                "syslog {}: messages are taken again; {dropped} were dropped meanwhile",
                self.target,
            ));
        }
    }
}
