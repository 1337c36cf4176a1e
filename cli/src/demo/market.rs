//! Where the demo's messages come from.

use std::fmt;
use std::path::Path;

use super::feed::{Feed, LineError, OpenError};
use super::generator::{self, Generator};
use super::tick::Tick;
use super::units::grouped;

/// A recorded feed or a generated one.
#[derive(Debug)]
pub(crate) enum Market {
    Recorded { feed: Feed, name: String },
    Generated { generator: Generator, messages: u64 },
}

impl Market {
    /// A recording; `-` is stdin.
    ///
    /// # Errors
    /// [`OpenError`] if it cannot be opened.
    pub(crate) fn recorded(path: &Path) -> Result<Market, OpenError> {
        let name = match path.to_str() {
            Some("-") => "stdin".to_owned(),
            _ => path.display().to_string(),
        };
        Ok(Market::Recorded { feed: Feed::open(path)?, name })
    }

    /// A generated market of so many messages, the same each time.
    pub(crate) fn generated(messages: u64) -> Market {
        let generator = Generator::new(generator::SEED_DEFAULT, messages);
        Market::Generated { generator, messages }
    }

    /// What is traded, once a message has named it.
    pub(crate) fn symbol(&self) -> Option<&str> {
        match self {
            Market::Recorded { feed, .. } => feed.symbol(),
            Market::Generated { .. } => Some(generator::SYMBOL),
        }
    }

    /// How much is read, and of how much if that is known, in units of its own.
    pub(super) fn position(&self) -> (u64, Option<u64>) {
        match self {
            Market::Recorded { feed, .. } => (feed.bytes_read(), feed.bytes_total()),
            Market::Generated { generator, messages } => {
                let left = generator.size_hint().0 as u64;
                (messages.saturating_sub(left), Some(*messages))
            }
        }
    }

    /// How much of it was read, in words.
    pub(super) fn how_far(&self) -> String {
        let (done, total) = self.position();
        match total {
            Some(total) => format!("{} of {} bytes were read", grouped(done), grouped(total)),
            None => format!("{} bytes were read", grouped(done)),
        }
    }
}

impl Iterator for Market {
    type Item = Result<Tick, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Market::Recorded { feed, .. } => feed.next(),
            Market::Generated { generator, .. } => generator.next().map(Ok),
        }
    }
}

impl fmt::Display for Market {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Market::Recorded { name, .. } => write!(f, "the feed {name}"),
            Market::Generated { .. } => f.write_str("a generated market"),
        }
    }
}
