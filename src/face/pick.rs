//! How `error = x` finds out whether `x` is an error or any other value.
//!
//! A method call prefers the receiver with the most references (autoref specialisation, D. Tolnay,
//! "Autoref-based stable specialization"), so the five traits are tried in their order below.

use std::error::Error;

use crate::record::{ErrorChain, LogValue};

/// A borrowed value that stands under the name `error`.
#[derive(Debug)]
pub struct Pick<'a, T: ?Sized>(pub &'a T);

/// First choice: a value that has a stored form.
pub trait PickValue<'a> {
    /// The value.
    type Value;
    /// Gives the value itself.
    fn pick(&self) -> Self::Value;
}

impl<'a, T: LogValue + ?Sized> PickValue<'a> for &&&&Pick<'a, T> {
    type Value = &'a T;
    fn pick(&self) -> &'a T {
        self.0
    }
}

/// Second choice: something that holds an error, such as `Box<dyn Error>`.
pub trait PickHeld {
    /// Formats the error and its sources.
    fn pick(&self) -> ErrorChain;
}

macro_rules! pick_held {
    ($($type:ty => |$held:ident| $error:expr;)*) => {$(
        impl<'e> PickHeld for &&&Pick<'_, $type> {
            fn pick(&self) -> ErrorChain {
                let $held = self.0;
                ErrorChain::new($error)
            }
        }
    )*};
}

pick_held! {
    dyn Error + 'e => |held| held;
    dyn Error + Send + 'e => |held| held;
    dyn Error + Send + Sync + 'e => |held| held;
    &(dyn Error + 'e) => |held| *held;
    &(dyn Error + Send + 'e) => |held| *held;
    &(dyn Error + Send + Sync + 'e) => |held| *held;
    Box<dyn Error + 'e> => |held| &**held;
    Box<dyn Error + Send + 'e> => |held| &**held;
    Box<dyn Error + Send + Sync + 'e> => |held| &**held;
    &Box<dyn Error + 'e> => |held| &***held;
    &Box<dyn Error + Send + 'e> => |held| &***held;
    &Box<dyn Error + Send + Sync + 'e> => |held| &***held;
}

/// Third choice: a reference to an error.
///
/// It stands before the error itself, because a reference to one is an error, too: the chain of the
/// error behind it is the same, one call shorter.
pub trait PickErrorRef {
    /// Formats the error and its sources.
    fn pick(&self) -> ErrorChain;
}

impl<T: Error> PickErrorRef for &&Pick<'_, &T> {
    fn pick(&self) -> ErrorChain {
        ErrorChain::new(*self.0)
    }
}

/// Fourth choice: an error.
pub trait PickError {
    /// Formats the error and its sources.
    fn pick(&self) -> ErrorChain;
}

impl<T: Error> PickError for &Pick<'_, T> {
    fn pick(&self) -> ErrorChain {
        ErrorChain::new(self.0)
    }
}

/// Last choice: what is no error itself but gives one, such as `anyhow::Error`.
pub trait PickAsError {
    /// Formats the error and its sources.
    fn pick(&self) -> ErrorChain;
}

impl<T: AsRef<dyn Error + Send + Sync + 'static>> PickAsError for Pick<'_, T> {
    fn pick(&self) -> ErrorChain {
        ErrorChain::new(self.0.as_ref())
    }
}

#[cfg(test)]
#[expect(clippy::needless_borrow, reason = "the macros write all the references, too")]
mod tests {
    use super::*;
    use crate::record::{Encode, Fields, Sink, Value};

    fn links<V: LogValue>(value: &V) -> Vec<String> {
        let stored = value.stored();
        let size = <V::Stored<'_> as Encode>::FIXED + stored.extra(usize::MAX);
        let mut bytes = vec![0; size];
        stored.put(&mut Sink::new(&mut bytes), usize::MAX);
        match Fields::new(&bytes).next(<V::Stored<'_> as Encode>::TYPE) {
            Ok(Value::List(list)) => list
                .iter()
                .map(|link| match link {
                    Ok(Value::Str(text)) => text.content.to_owned(),
                    other => panic!("{other:?}"),
                })
                .collect(),
            Ok(Value::Str(text)) => vec![text.content.to_owned()],
            other => panic!("{other:?}"),
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("order rejected")]
    struct Rejected(#[source] std::num::ParseIntError);

    #[test]
    fn errors_are_stored_with_their_sources_and_values_as_they_are() {
        let source = "x".parse::<i32>().unwrap_err();
        let error = Rejected(source.clone());
        let expected = ["order rejected".to_owned(), source.to_string()];
        assert_eq!(links(&(&&&&&Pick(&error)).pick()), expected);
        assert_eq!(links(&(&&&&&Pick(&&error)).pick()), expected);
        let boxed: Box<dyn Error + Send + Sync> = Box::new(Rejected(source));
        assert_eq!(links(&(&&&&&Pick(&boxed)).pick()), expected);
        let dynamic: &(dyn Error + 'static) = &error;
        assert_eq!(links(&(&&&&&Pick(&dynamic)).pick()), expected);
        assert_eq!(links(&(&&&&&Pick(dynamic)).pick()), expected);
        assert_eq!(links(&(&&&&&Pick(&&boxed)).pick()), expected);
        assert_eq!(links(&(&&&&&Pick("plain text")).pick()), ["plain text"]);
    }
}
