//! What clients asked, when, and what they were told: there has to be one order of all that, in which each answer is right
//! and the last word is what is wanted in the end.
//!
//! A call takes effect at one instant between its first delivery and its answer. The search for an order is that of
//! Wing and Gong, "Testing and verifying concurrent objects" (1993), with a memory of what was tried.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tenantry_core::tenant::{Goal, Tenant};

use super::exec::Millis;

/// What somebody was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    Accepted,
    Rejected(String),
    /// There is no such tenant.
    Nobody,
    /// A look: the status, and whether it is suspended.
    Shown(String, bool),
}

/// One call, with its repeats.
#[derive(Debug, Clone)]
struct Call {
    tenant: usize,
    body: Value,
    begun: Millis,
    answer: Option<(Millis, Told)>,
}

#[derive(Debug, Default)]
pub(crate) struct History(BTreeMap<String, Call>);

/// What is wanted of a tenant, as its clients know it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    Nobody,
    Present { suspended: bool, level: u64, place: String, moved: bool },
    Going,
    Removed,
}

/// What is wanted of a tenant in the end, as its document has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    present: bool,
    suspended: bool,
    level: Option<u64>,
    place: String,
}

impl End {
    pub(crate) fn of(tenant: &Tenant) -> Self {
        let parameters = &tenant.spec.parameters;
        Self {
            present: tenant.goal == Goal::Present,
            suspended: tenant.spec.suspended.is_some(),
            level: parameters.get("level").and_then(Value::as_u64),
            place: parameters.get("place").and_then(Value::as_str).unwrap_or(PLACE).to_owned(),
        }
    }
}

/// What a tenant's vault is made with when nobody says more.
const PLACE: &str = "westeurope";
/// How many beginnings of an order are tried.
const PATIENCE: usize = 20_000;

/// What the search for an order came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    Explained,
    /// Which call could not be placed, after the longest beginning that could be.
    Unexplained(String),
    Undecided,
}

impl History {
    /// A call reaches a worker for the first time, or again.
    pub(crate) fn begun(&mut self, id: &str, tenant: usize, body: &Value, now: Millis) {
        self.0.entry(id.to_owned()).or_insert_with(|| Call {
            tenant,
            body: body.clone(),
            begun: now,
            answer: None,
        });
    }

    /// A client has its answer; the first counts.
    pub(crate) fn answered(&mut self, id: &str, told: Told, now: Millis) {
        if let Some(call) = self.0.get_mut(id) {
            call.answer.get_or_insert((now, told));
        }
    }

