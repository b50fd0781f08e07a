//! Nested members that a later version wrote into parts of a document that this version knows: kept next to the
//! document, and put back at the same path when it is written.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Members that identify an item of a list, because positions change.
const NAMES: [&str; 4] = ["id", "number", "requestId", "operationId"];
/// Members that say which variant an object is; in another variant its members mean something else.
const FORMS: [&str; 2] = ["is", "of"];

/// The members of a stored document that this version does not know, in the structure of the document; empty for a
/// document that this version wrote.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UnknownFields {
    /// Members that identify the object: its id within a list, or its variant.
    marks: Map<String, Value>,
    /// The unknown members of the object itself.
    members: Map<String, Value>,
    /// Unknown fields within the object's known members.
    within: BTreeMap<String, Self>,
    /// Unknown fields within the items of a list.
    items: Vec<Self>,
}

impl UnknownFields {
    /// The members of the document `read` that are missing in `understood`, the part of the document that this version
    /// knows.
    pub(super) fn of(read: &Value, understood: &Value) -> Self {
        let mut unknown = Self::default();
        match (read, understood) {
            (Value::Object(read), Value::Object(understood)) => {
                for (name, value) in read {
                    match understood.get(name) {
                        None => _ = unknown.members.insert(name.clone(), value.clone()),
                        Some(known) => {
                            let within = Self::of(value, known);
                            unknown.within.extend((!within.is_empty()).then(|| (name.clone(), within)));
                        }
                    }
                }
                let marks = NAMES.iter().chain(&FORMS).filter_map(|name| Some((*name, mark(read, name)?)));
                unknown.marks = marks.map(|(name, value)| (name.to_owned(), value.clone())).collect();
            }
            (Value::Array(read), Value::Array(understood)) => {
                let items = read.iter().zip(understood).map(|(read, known)| Self::of(read, known));
                unknown.items = items.filter(|item| !item.is_empty()).collect();
            }
            _ => {}
        }
        if unknown.is_empty() { Self::default() } else { unknown }
    }

    /// Whether there is nothing to put back.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.within.is_empty() && self.items.is_empty()
    }

    /// Puts the members back, if the object that held them is still there and of the same variant. Existing members are
    /// not changed.
    pub(super) fn put_back(&self, document: &mut Value) {
        match document {
            Value::Object(there) if self.fits(there, &FORMS) => {
                for (name, value) in &self.members {
                    there.entry(name).or_insert_with(|| value.clone());
                }
                for (name, within) in &self.within {
                    there.get_mut(name).into_iter().for_each(|there| within.put_back(there));
                }
            }
            Value::Array(there) => {
                for item in &self.items {
                    let named = NAMES.iter().any(|name| item.marks.contains_key(*name));
                    let is_it = |there: &&mut Value| {
                        there.as_object().is_some_and(|there| named && item.fits(there, &NAMES))
                    };
                    there.iter_mut().filter(is_it).take(1).for_each(|there| item.put_back(there));
                }
            }
            Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// Whether an object has the same marks as the one that was read.
    fn fits(&self, there: &Map<String, Value>, marks: &[&str]) -> bool {
        marks.iter().all(|name| self.marks.get(*name) == mark(there, name))
    }
}

/// A member that can identify an object. A value that is an object identifies nothing: a step may have the same name.
fn mark<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    members.get(name).filter(|value| !value.is_object())
}
