//! Leaving entries out by what they are.

use super::{Event, Processor, Verdict};
use crate::DynamicValue;
use crate::level::{Category, Level};

/// Leaves entries out by level, category, module, text or fields.
///
/// Its conditions must all hold for an entry to be meant; two filters after each other leave out
/// what either of them means. A filter may leave out ERROR and CRITICAL, too.
///
/// ```
/// use tapelog::processors::Filter;
/// use tapelog::{Category, Level};
///
/// // No heartbeats below WARNING, and of the module `my_bot::feed` only trade events.
/// let quiet = Filter::reject().below(Level::Warning).text("heartbeat");
/// let feed = Filter::reject().target("my_bot::feed").category(Category::General);
/// # drop((quiet, feed));
/// ```
#[derive(Debug, Clone)]
pub struct Filter {
    /// What happens to an entry that is meant, and to others.
    meant: Verdict,
    others: Verdict,
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone)]
enum Condition {
    Below(Level),
    From(Level),
    Category(Category),
    Target(String),
    Text(String),
    Has(String),
    Field(String, Expected),
}

#[derive(Debug, Clone)]
enum Expected {
    Text(String),
    Other(DynamicValue<'static>),
}

impl Filter {
    /// Leaves out the entries that are meant. Without conditions, that is all of them.
    #[must_use]
    pub fn reject() -> Self {
        Self { meant: Verdict::Drop, others: Verdict::Keep, conditions: Vec::new() }
    }

    /// Leaves out the entries that are not meant. That includes `logger.metrics` and the other
    /// entries that the engine makes itself, `logger.gap` alone excepted.
    #[must_use]
    pub fn accept() -> Self {
        Self { meant: Verdict::Keep, others: Verdict::Drop, conditions: Vec::new() }
    }

    fn when(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// Means entries less severe than this.
    #[must_use]
    pub fn below(self, level: Level) -> Self {
        self.when(Condition::Below(level))
    }

    /// Means entries of this level and above.
    #[must_use]
    pub fn from(self, level: Level) -> Self {
        self.when(Condition::From(level))
    }

    /// Means entries of this category.
    #[must_use]
    pub fn category(self, category: Category) -> Self {
        self.when(Condition::Category(category))
    }

    /// Means entries of this module and those below it: `my_bot::feed`.
    #[must_use]
    pub fn target(self, module: &str) -> Self {
        self.when(Condition::Target(module.into()))
    }

    /// Means entries of this text, as it stands at the call.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.when(Condition::Text(text.into()))
    }

    /// Means entries that have this field.
    #[must_use]
    pub fn has_field(self, name: &str) -> Self {
        self.when(Condition::Has(name.into()))
    }

    /// Means entries whose field has this value. Integers are compared by their number.
    #[must_use]
    pub fn field<'a>(self, name: &str, value: impl Into<DynamicValue<'a>>) -> Self {
        let expected = match value.into() {
            DynamicValue::Str(text) => Expected::Text(text.into()),
            DynamicValue::Bool(value) => Expected::Other(DynamicValue::Bool(value)),
            DynamicValue::Unsigned(value) => Expected::Other(DynamicValue::Unsigned(value)),
            DynamicValue::Signed(value) => Expected::Other(DynamicValue::Signed(value)),
            DynamicValue::Float(value) => Expected::Other(DynamicValue::Float(value)),
        };
        self.when(Condition::Field(name.into(), expected))
    }
}

impl Condition {
    fn holds(&self, event: &Event<'_>) -> bool {
        match self {
            Condition::Below(level) => event.level() < *level,
            Condition::From(level) => event.level() >= *level,
            Condition::Category(category) => event.category() == *category,
            Condition::Target(module) => {
                let below = event.target().strip_prefix(&**module);
                below.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            }
            Condition::Text(text) => event.text() == text,
            Condition::Has(name) => event.has(name),
            Condition::Field(name, expected) => {
                event.field(name).is_some_and(|value| match expected {
                    Expected::Text(text) => value.as_str() == Some(text),
                    Expected::Other(other) => value.is(other),
                })
            }
        }
    }
}

impl Processor for Filter {
    fn process(&mut self, event: &mut Event<'_>) -> Verdict {
        let meant = self.conditions.iter().all(|condition| condition.holds(event));
        if meant { self.meant } else { self.others }
    }
}
