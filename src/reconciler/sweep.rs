//! Picks up what a lost wake-up, a dead worker or a failed publication left behind; where nobody is woken, it is what
//! drives everybody.
//!
//! What is due is woken if a wake-up can still be on its way, and driven here otherwise: where nobody hears wake-ups,
//! where they can't be sent, and where one was not taken in time. A sweep has several things in hand at once, begins
//! nothing more after a while, and leaves the rest to the next one, so that the host never has to end it.

use std::{
    sync::{
        PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use jiff::Timestamp;
use tenantry_core::{ids::TenantId, tenant::Teller, time::later};

use super::{Progress, Reconciler, announce};
use crate::{
    ports::{Due, StoreError},
    scan::tell_unreadable,
};

/// How much one sweep takes on; the next one goes on.
const BATCH: usize = 200;
/// How many rows that can't be read one sweep takes on beside that; after the way back from a later version that may be
/// whatever that one has written.
const MOST_UNREADABLE: usize = 5_000;
/// How many of that it has in hand at once.
const AT_ONCE: usize = 16;
/// After how long a sweep begins nothing more, and the drives that it has begun park their tenants: sweeps are a minute
/// apart.
const ROUND: Duration = Duration::from_secs(45);
/// After how long a sweep drops what is still under way, as a kill would: half of the host's `functionTimeout`.
const LONGEST: Duration = Duration::from_secs(300);
/// A wake-up that was not taken for so long is not taken for one that is on its way.
const ON_ITS_WAY: Duration = Duration::from_secs(120);

/// What a sweep came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// How much was due; 200 means 200 or more. What the last sweep could not read is no part of those 200.
    pub due: usize,
    /// For how many tenants a wake-up was asked.
    pub woken: usize,
    /// How many tenants were driven here.
    pub driven: usize,
    /// How many rows hold nothing that this version reads. They stay due, and nobody is woken for them.
    pub unreadable: usize,
    /// What could not be read or saved; it stays due.
    pub failed: usize,
    /// What was not begun, or not ended in time; the next sweep goes on with it.
    pub left: usize,
}

/// What became of one thing that was due.
enum Taken {
    Woken,
    Driven,
    /// A refusal was told, or nothing was to be done any more.
    Done,
}

/// What the parts of one sweep have in common.
struct Round {
    begun: Timestamp,
    ends: Timestamp,
    /// Whether wake-ups are in vain: then each would cost its own time until that is known.
    deaf: AtomicBool,
}

impl Reconciler {
    /// Gets going whatever is overdue: wakes tenants or drives them, and tells refusals that were not told yet. One that
    /// fails stops no other.
    ///
    /// # Errors
    /// [`StoreError`] when there is no telling what is due; the next sweep tries again.
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        let begun = self.world.clock.now();
        let overdue = begun.checked_sub(self.settings.overdue).unwrap_or(begun);
        // What can't be read stays due, at the head of the line; it must not keep the others out of the batch. Twice as many
        // as the last sweep has met, so that a few sweeps get past all of them.
        let most = BATCH + (2 * self.unreadable.load(Ordering::Relaxed)).min(MOST_UNREADABLE);
        let asked = tokio::time::timeout(ROUND, self.world.store.due(overdue, most)).await;
        let late = |_| StoreError::Unavailable("reading what is due took too long".to_owned());
        let mut due = asked.map_err(late)??;
        self.go_on_after_the_last(&mut due);
        let mut swept = Swept { due: due.len(), ..Swept::default() };
        let deaf = AtomicBool::new(!self.world.alarm.is_heard());
        let round = Round { begun, ends: later(begun, ROUND), deaf };
        let work = async {
            self.tell_backlog(&due, BATCH, begun).await;
            self.take_up(&due, &round, &mut swept).await;
        };
        if tokio::time::timeout(LONGEST, work).await.is_err() {
            tracing::warn!("a sweep took too long; what it had in hand comes again");
        }
        self.keep_count_of(&swept);
        let Swept { due, woken, driven, unreadable, failed, left } = swept;
        if failed + left > 0 {
            tracing::warn!(due, woken, driven, unreadable, failed, left, "a sweep did not get through");
        }
        Ok(swept)
    }

    /// Remembers how many rows could not be read; a sweep that did not get through has not seen all of them.
    fn keep_count_of(&self, swept: &Swept) {
        if swept.left == 0 {
            self.unreadable.store(swept.unreadable, Ordering::Relaxed);
        } else {
            self.unreadable.fetch_max(swept.unreadable, Ordering::Relaxed);
        }
    }

    /// What the last sweep had no time for comes first: things that take long stand at the beginning again and again.
    fn go_on_after_the_last(&self, due: &mut [Due]) {
        let last = self.swept_to.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(at) = last.and_then(|last| due.iter().position(|due| *due == last)) {
            due.rotate_left(at + 1);
        }
    }

    /// Several at once, until the round is over.
    async fn take_up(&self, due: &[Due], round: &Round, swept: &mut Swept) {
        let (mut rest, mut in_hand) = (due.iter(), FuturesUnordered::new());
        swept.left = due.len();
        loop {
            while in_hand.len() < AT_ONCE && self.world.clock.now() < round.ends && !self.is_winding_down() {
                let Some(next) = rest.next() else { break };
                *self.swept_to.lock().unwrap_or_else(PoisonError::into_inner) = Some(next.clone());
                in_hand.push(async move { (next, self.take_up_one(next, round).await) });
            }
            let Some((due, taken)) = in_hand.next().await else { break };
            swept.left -= 1;
            match taken {
                Ok(Taken::Woken) => swept.woken += 1,
                Ok(Taken::Driven) => swept.driven += 1,
                Ok(Taken::Done) => {}
                Err(StoreError::Unreadable { why, .. }) => {
                    swept.unreadable += 1;
                    match due {
                        Due::Tenant(id) => tell_unreadable("tenant", id.as_str(), &why),
                        Due::Request(key) => tell_unreadable("request", key, &why),
                    }
                }
                Err(error) => {
                    swept.failed += 1;
                    let id = match due {
                        Due::Tenant(id) => id.as_str(),
                        Due::Request(_) => "",
                    };
                    tracing::warn!(tenant.id = id, error = %error, "what was due was not taken up; the next sweep does");
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
            Due::Request(key) => self.tell_refusal(key).await.map(|()| Taken::Done),
        }
    }

    async fn take_up_tenant(&self, id: &TenantId, round: &Round) -> Result<Taken, StoreError> {
        let stored = self.world.store.load(id).await?;
        let Some(due_at) = stored.and_then(|stored| stored.value.due_at).filter(|at| *at <= round.begun)
        else {
            // Somebody has been there since.
            return Ok(Taken::Done);
        };
        let may_be_on_its_way = later(due_at, ON_ITS_WAY) >= round.begun;
        if may_be_on_its_way && !round.deaf.load(Ordering::Relaxed) {
            // For the instant that it was due, so that it is the same wake-up as the one that may be on its way.
            let Err(failure) = self.world.alarm.wake(id, due_at).await else { return Ok(Taken::Woken) };
            tracing::warn!(tenant.id = %id, error = %failure, "no wake-up; driving in place");
            round.deaf.store(true, Ordering::Relaxed);
        }
        match self.reconcile_until(id, round.ends).await? {
            Progress::Settled(_) | Progress::Parked(_) | Progress::Held(_) => Ok(Taken::Driven),
            Progress::Unknown => Ok(Taken::Done),
        }
    }

    /// Tells what a request record has in its outbox.
    ///
    /// # Errors
    /// [`StoreError`] when the record can't be read or saved.
    pub async fn tell_refusal(&self, key: &str) -> Result<(), StoreError> {
        let Some(stored) = self.world.store.request(key).await? else { return Ok(()) };
        let mut record = stored.value;
        if record.notices.is_empty() {
            return Ok(());
        }
        let teller = Teller::Intake(record.tenant_id.as_ref());
        if !announce(&self.world, &self.settings.deployment, teller, &record.notices).await {
            return Ok(());
        }
        record.notices.clear();
        // Only what was told is struck: over a record that somebody else has saved it is not tried again.
        match self.world.store.save_request(&record, Some(&stored.etag)).await {
            Ok(_) | Err(StoreError::Overtaken) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// How long to wait before telling again what could not be told: as long again as it has waited already, within
    /// bounds. So a passing failure costs a moment, and an outage of hours few attempts.
    pub(super) fn tell_again_after(&self, oldest: Timestamp, now: Timestamp) -> Duration {
        let policy = &self.settings.policy;
        let age = Duration::try_from(now.duration_since(oldest)).unwrap_or_default();
        age.clamp(policy.backoff_first, (policy.backoff_most / 4).max(policy.backoff_first))
    }
}
