//! Members that a later version wrote into parts of a document that this version knows: kept beside the document, and
//! put back where they stood when it is written.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// What an item of a list is known by, for lists grow and shrink.
const NAMES: [&str; 4] = ["id", "number", "requestId", "operationId"];
/// What says which form an object has; in another form its members mean something else.
const FORMS: [&str; 2] = ["is", "of"];

/// What was read and not understood, in the shape of the document; empty for a document of our own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Later {
    /// By what the object is told from others: its name in a list, its form.
    marks: Map<String, Value>,
    /// Members that are not known at all.
    members: Map<String, Value>,
    /// What is within members that are known.
    within: BTreeMap<String, Self>,
    /// What is within the items of a list.
    items: Vec<Self>,
}

impl Later {
    /// What stands in a document besides what of it was understood.
    pub(super) fn of(read: &Value, understood: &Value) -> Self {
        let mut later = Self::default();
        match (read, understood) {
            (Value::Object(read), Value::Object(understood)) => {
                for (name, value) in read {
                    match understood.get(name) {
                        None => _ = later.members.insert(name.clone(), value.clone()),
                        Some(known) => {
                            let within = Self::of(value, known);
                            later.within.extend((!within.is_empty()).then(|| (name.clone(), within)));
                        }
                    }
                }
                let marks = NAMES.iter().chain(&FORMS).filter_map(|name| Some((*name, mark(read, name)?)));
                later.marks = marks.map(|(name, value)| (name.to_owned(), value.clone())).collect();
            }
            (Value::Array(read), Value::Array(understood)) => {
                let items = read.iter().zip(understood).map(|(read, known)| Self::of(read, known));
                later.items = items.filter(|item| !item.is_empty()).collect();
            }
            _ => {}
        }
        if later.is_empty() { Self::default() } else { later }
    }

    /// Whether there is nothing to be put back.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.within.is_empty() && self.items.is_empty()
    }

    /// Puts the members back, as far as what they stood in is still there and of the same form. What is there by now is
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

/// A member that can tell an object from others: a step may be called like one, too.
fn mark<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    members.get(name).filter(|value| !value.is_object())
}
