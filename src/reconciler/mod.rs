//! Carries out what the engine decides: one bounded reconcile pass over one tenant, until it is settled or has to wait
//! long.
//!
//! # Guarantees
//! - The document with the intent is saved before a write or delete is sent, and an operation's poll URL before its
//!   first poll.
//! - Only the holder of the lease acts, and only while the lease outlasts the time in which a request may take effect.
//! - A crash between any two lines loses nothing: the next worker reads before it writes.
//! - An event is published only after the outcome that it reports is durable, and again if it is unknown whether it was
//!   published.
//!
//! # Caveats
//! A lease can't fence Azure: a request may still take effect later than [`Settings::request_life`] allows. The next
//! reconcile pass corrects that.

mod acts;
mod answers;
mod backlog;
mod effects;
mod guarded;
mod lease;
mod outbox;
mod pass;
mod spans;
mod sweep;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize},
    },
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::watch;

pub use outbox::publish;
pub use sweep::Swept;

use crate::{
    config::Isolation,
    ports::{Due, Ports, StoreError},
    scan::IsolationScanner,
};
use tenantry_core::{engine::Policy, ids::TenantId, tenant::Status, time::saturating_add};

/// How long one pass may act, in addition to the time for which it may wait in place. Then it requeues its tenant, and
/// a wake-up starts the next pass. So a pass ends long before the host's `functionTimeout`, at which the host would
/// kill the handler with all its work.
const DOING: Duration = Duration::from_secs(30);

/// The settings of the reconciler.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The deployment's name; part of every derived name and event source.
    pub deployment: String,
    /// The engine's limits and delays.
    pub policy: Policy,
    /// How long a lease lasts unless renewed. At least twice (`request_timeout` + `request_life` + 2 x `skew`).
    pub lease: Duration,
    /// The timeout of a request; the transport enforces it.
    pub request_timeout: Duration,
    /// How long a request may still take effect after the sender's timeout.
    pub request_life: Duration,
    /// The largest difference between two workers' clocks.
    pub skew: Duration,
    /// How long one pass may wait in place; a longer wait requeues the tenant.
    pub budget: Duration,
    /// How long a due tenant is left to its own wake-up before the sweep takes the tenant up.
    pub overdue: Duration,
    /// How long to wait for further answers after the first, so that one save covers them all.
    pub gather: Duration,
    /// The settings of the isolation check.
    pub isolation: Isolation,
}

impl Settings {
    /// The settings for Azure.
    pub fn azure(deployment: &str) -> Self {
        Self {
            deployment: deployment.to_owned(),
            policy: Policy::azure(),
            lease: Duration::from_secs(150),
            request_timeout: Duration::from_secs(30),
            request_life: Duration::from_secs(30),
            skew: Duration::from_secs(3),
            budget: Duration::from_secs(20),
            overdue: Duration::from_secs(15),
            gather: Duration::from_millis(500),
            isolation: Isolation::default(),
        }
    }

    /// Sets another request timeout, and a lease of at least twice the time in which a request with this timeout may
    /// take effect.
    #[must_use]
    pub fn with_request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self.request_life = timeout;
        self.lease = (timeout * 5).max((timeout * 2 + self.skew * 2) * 2);
        self
    }

    /// The settings for a simulated Azure on the same machine, where a request takes effect soon or not at all.
    pub fn local(deployment: &str) -> Self {
        Self {
            policy: Policy::local(),
            lease: Duration::from_secs(30),
            request_timeout: Duration::from_secs(10),
            request_life: Duration::from_secs(2),
            skew: Duration::ZERO,
            budget: Duration::from_secs(1),
            overdue: Duration::ZERO,
            gather: Duration::from_millis(50),
            ..Self::azure(deployment)
        }
    }
}

/// How a pass ended.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The tenant is settled: nothing happens without a new request.
    Settled(Status),
    /// The tenant is requeued at this time; a wake-up is scheduled for it.
    Requeued(Timestamp),
    /// Another worker holds the lease, until this time if it does not renew it.
    Held(Timestamp),
    /// There is no such tenant.
    Unknown,
}

/// Reconciles tenants: brings the observed state of each to its desired state. One per process; cheap to share.
///
/// It decides nothing about a step: [`tenantry_core::engine::decide()`] says what to do and
/// [`tenantry_core::engine::apply()`] what an answer means. The reconciler is responsible for the order: lease before
/// acting, save before sending, publish after saving.
pub struct Reconciler {
    ports: Ports,
    settings: Settings,
    /// The name of this process in leases. Each pass appends a number to it.
    name: String,
    passes: AtomicU64,
    /// How many rows the last sweep could not read.
    unreadable: AtomicUsize,
    draining: watch::Sender<bool>,
    isolation_scanner: Arc<IsolationScanner>,
    /// The last due entry that the last sweep took up, if the sweep left entries to the next one.
    swept_to: Mutex<Option<Due>>,
}

