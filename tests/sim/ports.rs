//! The ports of a worker except for the store and the transport: clock, publisher, scheduler.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tenantry::ports::{Clock, Publisher, Scheduler};
use tenantry_core::{ids::TenantId, steps::Failure, tenant::CloudEvent};

use super::{
    broker,
    exec::{Hub, Owner},
    ledger::{millis_of, stamp_of},
    scenario::Shared,
    setup::WakeUps,
};

/// A worker's clock: the virtual time plus the worker's clock skew in milliseconds.
pub(crate) struct SimClock {
    pub(crate) hub: Arc<Hub>,
    pub(crate) skew: Arc<AtomicI64>,
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        stamp_of(self.hub.now() + self.skew.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        let whole = stamp_of(millis_of(at));
        let at = millis_of(at) + i64::from(whole < at) - self.skew.load(Ordering::Relaxed);
        Box::pin(self.hub.sleep_until(at))
    }
}

/// A worker's publisher. It may fail after it has published some of the events.
pub(crate) struct SimPublisher {
    pub(crate) shared: Arc<Shared>,
    pub(crate) owner: Owner,
}

impl Publisher for SimPublisher {
    fn publish<'a>(&'a self, events: &'a [CloudEvent]) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let shared = &self.shared;
            shared.perhaps_die(self.owner, "C8 before publish").await;
            let (span, fails, delivered) = {
                let mut rng = shared.faults();
                let fails = shared.faulty().is_some_and(|plan| rng.permille(plan.publish_fails));
                (rng.within(1, 60), fails, rng.below(events.len() as u64 + 1))
            };
            shared.hub.sleep(span).await;
            if shared.is_out(4) {
                return Err(Failure::not_sent("simulated"));
            }
            let reached = if fails { usize::try_from(delivered).unwrap_or(0) } else { events.len() };
            for event in &events[..reached] {
                shared.hub.note("event", &format_args!("{} {}", event.kind, event.id));
                shared.ledger().published(event);
            }
            shared.perhaps_die(self.owner, "C9 after publish").await;
            if fails {
                shared.hit("publish failed");
                return Err(Failure::ambiguous("simulated: a subscriber did not answer"));
            }
            Ok(())
        })
    }
}

/// A worker's scheduler, which may lose, refuse or repeat wake-ups.
pub(crate) struct SimScheduler {
    pub(crate) shared: Arc<Shared>,
    pub(crate) owner: Owner,
}

impl Scheduler for SimScheduler {
    fn delivers(&self) -> bool {
        self.shared.plan.setup.wake_ups != WakeUps::Sweep
    }

    fn schedule<'a>(&'a self, tenant: &'a TenantId, at: Timestamp) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let shared = &self.shared;
            // Does the same as the program's own scheduler with this setting.
            if shared.plan.setup.wake_ups == WakeUps::Sweep {
                shared.hit("woken by the sweep alone");
                return Ok(());
            }
            shared.perhaps_die(self.owner, "C10 before wake-up").await;
            let (lost, refused, twice) = {
                let mut rng = shared.faults();
                let share = shared.faulty().map_or(0, |plan| plan.wakes_lost);
                (rng.permille(share), rng.permille(share / 4), rng.permille(share / 2))
            };
            shared.hub.sleep(5).await;
            if refused {
                shared.hit("wake-up refused");
                return Err(Failure::not_sent("simulated"));
            }
            let hours = shared.faulty().is_some() && shared.plan.setup.loses(shared.hub.now());
            if hours {
                shared.hit("wake-ups lost for hours");
            }
            if lost || hours {
                shared.hit("wake-up lost");
                return Ok(());
            }
            if shared.plan.setup.deduplicates && shared.is_repeat(tenant, at) {
                shared.hit("wake-up dropped as a repeat");
                return Ok(());
            }
            for _ in 0..if twice { 2 } else { 1 } {
                broker::schedule(shared, tenant, millis_of(at));
            }
            Ok(())
        })
    }
}
