//! Faults that a test asks the host for: what happens to real hosts, at a moment of the test's choosing.

use std::{fmt, sync::Arc, time::Duration};

/// One delivery that is about to be handed to the handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt<'a> {
    /// The function.
    pub function: &'a str,
    /// The message's number in its queue.
    pub sequence: u64,
    /// Which delivery it is, from 1.
    pub delivery_count: u32,
}

/// What goes wrong with a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InjectedFault {
    /// The same message runs twice at the same time; the first run's outcome settles it.
    DuplicateDelivery,
    /// The handler is killed so long after the request was begun, and started again.
    KillHandler {
        /// How long after.
        after: Duration,
    },
    /// The handler succeeds, but an output can't be sent: the step ran, and the message comes again.
    OutputFailure,
    /// The host stops so long after the request was begun, without settling anything.
    StopHost {
        /// How long after.
        after: Duration,
    },
}

type Chooser = Arc<dyn Fn(&Attempt<'_>) -> Option<InjectedFault> + Send + Sync>;

/// Which faults happen; by default none.
#[derive(Clone, Default)]
pub struct HostFaults(Option<Chooser>);

impl HostFaults {
    /// Asks a function before every delivery.
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
