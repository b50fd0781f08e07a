//! Reads and checks journals, events and the objects in the simulated Azure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The path of a line in the journal, without its query and in lower case, because Azure ignores the case of paths.
fn path(line: &Value) -> String {
    text(line, "/path").split('?').next().unwrap_or_default().to_lowercase()
}

/// The lines of a journal that change something. Published events, sent messages, requests for tokens and calls of
/// tenants' services are left out.
pub(crate) fn changes(journal: &Value) -> Vec<&Value> {
    let is_change = |line: &&Value| {
        let path = path(line);
        text(line, "/method") != "GET"
            && !["/api/events", "/score"].contains(&path.as_str())
            && !["/oauth2/v2.0/token", "/messages"].iter().any(|end| path.ends_with(end))
    };
    list(journal).iter().filter(is_change).collect()
}

/// The paths of objects that were created again although they had not been deleted.
pub(crate) fn made_twice(journal: &Value) -> Vec<String> {
    let (mut there, mut twice) = (BTreeSet::new(), Vec::new());
    for line in changes(journal) {
        let path = path(line);
        match (text(line, "/method"), line["status"].as_u64().unwrap_or(0)) {
            ("PUT" | "PATCH", 201) if !there.insert(path.clone()) => twice.push(path),
            ("DELETE", 200..=204) => there.retain(|made: &String| !made.starts_with(&path)),
            _ => {}
        }
    }
    twice
}

/// Asserts that nothing was created a second time under its name unless it had been deleted before. A `POST` to a
/// collection has no name, so each success creates another object: `most` is the most successes per path.
#[track_caller]
pub(crate) fn nothing_was_made_twice(journal: &Value, most: usize) {
    assert_eq!(made_twice(journal), [""; 0], "made twice\n{journal:#}");
    let mut posted: BTreeMap<String, usize> = BTreeMap::new();
    for line in changes(journal) {
        if (text(line, "/method"), line["status"].as_u64()) == ("POST", Some(201)) {
            let path = path(line);
            let made = posted.entry(path.clone()).or_default();
            *made += 1;
            assert!(*made <= most, "{made} times made with POST: {path}\n{journal:#}");
        }
    }
}

/// Asserts that a tenant's events are numbered from 1 without a gap, that one id always has the same content, and
/// that each event has the attributes of its source. Events about rejections belong to no tenant and are left out.
#[track_caller]
pub(crate) fn check_event_sequence(tenant: &str, events: &[Value]) {
    let mut seen: BTreeMap<&str, &Value> = BTreeMap::new();
    let of_the_tenant = |event: &&Value| !text(event, "/source").ends_with("/intake");
    for event in events.iter().filter(of_the_tenant) {
        let id = text(event, "/id");
        let first = seen.entry(id).or_insert(event);
        assert_eq!(*first, event, "one id, two contents");
        let operation = text(event, "/operationid");
        let sequence: u64 = text(event, "/sequence").parse().unwrap();
        assert_eq!(id, format!("{operation}/{sequence:04}"));
        assert_eq!(text(event, "/sequence").len(), 20, "{event:#}");
        assert_eq!(text(event, "/source"), format!("/tenantry/local/tenants/{tenant}"));
        assert_eq!(text(event, "/subject"), format!("tenants/{tenant}/operations/{operation}"));
        assert_eq!((text(event, "/specversion"), text(event, "/tenantid")), ("1.0", tenant));
        assert_eq!(text(event, "/data/tenantId"), tenant);
    }
    let mut numbers: Vec<u64> =
        seen.values().map(|event| text(event, "/sequence").parse().unwrap()).collect();
    numbers.sort_unstable();
    let without_gaps: Vec<u64> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, without_gaps, "{events:#?}");
}

/// The types of events in the order of their sequence, without prefix and version.
pub(crate) fn types(events: &[Value]) -> Vec<&str> {
    let mut numbered: Vec<(&str, &str)> = events
        .iter()
        .map(|event| {
            let kind = text(event, "/type");
            let short = kind.strip_prefix("io.tenantry.").and_then(|kind| kind.strip_suffix(".v1"));
            (text(event, "/sequence"), short.unwrap_or(kind))
        })
        .collect();
    numbered.sort_unstable();
    numbered.dedup();
    numbered.into_iter().map(|(_, kind)| kind).collect()
}

/// The number of objects by kind.
pub(crate) fn kinds(objects: &Value) -> BTreeMap<&str, usize> {
    let mut kinds = BTreeMap::new();
    for object in list(objects) {
        *kinds.entry(text(object, "/kind")).or_default() += 1;
    }
    kinds
}

/// The ids of all objects in ARM, in lower case, except for ids that are random or depend on a random id: those of
/// role assignments and network interfaces.
pub(crate) fn arm_ids(objects: &Value) -> BTreeSet<String> {
    let ids = list(objects).iter().map(|object| text(object, "/id").to_lowercase());
    let drawn = |id: &String| id.contains("/roleassignments/") || id.contains("/networkinterfaces/");
    ids.filter(|id| id.starts_with("/subscriptions/") && !drawn(id)).collect()
}
