//! The functions of this app: their names and triggers.
//!
//! The same facts are in `host.json` and in the `function.json` of each function's folder, which the host reads; a test
//! compares them. JSON has no comments, so the choices made there are explained here.
//!
//! # `function.json`
//! - `dataType: binary` on every queue trigger: the body arrives as exact bytes, and members of a JSON body don't leak
//!   into the metadata, where a sender could overwrite `MessageId` or `DeliveryCount` (azure-functions-host,
//!   `Utility.ApplyBindingData`).
//! - `isSessionsEnabled` on `tenant-requests`: the Service Bus session is the tenant, so requests for one tenant arrive
//!   in order and never two at once. A dead-letter queue has no sessions, even if its parent queue has.
//! - Binding names have letters and digits only; the host refuses an underscore.
//! - `events` accepts `options` too, because Event Grid sends that method to ask whether a webhook accepts CloudEvents.
//!   It is an HTTP trigger and not an Event Grid trigger, whose own webhook answers for any topic before the handler is
//!   called.
//! - The schedules of the timers are literals: with the name of an app setting that is missing, the function would have
//!   no trigger.
//!
//! # `host.json`
//! - `functionTimeout` of ten minutes. A timeout kills the whole handler and everything in flight, so this is only the
//!   fallback for the reconciler's own, shorter deadline. It is the greatest value that every hosting plan accepts.
//! - `maxAutoLockRenewalDuration` above `functionTimeout`: if the renewal ended earlier, a second delivery of a message
//!   could start while the first is still processed.
//! - `autoCompleteMessages` is true: a custom handler can't settle a message by itself.
//! - No `retry` policy: it would repeat the call within the same message lock, without raising the broker's delivery
//!   count. The program's own back-off is durable.
//! - `enableForwardingHttpRequest` is false, so that HTTP triggers arrive in the same envelope as all others.
//! - `sessionIdleTimeout` of two seconds (the default is a minute): a session whose tenant has no more messages must
//!   not occupy one of the concurrent sessions for long.

use crate::azure::service_bus::{DEAD_LETTERS, REQUESTS, WAKE_UPS};

/// How a function is triggered, with the names of its bindings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionTrigger {
    /// A Service Bus queue with `dataType: binary`.
    QueueMessage {
        /// The trigger's binding name.
        binding: &'static str,
        /// The queue that the messages come from.
        queue: &'static str,
    },
    /// A timer, with its schedule in `function.json`.
    Timer {
        /// The trigger's binding name.
        binding: &'static str,
    },
    /// An HTTP request, which the host describes in an envelope instead of forwarding it.
    Http {
        /// The trigger's binding name.
        binding: &'static str,
        /// The output binding that carries the response.
        output: &'static str,
    },
}

impl FunctionTrigger {
    /// The trigger's binding name, which keys `Data` in the envelope.
    pub const fn binding(self) -> &'static str {
        match self {
            Self::QueueMessage { binding, .. } | Self::Timer { binding } | Self::Http { binding, .. } => {
                binding
            }
        }
    }
}

/// A function of the app. A new function needs an arm in each `match` on this type; all of them are exhaustive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Function {
    /// Requests from the queue `tenant-requests`.
    Requests,
    /// Wake-ups from the queue `tenant-wakeups`: the next reconcile pass of a tenant is due.
    Wakeup,
    /// The timer that finds tenants whose wake-up was lost.
    Sweep,
    /// The timer that checks the isolation of tenants.
    Audit,
    /// The timer that checks whether tenants still match their desired state.
    Drift,
    /// Requests from the dead-letter queue of `tenant-requests`.
    DeadLetter,
    /// Tenants over HTTP: list, show, submit.
    Tenants,
    /// An operator's call over HTTP that retries what is blocked.
    Retry,
    /// An operator's call over HTTP that has every step read and corrected.
    Reconcile,
    /// Requests as CloudEvents from Event Grid.
    Events,
}

impl Function {
    /// All functions of the app.
    pub const ALL: [Self; 10] = [
        Self::Requests,
        Self::Wakeup,
        Self::Sweep,
        Self::Audit,
        Self::Drift,
        Self::DeadLetter,
        Self::Tenants,
        Self::Retry,
        Self::Reconcile,
        Self::Events,
    ];

    /// The function's name, which is also the name of its folder and the path that the host posts to.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Wakeup => "wakeup",
            Self::Sweep => "sweep",
            Self::Audit => "audit",
            Self::Drift => "drift",
            Self::DeadLetter => "deadletter",
            Self::Tenants => "tenants",
            Self::Retry => "retry",
            Self::Reconcile => "reconcile",
            Self::Events => "events",
        }
    }

    /// The trigger of the function.
    pub const fn kind(self) -> FunctionTrigger {
        match self {
            Self::Requests => FunctionTrigger::QueueMessage { binding: "requestMsg", queue: REQUESTS },
            Self::Wakeup => FunctionTrigger::QueueMessage { binding: "wakeupMsg", queue: WAKE_UPS },
            Self::DeadLetter => FunctionTrigger::QueueMessage { binding: "deadMsg", queue: DEAD_LETTERS },
            Self::Sweep => FunctionTrigger::Timer { binding: "sweepTimer" },
            Self::Audit => FunctionTrigger::Timer { binding: "auditTimer" },
            Self::Drift => FunctionTrigger::Timer { binding: "driftTimer" },
            Self::Tenants | Self::Retry | Self::Reconcile | Self::Events => {
                FunctionTrigger::Http { binding: "req", output: "res" }
            }
        }
    }

    /// Finds a function by its name. Case is ignored, as the host ignores it.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|function| function.name().eq_ignore_ascii_case(name))
    }
}
