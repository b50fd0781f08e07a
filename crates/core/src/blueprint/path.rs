//! Prevents values from a request from changing the paths of URLs. In a field that becomes part of a URL, each value
//! from the request has to be a single segment, or the whole id of a resource that is the tenant's own or named in its
//! stamp.
//!
//! To find out whether a slash in the result comes from the blueprint or from the request, the text is evaluated a
//! second time with every slash in the request's values replaced. This works whatever an expression does with the
//! values.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Fault, Kind, Outputs,
    hand::AtHand,
    planner::spoken_of,
    scope::{Early, Scope},
};
use crate::{
    ids::{StepName, segment_objection},
    pointer,
};

/// Replaces each slash in the request's values for the second evaluation; a character for private use.
const MARK: char = '\u{f8ff}';
/// The fields that become part of a URL.
pub(super) const FIELDS: [&str; 6] = ["in", "name", "id", "scope", "uniqueName", "location"];

/// What the texts that become paths are evaluated with, and the ids that the tenant may use (`hand`).
pub(super) struct Paths<'a> {
    pub(super) context: &'a Value,
    pub(super) texts: &'a BTreeMap<String, String>,
    pub(super) known: &'a BTreeMap<StepName, Outputs>,
    pub(super) hand: &'a AtHand,
}

impl Paths<'_> {
    /// A fault for each member of the request that would become more than one segment of a URL in this text, with the
    /// member's pointer.
    pub(super) fn faults(&self, kind: Kind, field: &str, text: &str) -> Vec<Fault> {
        if !FIELDS.contains(&field) || kind == Kind::Isolation {
            return Vec::new();
        }
        let spoken = spoken_of(&[&text.to_owned()], self.texts);
        let given: Vec<(String, &Value)> = spoken.iter().filter_map(|path| self.given(path)).collect();
        let unfit: Vec<&(String, &Value)> = given.iter().filter(|(_, value)| !self.fits(value)).collect();
        // A location may contain spaces ("West Europe").
        if unfit.is_empty() || !self.reaches(text, field == "location") {
            return Vec::new();
        }
        let fault = |(pointer, _): &&(String, &Value)| Fault {
            pointer: pointer.clone(),
            code: "bad-segment",
            message: format!(
                "this becomes a part of an address (`{field}` of a step), so it has to be one name: letters, digits, \
                 hyphens, underscores and periods"
            ),
        };
        unfit.iter().map(fault).collect()
    }

    /// The pointer and value of a member of the request, if a dotted name refers to one.
    fn given(&self, path: &str) -> Option<(String, &Value)> {
        let mut parts = path.split('.');
        match (parts.next()?, parts.next()) {
            ("parameters", None) => Some(("/spec/parameters".to_owned(), self.context.get("parameters")?)),
            ("parameters", Some(name)) => {
                let value = self.context.get("parameters")?.get(name)?;
                Some((format!("/spec/parameters/{}", pointer::segment(name)), value))
            }
            ("tenant", None) => Some(("/spec".to_owned(), self.context.get("tenant")?)),
            // These are Booleans, or their grammar allows only one segment.
            ("tenant", Some("id" | "tier" | "region" | "suspended" | "stopped")) => None,
            ("tenant", Some(name)) => {
                Some((format!("/spec/{}", pointer::segment(name)), self.context.get("tenant")?.get(name)?))
            }
            _ => None,
        }
    }

    /// Whether every text in a value is one segment, or an id that the tenant may use.
    fn fits(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => segment_objection(text).is_none() || self.is_at_hand(text),
            Value::Array(items) => items.iter().all(|item| self.fits(item)),
            Value::Object(members) => members.values().all(|member| self.fits(member)),
            Value::Null | Value::Bool(_) | Value::Number(_) => true,
        }
    }

    fn is_at_hand(&self, text: &str) -> bool {
        text.parse().is_ok_and(|id| self.hand.may_be_read(&id))
    }

    /// Whether the values from the request add segments to the path that `text` yields, or make one of its segments
    /// invalid. `spaces` says whether segments may contain spaces.
    fn reaches(&self, text: &str, spaces: bool) -> bool {
        let mut context = self.context.clone();
        for root in ["parameters", "tenant"] {
            if let Some(value) = context.get_mut(root) {
                self.mark(value);
            }
        }
        let scope = self.scope(&context);
        let marked = evaluated(&scope, text).map(|path| path.split('/').count());
        let scope = self.scope(self.context);
        // A value that is not a text is not a path; the planner reports it.
        let Some(path) = evaluated(&scope, text) else { return false };
        let path = if spaces { path.replace(' ', "") } else { path };
        let below = path.strip_prefix('/').unwrap_or(&path);
        below.split('/').any(|segment| segment_objection(segment).is_some())
            || marked != Some(path.split('/').count())
    }

    fn scope(&self, context: &Value) -> Scope {
        let mut scope = Scope::new(context, self.texts);
        for (step, outputs) in self.known {
            scope.set_outputs(step, outputs);
        }
        scope
    }

    fn mark(&self, value: &mut Value) {
        match value {
            Value::String(text) if !self.is_at_hand(text) => *text = text.replace('/', &MARK.to_string()),
            Value::Array(items) => items.iter_mut().for_each(|item| self.mark(item)),
            Value::Object(members) => members.values_mut().for_each(|member| self.mark(member)),
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// The result of a text with expressions; `None` if it fails, is not known yet or is not a text.
fn evaluated(scope: &Scope, text: &str) -> Option<String> {
    match scope.early(text) {
        Ok(Early::Known(Value::String(path))) => Some(path),
        Ok(Early::Known(_) | Early::Late) | Err(_) => None,
    }
}
