//! Faults that a test injects into the host: failures of real hosts, at a chosen moment.

use std::{fmt, sync::Arc, time::Duration};

/// A delivery that is about to be passed to the handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt<'a> {
    /// The function's name.
    pub function: &'a str,
    /// The message's sequence number.
    pub sequence: u64,
    /// How often the message was delivered, including this delivery.
    pub delivery_count: u32,
}

/// A fault that is injected into a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InjectedFault {
    /// The same message runs twice at the same time; the first run's result settles it.
    DuplicateDelivery,
    /// The handler is killed during the request, and restarted.
    KillHandler {
        /// The time from the start of the request to the kill.
        after: Duration,
    },
    /// The handler succeeds, but an output can't be sent, so the message is delivered again.
    OutputFailure,
    /// The host stops during the request, and settles nothing.
    StopHost {
        /// The time from the start of the request to the stop.
        after: Duration,
    },
}

type Chooser = Arc<dyn Fn(&Attempt<'_>) -> Option<InjectedFault> + Send + Sync>;

/// Chooses the faults that are injected into deliveries; by default none.
#[derive(Clone, Default)]
pub struct HostFaults(Option<Chooser>);

impl HostFaults {
    /// Calls `choose` before every delivery, and injects the fault that it returns.
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
