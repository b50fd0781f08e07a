//! Does what the engine decides: one bounded drive of one tenant, until it is settled or has to wait long.
//!
//! # Guarantees
//! - The document with the intent is saved before a write or delete goes out, and an operation's poll URL before it
//!   is first asked about.
//! - Only the holder of the lease acts, and only while enough of the lease is left for a request's whole life.
//! - A crash between any two lines is survived: whoever comes next looks first.
//! - An event is published only after the outcome that it tells is durable, and again if that can't be known.
//!
//! # Caveats
//! A lease can't fence Azure: a request that lives longer than [`Settings::request_life`] may still take effect late.
//! The next reconcile heals that.

mod acts;
mod answers;
mod backlog;
mod drive;
mod effects;
mod guarded;
mod lease;
mod outbox;
mod sweep;
mod tell;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize},
    },
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::watch;

pub use outbox::announce;
pub use sweep::Swept;

use crate::{
    config::Isolation,
    ports::{Due, StoreError, World},
    scan::IsolationScanner,
};
use tenantry_core::{engine::Policy, ids::TenantId, tenant::Status, time::later};

/// How long one drive may go on doing things beside waiting in place; then it parks its tenant, and a wake-up goes on.
/// With all that may come before and after it, it ends before the host's `functionTimeout`, which kills the handler and
/// whatever else it is doing.
const DOING: Duration = Duration::from_secs(30);

/// How the reconciler behaves in a world.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The deployment's name; part of every derived name and event source.
    pub deployment: String,
    /// The engine's patience.
    pub policy: Policy,
    /// How long a lease lasts unless renewed. At least twice (`request_timeout` + `request_life` + 2 x `skew`).
    pub lease: Duration,
    /// How long an answer is waited for; the wire keeps to it.
    pub request_timeout: Duration,
    /// How long a request may still take effect after its sender has given it up.
    pub request_life: Duration,
    /// The largest difference between two workers' clocks.
    pub skew: Duration,
    /// How long one drive may go on waiting in place; a longer wait is parked.
    pub budget: Duration,
    /// How long what is due is left to its own wake-up before the sweep takes it for lost.
    pub overdue: Duration,
    /// How long answers that belong together are waited for, so that one save covers them.
    pub gather: Duration,
    /// What the proof of isolation goes by.
    pub isolation: Isolation,
}

impl Settings {
    /// For Azure.
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

    /// With another time for an answer, and a lease that covers two such requests with all that may come after them.
    #[must_use]
    pub fn with_request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self.request_life = timeout;
        self.lease = (timeout * 5).max((timeout * 2 + self.skew * 2) * 2);
        self
    }

    /// For a simulated Azure on the same machine, where a request hardly outlives its connection.
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

/// How a drive ended.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Nothing more happens without a new request.
    Settled(Status),
    /// Somebody has to come again at that time; a wake-up has been asked for.
    Parked(Timestamp),
    /// Another worker is on it, at most until then.
    Held(Timestamp),
    /// There is no such tenant.
    Unknown,
}

/// Reconciles tenants: brings what Azure shows of each to what its document desires. One per process; cheap to share.
///
/// It decides nothing about a step: [`tenantry_core::engine::decide()`] says what to do and
/// [`tenantry_core::engine::apply()`] what an answer means. What it owns is the order: lease before acting, save before
/// sending, publish after saving.
pub struct Reconciler {
    world: World,
    settings: Settings,
    /// This process, for leases; every drive is a holder of its own.
    name: String,
    drives: AtomicU64,
    /// How many rows the last sweep could not read.
    unreadable: AtomicUsize,
    winding_down: watch::Sender<bool>,
    isolation_scanner: Arc<IsolationScanner>,
    /// Where the last sweep stopped, if it had to leave something to the next one.
    swept_to: Mutex<Option<Due>>,
}

