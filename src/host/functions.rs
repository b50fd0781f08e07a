//! The functions of this app: their names and triggers.
//!
//! The same facts are in `host.json` and in each folder's `function.json`, which the host reads; a test compares all of
//! them. JSON has no comments, so the choices made there are explained here.
//!
//! # `function.json`
//! - `dataType: binary` on every queue trigger: the body arrives as exact bytes, and members of a JSON body don't leak
//!   into the metadata, where a sender could overwrite `MessageId` or `DeliveryCount` (azure-functions-host,
//!   `Utility.ApplyBindingData`).
//! - `isSessionsEnabled` on `tenant-requests`: the session is the tenant, so requests for one tenant arrive in order
//!   and never two at once. A dead-letter queue has no sessions, even if its parent has.
//! - Binding names hold letters and digits only; the host refuses an underscore.
//! - `events` accepts `options` too: Event Grid sends it to ask whether a webhook accepts CloudEvents. It is an HTTP
//!   trigger and not an Event Grid one, because that trigger's own webhook answers for any topic, before the handler is
//!   called.
//! - The `sweep` schedule is a literal: a missing app setting would leave the function without its trigger.
//!
//! # `host.json`
//! - `functionTimeout` of ten minutes, because a timeout kills the whole handler and everything in flight: it is the
//!   fallback for the reconciler's own, shorter deadline, and the greatest value that every hosting plan accepts.
//! - `maxAutoLockRenewalDuration` above `functionTimeout`: renewal that ends earlier lets a second copy of a message
//!   start while the first still runs.
//! - `autoCompleteMessages` stays true: a custom handler has no way to settle a message by itself.
//! - No `retry` policy: it would repeat inside the same lock, without the broker's count. The product's own back-off is
//!   durable.
//! - `enableForwardingHttpRequest` stays false, so that every trigger arrives in the same envelope.
//! - `sessionIdleTimeout` of two seconds (the default is a minute): a session whose tenant sends nothing more must not
//!   keep one of the concurrent sessions occupied.

use crate::azure::service_bus::{DEAD_LETTERS, REQUESTS, WAKE_UPS};

/// How a function is triggered, with the names of its bindings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionTrigger {
    /// A Service Bus queue with `dataType: binary`.
    QueueMessage {
        /// The trigger's binding name.
        binding: &'static str,
        /// The queue that its messages come from.
        queue: &'static str,
    },
    /// A timer.
    Timer {
        /// The trigger's binding name.
        binding: &'static str,
    },
    /// An HTTP request, not forwarded.
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

/// A function of the app. The matches below are exhaustive, so the compiler lists what a new one needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Function {
    /// Requests from the queue `tenant-requests`.
    Requests,
    /// Wake-ups: the next reconcile pass of a tenant is due.
    Wakeup,
    /// The timer that finds tenants whose wake-up was lost.
    Sweep,
    /// The timer that checks isolation.
    Audit,
    /// The timer that checks for drift.
    Drift,
    /// Requests that were dead-lettered.
    DeadLetter,
    /// Tenants over HTTP: list, show, submit.
    Tenants,
    /// A person's retry over HTTP.
    Retry,
    /// A person's reconciliation over HTTP.
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

    /// The name of the folder, of the function, and of the path that the host posts to.
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

    /// Its trigger.
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

    /// The function of that name. Case is ignored, as the host ignores it.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|function| function.name().eq_ignore_ascii_case(name))
    }
}
