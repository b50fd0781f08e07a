//! The clients' calls with their times and responses. There has to be an order of all calls in which each response is
//! right and the last desired state is the final one.
//!
//! A call takes effect at one instant between its first delivery and its answer. The search for an order is that of
//! Wing and Gong, "Testing and verifying concurrent objects" (1993); it remembers the prefixes that it has tried.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tenantry_core::tenant::{Goal, Tenant};

use super::exec::Millis;

/// The response that a client got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Response {
    Accepted,
    Rejected(String),
    /// The answer to a read or a request: there is no such tenant.
    NoTenant,
    /// The answer to a read: the tenant's status, and whether the tenant is suspended.
    Shown(String, bool),
}

/// A client's call. Repeats of a request belong to the same call.
#[derive(Debug, Clone)]
struct Call {
    tenant: usize,
    body: Value,
    begun: Millis,
    answer: Option<(Millis, Response)>,
}

#[derive(Debug, Default)]
pub(crate) struct History(BTreeMap<String, Call>);

/// The desired state of a tenant, as its clients know it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Desired {
    NoTenant,
    Present { suspended: bool, level: u64, region: String, moved: bool },
    Deprovisioning,
    Deleted,
}

/// The desired state of a tenant at the end of a run, from the tenant's document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    present: bool,
    suspended: bool,
    level: Option<u64>,
    region: String,
}

impl End {
    pub(crate) fn of(tenant: &Tenant) -> Self {
        let parameters = &tenant.spec.parameters;
        Self {
            present: tenant.goal == Goal::Present,
            suspended: tenant.spec.suspended.is_some(),
            level: parameters.get("level").and_then(Value::as_u64),
            region: parameters.get("region").and_then(Value::as_str).unwrap_or(DEFAULT_REGION).to_owned(),
        }
    }
}

/// The region of a tenant's vault if no request has set one.
const DEFAULT_REGION: &str = "westeurope";
/// The most prefixes of an order that are tried.
const MOST_TRIED: usize = 20_000;

/// The result of the search for an order of calls.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    Explained,
    /// No order explains the calls. The text names the call that fits nowhere after the longest possible prefix.
    Unexplained(String),
    Undecided,
}

impl History {
    /// Records that a call reaches a worker. Only the first time counts.
    pub(crate) fn begun(&mut self, id: &str, tenant: usize, body: &Value, now: Millis) {
        self.0.entry(id.to_owned()).or_insert_with(|| Call {
            tenant,
            body: body.clone(),
            begun: now,
            answer: None,
        });
    }

    /// Records the response that a client got. Only the first one counts.
    pub(crate) fn answered(&mut self, id: &str, response: Response, now: Millis) {
        if let Some(call) = self.0.get_mut(id) {
            call.answer.get_or_insert((now, response));
        }
    }

    /// Searches for one order of the calls that explains all responses about a tenant and its final state.
    pub(crate) fn explain(&self, tenant: usize, end: Option<&End>) -> Finding {
        let mut calls: Vec<(&String, &Call)> =
            self.0.iter().filter(|(_, call)| call.tenant == tenant).collect();
        // The effect of an unanswered call is unknown. At rest there is none, unless the run was cut short.
        if calls.iter().any(|(_, call)| call.answer.is_none()) {
            return Finding::Undecided;
        }
        calls.sort_by_key(|(_, call)| (ended(call), call.begun));
        let mut search = Search { calls: &calls, end, tried: BTreeSet::new(), best: (0, String::new()) };
        let mut left: Vec<usize> = (0..calls.len()).collect();
        let explained = search.from(&Desired::NoTenant, &mut left);
        let response = |(id, call): &(&String, &Call)| format!("{id} from {}: {:?}", call.begun, call.answer);
        let all = || calls.iter().map(response).collect::<Vec<_>>().join("; ");
        match explained {
            true => Finding::Explained,
            false if search.tried.len() > MOST_TRIED => Finding::Undecided,
            false => Finding::Unexplained(format!("{}, and {end:?} in the end, of {}", search.best.1, all())),
        }
    }
}

