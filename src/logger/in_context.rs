//! Futures that take a context along, whichever thread polls them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll};

use super::MetaLogger;
use super::scopes::{Frame, Inside};
use crate::context::Context;

/// Gives futures a context; implemented for every future.
pub trait InContext: Future + Sized {
    /// This future with a context: whatever it logs to `log`'s engine while it is polled carries
    /// the values of `context`, and those of the scopes that are open here, now. The scopes of the
    /// thread that polls it do not count.
    ///
    /// Allocates twice. A poll opens and closes a [`scope`](MetaLogger::scope).
    ///
    /// ```
    /// use tapelog::{InContext, MetaLogger, context, info};
    ///
    /// async fn handle(log: MetaLogger) {
    ///     info!(log, "order sent");
    /// }
    ///
    /// let (log, _captured) = tapelog::testing::capture();
    /// let task = handle(log.clone()).in_context(&log, context! { order_id = 9 });
    /// # drop(task);
    /// ```
    fn in_context(self, log: &MetaLogger, context: Context) -> Contextual<Self> {
        Contextual { frame: Some(log.frame_of_a_future(context)), future: Some(Box::pin(self)) }
    }
}

impl<F: Future> InContext for F {}

/// A future with a context; made by [`InContext::in_context`].
#[must_use = "futures do nothing unless polled"]
pub struct Contextual<F> {
    /// None while the future is polled.
    frame: Option<Frame>,
    /// None once it is dropped.
    future: Option<Pin<Box<F>>>,
}

impl<F: Future> Future for Contextual<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<F::Output> {
        let Self { frame, future } = &mut *self;
        let _inside = Inside::enter(frame);
        match future {
            Some(future) => future.as_mut().poll(context),
            None => Poll::Pending,
        }
    }
}

impl<F> Drop for Contextual<F> {
    fn drop(&mut self) {
        // What the future's destructors log has the context, too.
        let _inside = Inside::enter(&mut self.frame);
        drop(self.future.take());
    }
}

impl<F> fmt::Debug for Contextual<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contextual").finish_non_exhaustive()
    }
}
