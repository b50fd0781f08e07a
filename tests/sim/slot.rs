//! A slot that passes one value from a task to another.

use std::{
    sync::{Arc, Mutex},
    task::{Poll, Waker},
};

/// A slot for one value, which another task awaits.
pub(crate) struct Slot<T>(Mutex<(Option<T>, Option<Waker>)>);

impl<T> Slot<T> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new((None, None))))
    }

    /// Puts a value into the slot; further values are dropped.
    pub(crate) fn put(&self, value: T) {
        let mut held = self.0.lock().unwrap();
        if held.0.is_none() {
            held.0 = Some(value);
        }
        if let Some(waker) = held.1.take() {
            waker.wake();
        }
    }

    pub(crate) fn take(self: &Arc<Self>) -> impl Future<Output = T> + Send + use<T>
    where
        T: Send,
    {
        let slot = Arc::clone(self);
        std::future::poll_fn(move |context| {
            let mut held = slot.0.lock().unwrap();
            if let Some(value) = held.0.take() {
                return Poll::Ready(value);
            }
            held.1 = Some(context.waker().clone());
            Poll::Pending
        })
    }
}
