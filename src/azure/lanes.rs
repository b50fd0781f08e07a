//! Changes that Azure makes one at a time: those to one network, above all its private endpoints.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use jiff::Timestamp;
use tenantry_core::{
    steps::{
        Reply, Request,
        operation::{self, Progress},
    },
    tenant::Poll,
    time::later,
};

/// How long a change keeps its lane if nothing more is heard of it: twice the longest time between two polls. It may be
/// another process that asks about it by now, which tells nobody here when it is over.
const SILENCE: Duration = Duration::from_secs(60);
/// How long after its time somebody who was sent away is still expected back.
const GRACE: Duration = Duration::from_secs(180);
/// How long a change takes as long as none was seen.
const USUAL: Duration = Duration::from_secs(5);
/// The shortest and the longest time to stay away: a foresight is not to leave the lane empty for long.
const AWAY: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30);

/// The lanes by their keys ([`Request::serial`]).
#[derive(Debug, Default)]
pub(super) struct Lanes(BTreeMap<String, Lane>);

#[derive(Debug)]
struct Lane {
    holder: Option<Holder>,
    /// How long the last change took.
    usual: Duration,
    /// The resources that were sent away, in the order in which they first came, and until when each is expected back.
    waiting: Vec<(String, Timestamp)>,
}

/// Who is in a lane.
#[derive(Debug)]
struct Holder {
    /// The resource that is being changed.
    resource: String,
    /// Where its change is asked about.
    operation: Option<Poll>,
    since: Timestamp,
    /// When it was last seen going on.
    heard: Timestamp,
}

impl Lanes {
    /// Enters the request's lane if it has one; otherwise how long to stay away.
    pub(super) fn enter(&mut self, request: &Request, now: Timestamp) -> Option<Duration> {
        let key = request.serial.as_ref().filter(|_| request.mutates())?;
        let lane = self.0.entry(key.clone()).or_default();
        let resource = resource(request);
        if lane.holder.as_ref().is_some_and(|holder| holder.resource != resource && holder.is_there(now)) {
            return Some(lane.wait(resource, now));
        }
        lane.waiting.retain(|(waiting, _)| *waiting != resource);
        lane.holder = Some(Holder { resource, operation: None, since: now, heard: now });
        None
    }

    /// Takes in what became of a request; without an answer its change may be under way.
    pub(super) fn learn(&mut self, request: &Request, reply: Option<&Reply>, now: Timestamp) {
        let Some(reply) = reply else { return };
        for (key, lane) in &mut self.0 {
            let Some(holder) = &mut lane.holder else { continue };
            if !holder.is_told_of_by(request, key) {
                continue;
            }
            let goes_on =
                if request.mutates() { holder.goes_on_after(reply) } else { holder.goes_on(request, reply) };
            holder.heard = now;
            if !goes_on {
                lane.usual = now.duration_since(holder.since).unsigned_abs();
                lane.holder = None;
            }
        }
    }
}

impl Default for Lane {
    fn default() -> Self {
        Self { holder: None, usual: USUAL, waiting: Vec::new() }
    }
}

impl Lane {
    /// Until it is this one's turn, as far as can be foreseen. Who does not come back loses its place.
    fn wait(&mut self, resource: String, now: Timestamp) -> Duration {
        self.waiting.retain(|(_, until)| *until > now);
        let place = self.waiting.iter().position(|(waiting, _)| *waiting == resource);
        let place = place.unwrap_or_else(|| {
            self.waiting.push((resource, now));
            self.waiting.len() - 1
        });
        let turns = u32::try_from(place + 1).unwrap_or(u32::MAX);
        let wait = self.usual.saturating_mul(turns).clamp(*AWAY.start(), *AWAY.end());
        if let Some((_, until)) = self.waiting.get_mut(place) {
            *until = later(now, wait + GRACE);
        }
        wait
    }
}

impl Holder {
    fn is_there(&self, now: Timestamp) -> bool {
        later(self.heard, SILENCE) > now
    }

    /// Whether the answer to a request tells how this change stands: it asks for it, looks at it or asks about it.
    fn is_told_of_by(&self, request: &Request, key: &str) -> bool {
        let asks = self.operation.as_ref().is_some_and(|poll| poll.url == request.path);
        let is_ours = self.resource == resource(request);
        if request.mutates() { is_ours && request.serial.as_deref() == Some(key) } else { asks || is_ours }
    }

    /// Whether a change goes on after its request was answered.
    fn goes_on_after(&mut self, reply: &Reply) -> bool {
        match operation::after_write(reply) {
            Ok(Progress::Running { operation, .. }) => {
                self.operation = operation;
                true
            }
            Ok(Progress::Done | Progress::Ended(_)) | Err(_) => false,
        }
    }

    /// Whether it goes on after a poll or a look.
    fn goes_on(&mut self, request: &Request, reply: &Reply) -> bool {
        if let Some(poll) = self.operation.as_ref().filter(|poll| poll.url == request.path) {
            return match operation::after_poll(poll, reply) {
                Ok(Progress::Running { operation, .. }) => {
                    self.operation = operation.or_else(|| self.operation.take());
                    true
                }
                // The question was not answered.
                Err(_) => true,
                Ok(Progress::Done | Progress::Ended(_)) => false,
            };
        }
        let shows_it = reply.is_success() || reply.status == 404;
        !shows_it || (reply.is_success() && !operation::is_terminal(&reply.body))
    }
}

/// The path without its query.
fn resource(request: &Request) -> String {
    request.path.split('?').next().unwrap_or_default().to_ascii_lowercase()
}
