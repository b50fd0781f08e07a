//! Changes that Azure makes one at a time: those to one network, above all its private endpoints.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use crate::{
    engine::later,
    steps::{
        Reply, Request,
        operation::{self, Progress},
    },
    tenant::Poll,
};

/// How long a change keeps its lane if nothing more is heard of it; such a change takes a minute or two.
const LONGEST: Duration = Duration::from_secs(180);
/// When to try again while somebody else is in the lane.
const AGAIN: Duration = Duration::from_secs(10);

/// Who is in which lane, by the lane's key ([`Request::serial`]).
#[derive(Debug, Default)]
pub(super) struct Lanes(BTreeMap<String, Holder>);

#[derive(Debug)]
struct Holder {
    /// The resource that is being changed.
    resource: String,
    /// Where its change is asked about.
    operation: Option<Poll>,
    until: Timestamp,
}

impl Lanes {
    /// Enters the request's lane if it has one; otherwise how long to stay away.
    pub(super) fn enter(&mut self, request: &Request, now: Timestamp) -> Option<Duration> {
        let lane = request.serial.as_ref().filter(|_| request.mutates())?;
        let resource = resource(request);
        if self.0.get(lane).is_some_and(|holder| holder.until > now && holder.resource != resource) {
            return Some(AGAIN);
        }
        self.0.insert(lane.clone(), Holder { resource, operation: None, until: later(now, LONGEST) });
        None
    }

    /// Takes in what became of a request; without an answer its change may be under way.
    pub(super) fn learn(&mut self, request: &Request, reply: Option<&Reply>, now: Timestamp) {
        let Some(reply) = reply else { return };
        self.0.retain(|lane, holder| {
            if holder.until <= now {
                return false;
            }
            if request.mutates() {
                return request.serial.as_ref() != Some(lane) || holder.goes_on_after(request, reply);
            }
            holder.goes_on(request, reply)
        });
    }
}

impl Holder {
    /// Whether a change goes on after its request was answered.
    fn goes_on_after(&mut self, request: &Request, reply: &Reply) -> bool {
        if self.resource != resource(request) {
            return true;
        }
        match operation::after_write(reply) {
            Ok(Progress::Running { operation, .. }) => {
                self.operation = operation;
                true
            }
            Ok(Progress::Done | Progress::Ended(_)) | Err(_) => false,
        }
    }

    /// Whether it goes on after a poll or a look.
    fn goes_on(&self, request: &Request, reply: &Reply) -> bool {
        if let Some(poll) = self.operation.as_ref().filter(|poll| poll.url == request.path) {
            return matches!(operation::after_poll(poll, reply), Ok(Progress::Running { .. }));
        }
        let shows_it = self.resource == resource(request) && (reply.is_success() || reply.status == 404);
        !shows_it || (reply.is_success() && !operation::is_terminal(&reply.body))
    }
}

/// The path without its query.
fn resource(request: &Request) -> String {
    request.path.split('?').next().unwrap_or_default().to_ascii_lowercase()
}
