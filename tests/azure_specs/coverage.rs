//! Checks that the recorded lifecycles are complete: they contain every request that a step can send, exactly the
//! listed operations, and only polls of URLs that an answer gave.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tenantry_core::{
    blueprint::Kind,
    steps::{self, DeletionState, Method, Request},
};

use crate::{
    Faults, Recorded,
    record::{Exchange, RecordedLifecycle},
    validate,
};

/// The API operations that the lifecycles of each blueprint call, by service. A missing operation fails the check
/// just as an additional one does.
const CALLED: &str = include_str!("operations.txt");

/// Every request that a step of a plan can send (read, write, delete, purge) occurs in the recorded lifecycle.
pub(crate) fn every_act(recorded: &Recorded) -> String {
    let (mut faults, mut acts, mut kinds) = (Faults::default(), 0, BTreeSet::new());
    let mut steps = BTreeSet::new();
    for lifecycle in &recorded.lifecycles {
        let sent: BTreeSet<String> =
            lifecycle.exchanges.iter().map(|exchange| line(&exchange.request)).collect();
        for (name, kind, requests) in acts_of(lifecycle) {
            for request in requests {
                acts += 1;
                if !sent.contains(&line(&request)) {
                    faults.add(format!("{}, {name}: not sent: {}", lifecycle.blueprint, line(&request)), "");
                }
            }
            kinds.insert(kind);
            steps.insert((lifecycle.blueprint.clone(), name));
        }
    }
    faults.none();
    assert_eq!(kinds.len(), 7, "not every kind of step occurs: {kinds:?}");
    format!("{acts} acts of {} steps of {} kinds", steps.len(), kinds.len())
}

fn line(request: &Request) -> String {
    format!("{} {}", request.method, request.path)
}

/// Each step of a lifecycle's plan with the requests that it can send, given the outputs that the steps had when the
/// tenant was ready.
fn acts_of(lifecycle: &RecordedLifecycle) -> Vec<(String, Kind, Vec<Request>)> {
    let outputs = lifecycle.ready.outputs();
    let mut acts = Vec::new();
    // The isolation check is left out: it has no request of its own per step. The lifecycles contain its requests.
    let steps = lifecycle.ready.plan.steps.iter().filter(|(_, planned)| planned.kind() != Kind::Isolation);
    for (name, planned) in steps {
        let rendered = lifecycle.ready.plan.render(name, &outputs).unwrap();
        let step = steps::step(&rendered, &planned.outputs, &outputs[name]).unwrap();
        let deletion = steps::deletion(planned.kind(), &step.target(), &outputs[name]).unwrap();
        let mut requests = vec![step.read()];
        requests.extend(step.write(None));
        requests.extend(deletion.reads());
        let traces = [
            DeletionState::Present(outputs[name].clone()),
            DeletionState::SoftDeleted(outputs[name].clone()),
        ];
        requests.extend(traces.iter().filter_map(|trace| deletion.delete(trace)));
        acts.push((name.to_string(), planned.kind(), requests));
    }
    acts
}

/// The operations that each blueprint calls are exactly those listed in `operations.txt`.
pub(crate) fn every_operation(recorded: &Recorded) -> String {
    let mut called: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for lifecycle in &recorded.lifecycles {
        for Exchange { request, .. } in &lifecycle.exchanges {
            let (path, _) = validate::address(request);
            let operation = recorded.descriptions.find(request.api, request.method, path).ok().unwrap();
            let (service, name) = operation.id();
            called.entry((lifecycle.blueprint.clone(), service)).or_default().insert(name);
        }
    }
    let mut listed = String::new();
    for ((blueprint, service), names) in &called {
        listed += &format!("{blueprint}, {service}\n");
        listed.extend(names.iter().map(|name| format!("    {name}\n")));
    }
    assert!(listed == CALLED, "tests/azure_specs/operations.txt is to read:\n{listed}");
    let count: usize = called.values().map(BTreeSet::len).sum();
    format!("{count} operations, by blueprint")
}

/// A poll is a GET of exactly the URL that an earlier answer gave, and its answer has the form that belongs to the
/// header with that URL (Microsoft, "Track asynchronous Azure operations"). No API description contains poll URLs.
pub(crate) fn every_poll(recorded: &Recorded) -> String {
    let (mut faults, mut count) = (Faults::default(), BTreeMap::<&str, usize>::new());
    for lifecycle in &recorded.lifecycles {
        let given: BTreeMap<&str, &str> =
            lifecycle.exchanges.iter().chain(&lifecycle.polls).flat_map(urls).collect();
        for Exchange { request, reply } in &lifecycle.polls {
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

/// The poll URL of an answer, with the name of the header that it came in. `None` if the answer has none.
fn urls(exchange: &Exchange) -> Option<(&str, &str)> {
    let header = |name: &'static str| Some((exchange.reply.header(name)?, name));
    header("azure-asyncoperation").or_else(|| header("location"))
}

/// Whether a JSON value is a text that is not empty.
pub(crate) fn says_something(value: Option<&Value>) -> bool {
    value.and_then(Value::as_str).is_some_and(|text| !text.is_empty())
}
