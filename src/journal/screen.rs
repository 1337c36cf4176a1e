//! What the appender asks before it writes: is there anything in it that no file may hold?

use super::appender::Definitions;
use super::defined::Defined;
use super::survey::{PassEnd, Survey};
use crate::definition::DefinitionBytes;

/// Who looks through records that may hold text before they are written: what it masks reaches no
/// file.
pub(crate) trait Screen: std::fmt::Debug + Send {
    /// Whether records of a site with this definition hold text.
    fn holds_text(&self, definition: &[u8]) -> bool;

    /// The walk over a run of records of `ring`: [`survey`](super::survey), with a look at their
    /// texts.
    fn survey(&mut self, ring: u64, defined: &mut Defined, records: &[u8], end: PassEnd) -> Survey;

    /// The records with their secrets masked, in as many bytes; `None` if they have none.
    fn screen(&mut self, ring: u64, records: &[u8], known: &dyn Definitions) -> Option<&[u8]>;

    /// Whether other names are masked than when this was last asked: contexts are then defined anew.
    fn renew(&mut self) -> bool;

    /// A context with its secrets masked; `None` if it has none, or was masked when it was bound.
    fn context(&mut self, definition: &[u8]) -> Option<DefinitionBytes>;

    /// What was screened last is in the segment.
    fn written(&mut self);
}