fn ended(call: &Call) -> Millis {
    call.answer.as_ref().map_or(Millis::MAX, |(at, _)| *at)
}

struct Search<'a> {
    calls: &'a [(&'a String, &'a Call)],
    end: Option<&'a End>,
    tried: BTreeSet<(Vec<usize>, Desired)>,
    best: (usize, String),
}

impl Search<'_> {
    fn from(&mut self, desired: &Desired, left: &mut Vec<usize>) -> bool {
        if left.is_empty() {
            return self.is_the_end(desired);
        }
        if self.tried.len() > MOST_TRIED || !self.tried.insert((left.clone(), desired.clone())) {
            return false;
        }
        // A call that began after the answer to another call comes after that call.
        let first_answer = left.iter().map(|at| ended(self.calls[*at].1)).min().unwrap_or_default();
        for number in 0..left.len() {
            let (id, call) = self.calls[left[number]];
            if call.begun > first_answer {
                continue;
            }
            for next in after(desired, call) {
                let at = left.remove(number);
                let found = self.from(&next, left);
                left.insert(number, at);
                if found {
                    return true;
                }
            }
            let placed = self.calls.len() - left.len();
            if placed >= self.best.0 && self.best.1.is_empty() | (placed > self.best.0) {
                let response = call.answer.as_ref().map(|(at, response)| format!("{response:?} at {at}"));
                self.best =
                    (placed, format!("{id}, answered {} where {desired:?}", response.unwrap_or_default()));
            }
        }
        false
    }

    fn is_the_end(&mut self, desired: &Desired) -> bool {
        let ends = match (desired, self.end) {
            (Desired::NoTenant, None) => true,
            (Desired::Deprovisioning | Desired::Deleted, Some(end)) => !end.present,
            (Desired::Present { suspended, level, region, .. }, Some(end)) => {
                end.present
                    && end.suspended == *suspended
                    && end.level == Some(*level)
                    && end.region == *region
            }
            (Desired::NoTenant, Some(_)) | (_, None) => false,
        };
        if !ends {
            self.best = (self.calls.len(), format!("the end, where {desired:?} was expected"));
        }
        ends
    }
}

/// The possible desired states after a call that got this response.
fn after(desired: &Desired, call: &Call) -> Vec<Desired> {
    let Some((_, response)) = &call.answer else { return Vec::new() };
    let mut next: Vec<Desired> = step(desired, &call.body, response).into_iter().collect();
    // A deprovisioning can end before any call.
    if *desired == Desired::Deprovisioning {
        next.extend(step(&Desired::Deleted, &call.body, response));
    }
    next
}

