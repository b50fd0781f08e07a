//! The only module that compares a desired object with what Azure shows, by Azure's semantics.
//!
//! Azure answers in its own form: ids and most enum values in another case, lists in another order, times and numbers
//! written differently, members with default values left out. `known` has the special rules per type and path; this
//! file has the general ones. Steps, drift and the isolation check compare only through this module.

mod canonical;
mod known;
mod text;

use serde_json::{Map, Value};

use self::known::{Rule, Rules};

pub use self::{
    canonical::canonical,
    text::{eq_ignore_case, same_id, same_role},
};
use crate::pointer;

/// The names of types of Microsoft Graph.
pub mod graph {
    /// An application.
    pub const APPLICATION: &str = "microsoft.graph.application";
    /// A service principal.
    pub const SERVICE_PRINCIPAL: &str = "microsoft.graph.servicePrincipal";
    /// A federated identity credential.
    pub const FEDERATED_CREDENTIAL: &str = "microsoft.graph.federatedIdentityCredential";
}

/// The JSON pointers, as `desired` spells them, at which `observed` differs. `kind` is the resource type or one of
/// [`graph`]; for an unknown type only the general rules apply. Members that only Azure sets are ignored.
pub fn differences(kind: &str, desired: &Value, observed: &Value) -> Vec<String> {
    let mut comparison = Comparison { rules: Rules::of(kind), at: String::new(), found: Vec::new() };
    comparison.member(desired, Some(observed));
    comparison.found
}

/// Whether the member at `pointer`, a JSON pointer into a resource of this kind, matches.
pub fn same_at(kind: &str, pointer: &str, desired: &Value, observed: &Value) -> bool {
    let mut comparison = Comparison { rules: Rules::of(kind), at: pointer.to_owned(), found: Vec::new() };
    let rule = comparison.rules.at(pointer);
    // This member was asked for explicitly, so it is compared even if a body can't set it.
    comparison.value(desired, Some(observed), rule);
    comparison.found.is_empty()
}

/// The member `name` of an object, found without case; if there are several, one that is not null.
pub fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    member_of(value.as_object()?, name)
}

fn member_of<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let exact = members.get(name);
    let twins = members.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
    let twin = || twins.map(|(_, value)| value).find(|value| !value.is_null());
    exact.filter(|value| !value.is_null()).or_else(twin).or(exact)
}

/// The value at a JSON pointer, with names of members compared without case.
pub fn at<'a>(value: &'a Value, pointer: &str) -> Option<&'a Value> {
    if let Some(found) = value.pointer(pointer) {
        return Some(found);
    }
    pointer.split('/').skip(1).try_fold(value, |value, segment| match value {
        Value::Array(items) => items.get(segment.parse::<usize>().ok()?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            member(value, &pointer::name(segment))
        }
    })
}

