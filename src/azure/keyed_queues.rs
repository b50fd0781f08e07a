//! Queues for changes that Azure makes one at a time: changes to one virtual network, above all to its private
//! endpoints.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use jiff::Timestamp;
use tenantry_core::{
    steps::{
        Reply, Request,
        operation::{self, Progress},
    },
    tenant::Poll,
    time::saturating_add,
};

/// How long a change holds its queue after it was last known to be in progress: twice the longest time between two
/// polls. Afterwards another process may be polling it, and this process would not observe its end.
const SILENCE: Duration = Duration::from_secs(60);
/// How long after its estimated wait a waiting resource keeps its position.
const GRACE: Duration = Duration::from_secs(180);
/// The assumed duration of a change until one was measured.
const USUAL: Duration = Duration::from_secs(5);
/// The shortest and the longest wait that is returned: a wrong estimate must not leave a queue idle for long.
const AWAY: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30);

/// The queues, by [`Request::serial`].
#[derive(Debug, Default)]
pub(super) struct KeyedQueues(BTreeMap<String, KeyedQueue>);

#[derive(Debug)]
struct KeyedQueue {
    holder: Option<Holder>,
    /// How long the last change took: the estimate for the next one.
    usual: Duration,
    /// The waiting resources in the order of their first request, each with the time until which its position is kept.
    waiting: Vec<(String, Timestamp)>,
}

/// The change that holds a queue.
#[derive(Debug)]
struct Holder {
    /// The resource that is being changed.
    resource: String,
    /// The poll URL of the change's operation; `None` until Azure has returned one.
    operation: Option<Poll>,
    since: Timestamp,
    /// When the change was last known to be in progress.
    last_seen: Timestamp,
}

impl KeyedQueues {
    /// Enters the queue of a request, if the request has one. Returns `None` if the request may be sent, or how long to
    /// wait if another resource's change holds the queue.
    pub(super) fn enter(&mut self, request: &Request, now: Timestamp) -> Option<Duration> {
        let key = request.serial.as_ref().filter(|_| request.mutates())?;
        let queue = self.0.entry(key.clone()).or_default();
        let resource = resource(request);
        if queue.holder.as_ref().is_some_and(|holder| holder.resource != resource && holder.is_there(now)) {
            return Some(queue.wait(resource, now));
        }
        queue.waiting.retain(|(waiting, _)| *waiting != resource);
        queue.holder = Some(Holder { resource, operation: None, since: now, last_seen: now });
        None
    }

    /// Updates the queues from the answer to a request. Without an answer nothing changes, because the change may be in
    /// progress.
    pub(super) fn learn(&mut self, request: &Request, reply: Option<&Reply>, now: Timestamp) {
        let Some(reply) = reply else { return };
        for (key, queue) in &mut self.0 {
            let Some(holder) = &mut queue.holder else { continue };
            if !holder.is_shown_by(request, key) {
                continue;
            }
            let goes_on =
                if request.mutates() { holder.goes_on_after(reply) } else { holder.goes_on(request, reply) };
            holder.last_seen = now;
            if !goes_on {
                queue.usual = now.duration_since(holder.since).unsigned_abs();
                queue.holder = None;
            }
        }
    }
}

impl Default for KeyedQueue {
    fn default() -> Self {
        Self { holder: None, usual: USUAL, waiting: Vec::new() }
    }
}

impl KeyedQueue {
    /// Returns the estimated wait until the queue is free for a resource. A resource that is not requested again in
    /// time loses its position.
    fn wait(&mut self, resource: String, now: Timestamp) -> Duration {
        self.waiting.retain(|(_, until)| *until > now);
        let position = self.waiting.iter().position(|(waiting, _)| *waiting == resource);
        let position = position.unwrap_or_else(|| {
            self.waiting.push((resource, now));
            self.waiting.len() - 1
        });
        let changes = u32::try_from(position + 1).unwrap_or(u32::MAX);
        let wait = self.usual.saturating_mul(changes).clamp(*AWAY.start(), *AWAY.end());
        if let Some((_, until)) = self.waiting.get_mut(position) {
            *until = saturating_add(now, wait + GRACE);
        }
        wait
    }
}

impl Holder {
    fn is_there(&self, now: Timestamp) -> bool {
        saturating_add(self.last_seen, SILENCE) > now
    }

    /// Whether the answer to a request shows the state of this change: the request is the change itself, a read of the
    /// resource, or a poll of the operation.
    fn is_shown_by(&self, request: &Request, key: &str) -> bool {
        let asks = self.operation.as_ref().is_some_and(|poll| poll.url == request.path);
        let is_ours = self.resource == resource(request);
        if request.mutates() { is_ours && request.serial.as_deref() == Some(key) } else { asks || is_ours }
    }

    /// Whether the change is in progress after the answer to the request that started it.
    fn goes_on_after(&mut self, reply: &Reply) -> bool {
        match operation::after_write(reply) {
            Ok(Progress::Running { operation, .. }) => {
                self.operation = operation;
                true
            }
            Ok(Progress::Done | Progress::Ended(_)) | Err(_) => false,
        }
    }

    /// Whether the change is in progress after the answer to a poll or a read.
    fn goes_on(&mut self, request: &Request, reply: &Reply) -> bool {
        if let Some(poll) = self.operation.as_ref().filter(|poll| poll.url == request.path) {
            return match operation::after_poll(poll, reply) {
                Ok(Progress::Running { operation, .. }) => {
                    self.operation = operation.or_else(|| self.operation.take());
                    true
                }
                // The poll failed, which says nothing about the operation.
                Err(_) => true,
                Ok(Progress::Done | Progress::Ended(_)) => false,
            };
        }
        let shows_it = reply.is_success() || reply.status == 404;
        !shows_it || (reply.is_success() && !operation::is_terminal(&reply.body))
    }
}

/// The resource of a request: its path without the query, in lower case.
fn resource(request: &Request) -> String {
    request.path.split('?').next().unwrap_or_default().to_ascii_lowercase()
}
