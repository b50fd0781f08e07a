//! Faults that a test injects into the host: what happens to real hosts, at a chosen moment.

use std::{fmt, sync::Arc, time::Duration};

/// A delivery that is about to be passed to the handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt<'a> {
    /// The function.
    pub function: &'a str,
    /// The message's sequence number.
    pub sequence: u64,
    /// Which delivery it is, from 1.
    pub delivery_count: u32,
}

/// A fault of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InjectedFault {
    /// The same message runs twice at the same time; the first run's result settles it.
    DuplicateDelivery,
    /// The handler is killed that long after the start of the request, and restarted.
    KillHandler {
        /// How long after.
        after: Duration,
    },
    /// The handler succeeds, but an output can't be sent: the step ran, and the message is delivered again.
    OutputFailure,
    /// The host stops that long after the start of the request, and settles nothing.
    StopHost {
        /// How long after.
        after: Duration,
    },
}

type Chooser = Arc<dyn Fn(&Attempt<'_>) -> Option<InjectedFault> + Send + Sync>;

/// Which faults are injected; by default none.
#[derive(Clone, Default)]
pub struct HostFaults(Option<Chooser>);

impl HostFaults {
    /// Calls a function before every delivery, which chooses the fault.
    pub fn new(choose: impl Fn(&Attempt<'_>) -> Option<InjectedFault> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(choose)))
    }

    pub(super) fn on(&self, attempt: &Attempt<'_>) -> Option<InjectedFault> {
        self.0.as_ref().and_then(|choose| choose(attempt))
    }
}

impl fmt::Debug for HostFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HostFaults").field(&self.0.is_some()).finish()
    }
}
