//! The part of crossbeam-channel that the supply uses, made of shuttle's types.
//!
//! A wait with a time limit may end at any moment: whether it does is up to the schedule.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use shuttle::rand::Rng;
use shuttle::sync::Mutex;

/// The channel is full, or nobody receives.
#[derive(Debug)]
pub(crate) enum TrySendError<T> {
    Full(T),
    Disconnected(T),
}

/// Nothing came in time, or nobody sends.
#[derive(Debug)]
pub(crate) enum RecvTimeoutError {
    Timeout,
    Disconnected,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    room: usize,
    senders: usize,
    receivers: usize,
}

type Shared<T> = Arc<Mutex<State<T>>>;

/// Looks at a channel, or changes it, while no other thread does.
fn with<T, R>(shared: &Shared<T>, work: impl FnOnce(&mut State<T>) -> R) -> R {
    work(&mut shared.lock().expect("no thread panics inside"))
}

#[derive(Debug)]
pub(crate) struct Sender<T>(Shared<T>);

#[derive(Debug)]
pub(crate) struct Receiver<T>(Shared<T>);

pub(crate) fn bounded<T>(room: usize) -> (Sender<T>, Receiver<T>) {
    let state = State { waiting: VecDeque::new(), room, senders: 1, receivers: 1 };
    let shared = Arc::new(Mutex::new(state));
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

pub(crate) fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    bounded(usize::MAX)
}

impl<T> Sender<T> {
    pub(crate) fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        with(&self.0, |state| {
            if state.receivers == 0 {
                return Err(TrySendError::Disconnected(value));
            }
            if state.waiting.len() >= state.room {
                return Err(TrySendError::Full(value));
            }
            state.waiting.push_back(value);
            Ok(())
        })
    }

    /// The models send without waiting only into channels without a bound.
    pub(crate) fn send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.try_send(value)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        with(&self.0, |state| state.senders += 1);
        Sender(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        with(&self.0, |state| state.senders -= 1);
    }
}

impl<T> Receiver<T> {
    pub(crate) fn try_recv(&self) -> Result<T, RecvTimeoutError> {
        with(&self.0, |state| match state.waiting.pop_front() {
            Some(value) => Ok(value),
            None if state.senders == 0 => Err(RecvTimeoutError::Disconnected),
            None => Err(RecvTimeoutError::Timeout),
        })
    }

    pub(crate) fn recv_timeout(&self, _wait: Duration) -> Result<T, RecvTimeoutError> {
        loop {
            match self.try_recv() {
                Err(RecvTimeoutError::Timeout) if shuttle::rand::thread_rng().gen_bool(0.7) => {
                    shuttle::thread::yield_now();
                }
                other => return other,
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        with(&self.0, |state| state.waiting.is_empty())
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        with(&self.0, |state| state.receivers += 1);
        Receiver(Arc::clone(&self.0))
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        // What nobody receives is dropped outside of the lock: it may be a sender itself.
        let left = with(&self.0, |state| {
            state.receivers -= 1;
            if state.receivers == 0 { std::mem::take(&mut state.waiting) } else { VecDeque::new() }
        });
        drop(left);
    }
}
