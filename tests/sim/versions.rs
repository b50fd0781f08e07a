//! Workers of two versions of the program use one store. The later version writes members that the other does not
//! know, at every level of a document. They have to be kept when the other version saves the document.

use serde_json::{Map, Value, json};
use tenantry_core::tenant::Tenant;

/// The member that only the later version writes.
const MEMBER: &str = "ofALaterVersion";

/// JSON pointers to the parts of a document that can have unknown members.
const PARTS: [&str; 6] = ["/spec", "/placement", "/lease", "/concluded", "/blocked", "/plan"];
/// JSON pointers to lists whose items can have unknown members, with the member that identifies an item.
const LISTS: [(&str, &str); 3] = [("/operations", "id"), ("/requests", "requestId"), ("/outbox", "number")];

fn read(tenant: &Tenant) -> Value {
    tenant.to_json().ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// The document as the later version writes it.
pub(crate) fn marked(tenant: &Tenant) -> Tenant {
    let mut document = read(tenant);
    let mark = |part: Option<&mut Value>| {
        if let Some(members) = part.and_then(Value::as_object_mut) {
            members.entry(MEMBER).or_insert_with(|| json!({"since": 2}));
        }
    };
    mark(Some(&mut document));
    for part in PARTS {
        mark(document.pointer_mut(part));
    }
    for step in document.pointer_mut("/steps").and_then(Value::as_object_mut).into_iter().flatten() {
        mark(Some(step.1));
    }
    for (list, _) in LISTS {
        for item in document.pointer_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            mark(Some(item));
        }
    }
    Tenant::from_json(document.to_string().as_bytes()).unwrap()
}

/// The part of the document that has lost the later version's member although the part still exists; `None` if there
/// is none.
pub(crate) fn lost(before: &Tenant, after: &Tenant) -> Option<String> {
    let (before, after) = (read(before), read(after));
    let lost = |past: Option<&Value>, now: Option<&Value>| {
        let was_there = past.is_some_and(|past| past.get(MEMBER).is_some());
        was_there && now.is_some_and(|now| now.is_object() && now.get(MEMBER).is_none())
    };
    if lost(Some(&before), Some(&after)) {
        return Some("the document".to_owned());
    }
    if let Some(part) = PARTS.into_iter().find(|part| lost(before.pointer(part), after.pointer(part))) {
        return Some(part.to_owned());
    }
    let steps = |document: &Value| document["steps"].as_object().cloned().unwrap_or_default();
    let (past, now): (Map<_, _>, Map<_, _>) = (steps(&before), steps(&after));
    if let Some((name, _)) = past.iter().find(|(name, step)| lost(Some(step), now.get(*name))) {
        return Some(format!("/steps/{name}"));
    }
    LISTS.into_iter().find_map(|(list, key)| {
        let items =
            |document: &Value| document.pointer(list).and_then(Value::as_array).cloned().unwrap_or_default();
        let now = items(&after);
        let twin = |item: &Value| now.iter().find(|other| other[key] == item[key]).cloned();
        let lost = items(&before).into_iter().find(|item| lost(Some(item), twin(item).as_ref()))?;
        Some(format!("{list}/{}", lost[key]))
    })
}