/// The text at a JSON pointer, or the empty text.
pub fn text_at<'a>(value: &'a Value, pointer: &str) -> &'a str {
    at(value, pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The state of a comparison in progress.
struct Comparison {
    rules: Rules,
    /// The current JSON pointer.
    at: String,
    found: Vec<String>,
}

impl Comparison {
    /// Compares the current member, unless a rule excludes it.
    fn member(&mut self, desired: &Value, observed: Option<&Value>) {
        let rule = self.rules.at(&self.at);
        if rule != Some(Rule::Never) {
            self.value(desired, observed, rule);
        }
    }

    fn value(&mut self, desired: &Value, observed: Option<&Value>, rule: Option<Rule>) {
        let implied = if let Some(Rule::Absent(implied)) = rule { Some(implied.value()) } else { None };
        let observed = observed.filter(|observed| !observed.is_null()).or(implied.as_ref());
        let same = match (desired, observed) {
            // In a PUT null asks for nothing; in Graph's PATCH it clears a member.
            (Value::Null, None) => true,
            (Value::Null, Some(observed)) => !self.rules.is_graph() || is_empty(observed),
            (Value::Object(desired), Some(Value::Object(observed))) => {
                self.members(desired, observed, rule == Some(Rule::Whole))
            }
            (Value::Array(desired), Some(Value::Array(observed))) => self.items(desired, observed, rule),
            // The service leaves the map out: all its desired members must have default values or be excluded from the
            // comparison.
            (Value::Object(desired), None) if rule != Some(Rule::Whole) => self.are_implied(desired),
            // An empty value asks for nothing, and services leave it out.
            (desired, None) => is_empty(desired),
            (desired, Some(observed)) => text::same_scalar(desired, observed, rule, self.rules.is_graph()),
        };
        if !same {
            self.found.push(self.at.clone());
        }
    }

    /// Compares each desired member; returns `false` if the map as a whole differs.
    fn members(&mut self, desired: &Map<String, Value>, observed: &Map<String, Value>, whole: bool) -> bool {
        if whole && desired.len() != observed.len() {
            return false;
        }
        for (name, value) in desired {
            let seen = member_of(observed, name);
            self.within(&pointer::segment(name), |here| here.member(value, seen));
        }
        true
    }

    /// Whether all desired members, which the service leaves out, have their default values.
    fn are_implied(&mut self, desired: &Map<String, Value>) -> bool {
        let known = self.found.len();
        self.members(desired, &Map::new(), false);
        let same = self.found.len() == known;
        self.found.truncate(known);
        same
    }

    /// Compares two lists; returns `false` if the lists as a whole differ, e.g. in their lengths.
    fn items(&mut self, desired: &[Value], observed: &[Value], rule: Option<Rule>) -> bool {
        match rule {
            Some(Rule::Set) => self.covers(desired, observed) && self.covers_back(desired, observed),
            Some(Rule::Keyed(key)) => self.keyed(desired, observed, key),
            _ if has_names(desired, "name") && has_names(observed, "name") => {
                self.keyed(desired, observed, "name")
            }
            _ if desired.len() != observed.len() => false,
            _ => {
                for (at, (desired, observed)) in desired.iter().zip(observed).enumerate() {
                    self.within(&at.to_string(), |here| here.member(desired, Some(observed)));
                }
                true
            }
        }
    }

    /// Whether each desired item is among the observed ones.
    fn covers(&mut self, desired: &[Value], observed: &[Value]) -> bool {
        desired.iter().all(|item| observed.iter().any(|other| self.are_same(item, other)))
    }

    /// Whether each observed item is among the desired ones.
    fn covers_back(&mut self, desired: &[Value], observed: &[Value]) -> bool {
        observed.iter().all(|other| desired.iter().any(|item| self.are_same(item, other)))
    }

    /// Compares lists whose items are identified by the member `key`; returns `false` if the lists as a whole differ.
    fn keyed(&mut self, desired: &[Value], observed: &[Value], key: &str) -> bool {
        let by = |items: &[Value], desired: &Value| {
            let same =
                |item: &Value| text::same_scalar(desired, member(item, key)?, None, false).then_some(());
            items.iter().position(|item| same(item).is_some())
        };
        if desired.len() != observed.len() {
            return false;
        }
        for (at, item) in desired.iter().enumerate() {
            let index = member(item, key).and_then(|desired| by(observed, desired));
            let Some((index, other)) = index.and_then(|index| Some((index, observed.get(index)?))) else {
                return false;
            };
            if index == at {
                self.within(&at.to_string(), |here| here.member(item, Some(other)));
            } else if !self.are_same(item, other) {
                // The items have different indices in the two lists, so a pointer to the difference would be ambiguous.
                return false;
            }
        }
        true
    }

    /// Whether two items match, whatever their indices are.
    fn are_same(&mut self, desired: &Value, observed: &Value) -> bool {
        let known = self.found.len();
        self.within("0", |here| here.member(desired, Some(observed)));
        let same = self.found.len() == known;
        self.found.truncate(known);
        same
    }

    fn within(&mut self, segment: &str, compare: impl FnOnce(&mut Self)) {
        let length = self.at.len();
        self.at.push('/');
        self.at.push_str(segment);
        compare(self);
        self.at.truncate(length);
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether all items have distinct names: then Azure identifies them by name, and returns them in any order.
fn has_names(items: &[Value], key: &str) -> bool {
    let mut names: Vec<String> = Vec::new();
    items.iter().all(|item| {
        let name = member(item, key).and_then(Value::as_str).map(str::to_ascii_lowercase);
        let fresh = name.filter(|name| !names.contains(name));
        fresh.map(|name| names.push(name)).is_some()
    })
}
