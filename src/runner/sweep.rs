//! Picks up what a lost wake-up, a dead worker or a failed publication left behind.

use std::time::Duration;

use jiff::Timestamp;

use super::{Runner, announce};
use crate::{
    announce::Teller,
    ports::{Due, StoreError},
};

/// How much one sweep takes on; the next one goes on.
const BATCH: usize = 200;

impl Runner {
    /// Wakes every tenant that is overdue and tells refusals that were not told yet. Returns how much was due.
    ///
    /// # Errors
    /// [`StoreError`] when the state can't be read; the next sweep tries again.
    pub async fn sweep(&self) -> Result<usize, StoreError> {
        let now = self.world.clock.now();
        let overdue = now.checked_sub(self.settings.overdue).unwrap_or(now);
        let due = self.world.store.due(overdue, BATCH).await?;
        self.tell_backlog(&due, BATCH, now).await;
        for due in &due {
            match due {
                Due::Tenant(id) => {
                    if let Err(failure) = self.world.alarm.wake(id, now).await {
                        tracing::warn!(tenant.id = %id, error = %failure, "no wake-up; driving in place");
                        let _ = self.drive(id).await?;
                    }
                }
                Due::Request(key) => self.tell_refusal(key).await?,
            }
        }
        Ok(due.len())
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
