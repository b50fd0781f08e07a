//! The backlog that a sweep finds, as numbers for alerts: one log line and two gauges per sweep.

use std::time::Duration;

use jiff::Timestamp;

use super::Reconciler;
use crate::{ports::Due, telemetry::metrics};

/// An entry that has been due for this long is stuck: ten sweeps did not help.
const STUCK: Duration = Duration::from_secs(600);
/// How many of the longest overdue entries are read to find their ages.
const READ_AT_MOST: usize = 16;

/// The size of the backlog. Rows that can't be read are left out and never end a sweep.
#[derive(Debug, Default)]
struct Backlog {
    stuck: usize,
    /// When the longest overdue entry became due; `None` if nothing is due.
    oldest: Option<Timestamp>,
    /// When the oldest unpublished outbox entry was made; `None` if there is none.
    unpublished: Option<Timestamp>,
}

impl Reconciler {
    /// Reports how many entries are due and stuck, and the ages of the longest overdue entry and of the oldest
    /// unpublished outbox entry. At most `most` stuck entries are counted.
    pub(super) async fn report_backlog(&self, due: &[Due], most: usize, now: Timestamp) {
        let backlog = if due.is_empty() { Backlog::default() } else { self.backlog(due, most, now).await };
        let age = |at: Option<Timestamp>| at.map_or(0.0, |at| now.duration_since(at).as_secs_f64().max(0.0));
        let (count, stuck) = (due.len(), backlog.stuck);
        // Alerts query this line, and one fires where it is missing (infra/modules/alerts.bicep).
        tracing::info!(
            due = count,
            stuck,
            oldest_due_seconds = age(backlog.oldest),
            outbox_lag_seconds = age(backlog.unpublished),
            "swept"
        );
        let as_number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        metrics::record(&metrics::DUE_BACKLOG, as_number(count), || []);
        metrics::record(&metrics::STUCK, as_number(stuck), || []);
    }

    async fn backlog(&self, due: &[Due], most: usize, now: Timestamp) -> Backlog {
        let mut backlog = Backlog::default();
        let long_ago = now.checked_sub(STUCK).unwrap_or(now);
        backlog.stuck = self.ports.store.due(long_ago, most).await.map_or(0, |stuck| stuck.len());
        let earlier = |one: Option<Timestamp>, other: Option<Timestamp>| one.into_iter().chain(other).min();
        for due in due.iter().take(READ_AT_MOST) {
            let (since, outbox) = match due {
                Due::Tenant(id) => match self.ports.store.load(id).await {
                    Ok(Some(stored)) => (stored.value.due_at, stored.value.outbox().to_vec()),
                    Ok(None) | Err(_) => continue,
                },
                Due::Request(key) => match self.ports.store.request(key).await {
                    Ok(Some(stored)) => (Some(stored.value.at), stored.value.outbox),
                    Ok(None) | Err(_) => continue,
                },
            };
            backlog.oldest = earlier(backlog.oldest, since);
            backlog.unpublished = earlier(backlog.unpublished, outbox.iter().map(|entry| entry.at).min());
        }
        backlog
    }
}
