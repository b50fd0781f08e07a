//! What the sweep finds, in numbers that alerts can stand on: one log line and two gauges a sweep.

use std::time::Duration;

use jiff::Timestamp;

use super::Reconciler;
use crate::{ports::Due, telemetry::metrics};

/// What has been due for so long is stuck: ten sweeps did not help.
const STUCK: Duration = Duration::from_secs(600);
/// How many of the longest overdue are looked at.
const LOOKED_AT: usize = 16;

/// How far behind things are. What could not be read is left out, and never ends a sweep.
#[derive(Debug, Default)]
struct Backlog {
    stuck: usize,
    /// Since when the longest overdue has been due.
    oldest: Option<Timestamp>,
    /// When the oldest of what is not told happened.
    untold: Option<Timestamp>,
}

impl Reconciler {
    /// Tells how much is due, how long it has been, and how late what has to be told is.
    pub(super) async fn tell_backlog(&self, due: &[Due], most: usize, now: Timestamp) {
        let backlog = if due.is_empty() { Backlog::default() } else { self.backlog(due, most, now).await };
        let age = |at: Option<Timestamp>| at.map_or(0.0, |at| now.duration_since(at).as_secs_f64().max(0.0));
        let (count, stuck) = (due.len(), backlog.stuck);
        // Alerts ask for this line, and one is raised where there is none (infra/modules/alerts.bicep).
        tracing::info!(
            due = count,
            stuck,
            oldest_due_seconds = age(backlog.oldest),
            outbox_lag_seconds = age(backlog.untold),
            "swept"
        );
        let as_number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        metrics::record(&metrics::DUE_BACKLOG, as_number(count), || []);
        metrics::record(&metrics::STUCK, as_number(stuck), || []);
    }

    async fn backlog(&self, due: &[Due], most: usize, now: Timestamp) -> Backlog {
        let mut backlog = Backlog::default();
        let long_ago = now.checked_sub(STUCK).unwrap_or(now);
        backlog.stuck = self.world.store.due(long_ago, most).await.map_or(0, |stuck| stuck.len());
        let earlier = |one: Option<Timestamp>, other: Option<Timestamp>| one.into_iter().chain(other).min();
        for due in due.iter().take(LOOKED_AT) {
            let (since, notices) = match due {
                Due::Tenant(id) => match self.world.store.load(id).await {
                    Ok(Some(stored)) => (stored.value.due_at, stored.value.notices().to_vec()),
                    Ok(None) | Err(_) => continue,
                },
                Due::Request(key) => match self.world.store.request(key).await {
                    Ok(Some(stored)) => (Some(stored.value.at), stored.value.notices),
                    Ok(None) | Err(_) => continue,
                },
            };
            backlog.oldest = earlier(backlog.oldest, since);
            backlog.untold = earlier(backlog.untold, notices.iter().map(|notice| notice.at).min());
        }
        backlog
    }
}
