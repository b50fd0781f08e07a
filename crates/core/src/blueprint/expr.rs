//! Values that are known when a plan is made, and texts that are evaluated when a step is rendered.
//!
//! Only text of the blueprint is ever evaluated; a value that was substituted never is.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::Value;

use super::desired::Part;

/// A value, or the blueprint's text that will yield it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr<T> {
    /// Known when the plan was made.
    Known(T),
    /// Needs outputs of other steps; the blueprint's own text.
    Late(String),
    /// Known, but of a type that the field does not take. New plans have none, but documents of earlier versions may:
    /// they are read, so that the tenant can be changed and deleted, and the step is refused when it is rendered.
    Unfit(Value),
}

impl<T> Expr<T> {
    /// The value, if it is known.
    pub fn known(&self) -> Option<&T> {
        if let Self::Known(value) = self { Some(value) } else { None }
    }

    /// The text that has to be evaluated, if it is not.
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
    /// A value with late parts; a text whose pointer leads nowhere can't be rendered.
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

    /// What is at a pointer: the value, and the text that is to be evaluated there.
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
