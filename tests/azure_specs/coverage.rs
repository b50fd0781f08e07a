//! That nothing is left out: all acts of all steps, all operations, all polls.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tenantry_core::{
    blueprint::Kind,
    steps::{self, Method, Request, Trace},
};

use crate::{
    Faults, Held,
    record::{Exchange, Lived},
    validate,
};

/// What each blueprint's lives call, by service. An operation that is no longer called is as much a change as a new one.
const CALLED: &str = include_str!("operations.txt");

/// Each request that a step of a plan can make is among those of its life: looks, writes, erasures and purges.
pub(crate) fn every_act(held: &Held) -> String {
    let (mut faults, mut acts, mut kinds) = (Faults::default(), 0, BTreeSet::new());
    let mut steps = BTreeSet::new();
    for life in &held.lives {
        let sent: BTreeSet<String> = life.exchanges.iter().map(|exchange| line(&exchange.request)).collect();
        for (name, kind, requests) in acts_of(life) {
            for request in requests {
                acts += 1;
                if !sent.contains(&line(&request)) {
                    faults.add(format!("{}, {name}: not sent: {}", life.blueprint, line(&request)), "");
                }
            }
            kinds.insert(kind);
            steps.insert((life.blueprint.clone(), name));
        }
    }
    faults.none();
    assert_eq!(kinds.len(), 7, "not every kind of step occurs: {kinds:?}");
    format!("{acts} acts of {} steps of {} kinds", steps.len(), kinds.len())
}

fn line(request: &Request) -> String {
    format!("{} {}", request.method, request.path)
}

/// What each step of a life's plan can send, given what the steps had told when the tenant was ready.
fn acts_of(life: &Lived) -> Vec<(String, Kind, Vec<Request>)> {
    let outputs = life.ready.outputs();
    let mut acts = Vec::new();
    // What proves isolation makes its requests otherwise; the lives have them.
    let steps = life.ready.plan.steps.iter().filter(|(_, planned)| planned.kind() != Kind::Isolation);
    for (name, planned) in steps {
        let rendered = life.ready.plan.render(name, &outputs).unwrap();
        let step = steps::step(&rendered, &planned.outputs, &outputs[name]).unwrap();
        let remains = steps::remains(planned.kind(), &step.target(), &outputs[name]).unwrap();
        let mut requests = vec![step.look()];
        requests.extend(step.write(None));
        requests.extend(remains.looks());
        let traces = [Trace::Present(outputs[name].clone()), Trace::Lingering(outputs[name].clone())];
        requests.extend(traces.iter().filter_map(|trace| remains.erase(trace)));
        acts.push((name.to_string(), planned.kind(), requests));
    }
    acts
}

/// The operations of each blueprint are those of the list, no fewer and no more.
pub(crate) fn every_operation(held: &Held) -> String {
    let mut called: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for life in &held.lives {
        for Exchange { request, .. } in &life.exchanges {
            let (path, _) = validate::address(request);
            let operation = held.descriptions.find(request.api, request.method, path).ok().unwrap();
            let (service, name) = operation.id();
            called.entry((life.blueprint.clone(), service)).or_default().insert(name);
        }
    }
    let mut told = String::new();
    for ((blueprint, service), names) in &called {
        told += &format!("{blueprint}, {service}\n");
        told.extend(names.iter().map(|name| format!("    {name}\n")));
    }
    assert!(told == CALLED, "tests/azure_specs/operations.txt is to read:\n{told}");
    let count: usize = called.values().map(BTreeSet::len).sum();
    format!("{count} operations, by blueprint")
}

/// A poll is a plain GET of a URL that an answer gave, as it was given, and is answered in the form of its header
/// (Microsoft, "Track asynchronous Azure operations"), which no description tells.
pub(crate) fn every_poll(held: &Held) -> String {
    let (mut faults, mut count) = (Faults::default(), BTreeMap::<&str, usize>::new());
    for life in &held.lives {
        let given: BTreeMap<&str, &str> = life.exchanges.iter().chain(&life.polls).flat_map(urls).collect();
        for Exchange { request, reply } in &life.polls {
            let Some(header) = given.get(request.path.as_str()) else {
                faults.add("a URL that nobody gave".to_owned(), &request.path);
                continue;
            };
            if request.method != Method::Get || request.body.is_some() || !request.headers.is_empty() {
                faults.add(format!("not a plain GET: {request:?}"), &request.path);
            }
            let wrong = match *header {
                "location" => validate::location_answer(reply),
                _ => validate::operation_answer(reply),
            };
            wrong.into_iter().for_each(|fault| faults.add(format!("{header}: {fault}"), &request.path));
            *count.entry(header).or_default() += 1;
        }
    }
    faults.none();
    assert_eq!(count.len(), 2, "both headers are to be polled: {count:?}");
    count.iter().map(|(header, times)| format!("{times} of {header}")).collect::<Vec<_>>().join(", ")
}

/// The URLs that an answer gives for asking, with the header that is to be followed.
fn urls(exchange: &Exchange) -> Option<(&str, &str)> {
    let header = |name: &'static str| Some((exchange.reply.header(name)?, name));
    header("azure-asyncoperation").or_else(|| header("location"))
}

/// Whether a value is a text that says something.
pub(crate) fn says_something(value: Option<&Value>) -> bool {
    value.and_then(Value::as_str).is_some_and(|text| !text.is_empty())
}
