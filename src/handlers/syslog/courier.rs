//! The thread that sends: connects, waits, tries again, and tells what happens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::WAITING_BYTES_MAX;
use super::counts::SyslogCounts;
use super::feed::{Chunk, Chunks};
use super::link::{Link, LinkError, Step};
use super::patience::{Backoff, Stop};
use crate::config::SyslogTarget;
use crate::handlers::notice;

/// A receiver that takes nothing for so long is told.
const STUCK: Duration = Duration::from_secs(1);

/// A connection that held for so long makes the next wait short again.
const HELD: Duration = Duration::from_secs(1);

/// Sends what the feed hands over, until the feed is gone and everything is dealt with.
#[derive(Debug)]
pub(crate) struct Courier {
    target: SyslogTarget,
    chunks: Chunks,
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
            counts,
            stop,
            link: None,
            attempts: 0,
            backoff: Backoff::new(),
            trouble: None,
            stuck_since: None,
        }
    }

    /// The thread's work. Name resolution takes as long as the system's resolver does; all other
    /// waits end soon after the stop's deadline.
    pub(crate) fn run(mut self) {
        // At once, so that a wrong address is told at the start.
        if let Err(error) = self.connect() {
            self.fail(&error);
        }
        while let Ok(mut chunk) = self.chunks.0.recv() {
            self.deliver(&mut chunk);
        }
    }

    fn deliver(&mut self, chunk: &mut Chunk) {
        while !chunk.is_done() {
            if self.stop.is_over(self.link.is_some()) {
                while !chunk.is_done() {
                    chunk.dropped(&self.counts);
                }
                return;
            }
            if let Err(error) = self.step(chunk) {
                self.fail(&error);
                self.stop.sleep(self.backoff.next());
            }
        }
    }

    fn step(&mut self, chunk: &mut Chunk) -> Result<(), LinkError> {
        let link = match &mut self.link {
            Some(link) => link,
            None => {
                self.connect()?;
                return Ok(());
            }
        };
        match link.send(chunk, &self.counts)? {
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
