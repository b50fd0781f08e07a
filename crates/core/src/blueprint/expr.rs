//! Values that are known when a plan is made, and texts that are evaluated when a step is rendered.
//!
//! Only text of the blueprint is ever evaluated; a value that was substituted never is.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::Value;

use super::desired::Part;

/// A value, or the blueprint's text that yields the value when the step is rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr<T> {
    /// A value that was known when the plan was made.
    Known(T),
    /// The blueprint's text, which needs outputs of other steps.
    Late(String),
    /// A known value of a type that the field does not take. New plans have none, but documents of earlier versions
    /// may. Such a document can be read, so that the tenant can be changed and deleted; rendering the step is an error.
    Unfit(Value),
}

impl<T> Expr<T> {
    /// The value, if it is known.
    pub fn known(&self) -> Option<&T> {
        if let Self::Known(value) = self { Some(value) } else { None }
    }

    /// The text that has to be evaluated, if the value is not known.
    pub fn late(&self) -> Option<&str> {
        if let Self::Late(text) = self { Some(text) } else { None }
    }
}

impl Part for Expr<String> {
    fn known(&self) -> Cow<'_, Value> {
        match self {
            Self::Known(text) => Cow::Owned(Value::String(text.clone())),
            Self::Late(_) => Cow::Owned(Value::Null),
            Self::Unfit(value) => Cow::Borrowed(value),
        }
    }
}

/// A JSON value of which some parts are evaluated later.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Template {
    /// The value, with null for each late part.
    value: Value,
    /// The blueprint's texts, by JSON pointer into the value.
    late: BTreeMap<String, String>,
}

impl Template {
    /// A value whose parts at these JSON pointers are evaluated later. A pointer that the value does not have is an
    /// error when the step is rendered.
    pub fn new(value: Value, late: BTreeMap<String, String>) -> Self {
        Self { value, late }
    }

    /// The value, with null for each late part.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The texts that have to be evaluated, by JSON pointer into the value.
    pub fn late(&self) -> &BTreeMap<String, String> {
        &self.late
    }

    /// The value at a JSON pointer, and the text that is evaluated later at this pointer, if there are any.
    pub(super) fn at(&self, pointer: &str) -> (Option<&Value>, Option<&str>) {
        (self.value.pointer(pointer), self.late.get(pointer).map(String::as_str))
    }
}

impl From<Value> for Template {
    fn from(value: Value) -> Self {
        Self { value, late: BTreeMap::new() }
    }
}

impl Part for Template {
    fn known(&self) -> Cow<'_, Value> {
        Cow::Borrowed(&self.value)
    }
}
