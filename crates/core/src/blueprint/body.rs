//! Builds the bodies that steps write: substitutes known values, keeps texts that need outputs of other steps, and adds
//! ownership marks.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    Marker, PlanContext, ResourceType, expression,
    scope::{Early, Scope},
    tree::{Node, Shape},
};
use crate::pointer;

/// Renames a member that is written with other capitals (`Tags`) to `name`, also in the pointers of late texts. Does
/// nothing if there is a member `name`.
fn spell(members: &mut Map<String, Value>, name: &str, pointer: &str, filled: &mut Filled) {
    let other = members.keys().find(|key| *key != name && key.eq_ignore_ascii_case(name)).cloned();
    let Some(other) = other.filter(|_| !members.contains_key(name)) else { return };
    if let Some(value) = members.remove(&other) {
        members.insert(name.to_owned(), value);
    }
    let (old, new) = (format!("{pointer}/{other}"), format!("{pointer}/{name}"));
    let moved = std::mem::take(&mut filled.late).into_iter().map(|(at, text)| match at.strip_prefix(&old) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => (format!("{new}{rest}"), text),
        Some(_) | None => (at, text),
    });
    filled.late = moved.collect();
}

/// What [`fill`] collects besides the JSON value.
#[derive(Debug, Default)]
pub(super) struct Filled {
    /// Texts that need outputs of other steps, by JSON pointer into the step's fields.
    pub(super) late: BTreeMap<String, String>,
    /// JSON pointer and reason of each expression that failed.
    pub(super) faults: Vec<(String, String)>,
}

/// The ownership marks of a tenant, and the tags from its request.
#[derive(Debug)]
pub(super) struct Marks {
    pairs: [(&'static str, String); 3],
    request: Map<String, Value>,
}

impl Marks {
    /// The marks of one tenant, and the tags that its request asks for.
    pub(super) fn new(context: &PlanContext) -> Self {
        let request = context.tenant.get("tags").and_then(Value::as_object).cloned().unwrap_or_default();
        let pairs = [
            ("tenantry-deployment", context.deployment.clone()),
            ("tenantry-tenant", context.tenant_id.to_string()),
            ("tenantry-incarnation", context.incarnation.to_string()),
        ];
        Self { pairs, request }
    }
}

/// Converts a node to JSON and evaluates its expressions. Those that need outputs of other steps become null and are
/// added to `filled.late`. An absent node becomes an empty map.
pub(super) fn fill(node: Option<&Node>, pointer: &str, scope: &Scope, filled: &mut Filled) -> Value {
    let Some(node) = node else { return json!({}) };
    match &node.shape {
        Shape::Plain(value) => value.clone(),
        Shape::Text(text, _) if !expression::is_dynamic(text) => Value::String(text.clone()),
        Shape::Text(text, _) => fill_text(text, pointer, scope, filled),
        Shape::List(items) => {
            let items = items.iter().enumerate();
            items.map(|(at, item)| fill(Some(item), &format!("{pointer}/{at}"), scope, filled)).collect()
        }
        Shape::Map(entries) => {
            let mut members = Map::new();
            for (key, node) in entries {
                let key = fill_key(&key.text, pointer, scope, filled);
                let value = fill(Some(node), &format!("{pointer}/{}", pointer::segment(&key)), scope, filled);
                members.insert(key, value);
            }
            Value::Object(members)
        }
    }
}

fn fill_text(text: &str, pointer: &str, scope: &Scope, filled: &mut Filled) -> Value {
    match scope.early(text) {
        Ok(Early::Known(value)) => return value,
        Ok(Early::Late) => {
            filled.late.insert(pointer.to_owned(), text.to_owned());
        }
        Err(why) => filled.faults.push((pointer.to_owned(), why)),
    }
    Value::Null
}

fn fill_key(text: &str, pointer: &str, scope: &Scope, filled: &mut Filled) -> String {
    if !expression::is_dynamic(text) {
        return text.to_owned();
    }
    let why = match scope.early(text) {
        Ok(Early::Known(Value::String(key))) => return key,
        Ok(Early::Known(_)) => "a key is to be a text".to_owned(),
        Ok(Early::Late) => "a key has to be known before anything exists".to_owned(),
        Err(why) => why,
    };
    filled.faults.push((pointer.to_owned(), why));
    text.to_owned()
}

/// What [`complete`] needs to complete the body of an ARM resource.
pub(super) struct Frame<'a> {
    /// The row of the resource's type in the table of resource types, if it has one.
    pub(super) row: Option<&'a ResourceType>,
    /// The location that the blueprint gives; `None` means the stamp's.
    pub(super) location: Option<&'a str>,
    /// The ownership marks that are added as tags.
    pub(super) marks: &'a Marks,
}

/// Adds location and ownership tags to the body of an ARM resource.
///
/// The blueprint's tags override the request's, and the ownership marks override both.
pub(super) fn complete(
    body: &mut Value,
    pointer: &str,
    frame: &Frame<'_>,
    scope: &Scope,
    filled: &mut Filled,
) {
    let Frame { row, location, marks } = *frame;
    let Some(members) = body.as_object_mut() else { return };
    ["location", "tags"].iter().for_each(|name| spell(members, name, pointer, filled));
    if let Some(text) = location {
        members.insert("location".into(), fill_text(text, &format!("{pointer}/location"), scope, filled));
    } else if row.is_some_and(|row| row.location) && !members.contains_key("location") {
        let region = fill_text("{{ stamp.region }}", &format!("{pointer}/location"), scope, filled);
        members.insert("location".into(), region);
    }
    if row.is_some_and(|row| row.marker == Marker::Identity) {
        return;
    }
    let mut tags = marks.request.clone();
    match members.remove("tags") {
        None => {}
        Some(Value::Object(written)) => tags.extend(written),
        Some(_) => filled.faults.push((format!("{pointer}/tags"), "tags are a map".into())),
    }
    for (name, value) in &marks.pairs {
        filled.late.remove(&format!("{pointer}/tags/{name}"));
        tags.insert((*name).to_owned(), value.clone().into());
    }
    members.insert("tags".into(), Value::Object(tags));
}

/// Adds the ownership marks to the body of an Entra object, whose tags are a list of texts.
pub(super) fn label(body: &mut Value, marks: &Marks, filled: &mut Filled) {
    let Some(members) = body.as_object_mut() else { return };
    spell(members, "tags", "/body", filled);
    let mut tags = match members.remove("tags") {
        None => Vec::new(),
        Some(Value::Array(written)) => written,
        Some(_) => {
            filled.faults.push(("/body/tags".into(), "tags are a list of texts".into()));
            Vec::new()
        }
    };
    tags.extend(marks.pairs.iter().map(|(name, value)| json!(format!("{name}:{value}"))));
    members.insert("tags".into(), Value::Array(tags));
}
