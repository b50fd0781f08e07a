//! Reconciles tenants whose work a lost wake-up, a crashed worker or a failed publication left undone; without wake-up
//! messages, all due tenants.
//!
//! A tenant that is due gets its wake-up again if the first may still be on its way. The sweep reconciles the tenant
//! itself if wake-ups are off, can't be sent, or were not taken in time. A sweep works on several entries at once,
//! starts nothing more after a while, and leaves the others to the next sweep, so that the host never has to kill it.

use std::{
    sync::{
        PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use jiff::Timestamp;
use tenantry_core::{ids::TenantId, tenant::EventOrigin, time::saturating_add};

use super::{Progress, Reconciler, publish};
use crate::{
    ports::{Due, StoreError},
    scan::log_unreadable,
};

/// How many due entries one sweep takes up, apart from unreadable rows; the next sweep continues.
const BATCH: usize = 200;
/// How many unreadable rows one sweep takes up in addition to [`BATCH`]. After a rollback from a later version, all
/// rows that the later version has written may be unreadable.
const MOST_UNREADABLE: usize = 5_000;
/// How many due entries a sweep works on at once.
const AT_ONCE: usize = 16;
/// After this time a sweep starts nothing more, and its passes requeue their tenants, because sweeps are a minute
/// apart.
const ROUND: Duration = Duration::from_secs(45);
/// After this time a sweep drops the passes that are still running, as a kill would: half of the host's
/// `functionTimeout`.
const LONGEST: Duration = Duration::from_secs(300);
/// A wake-up that is overdue by this much is considered lost.
const ON_ITS_WAY: Duration = Duration::from_secs(120);

/// The result of a sweep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// How many entries were due, including unreadable rows. At most 200 are read, and twice as many more as the last
    /// sweep found unreadable; this limit means "or more".
    pub due: usize,
    /// For how many tenants the sweep scheduled a wake-up.
    pub woken: usize,
    /// How many tenants the sweep reconciled.
    pub reconciled: usize,
    /// How many rows this version can't read. They stay due, and no wake-up is scheduled for them.
    pub unreadable: usize,
    /// How many entries could not be processed because the store failed; they stay due.
    pub failed: usize,
    /// How many entries were not started, or not finished in time; the next sweep continues with them.
    pub left: usize,
}

/// The result for one due entry.
enum Taken {
    Woken,
    Reconciled,
    /// A refusal was published, or there was nothing to do any more.
    Done,
}

/// The state that the parts of one sweep share.
struct Round {
    begun: Timestamp,
    ends: Timestamp,
    /// Whether wake-ups can't be sent. Then none is tried, because each attempt would cost its own timeout.
    undeliverable: AtomicBool,
}

impl Reconciler {
    /// Takes up everything that is overdue: schedules wake-ups of tenants or reconciles them, and publishes the
    /// refusals of requests that are not published yet. An entry that fails does not stop the others.
    ///
    /// # Errors
    /// [`StoreError`] when what is due can't be read; the next sweep tries again.
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        let begun = self.ports.clock.now();
        let overdue = begun.checked_sub(self.settings.overdue).unwrap_or(begun);
        // Unreadable rows stay due, at the head of the list; they must not keep the others out of the batch. Room for
        // twice as many as in the last sweep lets a few sweeps get past all of them.
        let most = BATCH + (2 * self.unreadable.load(Ordering::Relaxed)).min(MOST_UNREADABLE);
        let asked = tokio::time::timeout(ROUND, self.ports.store.due(overdue, most)).await;
        let late = |_| StoreError::Unavailable("reading what is due took too long".to_owned());
        let mut due = asked.map_err(late)??;
        self.go_on_after_the_last(&mut due);
        let mut swept = Swept { due: due.len(), ..Swept::default() };
        let undeliverable = AtomicBool::new(!self.ports.scheduler.delivers());
        let round = Round { begun, ends: saturating_add(begun, ROUND), undeliverable };
        let work = async {
            self.report_backlog(&due, BATCH, begun).await;
            self.take_up(&due, &round, &mut swept).await;
        };
        if tokio::time::timeout(LONGEST, work).await.is_err() {
            tracing::warn!("a sweep took too long; what was running stays due");
        }
        self.keep_count_of(&swept);
        let Swept { due, woken, reconciled, unreadable, failed, left } = swept;
        if failed + left > 0 {
            tracing::warn!(due, woken, reconciled, unreadable, failed, left, "a sweep did not finish");
        }
        Ok(swept)
    }

    /// Records for the next sweep how many rows could not be read. A sweep that left entries can only raise the number,
    /// because it has not read all rows.
    fn keep_count_of(&self, swept: &Swept) {
        if swept.left == 0 {
            self.unreadable.store(swept.unreadable, Ordering::Relaxed);
        } else {
            self.unreadable.fetch_max(swept.unreadable, Ordering::Relaxed);
        }
    }

    /// Rotates the list so that it begins after the last entry that the previous sweep took up. Otherwise slow entries
    /// at the beginning of every list would keep the others waiting.
    fn go_on_after_the_last(&self, due: &mut [Due]) {
        let last = self.swept_to.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(at) = last.and_then(|last| due.iter().position(|due| *due == last)) {
            due.rotate_left(at + 1);
        }
    }

    /// Takes up due entries, [`AT_ONCE`] at a time, until all are taken up or the round is over. Counts the results.
    async fn take_up(&self, due: &[Due], round: &Round, swept: &mut Swept) {
        let (mut rest, mut in_hand) = (due.iter(), FuturesUnordered::new());
        swept.left = due.len();
        loop {
            while in_hand.len() < AT_ONCE && self.ports.clock.now() < round.ends && !self.is_draining() {
                let Some(next) = rest.next() else { break };
                *self.swept_to.lock().unwrap_or_else(PoisonError::into_inner) = Some(next.clone());
                in_hand.push(async move { (next, self.take_up_one(next, round).await) });
            }
            let Some((due, taken)) = in_hand.next().await else { break };
            swept.left -= 1;
            match taken {
                Ok(Taken::Woken) => swept.woken += 1,
                Ok(Taken::Reconciled) => swept.reconciled += 1,
                Ok(Taken::Done) => {}
                Err(StoreError::Unreadable { why, .. }) => {
                    swept.unreadable += 1;
                    match due {
                        Due::Tenant(id) => log_unreadable("tenant", id.as_str(), &why),
                        Due::Request(key) => log_unreadable("request", key, &why),
                    }
                }
                Err(error) => {
                    swept.failed += 1;
                    let id = match due {
                        Due::Tenant(id) => id.as_str(),
                        Due::Request(_) => "",
                    };
                    tracing::warn!(tenant.id = id, error = %error, "a due entry was not processed; the next sweep retries it");
                }
            }
        }
        if swept.left == 0 {
            *self.swept_to.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    async fn take_up_one(&self, due: &Due, round: &Round) -> Result<Taken, StoreError> {
        match due {
            Due::Tenant(id) => self.take_up_tenant(id, round).await,
            Due::Request(key) => self.publish_refusal(key).await.map(|()| Taken::Done),
        }
    }

    async fn take_up_tenant(&self, id: &TenantId, round: &Round) -> Result<Taken, StoreError> {
        let stored = self.ports.store.load(id).await?;
        let Some(due_at) = stored.and_then(|stored| stored.value.due_at).filter(|at| *at <= round.begun)
        else {
            // Another worker has taken it up since.
            return Ok(Taken::Done);
        };
        let may_be_on_its_way = saturating_add(due_at, ON_ITS_WAY) >= round.begun;
        if may_be_on_its_way && !round.undeliverable.load(Ordering::Relaxed) {
            // For the instant when it became due, so that it is a duplicate of the wake-up that may be on its way.
            let Err(failure) = self.ports.scheduler.schedule(id, due_at).await else {
                return Ok(Taken::Woken);
            };
            tracing::warn!(tenant.id = %id, error = %failure, "no wake-up was sent; reconciling the tenant here");
            round.undeliverable.store(true, Ordering::Relaxed);
        }
        match self.reconcile_until(id, round.ends).await? {
            Progress::Settled(_) | Progress::Requeued(_) | Progress::Held(_) => Ok(Taken::Reconciled),
            Progress::Unknown => Ok(Taken::Done),
        }
    }

    /// Publishes the outbox of a request record, which reports that the request was refused.
    ///
    /// # Errors
    /// [`StoreError`] when the record can't be read or saved.
    pub async fn publish_refusal(&self, key: &str) -> Result<(), StoreError> {
        let Some(stored) = self.ports.store.request(key).await? else { return Ok(()) };
        let mut record = stored.value;
        if record.outbox.is_empty() {
            return Ok(());
        }
        let origin = EventOrigin::Intake(record.tenant_id.as_ref());
        if !publish(&self.ports, &self.settings.deployment, origin, &record.outbox).await {
            return Ok(());
        }
        record.outbox.clear();
        // If another writer has saved the record, entries that are still in it are published again later.
        match self.ports.store.save_request(&record, Some(&stored.etag)).await {
            Ok(_) | Err(StoreError::Overtaken) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// How long to wait before the next attempt to publish: as long as the oldest entry has waited already, within
    /// bounds. So a short failure delays little, and an outage of hours costs few attempts.
    pub(super) fn retry_publish_after(&self, oldest: Timestamp, now: Timestamp) -> Duration {
        let policy = &self.settings.policy;
        let age = Duration::try_from(now.duration_since(oldest)).unwrap_or_default();
        age.clamp(policy.backoff_first, (policy.backoff_most / 4).max(policy.backoff_first))
    }
}