impl Reconciler {
    /// A reconciler over these ports. `name` identifies this process among all others.
    pub fn new(ports: Ports, settings: Settings, name: impl Into<String>) -> Self {
        let (passes, draining) = (AtomicU64::new(0), watch::Sender::new(false));
        let isolation_scanner = Arc::new(IsolationScanner::new(ports.clone(), &settings.isolation));
        let (unreadable, swept_to) = (AtomicUsize::new(0), Mutex::new(None));
        Self { ports, settings, name: name.into(), passes, unreadable, draining, isolation_scanner, swept_to }
    }

    /// The scanner that checks the isolation of the reconciled tenants.
    pub fn isolation_scanner(&self) -> &IsolationScanner {
        &self.isolation_scanner
    }

    /// Starts the graceful shutdown: every pass starts nothing more, waits for the answers to the requests that it has
    /// sent, and requeues its tenant for the next worker.
    pub fn drain(&self) {
        self.draining.send_replace(true);
    }

    fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Returns when the graceful shutdown starts.
    async fn drain_requested(&self) {
        // The sender is a member of `self`, so the channel is open.
        let _ = self.draining.subscribe().wait_for(|draining| *draining).await;
    }

    /// The result of work that a later run repeats, or `None` if the graceful shutdown starts first. The work is then
    /// dropped between two requests, so it has to be one that survives the end of the process at any point.
    pub async fn unless_draining<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.drain_requested() => None,
        }
    }

    /// Reconciles one tenant: reads its document, takes the lease, and repeats *decide, save, send, apply* until
    /// nothing more can be done now.
    ///
    /// # Guarantees
    /// - Ends within [`Settings::budget`] plus half a minute, whatever Azure does; the remaining work is saved with the
    ///   time at which it continues.
    /// - May be called at any time, by any number of workers, for any tenant: at most one of them acts, and a call for
    ///   a tenant that needs nothing changes nothing.
    /// - Nothing is sent whose intent is not durable. So a crash leaves at worst a step that is read again.
    ///
    /// # Assumptions
    /// Clocks of workers differ by at most [`Settings::skew`], and a request takes effect within
    /// [`Settings::request_life`] of its sending or not at all. Otherwise two workers may send the same write; both
    /// read first, so the object is created once, and the next pass corrects a late effect.
    ///
    /// # Errors
    /// [`StoreError`] when the state can't be read or saved. No accepted work is lost; the call can be repeated.
    ///
    /// # Caveats
    /// Where another worker holds the lease, a wake-up is scheduled for the end of that lease, in case that worker
    /// has ended. A wake-up is a hint; `sweep` finds the tenant without it.
    ///
    /// ```
    /// use tenantry::{ports::StoreError, reconciler::{Progress, Reconciler}};
    /// use tenantry_core::ids::TenantId;
    ///
    /// async fn once(reconciler: &Reconciler, id: &TenantId) -> Result<(), StoreError> {
    ///     match reconciler.reconcile(id).await? {
    ///         Progress::Settled(status) => println!("{id} is {}", status.as_str()),
    ///         Progress::Requeued(at) => println!("{id} is requeued at {at}; a wake-up is scheduled"),
    ///         Progress::Held(until) => println!("another worker holds {id}, at most until {until}"),
    ///         Progress::Unknown => println!("there is no tenant {id}"),
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub async fn reconcile(&self, id: &TenantId) -> Result<Progress, StoreError> {
        let leave_at = saturating_add(self.ports.clock.now(), self.settings.budget + DOING);
        self.reconcile_until(id, leave_at).await
    }

    /// Like [`Self::reconcile`], but starts no further work from `leave_at` on.
    async fn reconcile_until(&self, id: &TenantId, leave_at: Timestamp) -> Result<Progress, StoreError> {
        let progress = pass::Pass::run(self, id, leave_at).await?;
        if let Progress::Held(until) = &progress
            && let Err(failure) = self.ports.scheduler.schedule(id, *until).await
        {
            tracing::warn!(tenant.id = %id, error = %failure, "no wake-up was scheduled; the sweep will reconcile the tenant");
        }
        Ok(progress)
    }
}