impl Reconciler {
    /// A reconciler for a world. `name` tells this process from all others.
    pub fn new(world: World, settings: Settings, name: impl Into<String>) -> Self {
        let (drives, winding_down) = (AtomicU64::new(0), watch::Sender::new(false));
        let isolation_scanner = Arc::new(IsolationScanner::new(world.clone(), &settings.isolation));
        let (unreadable, swept_to) = (AtomicUsize::new(0), Mutex::new(None));
        Self {
            world,
            settings,
            name: name.into(),
            drives,
            unreadable,
            winding_down,
            isolation_scanner,
            swept_to,
        }
    }

    /// What proves the isolation of the tenants that are driven.
    pub fn isolation_scanner(&self) -> &IsolationScanner {
        &self.isolation_scanner
    }

    /// The process is about to end: every drive waits for the answers that are on their way, then parks its tenant for
    /// whoever comes next, and begins nothing more.
    pub fn wind_down(&self) {
        self.winding_down.send_replace(true);
    }

    fn is_winding_down(&self) -> bool {
        *self.winding_down.borrow()
    }

    /// Returns when the process is about to end.
    async fn told_to_wind_down(&self) {
        // The sender is a member of `self`, so it can't be gone.
        let _ = self.winding_down.subscribe().wait_for(|told| *told).await;
    }

    /// Reconciles one tenant: reads its document, takes the lease, and repeats *decide, save, send, take in* until nothing
    /// more can be done now.
    ///
    /// # Guarantees
    /// - Ends within [`Settings::budget`] and half a minute, whatever Azure does; what is left is saved with the time at
    ///   which it goes on.
    /// - May be called at any time, by any number of workers, for any tenant: at most one of them acts, and calling it for
    ///   a tenant that needs nothing changes nothing.
    /// - Nothing is sent whose intent is not durable. So a crash leaves at worst a step that is read again.
    ///
    /// # Assumptions
    /// Clocks of workers differ by at most [`Settings::skew`], and a request takes effect within [`Settings::request_life`]
    /// of its sending or not at all. Where either does not hold, two workers may send the same write; both read first, so
    /// the object is made once, and the next pass corrects what a late effect has changed.
    ///
    /// # Errors
    /// [`StoreError`] when the state can't be read or saved. Nothing that was accepted is lost, and calling it again is
    /// right.
    ///
    /// # Caveats
    /// Where another worker holds the lease, a wake-up is asked for when that lease ends: should that worker be dead, nobody
    /// else would come so soon. A wake-up is a hint; `sweep` finds the tenant without it.
    ///
    /// ```
    /// use tenantry::{ports::StoreError, reconciler::{Progress, Reconciler}};
    /// use tenantry_core::ids::TenantId;
    ///
    /// async fn once(reconciler: &Reconciler, id: &TenantId) -> Result<(), StoreError> {
    ///     match reconciler.reconcile(id).await? {
    ///         Progress::Settled(status) => println!("{id} is {}", status.word()),
    ///         Progress::Parked(at) => println!("{id} goes on at {at}; a wake-up was asked for"),
    ///         Progress::Held(until) => println!("another worker is on {id}, at most until {until}"),
    ///         Progress::Unknown => println!("there is no tenant {id}"),
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub async fn reconcile(&self, id: &TenantId) -> Result<Progress, StoreError> {
        let leave_at = later(self.world.clock.now(), self.settings.budget + DOING);
        self.reconcile_until(id, leave_at).await
    }

    /// The same, beginning nothing more from an instant on.
    async fn reconcile_until(&self, id: &TenantId, leave_at: Timestamp) -> Result<Progress, StoreError> {
        let progress = drive::Drive::run(self, id, leave_at).await?;
        if let Progress::Held(until) = &progress
            && let Err(failure) = self.world.alarm.wake(id, *until).await
        {
            tracing::warn!(tenant.id = %id, error = %failure, "no wake-up was scheduled; the sweep will do");
        }
        Ok(progress)
    }
}