    /// Whether one order explains what everybody was told about a tenant, and how it ended.
    pub(crate) fn explain(&self, tenant: usize, end: Option<&End>) -> Finding {
        let mut calls: Vec<(&String, &Call)> =
            self.0.iter().filter(|(_, call)| call.tenant == tenant).collect();
        // Nobody knows what became of these; all have come to rest, so there are none but where a run was cut short.
        if calls.iter().any(|(_, call)| call.answer.is_none()) {
            return Finding::Undecided;
        }
        calls.sort_by_key(|(_, call)| (ended(call), call.begun));
        let mut search = Search { calls: &calls, end, tried: BTreeSet::new(), best: (0, String::new()) };
        let mut left: Vec<usize> = (0..calls.len()).collect();
        let explained = search.from(&Wanted::Nobody, &mut left);
        let told = |(id, call): &(&String, &Call)| format!("{id} from {}: {:?}", call.begun, call.answer);
        let all = || calls.iter().map(told).collect::<Vec<_>>().join("; ");
        match explained {
            true => Finding::Explained,
            false if search.tried.len() > PATIENCE => Finding::Undecided,
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
    tried: BTreeSet<(Vec<usize>, Wanted)>,
    best: (usize, String),
}

impl Search<'_> {
    fn from(&mut self, wanted: &Wanted, left: &mut Vec<usize>) -> bool {
        if left.is_empty() {
            return self.is_the_end(wanted);
        }
        if self.tried.len() > PATIENCE || !self.tried.insert((left.clone(), wanted.clone())) {
            return false;
        }
        // Whoever began after another was answered comes after it.
        let first_answer = left.iter().map(|at| ended(self.calls[*at].1)).min().unwrap_or_default();
        for number in 0..left.len() {
            let (id, call) = self.calls[left[number]];
            if call.begun > first_answer {
                continue;
            }
            for next in after(wanted, call) {
                let at = left.remove(number);
                let found = self.from(&next, left);
                left.insert(number, at);
                if found {
                    return true;
                }
            }
            let placed = self.calls.len() - left.len();
            if placed >= self.best.0 && self.best.1.is_empty() | (placed > self.best.0) {
                let told = call.answer.as_ref().map(|(at, told)| format!("{told:?} at {at}"));
                self.best = (placed, format!("{id}, told {} where {wanted:?}", told.unwrap_or_default()));
            }
        }
        false
    }

    fn is_the_end(&mut self, wanted: &Wanted) -> bool {
        let ends = match (wanted, self.end) {
            (Wanted::Nobody, None) => true,
            (Wanted::Going | Wanted::Removed, Some(end)) => !end.present,
            (Wanted::Present { suspended, level, place, .. }, Some(end)) => {
                end.present && end.suspended == *suspended && end.level == Some(*level) && end.place == *place
            }
            (Wanted::Nobody, Some(_)) | (_, None) => false,
        };
        if !ends {
            self.best = (self.calls.len(), format!("the end, where {wanted:?} was wanted"));
        }
        ends
    }
}

/// What may be wanted after a call that was answered so.
fn after(wanted: &Wanted, call: &Call) -> Vec<Wanted> {
    let Some((_, told)) = &call.answer else { return Vec::new() };
    let mut next: Vec<Wanted> = step(wanted, &call.body, told).into_iter().collect();
    // Removal comes to its end by itself.
    if *wanted == Wanted::Going {
        next.extend(step(&Wanted::Removed, &call.body, told));
    }
    next
}

fn step(wanted: &Wanted, body: &Value, told: &Told) -> Option<Wanted> {
    let action = body["action"].as_str().unwrap_or_default();
    let same = |holds: bool| holds.then(|| wanted.clone());
    let refused = |code: &str| same(*told == Told::Rejected(code.to_owned()));
    let accepted = *told == Told::Accepted;
    let asked_level = body.pointer("/spec/parameters/level").and_then(Value::as_u64);
    match (action, wanted) {
        ("look", Wanted::Nobody) => same(*told == Told::Nobody),
        ("look", Wanted::Present { suspended, .. }) => {
            same(matches!(told, Told::Shown(status, shown) if shown == suspended && status != "deleted"))
        }
        ("look", Wanted::Going) => same(matches!(told, Told::Shown(status, _) if status != "deleted")),
        ("look", Wanted::Removed) => same(matches!(told, Told::Shown(status, _) if status == "deleted")),
        ("signup", Wanted::Nobody | Wanted::Removed) => accepted.then(|| Wanted::Present {
            suspended: false,
            level: asked_level.unwrap_or(1),
            place: PLACE.to_owned(),
            moved: false,
        }),
        ("signup", _) => refused("tenant_exists"),
        (_, Wanted::Nobody) => {
            same(*told == Told::Nobody || *told == Told::Rejected("unknown_tenant".to_owned()))
        }
        ("retry", _) => same(matches!(told, Told::Accepted | Told::Rejected(_))),
        ("deprovision", Wanted::Removed) => same(accepted),
        ("deprovision", _) => accepted.then_some(Wanted::Going),
        (_, Wanted::Going | Wanted::Removed) => refused("tenant_removed"),
        (_, Wanted::Present { suspended, level, place, moved }) => {
            let asked_place = body.pointer("/spec/parameters/place").and_then(Value::as_str);
            let moves = asked_place.is_some_and(|asked| asked != place);
            let consents = body.pointer("/spec/allowReplace").and_then(Value::as_bool) == Some(true);
            if !accepted {
                return refused("replace_not_allowed").filter(|_| moves && !consents || *moved);
            }
            Some(Wanted::Present {
                suspended: match action {
                    "suspend" => true,
                    "resume" => false,
                    _ => *suspended,
                },
                level: asked_level.unwrap_or(*level),
                place: asked_place.unwrap_or(place).to_owned(),
                moved: *moved || moves,
            })
        }
    }
}

/// A history of calls that follow each other, each a second long: id, action, what was told.
#[cfg(test)]
fn told(calls: &[(&str, Told)], end: &End) -> Finding {
    let mut history = History::default();
    for (number, (action, told)) in calls.iter().enumerate() {
        let (id, at) = (format!("{action}-{number}"), 2_000 * Millis::try_from(number).unwrap());
        history.begun(&id, 0, &serde_json::json!({"action": action}), at);
        history.answered(&id, told.clone(), at + 1_000);
    }
    history.explain(0, Some(end))
}

#[test]
fn an_order_is_found_where_there_is_one_and_none_where_there_is_not() {
    let end = |suspended: bool| End { present: true, suspended, level: Some(1), place: PLACE.to_owned() };
    let accepted = |action: &'static str| (action, Told::Accepted);
    let shown = |suspended: bool| ("look", Told::Shown("active".to_owned(), suspended));
    let (signup, suspend, resume) = (accepted("signup"), accepted("suspend"), accepted("resume"));
    let in_order = [signup.clone(), suspend.clone(), shown(true), resume.clone(), shown(false)];
    assert_eq!(told(&in_order, &end(false)), Finding::Explained);
    // An accepted suspension that nobody has undone is seen by whoever looks, and is there in the end.
    let unseen = told(&[signup.clone(), suspend.clone(), shown(false)], &end(true));
    assert!(matches!(unseen, Finding::Unexplained(_)), "{unseen:?}");
    let undone = told(&[signup.clone(), resume, suspend], &end(false));
    assert!(matches!(undone, Finding::Unexplained(_)), "{undone:?}");
    // Nobody is refused as a second one who was the first.
    let refused = ("signup", Told::Rejected("tenant_exists".to_owned()));
    let first = told(&[refused, signup], &end(false));
    assert!(matches!(first, Finding::Unexplained(_)), "{first:?}");
}

#[test]
fn calls_at_once_may_have_either_order() {
    let mut history = History::default();
    for (id, action, begun, answered) in
        [("1", "signup", 0, 10), ("2", "suspend", 20, 50), ("3", "resume", 30, 40)]
    {
        history.begun(id, 0, &serde_json::json!({ "action": action }), begun);
        history.answered(id, Told::Accepted, answered);
    }
    for suspended in [true, false] {
        let end = End { present: true, suspended, level: Some(1), place: PLACE.to_owned() };
        assert_eq!(history.explain(0, Some(&end)), Finding::Explained);
    }
}
