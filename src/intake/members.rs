//! Finds unknown members of a request.
//!
//! The known members are read from the published schema, which is generated from the types, so both always agree. What
//! is free in the schema (`external`, `parameters`, `tags`) is free here.

use std::{collections::BTreeMap, sync::LazyLock};

use serde_json::Value;
use tenantry_core::{pointer, spelling::did_you_mean, tenant::Action};

use super::{Fault, RequestDocument, answer::MAX_FAULTS, written::spec_of};

/// The known members of an object; `None` if any name is allowed.
type Members = Option<BTreeMap<String, Known>>;

/// What the value of a member may contain.
#[derive(Debug, Default)]
struct Known {
    members: Members,
}

/// What a request may contain: its members, and for each action the members of its spec.
struct Schema {
    top: Known,
    specs: BTreeMap<&'static str, Known>,
}

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let whole = schemars::schema_for!(RequestDocument).to_value();
    let types = whole.get("$defs").cloned().unwrap_or_default();
    let spec = |action: Action| {
        let of = types.get(spec_of(action).0.as_ref()).map(|of| known(of, &types));
        (action.as_str(), of.unwrap_or_default())
    };
    Schema { top: known(&whole, &types), specs: Action::ALL.into_iter().map(spec).collect() }
});

/// What a schema allows. Of several alternatives, the one that names members is used; the only other alternative is
/// null.
fn known(schema: &Value, types: &Value) -> Known {
    if let Some(named) = schema.get("$ref").and_then(Value::as_str) {
        let of = named.rsplit('/').next().and_then(|name| types.get(name));
        return of.map(|of| known(of, types)).unwrap_or_default();
    }
    if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
        let mut choices = choices.iter().map(|choice| known(choice, types));
        return choices.find(|choice| choice.members.is_some()).unwrap_or_default();
    }
    let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let each = |(name, of): (&String, &Value)| (name.clone(), known(of, types));
    // A closed type without properties has an empty set of members, because `None` would allow any.
    Known { members: closed.then(|| properties.map(each).collect()) }
}

/// Returns a fault for every member that a request with this action does not have. If the action is unknown, the spec
/// is not checked.
pub(super) fn unknown(body: &Value, at: &str, action: Option<&str>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let Some(members) = body.as_object() else { return faults };
    for (name, value) in members {
        let at = format!("{at}/{}", pointer::segment(name));
        match (name.as_str(), SCHEMA.top.members.as_ref().and_then(|known| known.get(name))) {
            ("spec", _) => {
                if let Some((action, known)) = action.and_then(|action| SCHEMA.specs.get_key_value(action)) {
                    walk(value, &at, known, Some(action), &mut faults);
                }
            }
            (_, Some(known)) => walk(value, &at, known, None, &mut faults),
            (_, None) => faults.push(fault(name, at, &SCHEMA.top, None, faults.len())),
        }
    }
    faults
}

fn walk(value: &Value, at: &str, known: &Known, action: Option<&'static str>, faults: &mut Vec<Fault>) {
    let (Some(given), Some(members)) = (value.as_object(), &known.members) else { return };
    for (name, value) in given {
        let at = format!("{at}/{}", pointer::segment(name));
        match members.get(name) {
            Some(known) => walk(value, &at, known, None, faults),
            None => faults.push(fault(name, at, known, action, faults.len())),
        }
    }
}

/// The fault of one unknown member. `action` is set if the member is directly in the spec. A fault that the answer does
/// not list gets no suggestion of a similar name.
fn fault(name: &str, at: String, known: &Known, action: Option<&'static str>, before: usize) -> Fault {
    const CODE: &str = "unknown_member";
    if before > MAX_FAULTS {
        return Fault::new(at, CODE, "there is no such member");
    }
    let others = |(other, known): &(&&'static str, &Known)| {
        Some(**other) != action && known.members.as_ref().is_some_and(|known| known.contains_key(name))
    };
    if let Some(action) = action
        && SCHEMA.specs.iter().any(|other| others(&(other.0, other.1)))
    {
        let having: Vec<&str> = SCHEMA.specs.iter().filter(others).map(|(other, _)| *other).collect();
        let message = format!("the spec of {action} has no such member; it belongs to {}", having.join(", "));
        return Fault::new(at, CODE, message);
    }
    let near = did_you_mean(name, known.members.iter().flatten().map(|(name, _)| name.as_str()));
    let whole = match action {
        Some(action) => format!("the spec of {action} has no member of this name; {near}"),
        None => format!("there is no member of this name; {near}"),
    };
    Fault::new(at, CODE, whole.trim_end_matches([';', ' ']))
}