fn step(desired: &Desired, body: &Value, response: &Response) -> Option<Desired> {
    let action = body["action"].as_str().unwrap_or_default();
    let same = |holds: bool| holds.then(|| desired.clone());
    let refused = |code: &str| same(*response == Response::Rejected(code.to_owned()));
    let accepted = *response == Response::Accepted;
    let asked_level = body.pointer("/spec/parameters/level").and_then(Value::as_u64);
    match (action, desired) {
        ("read", Desired::NoTenant) => same(*response == Response::NoTenant),
        ("read", Desired::Present { suspended, .. }) => same(
            matches!(response, Response::Shown(status, shown) if shown == suspended && status != "deleted"),
        ),
        ("read", Desired::Deprovisioning) => {
            same(matches!(response, Response::Shown(status, _) if status != "deleted"))
        }
        ("read", Desired::Deleted) => {
            same(matches!(response, Response::Shown(status, _) if status == "deleted"))
        }
        ("signup", Desired::NoTenant | Desired::Deleted) => accepted.then(|| Desired::Present {
            suspended: false,
            level: asked_level.unwrap_or(1),
            region: DEFAULT_REGION.to_owned(),
            moved: false,
        }),
        ("signup", _) => refused("tenant_exists"),
        (_, Desired::NoTenant) => same(
            *response == Response::NoTenant || *response == Response::Rejected("unknown_tenant".to_owned()),
        ),
        ("retry", _) => same(matches!(response, Response::Accepted | Response::Rejected(_))),
        ("deprovision", Desired::Deleted) => same(accepted),
        ("deprovision", _) => accepted.then_some(Desired::Deprovisioning),
        (_, Desired::Deprovisioning | Desired::Deleted) => refused("tenant_removed"),
        (_, Desired::Present { suspended, level, region, moved }) => {
            let asked_region = body.pointer("/spec/parameters/region").and_then(Value::as_str);
            let moves = asked_region.is_some_and(|asked| asked != region);
            let consents = body.pointer("/spec/allowReplace").and_then(Value::as_bool) == Some(true);
            if !accepted {
                return refused("replace_not_allowed").filter(|_| moves && !consents || *moved);
            }
            Some(Desired::Present {
                suspended: match action {
                    "suspend" => true,
                    "resume" => false,
                    _ => *suspended,
                },
                level: asked_level.unwrap_or(*level),
                region: asked_region.unwrap_or(region).to_owned(),
                moved: *moved || moves,
            })
        }
    }
}

/// Searches an order for calls that follow each other, each a second long, given as action and response.
#[cfg(test)]
fn explained(calls: &[(&str, Response)], end: &End) -> Finding {
    let mut history = History::default();
    for (number, (action, response)) in calls.iter().enumerate() {
        let (id, at) = (format!("{action}-{number}"), 2_000 * Millis::try_from(number).unwrap());
        history.begun(&id, 0, &serde_json::json!({"action": action}), at);
        history.answered(&id, response.clone(), at + 1_000);
    }
    history.explain(0, Some(end))
}

#[test]
fn an_order_is_found_if_and_only_if_one_exists() {
    let end =
        |suspended: bool| End { present: true, suspended, level: Some(1), region: DEFAULT_REGION.to_owned() };
    let accepted = |action: &'static str| (action, Response::Accepted);
    let shown = |suspended: bool| ("read", Response::Shown("active".to_owned(), suspended));
    let (signup, suspend, resume) = (accepted("signup"), accepted("suspend"), accepted("resume"));
    let in_order = [signup.clone(), suspend.clone(), shown(true), resume.clone(), shown(false)];
    assert_eq!(explained(&in_order, &end(false)), Finding::Explained);
    // An accepted suspension is visible in later reads and in the final state until a resume undoes it.
    let unseen = explained(&[signup.clone(), suspend.clone(), shown(false)], &end(true));
    assert!(matches!(unseen, Finding::Unexplained(_)), "{unseen:?}");
    let undone = explained(&[signup.clone(), resume, suspend], &end(false));
    assert!(matches!(undone, Finding::Unexplained(_)), "{undone:?}");
    // The first sign-up can't be rejected because the tenant exists.
    let refused = ("signup", Response::Rejected("tenant_exists".to_owned()));
    let first = explained(&[refused, signup], &end(false));
    assert!(matches!(first, Finding::Unexplained(_)), "{first:?}");
}

#[test]
fn calls_at_once_may_have_either_order() {
    let mut history = History::default();
    for (id, action, begun, answered) in
        [("1", "signup", 0, 10), ("2", "suspend", 20, 50), ("3", "resume", 30, 40)]
    {
        history.begun(id, 0, &serde_json::json!({ "action": action }), begun);
        history.answered(id, Response::Accepted, answered);
    }
    for suspended in [true, false] {
        let end = End { present: true, suspended, level: Some(1), region: DEFAULT_REGION.to_owned() };
        assert_eq!(history.explain(0, Some(&end)), Finding::Explained);
    }
}
